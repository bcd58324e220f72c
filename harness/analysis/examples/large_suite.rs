//! Writes a made-up suite of 10,010 finished cells with its fits and statistics into the store of a folder, for `cargo xtask perf report`:
//! 100 runs, 81 metrics, 9 tasks under both protocols. The numbers mean nothing; their amount is that of a large suite.
//!
//!     cargo run --release -p clmbench-analysis --example large_suite -- FOLDER
#![allow(missing_docs)]

#[path = "../../store/tests/store/made_up.rs"]
#[allow(dead_code)]
mod made_up;

use std::path::Path;

use clmbench_analysis::{Details, FitPoint, Pool};
use clmbench_protocol::{CellOutput, CellSpec, Number, Objective};
use clmbench_stats::{generator, minimum_detectable_r, random_band, spearman};
use clmbench_store::{FitRow, NewCell, StatisticRow, Store};

const RUNS: usize = 100;
const METRICS: usize = 81;
const TASKS: usize = 9;
const PROTOCOLS: [&str; 2] = ["probe", "finetune"];

/// A number that looks like no other: the fraction of a multiple of the golden ratio.
fn made(seed: usize) -> f64 {
    (seed as f64 * 0.618_033_988_749_894_9 + 0.25).fract()
}

fn metric(number: usize) -> String {
    format!("{}/metric_number_{number}", ["loss", "hessian", "sharpness", "transferability"][number % 4])
}

fn value(metric: usize, run: usize) -> f64 {
    run as f64 / RUNS as f64 * (metric % 3) as f64 + made(1_000 * metric + run)
}

fn score(task: usize, protocol: usize, run: usize) -> f64 {
    1.0 + run as f64 / RUNS as f64 + made(77_777 * (task + 10 * protocol) + run)
}

fn label(run: usize) -> String {
    format!("bert {}M mixed 20k, 5M tokens, seed {run}", run % 4)
}

/// A transfer on task `task`, with 40 predictions.
fn transfer(task: usize, protocol: usize, run: usize) -> (CellSpec, CellOutput) {
    let weights = format!("weights{run}-4");
    let predictions = (0..40).map(|row| (row, made(row as usize), made(row as usize) + made(run) / 5.0)).collect();
    let output = made_up::transfer_output(score(task, protocol, run), predictions);
    let CellSpec::Transfer(mut spec) = made_up::transfer_spec(&weights) else { unreachable!("it is a transfer") };
    spec.dataset = format!("dataset{task}");
    (spec.data_digest, spec.split_digest) = (format!("data{task}"), format!("split{task}"));
    if protocol == 1
        && let CellSpec::Transfer(tuned) = made_up::finetune_spec(&weights, 1, false)
    {
        spec.protocol = tuned.protocol;
    }
    (CellSpec::Transfer(spec), output)
}

fn fit(metric_number: usize, task: usize, protocol: usize) -> Result<FitRow, Box<dyn std::error::Error>> {
    let points: Vec<FitPoint> = (0..RUNS)
        .map(|run| FitPoint {
            run: format!("pretrain{run}"),
            label: label(run),
            metric: Number(value(metric_number, run)),
            metric_std_error: Number(0.01 + made(run) / 50.0),
            score: Number(score(task, protocol, run)),
            score_se_test: Number(0.05 + made(run) / 50.0),
            score_se_seed: (protocol == 1).then(|| Number(made(run) / 50.0)),
            transfer_seeds: 1,
        })
        .collect();
    let column = |of: fn(&FitPoint) -> f64| points.iter().map(of).collect::<Vec<f64>>();
    let r = spearman(&column(|point| point.metric.0), &column(|point| point.score.0))?;
    let name = PROTOCOLS[protocol];
    let details = Details {
        pool: Pool {
            objective: Objective::MaskedLm,
            tokenizer_digest: "tokenizer".into(),
            evaluation_digest: Some("heldout".into()),
            split_digest: format!("split{task}"),
            data_digest: format!("data{task}"),
            protocol: name.into(),
        },
        family: name.into(),
        family_size: METRICS * TASKS,
        params_json: "{}".into(),
        value_name: "loss".into(),
        unit: "nats/token".into(),
        useful_effect: 0.5,
        permutation: None,
        spearman_interval: None,
        spearman_interval_reason: None,
        fit_reason: None,
        hc3_std_error: None,
        gain: None,
        random_band: random_band(RUNS, &mut generator(7, "large suite")),
        points,
        excluded: vec![],
    };
    Ok(FitRow {
        metric: metric(metric_number),
        dataset: format!("dataset{task}"),
        task: "expt".into(),
        protocol: name.into(),
        pool: details.pool.name(),
        score: "rmse".into(),
        n: RUNS as u32,
        n_checkpoints: 2 * RUNS as u32,
        slope: Some(0.3 * r),
        std_error: Some(0.1),
        ci_low: Some(0.3 * r - 0.2),
        ci_high: Some(0.3 * r + 0.2),
        r2: Some(r * r),
        q2: Some(r * r - 0.05),
        spearman: Some(r),
        spearman_low: Some((r - 0.2).max(-1.0)),
        spearman_high: Some((r + 0.2).min(1.0)),
        kendall: Some(0.7 * r),
        p_value: Some(made(metric_number)),
        p_raw: Some(made(metric_number) / 100.0),
        gain: Some(0.01),
        gain_low: Some(-0.02),
        gain_high: Some(0.05),
        gain_verdict: Some("cannot_tell".into()),
        gain_reason: Some("the 95 % interval [-0.02, 0.05] holds 0".into()),
        verdict: if r < 0.3 { "does_not_predict" } else { "cannot_tell" }.into(),
        verdict_reason: Some("the upper end of the 90 % interval, 0.41, is below the useful effect 0.5".into()),
        refusal: None,
        reversed: false,
        mde: minimum_detectable_r(RUNS),
        cost_seconds: Some(10.0 * made(metric_number)),
        flags: vec!["fixed_learning_rate".into()],
        metric_orientation: "lower_is_better".into(),
        score_orientation: "lower_is_better".into(),
        trivial: metric_number < 4,
        n_needed: Some(31),
        details_json: serde_json::to_string(&details)?,
    })
}

/// What a suite of this size stores beside its fits: a dozen numbers a fit, one a run for leverage, one a metric and protocol pooled.
fn statistics(fits: &[FitRow]) -> Vec<StatisticRow> {
    let of_fit = |fit: &FitRow, kind: &str, name: &str, term: Option<String>| StatisticRow {
        kind: kind.into(),
        metric: Some(fit.metric.clone()),
        dataset: Some(fit.dataset.clone()),
        task: Some(fit.task.clone()),
        protocol: Some(fit.protocol.clone()),
        pool: Some(fit.pool.clone()),
        score: Some(fit.score.clone()),
        name: name.into(),
        term,
        value: fit.spearman,
        std_error: Some(0.123_456_789),
        low95: fit.spearman_low,
        high95: fit.spearman_high,
        p_raw: fit.p_raw,
        p_value: fit.p_value,
        n: fit.n,
        ..StatisticRow::default()
    };
    let mut rows = Vec::new();
    for fit in fits {
        for number in 0..12 {
            rows.push(of_fit(fit, ["regression", "correlation", "reliability"][number % 3], &format!("number_{number}"), None));
        }
        rows.extend((0..RUNS).map(|run| of_fit(fit, "influence", "leverage", Some(label(run)))));
    }
    for fit in fits.iter().filter(|fit| fit.dataset == "dataset0") {
        let details = r#"{"n_tasks": 9, "unreliable_tasks": [], "reversed": false, "minimum_detectable_r": 0.28}"#;
        rows.push(StatisticRow {
            dataset: None,
            task: None,
            score: None,
            verdict: Some(fit.verdict.clone()),
            reason: fit.verdict_reason.clone(),
            details_json: Some(details.into()),
            ..of_fit(fit, "pooled", "spearman", None)
        });
    }
    rows
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder")?;
    let mut store = Store::open_writer(Path::new(&folder))?;
    let suite = store.put_suite(&made_up::suite("large"))?;
    let mut cells: Vec<(NewCell, CellSpec, CellOutput)> = Vec::new();
    for run in 0..RUNS {
        let pretrain = format!("pretrain{run}");
        let spec = made_up::pretrain_spec(5_000_000, 20_000, run as u64);
        let output = made_up::pretrain_output(5_000_000, 20_000, &format!("weights{run}"), false);
        cells.push((made_up::cell(&pretrain, "pretrain", &[]), spec, output));
        for number in 0..METRICS {
            let key = format!("measure/{}/bert-{}M/mixed-20000/seed{run}", metric(number), run % 4);
            let spec = made_up::measure_spec(&metric(number), &format!("weights{run}-4"), 5_000_000, 20_000);
            cells.push((made_up::cell(&key, "measure", &[&pretrain]), spec, made_up::measure_output(value(number, run), 0.0)));
        }
        for (protocol, name) in PROTOCOLS.iter().enumerate() {
            for task in 0..TASKS {
                let key = format!("transfer/{name}/dataset{task}/bert-{}M/mixed-20000/seed{run}", run % 4);
                let (spec, output) = transfer(task, protocol, run);
                cells.push((made_up::cell(&key, "transfer", &[&pretrain]), spec, output));
            }
        }
    }
    // Corpus and datasets, of which a page tells the sizes.
    let corpus = (made_up::cell("corpus", "tokenise", &[]), made_up::corpus_spec(20_000), made_up::corpus_output(20_000));
    cells.push(corpus);
    for task in 0..TASKS {
        let (CellSpec::TokeniseDataset(mut spec), CellOutput::TokeniseDataset(mut output)) =
            (made_up::dataset_spec(), made_up::dataset_output())
        else {
            continue;
        };
        (spec.dataset, output.dataset) = (format!("dataset{task}"), format!("dataset{task}"));
        (output.data_digest, output.split_digest) = (format!("data{task}"), format!("split{task}"));
        let key = format!("dataset{task}");
        cells.push((made_up::cell(&key, "tokenise", &[]), CellSpec::TokeniseDataset(spec), CellOutput::TokeniseDataset(output)));
    }
    let plan: Vec<NewCell> = cells.iter().map(|(cell, _, _)| cell.clone()).collect();
    store.put_cells(suite, &plan)?;
    for (number, (cell, spec, output)) in cells.into_iter().enumerate() {
        let identity = format!("identity{number:08}");
        store.bind(suite, &cell.key, &identity, &spec)?;
        store.finish(&identity, &made_up::report(output))?;
    }
    let mut fits = Vec::new();
    for protocol in 0..PROTOCOLS.len() {
        for task in 0..TASKS {
            for number in 0..METRICS {
                fits.push(fit(number, task, protocol)?);
            }
        }
    }
    store.put_fits(suite, &fits, &statistics(&fits))?;
    Ok(())
}
