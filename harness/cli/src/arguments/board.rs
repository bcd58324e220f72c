//! `leaderboard`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;

/// `leaderboard ...`.
#[derive(Debug, Subcommand)]
pub enum Leaderboard {
    /// Metrics by how well they predict transfer, beside the trivial predictors
    ///
    /// Every row says n (independent runs), an interval, a verdict (predicts, does not predict, cannot tell, refused),
    /// the gain over size, tokens and corpus, and the smallest correlation this design could have found. Of many fits it shows each
    /// metric over all tasks first, by its mean gain, with how stable that rank is under resampled runs and tasks.
    #[command(after_help = "Example:
  clmbench leaderboard predictors
  clmbench leaderboard predictors --dataset bace --protocol probe
  clmbench leaderboard predictors --sort r
  clmbench leaderboard predictors --overall --md
  clmbench leaderboard predictors --sort=-gain --columns metric,dataset,gain,gain_low,gain_high
  clmbench leaderboard predictors --only-changed --since yesterday.json
  clmbench leaderboard predictors --suite demo --json")]
    Predictors(BoardArguments),
    /// Models by their downstream scores, beside the random-initialised controls
    ///
    /// Within one task every model is compared with the best, the next, its untrained control and the best baseline on the same test
    /// molecules; = marks those that cannot be told from the best. Over tasks, mean rank and Borda count stand beside each other.
    /// Models are never ranked together across splits.
    #[command(after_help = "Example:
  clmbench leaderboard models
  clmbench leaderboard models --dataset bace --protocol probe
  clmbench leaderboard models --overall --csv
  clmbench leaderboard models --suite demo --json")]
    Models(BoardArguments),
}

/// Arguments of the leaderboards. What is not shown still counts: p-values are those of all fits.
#[derive(Debug, Clone, Default, Args)]
pub struct BoardArguments {
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// Only this dataset
    #[arg(long, value_name = "DATASET")]
    pub dataset: Option<String>,
    /// Only this task of its dataset
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// Only this protocol, probe or finetune
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<String>,
    /// Only pools whose name holds this; of models: only splits whose digest holds it
    #[arg(long, value_name = "PART")]
    pub pool: Option<String>,
    /// One row a metric or model over all tasks
    #[arg(long)]
    pub overall: bool,
    /// Every metric, task and run of an overview, however many lines they take
    #[arg(long)]
    pub all: bool,
    /// Sort by a column, -COLUMN the largest first; models within their ranking
    ///
    /// Of predictors also `gain` (what the board over all tasks stands by) and `r`: the whole board in that order, best first.
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Only these columns, those of --json
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Only rows whose rank, verdict or value is another than in the fits before
    ///
    /// `clmbench run` keeps the fits that it replaces by others. --since compares with an earlier output of --json instead.
    #[arg(long, conflicts_with = "overall")]
    pub only_changed: bool,
    /// An earlier output of --json to compare with
    #[arg(long, value_name = "FILE", requires = "only_changed")]
    pub since: Option<PathBuf>,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
    /// Print CSV instead of a table
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print a Markdown table instead
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub md: bool,
}
