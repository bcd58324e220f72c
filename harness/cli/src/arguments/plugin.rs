//! `plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Json;

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
