//! The gate: how often it fails a model that is as good, passes one that is worse by a margin, and how often it can tell.

use clmbench_stats::{
    gate::{GateGroup, GatePredictions, GateVerdict, TaskComparison, judge_gate},
    scored::ScoreName,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    draw::normal,
    row::{Claim, Plan, Row, simulate},
};

const SECTION: &str = "Gate (ROC-AUC .80, margin .02)";
const MARGIN: f64 = 0.02;
const AUC: f64 = 0.8;
/// Variance of a prediction within a class: what all models share, and a model's own.
const SHARED: f64 = 1.0;
const OWN: f64 = 0.25;
/// Resamples of the test molecules in each simulation.
const RESAMPLES: usize = 999;

/// A test part and the seeds of both sides.
#[derive(Clone, Copy)]
struct Comparison {
    molecules: usize,
    /// Pretraining seeds.
    seeds: usize,
    tasks: usize,
    /// Standard deviation over seeds of the distance between the classes.
    between_seeds: f64,
}

impl Comparison {
    fn name(self) -> String {
        let seeds = if self.seeds == 1 { "1 seed".to_owned() } else { format!("{} pretraining seeds", self.seeds) };
        let tasks = if self.tasks == 1 { String::new() } else { format!("{} tasks, ", self.tasks) };
        format!("{tasks}{} test molecules, {seeds}", self.molecules)
    }

    /// Distance between the classes for an expected ROC-AUC: Phi(distance / sqrt(2 variance + variance over seeds)).
    fn distance(self, auc: f64) -> f64 {
        Normal::new(0.0, 1.0).unwrap().inverse_cdf(auc) * (2.0 * (SHARED + OWN) + self.between_seeds.powi(2)).sqrt()
    }

    /// The verdicts, overall, where the candidate is worse by `margins` margins in every task.
    fn verdict(self, margins: f64, rng: &mut ChaCha8Rng) -> GateVerdict {
        let labels: Vec<f64> = (0..self.molecules).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        let tasks = (0..self.tasks).map(|_| {
            let shared: Vec<f64> = labels.iter().map(|_| SHARED.sqrt() * normal(rng)).collect();
            let mut side = |auc: f64| -> GatePredictions {
                let distance = self.distance(auc);
                (0..self.seeds)
                    .map(|_| {
                        let distance = distance + self.between_seeds * normal(rng);
                        let one = |(label, shared): (&f64, &f64)| label * distance + shared + OWN.sqrt() * normal(rng);
                        vec![labels.iter().zip(&shared).map(one).collect()]
                    })
                    .collect()
            };
            let (baseline, candidate) = (side(AUC), side(AUC - margins * MARGIN));
            Ok(TaskComparison {
                score: ScoreName::RocAuc,
                margin: MARGIN,
                seeded: false,
                block: 0,
                places: (0..self.molecules).collect(),
                labels: labels.clone(),
                baseline,
                candidate,
            })
        });
        let group = GateGroup { name: "group".to_owned(), molecules: self.molecules, tasks: tasks.collect() };
        judge_gate(&[group], &[], RESAMPLES, rng.random()).verdict
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let one = |molecules, seeds, tasks, between_seeds| Comparison { molecules, seeds, tasks, between_seeds };
    let all = [
        one(100, 1, 1, 0.0),
        one(400, 1, 1, 0.0),
        one(1_600, 1, 1, 0.0),
        one(400, 3, 1, 0.05),
        one(400, 5, 1, 0.05),
        one(1_600, 3, 1, 0.05),
        one(400, 1, 5, 0.0),
        one(400, 3, 5, 0.05),
    ];
    let mut rows = Vec::new();
    for &comparison in plan.choose(&all, &[all[0], all[3]]) {
        for &margins in plan.choose(&[0.0, 1.0, 2.0], &[0.0, 1.0]) {
            let name = comparison.name();
            // One simulation in eight: each resamples the molecules 999 times.
            let found = simulate(&format!("gate {name} {margins}"), plan.one_in(8), |rng| comparison.verdict(margins, rng));
            let design = match margins {
                0.0 => format!("as good; {name}"),
                1.0 => format!("worse by the margin; {name}"),
                _ => format!("worse by {margins} margins; {name}"),
            };
            for verdict in [GateVerdict::Worse, GateVerdict::NotWorse, GateVerdict::CannotTell] {
                let claim = Claim::new(SECTION, format!("`{}`", verdict.word()), design.clone(), comparison.seeds);
                let claim = match verdict {
                    GateVerdict::Worse if margins == 0.0 => claim.within(0.0, 0.035).note("wrong"),
                    GateVerdict::NotWorse if margins >= 1.0 => claim.within(0.0, 0.035).note("wrong"),
                    GateVerdict::CannotTell => claim,
                    _ => claim.known("power"),
                };
                rows.push(claim.row(plan, &found.iter().map(|found| *found == verdict).collect::<Vec<bool>>()));
            }
        }
    }
    rows
}
