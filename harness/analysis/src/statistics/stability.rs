//! How far the rankings of predictors hold: metrics ranked by their mean r, or mean gain, over tasks, in pools of resampled runs and tasks.
//!
//! Metrics are compared on the same data. Ranked are those that have every task of the set that most metrics have, over the runs that
//! they all share; the others are refused and say what they lack. A resample draws runs once for all metrics and tasks, and tasks.

mod by_gain;

use std::collections::{BTreeMap, BTreeSet};

use clmbench_stats::{Generator, Refusal, SMALLEST_N_FOR_INTERVALS, Task, TwoWay, generator, rank_stability, resampled_counts};
use clmbench_store::StatisticRow;
use rayon::prelude::*;
use serde_json::json;

use super::{
    numbers::{detailed, refused, valued},
    over_tasks::OverTasks,
};
use crate::fit::SEED;

const KIND: &str = "stability";
/// Resampled pools.
const RESAMPLES: usize = 999;
/// A metric with fewer than this share of the most runs is not ranked, since it would take runs from all others.
const LEAST_SHARE_OF_RUNS: f64 = 0.75;

/// What a ranking stands on.
struct Common<'a> {
    tasks: BTreeSet<&'a str>,
    runs: BTreeSet<&'a str>,
    /// Runs that a metric must have.
    needed: usize,
}

impl<'a> Common<'a> {
    fn of(metrics: &[&'a OverTasks<'a>]) -> Self {
        let mut sets: BTreeMap<BTreeSet<&str>, usize> = BTreeMap::new();
        for over in metrics.iter().filter(|over| over.names.len() > 1) {
            *sets.entry(tasks(over)).or_default() += 1;
        }
        let most = sets.into_iter().max_by_key(|(tasks, metrics)| (*metrics, tasks.len()));
        let tasks_of_ranking = most.map_or_else(BTreeSet::new, |(tasks, _)| tasks);
        let whole = metrics.iter().filter(|over| over.names.len() > 1 && tasks_of_ranking.is_subset(&tasks(over)));
        let most = whole.clone().map(|over| over.runs.len()).max().unwrap_or(0);
        let needed = (LEAST_SHARE_OF_RUNS * most as f64).ceil() as usize;
        let sets =
            whole.filter(|over| over.runs.len() >= needed).map(|over| over.runs.iter().copied().collect::<BTreeSet<&str>>());
        let runs = sets.reduce(|left, right| &left & &right).unwrap_or_default();
        Self { tasks: tasks_of_ranking, runs, needed }
    }

    /// Why a metric is not ranked, if so.
    fn lacking(&self, over: &OverTasks<'_>, value: &str) -> Option<Refusal> {
        let own = tasks(over);
        let missing: Vec<&str> = self.tasks.iter().copied().filter(|task| !own.contains(task)).collect();
        if let [first, ..] = missing[..] {
            let (all, missing) = (self.tasks.len(), missing.len());
            let what = format!("the ranking is over {all} tasks, and it has no {value} on {missing} of them ({first} the first)");
            return Some(Refusal::NoValues { what });
        }
        let runs = over.runs.len();
        let few = || Refusal::TooFew { what: "ranking beside metrics with more".to_owned(), n: runs, needed: self.needed };
        (runs < self.needed).then(few)
    }
}

fn tasks<'a>(over: &'a OverTasks<'_>) -> BTreeSet<&'a str> {
    over.names.iter().map(String::as_str).collect()
}

/// How a ranking is made, with the names of its rows.
struct By {
    rank: &'static str,
    top1: &'static str,
    top3: &'static str,
    tau: &'static str,
    /// Stream of the resampled pools.
    stream: &'static str,
    /// What a metric needs to be ranked.
    value: &'static str,
    values: fn(&[Candidate<'_>], &Common<'_>, &mut Generator) -> Result<Values, Refusal>,
}

const BY_R: By =
    By { rank: "mean_rank", top1: "top1", top3: "top3", tau: "kendall_tau", stream: "stability", value: "r", values: by_r };
const BY_GAIN: By = By {
    rank: "gain_mean_rank",
    top1: "gain_top1",
    top3: "gain_top3",
    tau: "gain_kendall_tau",
    stream: "stability by gain",
    value: "gain",
    values: by_gain::values,
};

/// A metric that has what a ranking stands on.
struct Candidate<'a> {
    over: &'a OverTasks<'a>,
    /// Metric and score a task, in the order of the tasks' names, over the runs of the ranking.
    columns: Vec<(Vec<f64>, Vec<f64>)>,
}

impl<'a> Candidate<'a> {
    fn of(over: &'a OverTasks<'a>, common: &Common<'_>) -> Option<Self> {
        if common.lacking(over, "").is_some() {
            return None;
        }
        let kept: Vec<usize> = (0..over.runs.len()).filter(|&run| common.runs.contains(over.runs[run])).collect();
        let pick = |values: &[f64]| kept.iter().map(|&run| values[run]).collect::<Vec<f64>>();
        let of_ranking = over.names.iter().zip(&over.columns).filter(|(name, _)| common.tasks.contains(name.as_str()));
        let columns: BTreeMap<&str, (Vec<f64>, Vec<f64>)> =
            of_ranking.map(|(name, (metric, score))| (name.as_str(), (pick(metric), pick(score)))).collect();
        Some(Self { over, columns: columns.into_values().collect() })
    }
}

/// What metrics are ranked by.
struct Values {
    /// Of all runs and tasks, an entry a candidate; none of one that cannot be ranked.
    full: Vec<Option<f64>>,
    /// Of each resampled pool.
    draws: Vec<Vec<Option<f64>>>,
}

/// For each ranking (protocol, objective and tokenizer), by r and by gain: of every metric its mean rank and its chances to be first and
/// among the first three; of the ranking the mean Kendall tau with a resampled one. Trivial predictors, which gains are measured over, are
/// not ranked by gain.
pub(super) fn rows(all: &[OverTasks<'_>]) -> Vec<StatisticRow> {
    let mut rankings: BTreeMap<&str, Vec<&OverTasks<'_>>> = BTreeMap::new();
    for over in all {
        rankings.entry(over.family()).or_default().push(over);
    }
    let both = |(family, metrics): (&str, Vec<&OverTasks<'_>>)| {
        let mut rows = ranking(&BY_R, family, &metrics);
        let gaining: Vec<&OverTasks<'_>> = metrics.into_iter().filter(|over| !over.is_trivial()).collect();
        rows.extend(ranking(&BY_GAIN, family, &gaining));
        rows
    };
    rankings.into_iter().flat_map(both).collect()
}

fn ranking(by: &By, family: &str, metrics: &[&OverTasks<'_>]) -> Vec<StatisticRow> {
    let common = Common::of(metrics);
    let (runs, tasks) = (common.runs.len(), common.tasks.len());
    let empty = |over: &OverTasks<'_>| [by.rank, by.top1, by.top3].map(|name| over.statistic(KIND, name));
    let refuse = |refusal: &Refusal| metrics.iter().flat_map(|over| empty(over)).map(|row| refused(row, refusal)).collect();
    if tasks < 2 {
        return refuse(&Refusal::TooFewTasks { what: "resampling a ranking".to_owned(), n: 1, needed: 2 });
    }
    if runs < SMALLEST_N_FOR_INTERVALS {
        let (n, needed) = (runs, SMALLEST_N_FOR_INTERVALS);
        return refuse(&Refusal::TooFew { what: "resampling a ranking".to_owned(), n, needed });
    }
    let candidates: Vec<Candidate<'_>> = metrics.iter().filter_map(|over| Candidate::of(over, &common)).collect();
    let mut rng = generator(SEED, &format!("{} {family}", by.stream));
    let mut values = match (by.values)(&candidates, &common, &mut rng) {
        Ok(values) => values,
        Err(refusal) => return refuse(&refusal),
    };
    // What has no value is not ranked, and what has one in few of the pools only.
    let (mut entries, mut full, mut seldom) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (place, candidate) in candidates.iter().enumerate() {
        let Some(value) = values.full[place] else { continue };
        let usable = values.draws.iter().filter(|draw| draw[place].is_some()).count();
        if 2 * usable < values.draws.len() {
            seldom.insert(candidate.over.label(), Refusal::Degenerate { usable, draws: values.draws.len() });
        } else {
            entries.push(place);
            full.push(value);
        }
    }
    values.draws.iter_mut().for_each(|draw| *draw = entries.iter().map(|&place| draw[place]).collect());
    let found = match rank_stability(&full, &values.draws) {
        Ok(found) => found,
        Err(refusal) => return refuse(&refusal),
    };
    let mut rows = Vec::new();
    for over in metrics {
        let three = empty(over);
        let Some(place) = entries.iter().position(|&place| std::ptr::eq(candidates[place].over, *over)) else {
            let none = || Refusal::NoValues { what: format!("no {} over the tasks of the ranking to rank by", by.value) };
            let none = common.lacking(over, by.value).or_else(|| seldom.remove(&over.label())).unwrap_or_else(none);
            rows.extend(three.map(|row| refused(row, &none)));
            continue;
        };
        let (spread, [mut rank, mut top1, mut top3]) = (&found.entries[place], three);
        for chance in [&mut top1, &mut top3] {
            chance.reason = Some(format!("a share of {RESAMPLES} resampled pools: itself the uncertainty of the rank"));
        }
        (rank.low90, rank.high90) = (Some(spread.low90), Some(spread.high90));
        (rank.low95, rank.high95) = (Some(spread.low95), Some(spread.high95));
        let details = json!({
            "rank": spread.rank, "metrics": entries.len(), "tasks": tasks, "runs": runs, "resamples": RESAMPLES, "without_value": spread.without_value,
        });
        rows.extend(
            [valued(rank, spread.mean), valued(top1, spread.top1), valued(top3, spread.top3)].map(|row| detailed(row, &details)),
        );
    }
    if let Some(&first) = entries.first() {
        let mut row = candidates[first].over.statistic(KIND, by.tau);
        (row.metric, row.pool, row.n) = (None, None, runs as u32);
        (row.low90, row.high90) = (Some(found.tau90.0), Some(found.tau90.1));
        (row.low95, row.high95) = (Some(found.tau95.0), Some(found.tau95.1));
        let details = json!({ "family": family, "metrics": entries.len(), "tasks": tasks, "resamples": found.resamples });
        rows.push(detailed(valued(row, found.tau), &details));
    }
    rows
}

/// Mean r over tasks.
fn by_r(candidates: &[Candidate<'_>], common: &Common<'_>, rng: &mut Generator) -> Result<Values, Refusal> {
    let (runs, tasks) = (common.runs.len(), common.tasks.len());
    let sorted = |candidate: &Candidate<'_>| {
        let named = common.tasks.iter().zip(&candidate.columns);
        let tasks: Vec<Task<'_>> = named.map(|(name, (metric, score))| Task { name, metric, score }).collect();
        TwoWay::new(&tasks).ok()
    };
    let columns: Vec<Option<TwoWay>> = candidates.iter().map(sorted).collect();
    let of = |runs: &[u32], tasks: &[u32]| -> Vec<Option<f64>> {
        columns.iter().map(|columns| columns.as_ref().and_then(|columns| columns.mean(runs, tasks))).collect()
    };
    let counts: Vec<(Vec<u32>, Vec<u32>)> =
        (0..RESAMPLES).map(|_| (resampled_counts(runs, rng), resampled_counts(tasks, rng))).collect();
    let draws = counts.par_iter().map(|(runs, tasks)| of(runs, tasks)).collect();
    Ok(Values { full: of(&vec![1; runs], &vec![1; tasks]), draws })
}

#[cfg(test)]
mod tests;
