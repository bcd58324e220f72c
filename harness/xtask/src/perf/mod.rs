//! `cargo xtask perf`: how fast it is, measured through the program itself.

mod curvature;
mod pretrain;
mod report;
mod scores;
mod statistics;
mod store;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::error::XtaskError;

/// What can be timed.
#[derive(Debug, Subcommand)]
pub enum Perf {
    /// Real (non-padding) tokens per second of pretraining at 0.83M and 4.87M parameters, on all cores.
    ///
    /// Runs beside nothing else; several rounds, the two sizes in turn, medians and ranges. With --peer, a plain and a
    /// tuned PyTorch loop (benchmarks/perf/peers/pretrain.py) run in the same rounds, and the table gives ratios.
    Pretrain(PretrainArguments),
    /// Seconds of each score of embeddings and labels on 10,000 made-up molecules at width 512; all together within 10 s.
    Scores(ScoreArguments),
    /// Seconds of the resampling statistics of 50 metrics x 20 tasks over 32 runs; all permutation tests within 10 s.
    Statistics(StatisticsArguments),
    /// Seconds and bytes of the page of a made-up suite of 10,000 cells: within 10 s and 5 MB.
    Report(ReportArguments),
    /// Seconds of the leaderboards over a made-up store of 1,000,000 values and 100,000 scores; each within 2 s.
    Store(StoreArguments),
    /// Trace and top eigenvalues of the Hessian at 0.83M and 4.87M parameters: values, deviations of a probe, seconds to 5 %.
    ///
    /// Trains both sizes for 200,000 tokens first. With --peer, PyHessian (benchmarks/perf/peers/curvature.py) runs on the same weights
    /// and molecules in the same rounds.
    Curvature(CurvatureArguments),
}

/// Arguments of `perf curvature`.
#[derive(Debug, Args)]
pub struct CurvatureArguments {
    /// One round of 0.83M instead of five of 0.83M and 4.87M: some six minutes instead of an hour.
    #[arg(long)]
    pub quick: bool,
    /// A Python with what benchmarks/perf/peers/requirements.txt lists.
    #[arg(long, value_name = "PYTHON")]
    pub peer: Option<PathBuf>,
    /// Also write the tables to benchmarks/perf/CURVATURE.md.
    #[arg(long)]
    pub write: bool,
}

/// Arguments of `perf statistics`.
#[derive(Debug, Args)]
pub struct StatisticsArguments {
    /// Also write the table to benchmarks/perf/STATISTICS.md.
    #[arg(long)]
    pub write: bool,
}

/// Arguments of `perf store`.
#[derive(Debug, Args)]
pub struct StoreArguments {
    /// Also write the table to benchmarks/perf/STORE.md.
    #[arg(long)]
    pub write: bool,
}

/// Arguments of `perf scores`.
#[derive(Debug, Args)]
pub struct ScoreArguments {
    /// Also write the table to benchmarks/perf/SCORES.md.
    #[arg(long)]
    pub write: bool,
}

/// Arguments of `perf report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Also write the table to benchmarks/perf/REPORT.md.
    #[arg(long)]
    pub write: bool,
}

/// Arguments of `perf pretrain`.
#[derive(Debug, Args)]
pub struct PretrainArguments {
    /// Fewer tokens and rounds: a minute instead of three; with --peer, three instead of ten.
    #[arg(long)]
    pub quick: bool,
    /// A Python with torch 2.11 for the peers.
    #[arg(long, value_name = "PYTHON")]
    pub peer: Option<PathBuf>,
    /// Also write the table to benchmarks/perf/PRETRAIN.md.
    #[arg(long)]
    pub write: bool,
}

/// Runs it; the build must be there.
pub fn run(what: &Perf) -> Result<(), XtaskError> {
    match what {
        Perf::Pretrain(arguments) => pretrain::run(arguments),
        Perf::Curvature(arguments) => curvature::run_all(arguments),
        Perf::Report(arguments) => report::run_all(arguments),
        Perf::Scores(arguments) => scores::run(arguments),
        Perf::Statistics(arguments) => statistics::run(arguments),
        Perf::Store(arguments) => store::run(arguments),
    }
}
