//! The suite of all metrics, planned with the tool's own plugins: every metric that is installed is in it.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::real::{PLUGINS, Real, checkout};

/// Metrics that there are at least.
const AT_LEAST: usize = 45;

/// The crates of all metric families.
fn families() -> Vec<String> {
    let entries = fs::read_dir(checkout().join("plugins/metrics")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| format!("clmbench-plugin-{}", entry.file_name().to_str().unwrap()))
        .collect();
    names.sort();
    names
}

fn real() -> Real {
    let families = families();
    let more: Vec<&str> = families.iter().map(String::as_str).filter(|family| !PLUGINS.contains(family)).collect();
    Real::new(&more)
}

fn suite() -> String {
    checkout().join("benchmarks/suites/metrics.toml").display().to_string()
}

fn words(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

#[test]
fn every_metric_is_planned_or_says_why_not() {
    let real = real();
    let listed = real.clmbench(&["plugin", "list", "--kind", "metric", "--json"]).code(0).rows();
    let ids: BTreeSet<String> = listed.iter().map(|row| words(row, "name")).collect();
    assert!(ids.len() >= AT_LEAST, "{} metrics: {ids:?}", ids.len());

    let plan = real.clmbench(&["plan", &suite(), "--json"]).code(0).rows().remove(0);
    assert_eq!((&plan["runs"], &plan["pool"]), (&4.into(), &4.into()));
    let metrics = plan["metrics"].as_array().unwrap();
    let planned: BTreeSet<String> = metrics.iter().map(|row| words(row, "metric")).collect();
    assert_eq!(planned, ids, "each is named once");
    for row in metrics {
        let (cells, left_out) = (row["cells"].as_u64().unwrap(), row["not_applicable"].as_u64().unwrap());
        let reasons = row["reasons"].as_array().unwrap();
        assert_eq!(left_out > 0, !reasons.is_empty(), "{row}");
        // Masked models, both kinds of tasks, pairs and fine-tuning are there: only causal models are not.
        if cells == 0 {
            assert!(reasons.iter().all(|reason| reason.as_str().unwrap().contains("causal language modelling")), "{row}");
        }
        // Runs x checkpoints x tasks.
        let expected = match words(row, "scope").as_str() {
            "checkpoint" => 4 * 3,
            "checkpoint_dataset" => 4 * 3 * 2,
            "run" => 4,
            // Three of the small size, and the large one, which has one seed, says why not.
            "pair" => 3 + 1,
            "transfer" => 4,
            scope => panic!("{scope}: {row}"),
        };
        assert_eq!(cells + left_out, expected, "{row}");
        assert!(row["by_class"].as_f64().unwrap() <= 20.0, "no more than the quick budget: {row}");
        assert!(row["spent"].is_null(), "nothing was computed yet: {row}");
    }
}

#[test]
fn the_plan_and_the_list_of_metrics_keep_to_80_columns() {
    let real = real();
    for arguments in [&["plan", &suite()][..], &["plugin", "list", "--kind", "metric"], &["metric", "list"]] {
        let text = real.with(arguments, &[("COLUMNS", "80")]).code(0).stdout;
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let list = real.with(&["plugin", "list", "--kind", "metric"], &[("COLUMNS", "80")]).code(0).stdout;
    let rows = real.clmbench(&["plugin", "list", "--kind", "metric", "--json"]).code(0).rows();
    // Three rules and a header: no row is wrapped.
    assert_eq!(list.lines().count(), rows.len() + 4, "{list}");
    let plan = real.with(&["plan", &suite()], &[("COLUMNS", "80")]).code(0).stdout;
    assert!(plan.contains("gradient-equivalents") && plan.contains("cells  a cell  in all  told by"), "{plan}");
}
