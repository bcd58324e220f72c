//! `export`: every number of the leaderboards is found in it, in both forms, with stable types.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    bench::{Bench, SUITE},
    protocols::BOTH,
};

/// What can be exported.
pub const WHAT: [&str; 5] = ["results", "fits", "models", "cells", "predictions"];

/// The rows of a CSV text as maps from column to cell, read back by a parser that is not ours.
pub fn parsed(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| headers.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// A suite with both protocols and four runs, one metric of which has failed.
pub fn both() -> Bench {
    let bench = Bench::new(&BOTH.replace("presets = [\"a\", \"b\"]", "presets = [\"a\", \"b\", \"c\", \"d\"]"));
    fs::write(bench.path("own.smi"), "CCO\nCCN\n").unwrap();
    bench
}

/// A cell of CSV and the JSON value of the same row and column say the same.
#[track_caller]
fn same(cell: &str, value: &Value, what: &str) {
    match value {
        Value::Null => assert_eq!(cell, "", "{what}"),
        Value::Number(number) if number.is_f64() => {
            assert_eq!(cell.parse::<f64>().unwrap().to_bits(), number.as_f64().unwrap().to_bits(), "{what}: {cell}");
        }
        Value::Number(number) => assert_eq!(cell, number.to_string(), "{what}"),
        Value::Bool(flag) => assert_eq!(cell, flag.to_string(), "{what}"),
        Value::String(text) => assert_eq!(cell, text, "{what}"),
        Value::Array(words) if words.iter().all(Value::is_string) => {
            assert_eq!(cell, words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "), "{what}");
        }
        value => assert_eq!(serde_json::from_str::<Value>(cell).unwrap(), *value, "{what}"),
    }
}

#[test]
fn both_forms_say_the_same_and_the_default_is_results() {
    let bench = both();
    bench.run();
    for what in WHAT {
        let csv = bench.clmbench(&["export", what, "--format", "csv"]).code(0).stdout;
        let json = bench.clmbench(&["export", what, "--json"]).code(0);
        assert_eq!(json.stdout, bench.clmbench(&["export", what, "--format", "json"]).code(0).stdout);
        let (cells, rows) = (parsed(&csv), json.rows());
        assert!(rows.len() > 5 && cells.len() == rows.len(), "{what}: {} and {}", cells.len(), rows.len());
        for (cells, row) in cells.iter().zip(&rows) {
            let row = row.as_object().unwrap();
            assert_eq!(cells.len(), row.len());
            row.iter().for_each(|(key, value)| same(&cells[key], value, key));
        }
        let file = bench.clmbench(&["export", what, "--out", "rows.csv"]).code(0);
        assert!(file.stdout.is_empty() && file.stderr.contains("rows.csv written"), "{}", file.stderr);
        assert_eq!(fs::read_to_string(bench.path("rows.csv")).unwrap(), csv);
    }
    let plain = bench.clmbench(&["export", "--format", "csv"]).code(0).stdout;
    assert_eq!(plain, bench.clmbench(&["export", "results"]).code(0).stdout);
}

/// All numbers of a leaderboard's row by their keys.
fn numbers(row: &Value) -> BTreeMap<&str, f64> {
    let pairs = row.as_object().unwrap().iter();
    pairs.filter_map(|(key, value)| Some((key.as_str(), value.as_f64()?))).collect()
}

#[test]
fn every_number_of_the_leaderboards_is_exported() {
    let bench = both();
    bench.run();
    for (board, what) in [("predictors", "fits"), ("models", "models")] {
        let rows = bench.clmbench(&["leaderboard", board, "--json"]).code(0).rows();
        let cells = parsed(&bench.clmbench(&["export", what]).code(0).stdout);
        assert_eq!(rows.len(), cells.len());
        for (row, cells) in rows.iter().zip(&cells) {
            for (key, number) in numbers(row) {
                assert_eq!(cells[key].parse::<f64>().unwrap().to_bits(), number.to_bits(), "{key}");
            }
            // Nothing of the row is left out.
            assert!(row.as_object().unwrap().keys().all(|key| cells.contains_key(key)), "{row}");
        }
    }
    // And they follow from the long form: scores are means over transfer seeds, points are metric values of last checkpoints.
    let results = bench.clmbench(&["export", "results", "--json"]).code(0).rows();
    for model in bench.clmbench(&["leaderboard", "models", "--json"]).code(0).rows() {
        let kind = match model["kind"].as_str().unwrap() {
            "run" => "score",
            "control" => "control",
            _ => "baseline",
        };
        let same = |row: &&Value| {
            row["kind"] == kind
                && row["primary"] == true
                && ["dataset", "task", "protocol"].iter().all(|key| row[*key] == model[*key])
                && (kind == "baseline" || (row["run_cell"] == model["run"] && row["last"] == true))
        };
        let values: Vec<f64> = results.iter().filter(same).map(|row| row["value"].as_f64().unwrap()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean - model["value"].as_f64().unwrap()).abs() < 1e-12, "{model}: {values:?}");
    }
    for fit in bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows() {
        for point in fit["details"]["points"].as_array().unwrap() {
            let same = |row: &&Value| {
                row["kind"] == "metric"
                    && row["primary"] == true
                    && row["last"] == true
                    && row["name"] == fit["metric"]
                    && row["run_cell"] == point["run"]
            };
            let found = results.iter().find(same).unwrap_or_else(|| panic!("no result of {point}"));
            assert_eq!((&found["value"], &found["std_error"]), (&point["metric"], &point["metric_std_error"]));
        }
    }
}

#[test]
fn results_say_what_each_number_is() {
    let bench = both();
    bench.run();
    let rows = bench.clmbench(&["export", "--json"]).code(0).rows();
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).collect::<Vec<_>>();
    // One corpus with three count models; 5 metrics of 2 values on 4 runs; 3 scored tasks with 2 scores under a probe and two
    // seeds of fine-tuning, for 4 runs and 4 controls; a baseline for each.
    assert_eq!(of("corpus").len(), 3);
    assert_eq!(of("metric").len(), 5 * 2 * 4);
    assert_eq!((of("score").len(), of("control").len()), (3 * 2 * 3 * 4, 3 * 2 * 3 * 4));
    assert_eq!(of("baseline").len(), 3 * 2 * 2);
    let seeds = |protocol: &str| {
        let found = rows.iter().filter(|row| row["kind"] == "score" && row["protocol"] == protocol);
        found.map(|row| row["transfer_seed"].as_u64()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(seeds("probe"), [None].into());
    assert_eq!(seeds("finetune"), [Some(7000), Some(7001)].into());
    let loss = of("metric").into_iter().find(|row| row["name"] == "fake/loss" && row["primary"] == true).unwrap();
    assert_eq!((&loss["unit"], &loss["se_estimator"], &loss["se_sample"]), (&"1".into(), &0.02.into(), &Value::Null));
    assert_eq!(loss["params"]["budget"], "standard");
    assert_eq!(loss["config"]["layers"], 1);
    for key in ["run", "checkpoint", "checkpoint_tokens", "non_embedding_parameters", "seed", "objective", "cell", "seconds"] {
        assert!(!loss[key].is_null(), "{key}: {loss}");
    }
    let rmse = of("score").into_iter().find(|row| row["name"] == "rmse").unwrap();
    assert_eq!((&rmse["unit"], &rmse["n"], &rmse["se_test"]), (&"kcal/mol".into(), &10.into(), &0.1.into()));

    let some = bench.clmbench(&["export", "--dataset", "beta", "--protocol", "probe", "--json"]).code(0).rows();
    assert!(!some.is_empty() && some.iter().all(|row| row["dataset"] == "beta" && row["protocol"] == "probe"));
    for what in WHAT {
        let wrong = bench.clmbench(&["export", what, "--dataset", "gamma"]).code(2);
        assert!(wrong.stderr.contains("beta (finetune)") && wrong.stdout.is_empty(), "{what}: {}", wrong.stderr);
    }
}

#[test]
fn cells_of_every_status_are_exported_with_their_reasons() {
    let bench = both();
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "\"layers\":2")]).code(3);
    let rows = bench.clmbench(&["export", "cells", "--json"]).code(0).rows();
    assert_eq!(rows.len(), bench.cells().len());
    let of = |status: &str| rows.iter().filter(|row| row["status"] == status).collect::<Vec<_>>();
    assert!(of("failed").iter().all(|row| row["failure_kind"] == "plugin_error" && row["bytes"].is_null()));
    assert!(!of("failed").is_empty() && of("refused").iter().all(|row| !row["reason"].is_null()));
    assert!(of("done").iter().all(|row| row["bytes"].as_u64().unwrap() > 0 && row["identity"].is_string()));
    let beta = bench.clmbench(&["export", "cells", "--dataset", "beta", "--json"]).code(0).rows();
    assert!(!beta.is_empty() && beta.iter().all(|row| row["key"].as_str().unwrap().contains("beta")), "{beta:?}");
}

#[test]
fn a_store_without_results_exports_no_rows() {
    let bench = Bench::new(SUITE);
    for what in WHAT {
        let answer = bench.clmbench(&["export", what]).code(5);
        assert!(answer.stdout.is_empty() && answer.stderr.contains("clmbench run"), "{}", answer.stderr);
    }
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail")]).code(3);
    for what in ["results", "fits", "models", "predictions"] {
        let json = bench.clmbench(&["export", what, "--json"]).code(0);
        assert!(json.rows().is_empty(), "{what}: {}", json.stdout);
        assert_eq!(bench.clmbench(&["export", what]).code(0).stdout.lines().count(), 1, "{what}: a header alone");
    }
}
