//! `leaderboard`.

use clap::{Args, Subcommand};

use super::Json;

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
