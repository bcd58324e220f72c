//! How much of what runs differ by is noise, and what correlation they would have without it.
//!
//! Two estimates of reliability (the share of the variance over runs that is not noise). From standard errors:
//! 1 - mean(se^2) / variance. From pretraining seeds: the intraclass correlation ICC(1) of configurations that were pretrained with several
//! seeds (Shrout and Fleiss 1979; unequal numbers of seeds as in the one-way analysis of variance). Negative estimates are 0.
//!
//! The correlation of two noisy columns is at most the root of the product of their reliabilities, the *noise ceiling*; r over the ceiling
//! is the disattenuated r (Spearman 1904). It may exceed 1, for both are estimates.

mod interval;

use rand::Rng;
use serde::Serialize;

use interval::OneWay;

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS, ends},
    correlation::spearman_if_defined,
    counted_ranks::SortedPair,
    numeric::{is_constant, mean, sum_of_squares},
    refusal::{Refusal, check_column, check_size},
    two_way_bootstrap::resampled_counts,
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
    Ok(analysed(values, groups, &counts).correlation().max(0.0))
}

/// The one-way analysis of variance over configurations, `counts` their runs.
fn analysed(values: &[f64], groups: &[usize], counts: &[usize]) -> OneWay {
    let mut sums = vec![0.0; counts.len()];
    groups.iter().zip(values).for_each(|(&group, value)| sums[group] += value);
    let (total, configurations) = (values.len() as f64, counts.len() as f64);
    let grand = mean(values);
    let means: Vec<f64> = sums.iter().zip(counts).map(|(sum, &count)| sum / count as f64).collect();
    let between: f64 = means.iter().zip(counts).map(|(mean, &count)| count as f64 * (mean - grand).powi(2)).sum();
    let within: f64 = groups.iter().zip(values).map(|(&group, value)| (value - means[group]).powi(2)).sum();
    let squares: f64 = counts.iter().map(|&count| (count as f64).powi(2)).sum();
    OneWay::new(between, within, total, configurations, squares)
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
}

/// Columns of which everything that resamples share is computed once.
struct Resampled<'a> {
    noisy: &'a Noisy<'a>,
    source: Source,
    pair: SortedPair,
    /// Runs that are drawn together: one, or all of a configuration.
    units: Vec<Vec<usize>>,
}

impl<'a> Resampled<'a> {
    fn new(noisy: &'a Noisy<'a>, source: Source) -> Self {
        let units = match source {
            Source::Errors => (0..noisy.score.len()).map(|run| vec![run]).collect(),
            Source::Seeds => {
                let mut members = vec![Vec::new(); counts(noisy.groups).len()];
                noisy.groups.iter().enumerate().for_each(|(run, &group)| members[group].push(run));
                members
            }
        };
        Self { noisy, source, pair: SortedPair::new(noisy.metric, noisy.score), units }
    }

    /// The same as of the columns written out, where unit i counts `drawn[i]` times (its copies are configurations of their own).
    fn attenuation(&self, drawn: &[u32]) -> Option<Attenuation> {
        let mut runs = vec![0; self.noisy.score.len()];
        for (unit, &count) in self.units.iter().zip(drawn) {
            unit.iter().for_each(|&run| runs[run] = count);
        }
        let metric = self.reliability(self.noisy.metric, self.noisy.metric_errors, drawn, &runs)?;
        let score = self.reliability(self.noisy.score, self.noisy.score_errors, drawn, &runs)?;
        let r = disattenuated(self.pair.spearman(&runs)?, metric, score).unwrap_or(f64::NAN);
        Some(Attenuation { metric, score, ceiling: noise_ceiling(metric, score), r })
    }

    fn reliability(&self, values: &[f64], errors: &[f64], drawn: &[u32], runs: &[u32]) -> Option<f64> {
        let counted = || runs.iter().zip(values).filter(|(count, _)| **count > 0);
        let (low, high) = counted().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, v)| (low.min(*v), high.max(*v)));
        if high - low <= 1e-12 * low.abs().max(high.abs()) {
            return None;
        }
        let total: f64 = runs.iter().map(|count| f64::from(*count)).sum();
        let grand = counted().map(|(count, value)| f64::from(*count) * value).sum::<f64>() / total;
        let found = match self.source {
            Source::Errors => {
                let squares = counted().map(|(count, value)| f64::from(*count) * (value - grand).powi(2)).sum::<f64>();
                let noise = runs.iter().zip(errors).map(|(count, error)| f64::from(*count) * error * error).sum::<f64>() / total;
                1.0 - noise / (squares / (total - 1.0))
            }
            Source::Seeds => {
                let (mut configurations, mut between, mut within, mut squares) = (0.0, 0.0, 0.0, 0.0);
                for (unit, &count) in self.units.iter().zip(drawn).filter(|(_, count)| **count > 0) {
                    let (count, size) = (f64::from(count), unit.len() as f64);
                    let centre = unit.iter().map(|&run| values[run]).sum::<f64>() / size;
                    configurations += count;
                    between += count * size * (centre - grand).powi(2);
                    within += count * unit.iter().map(|&run| (values[run] - centre).powi(2)).sum::<f64>();
                    squares += count * size * size;
                }
                if configurations < 2.0 || total <= configurations {
                    return None;
                }
                OneWay::new(between, within, total, configurations, squares).correlation()
            }
        };
        Some(found.max(0.0))
    }
}

impl OneWay {
    /// From sums of squares between and within configurations; `squares` is the sum of their squared sizes.
    fn new(between: f64, within: f64, total: f64, configurations: f64, squares: f64) -> Self {
        let (df_between, df_within) = (configurations - 1.0, total - configurations);
        let size = (total - squares / total) / df_between;
        Self { between: between / df_between, within: within / df_within, df_between, df_within, size }
    }

    /// ICC(1).
    fn correlation(&self) -> f64 {
        (self.between - self.within) / (self.between + (self.size - 1.0) * self.within)
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

/// Intervals: of reliabilities and ceiling in closed form (`interval.rs`); of r by resampling runs, or whole configurations where
/// reliability comes from seeds (a copy of a run is no second seed), bias-corrected and expanded, without acceleration.
///
/// # Errors
/// Fewer than 8 runs or configurations to resample; nothing to be had from the runs themselves.
pub fn attenuation_intervals(noisy: &Noisy<'_>, source: Source, rng: &mut impl Rng) -> Result<AttenuationIntervals, Refusal> {
    let resampled = Resampled::new(noisy, source);
    let units = resampled.units.len();
    let what = match source {
        Source::Errors => "an interval",
        Source::Seeds => "an interval over configurations (each counted as one run)",
    };
    check_size(what, units, SMALLEST_N_FOR_INTERVALS)?;
    let estimate = noisy.attenuation(source)?;
    let of = |values: &[f64], errors: &[f64]| match source {
        Source::Errors => interval::from_errors(values, errors),
        Source::Seeds => interval::from_seeds(&analysed(values, noisy.groups, &counts(noisy.groups))),
    };
    let (metric, score) = (of(noisy.metric, noisy.metric_errors), of(noisy.score, noisy.score_errors));
    let ceiling = match (&metric, &score) {
        (Ok(metric), Ok(score)) => Ok(interval::of_ceiling(metric, score)),
        (Err(refusal), _) | (_, Err(refusal)) => Err(refusal.clone()),
    };
    Ok(AttenuationIntervals { metric, score, ceiling, r: of_r(&resampled, &estimate, rng) })
}

/// The interval of the disattenuated r. None where more than a tenth of the resamples have no reliability to divide by: what is left of
/// them is a chosen part, which covered 89 to 91 % at reliabilities of one half.
fn of_r(resampled: &Resampled<'_>, estimate: &Attenuation, rng: &mut impl Rng) -> Result<Interval, Refusal> {
    let (mut values, mut found, mut tried) = (Vec::with_capacity(RESAMPLES), 0, 0);
    while found < RESAMPLES {
        if tried >= 2 * RESAMPLES {
            return Err(Refusal::Degenerate { usable: found, draws: tried });
        }
        tried += 1;
        if let Some(one) = resampled.attenuation(&resampled_counts(resampled.units.len(), rng)) {
            found += 1;
            values.extend(one.r.is_finite().then_some(one.r));
        }
    }
    if 10 * values.len() < 9 * RESAMPLES || !estimate.r.is_finite() {
        return Err(Refusal::Degenerate { usable: values.len(), draws: RESAMPLES });
    }
    values.sort_by(f64::total_cmp);
    let units = resampled.units.len();
    let (low90, high90) = ends(estimate.r, &values, 0.0, interval::expanded(0.90, units)?)?;
    let (low95, high95) = ends(estimate.r, &values, 0.0, interval::expanded(0.95, units)?)?;
    let resamples = values.len();
    Ok(Interval { low90, high90, low95, high95, resamples, degenerate: tried - resamples })
}

#[cfg(test)]
mod tests;
