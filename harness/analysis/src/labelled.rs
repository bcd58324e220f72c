//! Label-aware and diagnostic metrics in fits: a value that was measured for one task stands in fits of that task alone.

#![allow(clippy::unwrap_used)]

use clmbench_protocol::{Comparable, Scope};
use clmbench_store::{FitRow, MetricRow, ScoreRow};

use crate::{
    fit::fit_rows,
    inputs::Inputs,
    sample::{failed_cell, metric_info, metric_row, score_row, suite},
};

/// Tasks of two datasets, the first of which has two: (dataset, data digest, split digest, task).
const TASKS: [(&str, &str, &str, &str); 3] =
    [("freesolv", "data", "split", "expt"), ("freesolv", "data", "split", "calc"), ("esol", "esol data", "esol split", "expt")];
const METRIC: &str = "transferability/logme";

/// A score of a run on a task, which the run's number and the task set.
fn score(run: &str, number: usize, task: usize) -> ScoreRow {
    let (dataset, data, split, name) = TASKS[task];
    let value = 3.0 - 0.1 * ((number * [1, 5, 7][task]) % 12) as f64;
    ScoreRow {
        dataset: dataset.into(),
        data_digest: data.into(),
        split_digest: split.into(),
        task: name.into(),
        ..score_row(run, value)
    }
}

/// A value of a metric on a task; by itself it orders the runs as that task's scores do.
fn value(run: &str, number: usize, task: usize) -> MetricRow {
    let (_, data, split, name) = TASKS[task];
    let mut row = metric_row(run, METRIC, score(run, number, task).value);
    row.dataset = Some((data.into(), split.into(), name.into()));
    row.cell = format!("cell {run} {task}");
    row
}

/// Twelve runs, scored on three tasks and measured for each of them.
fn labelled(comparable: Comparable) -> Inputs {
    let mut inputs = suite(12);
    let mut info = metric_info(METRIC);
    (info.scope, info.comparable) = (Scope::CheckpointDataset, comparable);
    inputs.infos.push(info);
    inputs.scores.clear();
    let runs: Vec<String> = inputs.runs.iter().map(|run| run.run.clone()).collect();
    for (number, run) in runs.iter().enumerate() {
        for task in 0..TASKS.len() {
            inputs.scores.push(score(run, number, task));
            inputs.metrics.push(value(run, number, task));
        }
    }
    inputs
}

fn fits<'r>(rows: &'r [FitRow], metric: &str) -> Vec<&'r FitRow> {
    rows.iter().filter(|row| row.metric == metric).collect()
}

#[test]
fn a_value_stands_in_fits_of_its_own_dataset_and_task_alone() {
    let rows = fit_rows(&labelled(Comparable::Any)).unwrap();
    let found = fits(&rows, METRIC);
    let tasks: Vec<(&str, &str)> = found.iter().map(|row| (row.dataset.as_str(), row.task.as_str())).collect();
    assert_eq!(tasks, [("esol", "expt"), ("freesolv", "calc"), ("freesolv", "expt")], "one fit a task");
    for row in found {
        // With the values of another task, which order the runs in other ways, it would be far from 1.
        assert_eq!((row.n, row.spearman), (12, Some(1.0)), "{} {}", row.dataset, row.task);
    }
    assert_eq!(fits(&rows, "trivial/parameters").len(), 3, "a metric of the checkpoint stands in all of them");
}

#[test]
fn a_task_without_values_has_no_fit() {
    let mut inputs = labelled(Comparable::Any);
    inputs.metrics.retain(|row| row.dataset.as_ref().is_none_or(|(data, ..)| data != "esol data"));
    let rows = fit_rows(&inputs).unwrap();
    assert!(fits(&rows, METRIC).iter().all(|row| row.dataset == "freesolv"));
    // But where its values were planned and failed, it is told of.
    let mut failed = failed_cell(METRIC, 0);
    failed.spec.dataset = Some(("esol data".into(), "esol split".into(), "expt".into()));
    inputs.failed = vec![failed];
    let rows = fit_rows(&inputs).unwrap();
    let told = fits(&rows, METRIC).into_iter().find(|row| row.dataset == "esol").unwrap();
    assert_eq!((told.verdict.as_str(), told.refusal.as_deref(), told.n), ("refused", Some("no_values"), 0));
    assert_eq!(fits(&rows, METRIC).len(), 3, "the failure is of one task");
}

#[test]
fn values_of_another_split_do_not_count() {
    let mut inputs = labelled(Comparable::Any);
    for row in inputs.metrics.iter_mut().filter(|row| row.metric == METRIC) {
        let (data, split, task) = row.dataset.take().unwrap();
        let other = if task == "calc" { "another split".to_owned() } else { split };
        row.dataset = Some((data, other, task));
    }
    let rows = fit_rows(&inputs).unwrap();
    assert!(fits(&rows, METRIC).iter().all(|row| row.task == "expt"));
}

#[test]
fn only_metrics_that_read_the_sample_need_the_same_one() {
    let divided = |comparable| {
        let mut inputs = labelled(comparable);
        for row in inputs.metrics.iter_mut().filter(|row| row.run.as_str() >= "run006") {
            row.heldout_digest = "that of another corpus".into();
        }
        let rows = fit_rows(&inputs).unwrap();
        fits(&rows, METRIC).iter().map(|row| row.n).collect::<Vec<u32>>()
    };
    assert_eq!(divided(Comparable::Any), [12; 3]);
    assert_eq!(divided(Comparable::SameEvaluation), [6; 6]);
}

#[test]
fn diagnostics_of_pairs_and_of_fine_tuned_weights_are_in_no_fit() {
    for scope in [Scope::Pair, Scope::Transfer] {
        let mut inputs = suite(12);
        let before = fit_rows(&inputs).unwrap();
        let mut info = metric_info("landscape/diagnostic");
        info.scope = scope;
        inputs.infos.push(info);
        let values: Vec<_> = inputs.runs.iter().map(|run| metric_row(&run.run, "landscape/diagnostic", 1.0)).collect();
        inputs.metrics.extend(values);
        inputs.failed = vec![failed_cell("landscape/diagnostic", 3)];
        let after = fit_rows(&inputs).unwrap();
        assert!(fits(&after, "landscape/diagnostic").is_empty(), "{scope:?}");
        let p = |rows: &[FitRow]| rows.iter().map(|row| (row.metric.clone(), row.p_value)).collect::<Vec<_>>();
        assert_eq!(p(&before), p(&after), "nor in the family of tests");
    }
}

#[test]
fn a_metric_of_a_run_stands_with_its_last_checkpoint() {
    let mut inputs = suite(12);
    let mut info = metric_info("loss/tse");
    info.scope = Scope::Run;
    inputs.infos.push(info);
    let values: Vec<_> =
        inputs.runs.iter().enumerate().map(|(number, run)| metric_row(&run.run, "loss/tse", number as f64)).collect();
    inputs.metrics.extend(values);
    let rows = fit_rows(&inputs).unwrap();
    assert_eq!(fits(&rows, "loss/tse").iter().map(|row| row.n).collect::<Vec<_>>(), [12]);
}
