//! Holm's step-down adjustment of a family of p-values (Holm 1979).

/// Adjusted p-values in the order given: the k-th smallest of m is multiplied by m - k + 1, made monotone, capped at 1.
/// The family is everything handed in; a p-value that does not exist is not part of it.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&left, &right| p_values[left].total_cmp(&p_values[right]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0f64;
    for (position, &index) in order.iter().enumerate() {
        let factor = (p_values.len() - position) as f64;
        largest = largest.max((factor * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: &[f64], right: &[f64]) {
        assert_eq!(left.len(), right.len());
        assert!(left.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-12), "{left:?} against {right:?}");
    }

    #[test]
    fn by_hand() {
        // .01 x 4 = .04, .02 x 3 = .06, .03 x 2 = .06, .04 x 1 = .04 -> at least .06
        close(&holm(&[0.01, 0.02, 0.03, 0.04]), &[0.04, 0.06, 0.06, 0.06]);
        // Given in another order, with one that does not survive.
        close(&holm(&[0.6, 0.001, 0.02]), &[0.6, 0.003, 0.04]);
        close(&holm(&[0.9, 0.8]), &[1.0, 1.0]);
        close(&holm(&[0.04]), &[0.04]);
        close(&holm(&[]), &[]);
    }

    #[test]
    fn never_below_the_raw_value() {
        let raw = [0.2, 0.2, 0.01, 0.5, 0.04];
        assert!(holm(&raw).iter().zip(raw).all(|(adjusted, raw)| *adjusted >= raw && *adjusted <= 1.0));
    }
}
