//! A suite from plan to leaderboard, and what `--json` prints on the way.

use clmbench_store::CellStatus;
use clmbench_tests::manifest::TRIVIAL;
use serde_json::Value;

use crate::bench::{Bench, SMALL, SUITE};

/// 1 dataset, 2 corpora, 8 runs, 4 controls; 12 embeddings and transfers; 6 metrics on 2 checkpoints of 8 runs.
const CELLS: usize = 1 + 2 + 8 + 4 + 12 + 12 + 6 * 2 * 8;

#[track_caller]
fn has(row: &Value, keys: &[&str]) {
    for key in keys {
        assert!(row.get(key).is_some(), "no `{key}` in {row}");
    }
}

#[test]
fn plan_says_what_will_be_computed_and_what_it_could_detect() {
    let bench = Bench::new(SUITE);
    let rows = bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows();
    assert_eq!(rows.len(), 1);
    let plan = &rows[0];
    has(plan, &["cells", "done", "todo", "runs", "mde", "gradient_equivalents", "seconds", "disk_bytes"]);
    assert_eq!((&plan["cells"], &plan["done"], &plan["todo"]), (&CELLS.into(), &0.into(), &CELLS.into()));
    assert_eq!(plan["runs"], 8);
    // SCIENCE: n = 6 can detect .93, n = 12 .74.
    let mde = plan["mde"].as_f64().unwrap();
    assert!((0.74..0.93).contains(&mde), "{mde}");
    assert!(bench.begun().is_empty() && !bench.store().join("store.sqlite").exists(), "nothing is computed");
    let text = bench.clmbench(&["plan", "suite.toml"]).code(0);
    assert!(text.stdout.contains("8") && !text.stdout.contains('\u{1b}'), "{}", text.stdout);
}

#[test]
fn a_run_ends_on_a_leaderboard_and_a_second_computes_nothing() {
    let bench = Bench::new(SUITE);
    let first = bench.run();
    assert!(first.stdout.contains("fake/loss") && first.stdout.contains("verdict"), "{}", first.stdout);
    assert!(!first.stdout.contains('\u{1b}') && !first.stderr.contains('\u{1b}'), "no colours when it is no terminal");
    let cells = bench.cells();
    assert_eq!(cells.len(), CELLS);
    assert!(cells.values().all(|cell| cell.0 == CellStatus::Done));
    let begun = bench.begun();
    let different: std::collections::BTreeSet<_> = begun.iter().collect();
    assert_eq!(different.len(), begun.len(), "no cell is computed twice");
    bench.check_artifacts();
    let board = bench.board();

    bench.run();
    assert_eq!(bench.begun().len(), begun.len());
    assert_eq!(bench.cells(), cells);
    assert_eq!(bench.board(), board);
    let plan = bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows().remove(0);
    assert_eq!((&plan["done"], &plan["todo"]), (&CELLS.into(), &0.into()));
    let left: Vec<_> = std::fs::read_dir(bench.store().join("work")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_leaderboard_of_predictors_has_its_columns() {
    let bench = Bench::new(SUITE);
    bench.run();
    let rows = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    let mut metrics: Vec<&str> = rows.iter().map(|row| row["metric"].as_str().unwrap()).collect();
    metrics.sort_unstable();
    for metric in ["fake/loss", "fake/noise"].iter().chain(&TRIVIAL) {
        assert!(metrics.contains(metric), "{metrics:?}");
    }
    for row in &rows {
        has(row, &["metric", "dataset", "task", "protocol", "pool", "score", "n", "n_checkpoints", "slope", "std_error"]);
        has(row, &["ci_low", "ci_high", "r2", "q2", "spearman", "kendall", "p_value", "p_raw", "gain", "gain_verdict"]);
        has(row, &["verdict", "reversed", "mde", "cost_seconds", "flags"]);
        assert_eq!((&row["dataset"], &row["task"], &row["protocol"]), (&"alpha".into(), &"affinity".into(), &"probe".into()));
        assert_eq!(row["score"], "rmse");
        assert_eq!(row["n"], 8, "controls are never counted: {row}");
    }
    let row = |metric: &str| rows.iter().find(|row| row["metric"] == metric).unwrap();
    // All runs have the same tokens, so there is nothing to fit.
    assert_eq!(row("trivial/tokens")["verdict"], "refused", "{}", row("trivial/tokens"));
    let reason = row("trivial/tokens")["verdict_reason"].as_str().unwrap();
    assert!(reason.contains("`trivial/tokens` has the same value in every run"), "{reason}");
    let loss = row("fake/loss");
    assert!(loss["spearman"].as_f64().unwrap() > 0.3, "a good metric, oriented: {loss}");
    assert!((loss["mde"].as_f64().unwrap() - 0.85).abs() < 0.05, "{}", loss["mde"]);
}

#[test]
fn models_status_show_and_plugins_print_rows() {
    let bench = Bench::new(SMALL);
    bench.run();
    let models = bench.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    assert!(!models.is_empty());

    let status = bench.clmbench(&["status", "--json"]).code(0).rows();
    assert_eq!(status.len(), bench.cells().len());
    status.iter().for_each(|row| has(row, &["key", "stage", "label", "identity", "status", "attempts", "seconds"]));
    assert!(status.iter().all(|row| row["status"] == "done" && row["attempts"] == 1));
    let named = bench.clmbench(&["status", "--suite", "small", "--json"]).code(0).rows();
    assert_eq!(named, status);

    let measured = status.iter().find(|row| row["stage"] == "measure").unwrap();
    let (key, identity) = (measured["key"].as_str().unwrap(), measured["identity"].as_str().unwrap());
    let by_key = bench.clmbench(&["show", key, "--json"]).code(0).rows();
    let by_identity = bench.clmbench(&["show", &identity[..12], "--json"]).code(0).rows();
    assert_eq!(by_key, by_identity);
    assert_eq!(by_key[0]["spec"]["metric"], "fake/noise");
    assert_eq!(by_key[0]["output"]["values"][0]["name"], "value");
    for row in &status {
        bench.clmbench(&["show", row["key"].as_str().unwrap()]).code(0);
    }

    let plugins = bench.clmbench(&["plugin", "list", "--json"]).code(0).rows();
    plugins.iter().for_each(|row| has(row, &["kind", "name", "version", "file", "parameters"]));
    let kind = |kind: &str| plugins.iter().filter(|row| row["kind"] == kind).count();
    assert_eq!((kind("architecture"), kind("dataset"), kind("metric")), (1, 2, 6));
}

#[test]
fn run_prints_one_json_object_too() {
    let bench = Bench::new(SUITE);
    let rows = bench.clmbench(&["run", "suite.toml", "--json"]).code(0).rows();
    let again = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    assert_eq!(rows, again);
}

#[test]
fn two_runs_from_empty_give_the_same_values_whatever_the_workers() {
    let [one, other] = [("1", "--quiet"), ("4", "--isolate")].map(|(workers, more)| {
        let bench = Bench::new(SUITE);
        bench.clmbench(&["run", "suite.toml", "--workers", workers, more]).code(0);
        (bench.cells(), bench.board())
    });
    assert_eq!(one.0, other.0);
    assert_eq!(one.1, other.1);
}

#[test]
fn a_changed_suite_computes_only_what_is_new() {
    let bench = Bench::new(SMALL);
    bench.run();
    let before = bench.begun();
    let more = SMALL.replace("id = \"fake/noise\"", "id = \"fake/noise\"\n[[metric]]\nid = \"fake/loss\"");
    std::fs::write(bench.path("suite.toml"), more).unwrap();
    bench.run();
    assert_eq!(bench.begun().len(), before.len() + 1);
}

#[test]
fn a_new_plugin_version_is_another_plugin() {
    let bench = Bench::new(SMALL);
    bench.run();
    let before = bench.begun();
    bench.install_plugin("0.2.0");
    bench.run();
    let after = bench.begun();
    assert!(after.len() > before.len());
    assert!(bench.cells().values().all(|cell| cell.0 == CellStatus::Done));
}

#[test]
fn damaged_files_of_a_finished_cell_are_computed_again_before_they_are_read() {
    let bench = Bench::new(SMALL);
    bench.run();
    let cells = bench.cells();
    let (_, identity, _) = cells.iter().find(|(key, _)| key.starts_with("pretrain/")).unwrap().1.clone();
    let weights = bench.store().join("artifacts").join(identity.unwrap()).join("checkpoint-1/model.safetensors");
    std::fs::write(&weights, "cut").unwrap();
    let more = SMALL.replace("id = \"fake/noise\"", "id = \"fake/noise\"\n[[metric]]\nid = \"fake/loss\"");
    std::fs::write(bench.path("suite.toml"), more).unwrap();
    bench.run();
    bench.check_artifacts();
    assert!(bench.cells().values().all(|cell| cell.0 == CellStatus::Done));
}

#[test]
fn damage_that_size_and_time_do_not_tell_is_found_by_verify() {
    let bench = Bench::new(SMALL);
    bench.run();
    let (_, identity, _) = bench.cells().into_iter().find(|(key, _)| key.starts_with("pretrain/")).unwrap().1;
    let weights = bench.store().join("artifacts").join(identity.unwrap()).join("checkpoint-1/model.safetensors");
    let (whole, modified) = (std::fs::read(&weights).unwrap(), std::fs::metadata(&weights).unwrap().modified().unwrap());
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    std::fs::File::options().write(true).open(&weights).unwrap().set_modified(modified).unwrap();
    let more = SMALL.replace("id = \"fake/noise\"", "id = \"fake/noise\"\n[[metric]]\nid = \"fake/loss\"");
    std::fs::write(bench.path("suite.toml"), more).unwrap();
    let answer = bench.clmbench(&["run", "suite.toml", "--verify"]).code(0);
    assert!(answer.stderr.contains("are not those that were written"), "{}", answer.stderr);
    assert_eq!(std::fs::read(&weights).unwrap(), whole);
}

#[test]
fn plan_keeps_to_80_columns() {
    let bench = Bench::new(SUITE);
    let answer = bench.with(&["plan", "suite.toml"], &[("COLUMNS", "80")]).code(0);
    assert!(answer.stdout.lines().all(|line| line.chars().count() <= 80), "{}", answer.stdout);
    assert!(answer.stdout.contains("8 pretrain + 4 controls"), "{}", answer.stdout);
}
