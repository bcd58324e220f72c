//! The command line: every option and what `--help` says about it. No logic.

mod board;
mod data;
mod db;
mod export;
mod gate;
mod gc;
mod metric;
mod model;
mod plugin;
mod report;
mod run;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use board::{BoardArguments, Leaderboard};
pub use data::{Data, DataCheckArguments, DescribeArguments, FetchArguments, Fractions, SplitArguments, SplitWay};
pub use db::{CheckDatabaseArguments, Database, MergeArguments};
pub use export::{ExportArguments, Format, What};
pub use gate::{
    Baseline, GateArguments, Inconclusive, ListBaselines, ListJudgements, RemoveBaseline, SaveBaseline, ShowBaseline,
};
pub use gc::GcArguments;
pub use metric::Metric;
pub use model::{DescribeModelArguments, ExportModelArguments, ImportArguments, Model, Reading};
pub use plugin::{BuildArguments, CheckArguments, FileArguments, Kind, NewArguments, Plugin, TryArguments};
pub use report::ReportArguments;
pub use run::{Computing, Device, PlanArguments, RunArguments};

/// Measure which numbers of a pretrained chemical language model tell how well it will transfer.
///
/// A suite (a TOML file) names what to cross: corpora, models, metrics, datasets and a transfer protocol. clmbench
/// pretrains and measures every combination once, keeps the results in a store, and fits downstream scores on the
/// metrics over runs, with intervals and verdicts.
#[derive(Debug, Parser)]
#[command(
    name = "clmbench",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = "Start here, in the folder of the checkout:
  clmbench doctor                                what is installed, what is missing, and what to do
  clmbench plan benchmarks/suites/demo.toml      what a suite would compute and what it could detect
  clmbench run benchmarks/suites/demo.toml       compute it, then print the leaderboard

Exit status:
  0 done   2 usage   3 finished with failed cells or checks   4 environment   5 store
  10 gate: worse   11 gate: cannot tell   70 a fault of clmbench itself   130 interrupted"
)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder that keeps the results
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "CLMBENCH_STORE",
        default_value = ".clmbench",
        help_heading = "Global options"
    )]
    pub store: PathBuf,
    /// Folder of plugins (DIR/<name>/plugin.toml); repeatable. Searched before CLMBENCH_PLUGINS and the default folders
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub plugins: Vec<PathBuf>,
    /// Print results and errors only, no progress and no advice
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

/// `--json` of the commands that print rows.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Json {
    /// Print one JSON object {schema, generated_by, rows} instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the tools, libtorch, worker, plugins, data and store, and say what to do
    ///
    /// Each line is ok, missing or wrong. Works when nothing is installed yet.
    #[command(after_help = "Example:
  clmbench doctor
  clmbench doctor --json | python3 -m json.tool

Exit status 4 if something that is needed is missing or wrong.")]
    Doctor(Json),

    /// Say what a suite would compute, what it costs and what it could detect
    ///
    /// Computes nothing. The minimum detectable r is the correlation that this number of independent runs would find
    /// 80 % of the time.
    #[command(after_help = "Example:
  clmbench plan benchmarks/suites/demo.toml
  clmbench plan benchmarks/suites/demo.toml --json")]
    Plan(PlanArguments),

    /// Compute a suite, fit it and print the leaderboard of predictors
    ///
    /// A finished cell is never computed again: run the same command to go on after a stop. Ctrl-C stops cleanly.
    #[command(after_help = "Example:
  clmbench run benchmarks/suites/demo.toml
  clmbench run suite.toml --workers 2 --time-limit 30m --memory-limit 4GiB
  clmbench run suite.toml --only pretrain --only 'measure/*/sharpness.sam_m'
  clmbench run suite.toml --retry-failed        after the cause of a failure is gone

Exit status 3 if cells failed (each is listed with its reason), 130 if interrupted.")]
    Run(RunArguments),

    /// Show how far a suite is, also while another process runs it
    ///
    /// Reads only, and never waits. Says who is computing, for how long, what failed and why.
    #[command(after_help = "Example:
  clmbench status                   the newest suite of the store
  clmbench status --cells           every cell: key, state, seconds
  clmbench status --suite demo --json")]
    Status(StatusArguments),

    /// Show one cell: what was computed, from what, and what came out
    #[command(after_help = "Example:
  clmbench show 3f9c1a22            a cell by the first characters of its identity (at least 4)
  clmbench show 'pretrain/bert-0.83M/mixed-20000/seed0'
  clmbench show 3f9c1a22 --log      what its worker and plugins printed
  clmbench show 3f9c1a22 --json")]
    Show(ShowArguments),

    /// Remove what no suite of the store refers to any more
    ///
    /// Cells of suites that are forgotten, or whose plan changed under one file (rows and files), half-written folders and
    /// logs of processes that are gone, files that no report names, old descriptions of plugins. Every version of an edited
    /// suite that was run stays a stored suite, and nothing that one needs is removed; `--forget-suite` lets all versions of
    /// a name go. Removed cells are computed again if a later suite needs them. Not while another process writes to the store.
    #[command(after_help = "Example:
  clmbench gc --dry-run                       look first
  clmbench gc
  clmbench gc --forget-suite demo --dry-run   what would go with a suite")]
    Gc(GcArguments),

    /// Check, pack and merge stores
    #[command(subcommand)]
    Db(Database),

    /// Rank what was computed: metrics that predict transfer, or models by their scores
    #[command(subcommand)]
    Leaderboard(Leaderboard),

    /// Freeze what a candidate is compared with by `gate`
    #[command(subcommand)]
    Baseline(Baseline),

    /// Say whether a candidate is worse than a gate baseline, by exit status
    ///
    /// Runs the transfer cells that are missing, then judges every task and all together: worse (exit 10), not worse (0), cannot tell (11,
    /// with what would settle it). The test molecules are the same on both sides; 95 % intervals, Holm over everything that is gated.
    #[command(after_help = "Example:
  clmbench gate --baseline main --candidate ./new-model
  clmbench gate --baseline main.json --candidate owner/name@REVISION --junit gate.xml --markdown gate.md
  clmbench gate --baseline main --candidate seed0/ --candidate seed1/ --candidate seed2/     a claim about the recipe
  clmbench gate --baseline main --candidate ./new-model --metric loss/mlm_loss=0.02 --speed 20%

Exit status: 0 not worse, 10 worse, 11 cannot tell (0 with --inconclusive pass, 10 with --inconclusive fail), 3 if cells failed and
the candidate is not worse elsewhere; the text always says which of the three it is.")]
    Gate(GateArguments),

    /// Write results out for other programs: every number, as CSV or JSON
    Export(ExportArguments),

    /// Write one HTML page about a suite: what was run, the leaderboards, figures, what failed
    ///
    /// One self-contained file that loads nothing; a script of its own sorts and filters tables and saves figures, without it the page says
    /// the same. The same store makes the same page.
    #[command(after_help = "Example:
  clmbench report                       writes clmbench-report-NAME.html
  clmbench report --suite demo --out pages/ --figures pages/figures
  clmbench report --out - > demo.html")]
    Report(ReportArguments),

    /// List, describe and fetch datasets and corpora; split a dataset or a table of your own
    #[command(subcommand)]
    Data(Data),

    /// List and describe the metrics: formula, source, cost, parameters
    #[command(subcommand)]
    Metric(Metric),

    /// List and describe architectures; read checkpoints of others, and write them for others
    #[command(subcommand)]
    Model(Model),

    /// List, write, build, try and check plugins
    #[command(subcommand)]
    Plugin(Plugin),

    /// Print a completion script for a shell
    #[command(after_help = "Example:
  clmbench completions bash > ~/.local/share/bash-completion/completions/clmbench
  clmbench completions zsh > \"${fpath[1]}/_clmbench\"")]
    Completions {
        /// Shell to write for
        shell: clap_complete::Shell,
    },
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// List every cell
    #[arg(long)]
    pub cells: bool,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// Key of the cell as `status --cells` prints it, or the first characters of its identity
    #[arg(value_name = "CELL")]
    pub cell: String,
    /// Print its log: what its worker and plugins printed, at most the last MiB
    #[arg(long)]
    pub log: bool,
    /// Check its files by their digests, not only by size and time
    #[arg(long)]
    pub verify: bool,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// A suite's file where its name is wanted: only `plan` and `run` take the file.
pub fn with_tip(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let given = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    if error.kind() == ErrorKind::UnknownArgument && given.ends_with(".toml") {
        let tip = "only `plan` and `run` take a file; name a suite that was run with --suite NAME, or none for the newest";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_finds_no_contradiction_in_the_definition() {
        Arguments::command().debug_assert();
    }
}
