//! Time of the leaderboards over a large made-up store, whole commands.

use std::{fs, path::Path, process::Stdio, time::Instant};

use serde::Deserialize;

use super::StoreArguments;
use crate::{
    bench::{environment, markdown, median},
    cargo::{self, cargo, run_cargo},
    error::XtaskError,
};

/// Seconds allowed for a leaderboard.
const ALLOWED: f64 = 2.0;
/// Rounds, the commands in turn.
const ROUNDS: usize = 5;
/// Commands, and whether the limit is theirs.
const COMMANDS: [(&[&str], bool); 5] = [
    (&["leaderboard", "predictors"], true),
    (&["leaderboard", "predictors", "--json"], false),
    (&["leaderboard", "models"], true),
    (&["leaderboard", "models", "--json"], false),
    (&["status"], false),
];

/// What the example `large` says of the store that it made.
#[derive(Debug, Deserialize)]
struct Large {
    values: u64,
    scores: u64,
    cells: u64,
    fits: u64,
    bytes: u64,
}

pub fn run(arguments: &StoreArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let folder = checkout.join("target/bench/perf-store");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(XtaskError::io("remove", &folder))?;
    }
    run_cargo(&checkout, &["build", "--release", "--locked", "-q", "-p", "clmbench"])?;
    let large = make(&checkout, &folder)?;
    let mut seconds = vec![Vec::new(); COMMANDS.len()];
    for round in 0..ROUNDS {
        println!("xtask: round {}", round + 1);
        for ((command, _), times) in COMMANDS.iter().zip(&mut seconds) {
            times.push(time(&checkout, &folder, command)?);
        }
    }
    let medians: Vec<f64> = seconds.iter().map(|times| median(times)).collect();
    let rows: Vec<Vec<String>> = COMMANDS
        .iter()
        .zip(&medians)
        .map(|((command, limited), seconds)| {
            let limit = if *limited { format!("{ALLOWED:.1}") } else { String::new() };
            vec![format!("`clmbench {}`", command.join(" ")), format!("{seconds:.2}"), limit]
        })
        .collect();
    let text = format!(
        "# Time of the leaderboards over a large store\n\nMade by `cargo xtask perf store --write` on {}.\n\nA made-up store \
         (`harness/store/examples/large.rs`) of {} metric values, {} scores, {} cells and {} fits in {:.0} MB; whole commands from start to end, \
         files in the system's cache, medians of {ROUNDS} rounds, in seconds.\n\n{}",
        environment(&checkout),
        large.values,
        large.scores,
        large.cells,
        large.fits,
        large.bytes as f64 / 1e6,
        markdown(&["command", "seconds", "allowed"], &rows)
    );
    println!("\n{text}");
    if arguments.write {
        let path = checkout.join("benchmarks/perf/STORE.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    let slow = COMMANDS.iter().zip(&medians).find(|((_, limited), seconds)| *limited && **seconds > ALLOWED);
    match slow {
        Some(((command, _), seconds)) => {
            Err(XtaskError::Check(format!("`clmbench {}` took {seconds:.2} s; {ALLOWED} s are allowed", command.join(" "))))
        }
        None => Ok(()),
    }
}

fn make(checkout: &Path, folder: &Path) -> Result<Large, XtaskError> {
    println!("xtask: making the store");
    let mut command = cargo(checkout);
    command.args(["run", "--release", "--locked", "-q", "-p", "clmbench-store", "--example", "large", "--"]).arg(folder);
    let output = command.stderr(Stdio::inherit()).output().map_err(XtaskError::io("start", "cargo"))?;
    if !output.status.success() {
        return Err(XtaskError::Check("the example `large` of clmbench-store failed".into()));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn time(checkout: &Path, store: &Path, arguments: &[&str]) -> Result<f64, XtaskError> {
    let executable = checkout.join("target/release/clmbench");
    let start = Instant::now();
    let status = std::process::Command::new(&executable)
        .args(arguments)
        .arg("--store")
        .arg(store)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(XtaskError::io("start", &executable))?;
    let seconds = start.elapsed().as_secs_f64();
    if status.success() { Ok(seconds) } else { Err(XtaskError::Check(format!("`clmbench {}` failed", arguments.join(" ")))) }
}
