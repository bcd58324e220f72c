//! A metric over all tasks: size of the joint permutation test, coverage of the two-way interval.

use clmbench_stats::{joint_permutation::Task, joint_permutation_test, numeric::mean, spearman, two_way_interval};
use rand::Rng;

use super::{
    draw::normal,
    row::{Claim, Plan, Row, simulate},
};

const SIZE: &str = "Size of tests";
const COVERAGE: &str = "Coverage of the 95 % interval of the mean r over tasks";

/// Runs with a metric; tasks whose scores follow it with a slope around `effect`, and share what the metric does not tell.
fn suite(runs: usize, tasks: usize, effect: f64, rng: &mut impl Rng) -> (Vec<f64>, Vec<Vec<f64>>) {
    let metric: Vec<f64> = (0..runs).map(|_| normal(rng)).collect();
    let other: Vec<f64> = (0..runs).map(|_| normal(rng)).collect();
    let scores = (0..tasks)
        .map(|_| {
            let slope = if effect == 0.0 { 0.0 } else { effect + 0.3 * normal(rng) };
            metric.iter().zip(&other).map(|(metric, other)| slope * metric + 0.7 * other + 0.7 * normal(rng)).collect()
        })
        .collect();
    (metric, scores)
}

fn tasks<'a>(metric: &'a [f64], scores: &'a [Vec<f64>]) -> Vec<Task<'a>> {
    scores.iter().map(|score| Task { name: "task", metric, score }).collect()
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for &n in plan.runs() {
        let claim = Claim::new(SIZE, "joint permutation test of the mean r", "5 tasks that go together", n).within(0.0, 0.05);
        rows.push(claim.count(plan.simulations(), |rng| {
            let (metric, scores) = suite(n, 5, 0.0, rng);
            joint_permutation_test(&tasks(&metric, &scores), rng).unwrap().p_value <= 0.05
        }));
    }
    for &(number, effect) in plan.choose(&[(5, 0.0), (5, 0.5), (5, 1.0), (10, 0.5)], &[(5, 0.5)]) {
        let truth = truth(effect);
        for &n in plan.runs() {
            let what = format!("two-way bootstrap, mean rho = {truth:.3}");
            // Each of the two resamplings sees the noise of the cells: the variance is too large (Owen 2007).
            let claim = Claim::new(COVERAGE, what, format!("{number} tasks that go together"), n).within(0.93, 1.0);
            let claim = claim.note("cautious: both resamplings see the noise of a run in a task");
            rows.push(claim.count(plan.simulations(), |rng| {
                let (metric, scores) = suite(n, number, effect, rng);
                let interval = two_way_interval(&tasks(&metric, &scores), 999, rng).unwrap();
                interval.low95 <= truth && truth <= interval.high95
            }));
        }
    }
    rows
}

/// Mean rho of very many tasks and runs.
fn truth(effect: f64) -> f64 {
    if effect == 0.0 {
        return 0.0;
    }
    let parts = simulate(&format!("population {effect}"), 200, |rng| {
        let (metric, scores) = suite(2_000, 50, effect, rng);
        mean(&scores.iter().map(|score| spearman(&metric, score).unwrap()).collect::<Vec<f64>>())
    });
    mean(&parts)
}
