//! Whether tests, intervals, verdicts and the gate keep what they promise: the simulations of `harness/stats/tests/calibration` at their
//! full size. Needs neither libtorch nor the built program.

use std::{fs, path::Path, time::Instant};

use clap::Args;
use serde::Deserialize;

use crate::{
    bench::{environment, markdown},
    cargo::{self, cargo, run},
    error::XtaskError,
};

/// Simulations of a full run (SCIENCE: 4,000).
const SIMULATIONS: usize = 4_000;
/// Simulations of a quick one.
const QUICK: usize = 400;

/// Arguments of `verify calibration`.
#[derive(Debug, Args)]
pub struct CalibrationArguments {
    /// A tenth of the simulations: a minute; the Monte-Carlo errors are three times as large.
    #[arg(long)]
    quick: bool,
    /// Also write the tables to benchmarks/CALIBRATION.md.
    #[arg(long)]
    write: bool,
}

/// A line that the simulations leave.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Row {
    section: String,
    what: String,
    design: String,
    runs: usize,
    simulations: usize,
    share: f64,
    std_error: f64,
    band: Option<(f64, f64)>,
    required: bool,
    inside: bool,
    note: String,
}

/// Simulates, shows the tables, and fails where a row that must be inside its band is not.
pub fn run_calibration(arguments: &CalibrationArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let folder = checkout.join("target/bench/verify-calibration");
    fs::create_dir_all(&folder).map_err(XtaskError::io("create", &folder))?;
    let file = folder.join("rows.jsonl");
    if file.exists() {
        fs::remove_file(&file).map_err(XtaskError::io("remove", &file))?;
    }
    let simulations = if arguments.quick { QUICK } else { SIMULATIONS };
    println!("xtask: {simulations} simulations of each design; minutes");
    let mut command = cargo(&checkout);
    command.args(["test", "--release", "--locked", "-p", "clmbench-stats", "--test", "calibration"]);
    command.env("CLMBENCH_CALIBRATION_SIMULATIONS", simulations.to_string()).env("CLMBENCH_CALIBRATION_TABLE", &file);
    let start = Instant::now();
    run(command)?;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let rows = rows(&file)?;
    let text = page(&rows, &environment(&checkout), simulations, minutes);
    println!("\n{text}");
    if arguments.write {
        let path = checkout.join("benchmarks/CALIBRATION.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    let outside: Vec<String> = rows
        .iter()
        .filter(|row| row.required && !row.inside)
        .map(|row| format!("{} ({}, n = {})", row.what, row.design, row.runs))
        .collect();
    if outside.is_empty() {
        return Ok(());
    }
    Err(XtaskError::Check(format!("outside their bands: {}; the method or its promise must change", outside.join("; "))))
}

/// The lines of a file, section by section; within one in the order of the simulations.
fn rows(file: &Path) -> Result<Vec<Row>, XtaskError> {
    let text = fs::read_to_string(file).map_err(XtaskError::io("read", file))?;
    let mut rows: Vec<Row> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    rows.sort_by(|a, b| (&a.section, &a.what, &a.design, a.runs).cmp(&(&b.section, &b.what, &b.design, b.runs)));
    Ok(rows)
}

fn page(rows: &[Row], environment: &str, simulations: usize, minutes: f64) -> String {
    let required = rows.iter().filter(|row| row.required).count();
    let outside = rows.iter().filter(|row| row.required && !row.inside).count();
    let mut text = format!(
        "# Calibration\n\nMade by `cargo xtask verify calibration --write` on {environment}, in {minutes:.0} minutes.\n\n\
         {} shares, each of {simulations} simulations or as many as the table says (fewer where each simulation resamples), from designs\n\
         whose truth is known. {required} of them must be inside their band, {outside} are not. A share is inside if it is no more than two of its\n\
         Monte-Carlo standard errors outside the band. Rows without a verdict inform: power, methods that are not used, and what is known\n\
         not to keep its level, with the reason.\n\n\
         The coverage of an interval of r moves in steps as large as the share of the most frequent value of r, so with few runs or\n\
         four sizes near perfect agreement no method can cover exactly 95 %: there the band ends at 97 % and that share, and begins at 93 % as always.\n",
        rows.len(),
    );
    let mut start = 0;
    while start < rows.len() {
        let section = &rows[start].section;
        let end = start + rows[start..].iter().take_while(|row| row.section == *section).count();
        let cells: Vec<Vec<String>> = rows[start..end].iter().map(cells).collect();
        let runs = if section.starts_with("Gate") { "seeds" } else { "runs" };
        let header = ["what", "design", runs, "simulations", "share %", "± %", "accepted %", "inside", "note"];
        text += &format!("\n## {section}\n\n{}", markdown(&header, &cells));
        start = end;
    }
    text
}

fn cells(row: &Row) -> Vec<String> {
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let inside = match (row.band, row.inside, row.required) {
        (None, ..) => "",
        (_, true, _) => "inside",
        (_, false, true) => "OUTSIDE",
        (_, false, false) => "outside, known",
    };
    vec![
        row.what.clone(),
        row.design.clone(),
        row.runs.to_string(),
        row.simulations.to_string(),
        percent(row.share),
        percent(row.std_error),
        row.band.map_or_else(String::new, |(low, high)| format!("{} to {}", percent(low), percent(high))),
        inside.to_owned(),
        row.note.clone(),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(section: &str, required: bool, inside: bool) -> String {
        format!(
            r#"{{"section":"{section}","what":"w","design":"d","runs":8,"simulations":4000,"share":0.981,"std_error":0.002,"band":[0.93,0.97],"required":{required},"inside":{inside},"note":"why"}}"#
        )
    }

    #[test]
    fn a_page_has_a_table_a_section_and_says_what_is_outside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.jsonl");
        let lines = [line("B", true, false), line("A", true, true), line("B", false, false)];
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        let rows = rows(&file).unwrap();
        let page = page(&rows, "a machine", 4_000, 12.3);
        assert!(page.contains("3 shares") && page.contains("2 of them must be inside their band, 1 are not"), "{page}");
        assert!(page.find("## A").unwrap() < page.find("## B").unwrap());
        for word in ["| inside", "OUTSIDE", "outside, known", "93.0 to 97.0", " 98.1 ", "in 12 minutes"] {
            assert!(page.contains(word), "{word}: {page}");
        }
        fs::write(&file, "not a line\n").unwrap();
        assert!(super::rows(&file).is_err());
    }
}
