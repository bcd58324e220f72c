//! Benjamini and Hochberg's step-up adjustment of a family of p-values (1995): bounds the share of false discoveries, not the chance of one.

/// Adjusted p-values in the order given: the k-th smallest of m is multiplied by m / k, made monotone from the largest down, capped at 1.
/// The family is everything handed in; a p-value that does not exist is not part of it.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&left, &right| p_values[left].total_cmp(&p_values[right]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest = 1.0f64;
    for (position, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * p_values.len() as f64 / (position + 1) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holm::holm;

    #[test]
    fn by_hand() {
        // .04, .02 x 4 / 2 = .04, .03 x 4 / 3 = .04, .01 x 4 = .04.
        let adjusted = benjamini_hochberg(&[0.04, 0.02, 0.03, 0.01]);
        assert!(adjusted.iter().all(|value| (value - 0.04).abs() < 1e-12), "{adjusted:?}");
        assert_eq!(benjamini_hochberg(&[]), Vec::<f64>::new());
        assert_eq!(benjamini_hochberg(&[0.3]), [0.3]);
    }

    #[test]
    fn between_the_raw_value_and_holm() {
        let raw = [0.2, 0.2, 0.01, 0.5, 0.04, 0.0001];
        let adjusted = benjamini_hochberg(&raw);
        let stricter = holm(&raw);
        assert!((0..6).all(|index| raw[index] <= adjusted[index] && adjusted[index] <= stricter[index] + 1e-15));
    }
}
