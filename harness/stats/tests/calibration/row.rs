//! A line of the table, and how often it is simulated.

use std::{env, fs::OpenOptions, io::Write, path::PathBuf};

use clmbench_stats::generator;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;

use super::rule;

/// How much to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    simulations: usize,
    full: bool,
}

impl Plan {
    /// What an ordinary `cargo test` runs.
    pub fn smoke() -> Self {
        Self { simulations: 200, full: false }
    }

    /// The full size where the variable gives one.
    pub fn from_environment() -> Self {
        match env::var("CLMBENCH_CALIBRATION_SIMULATIONS") {
            Ok(text) => Self { simulations: text.parse().unwrap(), full: true },
            Err(_) => Self::smoke(),
        }
    }

    /// File for the rows of a full run.
    pub fn table(self) -> Option<PathBuf> {
        self.full.then(|| env::var_os("CLMBENCH_CALIBRATION_TABLE").map(PathBuf::from)).flatten()
    }

    /// Numbers of runs.
    pub fn runs(self) -> &'static [usize] {
        if self.full { &[8, 12, 24, 48] } else { &[8, 24] }
    }

    /// One of two lists.
    pub fn choose<'a, T>(self, full: &'a [T], smoke: &'a [T]) -> &'a [T] {
        if self.full { full } else { smoke }
    }

    /// Simulations of a design in the first stage.
    pub fn simulations(self) -> usize {
        self.simulations
    }
}

/// A share found by simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    pub simulations: usize,
    pub share: f64,
    pub std_error: f64,
    /// Accepted; none for a row that only informs.
    pub band: Option<(f64, f64)>,
    pub inside: bool,
}

impl Stage {
    /// Of what was found in each simulation; `allowed` standard errors outside the band are still inside.
    fn new(band: Option<(f64, f64)>, allowed: f64, found: &[bool]) -> Self {
        let simulations = found.len();
        let share = found.iter().filter(|holds| **holds).count() as f64 / simulations as f64;
        let inside = band.is_none_or(|band| {
            let (low, high) = rule::accepted(band, allowed, simulations);
            low <= share && share <= high
        });
        Self { simulations, share, std_error: rule::error(share, simulations), band, inside }
    }
}

/// A line of the table: what was found, and what it should be.
#[derive(Debug, Clone)]
pub struct Row {
    pub section: &'static str,
    pub what: String,
    pub design: String,
    pub runs: usize,
    pub first: Stage,
    /// Of a share that had to be inside its band and was not in the first stage.
    pub second: Option<Stage>,
    /// Whether it must be inside.
    pub required: bool,
    pub note: String,
}

impl Row {
    /// The verdict of the last stage.
    pub fn inside(&self) -> bool {
        self.second.unwrap_or(self.first).inside
    }

    /// A bound on the probability that a right method is refused here.
    fn false_alarm(&self) -> f64 {
        let band = self.first.band.filter(|_| self.required);
        band.map_or(0.0, |band| rule::false_alarm(band, self.first.simulations))
    }
}

/// What a row says before it is simulated.
#[derive(Debug, Clone)]
pub struct Claim {
    pub section: &'static str,
    pub what: String,
    pub design: String,
    pub runs: usize,
    pub band: Option<(f64, f64)>,
    pub required: bool,
    pub note: String,
}

impl Claim {
    pub fn new(section: &'static str, what: impl Into<String>, design: impl Into<String>, runs: usize) -> Self {
        Self { section, what: what.into(), design: design.into(), runs, band: None, required: false, note: String::new() }
    }

    /// It must be in this band.
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { band: Some((low, high)), required: true, ..self }
    }

    /// It is known to leave its band, or only informs; why.
    pub fn known(self, note: impl Into<String>) -> Self {
        Self { required: false, note: note.into(), ..self }
    }

    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// The name of the random stream: everything that tells this row from others.
    fn label(&self) -> String {
        format!("calibration {} {} {} {}", self.section, self.what, self.design, self.runs)
    }

    /// With what was found in each simulation.
    pub fn found(self, found: Vec<bool>) -> Found {
        Found { claim: self, found }
    }

    /// Counts the simulations in which it holds.
    pub fn count(self, simulations: usize, holds: impl Fn(&mut ChaCha8Rng) -> bool + Sync) -> Row {
        let label = self.label();
        let mut rows = staged(&label, simulations, holds, |found| vec![self.clone().found(found.to_vec())]);
        rows.remove(0)
    }
}

/// A claim and whether it held in each simulation of a stage.
pub struct Found {
    claim: Claim,
    found: Vec<bool>,
}

/// Rows from one set of simulations, by the rule of two stages: where a share that must be inside its band is outside in the first
/// stage, four times the simulations are drawn from a stream of their own, and they alone decide.
///
/// `claims` says what was found in the simulations of a stage; always the same claims in the same order.
pub fn staged<T: Send>(
    label: &str,
    simulations: usize,
    one: impl Fn(&mut ChaCha8Rng) -> T + Sync,
    claims: impl Fn(&[T]) -> Vec<Found>,
) -> Vec<Row> {
    let first = claims(&simulate(label, simulations, &one));
    let mut rows: Vec<Row> = first
        .into_iter()
        .map(|Found { claim, found }| {
            let enough = found.len() * rule::ONE_IN >= simulations;
            let claim =
                if claim.required && !enough { claim.clone().known(format!("{}: too few to judge", claim.note)) } else { claim };
            Row {
                section: claim.section,
                what: claim.what,
                design: claim.design,
                runs: claim.runs,
                first: Stage::new(claim.band, rule::FIRST, &found),
                second: None,
                required: claim.required,
                note: claim.note,
            }
        })
        .collect();
    if rows.iter().any(|row| row.required && !row.first.inside) {
        let again = claims(&simulate(&format!("{label}, second stage"), rule::TIMES * simulations, &one));
        for (row, Found { claim, found }) in rows.iter_mut().zip(again) {
            if row.required && !row.first.inside {
                row.second = Some(Stage::new(claim.band, rule::SECOND, &found));
            }
        }
    }
    rows
}

/// One result a simulation, each with its own random stream, on all cores.
pub fn simulate<T: Send>(label: &str, simulations: usize, one: impl Fn(&mut ChaCha8Rng) -> T + Sync) -> Vec<T> {
    (0..simulations as u64).into_par_iter().map(|number| one(&mut generator(number, label))).collect()
}

/// Adds rows to the table.
pub fn append(table: &PathBuf, rows: &[Row]) {
    let lines: String = rows
        .iter()
        .map(|row| {
            let stage = |stage: &Stage| {
                json!({
                    "simulations": stage.simulations, "share": stage.share, "std_error": stage.std_error, "band": stage.band,
                    "inside": stage.inside,
                })
            };
            let line = json!({
                "section": row.section, "what": row.what, "design": row.design, "runs": row.runs, "first": stage(&row.first),
                "second": row.second.as_ref().map(stage), "required": row.required, "note": row.note,
                "false_alarm": row.false_alarm(),
            });
            format!("{line}\n")
        })
        .collect();
    let mut file = OpenOptions::new().create(true).append(true).open(table).unwrap();
    // One call: other tests add theirs at the same time.
    file.write_all(lines.as_bytes()).unwrap();
}
