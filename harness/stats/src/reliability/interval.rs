//! Intervals of reliabilities and of the noise ceiling, in closed form.
//!
//! Resampling few runs sees too little of a variance: percentiles, bias-corrected, covered 75 % at 8 runs and 90 % at 48 where 95 % is
//! meant. In their place:
//!
//! - from standard errors: the variance over runs has its chi-squared interval, with (n - 1) 2 / (kurtosis - 1) degrees of freedom, at most
//!   the n - 1 of normal runs, since a few runs far off say less of a variance; the noise is taken as known;
//! - from seeds: F of the one-way analysis of variance (Shrout and Fleiss 1979, equation 6), with the mean size of a configuration where
//!   sizes differ;
//! - the ceiling: the root of the product of the ends of both, as if both were off to the same side at once. That is cautious; taking the
//!   estimates as independent covered 92 % at 8 runs.
//!
//! `tests/calibration` has their rows.

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal, StudentsT};

use crate::{
    bootstrap::Interval,
    numeric::{mean, sum_of_squares},
    refusal::Refusal,
};

/// Ends at 90 and 95 %: `of(tail)` gives both ends with `tail` outside each.
fn interval(of: impl Fn(f64) -> Result<(f64, f64), Refusal>) -> Result<Interval, Refusal> {
    let ((low90, high90), (low95, high95)) = (of(0.05)?, of(0.025)?);
    Ok(Interval { low90, high90, low95, high95, resamples: 0, degenerate: 0 })
}

fn solver(error: impl std::fmt::Display) -> Refusal {
    Refusal::Solver { message: error.to_string() }
}

/// Of 1 - mean(se^2) / variance.
///
/// # Errors
/// Values of which the variance cannot be told.
pub(super) fn from_errors(values: &[f64], std_errors: &[f64]) -> Result<Interval, Refusal> {
    let (n, squares, centre) = (values.len() as f64, sum_of_squares(values), mean(values));
    let noise = std_errors.iter().map(|error| error * error).sum::<f64>() / n;
    let kurtosis = n * values.iter().map(|value| (value - centre).powi(4)).sum::<f64>() / squares.powi(2);
    let df = (n - 1.0) * (2.0 / (kurtosis - 1.0)).min(1.0);
    let chi_squared = ChiSquared::new(df).map_err(solver)?;
    let variance = squares / (n - 1.0);
    let end = |level: f64| (1.0 - noise * chi_squared.inverse_cdf(level) / (df * variance)).clamp(0.0, 1.0);
    interval(|tail| Ok((end(1.0 - tail), end(tail))))
}

/// A one-way analysis of variance: mean squares between and within configurations, their degrees of freedom, and the mean size.
pub(super) struct OneWay {
    pub between: f64,
    pub within: f64,
    pub df_between: f64,
    pub df_within: f64,
    pub size: f64,
}

/// Of ICC(1).
///
/// # Errors
/// No degrees of freedom.
pub(super) fn from_seeds(found: &OneWay) -> Result<Interval, Refusal> {
    let OneWay { between, within, df_between, df_within, size } = *found;
    if within <= 0.0 {
        // The seeds agree to the last bit: nothing is noise.
        return interval(|_| Ok((1.0, 1.0)));
    }
    let ratio = between / within;
    let down = FisherSnedecor::new(df_between, df_within).map_err(solver)?;
    let up = FisherSnedecor::new(df_within, df_between).map_err(solver)?;
    let correlation = |ratio: f64| ((ratio - 1.0) / (ratio + size - 1.0)).clamp(0.0, 1.0);
    interval(|tail| Ok((correlation(ratio / down.inverse_cdf(1.0 - tail)), correlation(ratio * up.inverse_cdf(1.0 - tail)))))
}

/// Of the root of the product of two reliabilities.
pub(super) fn of_ceiling(metric: &Interval, score: &Interval) -> Interval {
    let root = |metric: f64, score: f64| (metric * score).sqrt();
    Interval {
        low90: root(metric.low90, score.low90),
        high90: root(metric.high90, score.high90),
        low95: root(metric.low95, score.low95),
        high95: root(metric.high95, score.high95),
        resamples: 0,
        degenerate: 0,
    }
}

/// The confidence at which percentiles of resamples of so many units end where `confidence` is meant (Hesterberg 2015, section 3.4): t in
/// place of the normal quantile, and the resamples' variance times n / (n - 1).
pub(super) fn expanded(confidence: f64, units: usize) -> Result<f64, Refusal> {
    let n = units as f64;
    let student = StudentsT::new(0.0, 1.0, n - 1.0).map_err(solver)?;
    let normal = Normal::new(0.0, 1.0).map_err(solver)?;
    let quantile = student.inverse_cdf((1.0 + confidence) / 2.0) * (n / (n - 1.0)).sqrt();
    Ok(2.0 * normal.cdf(quantile) - 1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn variance_of_normal_scores_has_the_textbook_interval() {
        // Ten values without an outlier (kurtosis below 3, so 9 degrees of freedom); sample variance 9.1667.
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let found = from_errors(&values, &[1.0; 10]).unwrap();
        // Quantiles of chi-squared with 9 degrees of freedom: 2.70039 and 19.02277.
        let variance = 82.5 / 9.0;
        assert!((found.high95 - (1.0 - 2.700_389_5 / (9.0 * variance))).abs() < 1e-6, "{found:?}");
        assert!((found.low95 - (1.0 - 19.022_768 / (9.0 * variance))).abs() < 1e-6, "{found:?}");
        assert!(found.low95 < found.low90 && found.low90 < found.high90 && found.high90 < found.high95);
        let exact = from_errors(&values, &[0.0; 10]).unwrap();
        assert_eq!((exact.low95, exact.high95), (1.0, 1.0));
        // One run far off: fewer degrees of freedom, a wider interval.
        let mut far = values.clone();
        far[9] = 40.0;
        let wide = |values: &[f64]| {
            let error = (sum_of_squares(values) / 9.0 / 9.0).sqrt();
            let found = from_errors(values, &[error; 10]).unwrap();
            found.high95 - found.low95
        };
        assert!(wide(&far) > 1.2 * wide(&values), "{} {}", wide(&far), wide(&values));
    }

    #[test]
    fn seeds_have_the_interval_of_shrout_and_fleiss() {
        // Their example, six targets and four judges: between 11.24, within 6.26; ICC(1, 1) = .17 with [-.13, .72].
        let found = from_seeds(&OneWay { between: 11.24, within: 6.26, df_between: 5.0, df_within: 18.0, size: 4.0 }).unwrap();
        assert!(found.low95 == 0.0 && (found.high95 - 0.72).abs() < 0.005, "{found:?}");
        let agreed = from_seeds(&OneWay { between: 1.0, within: 0.0, df_between: 5.0, df_within: 6.0, size: 2.0 }).unwrap();
        assert_eq!((agreed.low95, agreed.high95), (1.0, 1.0));
    }

    #[test]
    fn percentiles_end_further_out_with_few_units() {
        // t of 7 degrees of freedom, 2.364624, times the root of 8 / 7: 2.527890, outside of which lie 1.1475 % of normal numbers.
        assert!((expanded(0.95, 8).unwrap() - 0.988_525).abs() < 1e-5, "{}", expanded(0.95, 8).unwrap());
        let many = expanded(0.95, 10_000).unwrap();
        assert!((many - 0.950_039).abs() < 1e-5, "{many}");
    }

    #[test]
    fn the_ceiling_of_two_equal_columns_is_as_wide_as_one() {
        let one = Interval { low90: 0.7, high90: 0.9, low95: 0.6, high95: 0.95, resamples: 0, degenerate: 0 };
        assert_eq!(of_ceiling(&one, &one), one);
        let exact = Interval { low90: 1.0, high90: 1.0, low95: 1.0, high95: 1.0, ..one };
        assert_eq!(of_ceiling(&one, &exact).low95, 0.6f64.sqrt());
    }
}
