//! Gain: what a metric adds to size, tokens and corpus size in predicting the score of an unseen run.
//!
//! gain = Q2(score ~ trivial + metric) - Q2(score ~ trivial), both leave-one-run-out with the same folds. The interval
//! resamples runs; all copies of a run are left out together, else a copy would predict its twin.
//!
//! The interval is cautious, not calibrated (`benchmarks/CALIBRATION.md`): it covers 95 to 100 % of the mean gain where 95 %
//! is meant, and `better` is rare below 24 runs even where there is much to gain. Percentile, jackknife and paired-difference
//! intervals were tried: each covers less than 93 % in some design.

use rand::Rng;
use serde::Serialize;

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS, bca_of_many},
    cross_validation::{check_all, q2_by_groups},
    numeric::is_constant,
    ols::Column,
    orthogonal::orthonormalise,
    refusal::{Refusal, check_size},
    resampled_gain::{LANES, ResampledGain},
};

/// Resamples of the gain's interval.
pub const RESAMPLES: usize = 1_999;

/// Whether the metric adds to the trivial predictors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GainVerdict {
    /// The whole 95 % interval is above 0.
    Better,
    /// The whole 95 % interval is at or below 0.
    NotBetter,
    /// The interval holds both, or there is none.
    CannotTell,
}

impl GainVerdict {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::NotBetter => "not_better",
            Self::CannotTell => "cannot_tell",
        }
    }

    /// What an interval says.
    pub fn of(interval: Option<&Interval>) -> Self {
        match interval {
            Some(interval) if interval.low95 > 0.0 => Self::Better,
            Some(interval) if interval.high95 <= 0.0 => Self::NotBetter,
            _ => Self::CannotTell,
        }
    }
}

/// A gain with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// Q2 with the metric minus Q2 without.
    pub gain: f64,
    /// Q2 of the trivial predictors alone.
    pub q2_trivial: f64,
    /// Q2 of the trivial predictors and the metric.
    pub q2_with_metric: f64,
    /// Trivial columns that were used.
    pub used: Vec<String>,
    /// Trivial columns left out: the same in every run, or a combination of those before them, so that the span is the
    /// same without them.
    pub dropped: Vec<String>,
    /// Interval over runs.
    pub interval: Option<Interval>,
    /// Why there is no interval.
    pub interval_refusal: Option<Refusal>,
    /// What may be said.
    pub verdict: GainVerdict,
}

/// Gain of `metric` over the `trivial` columns (logs of non-embedding parameters, tokens, corpus size). One row a run.
///
/// # Errors
/// Fewer than 8 runs; a constant metric or score; a metric that is a linear combination of the trivial columns;
/// non-finite values; a fold that cannot be fitted.
pub fn gain(score: &[f64], metric: &[f64], trivial: &[Column<'_>], rng: &mut impl Rng) -> Result<Gain, Refusal> {
    let n = score.len();
    check_size("the gain", n, SMALLEST_N_FOR_INTERVALS)?;
    check_all(trivial, score)?;
    let (used, dropped) = independent(trivial, n);
    let mut with_metric = used.clone();
    with_metric.push(Column { name: "metric", values: metric });
    let runs: Vec<usize> = (0..n).collect();
    let q2_trivial = q2_by_groups(&used, score, &runs)?;
    let q2_with_metric = q2_by_groups(&with_metric, score, &runs)?;
    let trivial_values: Vec<&[f64]> = used.iter().map(|column| column.values).collect();
    let mut resampled = ResampledGain::new(score, metric, &trivial_values);
    let interval = bca_of_many(n, RESAMPLES, LANES, rng, |resamples, gains| resampled.of(resamples, gains));
    let verdict = GainVerdict::of(interval.as_ref().ok());
    let names = |columns: &[Column<'_>]| columns.iter().map(|column| column.name.to_owned()).collect();
    let (interval, interval_refusal) = match interval {
        Ok(interval) => (Some(interval), None),
        Err(refusal) => (None, Some(refusal)),
    };
    Ok(Gain {
        gain: q2_with_metric - q2_trivial,
        q2_trivial,
        q2_with_metric,
        used: names(&used),
        dropped: names(&dropped),
        interval,
        interval_refusal,
        verdict,
    })
}

/// The columns that widen the span, one after the other, and the rest: constants, and combinations of those before them.
pub fn independent<'a>(columns: &[Column<'a>], n: usize) -> (Vec<Column<'a>>, Vec<Column<'a>>) {
    let weights = vec![1.0; n];
    let mut used: Vec<Column<'a>> = Vec::new();
    let mut dropped = Vec::new();
    for column in columns {
        let names: Vec<&str> = used.iter().chain([column]).map(|column| column.name).collect();
        let values: Vec<&[f64]> = used.iter().chain([column]).map(|column| column.values).collect();
        if is_constant(column.values) || orthonormalise(&names, &values, &weights).is_err() {
            dropped.push(*column);
        } else {
            used.push(*column);
        }
    }
    (used, dropped)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::seed::generator;

    fn runs(n: usize, seed: u64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut rng = generator(seed, "gain data");
        let mut draw = || (0..n).map(|_| rng.random::<f64>()).collect::<Vec<f64>>();
        (draw(), draw(), draw())
    }

    #[test]
    fn a_metric_that_carries_the_rest_is_better() {
        let (size, metric, noise) = runs(24, 1);
        let score: Vec<f64> = (0..24).map(|i| size[i] + 2.0 * metric[i] + 0.1 * noise[i]).collect();
        let tokens = vec![3.0; 24];
        let trivial = [Column { name: "log_size", values: &size }, Column { name: "log_tokens", values: &tokens }];
        let found = gain(&score, &metric, &trivial, &mut generator(1, "g")).unwrap();
        assert_eq!(found.verdict, GainVerdict::Better);
        assert_eq!((found.used, found.dropped), (vec!["log_size".to_owned()], vec!["log_tokens".to_owned()]));
        assert!(found.gain > 0.3 && (found.q2_with_metric - found.q2_trivial - found.gain).abs() < 1e-12);
    }

    #[test]
    fn a_trivial_column_that_is_a_combination_of_the_others_changes_nothing() {
        let (size, corpus, noise) = runs(16, 7);
        let metric: Vec<f64> = (0..16).map(|i| corpus[i] + noise[i]).collect();
        let score: Vec<f64> = (0..16).map(|i| size[i] + noise[i]).collect();
        // Tokens that follow the corpus, such as a number of epochs.
        let tokens: Vec<f64> = corpus.iter().map(|value| value + 2.0).collect();
        let column = |name, values| Column { name, values };
        let all = [column("size", &size[..]), column("tokens", &tokens), column("corpus", &corpus)];
        let found = gain(&score, &metric, &all, &mut generator(1, "g")).unwrap();
        assert_eq!((found.used.len(), found.dropped.as_slice()), (2, &["corpus".to_owned()][..]));
        let two = gain(&score, &metric, &all[..2], &mut generator(1, "g")).unwrap();
        assert_eq!((found.gain, found.interval), (two.gain, two.interval));
        assert!(found.interval.is_some());
    }

    #[test]
    fn noise_beside_a_good_trivial_predictor_is_never_better() {
        let mut better = 0;
        for seed in 0..60 {
            let (size, metric, noise) = runs(16, 100 + seed);
            let score: Vec<f64> = (0..16).map(|i| size[i] + 0.3 * noise[i]).collect();
            let trivial = [Column { name: "log_size", values: &size }];
            let found = gain(&score, &metric, &trivial, &mut generator(seed, "g")).unwrap();
            better += usize::from(found.verdict == GainVerdict::Better);
        }
        assert!(better <= 6, "{better} of 60");
    }

    #[test]
    fn refusals_are_typed() {
        let (size, metric, score) = runs(8, 3);
        let trivial = [Column { name: "log_size", values: &size }];
        let collinear: Vec<f64> = size.iter().map(|v| 3.0 - v).collect();
        let mut rng = generator(1, "g");
        assert_eq!(gain(&score, &collinear, &trivial, &mut rng), Err(Refusal::RankDeficient { name: "metric".into() }));
        let short = [Column { name: "log_size", values: &size[..7] }];
        assert!(matches!(gain(&score[..7], &metric[..7], &short, &mut rng), Err(Refusal::TooFew { n: 7, needed: 8, .. })));
        assert_eq!(gain(&score, &[1.0; 8], &trivial, &mut rng), Err(Refusal::Constant { name: "metric".into() }));
    }
}
