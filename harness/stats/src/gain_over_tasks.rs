//! Gain of a metric over several tasks: the equal-weight mean of its gains ([`mod@crate::gain`]), with an interval over runs.
//!
//! A resample draws runs once for all tasks, so that what the tasks of one run have in common is kept. The interval is about other runs on
//! these tasks. Without refitting: what the trivial predictors leave of a score or a metric is the same for all metrics, or all tasks, of a
//! resample, so it is computed once ([`GainDesign`]).

use rand::Rng;
use serde::Serialize;

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS, bca},
    cross_validation::{LARGEST_LEVERAGE, check_all, q2_by_groups},
    gain::{GainVerdict, RESAMPLES, independent},
    joint_permutation::{Task, check_tasks},
    ols::Column,
    orthogonal::{Orthonormal, RANK_TOLERANCE, dot, orthonormalise, weighted_mean},
    refusal::{Refusal, check_size},
};

/// No interval is given below this many runs: at 8 it covered 74 % where there is nothing to gain (1,000 simulated suites of five tasks each);
/// from 12 on its coverage is in `benchmarks/CALIBRATION.md`.
pub const SMALLEST_N_FOR_INTERVAL_OF_MEAN: usize = 12;

/// A mean gain with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GainOverTasks {
    /// Equal-weight mean of the gains.
    pub mean: f64,
    /// The gain of each task.
    pub per_task: Vec<f64>,
    /// Trivial columns that were used.
    pub used: Vec<String>,
    /// Trivial columns left out, as in [`crate::gain::Gain::dropped`].
    pub dropped: Vec<String>,
    /// Interval over runs, or why there is none.
    #[serde(skip)]
    pub interval: Result<Interval, Refusal>,
    /// What may be said.
    pub verdict: GainVerdict,
}

/// Mean gain over `tasks` of their metric over the `trivial` columns, one row a run, the same runs in the same order in every task.
///
/// # Errors
/// Fewer than 2 tasks or 8 runs; unequal lengths, non-finite values, a constant column; a metric that is a linear combination of the trivial
/// columns; a fold that cannot be fitted.
pub fn gain_over_tasks(tasks: &[Task<'_>], trivial: &[Column<'_>], rng: &mut impl Rng) -> Result<GainOverTasks, Refusal> {
    let n = check_tasks(tasks)?;
    check_size("the mean gain", n, SMALLEST_N_FOR_INTERVALS)?;
    check_all(trivial, tasks[0].score)?;
    let (used, dropped) = independent(trivial, n);
    let runs: Vec<usize> = (0..n).collect();
    let gain_of = |task: &Task<'_>| {
        let with_metric: Vec<Column<'_>> = used.iter().copied().chain([Column { name: "metric", values: task.metric }]).collect();
        Ok(q2_by_groups(&with_metric, task.score, &runs)? - q2_by_groups(&used, task.score, &runs)?)
    };
    let per_task = tasks.iter().map(gain_of).collect::<Result<Vec<f64>, Refusal>>()?;
    let design = GainDesign::new(used.iter().map(|column| column.values), tasks.iter().map(|task| task.score));
    let metrics: Vec<&[f64]> = tasks.iter().map(|task| task.metric).collect();
    let every_task = vec![1; tasks.len()];
    let enough = check_size("an interval of the mean gain", n, SMALLEST_N_FOR_INTERVAL_OF_MEAN);
    let interval = enough.and_then(|()| {
        bca(n, RESAMPLES, rng, |indices| {
            let mut counts = vec![0; n];
            indices.iter().for_each(|&index| counts[index] += 1);
            design.resampled(&counts)?.mean(&metrics, &every_task)
        })
    });
    let names = |columns: &[Column<'_>]| columns.iter().map(|column| column.name.to_owned()).collect();
    Ok(GainOverTasks {
        mean: per_task.iter().sum::<f64>() / per_task.len() as f64,
        per_task,
        used: names(&used),
        dropped: names(&dropped),
        verdict: GainVerdict::of(interval.as_ref().ok()),
        interval,
    })
}

/// Trivial columns and the scores of tasks, over one set of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct GainDesign<'a> {
    trivial: Vec<&'a [f64]>,
    scores: Vec<&'a [f64]>,
}

impl<'a> GainDesign<'a> {
    /// Of trivial columns that are no combination of each other ([`independent`]) and one score a task, each with one value a run.
    pub fn new(trivial: impl IntoIterator<Item = &'a [f64]>, scores: impl IntoIterator<Item = &'a [f64]>) -> Self {
        Self { trivial: trivial.into_iter().collect(), scores: scores.into_iter().collect() }
    }

    /// The design in which run i stands `counts[i]` times; none where the trivial columns cannot be told apart in it.
    pub fn resampled(&self, counts: &[u32]) -> Option<GainResample> {
        let weights: Vec<f64> = counts.iter().copied().map(f64::from).collect();
        let basis = orthonormalise(&vec![""; self.trivial.len()], &self.trivial, &weights).ok()?;
        let squares: Vec<f64> =
            (0..weights.len()).map(|row| basis.columns.iter().map(|column| column[row].powi(2)).sum()).collect();
        let mut resample = GainResample { weights, basis, squares, scores: Vec::new() };
        resample.scores = self.scores.iter().map(|score| resample.left_of(score)).collect();
        Some(resample)
    }
}

/// A resample of runs, with what the trivial columns leave of each task's score.
#[derive(Debug)]
pub struct GainResample {
    weights: Vec<f64>,
    basis: Orthonormal,
    /// Per run the sum of squares over the basis: its leverage but for the intercept.
    squares: Vec<f64>,
    scores: Vec<Option<ScoreLeft>>,
}

/// A score without its mean and the trivial columns, times the root of the counts.
#[derive(Debug)]
struct ScoreLeft {
    residuals: Vec<f64>,
    total: f64,
    q2: f64,
}

impl GainResample {
    /// Mean gain over tasks, task t counted `tasks[t]` times, where `metrics[t]` is the metric of task t. None where a task that counts has
    /// no gain: the metric or score does not vary, or a run alone holds up a column.
    pub fn mean(&self, metrics: &[&[f64]], tasks: &[u32]) -> Option<f64> {
        let (mut sum, mut number) = (0.0, 0);
        // A metric of the checkpoint is the same for all tasks.
        let mut last: Option<(&[f64], Vec<f64>)> = None;
        for ((metric, score), &count) in metrics.iter().zip(&self.scores).zip(tasks).filter(|(_, count)| **count > 0) {
            let unit = match last.take() {
                Some((known, unit)) if known == *metric => unit,
                _ => self.direction(metric)?,
            };
            let score = score.as_ref()?;
            sum += f64::from(count) * (self.q2_with(score, &unit)? - score.q2);
            number += count;
            last = Some((metric, unit));
        }
        (number > 0).then(|| sum / f64::from(number))
    }

    fn deviations(&self, values: &[f64]) -> Vec<f64> {
        let centre = weighted_mean(values, &self.weights);
        values.iter().zip(&self.weights).map(|(value, weight)| (value - centre) * weight.sqrt()).collect()
    }

    fn left_of(&self, score: &[f64]) -> Option<ScoreLeft> {
        let mut residuals = self.deviations(score);
        let total = dot(&residuals, &residuals);
        if total.sqrt() <= 1e-12 * largest(score) {
            return None;
        }
        self.basis.columns.iter().for_each(|unit| take_out(unit, &mut residuals));
        let q2 = self.q2(&residuals, |row| self.squares[row], total)?;
        Some(ScoreLeft { residuals, total, q2 })
    }

    /// The part of a metric that the trivial columns leave, of length 1.
    fn direction(&self, metric: &[f64]) -> Option<Vec<f64>> {
        let mut rest = self.deviations(metric);
        let length = dot(&rest, &rest).sqrt();
        if length <= 1e-12 * largest(metric) {
            return None;
        }
        for _ in 0..2 {
            self.basis.columns.iter().for_each(|unit| take_out(unit, &mut rest));
        }
        let left = dot(&rest, &rest).sqrt();
        if left <= RANK_TOLERANCE * length {
            return None;
        }
        rest.iter_mut().for_each(|value| *value /= left);
        Some(rest)
    }

    fn q2_with(&self, score: &ScoreLeft, unit: &[f64]) -> Option<f64> {
        let mut residuals = score.residuals.clone();
        take_out(unit, &mut residuals);
        self.q2(&residuals, |row| self.squares[row] + unit[row].powi(2), score.total)
    }

    /// Q2 as [`crate::cross_validation::q2_of_resample`] has it.
    fn q2(&self, residuals: &[f64], squares: impl Fn(usize) -> f64, total: f64) -> Option<f64> {
        let mut sum = 0.0;
        for (row, (residual, weight)) in residuals.iter().zip(&self.weights).enumerate() {
            let lever = weight / self.basis.total + squares(row);
            if *weight > 0.0 && lever > LARGEST_LEVERAGE {
                return None;
            }
            sum += (residual / (1.0 - lever)).powi(2);
        }
        let q2 = 1.0 - sum / total;
        q2.is_finite().then_some(q2)
    }
}

fn take_out(unit: &[f64], values: &mut [f64]) {
    let share = dot(unit, values);
    values.iter_mut().zip(unit).for_each(|(value, unit)| *value -= share * unit);
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{cross_validation::q2_of_resample, gain::gain, seed::generator, two_way_bootstrap::resampled_counts};

    fn draw(n: usize, rng: &mut impl Rng) -> Vec<f64> {
        (0..n).map(|_| rng.random::<f64>()).collect()
    }

    fn task<'a>(metric: &'a [f64], score: &'a [f64]) -> Task<'a> {
        Task { name: "task", metric, score }
    }

    #[test]
    fn a_resample_gives_the_gains_of_the_written_out_regressions_bit_by_bit() {
        let mut rng = generator(1, "gain over tasks");
        let mut without = 0;
        for trial in 0..200 {
            let n = 8 + trial % 9;
            let (size, tokens, own) = (draw(n, &mut rng), draw(n, &mut rng), draw(n, &mut rng));
            let (shared, first, second) = (draw(n, &mut rng), draw(n, &mut rng), draw(n, &mut rng));
            let trivial = [&size[..], &tokens];
            let design = GainDesign::new(trivial, [&first[..], &second, &size]);
            let counts = resampled_counts(n, &mut rng);
            let weights: Vec<f64> = counts.iter().copied().map(f64::from).collect();
            let expected = |metric: &[f64], score: &[f64]| {
                Some(q2_of_resample(&[&size, &tokens, metric], score, &weights)? - q2_of_resample(&trivial, score, &weights)?)
            };
            let metrics = [&shared[..], &shared, &own];
            let of = |tasks: &[u32]| design.resampled(&counts).and_then(|resample| resample.mean(&metrics, tasks));
            assert_eq!(of(&[1, 0, 0]), expected(&shared, &first), "trial {trial}");
            assert_eq!(of(&[0, 1, 0]), expected(&shared, &second), "trial {trial}");
            assert_eq!(of(&[0, 0, 1]), expected(&own, &size), "trial {trial}");
            let mean = expected(&shared, &first).zip(expected(&own, &size)).map(|(one, two)| (2.0 * one + two) / 3.0);
            assert_eq!(of(&[2, 0, 1]), mean, "trial {trial}");
            without += usize::from(mean.is_none());
            assert_eq!(of(&[0, 0, 0]), None);
        }
        assert!((1..100).contains(&without), "both kinds of resamples were seen: {without}");
    }

    #[test]
    fn of_one_task_twice_it_is_the_gain_of_that_task() {
        let mut rng = generator(2, "gain over tasks");
        let (size, metric, noise) = (draw(24, &mut rng), draw(24, &mut rng), draw(24, &mut rng));
        let score: Vec<f64> = (0..24).map(|run| size[run] + 0.8 * metric[run] + 0.3 * noise[run]).collect();
        let constant = [3.0; 24];
        let trivial = [Column { name: "size", values: &size }, Column { name: "tokens", values: &constant }];
        let tasks = [task(&metric, &score), task(&metric, &score)];
        let found = gain_over_tasks(&tasks, &trivial, &mut generator(1, "g")).unwrap();
        let one = gain(&score, &metric, &trivial, &mut generator(1, "g")).unwrap();
        assert_eq!((found.mean, &found.interval.ok(), found.verdict), (one.gain, &one.interval, one.verdict));
        assert_eq!((found.used, found.dropped), (one.used, one.dropped));
        assert_eq!(found.verdict, GainVerdict::Better);
    }

    #[test]
    fn refusals_are_typed() {
        let mut rng = generator(3, "gain over tasks");
        let (size, metric, score) = (draw(8, &mut rng), draw(8, &mut rng), draw(8, &mut rng));
        let trivial = [Column { name: "size", values: &size }];
        let of = |tasks: &[Task<'_>]| gain_over_tasks(tasks, &trivial, &mut generator(1, "g")).map(|_| ());
        assert!(matches!(of(&[task(&metric, &score)]), Err(Refusal::TooFewTasks { n: 1, needed: 2, .. })));
        assert_eq!(of(&[task(&metric, &score), task(&size, &score)]), Err(Refusal::RankDeficient { name: "metric".into() }));
        let flat = [1.0; 8];
        assert!(matches!(of(&[task(&metric, &score), task(&flat, &score)]), Err(Refusal::Constant { .. })));
        let short = [Column { name: "size", values: &size[..7] }];
        let seven = [task(&metric[..7], &score[..7]), task(&metric[..7], &score[..7])];
        let refused = gain_over_tasks(&seven, &short, &mut rng);
        assert!(matches!(refused, Err(Refusal::TooFew { n: 7, needed: 8, .. })));
    }
}
