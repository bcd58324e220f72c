//! A made-up store of the size that tables must be quick at, for `cargo xtask perf store`: `large DIR`.
//!
//! 200 runs of 5 checkpoints; 50 metrics of 20 values on each, so 1,000,000 values; 20 datasets of 5 scores on each, so 100,000 scores,
//! with 500 test molecules at the last checkpoints; and 1,000 fits over 200 runs. One run, measurement and transfer are stored as always,
//! the others are copies of them under other names.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/store/made_up.rs"]
#[allow(dead_code)]
mod made_up;

use std::path::Path;

use clmbench_store::{FitRow, Store};
use made_up::{
    baseline_output, baseline_spec, cell, corpus_output, corpus_spec, dataset_output, dataset_spec, measure_output, measure_spec,
    pretrain_output, pretrain_spec, report, suite, transfer_output, transfer_spec,
};
use rusqlite::{Connection, Transaction, params};
use serde_json::json;

const RUNS: usize = 200;
const CHECKPOINTS: usize = 5;
const METRICS: usize = 50;
const VALUES: usize = 20;
const DATASETS: usize = 20;
const SCORES: usize = 5;
const MOLECULES: u64 = 500;

/// What a step gives, or what went wrong.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let folder = std::env::args_os().nth(1).ok_or("usage: large DIR")?;
    let folder = Path::new(&folder);
    let suite_id = templates(folder)?;
    let mut connection = Connection::open(folder.join("store.sqlite"))?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")?;
    let transaction = connection.transaction()?;
    copies(&transaction, suite_id)?;
    transaction.commit()?;
    drop(connection);
    let mut store = Store::open_writer(folder)?;
    store.put_fits(suite_id, &fits(), &[])?;
    store.vacuum()?;
    drop(store);
    let connection = Connection::open(folder.join("store.sqlite"))?;
    let count = |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    let bytes = std::fs::metadata(folder.join("store.sqlite"))?.len();
    println!(
        "{}",
        json!({"values": count("metric_value")?, "scores": count("score")?, "cells": count("cell")?, "fits": count("fit")?, "bytes": bytes})
    );
    Ok(())
}

/// One cell of each kind.
fn templates(folder: &Path) -> Outcome<i64> {
    let mut store = Store::open_writer(folder)?;
    let suite_id = store.put_suite(&suite("large"))?;
    let predictions = (0..MOLECULES).map(|row| (row, (row % 7) as f64, (row % 5) as f64)).collect();
    let cells = [
        ("corpus", "tokenise", corpus_spec(50), corpus_output(50)),
        ("dataset", "tokenise", dataset_spec(), dataset_output()),
        ("run", "pretrain", pretrain_spec(400, 50, 1), pretrain_output(400, 50, "w", false)),
        ("measure", "measure", measure_spec("loss/mlm_loss", "w-4", 400, 50), measure_output(1.5, 0.5)),
        ("transfer", "transfer", transfer_spec("w-4"), transfer_output(2.5, predictions)),
        ("forest", "transfer", baseline_spec(1), baseline_output(1.75, false)),
    ];
    store.put_cells(suite_id, &cells.each_ref().map(|(key, stage, ..)| cell(key, stage, &[])))?;
    for (key, _, spec, output) in cells {
        store.bind(suite_id, key, key, &spec)?;
        store.finish(key, &report(output))?;
    }
    Ok(suite_id)
}

fn metric(number: usize) -> String {
    if number == 0 { "loss/mlm_loss".to_owned() } else { format!("family{}/metric{number}", number % 7) }
}

/// A number that looks like a measured one.
fn noise(number: usize) -> f64 {
    (number.wrapping_mul(2_654_435_761) % 1_000_003) as f64 / 1_000_003.0
}

/// Copies of the templates.
fn copies(transaction: &Transaction<'_>, suite_id: i64) -> Outcome<()> {
    let mut position = 100_i64;
    let text = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, String>(0));
    let spec = text("SELECT spec_json FROM cell WHERE identity = 'run'")?;
    let dataset = text("SELECT output_json FROM cell WHERE identity = 'dataset'")?;
    let mut put_cell = transaction
        .prepare(
            "INSERT INTO cell (identity, stage, kind, spec_json, status, attempts, started, finished, output_json, output_digest, files_json,
               seconds, peak_rss_bytes, device, libtorch, build)
             SELECT ?2, stage, kind, coalesce(?3, spec_json), status, 1, finished, finished, coalesce(?4, output_json), ?2, files_json, seconds,
               peak_rss_bytes, device, libtorch, build FROM cell WHERE identity = ?1",
        )?;
    let mut put_plan = transaction
        .prepare("INSERT INTO plan_cell (suite_id, key, position, stage, label, identity) VALUES (?1, ?2, ?3, ?4, ?2, ?5)")?;
    let mut put_need = transaction.prepare("INSERT INTO plan_dependency VALUES (?1, ?2, 0, ?3)")?;
    let mut plan = |key: &str, stage: &str, identity: &str, needs: Option<&str>| -> Outcome<()> {
        position += 1;
        put_plan.execute(params![suite_id, key, position, stage, identity])?;
        if let Some(needs) = needs {
            put_need.execute(params![suite_id, key, needs])?;
        }
        Ok(())
    };
    let identity = |key: &str| blake3::hash(key.as_bytes()).to_hex().to_string();
    for number in 0..DATASETS {
        let key = format!("tokenise/dataset{number}");
        let output = dataset.replace("freesolv", &format!("dataset{number}")).replace("\"data\"", &format!("\"data{number}\""));
        put_cell.execute(params!["dataset", identity(&key), None::<String>, output])?;
        plan(&key, "tokenise", &identity(&key), None)?;
        for seed in 0..3 {
            let (baseline, key) = (format!("baseline/{number}/{seed}"), format!("tokenise/dataset{number}"));
            put_cell.execute(params!["forest", identity(&baseline), None::<String>, None::<String>])?;
            plan(&baseline, "transfer", &identity(&baseline), Some(&key))?;
            put_transfer(transaction, "forest", &identity(&baseline), number, "", noise(number + seed), true)?;
        }
    }
    for run in 0..RUNS {
        let key = format!("pretrain/run{run}");
        let own = spec.replace("\"seed\":1", &format!("\"seed\":{run}"));
        put_cell.execute(params!["run", identity(&key), own, None::<String>])?;
        plan(&key, "pretrain", &identity(&key), Some("corpus"))?;
        put_run(transaction, &identity(&key), run)?;
        for checkpoint in 0..CHECKPOINTS {
            let weights = format!("weights-{run}-{checkpoint}");
            for number in 0..METRICS {
                let measured = format!("measure/run{run}/{checkpoint}/{number}");
                put_cell.execute(params!["measure", identity(&measured), None::<String>, None::<String>])?;
                plan(&measured, "measure", &identity(&measured), Some(&key))?;
                put_measurement(transaction, &identity(&measured), &weights, number, run * 7 + checkpoint)?;
            }
            for number in 0..DATASETS {
                let scored = format!("transfer/run{run}/{checkpoint}/{number}");
                put_cell.execute(params!["transfer", identity(&scored), None::<String>, None::<String>])?;
                plan(&scored, "transfer", &identity(&scored), Some(&key))?;
                let value = noise(run * 31 + checkpoint + number);
                put_transfer(
                    transaction,
                    "transfer",
                    &identity(&scored),
                    number,
                    &weights,
                    value,
                    checkpoint + 1 == CHECKPOINTS,
                )?;
            }
        }
    }
    Ok(())
}

fn put_run(transaction: &Transaction<'_>, identity: &str, run: usize) -> Outcome<()> {
    transaction
        .prepare_cached(
            "INSERT INTO run SELECT ?1, plugin_name, plugin_version, architecture, objective, config_json, corpus_digest, tokenizer_digest,
               tokens, learning_rate, batch, ?2, corpus_molecules, non_embedding_parameters + ?3, total_parameters + ?3, epochs, control,
               diverged, divergence, imported FROM run WHERE identity = 'run'",
        )?
        .execute(params![identity, run.to_string(), (run % 10 * 1000) as i64])?;
    for checkpoint in 0..CHECKPOINTS {
        transaction.prepare_cached("INSERT INTO checkpoint VALUES (?1, ?2, ?3, ?2, ?2, 1, ?4, 0.0, 1.5, 6e6, ?5)")?.execute(
            params![
                identity,
                checkpoint as i64,
                format!("checkpoint-{checkpoint}"),
                checkpoint + 1 == CHECKPOINTS,
                format!("weights-{run}-{checkpoint}")
            ],
        )?;
    }
    Ok(())
}

fn put_measurement(transaction: &Transaction<'_>, identity: &str, weights: &str, number: usize, seed: usize) -> Outcome<()> {
    transaction
        .prepare_cached(
            "INSERT INTO measurement SELECT ?1, plugin_name, plugin_version, ?2, params_json, budget, ?3, tokens, corpus_molecules,
               heldout_digest, tokenizer_digest, NULL, NULL, NULL, molecules, gradient_equivalents, stopped
             FROM measurement WHERE identity = 'measure'",
        )?
        .execute(params![identity, metric(number), weights])?;
    for value in 0..VALUES {
        transaction
            .prepare_cached("INSERT INTO metric_value VALUES (?1, ?2, ?3, ?4, 'nats', 0.01, 0.02, 0.022, 'statistical', ?5)")?
            .execute(params![
                identity,
                value as i64,
                format!("value{value}"),
                noise(seed * 91 + number * 13 + value),
                value == 0
            ])?;
    }
    Ok(())
}

fn put_transfer(
    transaction: &Transaction<'_>,
    of: &str,
    identity: &str,
    number: usize,
    weights: &str,
    value: f64,
    predictions: bool,
) -> Outcome<()> {
    transaction
        .prepare_cached(
            "INSERT INTO transfer SELECT ?2, protocol, ?3, ?4, split_digest, ?5, embedding_digest, seed, learning_rate, epoch, searched, baseline
             FROM transfer WHERE identity = ?1",
        )?
        .execute(params![of, identity, weights, format!("data{number}"), format!("dataset{number}")])?;
    transaction
        .prepare_cached(
            "INSERT INTO transfer_task SELECT ?2, position, task, task_kind, score, refused, strength, n_train, n_validation, n_test
             FROM transfer_task WHERE identity = ?1",
        )?
        .execute([of, identity])?;
    for (score, name) in ["rmse", "mae", "r2", "pearson", "spearman"].into_iter().take(SCORES).enumerate() {
        transaction.prepare_cached("INSERT INTO score VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, 0.1, NULL, 4.2)")?.execute(params![
            identity,
            score as i64,
            name,
            value,
            score > 1,
            score == 0
        ])?;
    }
    if predictions {
        transaction
            .prepare_cached(
                "INSERT INTO prediction SELECT ?1, 0, molecules, blake3, data FROM prediction WHERE identity = 'transfer'",
            )?
            .execute([identity])?;
    }
    Ok(())
}

/// A fit of each metric to each dataset, with what stands beside one.
fn fits() -> Vec<FitRow> {
    let points: Vec<_> = (0..RUNS)
        .map(|run| {
            json!({"run": blake3::hash(format!("pretrain/run{run}").as_bytes()).to_hex().to_string(), "label": format!("pretrain/run{run}"),
                "metric": noise(run), "metric_std_error": 0.022, "score": noise(run * 31), "score_se_test": 0.1, "score_se_seed": null,
                "transfer_seeds": 1})
        })
        .collect();
    let interval = json!({"low90": -0.1, "high90": 0.1, "low95": -0.125, "high95": 0.125, "resamples": 999, "degenerate": 0});
    let pool = json!({"objective": "masked_lm", "tokenizer_digest": "tokenizer", "evaluation_digest": "heldout", "split_digest": "split",
        "data_digest": "data", "protocol": "probe"});
    let details = json!({"pool": pool, "family": "large probe", "family_size": METRICS * DATASETS, "params_json": "{}", "value_name": "value0",
        "unit": "nats", "useful_effect": 0.5, "permutation": null, "spearman_interval": interval, "spearman_interval_reason": null,
        "fit_reason": null, "hc3_std_error": 0.01, "gain": null, "random_band": null, "points": points, "excluded": []})
    .to_string();
    let fit = |number: usize, dataset: usize| FitRow {
        metric: metric(number),
        dataset: format!("dataset{dataset}"),
        task: "expt".into(),
        protocol: "probe".into(),
        pool: "masked_lm".into(),
        score: "rmse".into(),
        n: RUNS as u32,
        n_checkpoints: (RUNS * CHECKPOINTS) as u32,
        slope: Some(noise(number + dataset)),
        std_error: Some(0.1),
        r2: Some(0.1),
        q2: Some(0.05),
        spearman: Some(noise(number * 3 + dataset) - 0.5),
        spearman_low: Some(-0.6),
        spearman_high: Some(0.6),
        kendall: Some(0.1),
        p_value: Some(1.0),
        p_raw: Some(0.5),
        gain: Some(0.01),
        gain_verdict: Some("cannot_tell".into()),
        verdict: "cannot_tell".into(),
        mde: Some(0.2),
        cost_seconds: Some(1.25),
        metric_orientation: "lower_is_better".into(),
        score_orientation: "lower_is_better".into(),
        trivial: number % 10 == 9,
        details_json: details.clone(),
        ..FitRow::default()
    };
    (0..METRICS)
        .flat_map(|number| (0..DATASETS).map(move |dataset| (number, dataset)))
        .map(|(number, dataset)| fit(number, dataset))
        .collect()
}
