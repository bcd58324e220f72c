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

/// Standard error of a ratio of sums over draws and molecules that comes from the draws alone, the molecules held fixed.
///
/// `numerator` and `denominator` are [draws][molecules]. With `L` the ratio and residuals `e_ik = n_ik - L d_ik`, the delta
/// method gives `sum_i K var_k(e_ik) / (sum d)^2` (Cochran 1977, section 6.3; draws of different molecules are
/// independent). With as many molecules as an evaluation sample has, this is far steadier than the spread of K ratios.
/// NaN below two draws.
pub fn error_of_draws(numerator: &[Vec<f64>], denominator: &[Vec<f64>]) -> f64 {
    let draws = numerator.len() as f64;
    if draws < 2.0 {
        return f64::NAN;
    }
    let total = |table: &[Vec<f64>]| table.iter().flatten().sum::<f64>();
    let (all, ratio) = (total(denominator), total(numerator) / total(denominator));
    let molecules = numerator.iter().map(Vec::len).min().unwrap_or(0);
    let variance = |molecule: usize| {
        let residuals = numerator.iter().zip(denominator).map(|(n, d)| n[molecule] - ratio * d[molecule]);
        let mean = residuals.clone().sum::<f64>() / draws;
        residuals.map(|residual| (residual - mean).powi(2)).sum::<f64>() / (draws - 1.0)
    };
    ((0..molecules).map(variance).sum::<f64>() * draws).sqrt() / all
}

/// Mean and its standard error (sample variance over `n`); the error is NaN below two values.
pub fn mean_with_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if count < 2.0 { (mean, f64::NAN) } else { (mean, (spread / (count - 1.0) / count).sqrt()) }
}

/// Delete-a-group jackknife standard error, from the values of an estimate with each of G groups of equal size left out:
/// `sqrt((G - 1) / G sum (value - mean)^2)` (Efron & Tibshirani 1993, eq. 11.5; groups of one molecule are the plain jackknife).
/// With few groups its interval needs the quantile of Student's t with G - 1 degrees of freedom. NaN below two groups.
pub fn jackknife_error(left_out: &[f64]) -> f64 {
    let groups = left_out.len() as f64;
    let mean = left_out.iter().sum::<f64>() / groups;
    let spread: f64 = left_out.iter().map(|value| (value - mean).powi(2)).sum();
    if groups < 2.0 { f64::NAN } else { (spread * (groups - 1.0) / groups).sqrt() }
}

/// What of a standard error is left without a part of it: the root of the difference of their squares, 0 where that is negative.
/// NaN where either is, so that an error that is not known does not pass for none.
pub fn error_less(whole: f64, part: f64) -> f64 {
    let rest = whole.powi(2) - part.powi(2);
    if rest < 0.0 { 0.0 } else { rest.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::{error_less, error_of_draws, jackknife_error, mean_with_error, ratio_with_jackknife};

    #[test]
    fn what_is_left_of_an_error_is_never_below_zero_and_never_made_up() {
        assert_eq!((error_less(5.0, 3.0), error_less(3.0, 5.0)), (4.0, 0.0));
        assert!(error_less(f64::NAN, 1.0).is_nan() && error_less(1.0, f64::NAN).is_nan());
    }

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let values = [1.0, 4.0, 2.0, 8.0, 5.0];
        let left_out: Vec<f64> = values.iter().map(|value| (20.0 - value) / 4.0).collect();
        assert!((jackknife_error(&left_out) - mean_with_error(&values).1).abs() < 1e-12);
        assert!(jackknife_error(&[1.0]).is_nan());
    }

    #[test]
    fn with_equal_denominators_the_jackknife_is_the_standard_error_of_the_mean() {
        let values = [1.0, 4.0, 2.0, 8.0, 5.0];
        let (mean, error) = mean_with_error(&values);
        let (ratio, jackknife) = ratio_with_jackknife(&values, &[1.0; 5]);
        assert!((mean - 4.0).abs() < 1e-12 && (ratio - mean).abs() < 1e-12);
        assert!((error - 1.224_744_871_391_589).abs() < 1e-12, "{error}");
        assert!((jackknife - error).abs() < 1e-12, "{jackknife}");
    }

    /// A small counter generator: uniform in [0, 1).
    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn the_error_of_draws_is_the_spread_over_repetitions() {
        let mut state = 5;
        let (mut ratios, mut errors) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            let (mut numerator, mut denominator) = (vec![vec![]; 2], vec![vec![]; 2]);
            for draw in 0..2 {
                for molecule in 0..50 {
                    let tokens = 1.0 + (uniform(&mut state) * 8.0).floor();
                    denominator[draw].push(tokens);
                    numerator[draw].push(tokens * (1.0 + f64::from(molecule) / 50.0) + uniform(&mut state));
                }
            }
            let sum = |table: &[Vec<f64>]| table.iter().flatten().sum::<f64>();
            ratios.push(sum(&numerator) / sum(&denominator));
            errors.push(error_of_draws(&numerator, &denominator));
        }
        let spread = mean_with_error(&ratios).1 * 400_f64.sqrt();
        let (mean, _) = mean_with_error(&errors);
        // A standard deviation over 400 repetitions has a relative error of about 1 / sqrt(800); allow four of them.
        assert!((mean / spread - 1.0).abs() < 4.0 / 800_f64.sqrt(), "{mean} is not {spread}");
        assert!(error_of_draws(&[vec![1.0]], &[vec![1.0]]).is_nan());
    }

    #[test]
    fn too_few_values_have_no_error() {
        assert!(mean_with_error(&[1.0]).1.is_nan());
        assert!(ratio_with_jackknife(&[], &[]).0.is_nan());
    }
}
