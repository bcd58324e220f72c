//! Is a candidate worse than a gate baseline? Pure: predictions of both on the same test molecules in, verdicts out.
//!
//! Of each task, d = candidate - baseline, oriented so that positive is better. Its uncertainty has two levels:
//!
//! - **test molecules**, left out one at a time (jackknife), from both sides (paired) and from all tasks that share them;
//! - **seeds**: pretraining seeds where both sides have at least three ([`Claim::Recipe`]); else the transfer seeds of
//!   protocols that have some ([`Claim::Checkpoint`]), seed by seed where both sides have the same ones ([`TransferSeeds`]).
//!
//! The interval is d +- t x standard error, the variances of both levels added and the degrees of freedom by Welch (1947) and
//! Satterthwaite (1946): resampling three seeds would see two thirds of their variance and would not know that three are few. The
//! degrees of freedom of the molecules' part are 2n / (kurtosis of their influences - 1), at most n - 1: few where a few molecules
//! carry the difference, as six positives do. BCa in its place finds 6 % worse where nothing is, at 8 to 20 molecules.
//!
//! A task is `not_worse` if the lower 95 % end is above -margin (wins over the next); `worse` if the upper end is below 0; else
//! `cannot_tell`. Overall: `worse` if any task is, after Holm over all that is gated; else `not_worse` if the equal-weight mean of
//! d / margin over tasks is (its lower end above -1), nothing was refused and no other gated value is undecided; else
//! `cannot_tell`.

mod estimate;
mod overall;
mod refusal;
mod settle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use estimate::Estimate;
pub use refusal::{GateRefusal, GateSide};
pub use settle::Settle;

use crate::{
    holm::holm,
    scored::{ScoreName, Scored},
};
use estimate::{Parts, Uncertain};

/// Level of a one-sided p-value, the tail of a 95 % interval.
pub const LEVEL: f64 = 0.025;
/// No interval below this many test molecules.
pub const SMALLEST_TEST: usize = 20;
/// No interval of an area under a curve below this many test molecules of either class.
pub const SMALLEST_CLASS: usize = 6;
/// Pretraining seeds on each side that make a claim about a recipe.
pub const SEEDS_OF_A_RECIPE: usize = 3;

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// The candidate is worse.
    Worse,
    /// The candidate is not worse by the margin or more.
    NotWorse,
    /// The data are undecided, or a comparison was refused.
    CannotTell,
}

impl GateVerdict {
    /// The stored word, such as `not_worse`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::NotWorse => "not_worse",
            Self::CannotTell => "cannot_tell",
        }
    }

    /// The word in a sentence, such as `not worse`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::NotWorse => "not worse",
            Self::CannotTell => "cannot tell",
        }
    }
}

/// What the verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// These checkpoints: how far another pretraining seed would move them is not in the interval.
    Checkpoint,
    /// The recipe: three or more pretraining seeds on each side, their spread in the interval.
    Recipe,
}

/// Seeds of a protocol, as fine-tuning has and a closed-form probe has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransferSeeds {
    /// It has none.
    None,
    /// Every run of both sides has the same seeds, in the same order: the variance is that of the differences seed by seed. Where
    /// their numbers differ after all, they are taken as [`TransferSeeds::Unpaired`].
    Paired,
    /// The sides have other seeds, or not as many: what they change is independent, and each side has a variance of its own. Seeds
    /// that both have make that cautious. The runs of one side have the same ones.
    Unpaired,
    /// The runs of one side differ in their seeds, as after a failed cell: which of them moved together is not known, so they are taken
    /// as all moved together, which no correlation between them can exceed.
    Mixed,
}

/// Predictions of one side: `[pretraining run][transfer seed][molecule]`.
pub type GatePredictions = Vec<Vec<Vec<f64>>>;

/// One task on both sides.
#[derive(Debug, Clone)]
pub struct TaskComparison {
    /// The score.
    pub score: ScoreName,
    /// How much worse would still be no loss, in units of the score; above 0.
    pub margin: f64,
    /// Seeds of the protocol.
    pub seeds: TransferSeeds,
    /// Tasks of one group with the same number share their transfer seeds, as the heads of one fine-tuning do.
    pub block: usize,
    /// Places of this task's molecules among those of the group.
    pub places: Vec<usize>,
    /// Their labels.
    pub labels: Vec<f64>,
    /// Predictions of the gate baseline.
    pub baseline: GatePredictions,
    /// Predictions of the candidate.
    pub candidate: GatePredictions,
}

/// Tasks that share test molecules.
#[derive(Debug, Clone)]
pub struct GateGroup {
    /// Test molecules of all its tasks together.
    pub molecules: usize,
    /// Its tasks, or why one cannot be compared.
    pub tasks: Vec<Result<TaskComparison, GateRefusal>>,
}

/// A metric or a speed on both sides: a difference with a standard error of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueComparison {
    /// Candidate - baseline, positive if better.
    pub difference: f64,
    /// Its standard error; 0 if it is exact.
    pub std_error: f64,
    /// Degrees of freedom of the standard error; none where it is taken as known.
    pub degrees_of_freedom: Option<f64>,
    /// How much worse would still be no loss; above 0.
    pub margin: f64,
}

/// The judgement of one task or value.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskJudgement {
    /// Difference and interval, or why there is none.
    pub estimate: Result<Estimate, GateRefusal>,
    /// The verdict.
    pub verdict: GateVerdict,
    /// `p_worse` adjusted over everything that is gated.
    pub holm_p: Option<f64>,
    /// Of `cannot_tell`: what would settle it.
    pub settle: Option<Settle>,
}

/// The whole judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct GateJudgement {
    /// What it is about.
    pub claim: Claim,
    /// Of every task, group by group.
    pub tasks: Vec<TaskJudgement>,
    /// Of every other value.
    pub values: Vec<TaskJudgement>,
    /// The equal-weight mean of d / margin over tasks, or why there is none.
    pub mean: Result<Estimate, GateRefusal>,
    /// The overall verdict.
    pub verdict: GateVerdict,
    /// Of `cannot_tell`: what would settle the mean.
    pub settle: Option<Settle>,
}

/// Judges tasks and other values.
pub fn judge_gate(groups: &[GateGroup], values: &[Result<ValueComparison, GateRefusal>]) -> GateJudgement {
    let claim = claim(groups);
    let parts: Vec<Vec<Result<Parts, GateRefusal>>> = groups.iter().map(|group| estimate::of_group(group, claim)).collect();
    let mut tasks: Vec<TaskJudgement> =
        parts.iter().flatten().map(|parts| judged(parts.as_ref().map(Parts::uncertain))).collect();
    let others: Vec<Result<Uncertain, GateRefusal>> =
        values.iter().map(|value| value.as_ref().map_err(Clone::clone).and_then(of_value)).collect();
    let mut others: Vec<TaskJudgement> = others.iter().map(|value| judged(value.as_ref())).collect();
    adjust(&mut tasks, &mut others);
    let mean = overall::mean(groups, &parts, claim);
    let verdict = overall::verdict(&tasks, &others, mean.as_ref());
    let settle = match &mean {
        Ok(mean) if verdict == GateVerdict::CannotTell && self::verdict(&mean.estimate, 1.0) == verdict => {
            settle::settle(mean, 1.0)
        }
        _ => None,
    };
    GateJudgement { claim, tasks, values: others, mean: mean.map(|mean| mean.estimate), verdict, settle }
}

/// One task alone: [`judge_gate`] of a group of one.
pub fn judge_task(task: TaskComparison) -> TaskJudgement {
    let molecules = task.places.iter().max().map_or(0, |last| last + 1);
    let group = GateGroup { molecules, tasks: vec![Ok(task)] };
    let mut judged = judge_gate(&[group], &[]);
    judged.tasks.remove(0)
}

/// A recipe if every task has at least three pretraining runs on each side.
fn claim(groups: &[GateGroup]) -> Claim {
    let mut tasks = groups.iter().flat_map(|group| &group.tasks).filter_map(|task| task.as_ref().ok()).peekable();
    let enough = |task: &TaskComparison| task.baseline.len().min(task.candidate.len()) >= SEEDS_OF_A_RECIPE;
    if tasks.peek().is_some() && tasks.all(enough) { Claim::Recipe } else { Claim::Checkpoint }
}

fn judged(found: Result<&Uncertain, &GateRefusal>) -> TaskJudgement {
    match found {
        Err(refusal) => TaskJudgement {
            estimate: Err(refusal.clone()),
            verdict: GateVerdict::CannotTell,
            holm_p: None,
            settle: settle::of_refusal(refusal),
        },
        Ok(found) => {
            let verdict = verdict(&found.estimate, found.margin);
            let settle = if verdict == GateVerdict::CannotTell { settle::settle(found, found.margin) } else { None };
            TaskJudgement { estimate: Ok(found.estimate.clone()), verdict, holm_p: None, settle }
        }
    }
}

/// The rule for one difference.
pub fn verdict(estimate: &Estimate, margin: f64) -> GateVerdict {
    if estimate.low95 > -margin {
        GateVerdict::NotWorse
    } else if estimate.high95 < 0.0 {
        GateVerdict::Worse
    } else {
        GateVerdict::CannotTell
    }
}

fn of_value(value: &ValueComparison) -> Result<Uncertain, GateRefusal> {
    if !(value.margin > 0.0 && value.margin.is_finite()) {
        return Err(GateRefusal::Margin { margin: value.margin });
    }
    if !(value.difference.is_finite() && value.std_error.is_finite() && value.std_error >= 0.0) {
        return Err(GateRefusal::NotFinite { side: None });
    }
    Ok(Uncertain::of_value(value))
}

/// Holm over everything that has a p-value.
fn adjust(tasks: &mut [TaskJudgement], others: &mut [TaskJudgement]) {
    let mut family: Vec<(&mut Option<f64>, f64)> = tasks
        .iter_mut()
        .chain(others)
        .filter_map(|judged| Some((&mut judged.holm_p, judged.estimate.as_ref().ok()?.p_worse)))
        .collect();
    let p_values: Vec<f64> = family.iter().map(|(_, p)| *p).collect();
    for ((place, _), adjusted) in family.iter_mut().zip(holm(&p_values)) {
        **place = Some(adjusted);
    }
}

impl TaskComparison {
    /// Checks both sides and orders their predictions for scoring.
    fn scored(&self) -> Result<[Vec<Vec<Scored>>; 2], GateRefusal> {
        if !(self.margin > 0.0 && self.margin.is_finite()) {
            return Err(GateRefusal::Margin { margin: self.margin });
        }
        let wanted = self.labels.len();
        let check = |side: GateSide, runs: &GatePredictions| -> Result<Vec<Vec<Scored>>, GateRefusal> {
            if runs.is_empty() || runs.iter().any(Vec::is_empty) {
                return Err(GateRefusal::NoPredictions { side });
            }
            let mut predictions = runs.iter().flatten();
            if let Some(other) = predictions.clone().find(|one| one.len() != wanted) {
                return Err(GateRefusal::OtherMolecules { baseline: wanted, candidate: other.len() });
            }
            if predictions.any(|one| one.iter().any(|value| !value.is_finite())) {
                return Err(GateRefusal::NotFinite { side: Some(side) });
            }
            let of = |one: &Vec<f64>| Scored::new(self.labels.clone(), one.clone());
            Ok(runs.iter().map(|seeds| seeds.iter().map(of).collect()).collect())
        };
        let sides = [check(GateSide::Baseline, &self.baseline)?, check(GateSide::Candidate, &self.candidate)?];
        if self.places.len() != wanted {
            return Err(GateRefusal::OtherMolecules { baseline: wanted, candidate: self.places.len() });
        }
        if wanted < SMALLEST_TEST {
            return Err(GateRefusal::TooFewMolecules { n: wanted, needed: SMALLEST_TEST });
        }
        if matches!(self.score, ScoreName::RocAuc | ScoreName::PrAuc) {
            let positives = self.labels.iter().filter(|label| **label > 0.5).count();
            let rarer = positives.min(wanted - positives);
            if rarer < SMALLEST_CLASS {
                return Err(GateRefusal::RareClass { n: rarer, needed: SMALLEST_CLASS });
            }
        }
        Ok(sides)
    }
}
