//! The unigram baseline of a corpus: what a model that knows only how often each token occurs would score.

use crate::{cache::TokenCacheBuilder, special::SpecialIds};

/// Real tokens of all molecules by id.
pub fn counts(tokens: &TokenCacheBuilder, vocabulary: usize, special: &SpecialIds) -> Vec<u64> {
    let mut counts = vec![0; vocabulary];
    for molecule in 0..tokens.len() {
        for id in tokens.get(molecule).iter().filter(|id| special.is_real(**id)) {
            counts[usize::from(*id)] += 1;
        }
    }
    counts
}

/// Cross-entropy of held-out tokens in nats a token, under (count + 1) / (tokens + vocabulary) of the training tokens, and its standard
/// error over molecules (delete-one jackknife of the ratio of sums). NaN without held-out tokens; the error is NaN below two molecules.
pub fn cross_entropy(train_counts: &[u64], heldout: &TokenCacheBuilder, special: &SpecialIds) -> (f64, f64) {
    let real = (0..train_counts.len()).filter(|id| special.is_real(*id as u16)).count() as f64;
    let normaliser = (train_counts.iter().sum::<u64>() as f64 + real).ln();
    let nats: Vec<f64> = train_counts.iter().map(|count| normaliser - ((count + 1) as f64).ln()).collect();
    let sums: Vec<(f64, f64)> = (0..heldout.len())
        .map(|molecule| {
            let ids = heldout.get(molecule).iter().filter(|id| special.is_real(**id));
            ids.fold((0.0, 0.0), |(sum, count), id| (sum + nats[usize::from(*id)], count + 1.0))
        })
        .collect();
    ratio_with_jackknife(&sums)
}

/// Ratio of two sums and its jackknife standard error: sqrt((n - 1) / n * sum (r_i - mean r)^2) over the ratios r_i that leave one out.
pub(crate) fn ratio_with_jackknife(sums: &[(f64, f64)]) -> (f64, f64) {
    let total = sums.iter().fold((0.0, 0.0), |total, sum| (total.0 + sum.0, total.1 + sum.1));
    let left_out: Vec<f64> = sums.iter().map(|sum| (total.0 - sum.0) / (total.1 - sum.1)).collect();
    let count = sums.len() as f64;
    let mean = left_out.iter().sum::<f64>() / count;
    let spread = left_out.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>();
    let error = if sums.len() < 2 { f64::NAN } else { ((count - 1.0) / count * spread).sqrt() };
    (total.0 / total.1, error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tokens(molecules: &[&[u16]]) -> TokenCacheBuilder {
        let mut builder = TokenCacheBuilder::new(10, 8);
        for ids in molecules {
            builder.push(ids).unwrap();
        }
        builder
    }

    #[test]
    fn the_cross_entropy_is_that_of_smoothed_frequencies() {
        // Real ids of a vocabulary of 8: 1 (unknown), 5, 6, 7. Training: 5 x 3, 6 x 1; 4 tokens + 4 smoothing.
        let train = tokens(&[&[2, 5, 5, 3], &[2, 5, 6, 3]]);
        let counts = counts(&train, 8, &SpecialIds::default());
        assert_eq!(counts, [0, 0, 0, 0, 0, 3, 1, 0]);
        let heldout = tokens(&[&[2, 5, 3], &[2, 7, 7, 3]]);
        let (value, error) = cross_entropy(&counts, &heldout, &SpecialIds::default());
        let five = -(4.0_f64 / 8.0).ln();
        let seven = -(1.0_f64 / 8.0).ln();
        assert!((value - (five + 2.0 * seven) / 3.0).abs() < 1e-12);
        // Two molecules: leaving one out gives `seven` or `five`; the error is half their difference.
        assert!((error - (seven - five) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_jackknife_of_equal_denominators_is_the_error_of_a_mean() {
        let values = [1.0, 4.0, 2.0, 8.0, 5.0];
        let (ratio, error) = ratio_with_jackknife(&values.map(|value| (value, 1.0)));
        assert!((ratio - 4.0).abs() < 1e-12);
        // Sample variance 7.5, so the standard error of the mean is sqrt(7.5 / 5).
        assert!((error - 1.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn nothing_held_out_has_no_value() {
        let (value, error) = cross_entropy(&[0; 8], &tokens(&[]), &SpecialIds::default());
        assert!(value.is_nan() && error.is_nan());
    }
}
