//! `model`.

use std::path::PathBuf;

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
    /// Describe an architecture, a checkpoint of others, or a run of the store
    ///
    /// An architecture: its source, parameters with defaults and bounds, and presets. A checkpoint (a folder, or
    /// owner/name@REVISION of a hub) or a run: parameters, FLOPs a token, tokenizer, provenance, and how much of datasets
    /// its vocabulary covers.
    #[command(after_help = "Example:
  clmbench model describe bert
  clmbench model describe bert --preset 0.83M
  clmbench model describe ./chemberta --dataset moleculenet/esol --dataset moleculenet/bace
  clmbench model describe sagawa/molscaletransfer-chemlm-0.06m@main --dataset cached
  clmbench model describe 'pretrain/bert-0.83M/mixed-20000/seed0'")]
    Describe(DescribeModelArguments),
    /// Read a checkpoint of others: a folder in the Hugging Face layout, or a model of a hub
    ///
    /// Fetches it (nothing but configuration, tokenizer and safetensors weights; no pickle, no code), judges it, builds the
    /// architecture that knows it, and prints what it is and the [[checkpoint]] table for a suite. Writes nothing but the
    /// cache.
    #[command(after_help = "Example:
  clmbench model import ./chemberta
  clmbench model import sagawa/molscaletransfer-chemlm-0.06m@main
  clmbench model import sagawa/molscaletransfer-chemlm-0.06m --max-tokens 256 --json

HF_ENDPOINT names another hub than https://huggingface.co; HF_TOKEN is sent to it for models that ask who reads them.")]
    Import(ImportArguments),
    /// Write a checkpoint of a run as a folder in the Hugging Face layout
    ///
    /// Its files are checked by their digests. A README.md says what it is and which class of the `transformers` package
    /// opens it. The folder appears when it is complete.
    #[command(after_help = "Example:
  clmbench model export 'pretrain/bert-0.83M/mixed-20000/seed0' --out bert-0.83M
  clmbench model export 3f9c1a22 --checkpoint checkpoint-2 --out halfway
  clmbench model export 'import/chemberta' --suite paper --out chemberta --force")]
    Export(ExportModelArguments),
}

/// Arguments of `model describe`.
#[derive(Debug, Args)]
pub struct DescribeModelArguments {
    /// Architecture; or folder, owner/name@REVISION, key or identity of a run
    #[arg(value_name = "NAME|FOLDER|owner/name@REVISION|RUN")]
    pub name: String,
    /// Only this preset of an architecture, with every parameter filled in
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<String>,
    /// Dataset whose molecules a checkpoint's tokenizer is tried on; repeatable. `cached`: each whose files are there
    #[arg(long, value_name = "SOURCE/NAME")]
    pub dataset: Vec<String>,
    /// How a checkpoint of others is read.
    #[command(flatten)]
    pub reading: Reading,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// How a checkpoint of others is read.
#[derive(Debug, Clone, Args)]
pub struct Reading {
    /// Architecture that reads it, where more than one knows its model_type
    #[arg(long, value_name = "NAME")]
    pub architecture: Option<String>,
    /// Longest sequence in tokens, special ones included
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(4..=1_000_000))]
    pub max_tokens: u32,
}

/// Arguments of `model import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// Folder, or owner/name@REVISION of a hub (without @REVISION: main); a folder that is there goes first
    #[arg(value_name = "FOLDER|owner/name@REVISION")]
    pub what: String,
    /// How it is read.
    #[command(flatten)]
    pub reading: Reading,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `model export`.
#[derive(Debug, Args)]
pub struct ExportModelArguments {
    /// Key of the run's cell as `status --cells` prints it, its label, or the first characters of its identity
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Name of the suite; any of the store if left out, the newest first
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// Folder of the checkpoint in the run, such as checkpoint-2; the last if left out
    #[arg(long, value_name = "CHECKPOINT")]
    pub checkpoint: Option<String>,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace the folder if it holds an export already
    #[arg(long)]
    pub force: bool,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}
