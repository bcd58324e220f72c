//! Ranks: do the stated ranges of a predictor's rank, and of a model's mean rank, hold the true one?

use clmbench_stats::{Task, TwoWay, mean_rank_interval, rank_stability, resampled_counts};
use rand_chacha::ChaCha8Rng;

use super::{
    draw::normal,
    row::{Claim, Found, Plan, Row, simulate, staged},
};

const SECTION: &str = "Rank stability of predictors";
const RESAMPLES: usize = 199;

/// Metrics with these weights of what decides the score, in tasks whose weights scatter.
#[derive(Clone, Copy)]
struct Metrics {
    name: &'static str,
    weights: &'static [f64],
}

const CLEAR: Metrics = Metrics { name: "r from .1 to .9", weights: &[0.9, 0.7, 0.5, 0.3, 0.1] };
const CLOSE: Metrics = Metrics { name: "r from .5 to .7", weights: &[0.7, 0.65, 0.6, 0.55, 0.5] };

impl Metrics {
    /// For each metric, whether its 90 and 95 % range holds its true rank.
    fn covered(self, n: usize, tasks: usize, rng: &mut ChaCha8Rng) -> Option<Vec<(bool, bool)>> {
        let good: Vec<f64> = (0..n).map(|_| normal(rng)).collect();
        let metrics: Vec<Vec<f64>> = self
            .weights
            .iter()
            .map(|&weight| good.iter().map(|good| weight * good + (1.0 - weight * weight).sqrt() * normal(rng)).collect())
            .collect();
        let scores: Vec<Vec<f64>> = (0..tasks).map(|_| good.iter().map(|good| good + 0.5 * normal(rng)).collect()).collect();
        let all: Vec<TwoWay> = metrics
            .iter()
            .map(|metric| {
                let tasks: Vec<Task<'_>> = scores.iter().map(|score| Task { name: "task", metric, score }).collect();
                TwoWay::new(&tasks).unwrap()
            })
            .collect();
        let full: Vec<f64> = all.iter().map(|one| one.mean(&vec![1; n], &vec![1; tasks]).unwrap()).collect();
        let draws: Vec<Vec<Option<f64>>> = (0..RESAMPLES)
            .map(|_| {
                let (runs, tasks) = (resampled_counts(n, rng), resampled_counts(tasks, rng));
                all.iter().map(|one| one.mean(&runs, &tasks)).collect()
            })
            .collect();
        let found = rank_stability(&full, &draws).ok()?;
        let holds = |(place, spread): (usize, &clmbench_stats::RankSpread)| {
            let rank = place as f64 + 1.0;
            (spread.low90 <= rank && rank <= spread.high90, spread.low95 <= rank && rank <= spread.high95)
        };
        Some(found.entries.iter().enumerate().map(holds).collect())
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for &metrics in plan.choose(&[CLEAR, CLOSE], &[CLOSE]) {
        for &n in plan.runs() {
            let design = format!("5 metrics, {}, 5 tasks", metrics.name);
            let claims = |found: &[Option<Vec<(bool, bool)>>]| -> Vec<Found> {
                let places = [(0, "first"), (2, "middle"), (4, "last")];
                let of = |(place, name): (usize, &str)| {
                    let one = |what: &str, least: f64, get: fn(&(bool, bool)) -> bool| {
                        let claim = Claim::new(SECTION, format!("{what} range of the {name} metric's rank"), design.clone(), n);
                        claim.within(least, 1.0).found(found.iter().flatten().map(|metrics| get(&metrics[place])).collect())
                    };
                    [one("90 %", 0.88, |covered| covered.0), one("95 %", 0.93, |covered| covered.1)]
                };
                places.into_iter().flat_map(of).collect()
            };
            rows.extend(staged(&format!("ranks {design} {n}"), plan.simulations(), |rng| metrics.covered(n, 5, rng), claims));
        }
    }
    rows
}

/// Mean ranks of five models over tasks: does the 90 % interval hold the mean rank over very many tasks?
pub fn of_models(plan: &Plan) -> Vec<Row> {
    const SECTION: &str = "Mean rank of models over tasks";
    const STRENGTHS: [f64; 5] = [1.0, 0.5, 0.4, 0.3, -0.5];
    let places = |rng: &mut ChaCha8Rng| -> [f64; 5] {
        let scores = STRENGTHS.map(|strength| strength + 0.7 * normal(rng));
        scores.map(|score| 1.0 + scores.iter().filter(|other| **other > score).count() as f64)
    };
    let population = simulate("population of tasks", 100_000, places);
    let truths: [f64; 5] =
        std::array::from_fn(|model| population.iter().map(|ranks| ranks[model]).sum::<f64>() / population.len() as f64);
    let mut rows = Vec::new();
    for &tasks in plan.choose(&[3, 5, 10, 20], &[5]) {
        let one = |rng: &mut ChaCha8Rng| -> [bool; 5] {
            let drawn: Vec<[f64; 5]> = (0..tasks).map(|_| places(rng)).collect();
            std::array::from_fn(|model| {
                let ranks: Vec<f64> = drawn.iter().map(|ranks| ranks[model]).collect();
                mean_rank_interval(&ranks, 5).is_some_and(|(low, high)| low <= truths[model] && truths[model] <= high)
            })
        };
        let claims = |found: &[[bool; 5]]| -> Vec<Found> {
            let of = |model: usize| {
                let claim = Claim::new(SECTION, format!("90 % interval, mean rank {:.2}", truths[model]), "5 models", tasks);
                claim.within(0.88, 1.0).found(found.iter().map(|found| found[model]).collect())
            };
            [0, 2, 4].map(of).into()
        };
        rows.extend(staged(&format!("mean rank {tasks}"), plan.simulations(), one, claims));
    }
    rows
}
