//! A line of the table, and how often it is simulated.

use std::{env, fs::OpenOptions, io::Write, path::PathBuf};

use clmbench_stats::generator;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;

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

    /// All simulations, or one in `part` of what resamples inside each.
    pub fn one_in(self, part: usize) -> usize {
        if self.full { (self.simulations / part).max(100) } else { self.simulations / part.min(2) }
    }

    /// Monte-Carlo standard errors by which a share may miss its band: with 200 draws, so many that a right method is not refused.
    fn allowed_errors(self) -> f64 {
        if self.full { 2.0 } else { 3.5 }
    }
}

/// A share found by simulation, and what it should be.
#[derive(Debug, Clone)]
pub struct Row {
    pub section: &'static str,
    pub what: String,
    pub design: String,
    pub runs: usize,
    pub simulations: usize,
    pub share: f64,
    pub std_error: f64,
    /// Accepted; none for a row that only informs.
    pub band: Option<(f64, f64)>,
    /// Whether it must be inside.
    pub required: bool,
    pub inside: bool,
    pub note: &'static str,
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
    pub note: &'static str,
}

impl Claim {
    pub fn new(section: &'static str, what: impl Into<String>, design: impl Into<String>, runs: usize) -> Self {
        Self { section, what: what.into(), design: design.into(), runs, band: None, required: false, note: "" }
    }

    /// It must be in this band.
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { band: Some((low, high)), required: true, ..self }
    }

    /// It is known to leave its band, or only informs; why.
    pub fn known(self, note: &'static str) -> Self {
        Self { required: false, note, ..self }
    }

    pub fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// The name of the random stream: everything that tells this row from others.
    fn label(&self) -> String {
        format!("calibration {} {} {} {}", self.section, self.what, self.design, self.runs)
    }

    /// Counts the simulations in which it holds.
    pub fn count(self, plan: &Plan, simulations: usize, holds: impl Fn(&mut ChaCha8Rng) -> bool + Sync) -> Row {
        let found: Vec<bool> = simulate(&self.label(), simulations, holds);
        self.row(plan, &found)
    }

    /// From what was found in each simulation.
    pub fn row(self, plan: &Plan, found: &[bool]) -> Row {
        let simulations = found.len();
        let share = found.iter().filter(|holds| **holds).count() as f64 / simulations as f64;
        let error = |share: f64| (share * (1.0 - share) / simulations as f64).sqrt();
        let inside = self.band.is_none_or(|(low, high)| {
            let allowed = plan.allowed_errors();
            share >= low - allowed * error(low) && share <= high + allowed * error(high)
        });
        Row {
            section: self.section,
            what: self.what,
            design: self.design,
            runs: self.runs,
            simulations,
            share,
            std_error: error(share),
            band: self.band,
            required: self.required,
            inside,
            note: self.note,
        }
    }
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
            let line = json!({
                "section": row.section, "what": row.what, "design": row.design, "runs": row.runs,
                "simulations": row.simulations, "share": row.share, "std_error": row.std_error, "band": row.band,
                "required": row.required, "inside": row.inside, "note": row.note,
            });
            format!("{line}\n")
        })
        .collect();
    let mut file = OpenOptions::new().create(true).append(true).open(table).unwrap();
    // One call: other tests add theirs at the same time.
    file.write_all(lines.as_bytes()).unwrap();
}
