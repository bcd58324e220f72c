//! `gc`.

use clap::Args;

use super::Json;

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub struct GcArguments {
    /// List what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Forget this suite (every stored version of it), so that what only it refers to is removed too; repeatable
    #[arg(long, value_name = "NAME")]
    pub forget_suite: Vec<String>,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}
