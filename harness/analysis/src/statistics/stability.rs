//! How far the ranking of predictors holds: metrics ranked by their mean r over tasks, in pools of resampled runs and tasks.
//!
//! Metrics are compared on the same data. Ranked are those that have every task of the set that most metrics have, over the runs that
//! they all share; the others are refused and say what they lack. A resample draws runs once for all metrics and tasks, and tasks.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_stats::{Refusal, SMALLEST_N_FOR_INTERVALS, Task, TwoWay, generator, rank_stability, resampled_counts};
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

/// A metric that is ranked.
struct Entry<'a> {
    over: &'a OverTasks<'a>,
    columns: TwoWay,
    mean: f64,
}

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
    fn lacking(&self, over: &OverTasks<'_>) -> Option<Refusal> {
        let own = tasks(over);
        let missing: Vec<&str> = self.tasks.iter().copied().filter(|task| !own.contains(task)).collect();
        if let [first, ..] = missing[..] {
            let (all, missing) = (self.tasks.len(), missing.len());
            let what = format!("the ranking is over {all} tasks, and it has no r on {missing} of them ({first} the first)");
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

/// For each ranking (protocol, objective and tokenizer): of every metric its mean rank and its chances to be first and among the first
/// three; of the ranking the mean Kendall tau with a resampled one.
pub(super) fn rows(all: &[OverTasks<'_>]) -> Vec<StatisticRow> {
    let mut rankings: BTreeMap<&str, Vec<&OverTasks<'_>>> = BTreeMap::new();
    for over in all {
        rankings.entry(over.family()).or_default().push(over);
    }
    rankings.into_iter().flat_map(|(family, metrics)| ranking(family, &metrics)).collect()
}

fn ranking(family: &str, metrics: &[&OverTasks<'_>]) -> Vec<StatisticRow> {
    let common = Common::of(metrics);
    let (runs, tasks) = (common.runs.len(), common.tasks.len());
    let entries: Vec<Entry<'_>> = metrics.iter().filter_map(|over| entry(over, &common)).collect();
    let refuse = |refusal: &Refusal| metrics.iter().flat_map(|over| empty(over)).map(|row| refused(row, refusal)).collect();
    if tasks < 2 {
        return refuse(&Refusal::TooFewTasks { what: "resampling a ranking".to_owned(), n: 1, needed: 2 });
    }
    if runs < SMALLEST_N_FOR_INTERVALS {
        let (n, needed) = (runs, SMALLEST_N_FOR_INTERVALS);
        return refuse(&Refusal::TooFew { what: "resampling a ranking".to_owned(), n, needed });
    }
    let mut rng = generator(SEED, &format!("stability {family}"));
    let counts: Vec<(Vec<u32>, Vec<u32>)> =
        (0..RESAMPLES).map(|_| (resampled_counts(runs, &mut rng), resampled_counts(tasks, &mut rng))).collect();
    let draws: Vec<Vec<Option<f64>>> =
        counts.par_iter().map(|(runs, tasks)| entries.iter().map(|entry| entry.columns.mean(runs, tasks)).collect()).collect();
    let full: Vec<f64> = entries.iter().map(|entry| entry.mean).collect();
    let found = match rank_stability(&full, &draws) {
        Ok(found) => found,
        Err(refusal) => return refuse(&refusal),
    };
    let mut rows = Vec::new();
    for over in metrics {
        let three = empty(over);
        let Some(place) = entries.iter().position(|entry| std::ptr::eq(entry.over, *over)) else {
            let constant = || Refusal::NoValues { what: "no r over the tasks of the ranking to rank by".to_owned() };
            let none = common.lacking(over).unwrap_or_else(constant);
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
    if let Some(first) = entries.first() {
        let mut row = first.over.statistic(KIND, "kendall_tau");
        (row.metric, row.pool, row.n) = (None, None, runs as u32);
        (row.low90, row.high90) = (Some(found.tau90.0), Some(found.tau90.1));
        (row.low95, row.high95) = (Some(found.tau95.0), Some(found.tau95.1));
        let details = json!({ "family": family, "metrics": entries.len(), "tasks": tasks, "resamples": found.resamples });
        rows.push(detailed(valued(row, found.tau), &details));
    }
    rows
}

/// A metric with a mean r over the tasks and runs of the ranking.
fn entry<'a>(over: &'a OverTasks<'a>, common: &Common<'_>) -> Option<Entry<'a>> {
    if common.lacking(over).is_some() {
        return None;
    }
    let kept: Vec<usize> = (0..over.runs.len()).filter(|&run| common.runs.contains(over.runs[run])).collect();
    let pick = |values: &[f64]| kept.iter().map(|&run| values[run]).collect::<Vec<f64>>();
    let of_ranking = over.names.iter().zip(&over.columns).filter(|(name, _)| common.tasks.contains(name.as_str()));
    // In the order of the names, which is that of all metrics.
    let columns: BTreeMap<&str, (Vec<f64>, Vec<f64>)> =
        of_ranking.map(|(name, (metric, score))| (name.as_str(), (pick(metric), pick(score)))).collect();
    let tasks: Vec<Task<'_>> = columns.iter().map(|(name, (metric, score))| Task { name, metric, score }).collect();
    let columns = TwoWay::new(&tasks).ok()?;
    let mean = columns.mean(&vec![1; kept.len()], &vec![1; tasks.len()])?;
    Some(Entry { over, columns, mean })
}

fn empty(over: &OverTasks<'_>) -> [StatisticRow; 3] {
    ["mean_rank", "top1", "top3"].map(|name| over.statistic(KIND, name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        fit::fit_rows,
        inputs::Inputs,
        sample::{metric_info, metric_row, score_row, suite},
        statistics::fitted,
    };

    fn of(inputs: &Inputs) -> Vec<StatisticRow> {
        let fits = fit_rows(inputs).unwrap();
        let fitted = fitted(inputs, &fits).unwrap();
        rows(&OverTasks::all(&fitted))
    }

    fn named<'r>(rows: &'r [StatisticRow], metric: &str, name: &str) -> &'r StatisticRow {
        rows.iter().find(|row| row.metric.as_deref() == Some(metric) && row.name == name).unwrap()
    }

    /// Two tasks that the loss ranks well, and a metric that is noise.
    fn two_tasks(n: usize) -> Inputs {
        let mut inputs = suite(n);
        inputs.infos.push(metric_info("loss/noise"));
        for number in 0..n {
            let run = format!("run{number:03}");
            let mut row = score_row(&run, 5.0 - 0.1 * number as f64 + 0.05 * ((number * 5) % 7) as f64);
            row.dataset = "esol".into();
            (row.data_digest, row.split_digest) = ("esol data".into(), "esol split".into());
            inputs.scores.push(row);
            inputs.metrics.push(metric_row(&run, "loss/noise", ((number * 11) % 17) as f64));
        }
        inputs
    }

    #[test]
    fn a_clear_winner_stays_first() {
        let rows = of(&two_tasks(24));
        assert_eq!(rows.len(), 10, "three a metric and one of the ranking");
        let loss = named(&rows, "loss/mlm_loss", "mean_rank");
        assert!(loss.value.unwrap() < 1.01 && loss.high90 == Some(1.0), "{loss:?}");
        assert!(named(&rows, "loss/mlm_loss", "top1").value.unwrap() > 0.99);
        assert!(named(&rows, "loss/noise", "mean_rank").value.unwrap() > 2.0);
        assert_eq!(named(&rows, "loss/noise", "top3").value, Some(1.0));
        let chances: f64 = rows.iter().filter(|row| row.name == "top1").map(|row| row.value.unwrap()).sum();
        assert!((chances - 1.0).abs() < 1e-9, "one of them is first");
        let tau = rows.iter().find(|row| row.name == "kendall_tau").unwrap();
        assert!(tau.metric.is_none() && tau.value.unwrap() > 0.3 && tau.low90 <= tau.value && tau.value <= tau.high90);
    }

    #[test]
    fn metrics_that_agree_everywhere_share_the_first_place() {
        let mut inputs = two_tasks(24);
        for number in 0..24 {
            let loss =
                inputs.metrics.iter().find(|row| row.metric == "loss/mlm_loss" && row.run == format!("run{number:03}")).unwrap();
            let twin = metric_row(&format!("run{number:03}"), "loss/twin", 2.0 * loss.value);
            inputs.metrics.push(twin);
        }
        inputs.infos.push(metric_info("loss/twin"));
        let rows = of(&inputs);
        let (loss, twin) = (named(&rows, "loss/mlm_loss", "top1"), named(&rows, "loss/twin", "top1"));
        assert!((loss.value.unwrap() - twin.value.unwrap()).abs() < 1e-9 && loss.value.unwrap() < 0.51);
        assert!(named(&rows, "loss/twin", "mean_rank").value.unwrap() >= 1.5);
    }

    /// A metric on two of three tasks is not ranked beside those on all, and one with few runs takes none from the others.
    #[test]
    fn ranked_on_the_same_tasks_and_runs() {
        let mut inputs = two_tasks(24);
        for number in 0..24 {
            let mut row = score_row(&format!("run{number:03}"), 4.0 - 0.1 * number as f64 + 0.05 * ((number * 3) % 7) as f64);
            row.dataset = "lipo".into();
            (row.data_digest, row.split_digest) = ("lipo data".into(), "lipo split".into());
            inputs.scores.push(row);
        }
        let before = of(&inputs);
        for name in ["loss/partial", "loss/seldom"] {
            inputs.infos.push(metric_info(name));
        }
        for number in 0..24 {
            let run = format!("run{number:03}");
            if number < 12 {
                inputs.metrics.push(metric_row(&run, "loss/seldom", number as f64));
            }
            for dataset in ["esol", "lipo"] {
                let mut row = metric_row(&run, "loss/partial", number as f64);
                row.dataset = Some((format!("{dataset} data"), format!("{dataset} split"), "expt".into()));
                inputs.metrics.push(row);
            }
        }
        let rows = of(&inputs);
        let partial = named(&rows, "loss/partial", "mean_rank");
        let reason = "the ranking is over 3 tasks, and it has no r on 1 of them (freesolv/expt the first)";
        assert_eq!((partial.value, partial.reason.as_deref()), (None, Some(reason)));
        let seldom = named(&rows, "loss/seldom", "top1");
        assert_eq!((seldom.n, seldom.refusal.as_deref()), (12, Some("too_few")));
        for name in ["mean_rank", "top1"] {
            let (loss, alone) = (named(&rows, "loss/mlm_loss", name), named(&before, "loss/mlm_loss", name));
            assert_eq!((loss.value, loss.low90), (alone.value, alone.low90), "the others stay as they are without them");
        }
    }

    #[test]
    fn refused_below_eight_runs_and_with_one_task() {
        let rows = of(&two_tasks(7));
        assert!(rows.len() == 9 && rows.iter().all(|row| row.refusal.as_deref() == Some("too_few")));
        let one = of(&suite(12));
        assert!(one.len() == 6 && one.iter().all(|row| row.value.is_none() && row.refusal.is_some()), "{one:?}");
    }
}
