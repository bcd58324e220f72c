//! Thousands of cells.

use std::time::{Duration, Instant};

use clmbench_store::Store;
use tempfile::tempdir;

use crate::made_up::{
    cell, measure_output, measure_spec, pretrain_output, pretrain_spec, report, suite, transfer_output, transfer_spec,
};

#[test]
fn a_plan_of_ten_thousand_cells_is_stored_and_read_at_once() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let runs: Vec<String> = (0..100).map(|number| format!("run-{number}")).collect();
    let mut plan: Vec<_> = runs.iter().map(|key| cell(key, "pretrain", &[])).collect();
    for run in &runs {
        plan.extend((0..100).map(|number| cell(&format!("{run}/metric-{number}"), "measure", &[run])));
    }
    let start = Instant::now();
    store.put_cells(suite_id, &plan).unwrap();
    store.put_cells(suite_id, &plan).unwrap();
    assert_eq!(store.cells(suite_id).unwrap().len(), 10_100);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_thousand_results_are_stored_and_joined() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let predictions: Vec<(u64, f64, f64)> = (0..500).map(|row| (row, row as f64, 0.5)).collect();
    let plan: Vec<_> = (0..40)
        .flat_map(|run| {
            let pretrain = cell(&format!("run-{run}"), "pretrain", &[]);
            let measures = (0..20).map(move |number| cell(&format!("m-{run}-{number}"), "measure", &[]));
            let transfers = (0..4).map(move |number| cell(&format!("t-{run}-{number}"), "transfer", &[]));
            std::iter::once(pretrain).chain(measures).chain(transfers).collect::<Vec<_>>()
        })
        .collect();
    let start = Instant::now();
    store.put_cells(suite_id, &plan).unwrap();
    for run in 0..40_u64 {
        let (key, weights) = (format!("run-{run}"), format!("w{run}"));
        store.bind(suite_id, &key, &key, &pretrain_spec(4, 50, run)).unwrap();
        store.start(&key).unwrap();
        store.finish(&key, &report(pretrain_output(4, 50, &weights, false))).unwrap();
        for number in 0..20 {
            let key = format!("m-{run}-{number}");
            store.bind(suite_id, &key, &key, &measure_spec(&format!("m/{number}"), &format!("{weights}-4"), 4, 50)).unwrap();
            store.finish(&key, &report(measure_output(run as f64, 0.0))).unwrap();
        }
        for number in 0..4 {
            let key = format!("t-{run}-{number}");
            store.bind(suite_id, &key, &key, &transfer_spec(&format!("{weights}-4"))).unwrap();
            store.finish(&key, &report(transfer_output(1.0, predictions.clone()))).unwrap();
        }
    }
    let written = start.elapsed();
    assert!(written < Duration::from_secs(120), "{written:?}");
    let start = Instant::now();
    assert_eq!(store.runs(suite_id).unwrap().len(), 40);
    assert_eq!(store.metric_rows(suite_id).unwrap().len(), 40 * 20 * 2);
    assert_eq!(store.score_rows(suite_id).unwrap().len(), 40 * 4 * 2);
    let read = start.elapsed();
    assert!(read < Duration::from_secs(5), "{read:?}");
    println!("1,000 results: written in {written:?}, read in {read:?}");
}
