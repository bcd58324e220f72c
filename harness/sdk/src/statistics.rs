//! Standard errors that several metrics need.

/// A ratio of sums over molecules, `sum(numerator) / sum(denominator)`, with its jackknife standard error over molecules.
///
/// Leave-one-out values are `(N - n_i) / (D - d_i)`; the variance is `(m - 1) / m` times the sum of squared deviations
/// from their mean (Efron & Tibshirani 1993, eq. 11.5). Molecules with a zero denominator count: they carry no token,
/// but another draw of the sample could leave them out as well. NaN for an empty sample; the error is NaN below two molecules.
pub fn ratio_with_jackknife(numerator: &[f64], denominator: &[f64]) -> (f64, f64) {
    let (top, bottom): (f64, f64) = (numerator.iter().sum(), denominator.iter().sum());
    let count = numerator.len().min(denominator.len()) as f64;
    if count < 2.0 {
        return (top / bottom, f64::NAN);
    }
    let left_out = || numerator.iter().zip(denominator).map(|(n, d)| (top - n) / (bottom - d));
    let mean = left_out().sum::<f64>() / count;
    let spread: f64 = left_out().map(|value| (value - mean).powi(2)).sum();
    (top / bottom, (spread * (count - 1.0) / count).sqrt())
}

/// Mean and its standard error (sample variance over `n`); the error is NaN below two values.
pub fn mean_with_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if count < 2.0 { (mean, f64::NAN) } else { (mean, (spread / (count - 1.0) / count).sqrt()) }
}

#[cfg(test)]
mod tests {
    use super::{mean_with_error, ratio_with_jackknife};

    #[test]
    fn with_equal_denominators_the_jackknife_is_the_standard_error_of_the_mean() {
        let values = [1.0, 4.0, 2.0, 8.0, 5.0];
        let (mean, error) = mean_with_error(&values);
        let (ratio, jackknife) = ratio_with_jackknife(&values, &[1.0; 5]);
        assert!((mean - 4.0).abs() < 1e-12 && (ratio - mean).abs() < 1e-12);
        assert!((error - 1.224_744_871_391_589).abs() < 1e-12, "{error}");
        assert!((jackknife - error).abs() < 1e-12, "{jackknife}");
    }

    #[test]
    fn too_few_values_have_no_error() {
        assert!(mean_with_error(&[1.0]).1.is_nan());
        assert!(ratio_with_jackknife(&[], &[]).0.is_nan());
    }
}
