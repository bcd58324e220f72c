//! How much of what runs differ by is noise, and what correlation they would have without it.
//!
//! Two estimates of reliability (the share of the variance over runs that is not noise). From standard errors:
//! 1 - mean(se^2) / variance. From pretraining seeds: the intraclass correlation ICC(1) of configurations that were pretrained with several
//! seeds (Shrout and Fleiss 1979; unequal numbers of seeds as in the one-way analysis of variance). Negative estimates are 0.
//!
//! The correlation of two noisy columns is at most the root of the product of their reliabilities, the *noise ceiling*; r over the ceiling
//! is the disattenuated r (Spearman 1904). It may exceed 1, for both are estimates.

use rand::Rng;
use serde::Serialize;

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS, ends},
    correlation::spearman_if_defined,
    numeric::{is_constant, mean, sum_of_squares},
    refusal::{Refusal, check_column, check_size},
};

/// Below this reliability of either column nothing is disattenuated.
pub const SMALLEST_RELIABILITY: f64 = 0.1;
/// Resamples of the intervals.
pub const RESAMPLES: usize = 999;

/// Reliability from the standard errors of the values: 1 - mean(se^2) / sample variance, at least 0.
///
/// # Errors
/// Fewer than 3 runs, a constant or non-finite column, an unknown standard error.
pub fn reliability_from_errors(values: &[f64], std_errors: &[f64]) -> Result<f64, Refusal> {
    check_column("values", values, values.len())?;
    check_column("standard errors", std_errors, values.len())?;
    check_size("a reliability", values.len(), 3)?;
    if is_constant(values) {
        return Err(Refusal::Constant { name: "values".to_owned() });
    }
    let variance = sum_of_squares(values) / (values.len() as f64 - 1.0);
    let noise = std_errors.iter().map(|error| error * error).sum::<f64>() / values.len() as f64;
    Ok((1.0 - noise / variance).max(0.0))
}

/// Reliability from replicates: ICC(1), at least 0. `groups` names the configuration of each run.
///
/// # Errors
/// A constant or non-finite column; fewer than two configurations; no configuration with two runs.
pub fn intraclass_correlation(values: &[f64], groups: &[usize]) -> Result<f64, Refusal> {
    check_column("values", values, groups.len())?;
    let counts = counts(groups);
    let replicated = counts.iter().filter(|count| **count > 1).count();
    if replicated == 0 {
        return Err(Refusal::NoValues { what: "no configuration was pretrained with two seeds".to_owned() });
    }
    if counts.len() < 2 {
        return Err(Refusal::TooFew { what: "a reliability over configurations".into(), n: counts.len(), needed: 2 });
    }
    if is_constant(values) {
        return Err(Refusal::Constant { name: "values".to_owned() });
    }
    let mut sums = vec![0.0; counts.len()];
    groups.iter().zip(values).for_each(|(&group, value)| sums[group] += value);
    let (total, configurations) = (values.len() as f64, counts.len() as f64);
    let grand = mean(values);
    let means: Vec<f64> = sums.iter().zip(&counts).map(|(sum, &count)| sum / count as f64).collect();
    let between: f64 = means.iter().zip(&counts).map(|(mean, &count)| count as f64 * (mean - grand).powi(2)).sum();
    let within: f64 = groups.iter().zip(values).map(|(&group, value)| (value - means[group]).powi(2)).sum();
    let between = between / (configurations - 1.0);
    let within = within / (total - configurations);
    let squares: f64 = counts.iter().map(|&count| (count as f64).powi(2)).sum();
    let size = (total - squares / total) / (configurations - 1.0);
    Ok(((between - within) / (between + (size - 1.0) * within)).max(0.0))
}

/// Runs of each group, groups numbered from 0 without gaps.
fn counts(groups: &[usize]) -> Vec<usize> {
    let mut counts = vec![0usize; groups.iter().max().map_or(0, |last| last + 1)];
    groups.iter().for_each(|&group| counts[group] += 1);
    counts
}

/// The largest correlation that columns of these reliabilities can be expected to have.
pub fn noise_ceiling(metric: f64, score: f64) -> f64 {
    (metric * score).sqrt()
}

/// `r` without the noise of both columns.
///
/// # Errors
/// A reliability below [`SMALLEST_RELIABILITY`].
pub fn disattenuated(r: f64, metric: f64, score: f64) -> Result<f64, Refusal> {
    for (name, value) in [("metric", metric), ("score", score)] {
        if value.is_nan() || value < SMALLEST_RELIABILITY {
            return Err(Refusal::Unreliable { name: name.to_owned(), value, needed: SMALLEST_RELIABILITY });
        }
    }
    Ok(r / noise_ceiling(metric, score))
}

/// Where reliabilities come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Pretraining seeds of one configuration.
    Seeds,
    /// Standard errors of the values.
    Errors,
}

/// Two columns with their noise; one entry a run.
#[derive(Debug, Clone, Copy)]
pub struct Noisy<'a> {
    /// Metric.
    pub metric: &'a [f64],
    /// Its standard errors.
    pub metric_errors: &'a [f64],
    /// Score.
    pub score: &'a [f64],
    /// Its standard errors.
    pub score_errors: &'a [f64],
    /// Configuration of each run, numbered from 0 without gaps.
    pub groups: &'a [usize],
}

/// Reliabilities of both columns, their ceiling, and r without noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attenuation {
    /// Reliability of the metric.
    pub metric: f64,
    /// Reliability of the score.
    pub score: f64,
    /// Noise ceiling.
    pub ceiling: f64,
    /// Disattenuated Spearman's rho; NaN where it is refused.
    pub r: f64,
}

impl Noisy<'_> {
    /// Everything at once from one source.
    ///
    /// # Errors
    /// As [`reliability_from_errors`] or [`intraclass_correlation`]; an r that does not exist.
    pub fn attenuation(&self, source: Source) -> Result<Attenuation, Refusal> {
        let of = |name: &str, values: &[f64], errors: &[f64]| {
            let found = match source {
                Source::Seeds => intraclass_correlation(values, self.groups),
                Source::Errors => reliability_from_errors(values, errors),
            };
            found.map_err(|refusal| match refusal {
                Refusal::Constant { .. } => Refusal::Constant { name: name.to_owned() },
                other => other,
            })
        };
        let metric = of("metric", self.metric, self.metric_errors)?;
        let score = of("score", self.score, self.score_errors)?;
        let r = spearman_if_defined(self.metric, self.score).ok_or(Refusal::Constant { name: "metric".to_owned() })?;
        let r = disattenuated(r, metric, score).unwrap_or(f64::NAN);
        Ok(Attenuation { metric, score, ceiling: noise_ceiling(metric, score), r })
    }

    /// The columns of a resample of runs (or of whole configurations, each draw a configuration of its own).
    fn resample(&self, units: &[Vec<usize>], drawn: &[usize]) -> Written {
        let mut written = Written::default();
        for (copy, &unit) in drawn.iter().enumerate() {
            for &run in &units[unit] {
                written.metric.push(self.metric[run]);
                written.metric_errors.push(self.metric_errors[run]);
                written.score.push(self.score[run]);
                written.score_errors.push(self.score_errors[run]);
                written.groups.push(copy);
            }
        }
        written
    }
}

#[derive(Default)]
struct Written {
    metric: Vec<f64>,
    metric_errors: Vec<f64>,
    score: Vec<f64>,
    score_errors: Vec<f64>,
    groups: Vec<usize>,
}

impl Written {
    fn attenuation(&self, source: Source) -> Option<Attenuation> {
        let Self { metric, metric_errors, score, score_errors, groups } = self;
        Noisy { metric, metric_errors, score, score_errors, groups }.attenuation(source).ok()
    }
}

/// Intervals of an [`Attenuation`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttenuationIntervals {
    /// Of the metric's reliability.
    pub metric: Result<Interval, Refusal>,
    /// Of the score's.
    pub score: Result<Interval, Refusal>,
    /// Of the ceiling.
    pub ceiling: Result<Interval, Refusal>,
    /// Of the disattenuated r, over the resamples in which it is not refused.
    pub r: Result<Interval, Refusal>,
}

/// Intervals by resampling runs, or whole configurations where reliability comes from seeds (a copy of a run is no second seed).
/// Bias-corrected, without acceleration.
///
/// # Errors
/// Fewer than 8 runs or configurations to resample; nothing to be had from the runs themselves.
pub fn attenuation_intervals(noisy: &Noisy<'_>, source: Source, rng: &mut impl Rng) -> Result<AttenuationIntervals, Refusal> {
    let units: Vec<Vec<usize>> = match source {
        Source::Errors => (0..noisy.score.len()).map(|run| vec![run]).collect(),
        Source::Seeds => {
            let mut members = vec![Vec::new(); counts(noisy.groups).len()];
            noisy.groups.iter().enumerate().for_each(|(run, &group)| members[group].push(run));
            members
        }
    };
    let what = match source {
        Source::Errors => "an interval",
        Source::Seeds => "an interval over configurations (each counted as one run)",
    };
    check_size(what, units.len(), SMALLEST_N_FOR_INTERVALS)?;
    let estimate = noisy.attenuation(source)?;
    let mut found = Vec::with_capacity(RESAMPLES);
    let mut tried = 0;
    while found.len() < RESAMPLES {
        if tried >= 2 * RESAMPLES {
            return Err(Refusal::Degenerate { usable: found.len(), draws: tried });
        }
        tried += 1;
        let drawn: Vec<usize> = (0..units.len()).map(|_| rng.random_range(0..units.len())).collect();
        found.extend(noisy.resample(&units, &drawn).attenuation(source));
    }
    let of = |get: fn(&Attenuation) -> f64| -> Result<Interval, Refusal> {
        let mut values: Vec<f64> = found.iter().map(get).filter(|value| value.is_finite()).collect();
        if 2 * values.len() < RESAMPLES || !get(&estimate).is_finite() {
            return Err(Refusal::Degenerate { usable: values.len(), draws: RESAMPLES });
        }
        values.sort_by(f64::total_cmp);
        let (low90, high90) = ends(get(&estimate), &values, 0.0, 0.90)?;
        let (low95, high95) = ends(get(&estimate), &values, 0.0, 0.95)?;
        let resamples = values.len();
        Ok(Interval { low90, high90, low95, high95, resamples, degenerate: tried - resamples })
    };
    Ok(AttenuationIntervals {
        metric: of(|found| found.metric),
        score: of(|found| found.score),
        ceiling: of(|found| found.ceiling),
        r: of(|found| found.r),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::seed::generator;

    fn normal(rng: &mut impl Rng) -> f64 {
        (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    }

    #[test]
    fn by_hand() {
        // Variance 5/3, mean squared error .25.
        let found = reliability_from_errors(&[1.0, 2.0, 3.0, 4.0], &[0.5; 4]).unwrap();
        assert!((found - 0.85).abs() < 1e-12);
        assert_eq!(reliability_from_errors(&[1.0, 2.0, 3.0], &[5.0; 3]).unwrap(), 0.0, "a negative one is 0");
        assert!((disattenuated(0.4, 0.64, 0.25).unwrap() - 1.0).abs() < 1e-12);
        let refused = disattenuated(0.4, 0.64, 0.05);
        assert_eq!(refused, Err(Refusal::Unreliable { name: "score".into(), value: 0.05, needed: 0.1 }));
    }

    #[test]
    fn what_never_varies_over_seeds_is_wholly_reliable() {
        let groups = [0, 0, 1, 1, 2, 2];
        assert_eq!(intraclass_correlation(&[1.0, 1.0, 2.0, 2.0, 4.0, 4.0], &groups), Ok(1.0));
        assert_eq!(intraclass_correlation(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0], &groups), Ok(0.0));
        let alone = intraclass_correlation(&[1.0, 2.0, 3.0], &[0, 1, 2]);
        assert!(matches!(alone, Err(Refusal::NoValues { .. })));
        assert!(matches!(intraclass_correlation(&[1.0, 2.0], &[0, 0]), Err(Refusal::TooFew { n: 1, needed: 2, .. })));
    }

    /// Configurations of two seeds, true correlation .8 between them, known noise.
    #[test]
    fn both_sources_find_the_correlation_without_noise() {
        let mut rng = generator(12, "attenuation");
        let (configurations, noise) = (400, 0.7);
        let (mut metric, mut score, mut groups) = (vec![], vec![], vec![]);
        for configuration in 0..configurations {
            let x = normal(&mut rng);
            let y = 0.8 * x + 0.6 * normal(&mut rng);
            for _ in 0..2 {
                metric.push(x + noise * normal(&mut rng));
                score.push(y + noise * normal(&mut rng));
                groups.push(configuration);
            }
        }
        let errors = vec![noise; metric.len()];
        let noisy = Noisy { metric: &metric, metric_errors: &errors, score: &score, score_errors: &errors, groups: &groups };
        // Spearman's rho of normal columns with correlation .8 is .786.
        for source in [Source::Seeds, Source::Errors] {
            let found = noisy.attenuation(source).unwrap();
            assert!((found.metric - 1.0 / 1.49).abs() < 0.06 && (found.score - 1.0 / 1.49).abs() < 0.06, "{found:?}");
            assert!((found.r - 0.78).abs() < 0.08, "{found:?}");
        }
        let some = Noisy {
            metric: &metric[..40],
            metric_errors: &errors[..40],
            score: &score[..40],
            score_errors: &errors[..40],
            groups: &groups[..40],
        };
        for source in [Source::Seeds, Source::Errors] {
            let estimate = some.attenuation(source).unwrap();
            let intervals = attenuation_intervals(&some, source, &mut generator(1, "i")).unwrap();
            let (r, ceiling) = (intervals.r.unwrap(), intervals.ceiling.unwrap());
            assert!(r.low95 <= estimate.r && estimate.r <= r.high95 && r.high95 > r.low95 + 0.1, "{r:?}");
            assert!(ceiling.low95 < estimate.ceiling && ceiling.high95 <= 1.0, "{ceiling:?}");
        }
        let few = Noisy {
            metric: &metric[..14],
            metric_errors: &errors[..14],
            score: &score[..14],
            score_errors: &errors[..14],
            groups: &groups[..14],
        };
        let refused = attenuation_intervals(&few, Source::Seeds, &mut generator(1, "i"));
        assert!(matches!(refused, Err(Refusal::TooFew { n: 7, needed: 8, .. })), "seven configurations of two");
    }
}
