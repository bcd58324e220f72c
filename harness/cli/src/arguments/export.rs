//! `export`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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
