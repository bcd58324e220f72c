//! `cargo xtask verify`: slow checks, whose tables are committed.

mod anchors;
mod calibration;
mod crash;
mod fuzz;
mod heldout_loss;
mod learning_rates;
mod oracles;
mod parity;
mod peers;

use clap::{Args, Subcommand};

use crate::{
    bench::{Bench, Cell},
    error::XtaskError,
};

/// What can be verified.
#[derive(Debug, Subcommand)]
pub enum Verify {
    /// Search the peak learning rate of each preset on held-out loss, and compare with the rates the presets carry.
    ///
    /// The same rates, tokens, batch and seed for every size. Fails where a preset carries another rate than the best one.
    Lr(SearchArguments),
    /// Train the 0.83M preset until it must beat count models: held-out loss below that of two neighbours.
    Loss(VerifyArguments),
    /// Kill runs and workers 1,000 times at random moments, and run 10,000 cells of which one in twenty fails; about ten minutes.
    ///
    /// On the fake worker. Fails where a finished cell is lost, a row differs from those of an undisturbed run, or anything is left behind.
    Crash(crash::CrashArguments),
    /// Every metric against exact truths, and coverage and bias of every estimate over 500 seeds.
    ///
    /// The metric families' own tests/oracles.rs at their full size. Fails where a value is off, and where a metric has no oracle.
    Oracles(oracles::OracleArguments),
    /// Size of every test, coverage of every interval, error rates of the verdicts and the gate, by simulation; minutes.
    ///
    /// Fails where one is outside its band. Needs no build and no libtorch.
    Calibration(calibration::CalibrationArguments),
    /// Scores of embeddings and labels beside independent numpy on the same problems.
    Peers(peers::PeerArguments),
    /// Hidden states, logits and gradients of every architecture beside the `transformers` package, imported and exported; minutes.
    ///
    /// Fails where one is off by more than 1e-5 of its largest entry.
    Parity(parity::ParityArguments),
    /// Hostile files through the reader of checkpoints, by cargo-fuzz (a nightly compiler); ten minutes.
    ///
    /// Fails at the first input that panics, takes too long or too much memory, or is taken and not as it says. Needs no build and no libtorch.
    Fuzz(fuzz::FuzzArguments),
    /// Random forests on fingerprints beside published scores, on the same scaffold split; minutes, with HIV tens of minutes.
    ///
    /// Runs benchmarks/suites/anchors.toml, anchors-more.toml and anchors-hiv.toml. Fails where a score is outside its band (benchmarks/published.toml).
    Anchors(anchors::AnchorArguments),
}

/// Arguments of every check.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Go on with the cells that an earlier check left, also those of an earlier build.
    #[arg(long)]
    pub resume: bool,
    /// Also write the table to its file in benchmarks/.
    #[arg(long)]
    pub write: bool,
}

/// Arguments of `verify lr`.
#[derive(Debug, Args)]
pub struct SearchArguments {
    /// Architecture.
    #[arg(long, default_value = "bert")]
    pub architecture: String,
    #[command(flatten)]
    common: VerifyArguments,
}

impl Verify {
    /// Whether it runs what `cargo xtask build` builds.
    pub fn needs_build(&self) -> bool {
        !matches!(self, Self::Fuzz(_) | Self::Calibration(_))
    }
}

/// Runs it; the build must be there, if it needs one.
pub fn run(what: &Verify) -> Result<(), XtaskError> {
    match what {
        Verify::Lr(arguments) => learning_rates::run(arguments),
        Verify::Loss(arguments) => heldout_loss::run(arguments),
        Verify::Crash(arguments) => crash::run_crashes(arguments),
        Verify::Oracles(arguments) => oracles::run_oracles(arguments),
        Verify::Calibration(arguments) => calibration::run_calibration(arguments),
        Verify::Peers(arguments) => peers::run_peers(arguments),
        Verify::Parity(arguments) => parity::run_parity(arguments),
        Verify::Fuzz(arguments) => fuzz::run_fuzz(arguments),
        Verify::Anchors(arguments) => anchors::run_anchors(arguments),
    }
}

/// Held-out loss and its standard error at the last checkpoint of a run, by the key of its pretrain cell.
fn heldout_loss(cells: &[Cell], pretrain: &Cell) -> Option<(f64, f64)> {
    let run = pretrain.key.strip_prefix("pretrain/")?;
    let start = format!("measure/{run}/");
    cells.iter().filter(|cell| cell.key.starts_with(&start) && cell.status == "done").find_map(Cell::primary)
}

/// The cells of a run that may have diverged or failed: only those with this start of the key.
fn cells(bench: &Bench, suite: &str) -> Result<Vec<Cell>, XtaskError> {
    bench.cells(suite, |key| ["pretrain/", "measure/", "tokenise/mixed"].iter().any(|start| key.starts_with(start)))
}
