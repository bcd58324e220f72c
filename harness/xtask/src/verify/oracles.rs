//! Every metric against its truths over many seeds: the metric families' own tests (`tests/oracles.rs`) at their full size.

use std::{collections::BTreeSet, fs, path::Path};

use clap::Args;
use serde::Deserialize;

use crate::{
    bench::{Bench, environment, markdown},
    cargo::{cargo, run},
    error::XtaskError,
    families,
};

/// Arguments of `verify oracles`.
#[derive(Debug, Args)]
pub struct OracleArguments {
    /// Seeds of each estimate.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// Also write the table to benchmarks/ORACLES.md.
    #[arg(long)]
    write: bool,
}

/// A line that a check leaves (`clmbench_sdk::testing::oracle::Row`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Row {
    metric: String,
    value: String,
    oracle: String,
    truth: f64,
    found: f64,
    allowed: f64,
    seeds: Option<u64>,
    coverage: Option<f64>,
}

/// Runs the tests, which end with an error where a value is off, and shows what they report.
pub fn run_oracles(arguments: &OracleArguments) -> Result<(), XtaskError> {
    let bench = Bench::new("verify-oracles", false)?;
    let checkout = bench.checkout.clone();
    let file = bench.store("rows.jsonl");
    for family in families::with(&checkout, "tests/oracles.rs")? {
        let mut command = cargo(&checkout);
        let package = families::package(&family);
        command.args(["test", "--release", "--locked", "-p", package.as_str(), "--test", "oracles"]);
        command.env("CLMBENCH_ORACLE_SEEDS", arguments.seeds.to_string()).env("CLMBENCH_ORACLE_TABLE", &file);
        run(command)?;
    }
    let rows = rows(&file)?;
    let text = page(&rows, &environment(&checkout), arguments.seeds);
    println!("\n{text}");
    let without = without_oracle(&bench, &rows)?;
    if !without.is_empty() {
        return Err(XtaskError::Check(format!(
            "no oracle for {}; add a check to tests/oracles.rs of the family",
            without.into_iter().collect::<Vec<_>>().join(", ")
        )));
    }
    if arguments.write {
        let path = checkout.join("benchmarks/ORACLES.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

/// The lines in a file, by metric, value and oracle.
fn rows(file: &Path) -> Result<Vec<Row>, XtaskError> {
    let text = fs::read_to_string(file).map_err(XtaskError::io("read", file))?;
    let mut rows: Vec<Row> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    rows.sort_by(|a, b| (&a.metric, &a.value, &a.oracle).cmp(&(&b.metric, &b.value, &b.oracle)));
    Ok(rows)
}

/// Metrics of the installed plugins that no line is about.
fn without_oracle(bench: &Bench, rows: &[Row]) -> Result<BTreeSet<String>, XtaskError> {
    let known: BTreeSet<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    let offered = bench.plugins()?.into_iter().filter(|row| row["kind"] == "metric");
    let ids = offered.filter_map(|row| row["name"].as_str().map(str::to_owned));
    Ok(ids.filter(|id| !known.contains(id.as_str())).collect())
}

fn page(rows: &[Row], environment: &str, seeds: u64) -> String {
    let metrics: BTreeSet<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    let (exact, estimated): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.seeds.is_none());
    let cells = |row: &&Row, last: [String; 2]| {
        let [a, b] = last;
        let head = [format!("`{}`", row.metric), format!("`{}`", row.value), row.oracle.clone()];
        head.into_iter().chain([number(row.truth), number(row.found), a, b]).collect::<Vec<_>>()
    };
    let exact_rows: Vec<Vec<String>> = exact
        .iter()
        .map(|row| {
            let size = if row.truth == 0.0 { 1.0 } else { row.truth.abs() };
            cells(row, [format!("{:.0e}", (row.found - row.truth).abs() / size), format!("{:.0e}", row.allowed)])
        })
        .collect();
    let estimated_rows: Vec<Vec<String>> = estimated
        .iter()
        .map(|row| {
            let bias = (row.found - row.truth) / row.allowed;
            cells(row, [format!("{bias:+.1}"), row.coverage.map_or_else(String::new, |share| format!("{share:.3}"))])
        })
        .collect();
    format!(
        "# Oracles\n\nMade by `cargo xtask verify oracles --seeds {seeds} --write` on {environment}.\n\n\
         {} metrics, {} exact checks, {} estimates over {seeds} seeds. Exact checks fail beyond the difference allowed; estimates\n\
         fail where their mean over seeds is more than four of its standard errors off the truth, or where their 95 % intervals hold\n\
         the truth in fewer than .916 or more than .978 of 500 seeds (wider for fewer seeds).\n\n\
         ## Exact\n\n{}\n## Estimated\n\n`off by` is in standard errors of the mean over seeds.\n\n{}",
        metrics.len(),
        exact.len(),
        estimated.len(),
        markdown(&["metric", "value", "oracle", "truth", "found", "relative difference", "allowed"], &exact_rows),
        markdown(&["metric", "value", "oracle", "truth", "mean found", "off by", "coverage"], &estimated_rows),
    )
}

/// Five digits.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) { format!("{value:.5}") } else { format!("{value:.4e}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_holds_every_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.jsonl");
        let line = |metric: &str, seeds: &str, coverage: &str| {
            format!(
                r#"{{"metric":"{metric}","value":"v","oracle":"o","truth":2.0,"found":2.5,"allowed":0.25,"seeds":{seeds},"coverage":{coverage}}}"#
            )
        };
        fs::write(&file, line("b/y", "500", "0.95") + "\n" + &line("a/x", "null", "null") + "\n").unwrap();
        let rows = rows(&file).unwrap();
        assert_eq!(rows.iter().map(|row| row.metric.as_str()).collect::<Vec<_>>(), ["a/x", "b/y"]);
        let page = page(&rows, "a machine", 500);
        assert!(page.contains("2 metrics, 1 exact checks, 1 estimates over 500 seeds"), "{page}");
        assert!(page.contains(" +2.0 "), "{page}");
        assert!(page.contains(" 2e-1 "), "{page}");
        fs::write(&file, "not a line\n").unwrap();
        assert!(super::rows(&file).is_err());
    }
}
