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

/// What one stage found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Stage {
    simulations: usize,
    share: f64,
    std_error: f64,
    band: Option<(f64, f64)>,
    inside: bool,
}

/// A line that the simulations leave.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Row {
    section: String,
    what: String,
    design: String,
    runs: usize,
    first: Stage,
    second: Option<Stage>,
    required: bool,
    note: String,
    /// Bound on the probability that a right method is refused here.
    false_alarm: f64,
}

impl Row {
    /// The last stage decides.
    fn inside(&self) -> bool {
        self.second.as_ref().unwrap_or(&self.first).inside
    }
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
        .filter(|row| row.required && !row.inside())
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
    let required: Vec<&Row> = rows.iter().filter(|row| row.required).collect();
    let outside = required.iter().filter(|row| !row.inside()).count();
    let again = required.iter().filter(|row| row.second.is_some()).count();
    let fewer = rows.iter().filter(|row| row.first.simulations != simulations).count();
    let false_alarm: f64 = required.iter().map(|row| row.false_alarm).sum();
    let mut text = format!(
        "# Calibration\n\nMade by `cargo xtask verify calibration --write` on {environment}, in {minutes:.0} minutes.\n\n\
         {} shares from designs whose truth is known, each of {simulations} simulations ({fewer} of another number: the row says so). {} of them\n\
         must be inside their band, {outside} are not. Rows without a verdict inform: power, methods that are not used, and what is known not to\n\
         keep its level, with the reason.\n\n\
         **The rule, declared before the simulations** (`harness/stats/tests/calibration/rule.rs`): a share passes the first stage if it is no more\n\
         than two of its Monte-Carlo standard errors outside the band. One that does not is simulated again with four times the simulations on a\n\
         random stream of its own, none of the first among them; the second stage alone decides, and allows three of its own standard errors, one and\n\
         a half of the first stage's. Both stages stand in the row. {again} shares had a second stage here. Were every share exactly at the end of\n\
         its band, the worst place for a right method, at most {:.1} of 100 such tables would refuse one wrongly (sum over the rows of the exact\n\
         binomial probability); with the first stage alone nearly every table would. A share of {SIMULATIONS} simulations that is four first-stage standard\n\
         errors outside its band (a test of 5 % that rejects 6.4 %, an interval that covers 91.4 % where 93 % is the least) is refused with 94 % or\n\
         more, one twice as far always; in points, a row of fewer simulations must be further off to be refused as surely. A share of what only some\n\
         simulations have, such as an interval that exists, must be inside where a tenth of those drawn have it, and only informs where fewer do\n\
         (\"too few to judge\"). Methods that are known to be wrong are run through both stages in the ordinary tests, and must fail both.\n\n\
         The coverage of an interval of r moves in steps as large as the share of the most frequent value of r, so with few runs or\n\
         four sizes near perfect agreement no method can cover exactly 95 %: there the band ends at 97 % and that share, and begins at 93 % as always.\n\n\
         The bands of other correlations, the mean r over tasks, means within strata, ranks, reliability, saturation, gain (of a task, and the mean over\n\
         tasks) and the gate's areas of one checkpoint end at 100 %: those intervals may be too wide (cautious), never too narrow.\n",
        rows.len(),
        required.len(),
        100.0 * false_alarm,
    );
    let mut start = 0;
    while start < rows.len() {
        let section = &rows[start].section;
        let end = start + rows[start..].iter().take_while(|row| row.section == *section).count();
        let cells: Vec<Vec<String>> = rows[start..end].iter().map(cells).collect();
        let runs = if section.starts_with("Gate") { "seeds" } else { "runs" };
        let header = ["what", "design", runs, "simulations", "share %", "± %", "second stage %", "accepted %", "inside", "note"];
        text += &format!("\n## {section}\n\n{}", markdown(&header, &cells));
        start = end;
    }
    text
}

fn cells(row: &Row) -> Vec<String> {
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let inside = match (row.first.band, row.inside(), row.required) {
        (None, ..) => "",
        (_, true, true) => "inside",
        (_, true, false) => "inside, not required",
        (_, false, true) => "OUTSIDE",
        (_, false, false) => "outside, known",
    };
    let second = row.second.as_ref().map_or_else(String::new, |second| {
        format!("{} ± {} of {}", percent(second.share), percent(second.std_error), second.simulations)
    });
    vec![
        row.what.clone(),
        row.design.clone(),
        row.runs.to_string(),
        row.first.simulations.to_string(),
        percent(row.first.share),
        percent(row.first.std_error),
        second,
        row.first.band.map_or_else(String::new, |(low, high)| format!("{} to {}", percent(low), percent(high))),
        inside.to_owned(),
        row.note.clone(),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(section: &str, required: bool, inside: bool, second: Option<bool>) -> String {
        let stage = |simulations: usize, share: f64, inside: bool| {
            format!(r#"{{"simulations":{simulations},"share":{share},"std_error":0.002,"band":[0.93,0.97],"inside":{inside}}}"#)
        };
        let second = second.map_or_else(|| "null".to_owned(), |inside| stage(16_000, 0.9641, inside));
        let first = stage(4_000, 0.981, inside);
        format!(
            r#"{{"section":"{section}","what":"w","design":"d","runs":8,"first":{first},"second":{second},"required":{required},"note":"why","false_alarm":0.0123}}"#
        )
    }

    #[test]
    fn a_page_has_a_table_a_section_and_says_what_is_outside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.jsonl");
        let lines = [line("B", true, false, Some(false)), line("A", true, true, None), line("B", false, false, None)];
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        let rows = rows(&file).unwrap();
        let page = page(&rows, "a machine", 4_000, 12.3);
        assert!(page.contains("3 shares") && page.contains("2 of them\nmust be inside their band, 1 are not"), "{page}");
        assert!(page.contains("1 shares had a second stage") && page.contains("at most 2.5 of 100 such tables"), "{page}");
        assert!(page.contains("A share of 4000 simulations that is four"), "{page}");
        assert!(page.find("## A").unwrap() < page.find("## B").unwrap());
        for word in ["| inside", "OUTSIDE", "outside, known", "93.0 to 97.0", " 98.1 ", "in 12 minutes", "96.4 ± 0.2 of 16000"] {
            assert!(page.contains(word), "{word}: {page}");
        }
        fs::write(&file, "not a line\n").unwrap();
        assert!(super::rows(&file).is_err());
    }

    /// The second stage decides, whatever the first found.
    #[test]
    fn the_last_stage_counts() {
        let of = |line: &str| serde_json::from_str::<Row>(line).unwrap();
        let unlucky = of(&line("A", true, false, Some(true)));
        assert!(unlucky.inside() && cells(&unlucky)[8] == "inside");
        assert!(!of(&line("A", true, false, Some(false))).inside());
        assert!(of(&line("A", true, true, None)).inside() && !of(&line("A", true, false, None)).inside());
    }
}
