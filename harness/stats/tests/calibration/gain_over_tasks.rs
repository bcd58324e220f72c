//! The mean gain over tasks, which metrics are ranked by: coverage of its interval, and verdicts.

use clmbench_stats::{Column, GainDesign, GainVerdict, Task, gain_over_tasks, numeric::mean};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    draw::normal,
    row::{Claim, Found, Plan, Row, simulate, staged},
};

const SECTION: &str = "Mean gain over tasks";
const TASKS: usize = 5;

/// How much of a score only the metric tells: in the tasks .6 to 1.4 of it.
#[derive(Clone, Copy)]
struct Effect {
    name: &'static str,
    slope: f64,
}

const NOTHING: Effect = Effect { name: "nothing to gain", slope: 0.0 };
const LITTLE: Effect = Effect { name: "little to gain", slope: 0.4 };
const SOMETHING: Effect = Effect { name: "something to gain", slope: 0.7 };

/// Four sizes x two corpora, a metric that follows the size by half, and tasks that share it and half of the variance of their noise.
struct Suite {
    size: Vec<f64>,
    corpus: Vec<f64>,
    metric: Vec<f64>,
    scores: Vec<Vec<f64>>,
}

fn suite(n: usize, effect: Effect, rng: &mut impl Rng) -> Suite {
    let mut normals = || (0..n).map(|_| normal(rng)).collect::<Vec<f64>>();
    let size: Vec<f64> = (0..n).map(|run| (run % 4) as f64 / 1.25f64.sqrt()).collect();
    let corpus: Vec<f64> = (0..n).map(|run| ((run / 4) % 2) as f64 * 2.0 - 1.0).collect();
    let (own, shared) = (normals(), normals());
    let score = |task: usize| {
        let (noise, slope) = (normals(), effect.slope * (0.6 + 0.2 * task as f64));
        (0..n).map(|run| size[run] + 0.3 * corpus[run] + slope * own[run] + 0.4 * shared[run] + 0.4 * noise[run]).collect()
    };
    let scores = (0..TASKS).map(score).collect();
    Suite { metric: (0..n).map(|run| 0.5 * size[run] + own[run]).collect(), size, corpus, scores }
}

impl Suite {
    /// Whether the interval covers the truth, and the verdict.
    fn judged(&self, truth: f64, rng: &mut ChaCha8Rng) -> (bool, GainVerdict) {
        let trivial = [Column { name: "size", values: &self.size }, Column { name: "corpus", values: &self.corpus }];
        let task = |score| Task { name: "task", metric: &self.metric, score };
        let tasks: Vec<Task<'_>> = self.scores.iter().map(|score| task(score)).collect();
        let found = gain_over_tasks(&tasks, &trivial, rng).unwrap();
        (found.interval.is_ok_and(|interval| interval.low95 <= truth && truth <= interval.high95), found.verdict)
    }

    /// The mean gain alone.
    fn estimate(&self) -> f64 {
        let design = GainDesign::new([&self.size[..], &self.corpus], self.scores.iter().map(Vec::as_slice));
        let once = design.resampled(&vec![1; self.size.len()]).unwrap();
        once.mean(&[&self.metric[..]; TASKS], &[1; TASKS]).unwrap()
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for effect in [NOTHING, LITTLE, SOMETHING] {
        for &n in plan.choose(&[12, 24, 48], &[12]) {
            let label = format!("mean gain over tasks {} {n}", effect.name);
            let truth = mean(&simulate(&format!("{label}, population"), 20_000, |rng| suite(n, effect, rng).estimate()));
            let design = format!("{TASKS} tasks, {}: mean gain {truth:.2}", effect.name);
            let claims = |found: &[(bool, GainVerdict)]| -> Vec<Found> {
                let claim = |what: &str| Claim::new(SECTION, what, design.clone(), n);
                let is = |verdict| found.iter().map(|(_, found)| *found == verdict).collect::<Vec<bool>>();
                let covers = claim("95 % interval covers the mean gain").within(0.93, 1.0);
                let covers = covers.note("cautious: too wide rather than too narrow");
                let (better, not_better) = (claim("`better`"), claim("`not_better`"));
                let (better, not_better) = match effect.slope {
                    0.0 => (better.within(0.0, 0.025).note("wrong"), not_better.known("power")),
                    _ => (better.known("power"), not_better.within(0.0, 0.025).note("wrong")),
                };
                vec![
                    covers.found(found.iter().map(|(covered, _)| *covered).collect()),
                    better.found(is(GainVerdict::Better)),
                    not_better.found(is(GainVerdict::NotBetter)),
                    claim("`cannot_tell`").found(is(GainVerdict::CannotTell)),
                ]
            };
            rows.extend(staged(&label, plan.simulations(), |rng| suite(n, effect, rng).judged(truth, rng), claims));
        }
    }
    rows
}
