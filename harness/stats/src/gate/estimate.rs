//! A difference with its interval: test molecules by the jackknife, seeds by their variance.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{Claim, GateGroup, GateRefusal, GateSide, TaskComparison, TransferSeeds, ValueComparison};
use crate::{
    numeric::{mean, sample_sd},
    scored::Scored,
};

/// A difference, candidate - baseline, positive if better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The difference.
    pub difference: f64,
    /// Lower end of its 95 % interval.
    pub low95: f64,
    /// Upper end of its 95 % interval.
    pub high95: f64,
    /// Standard error over test molecules (jackknife); of a metric or a speed, its own.
    pub se_test: f64,
    /// Standard error over seeds; none where seeds are not in the interval.
    pub se_seed: Option<f64>,
    /// Degrees of freedom of the t interval; none for a normal one.
    pub degrees_of_freedom: Option<f64>,
    /// One-sided p-value of a difference of 0 or more.
    pub p_worse: f64,
}

impl Estimate {
    /// Root sum of squares of both standard errors.
    pub fn std_error(&self) -> f64 {
        self.se_test.hypot(self.se_seed.unwrap_or(0.0))
    }
}

/// A variance over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Component {
    /// Of the mean over the seeds.
    pub variance: f64,
    pub degrees_of_freedom: f64,
    /// Whose seeds; none where both sides have the same ones, paired.
    pub side: Option<GateSide>,
    /// Seeds it is from.
    pub seeds: usize,
}

/// An estimate with what it takes to say what would settle it.
#[derive(Debug, Clone)]
pub(super) struct Uncertain {
    pub estimate: Estimate,
    pub margin: f64,
    /// Test molecules; 0 for a value.
    pub molecules: usize,
    /// Degrees of freedom of their standard error.
    pub df_test: f64,
    /// Empty where seeds are not in the interval.
    pub seeds: Vec<Component>,
}

/// What one task contributes.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    uncertain: Uncertain,
    /// Influence of each molecule of the group on the difference: its squares sum to the squared standard error.
    pub influence: Vec<f64>,
    /// Oriented scores of each side, `[run][transfer seed]`.
    pub scores: [Vec<Vec<f64>>; 2],
}

impl Parts {
    pub fn uncertain(&self) -> &Uncertain {
        &self.uncertain
    }
}

/// A task whose molecules are left out one at a time.
struct Work<'a> {
    task: &'a TaskComparison,
    sides: [Vec<Vec<Scored>>; 2],
}

impl Work<'_> {
    /// The difference of the mean scores, given the score of each set of predictions; NaN where one does not exist.
    fn difference(&self, score: impl Fn(usize, usize, usize) -> f64) -> f64 {
        let side = |side: usize| -> f64 {
            let runs = &self.sides[side];
            let run = |run: usize| (0..runs[run].len()).map(|seed| score(side, run, seed)).sum::<f64>() / runs[run].len() as f64;
            (0..runs.len()).map(run).sum::<f64>() / runs.len() as f64
        };
        self.task.score.sign() * (side(1) - side(0))
    }

    /// The difference without each molecule in turn.
    fn left_out(&self) -> Vec<f64> {
        let without: [Vec<Vec<Vec<f64>>>; 2] = self.sides.each_ref().map(|runs| {
            let of_run = |seeds: &Vec<Scored>| seeds.iter().map(|one| one.leave_one_out(self.task.score)).collect();
            runs.iter().map(of_run).collect()
        });
        let molecules = 0..self.task.labels.len();
        molecules.map(|molecule| self.difference(|side, run, seed| without[side][run][seed][molecule])).collect()
    }
}

/// Estimates of all tasks of a group.
pub(super) fn of_group(group: &GateGroup, claim: Claim) -> Vec<Result<Parts, GateRefusal>> {
    let molecules = group.molecules;
    let of_task = |task: &Result<TaskComparison, GateRefusal>| {
        let task = task.as_ref().map_err(Clone::clone)?;
        if task.places.iter().any(|place| *place >= molecules) {
            return Err(GateRefusal::OtherMolecules { baseline: molecules, candidate: task.places.len() });
        }
        parts(&Work { task, sides: task.scored()? }, molecules, claim)
    };
    group.tasks.iter().map(of_task).collect()
}

fn parts(work: &Work<'_>, molecules: usize, claim: Claim) -> Result<Parts, GateRefusal> {
    let task = work.task;
    let counts = vec![1.0; task.labels.len()];
    let score = |side: usize, run: usize, seed: usize| work.sides[side][run][seed].score(task.score, &counts).unwrap_or(f64::NAN);
    let difference = work.difference(score);
    if !difference.is_finite() {
        return Err(GateRefusal::Undefined { what: "the test molecules (are all labels equal?)".to_owned() });
    }
    let left_out = work.left_out();
    if left_out.iter().any(|value| !value.is_finite()) {
        return Err(GateRefusal::Undefined { what: "the test molecules without one of them".to_owned() });
    }
    let (centre, n) = (mean(&left_out), left_out.len() as f64);
    let mut influence = vec![0.0; molecules];
    for (place, value) in task.places.iter().zip(&left_out) {
        influence[*place] = ((n - 1.0) / n).sqrt() * (centre - value);
    }
    let scores = work.sides.each_ref().map(|side| {
        let of = |one: &Scored| task.score.sign() * one.score(task.score, &counts).unwrap_or(f64::NAN);
        side.iter().map(|seeds| seeds.iter().map(of).collect()).collect::<Vec<Vec<f64>>>()
    });
    let seeds = components(&scores, claim, task.seeds)?;
    let uncertain = Uncertain::of_tasks(difference, task.margin, task.places.len(), &influence, seeds);
    Ok(Parts { uncertain, influence, scores })
}

/// Variances over seeds of the difference of the sides' means: one of all where seeds are paired, else one of each side.
///
/// # Errors
/// [`GateRefusal::OneSeed`] where a protocol with seeds has one and pretraining seeds do not stand in.
pub(super) fn components(scores: &[Vec<Vec<f64>>; 2], claim: Claim, seeds: TransferSeeds) -> Result<Vec<Component>, GateRefusal> {
    let sides = [GateSide::Baseline, GateSide::Candidate];
    if claim == Claim::Recipe {
        let means = |runs: &Vec<Vec<f64>>| runs.iter().map(|seeds| mean(seeds)).collect::<Vec<f64>>();
        return Ok(sides.into_iter().zip(scores).map(|(side, runs)| component(&means(runs), Some(side))).collect());
    }
    if seeds == TransferSeeds::None {
        return Ok(Vec::new());
    }
    for (side, runs) in sides.into_iter().zip(scores) {
        if let Some(few) = runs.iter().find(|seeds| seeds.len() < 2) {
            return Err(GateRefusal::OneSeed { side, seeds: few.len() });
        }
    }
    let of_seeds = scores.each_ref().map(|runs| over_runs(runs).filter(|_| seeds != TransferSeeds::Mixed));
    if seeds == TransferSeeds::Paired
        && let [Some(baseline), Some(candidate)] = &of_seeds
        && baseline.len() == candidate.len()
    {
        let differences: Vec<f64> = candidate.iter().zip(baseline).map(|(candidate, baseline)| candidate - baseline).collect();
        return Ok(vec![component(&differences, None)]);
    }
    let sides = sides.into_iter().zip(scores).zip(of_seeds);
    Ok(sides
        .map(|((side, runs), means)| means.map_or_else(|| at_most(runs, side), |means| component(&means, Some(side))))
        .collect())
}

/// Of runs that do not have the same seeds: the largest variance that their mean can have, whatever seeds they share.
/// The standard error of a mean is at most the mean of the standard errors.
fn at_most(runs: &[Vec<f64>], side: GateSide) -> Component {
    let of_runs: Vec<Component> = runs.iter().map(|seeds| component(seeds, Some(side))).collect();
    let std_errors: Vec<f64> = of_runs.iter().map(|of_run| of_run.variance.sqrt()).collect();
    let fewest = of_runs.iter().map(|of_run| of_run.seeds).min().unwrap_or(0);
    Component { variance: mean(&std_errors).powi(2), degrees_of_freedom: fewest as f64 - 1.0, side: Some(side), seeds: fewest }
}

/// Of values at so many seeds: the variance of their mean.
fn component(values: &[f64], side: Option<GateSide>) -> Component {
    let count = values.len() as f64;
    Component { variance: sample_sd(values).powi(2) / count, degrees_of_freedom: count - 1.0, side, seeds: values.len() }
}

/// The mean over runs at each seed, which moves all of them; none where the runs have unlike numbers of seeds.
fn over_runs(runs: &[Vec<f64>]) -> Option<Vec<f64>> {
    let count = runs.first()?.len();
    let at = |seed: usize| runs.iter().map(|seeds| seeds[seed]).sum::<f64>() / runs.len() as f64;
    runs.iter().all(|seeds| seeds.len() == count).then(|| (0..count).map(at).collect())
}

/// Degrees of freedom of a sum of squared influences: 2n / (kurtosis - 1), at least 1 and at most n - 1. Two over the squared
/// coefficient of variation of the sum, as Satterthwaite (1946) matches it; n - 1 of n normal influences.
fn effective_degrees_of_freedom(influence: &[f64], molecules: usize) -> f64 {
    let n = molecules as f64;
    let squares: f64 = influence.iter().map(|value| value * value).sum();
    if squares <= 0.0 {
        return n - 1.0;
    }
    let kurtosis = n * influence.iter().map(|value| (value * value / squares).powi(2)).sum::<f64>();
    if kurtosis > 1.0 { (2.0 * n / (kurtosis - 1.0)).min(n - 1.0).max(1.0) } else { n - 1.0 }
}

/// Welch and Satterthwaite.
pub(super) fn degrees_of_freedom(of_test: f64, df_test: f64, seeds: &[Component]) -> f64 {
    let total: f64 = of_test + seeds.iter().map(|one| one.variance).sum::<f64>();
    let squares =
        of_test * of_test / df_test + seeds.iter().map(|one| one.variance.powi(2) / one.degrees_of_freedom).sum::<f64>();
    if squares > 0.0 { total * total / squares } else { df_test }
}

/// Both 95 % ends and the one-sided p of 0 or more; normal without degrees of freedom.
fn t_interval(difference: f64, std_error: f64, degrees_of_freedom: Option<f64>) -> (f64, f64, f64) {
    if std_error <= 0.0 {
        return (difference, difference, if difference < 0.0 { 0.0 } else { 1.0 });
    }
    let half = t_quantile(degrees_of_freedom) * std_error;
    let t = difference / std_error;
    let p = match degrees_of_freedom.and_then(|df| StudentsT::new(0.0, 1.0, df).ok()) {
        Some(distribution) => distribution.cdf(t),
        None => normal(t),
    };
    (difference - half, difference + half, p)
}

/// The 97.5 % quantile of Student's t, or of the normal distribution.
pub(super) fn t_quantile(degrees_of_freedom: Option<f64>) -> f64 {
    const NORMAL: f64 = 1.959_963_984_540_054;
    let distribution = degrees_of_freedom.filter(|df| *df < 1e6).and_then(|df| StudentsT::new(0.0, 1.0, df).ok());
    distribution.map_or(NORMAL, |distribution| distribution.inverse_cdf(0.975))
}

fn normal(z: f64) -> f64 {
    Normal::new(0.0, 1.0).map_or(f64::NAN, |normal| normal.cdf(z))
}

impl Uncertain {
    /// A difference of scores: influences of the molecules and variances over seeds make its interval.
    pub fn of_tasks(difference: f64, margin: f64, molecules: usize, influence: &[f64], seeds: Vec<Component>) -> Self {
        let se_test = influence.iter().map(|value| value * value).sum::<f64>().sqrt();
        let df_test = effective_degrees_of_freedom(influence, molecules);
        let of_seeds: f64 = seeds.iter().map(|one| one.variance).sum();
        let df = degrees_of_freedom(se_test * se_test, df_test, &seeds);
        let (low95, high95, p_worse) = t_interval(difference, se_test.hypot(of_seeds.sqrt()), Some(df));
        let se_seed = (!seeds.is_empty()).then(|| of_seeds.sqrt());
        let estimate = Estimate { difference, low95, high95, se_test, se_seed, degrees_of_freedom: Some(df), p_worse };
        Self { estimate, margin, molecules, df_test, seeds }
    }

    /// A metric or a speed.
    pub fn of_value(value: &ValueComparison) -> Self {
        let (low95, high95, p_worse) = t_interval(value.difference, value.std_error, value.degrees_of_freedom);
        let estimate = Estimate {
            difference: value.difference,
            low95,
            high95,
            se_test: value.std_error,
            se_seed: None,
            degrees_of_freedom: value.degrees_of_freedom,
            p_worse,
        };
        Self { estimate, margin: value.margin, molecules: 0, df_test: 0.0, seeds: Vec::new() }
    }
}
