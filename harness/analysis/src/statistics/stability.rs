//! How far the ranking of predictors holds: metrics ranked by their mean r over tasks, in pools of resampled runs and tasks.
//!
//! A resample draws runs once for all metrics and tasks, and tasks, so that metrics are compared on the same data.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_stats::{Refusal, SMALLEST_N_FOR_INTERVALS, TwoWay, generator, rank_stability, resampled_counts};
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

/// A metric that is ranked.
struct Entry<'a> {
    over: &'a OverTasks<'a>,
    columns: TwoWay,
    mean: f64,
    /// Its runs and tasks among those of the ranking.
    runs: Vec<usize>,
    tasks: Vec<usize>,
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
    let runs: Vec<&str> =
        metrics.iter().flat_map(|over| over.runs.iter().copied()).collect::<BTreeSet<&str>>().into_iter().collect();
    let tasks: Vec<&str> =
        metrics.iter().flat_map(|over| over.names.iter().map(String::as_str)).collect::<BTreeSet<&str>>().into_iter().collect();
    let entries: Vec<Entry<'_>> = metrics.iter().filter_map(|over| entry(over, &runs, &tasks)).collect();
    let refuse = |refusal: &Refusal| metrics.iter().flat_map(|over| empty(over)).map(|row| refused(row, refusal)).collect();
    if runs.len() < SMALLEST_N_FOR_INTERVALS {
        let (n, needed) = (runs.len(), SMALLEST_N_FOR_INTERVALS);
        return refuse(&Refusal::TooFew { what: "resampling a ranking".to_owned(), n, needed });
    }
    let mut rng = generator(SEED, &format!("stability {family}"));
    let counts: Vec<(Vec<u32>, Vec<u32>)> =
        (0..RESAMPLES).map(|_| (resampled_counts(runs.len(), &mut rng), resampled_counts(tasks.len(), &mut rng))).collect();
    let draws: Vec<Vec<Option<f64>>> = counts
        .par_iter()
        .map(|(runs, tasks)| {
            let pick = |counts: &[u32], places: &[usize]| places.iter().map(|&place| counts[place]).collect::<Vec<u32>>();
            entries.iter().map(|entry| entry.columns.mean(&pick(runs, &entry.runs), &pick(tasks, &entry.tasks))).collect()
        })
        .collect();
    let full: Vec<f64> = entries.iter().map(|entry| entry.mean).collect();
    let found = match rank_stability(&full, &draws) {
        Ok(found) => found,
        Err(refusal) => return refuse(&refusal),
    };
    let mut rows = Vec::new();
    for over in metrics {
        let three = empty(over);
        let Some(place) = entries.iter().position(|entry| std::ptr::eq(entry.over, *over)) else {
            let none = Refusal::NoValues { what: "no r over all tasks to rank by".to_owned() };
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
            "rank": spread.rank, "metrics": entries.len(), "tasks": tasks.len(), "resamples": RESAMPLES, "without_value": spread.without_value,
        });
        rows.extend(
            [valued(rank, spread.mean), valued(top1, spread.top1), valued(top3, spread.top3)].map(|row| detailed(row, &details)),
        );
    }
    if let Some(first) = entries.first() {
        let mut row = first.over.statistic(KIND, "kendall_tau");
        (row.metric, row.pool, row.n) = (None, None, runs.len() as u32);
        (row.low90, row.high90) = (Some(found.tau90.0), Some(found.tau90.1));
        (row.low95, row.high95) = (Some(found.tau95.0), Some(found.tau95.1));
        let details = json!({ "family": family, "metrics": entries.len(), "tasks": tasks.len(), "resamples": found.resamples });
        rows.push(detailed(valued(row, found.tau), &details));
    }
    rows
}

/// A metric with a mean r, and its places among all runs and tasks.
fn entry<'a>(over: &'a OverTasks<'a>, runs: &[&str], tasks: &[&str]) -> Option<Entry<'a>> {
    let columns = TwoWay::new(&over.tasks()).ok()?;
    let mean = columns.mean(&vec![1; over.runs.len()], &vec![1; over.names.len()])?;
    let runs = over.runs.iter().filter_map(|run| runs.binary_search(run).ok()).collect();
    let tasks = over.names.iter().filter_map(|task| tasks.binary_search(&task.as_str()).ok()).collect();
    Some(Entry { over, columns, mean, runs, tasks })
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

    #[test]
    fn refused_below_eight_runs_and_with_one_task() {
        let rows = of(&two_tasks(7));
        assert!(rows.len() == 9 && rows.iter().all(|row| row.refusal.as_deref() == Some("too_few")));
        let one = of(&suite(12));
        assert!(one.len() == 6 && one.iter().all(|row| row.value.is_none() && row.refusal.is_some()), "{one:?}");
    }
}
