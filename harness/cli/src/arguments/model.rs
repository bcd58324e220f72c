//! `model`.

use clap::{Args, Subcommand};

use super::Json;

/// `model ...`.
#[derive(Debug, Subcommand)]
pub enum Model {
    /// List the architectures and their presets: objective, size, learning rate
    #[command(after_help = "Example:
  clmbench model list
  clmbench model list --json")]
    List(Json),
    /// Describe an architecture: its source, parameters with defaults and bounds, and presets
    #[command(after_help = "Example:
  clmbench model describe bert
  clmbench model describe bert --preset 0.83M
  clmbench model describe gpt --json")]
    Describe(ModelArguments),
}

/// Arguments of `model describe`.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// Architecture, such as bert
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Only this preset, with every parameter filled in
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<String>,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}
