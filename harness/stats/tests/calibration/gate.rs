//! The gate: how often it fails a model that is as good, passes one that is worse by a margin, and how often it can tell.

use clmbench_stats::{
    gate::{GateGroup, GatePredictions, GateVerdict, TaskComparison, TransferSeeds, judge_gate, judge_task},
    scored::ScoreName,
};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    draw::normal,
    row::{Claim, Plan, Row, staged},
};

const SECTION: &str = "Gate (ROC-AUC .80, margin .02)";
const ONE_CHECKPOINT: &str = "Gate, one checkpoint on each side";
const MARGIN: f64 = 0.02;
const AUC: f64 = 0.8;
/// Variance of a prediction within a class: what all models share, and a model's own.
const SHARED: f64 = 1.0;
const OWN: f64 = 0.25;

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
                seeds: TransferSeeds::None,
                block: 0,
                places: (0..self.molecules).collect(),
                labels: labels.clone(),
                baseline,
                candidate,
            })
        });
        let group = GateGroup { molecules: self.molecules, tasks: tasks.collect() };
        judge_gate(&[group], &[]).verdict
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
    let mut rows = one_checkpoint(plan);
    for &comparison in plan.choose(&all, &[all[0], all[3]]) {
        for &margins in plan.choose(&[0.0, 1.0, 2.0], &[0.0, 1.0]) {
            let name = comparison.name();
            let design = match margins {
                0.0 => format!("as good; {name}"),
                1.0 => format!("worse by the margin; {name}"),
                _ => format!("worse by {margins} margins; {name}"),
            };
            let claims = |found: &[GateVerdict]| {
                let verdicts = [GateVerdict::Worse, GateVerdict::NotWorse, GateVerdict::CannotTell];
                let claim = |verdict: GateVerdict| {
                    let claim = Claim::new(SECTION, format!("`{}`", verdict.word()), design.clone(), comparison.seeds);
                    let claim = match verdict {
                        GateVerdict::Worse if margins == 0.0 => claim.within(0.0, 0.035).note("wrong"),
                        GateVerdict::NotWorse if margins >= 1.0 => claim.within(0.0, 0.035).note("wrong"),
                        GateVerdict::CannotTell => claim,
                        _ => claim.known("power"),
                    };
                    claim.found(found.iter().map(|found| *found == verdict).collect())
                };
                verdicts.map(claim).into()
            };
            let label = format!("gate {name} {margins}");
            rows.extend(staged(&label, plan.simulations(), |rng| comparison.verdict(margins, rng), claims));
        }
    }
    rows
}

/// One checkpoint on each side, where nothing but the molecules is uncertain: two models that are as good.
#[derive(Clone, Copy)]
enum Alone {
    /// RMSE of so many molecules; errors of both models share as much as they have of their own.
    Rmse(usize),
    /// ROC-AUC or average precision of so many positives and negatives.
    Area(ScoreName, usize, usize),
}

impl Alone {
    fn name(self) -> String {
        match self {
            Self::Rmse(molecules) => format!("as good; RMSE, {molecules} test molecules"),
            Self::Area(score, positives, negatives) => {
                format!("as good; {score:?}, {positives} positives of {}", positives + negatives)
            }
        }
    }

    /// Whether the lower end is above 0, whether the upper is below.
    fn errs(self, rng: &mut ChaCha8Rng) -> (bool, bool) {
        let (score, labels) = match self {
            Self::Rmse(molecules) => (ScoreName::Rmse, vec![0.0; molecules]),
            Self::Area(score, positives, negatives) => {
                (score, (0..positives + negatives).map(|row| f64::from(u8::from(row < positives))).collect())
            }
        };
        let (shift, own) = if matches!(self, Self::Rmse(_)) { (0.0, SHARED) } else { (1.2, OWN) };
        let shared: Vec<f64> = labels.iter().map(|_| SHARED.sqrt() * normal(rng)).collect();
        let mut side = || -> GatePredictions {
            let one = |(label, shared): (&f64, &f64)| label * shift + shared + own.sqrt() * normal(rng);
            vec![vec![labels.iter().zip(&shared).map(one).collect()]]
        };
        let (baseline, candidate) = (side(), side());
        let places = (0..labels.len()).collect();
        let found = judge_task(TaskComparison {
            score,
            margin: MARGIN,
            seeds: TransferSeeds::None,
            block: 0,
            places,
            labels,
            baseline,
            candidate,
        });
        let estimate = found.estimate.unwrap();
        (estimate.low95 > 0.0, estimate.high95 < 0.0)
    }
}

/// Where the gate without seeds is used: FreeSolv tests 64 molecules, ESOL 113, and many tasks have few positives.
fn one_checkpoint(plan: &Plan) -> Vec<Row> {
    let all = [
        Alone::Rmse(20),
        Alone::Rmse(64),
        Alone::Rmse(113),
        Alone::Area(ScoreName::RocAuc, 6, 94),
        Alone::Area(ScoreName::RocAuc, 12, 88),
        Alone::Area(ScoreName::PrAuc, 6, 94),
        Alone::Area(ScoreName::PrAuc, 33, 67),
    ];
    let smoke = [all[0], all[3]];
    let chosen = plan.choose(&all, &smoke);
    let rows = chosen.iter().flat_map(|alone| {
        let name = alone.name();
        let claims = |found: &[(bool, bool)]| {
            let claim = |what: &str| Claim::new(ONE_CHECKPOINT, what, name.clone(), 1);
            let covered = claim("95 % interval covers");
            // Six positives are few enough that the interval is cautious.
            let covered = match alone {
                Alone::Rmse(_) => covered.within(0.93, 0.97),
                Alone::Area(..) => covered.within(0.93, 1.0).note("cautious"),
            };
            let worse = claim("upper end below 0").within(0.0, 0.03).note("wrong; nominal 2.5 %");
            vec![
                covered.found(found.iter().map(|(better, worse)| !better && !worse).collect()),
                worse.found(found.iter().map(|(_, worse)| *worse).collect()),
            ]
        };
        staged(&format!("gate {name}"), plan.simulations(), |rng| alone.errs(rng), claims)
    });
    rows.collect()
}
