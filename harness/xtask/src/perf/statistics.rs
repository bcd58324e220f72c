//! Time of the resampling statistics of a large suite: 50 metrics x 20 tasks over 32 runs.

use std::{fs, process::Stdio};

use serde::Deserialize;

use super::StatisticsArguments;
use crate::{
    bench::{environment, markdown, median},
    cargo::{self, cargo},
    error::XtaskError,
};

/// Seconds allowed for the permutation tests, on 2 cores.
const ALLOWED: f64 = 10.0;
/// Rounds.
const ROUNDS: usize = 3;

#[derive(Debug, Deserialize)]
struct Line {
    what: String,
    count: usize,
    values: usize,
    seconds: f64,
}

pub fn run(arguments: &StatisticsArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let mut rounds: Vec<Vec<Line>> = Vec::new();
    for round in 0..ROUNDS {
        println!("xtask: round {}", round + 1);
        let mut command = cargo(&checkout);
        command.args(["run", "--release", "--locked", "-q", "-p", "clmbench-analysis", "--example", "statistics_speed"]);
        let output = command.stderr(Stdio::inherit()).output().map_err(XtaskError::io("start", "cargo"))?;
        if !output.status.success() {
            return Err(XtaskError::Check("the example `statistics_speed` of clmbench-analysis failed".to_owned()));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        rounds.push(text.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>()?);
    }
    let first = rounds.first().map_or(&[][..], Vec::as_slice);
    if let Some(line) = first.iter().find(|line| line.values != line.count) {
        return Err(XtaskError::Check(format!("{}: {} of {} gave a value", line.what, line.values, line.count)));
    }
    let seconds = |place: usize| median(&rounds.iter().filter_map(|lines| Some(lines.get(place)?.seconds)).collect::<Vec<f64>>());
    let rows: Vec<Vec<String>> = first
        .iter()
        .enumerate()
        .map(|(place, line)| vec![line.what.clone(), line.count.to_string(), format!("{:.2}", seconds(place))])
        .collect();
    let permutations = seconds(0);
    let text = format!(
        "# Time of the resampling statistics\n\nMade by `cargo xtask perf statistics --write` on {}.\n\n50 metrics x 20 tasks over 32 runs of \
         made-up numbers, two threads; medians of {ROUNDS} rounds, in seconds. The permutation tests of all 1,000 fits take **{permutations:.1} s** \
         (the check fails above {ALLOWED} s).\n\n{}",
        environment(&checkout),
        markdown(&["what", "times", "seconds"], &rows)
    );
    println!("\n{text}");
    if arguments.write {
        let path = checkout.join("benchmarks/perf/STATISTICS.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    if rows.is_empty() || permutations > ALLOWED {
        return Err(XtaskError::Check(format!("{permutations:.1} s for the permutation tests; {ALLOWED} s are allowed")));
    }
    Ok(())
}
