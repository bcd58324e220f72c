//! `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  clmbench export --format csv > results.csv
  clmbench export fits --dataset bace --json
  clmbench export predictions --suite demo --protocol finetune --out predictions.csv

`clmbench export --help` names every column.",
    after_long_help = crate::command::export_help())]
pub struct ExportArguments {
    /// What to write, one row each
    #[arg(value_enum, value_name = "WHAT", default_value = "results")]
    pub what: What,
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// Only this dataset (rows that belong to no dataset are left out)
    #[arg(long, value_name = "DATASET")]
    pub dataset: Option<String>,
    /// Only this protocol, probe or finetune (rows that belong to none are left out)
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<String>,
    /// Form of the rows
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// File to write instead of standard output; it appears when it is complete
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl ExportArguments {
    /// The form that was asked for.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Every measured number: metric values, scores, those of the controls, baselines
    Results,
    /// Every fit, with all that `leaderboard predictors --json` says
    Fits,
    /// Every number beside the fits: pooled over tasks, regressions, reliabilities, saturation, ...
    Statistics,
    /// Every ranked model, with all that `leaderboard models --json` says
    Models,
    /// Every cell of the plan: status, identity, time, bytes, reason
    Cells,
    /// Every dataset: rows, split, leaks, licence, citation
    Datasets,
    /// Every test prediction behind the scores
    Predictions,
}

/// Forms that rows are exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header line (RFC 4180)
    Csv,
    /// One object {schema, generated_by, rows}
    Json,
}
