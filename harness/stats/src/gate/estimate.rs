//! A difference with its interval: test molecules by the bootstrap, seeds by their variance.

use rand::Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{Claim, GateGroup, GateRefusal, GateSide, TaskComparison, ValueComparison};
use crate::{
    bootstrap,
    numeric::{mean, quantile_of_sorted, sample_sd},
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
    /// Standard error over test molecules (bootstrap); of a metric or a speed, its own.
    pub se_test: f64,
    /// Standard error over seeds; none where seeds are not in the interval.
    pub se_seed: Option<f64>,
    /// Degrees of freedom of the t interval; none for a BCa or normal one.
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
    /// Whether it is the candidate's.
    pub candidate: bool,
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
    /// Empty where seeds are not in the interval.
    pub seeds: Vec<Component>,
}

/// What one task contributes.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    uncertain: Uncertain,
    /// Differences in the resamples of the group; NaN where the score does not exist.
    pub draws: Vec<f64>,
    /// Influence of each molecule of the group on the difference.
    pub influence: Vec<f64>,
    /// Oriented scores of each side, `[run][transfer seed]`.
    pub scores: [Vec<Vec<f64>>; 2],
}

impl Parts {
    pub fn uncertain(&self) -> &Uncertain {
        &self.uncertain
    }
}

/// A task that is being resampled.
struct Work<'a> {
    task: &'a TaskComparison,
    sides: [Vec<Vec<Scored>>; 2],
    draws: Vec<f64>,
}

impl Work<'_> {
    /// The difference when each molecule of the group counts so often; NaN where it does not exist.
    fn difference(&self, of_group: &[f64], counts: &mut Vec<f64>) -> f64 {
        counts.clear();
        counts.extend(self.task.places.iter().map(|place| of_group[*place]));
        let side = |runs: &[Vec<Scored>]| -> f64 {
            let run = |seeds: &Vec<Scored>| {
                let scores = seeds.iter().map(|one| one.score(self.task.score, counts).unwrap_or(f64::NAN));
                scores.sum::<f64>() / seeds.len() as f64
            };
            runs.iter().map(run).sum::<f64>() / runs.len() as f64
        };
        self.task.score.sign() * (side(&self.sides[1]) - side(&self.sides[0]))
    }
}

/// Resamples the molecules of a group, the same for all its tasks.
pub(super) fn resample(group: &GateGroup, claim: Claim, resamples: usize, rng: &mut impl Rng) -> Vec<Result<Parts, GateRefusal>> {
    let molecules = group.molecules;
    let prepare = |task: &TaskComparison| -> Result<[Vec<Vec<Scored>>; 2], GateRefusal> {
        if task.places.iter().any(|place| *place >= molecules) {
            return Err(GateRefusal::OtherMolecules { baseline: molecules, candidate: task.places.len() });
        }
        task.scored()
    };
    let mut work: Vec<Result<Work<'_>, GateRefusal>> = group
        .tasks
        .iter()
        .map(|task| {
            let task = task.as_ref().map_err(Clone::clone)?;
            Ok(Work { task, sides: prepare(task)?, draws: Vec::with_capacity(resamples) })
        })
        .collect();
    let (mut of_group, mut counts) = (vec![0.0; molecules], Vec::new());
    if work.iter().any(Result::is_ok) {
        for _ in 0..resamples {
            of_group.fill(0.0);
            (0..molecules).for_each(|_| of_group[rng.random_range(0..molecules)] += 1.0);
            for work in work.iter_mut().flatten() {
                let difference = work.difference(&of_group, &mut counts);
                work.draws.push(difference);
            }
        }
    }
    work.into_iter().map(|work| parts(work?, molecules, claim)).collect()
}

fn parts(work: Work<'_>, molecules: usize, claim: Claim) -> Result<Parts, GateRefusal> {
    let task = work.task;
    let (mut of_group, mut counts) = (vec![1.0; molecules], Vec::new());
    let difference = work.difference(&of_group, &mut counts);
    if !difference.is_finite() {
        return Err(GateRefusal::Undefined { what: "the test molecules (one class only?)".to_owned() });
    }
    let mut sorted: Vec<f64> = work.draws.iter().copied().filter(|draw| !draw.is_nan()).collect();
    if 2 * sorted.len() < work.draws.len() || sorted.len() < 2 {
        return Err(GateRefusal::Undefined { what: "most resamples of the test molecules (one class only)".to_owned() });
    }
    sorted.sort_by(f64::total_cmp);
    let mut left_out = vec![None; molecules];
    for place in &task.places {
        of_group[*place] = 0.0;
        let value = work.difference(&of_group, &mut counts);
        of_group[*place] = 1.0;
        left_out[*place] = value.is_finite().then_some(value);
    }
    let known: Vec<f64> = left_out.iter().flatten().copied().collect();
    let (centre, n) = (mean(&known), task.places.len() as f64);
    // A molecule that has no label here, or without which there is no score, moves nothing.
    let influence: Vec<f64> = left_out.iter().map(|value| value.map_or(0.0, |value| (n - 1.0) * (centre - value))).collect();
    let scores = work.sides.each_ref().map(|side| {
        let once = vec![1.0; task.labels.len()];
        let of = |one: &Scored| task.score.sign() * one.score(task.score, &once).unwrap_or(f64::NAN);
        side.iter().map(|seeds| seeds.iter().map(of).collect()).collect::<Vec<Vec<f64>>>()
    });
    let seeds = components(&scores, claim, task.seeded)?;
    let molecules = task.places.len();
    let estimate = interval(difference, &sorted, acceleration(&influence), &seeds, molecules);
    let uncertain = Uncertain { estimate, margin: task.margin, molecules, seeds };
    Ok(Parts { uncertain, draws: work.draws, influence, scores })
}

/// Variances over seeds of the mean of each side.
///
/// # Errors
/// [`GateRefusal::OneSeed`] where a protocol with seeds has one and pretraining seeds do not stand in.
pub(super) fn components(scores: &[Vec<Vec<f64>>; 2], claim: Claim, seeded: bool) -> Result<Vec<Component>, GateRefusal> {
    let mut found = Vec::new();
    for (side, runs) in [GateSide::Baseline, GateSide::Candidate].into_iter().zip(scores) {
        let candidate = side == GateSide::Candidate;
        let count = runs.len() as f64;
        if claim == Claim::Recipe {
            let means: Vec<f64> = runs.iter().map(|seeds| mean(seeds)).collect();
            let variance = sample_sd(&means).powi(2) / count;
            found.push(Component { variance, degrees_of_freedom: count - 1.0, candidate, seeds: runs.len() });
        } else if seeded {
            if let Some(few) = runs.iter().find(|seeds| seeds.len() < 2) {
                return Err(GateRefusal::OneSeed { side, seeds: few.len() });
            }
            for seeds in runs {
                let of_seeds = seeds.len() as f64;
                let variance = sample_sd(seeds).powi(2) / of_seeds / count.powi(2);
                found.push(Component { variance, degrees_of_freedom: of_seeds - 1.0, candidate, seeds: seeds.len() });
            }
        }
    }
    Ok(found)
}

/// Skewness of the difference over molecules, a sixth of it; of several groups together their influences on the mean.
pub(super) fn acceleration(influence: &[f64]) -> f64 {
    let squares: f64 = influence.iter().map(|value| value * value).sum();
    let cubes: f64 = influence.iter().map(|value| value.powi(3)).sum();
    if squares <= 1e-24 { 0.0 } else { cubes / (6.0 * squares.powf(1.5)) }
}

/// The interval of a difference from its sorted resamples and the variances over seeds.
pub(super) fn interval(difference: f64, sorted: &[f64], acceleration: f64, seeds: &[Component], molecules: usize) -> Estimate {
    let se_test = sample_sd(sorted);
    if seeds.is_empty() {
        let (low95, high95) = bootstrap::ends(difference, sorted, acceleration, 0.95)
            .unwrap_or_else(|_| (quantile_of_sorted(sorted, 0.025), quantile_of_sorted(sorted, 0.975)));
        let p_worse = p_of_bca(difference, sorted, acceleration, se_test);
        return Estimate { difference, low95, high95, se_test, se_seed: None, degrees_of_freedom: None, p_worse };
    }
    let of_seeds: f64 = seeds.iter().map(|one| one.variance).sum();
    let df = degrees_of_freedom(se_test * se_test, molecules as f64 - 1.0, seeds);
    let std_error = se_test.hypot(of_seeds.sqrt());
    let (low95, high95, p_worse) = t_interval(difference, std_error, Some(df));
    Estimate { difference, low95, high95, se_test, se_seed: Some(of_seeds.sqrt()), degrees_of_freedom: Some(df), p_worse }
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

/// The level at which the upper BCa end is 0, so that it is below .025 just where the 95 % interval lies below 0. Where
/// hardly a resample lies beyond 0, they say no more than that it is small, and the normal tail goes on.
fn p_of_bca(difference: f64, sorted: &[f64], acceleration: f64, se_test: f64) -> f64 {
    if se_test <= 0.0 {
        return if difference < 0.0 { 0.0 } else { 1.0 };
    }
    let Ok(standard) = Normal::new(0.0, 1.0) else { return f64::NAN };
    let size = sorted.len() as f64;
    let clamp = |share: f64| share.clamp(0.5 / size, 1.0 - 0.5 / size);
    let tolerance = 1e-12 * difference.abs().max(1.0);
    let below = sorted.iter().filter(|value| **value < difference - tolerance).count() as f64;
    let equal = sorted.iter().filter(|value| (**value - difference).abs() <= tolerance).count() as f64;
    let bias = standard.inverse_cdf(clamp((below + equal / 2.0) / size));
    // The level whose quantile (type 7) is 0.
    let next = sorted.partition_point(|value| *value < 0.0);
    let rank = match (next.checked_sub(1).map(|last| sorted[last]), sorted.get(next)) {
        (None, _) => 0.0,
        (Some(_), None) => size - 1.0,
        (Some(last), Some(first)) => next as f64 - 1.0 + last / (last - first),
    };
    let at_zero = clamp(rank / (size - 1.0));
    let beyond = standard.inverse_cdf(at_zero) - bias;
    let shifted = beyond / (1.0 + acceleration * beyond);
    let p = 1.0 - standard.cdf(shifted - bias);
    if at_zero > 1.0 - 5.0 / size { p.min(normal(difference / se_test)) } else { p }
}

impl Uncertain {
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
        Self { estimate, margin: value.margin, molecules: 0, seeds: Vec::new() }
    }
}
