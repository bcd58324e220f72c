//! Which models of a ranking are compared with which, pair by pair on the same test molecules: with the control of its size, the best
//! baseline, the best of the ranking and the next one below.

use std::collections::BTreeMap;

use clmbench_stats::Interval;
use clmbench_store::{BaselineRow, ScoreRow};

use crate::{
    inputs::Inputs,
    paired::{BLOCKS, RESAMPLES, Replicates, Side, replicates},
    points::{Score, ScoreGroup},
};

/// Molecules that are scored in a second or so: above, nothing is compared unless one dataset is asked for.
const MOST: u64 = 1_200_000_000;

/// The rankings whose models are compared. What is not asked for stays in the board without intervals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Only those of this dataset, however many.
    pub dataset: Option<String>,
    /// Only those of this task.
    pub task: Option<String>,
    /// Only those of this protocol.
    pub protocol: Option<String>,
}

impl Compared {
    /// Whether a ranking is asked for.
    pub(crate) fn names(&self, group: &ScoreGroup) -> bool {
        self.names_task(&group.dataset, &group.task) && asked(&self.protocol, &group.protocol)
    }

    /// Whether a task is asked for.
    fn names_task(&self, dataset: &str, task: &str) -> bool {
        asked(&self.dataset, dataset) && asked(&self.task, task)
    }

    /// Whether so much work is done: always for one dataset.
    pub(crate) fn allows(&self, inputs: &Inputs) -> bool {
        let of_runs = || self.scores(inputs).map(|row| row.n_test);
        let of_baselines = || self.baselines(inputs).map(|row| row.n_test);
        self.dataset.is_some() || of_runs().chain(of_baselines()).map(work).fold(0, u64::saturating_add) <= MOST
    }

    /// Scores of runs whose predictions are resampled.
    pub(crate) fn scores<'a>(&'a self, inputs: &'a Inputs) -> impl Iterator<Item = &'a ScoreRow> {
        let primary = inputs.scores.iter().filter(|row| row.primary && row.last);
        primary.filter(|row| self.names_task(&row.dataset, &row.task) && asked(&self.protocol, &row.protocol))
    }

    /// Scores of baselines whose predictions are resampled: those of a task stand in its rankings of every protocol.
    pub(crate) fn baselines<'a>(&'a self, inputs: &'a Inputs) -> impl Iterator<Item = &'a BaselineRow> {
        inputs.baselines.iter().filter(|row| row.primary && self.names_task(&row.dataset, &row.task))
    }
}

fn asked(wanted: &Option<String>, found: &str) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == found)
}

/// Molecules to score for the comparisons of one score.
fn work(n_test: u64) -> u64 {
    n_test.saturating_mul(RESAMPLES as u64 + n_test.min(BLOCKS as u64))
}

/// Why a ranking that was not asked for has no intervals.
pub(crate) const NOT_COMPARED: &str = "among so many scores they are computed for one dataset at a time: ask for it (--dataset)";

/// The models of a ranking on the same resampled molecules, by the names that [`crate::models`] gives them.
pub(crate) struct Comparisons {
    sign: f64,
    /// None where the ranking was not asked for.
    models: Option<BTreeMap<String, Result<Replicates, String>>>,
    /// Cells averaged and transfer seeds of a fine-tuning, by the same names.
    seeds: BTreeMap<String, (u32, Vec<u64>)>,
}

impl Comparisons {
    /// Of a ranking that was not asked for.
    pub fn none(group: &ScoreGroup) -> Self {
        Self { sign: sign(group), models: None, seeds: BTreeMap::new() }
    }

    /// Scores every model on resampled molecules.
    pub fn new<'a>(inputs: &Inputs, group: &ScoreGroup, models: impl Iterator<Item = (String, &'a Score)>) -> Self {
        let models: Vec<(String, &Score)> = models.collect();
        let side = |(_, score): &(String, &Score)| {
            let key = |cell: &String| (cell.clone(), group.task.clone());
            let predictions = score.cells.iter().filter_map(|cell| inputs.predictions.get(&key(cell))).collect();
            Side { predictions, score: score.value }
        };
        let sides: Vec<Side<'_>> = models.iter().map(side).collect();
        let label = format!("models {} {} {} {} {}", group.dataset, group.task, group.protocol, group.score, group.split_digest);
        let found = replicates(&group.score, &sides, &label);
        let seeds = models.iter().map(|(name, score)| (name.clone(), (score.seeds, score.transfer_seeds.clone()))).collect();
        Self { sign: sign(group), seeds, models: Some(models.into_iter().map(|(name, _)| name).zip(found).collect()) }
    }

    /// A model's score against the mean of others.
    pub fn over(&self, (ours, score): (&str, f64), others: &[(String, f64)]) -> Over {
        let mean = others.iter().map(|(_, score)| *score).sum::<f64>() / others.len() as f64;
        let value = Some(self.sign * (score - mean)).filter(|value| value.is_finite());
        match self.interval(ours, others) {
            Err(contains) => Over { value, interval: None, contains },
            Ok(interval) => Over { value, interval: Some(interval), contains: self.contains(ours, others) },
        }
    }

    /// What an interval contains. A difference of means over unlike numbers of seeds is one of two recipes, and over other seeds it
    /// is not paired by them.
    fn contains(&self, ours: &str, others: &[(String, f64)]) -> String {
        let none = (0, Vec::new());
        let of = |name: &str| self.seeds.get(name).unwrap_or(&none);
        let (count, seeds) = of(ours);
        let mut others = others.iter().map(|(name, _)| of(name));
        if let Some((other, _)) = others.clone().find(|(other, _)| other != count) {
            return format!("{CONTAINS}, and their numbers differ ({count} and {other})");
        }
        let unlike = |other: &Vec<u64>| !seeds.is_empty() && !other.is_empty() && other != seeds;
        match others.any(|(_, other)| unlike(other)) {
            true => format!("{CONTAINS}, and they are not the same on both sides, though as many"),
            false => CONTAINS.to_owned(),
        }
    }

    fn interval(&self, ours: &str, others: &[(String, f64)]) -> Result<Interval, String> {
        let models = self.models.as_ref().ok_or(NOT_COMPARED)?;
        let of = |name: &str| match models.get(name) {
            Some(found) => found.as_ref().map_err(Clone::clone),
            None => Err("no stored predictions".to_owned()),
        };
        let ours = of(ours)?;
        let others = others.iter().map(|(name, _)| of(name)).collect::<Result<Vec<&Replicates>, String>>()?;
        let found = match others[..] {
            [other] => ours.minus(other, self.sign),
            _ => ours.minus(&Replicates::mean(&others)?, self.sign),
        };
        found.map(|found| found.interval)
    }
}

const CONTAINS: &str = "test molecules, the same for both; no seeds are in it";

fn sign(group: &ScoreGroup) -> f64 {
    if group.higher_is_better { 1.0 } else { -1.0 }
}

/// A difference of two scores, positive if better.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Over {
    pub value: Option<f64>,
    interval: Option<Interval>,
    /// What the interval contains, or why there is none.
    pub contains: String,
}

impl Over {
    /// Ends of the 95 % interval.
    pub fn ends(&self) -> (Option<f64>, Option<f64>) {
        let end = |get: fn(&Interval) -> f64| self.interval.as_ref().map(get).filter(|end| end.is_finite());
        (end(|interval| interval.low95), end(|interval| interval.high95))
    }
}
