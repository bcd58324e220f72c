//! The command line: every option and what `--help` says about it. No logic.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    after_help = "Start here:
  clmbench doctor                                what is installed, what is missing, and what to do
  clmbench plan benchmarks/suites/demo.toml      what a suite would compute and what it could detect
  clmbench run benchmarks/suites/demo.toml       compute it, then print the leaderboard

Exit status:
  0 done   2 usage   3 finished with failed cells or checks   4 environment   5 store
  70 a fault of clmbench itself   130 interrupted"
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
#[derive(Debug, Clone, Copy, Args)]
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
  clmbench run suite.toml --retry-failed        after the cause of a failure is gone

Exit status 3 if cells failed (each is listed with its reason), 130 if interrupted.")]
    Run(RunArguments),

    /// Show how far a suite is
    #[command(after_help = "Example:
  clmbench status                   the newest suite of the store
  clmbench status --suite demo --json")]
    Status(SuiteChoice),

    /// Show one cell: what was computed, from what, and what came out
    #[command(after_help = "Example:
  clmbench show 3f9c1a22            a cell by the first characters of its identity (at least 4)
  clmbench show 'pretrain/bert-0.83M/mixed-20000'
  clmbench show 3f9c1a22 --json")]
    Show(ShowArguments),

    /// Rank what was computed: metrics that predict transfer, or models by their scores
    #[command(subcommand)]
    Leaderboard(Leaderboard),

    /// Write results out for other programs
    #[command(subcommand)]
    Export(Export),

    /// List, write, build and check plugins
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

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Suite file (TOML)
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Suite file (TOML)
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// Cells computed at the same time, each in a worker process of its own; by default as many as the cores allow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Give every cell a fresh worker process
    #[arg(long)]
    pub isolate: bool,
    /// Device of the workers: cpu, cuda:<index>, or auto for the first GPU that the worker offers, else the CPU
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    pub device: Device,
    /// Compute failed cells again (one whose worker was killed from outside goes on without it)
    #[arg(long)]
    pub retry_failed: bool,
    /// Check files that are read by their digests, not only by size and time; what is damaged is computed again
    #[arg(long)]
    pub verify: bool,
    /// Go on with a plugin that is another file than before under the same release version
    #[arg(long)]
    pub accept_digest: bool,
    /// Longest time of one cell, such as 90s, 30m or 6h; 4h if left out
    #[arg(long, value_name = "TIME", value_parser = crate::units::seconds)]
    pub time_limit: Option<u64>,
    /// Most memory of one worker, such as 512MiB or 4GiB; its share of four fifths of the machine's, at least 1.5 GiB, if left out
    #[arg(long, value_name = "SIZE", value_parser = crate::units::bytes)]
    pub memory_limit: Option<u64>,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of commands about a suite of the store.
#[derive(Debug, Args)]
pub struct SuiteChoice {
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of the leaderboards. What is not shown still counts: p-values are those of all fits.
#[derive(Debug, Args)]
pub struct BoardArguments {
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// Only this dataset
    #[arg(long, value_name = "DATASET")]
    pub dataset: Option<String>,
    /// Only this protocol, probe or finetune
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<String>,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// Key of the cell as `status --json` prints it, or the first characters of its identity
    #[arg(value_name = "CELL")]
    pub cell: String,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// `leaderboard ...`.
#[derive(Debug, Subcommand)]
pub enum Leaderboard {
    /// Metrics by how well they predict transfer, beside the trivial predictors
    ///
    /// Every row says n (independent runs), an interval, a verdict (predicts, does not predict, cannot tell, refused),
    /// the gain over size, tokens and corpus, and the smallest correlation this design could have found.
    #[command(after_help = "Example:
  clmbench leaderboard predictors
  clmbench leaderboard predictors --dataset bace --protocol probe
  clmbench leaderboard predictors --suite demo --json")]
    Predictors(BoardArguments),
    /// Models by their downstream scores, beside the random-initialised controls
    #[command(after_help = "Example:
  clmbench leaderboard models
  clmbench leaderboard models --dataset bace --protocol probe
  clmbench leaderboard models --suite demo --json")]
    Models(BoardArguments),
}

/// `export ...`.
#[derive(Debug, Subcommand)]
pub enum Export {
    /// Every test prediction behind the scores of a suite, one row a molecule
    ///
    /// Columns: run, checkpoint, dataset, task, protocol, seed (of a fine-tuning), row (of the dataset), label, prediction (the
    /// label's unit, or the probability of class 1). Text that a spreadsheet would take for a formula starts with `'`.
    #[command(after_help = "Example:
  clmbench export predictions --format csv > predictions.csv
  clmbench export predictions --suite demo --dataset bace --protocol finetune --format json --out bace.json")]
    Predictions(ExportArguments),
}

/// Arguments of `export predictions`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// Only this dataset
    #[arg(long, value_name = "DATASET")]
    pub dataset: Option<String>,
    /// Only this protocol, probe or finetune
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<String>,
    /// Form of the rows
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Format,
    /// File to write instead of standard output; it appears when it is complete
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Forms that rows are exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header line (RFC 4180)
    Csv,
    /// One object {schema, generated_by, rows}
    Json,
}

/// `plugin ...`.
#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// List what the plugins that were found offer
    #[command(after_help = "Example:
  clmbench plugin list
  clmbench plugin list --plugins ./my-plugins --json")]
    List(Json),
    /// Load a plugin in a child process and check that it keeps the rules
    #[command(after_help = "Example:
  clmbench plugin check ~/.local/share/clmbench/plugins/clmbench-plugin-steepness
  clmbench plugin check target/release/libclmbench_plugin_steepness.so

Exit status 3 if a check failed.")]
    Check(CheckArguments),
    /// Write a new plugin crate that builds, with one working metric
    #[command(after_help = "Example:
  clmbench plugin new metric steepness --out ~/steepness
  clmbench plugin new metric hessian/top_eigenvalue --out ~/hessian")]
    New(NewArguments),
    /// Build a plugin crate and install it
    #[command(after_help = "Example:
  clmbench plugin build ~/steepness
  clmbench plugin build ~/steepness --dest ./my-plugins && clmbench plugin list --plugins ./my-plugins")]
    Build(BuildArguments),
}

/// Arguments of `plugin check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Plugin folder, its plugin.toml, or the library itself
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// What `plugin new` can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A metric: numbers measured on a checkpoint
    Metric,
}

/// Arguments of `plugin new`.
#[derive(Debug, Args)]
pub struct NewArguments {
    /// Kind of plugin
    #[arg(value_enum)]
    pub kind: Kind,
    /// Name of the metric, `name` or `family/name` (lower-case letters, digits, `_`)
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Folder to write, absent or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of the clmbench sdk crate; by default that of the checkout clmbench was built from
    #[arg(long, value_name = "DIR", env = "CLMBENCH_SDK")]
    pub sdk: Option<PathBuf>,
}

/// Arguments of `plugin build`.
#[derive(Debug, Args)]
pub struct BuildArguments {
    /// Folder of the plugin crate
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Install below this folder instead of your plugin folder
    #[arg(long, value_name = "DIR")]
    pub dest: Option<PathBuf>,
}

/// Where cells are computed, as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The first GPU that the worker offers, else the CPU.
    Auto,
    /// `cpu` or `cuda:<index>`.
    Named(String),
}

/// `auto`, `cpu`, `cuda` or `cuda:<index>`.
fn device(text: &str) -> Result<Device, String> {
    let index = text.strip_prefix("cuda:").and_then(|index| index.parse::<u16>().ok());
    match (text, index) {
        ("auto", _) => Ok(Device::Auto),
        ("cpu", _) => Ok(Device::Named("cpu".to_owned())),
        ("cuda", _) => Ok(Device::Named("cuda:0".to_owned())),
        (_, Some(index)) => Ok(Device::Named(format!("cuda:{index}"))),
        _ => Err("expected auto, cpu or cuda:<index>, such as cuda:0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_finds_no_contradiction_in_the_definition() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn devices() {
        let named = |name: &str| Ok(Device::Named(name.to_owned()));
        assert_eq!(device("auto"), Ok(Device::Auto));
        assert_eq!((device("cpu"), device("cuda"), device("cuda:3")), (named("cpu"), named("cuda:0"), named("cuda:3")));
        for wrong in ["gpu", "cuda:x", "cuda:", "cuda:-1", "CPU", ""] {
            assert!(device(wrong).is_err(), "{wrong}");
        }
    }
}
