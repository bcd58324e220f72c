//! Ranks: do the stated ranges of a predictor's rank, and of a model's mean rank, hold the true one?

use clmbench_stats::{RankSpread, Task, TwoWay, mean_rank_interval, numeric::mean, rank_stability, resampled_counts};
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

/// What the range of one metric's rank says.
struct Ranged {
    holds90: bool,
    holds95: bool,
    /// Ranks in the 95 % range: 1 where it is one place, K where it is the whole board.
    width95: f64,
}

impl Ranged {
    fn of(place: usize, spread: &RankSpread) -> Self {
        let rank = place as f64 + 1.0;
        Self {
            holds90: spread.low90 <= rank && rank <= spread.high90,
            holds95: spread.low95 <= rank && rank <= spread.high95,
            width95: spread.high95 - spread.low95 + 1.0,
        }
    }
}

impl Metrics {
    /// For each metric, its ranges beside its true rank.
    fn ranged(self, n: usize, tasks: usize, rng: &mut ChaCha8Rng) -> Option<Vec<Ranged>> {
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
        Some(found.entries.iter().enumerate().map(|(place, spread)| Ranged::of(place, spread)).collect())
    }

    /// How often the 95 % range may say nothing, being the whole board: at most half of the time at the ends of clearly different metrics;
    /// none where few runs, or metrics close to each other, can hardly be told apart.
    fn most_of_whole_board(self, n: usize, place: usize) -> Option<f64> {
        let at_an_end = place == 0 || place + 1 == self.weights.len();
        (self.name == CLEAR.name && n >= 24 && at_an_end).then_some(0.5)
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for &metrics in plan.choose(&[CLEAR, CLOSE], &[CLOSE]) {
        for &n in plan.runs() {
            let design = format!("5 metrics, {}, 5 tasks", metrics.name);
            let claims = |found: &[Option<Vec<Ranged>>]| -> Vec<Found> {
                let places = [(0, "first"), (2, "middle"), (4, "last")];
                let of = |(place, name): (usize, &str)| {
                    let claim = |what: String| Claim::new(SECTION, what, design.clone(), n);
                    let share = |get: fn(&Ranged) -> bool| found.iter().flatten().map(|metrics| get(&metrics[place])).collect();
                    let holds90 = claim(format!("90 % range of the {name} metric's rank")).within(0.88, 1.0);
                    let holds95 = claim(format!("95 % range of the {name} metric's rank")).within(0.93, 1.0);
                    let widths: Vec<f64> = found.iter().flatten().map(|metrics| metrics[place].width95).collect();
                    let note = format!("mean width {:.1} of {} ranks", mean(&widths), metrics.weights.len());
                    let whole = claim(format!("95 % range of the {name} metric's rank is the whole board")).note(note);
                    let whole = metrics.most_of_whole_board(n, place).map_or(whole.clone(), |most| whole.within(0.0, most));
                    [
                        holds90.found(share(|range| range.holds90)),
                        holds95.found(share(|range| range.holds95)),
                        whole.found(share(|range| range.width95 > 4.5)),
                    ]
                };
                places.into_iter().flat_map(of).collect()
            };
            rows.extend(staged(&format!("ranks {design} {n}"), plan.simulations(), |rng| metrics.ranged(n, 5, rng), claims));
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
