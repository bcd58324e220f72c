//! The gate of fine-tuned models: transfer seeds, as many on both sides or not.

use clmbench_stats::{
    gate::{GatePredictions, GateRefusal, GateVerdict, TaskComparison, TransferSeeds, judge_task},
    scored::ScoreName,
};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    draw::normal,
    row::{Claim, Found, Plan, Row, staged},
};

const SECTION: &str = "Gate, fine-tuning seeds (ROC-AUC .80, margin .02)";
const MARGIN: f64 = 0.02;
const AUC: f64 = 0.8;
const MOLECULES: usize = 400;
/// Variance of a prediction within a class: what all models share, and a model's own.
const SHARED: f64 = 1.0;
const OWN: f64 = 0.25;

/// Seeds of the gate baseline and of the candidate, and the standard deviation over seeds of the distance between the classes.
#[derive(Clone, Copy)]
struct Seeds {
    baseline: usize,
    candidate: usize,
    between: f64,
    /// Whether both sides have the same seeds, which move both alike in part.
    paired: bool,
}

impl Seeds {
    fn name(self) -> String {
        let (often, paired) = (if self.between > 0.1 { "far apart" } else { "close" }, if self.paired { ", paired" } else { "" });
        format!("{} and {} seeds, {often}{paired}", self.baseline, self.candidate)
    }

    /// Predictions of both sides, the candidate worse by `margins` margins.
    fn task(self, margins: f64, rng: &mut ChaCha8Rng) -> TaskComparison {
        let labels: Vec<f64> = (0..MOLECULES).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        let shared: Vec<f64> = labels.iter().map(|_| SHARED.sqrt() * normal(rng)).collect();
        // What the seeds do to both sides.
        let common: Vec<f64> = (0..self.baseline.max(self.candidate)).map(|_| normal(rng)).collect();
        let alike = if self.paired { 0.5f64 } else { 0.0 };
        let mut side = |auc: f64, seeds: usize| -> GatePredictions {
            let spread = (2.0 * (SHARED + OWN) + self.between.powi(2)).sqrt();
            let distance = Normal::new(0.0, 1.0).unwrap().inverse_cdf(auc) * spread;
            let of_seed = |seed: usize| {
                let distance = distance + self.between * (alike.sqrt() * common[seed] + (1.0 - alike).sqrt() * normal(rng));
                labels.iter().zip(&shared).map(|(label, shared)| label * distance + shared + OWN.sqrt() * normal(rng)).collect()
            };
            vec![(0..seeds).map(of_seed).collect()]
        };
        let (baseline, candidate) = (side(AUC, self.baseline), side(AUC - margins * MARGIN, self.candidate));
        TaskComparison {
            score: ScoreName::RocAuc,
            margin: MARGIN,
            seeds: if self.paired { TransferSeeds::Paired } else { TransferSeeds::Unpaired },
            block: 0,
            places: (0..MOLECULES).collect(),
            labels,
            baseline,
            candidate,
        }
    }
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let seeds = |baseline, candidate, between| Seeds { baseline, candidate, between, paired: false };
    let all = [
        seeds(2, 2, 0.1),
        seeds(3, 3, 0.05),
        seeds(3, 3, 0.2),
        seeds(5, 5, 0.05),
        seeds(5, 5, 0.2),
        seeds(3, 5, 0.2),
        seeds(5, 2, 0.2),
        Seeds { paired: true, ..seeds(3, 3, 0.2) },
        Seeds { paired: true, ..seeds(5, 5, 0.2) },
    ];
    let mut rows = vec![one_seed(plan)];
    for &seeds in plan.choose(&all, &[all[2], all[5]]) {
        for &margins in plan.choose(&[0.0, 1.0, 3.0], &[0.0, 1.0]) {
            let design = match margins {
                0.0 => format!("as good; {}", seeds.name()),
                1.0 => format!("worse by the margin; {}", seeds.name()),
                _ => format!("worse by {margins} margins; {}", seeds.name()),
            };
            let claims = |found: &[GateVerdict]| -> Vec<Found> {
                let of = |verdict: GateVerdict| {
                    let claim = Claim::new(SECTION, format!("`{}`", verdict.word()), design.clone(), seeds.candidate);
                    let claim = match verdict {
                        GateVerdict::Worse if margins == 0.0 => claim.within(0.0, 0.035).note("wrong"),
                        GateVerdict::NotWorse if margins >= 1.0 => claim.within(0.0, 0.035).note("wrong"),
                        GateVerdict::CannotTell => claim,
                        _ => claim.known("power"),
                    };
                    claim.found(found.iter().map(|found| *found == verdict).collect())
                };
                [GateVerdict::Worse, GateVerdict::NotWorse, GateVerdict::CannotTell].map(of).into()
            };
            let one = |rng: &mut ChaCha8Rng| judge_task(seeds.task(margins, rng)).verdict;
            rows.extend(staged(&format!("fine-tuning {design}"), plan.simulations(), one, claims));
        }
    }
    rows
}

/// How far another seed would move a model that has one is not known: there is no verdict.
fn one_seed(plan: &Plan) -> Row {
    let claim = Claim::new(SECTION, "refused (`one_seed`)", "as good; 1 and 1 seeds", 1).within(1.0, 1.0);
    claim.count(plan.simulations().min(200), |rng| {
        let found = judge_task(Seeds { baseline: 1, candidate: 1, between: 0.2, paired: false }.task(0.0, rng));
        matches!(found.estimate, Err(GateRefusal::OneSeed { .. })) && found.verdict == GateVerdict::CannotTell
    })
}

/// The spread over seeds left out of the interval: a method that must be caught.
pub fn without_the_spread_over_seeds(plan: &Plan) -> Row {
    let claim = Claim::new(SECTION, "`worse` without the spread over seeds", "as good; 3 and 3 seeds", 3).within(0.0, 0.035);
    claim.count(plan.simulations(), |rng| {
        let mut task = Seeds { baseline: 3, candidate: 3, between: 0.2, paired: false }.task(0.0, rng);
        task.seeds = TransferSeeds::None;
        judge_task(task).verdict == GateVerdict::Worse
    })
}
