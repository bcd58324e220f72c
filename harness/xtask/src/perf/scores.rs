//! Time of the scores of embeddings and labels, each metric on a made-up problem of 10,000 molecules at width 512.

use std::{collections::BTreeMap, fs, process::Stdio};

use serde::Deserialize;

use super::ScoreArguments;
use crate::{
    bench::{environment, markdown, median},
    cargo::{self, cargo},
    error::XtaskError,
    families,
};

/// Seconds allowed for all of them together, on 2 cores.
const ALLOWED: f64 = 10.0;
/// Rounds, the families in turn.
const ROUNDS: usize = 3;

#[derive(Debug, Deserialize)]
struct Line {
    metric: String,
    seconds: f64,
}

pub fn run(arguments: &ScoreArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let families = families::with(&checkout, "examples/{}_speed.rs")?;
    let mut seconds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for family in &families {
            println!("xtask: round {}, {family}", round + 1);
            let mut command = cargo(&checkout);
            let package = families::package(family);
            let example = families::example(family, "speed");
            command.args(["run", "--release", "--locked", "-q", "-p", package.as_str(), "--example", example.as_str()]);
            let output = command.stderr(Stdio::inherit()).output().map_err(XtaskError::io("start", "cargo"))?;
            if !output.status.success() {
                return Err(XtaskError::Check(format!("the example `{example}` of {package} failed")));
            }
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let line: Line = serde_json::from_str(line)?;
                seconds.entry(line.metric).or_default().push(line.seconds);
            }
        }
    }
    let medians: Vec<(String, f64)> = seconds.into_iter().map(|(metric, times)| (metric, median(&times))).collect();
    let total: f64 = medians.iter().map(|(_, seconds)| seconds).sum();
    let rows: Vec<Vec<String>> =
        medians.iter().map(|(metric, seconds)| vec![format!("`{metric}`"), format!("{seconds:.2}")]).collect();
    let text = format!(
        "# Time of the scores of embeddings and labels\n\nMade by `cargo xtask perf scores --write` on {}.\n\n10,000 made-up molecules at width 512, \
         embeddings at hand, two libtorch threads; medians of {ROUNDS} rounds, in seconds.\nAll {} together: **{total:.1} s** (the check fails above \
         {ALLOWED} s).\n\n{}",
        environment(&checkout),
        rows.len(),
        markdown(&["metric", "seconds"], &rows)
    );
    println!("\n{text}");
    if arguments.write {
        let path = checkout.join("benchmarks/perf/SCORES.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    if rows.is_empty() || total > ALLOWED {
        return Err(XtaskError::Check(format!("{total:.1} s for {} metrics; {ALLOWED} s are allowed", rows.len())));
    }
    Ok(())
}
