//! Interval of a mean over tasks from a two-way bootstrap: runs and tasks are both resampled, runs as wholes.
//!
//! A resample draws runs once for all tasks, and tasks, both with replacement (the pigeonhole bootstrap, Owen 2007), so that the interval is
//! about other runs and other tasks of the same kind. It is bias-corrected and accelerated as in [`crate::bootstrap`], with the acceleration
//! of a statistic of two samples (Davison and Hinkley 1997, section 5.3, influence values by jackknife). With few tasks it is wide, as it must be.

use rand::Rng;

use crate::{
    bootstrap::{Interval, SMALLEST_N_FOR_INTERVALS, ends},
    counted_ranks::SortedPair,
    joint_permutation::{Task, check_tasks},
    numeric::mean,
    refusal::{Refusal, check_size},
};

/// Resamples of one interval.
pub const RESAMPLES: usize = 1_999;

/// Tasks with their columns sorted, for the mean rho of resamples.
#[derive(Debug, Clone)]
pub struct TwoWay {
    tasks: Vec<SortedPair>,
    runs: usize,
}

impl TwoWay {
    /// Sorts the tasks' columns.
    ///
    /// # Errors
    /// As [`crate::pooled_spearman`].
    pub fn new(tasks: &[Task<'_>]) -> Result<Self, Refusal> {
        let runs = check_tasks(tasks)?;
        Ok(Self { tasks: tasks.iter().map(|task| SortedPair::new(task.metric, task.score)).collect(), runs })
    }

    /// The mean rho where run i counts `runs[i]` times and task t `tasks[t]` times; none where a task that counts has none, or no task
    /// counts.
    pub fn mean(&self, runs: &[u32], tasks: &[u32]) -> Option<f64> {
        let (mut sum, mut number) = (0.0, 0u32);
        for (pair, &count) in self.tasks.iter().zip(tasks) {
            if count > 0 {
                sum += f64::from(count) * pair.spearman(runs)?;
                number += count;
            }
        }
        (number > 0).then(|| sum / f64::from(number))
    }
}

/// Counts of `size` draws with replacement.
pub fn resampled_counts(size: usize, rng: &mut impl Rng) -> Vec<u32> {
    let mut counts = vec![0; size];
    for _ in 0..size {
        counts[rng.random_range(0..size)] += 1;
    }
    counts
}

/// 90 and 95 % interval of the mean over tasks of Spearman's rho.
///
/// # Errors
/// As [`crate::pooled_spearman`]; fewer than 8 runs; more than half of the resamples without a value.
pub fn two_way_interval(tasks: &[Task<'_>], resamples: usize, rng: &mut impl Rng) -> Result<Interval, Refusal> {
    let two_way = TwoWay::new(tasks)?;
    let (runs, number) = (two_way.runs, two_way.tasks.len());
    check_size("an interval", runs, SMALLEST_N_FOR_INTERVALS)?;
    let (every_run, every_task) = (vec![1u32; runs], vec![1u32; number]);
    let estimate = two_way.mean(&every_run, &every_task).ok_or(Refusal::Degenerate { usable: 0, draws: 1 })?;
    let mut values = Vec::with_capacity(resamples);
    let mut tried = 0;
    while values.len() < resamples {
        if tried >= 2 * resamples {
            return Err(Refusal::Degenerate { usable: values.len(), draws: tried });
        }
        tried += 1;
        values.extend(two_way.mean(&resampled_counts(runs, rng), &resampled_counts(number, rng)));
    }
    values.sort_by(f64::total_cmp);
    let without = |counts: &[u32], left_out: usize| {
        let mut counts = counts.to_vec();
        counts[left_out] = 0;
        counts
    };
    let over_runs: Option<Vec<f64>> = (0..runs).map(|run| two_way.mean(&without(&every_run, run), &every_task)).collect();
    let over_tasks: Option<Vec<f64>> = (0..number).map(|task| two_way.mean(&every_run, &without(&every_task, task))).collect();
    let acceleration = match (over_runs, over_tasks) {
        (Some(runs), Some(tasks)) => acceleration(&[runs, tasks]),
        _ => 0.0,
    };
    let (low90, high90) = ends(estimate, &values, acceleration, 0.90)?;
    let (low95, high95) = ends(estimate, &values, acceleration, 0.95)?;
    Ok(Interval { low90, high90, low95, high95, resamples, degenerate: tried - resamples })
}

/// Acceleration of a statistic of several samples from the leave-one-out values of each; 0 if all are equal.
///
/// For one sample it is that of [`crate::bootstrap::acceleration`].
fn acceleration(samples: &[Vec<f64>]) -> f64 {
    let (mut squares, mut cubes) = (0.0, 0.0);
    for values in samples {
        let (centre, size) = (mean(values), values.len() as f64);
        // Empirical influence values (n - 1)(mean - value), over n as there.
        for influence in values.iter().map(|value| (size - 1.0) / size * (centre - value)) {
            squares += influence * influence;
            cubes += influence * influence * influence;
        }
    }
    if squares <= 1e-24 { 0.0 } else { cubes / (6.0 * squares.powf(1.5)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        bootstrap::acceleration as of_one,
        joint_permutation::pooled_spearman,
        seed::{generator, normal},
    };

    /// Runs with a metric; tasks whose scores follow it more or less (a slope around `effect`), and share what the metric does not tell.
    fn suite(runs: usize, tasks: usize, effect: f64, rng: &mut impl Rng) -> (Vec<f64>, Vec<Vec<f64>>) {
        let metric: Vec<f64> = (0..runs).map(|_| normal(rng)).collect();
        let other: Vec<f64> = (0..runs).map(|_| normal(rng)).collect();
        let scores = (0..tasks)
            .map(|_| {
                let slope = effect + 0.3 * normal(rng);
                metric.iter().zip(&other).map(|(metric, other)| slope * metric + 0.7 * other + 0.7 * normal(rng)).collect()
            })
            .collect();
        (metric, scores)
    }

    fn interval(metric: &[f64], scores: &[Vec<f64>], resamples: usize, seed: u64) -> Interval {
        let tasks: Vec<Task<'_>> = scores.iter().map(|score| Task { name: "task", metric, score }).collect();
        two_way_interval(&tasks, resamples, &mut generator(seed, "two-way")).unwrap()
    }

    #[test]
    fn one_sample_gives_the_usual_acceleration() {
        let values = vec![0.1, 0.4, 0.2, 0.9, 0.35];
        let scaled = acceleration(std::slice::from_ref(&values));
        assert!((scaled - of_one(&values)).abs() < 1e-12, "{scaled}");
        assert_eq!(acceleration(&[vec![1.0; 4], vec![2.0; 3]]), 0.0);
    }

    #[test]
    fn the_mean_of_all_is_the_pooled_one() {
        let (metric, scores) = suite(12, 3, 0.5, &mut generator(2, "suite"));
        let tasks: Vec<Task<'_>> = scores.iter().map(|score| Task { name: "task", metric: &metric, score }).collect();
        let all = TwoWay::new(&tasks).unwrap().mean(&[1; 12], &[1; 3]).unwrap();
        let pooled = pooled_spearman(&tasks).unwrap();
        assert!((all - pooled.mean).abs() < 1e-15);
        let second = TwoWay::new(&tasks).unwrap().mean(&[1; 12], &[0, 2, 0]).unwrap();
        assert!((second - pooled.per_task[1]).abs() < 1e-15);
    }

    #[test]
    fn none_below_eight_runs() {
        let (metric, scores) = suite(7, 3, 0.5, &mut generator(2, "suite"));
        let tasks: Vec<Task<'_>> = scores.iter().map(|score| Task { name: "task", metric: &metric, score }).collect();
        let refused = two_way_interval(&tasks, 99, &mut generator(1, "i"));
        assert!(matches!(refused, Err(Refusal::TooFew { n: 7, needed: 8, .. })));
    }

    /// Share of simulations in which the 95 % interval covers the mean over very many tasks and runs.
    fn coverage(runs: usize, tasks: usize, effect: f64, simulations: u64) -> f64 {
        let mut rng = generator(31, &format!("coverage {runs} {tasks} {effect}"));
        let (metric, scores) = suite(2_000, 400, effect, &mut rng);
        let per_task: Vec<f64> = scores.iter().map(|score| crate::spearman(&metric, score).unwrap()).collect();
        let target = mean(&per_task);
        let covered = (0..simulations).filter(|&simulation| {
            let (metric, scores) = suite(runs, tasks, effect, &mut rng);
            let interval = interval(&metric, &scores, 499, simulation);
            interval.low95 <= target && target <= interval.high95
        });
        covered.count() as f64 / simulations as f64
    }

    #[test]
    fn coverage_smoke() {
        for (runs, tasks, effect) in [(12, 5, 0.0), (24, 5, 0.8)] {
            let share = coverage(runs, tasks, effect, 200);
            assert!((0.90..=0.995).contains(&share), "{runs} runs, {tasks} tasks, effect {effect}: {share}");
        }
    }
}
