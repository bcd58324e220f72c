//! Pooled over tasks: the equal-weight mean of Spearman's rho a task, and its test by permuting runs jointly for all tasks.
//!
//! One order of the runs is applied to every task, so what the tasks of one run have in common is kept: a run that is good at one task is
//! good at others, and testing task by task would count it several times. Up to 8 runs all orders are looked at, above 9,999.

use rand::{Rng, seq::SliceRandom};
use serde::Serialize;

use crate::{
    correlation::{check_pair, doubled_ranks, spearman},
    permutation::{LARGEST_EXACT_N, PermutationTest, RANDOM_ORDERS, for_each_order},
    refusal::{Refusal, check_size},
    verdict::SMALLEST_N_FOR_FIT,
};

/// Fewer tasks are not pooled.
pub const SMALLEST_NUMBER_OF_TASKS: usize = 2;

/// A task: the metric and the score of the runs, oriented, the same runs in the same order in every task.
///
/// A metric that belongs to the checkpoint has the same column in every task; a label-aware one has one of its own.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// Name for refusals.
    pub name: &'a str,
    /// The metric, one value a run.
    pub metric: &'a [f64],
    /// The score, one value a run.
    pub score: &'a [f64],
}

/// The mean over tasks and what it is a mean of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pooled {
    /// Equal-weight mean.
    pub mean: f64,
    /// Spearman's rho of each task.
    pub per_task: Vec<f64>,
}

/// Checks that tasks can be pooled: at least two, the same number of runs, at least four, no constant column.
pub(crate) fn check_tasks(tasks: &[Task<'_>]) -> Result<usize, Refusal> {
    let needed = SMALLEST_NUMBER_OF_TASKS;
    if tasks.len() < needed {
        return Err(Refusal::TooFewTasks { what: "pooling over tasks".into(), n: tasks.len(), needed });
    }
    let runs = tasks[0].score.len();
    check_size("pooling over tasks", runs, SMALLEST_N_FOR_FIT)?;
    for task in tasks {
        if task.score.len() != runs {
            return Err(Refusal::Lengths { name: task.name.to_owned(), found: task.score.len(), wanted: runs });
        }
        check_pair(task.metric, task.score, "pooling over tasks", SMALLEST_N_FOR_FIT).map_err(|refusal| match refusal {
            Refusal::Constant { name } => Refusal::Constant { name: format!("{name} of {}", task.name) },
            other => other,
        })?;
    }
    Ok(runs)
}

/// Equal-weight mean over tasks of Spearman's rho.
///
/// # Errors
/// Fewer than 2 tasks or 4 runs, unequal lengths, a constant or non-finite column.
pub fn pooled_spearman(tasks: &[Task<'_>]) -> Result<Pooled, Refusal> {
    check_tasks(tasks)?;
    let per_task = tasks.iter().map(|task| spearman(task.metric, task.score)).collect::<Result<Vec<f64>, Refusal>>()?;
    Ok(Pooled { mean: per_task.iter().sum::<f64>() / per_task.len() as f64, per_task })
}

/// Tests whether the mean over tasks of Spearman's rho is 0, two-sided, by moving whole runs.
///
/// # Errors
/// As [`pooled_spearman`].
pub fn joint_permutation_test(tasks: &[Task<'_>], rng: &mut impl Rng) -> Result<PermutationTest, Refusal> {
    let runs = check_tasks(tasks)?;
    let shares = shares(tasks, runs);
    let mut order: Vec<usize> = (0..runs).collect();
    // Run `order[i]`'s metrics with run i's scores.
    let mean = |order: &[usize]| order.iter().zip(&shares).map(|(&from, row)| row[from]).sum::<f64>().abs();
    // Orders that give the same mean but for rounding count as equally extreme.
    let observed = mean(&order) - 1e-10;
    if runs <= LARGEST_EXACT_N {
        let (mut extreme, mut orders) = (0u64, 0u64);
        for_each_order(&mut order, |order| {
            orders += 1;
            extreme += u64::from(mean(order) >= observed);
        });
        return Ok(PermutationTest { p_value: extreme as f64 / orders as f64, orders, exact: true });
    }
    let mut extreme = 0u64;
    for _ in 0..RANDOM_ORDERS {
        order.shuffle(rng);
        extreme += u64::from(mean(&order) >= observed);
    }
    let p_value = (1 + extreme) as f64 / (1 + RANDOM_ORDERS) as f64;
    Ok(PermutationTest { p_value, orders: RANDOM_ORDERS, exact: false })
}

/// `shares[i][j]`: what run j's metrics with run i's scores add to the mean rho. An order then costs one addition a run, however many
/// tasks there are.
fn shares(tasks: &[Task<'_>], runs: usize) -> Vec<Vec<f64>> {
    let mut shares = vec![vec![0.0; runs]; runs];
    for task in tasks {
        let (metric, score) = (standardised_ranks(task.metric), standardised_ranks(task.score));
        for (row, score) in shares.iter_mut().zip(&score) {
            row.iter_mut().zip(&metric).for_each(|(share, metric)| *share += score * metric / tasks.len() as f64);
        }
    }
    shares
}

/// Average ranks of mean 0 and length 1; the column is not constant.
fn standardised_ranks(values: &[f64]) -> Vec<f64> {
    let ranks = doubled_ranks(values);
    let centred: Vec<f64> = ranks.iter().map(|&rank| (rank - ranks.len() as i64 - 1) as f64).collect();
    let length = centred.iter().map(|rank| rank * rank).sum::<f64>().sqrt();
    centred.into_iter().map(|rank| rank / length).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        permutation::permutation_test,
        seed::{generator, normal},
    };

    fn task<'a>(metric: &'a [f64], score: &'a [f64]) -> Task<'a> {
        Task { name: "task", metric, score }
    }

    #[test]
    fn two_copies_of_one_task_are_that_task() {
        let mut rng = generator(8, "copies");
        for n in [5, 8] {
            let x: Vec<f64> = (0..n).map(|_| f64::from(rng.random_range(0..4))).collect();
            let y: Vec<f64> = (0..n).map(|_| rng.random::<f64>()).collect();
            let alone = permutation_test(&x, &y, &mut generator(1, "p")).unwrap();
            let both = joint_permutation_test(&[task(&x, &y), task(&x, &y)], &mut generator(1, "p")).unwrap();
            assert_eq!(alone, both);
        }
    }

    #[test]
    fn refusals_are_typed() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let one = pooled_spearman(&[task(&x, &x)]);
        assert!(matches!(one, Err(Refusal::TooFewTasks { n: 1, needed: 2, .. })), "{one:?}");
        let short = [task(&x[..3], &x[..3]), task(&x[..3], &x[..3])];
        assert!(matches!(pooled_spearman(&short), Err(Refusal::TooFew { n: 3, needed: 4, .. })));
        let constant = joint_permutation_test(&[task(&x, &x), task(&x, &[1.0; 4])], &mut generator(1, "p"));
        assert_eq!(constant, Err(Refusal::Constant { name: "score of task".into() }));
        let unequal = pooled_spearman(&[task(&x, &x), task(&x[..3], &x[..3])]);
        assert!(matches!(unequal, Err(Refusal::Lengths { found: 3, wanted: 4, .. })));
    }

    /// Five tasks that hardly differ, so that a test of each alone, combined as if they were independent, would reject far too often.
    #[test]
    fn size_with_tasks_that_go_together() {
        let mut rng = generator(21, "joint null");
        let (draws, n) = (200, 12);
        let mut rejected = 0;
        for draw in 0..draws {
            let metric: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
            let good: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
            let scores: Vec<Vec<f64>> = (0..5).map(|_| good.iter().map(|good| good + 0.3 * normal(&mut rng)).collect()).collect();
            let tasks: Vec<Task<'_>> = scores.iter().map(|score| task(&metric, score)).collect();
            let test = joint_permutation_test(&tasks, &mut generator(draw, "p")).unwrap();
            rejected += u64::from(test.p_value <= 0.05);
        }
        // 5 % +- 3 standard errors.
        let share = rejected as f64 / draws as f64;
        assert!((0.004..=0.097).contains(&share), "{share}");
    }
}
