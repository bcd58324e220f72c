//! The views say what the typed queries say.

use std::{collections::BTreeMap, path::Path};

use clmbench_protocol::{CellSpec, Failure, FailureKind, Precision, Protocol};
use clmbench_store::{FitRow, NewCell, StatisticRow, Store};
use rusqlite::types::ValueRef;
use serde::Serialize;
use serde_json::Value;
use tempfile::tempdir;

use crate::made_up::{
    baseline_output, baseline_spec, cell, corpus_output, corpus_spec, dataset_output, dataset_spec, finetune_output,
    finetune_spec, import_output, import_spec, measure_output, measure_spec, pretrain_output, pretrain_spec, report, suite,
    transfer_output, transfer_spec,
};

/// Two suites over the same cells: runs, controls that share weights, a checkpoint of others, a failure, a baseline, and numbers that
/// are not finite.
pub fn made_up(store: &mut Store) -> Vec<i64> {
    ["first", "second"].map(|name| one(store, name)).to_vec()
}

fn one(store: &mut Store, name: &str) -> i64 {
    let suite_id = store.put_suite(&suite(name)).unwrap();
    let transfer = |key: &str| cell(key, "transfer", &[]);
    let measure = |key: &str| cell(key, "measure", &["run"]);
    let plan = [
        cell("corpus", "tokenise", &[]),
        cell("dataset", "tokenise", &[]),
        cell("run", "pretrain", &["corpus"]),
        cell("same run", "pretrain", &["corpus"]),
        cell("control", "pretrain", &["corpus"]),
        cell("control-16", "pretrain", &["corpus"]),
        cell("gone", "pretrain", &["corpus"]),
        NewCell { source: Some("folder:x".into()), tokens: Some(700), molecules: Some(90), ..cell("import", "import", &[]) },
        measure("loss"),
        measure("loss-control"),
        measure("aware"),
        measure("failed"),
        measure("odd"),
        measure("todo"),
        transfer("probe"),
        transfer("tuned"),
        transfer("tuned-control"),
        transfer("forest"),
    ];
    store.put_cells(suite_id, &plan).unwrap();
    let half = |mut spec: CellSpec| {
        match &mut spec {
            CellSpec::Pretrain(spec) => spec.precision = Precision::Bfloat16,
            CellSpec::Transfer(spec) => {
                if let Protocol::Finetune(spec) = &mut spec.protocol {
                    spec.precision = Precision::Bfloat16;
                }
            }
            _ => {}
        }
        spec
    };
    let mut aware = measure_spec("label/aware", "w-4", 400, 50);
    if let CellSpec::Measure(spec) = &mut aware {
        spec.dataset = Some(("data".into(), "split".into(), "expt".into()));
    }
    let tuned = || finetune_output(0.75, vec![(7, 1.0, 0.875)]);
    let cells = [
        ("corpus", corpus_spec(50), Some(corpus_output(50))),
        ("dataset", dataset_spec(), Some(dataset_output())),
        ("run", pretrain_spec(400, 50, u64::MAX), Some(pretrain_output(400, 50, "w", false))),
        ("control", pretrain_spec(0, 50, 1), Some(pretrain_output(0, 50, "c", false))),
        ("control-16", half(pretrain_spec(0, 60, 1)), Some(pretrain_output(0, 60, "c", false))),
        ("gone", pretrain_spec(400, 50, 2), Some(pretrain_output(400, 50, "g", true))),
        ("import", import_spec(None), Some(import_output("theirs"))),
        ("loss", measure_spec("loss/mlm_loss", "w-4", 400, 50), Some(measure_output(1.5, f64::NEG_INFINITY))),
        ("loss-control", measure_spec("loss/mlm_loss", "c-4", 0, 60), Some(measure_output(6.5, 0.25))),
        ("aware", aware, Some(measure_output(0.1 + 0.2, f64::NAN))),
        ("failed", measure_spec("x/y", "w-4", 400, 50), None),
        ("todo", measure_spec("x/z", "w-4", 400, 50), None),
        ("probe", transfer_spec("w-4"), Some(transfer_output(2.5, vec![(3, 1.0, -0.5)]))),
        ("tuned", finetune_spec("w-4", u64::MAX, true), Some(tuned())),
        ("tuned-control", half(finetune_spec("c-4", 5, false)), Some(tuned())),
        ("forest", baseline_spec(5_000), Some(baseline_output(1.75, false))),
    ];
    for (key, spec, output) in cells {
        let identity = format!("identity-{key}");
        store.bind(suite_id, key, &identity, &spec).unwrap();
        if let Some(output) = output {
            store.finish(&identity, &report(output)).unwrap();
        }
    }
    store.bind(suite_id, "same run", "identity-run", &pretrain_spec(400, 50, u64::MAX)).unwrap();
    store.fail("identity-failed", &Failure { kind: FailureKind::TimeLimit, message: "too slow".into() }).unwrap();
    store.set_not_applicable(suite_id, "odd", "needs a causal model").unwrap();
    let details = serde_json::json!({
        "family": "a family", "family_size": 12, "spearman_interval": {"low90": -0.25, "high90": 0.75, "low95": -0.5, "high95": 0.875},
        "gain": null, "points": [
            {"run": "identity-run", "label": "label of run", "metric": 1.5, "metric_std_error": "NaN", "score": "inf",
             "score_se_test": 0.1, "score_se_seed": null, "transfer_seeds": 3}]
    });
    let fit = FitRow {
        metric: "loss/mlm_loss".into(),
        verdict: "cannot_tell".into(),
        n: 12,
        slope: Some(0.1 + 0.2),
        ci_low: Some(f64::NEG_INFINITY),
        spearman_high: Some(0.875),
        r2: Some(f64::NAN),
        flags: vec!["mixed".into()],
        details_json: details.to_string(),
        ..FitRow::default()
    };
    let statistic = StatisticRow {
        kind: "pooled".into(),
        name: "spearman".into(),
        value: Some(f64::NAN),
        low95: Some(0.25),
        n: 4,
        ..StatisticRow::default()
    };
    store.put_fits(suite_id, &[fit.clone(), FitRow { details_json: String::new(), ..fit }], &[statistic]).unwrap();
    suite_id
}

type Row = BTreeMap<String, String>;

/// The rows of a view of one suite, as text.
fn view(path: &Path, view: &str, suite_id: i64) -> Vec<Row> {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "trusted_schema", false).unwrap();
    let mut statement = connection.prepare(&format!("SELECT * FROM {view} WHERE suite_id = ?1")).unwrap();
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([suite_id]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let text = |column: usize| match row.get_ref(column).unwrap() {
            ValueRef::Null => "NULL".to_owned(),
            ValueRef::Integer(value) => value.to_string(),
            ValueRef::Real(value) => value.to_string(),
            ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            ValueRef::Blob(_) => panic!("a blob in {view}"),
        };
        found.push(names.iter().enumerate().map(|(column, name)| (name.clone(), text(column))).collect());
    }
    found
}

/// The text of a value of a typed row, as a view would have it: NaN is NULL there.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => i64::from(*value).to_string(),
        Value::String(value) if value == "NaN" => "NULL".to_owned(),
        Value::String(value) => value.clone(),
        Value::Number(value) => value.as_u64().map_or_else(|| value.as_f64().unwrap().to_string(), |whole| whole.to_string()),
        other => other.to_string(),
    }
}

/// Holds a view against typed rows: each field of these but the skipped ones is a column, under its own name or another one.
fn same<T: Serialize>(view: Vec<Row>, typed: &[T], renamed: &[(&str, &str)], skipped: &[&str]) {
    let name = |field: &str| renamed.iter().find(|(from, _)| *from == field).map_or(field, |(_, to)| *to).to_owned();
    let mut expected: Vec<Row> = Vec::new();
    for row in typed {
        let Value::Object(fields) = serde_json::to_value(row).unwrap() else { panic!("not a row") };
        let kept = fields.iter().filter(|(field, _)| !skipped.contains(&field.as_str()));
        expected.push(kept.map(|(field, value)| (name(field), text(value))).collect());
    }
    let columns: Vec<String> = expected.first().expect("rows to compare").keys().cloned().collect();
    let mut found: Vec<Row> = view
        .into_iter()
        .map(|row| columns.iter().map(|column| (column.clone(), row.get(column).expect(column).clone())).collect())
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn every_view_says_what_the_typed_query_says() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suites = made_up(&mut store);
    drop(store);
    let store = Store::open_reader(folder.path()).unwrap();
    let path = folder.path().join("store.sqlite");
    for suite_id in suites {
        let of = |name: &str| view(&path, name, suite_id);
        let label = [("label", "run_label")];
        same(of("cells"), &store.cells(suite_id).unwrap(), &[], &["dependencies", "elapsed_seconds"]);
        same(of("runs"), &store.runs(suite_id).unwrap(), &label, &["configuration"]);
        same(of("checkpoints"), &store.checkpoints(suite_id).unwrap(), &[("folder", "checkpoint")], &[]);
        let primary = [("primary", "is_primary")];
        same(of("metric_values"), &store.metric_rows(suite_id).unwrap(), &primary, &["dataset"]);
        same(of("scores"), &store.score_rows(suite_id).unwrap(), &primary, &["fixed_learning_rate"]);
        same(of("baseline_scores"), &store.baseline_rows(suite_id).unwrap(), &primary, &[]);
        let ends = [
            ("ci_low", "slope_low95"),
            ("ci_high", "slope_high95"),
            ("spearman_low", "spearman_low95"),
            ("spearman_high", "spearman_high95"),
            ("gain_low", "gain_low95"),
            ("gain_high", "gain_high95"),
            ("flags", "flags_json"),
        ];
        same(of("fits"), &store.fits(suite_id).unwrap(), &ends, &[]);
        same(of("statistics"), &store.statistics(suite_id).unwrap(), &[], &[]);
    }
}

#[test]
fn views_know_what_no_typed_row_holds() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let suites = made_up(&mut store);
    drop(store);
    let path = folder.path().join("store.sqlite");
    let of = |name: &str| view(&path, name, suites[0]);
    let found: Vec<Vec<String>> = of("runs")
        .into_iter()
        .map(|row| {
            ["run_label", "last_checkpoint", "heldout_loss", "heldout_loss_std_error"].map(|name| row[name].clone()).to_vec()
        })
        .collect();
    assert!(found.contains(&["label of run", "checkpoint-4", "1.5", "0.125"].map(str::to_owned).to_vec()), "{found:?}");
    assert!(found.contains(&["label of import", "checkpoint-0", "NULL", "NULL"].map(str::to_owned).to_vec()), "{found:?}");
    let fit = of("fits").remove(0);
    let ends = ["spearman_low90", "spearman_high90", "gain_low90", "family", "family_size"].map(|name| fit[name].as_str());
    assert_eq!(ends, ["-0.25", "0.75", "NULL", "a family", "12"]);
    let point = of("points").remove(0);
    let names =
        ["run_label", "metric_value", "metric_std_error", "score_value", "score_se_test", "score_se_seed", "transfer_seeds"];
    assert_eq!(names.map(|name| point[name].as_str()), ["label of run", "1.5", "NULL", "inf", "0.1", "NULL", "3"]);
    let aware: Vec<_> = of("metric_values").into_iter().filter(|row| row["metric"] == "label/aware").collect();
    assert!(aware.iter().all(|row| row["dataset"] == "freesolv" && row["task"] == "expt") && aware.len() == 2);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let newest: String = connection
        .query_row(
            "SELECT group_concat(suite || ' ' || newest || ' ' || cells || ' ' || finished, ', ') FROM suites",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(newest, "first 1 18 15, second 1 18 15");
    let kinds: String = connection
        .query_row(
            "SELECT group_concat(DISTINCT type) FROM pragma_table_info('scores') WHERE name IN ('value', 'se_test', 'se_seed')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kinds, "REAL", "programs that ask for the type of a column get it");
}
