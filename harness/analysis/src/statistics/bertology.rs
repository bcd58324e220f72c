//! What the statistics say of a table of others: pretraining loss against test R2 of BERTology (arXiv 2603.13627), of which
//! `tests/fixtures/bertology.csv` has what is public. Expected values are scipy's over all 720 orders.
#![allow(clippy::unwrap_used)]

use clmbench_store::StatisticRow;
use serde_json::Value;

use super::statistic_rows;
use crate::{
    fit::fit_rows,
    inputs::Inputs,
    sample::{metric_row, run_row, score_row, suite},
};

const TABLE: &str = include_str!("../../tests/fixtures/bertology.csv");

/// One run a row; what the table does not tell is not there.
fn inputs() -> Inputs {
    let mut inputs = suite(0);
    let lines: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
    let names: Vec<&str> = lines[0].split(',').collect();
    for (number, line) in lines[1..].iter().enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let mut run = run_row(number);
        run.configuration = format!("{} k = {}", cells[0], cells[1]);
        (run.imported, run.tokens, run.corpus_molecules, run.learning_rate) = (true, None, None, None);
        if let Ok(loss) = cells[2].parse() {
            let mut row = metric_row(&run.run, "loss/mlm_loss", loss);
            row.std_error = f64::NAN;
            inputs.metrics.push(row);
        }
        for (name, cell) in names.iter().zip(&cells).skip(3) {
            let mut row = score_row(&run.run, cell.parse().unwrap());
            (row.dataset, row.task) = ("biogen".to_owned(), (*name).to_owned());
            (row.score, row.higher_is_better, row.protocol, row.se_test) = ("r2".into(), true, "finetune".into(), f64::NAN);
            inputs.scores.push(row);
        }
        inputs.runs.push(run);
    }
    inputs
}

fn close(found: Option<f64>, expected: f64) {
    assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?} against {expected}");
}

#[test]
fn six_runs_rank_well_and_allow_no_verdict() {
    let inputs = inputs();
    let fits = fit_rows(&inputs).unwrap();
    assert_eq!(fits.len(), 3);
    for (task, r, p) in
        [("hlm", 33.0 / 35.0, 12.0 / 720.0), ("hppb", 29.0 / 35.0, 42.0 / 720.0), ("sol", 33.0 / 35.0, 12.0 / 720.0)]
    {
        let row = fits.iter().find(|row| row.task == task).unwrap();
        assert_eq!((row.n, row.verdict.as_str()), (6, "cannot_tell"), "the three runs without a loss do not count");
        close(row.spearman, r);
        close(row.p_raw, p);
        assert!(row.p_value.unwrap() >= 0.05 - 1e-9, "after Holm");
        assert!(row.flags.contains(&"incomplete".to_owned()) && row.spearman_low.is_none());
    }
}

#[test]
fn over_the_three_tasks() {
    let inputs = inputs();
    let rows = statistic_rows(&inputs, &fit_rows(&inputs).unwrap()).unwrap();
    let named = |kind: &str, name: &str| -> Vec<&StatisticRow> {
        rows.iter().filter(|row| row.kind == kind && row.name == name).collect()
    };
    let pooled = named("pooled", "spearman")[0];
    close(pooled.value, 19.0 / 21.0);
    close(pooled.p_raw, 16.0 / 720.0);
    close(pooled.p_value, 16.0 / 720.0);
    assert_eq!((pooled.n, pooled.verdict.as_deref(), pooled.low95), (6, Some("cannot_tell"), None));
    let details: Value = serde_json::from_str(pooled.details_json.as_ref().unwrap()).unwrap();
    assert!((details["minimum_detectable_r"].as_f64().unwrap() - 0.93).abs() < 0.005, "what six runs could have told");
    // Choosing the lowest loss chooses the best model on every task.
    assert!(named("selection", "regret_at_1").iter().all(|row| row.value == Some(0.0)));
    // No error and no second seed is public.
    assert!(named("reliability", "disattenuated_r").iter().all(|row| row.refusal.as_deref() == Some("non_finite")));
    assert!(named("saturation", "slope_past_knee").iter().all(|row| row.refusal.as_deref() == Some("no_values")));
}
