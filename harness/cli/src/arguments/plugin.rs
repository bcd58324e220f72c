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
  clmbench plugin list --kind metric
  clmbench plugin list --plugins ./my-plugins --json")]
    List(PluginListArguments),
    /// Write a new plugin crate that builds: a metric, a dataset or an architecture that works
    #[command(after_help = "Example:
  clmbench plugin new metric steepness --out ~/steepness
  clmbench plugin new metric hessian/top_eigenvalue --out ~/hessian
  clmbench plugin new dataset solubility --out ~/solubility
  clmbench plugin new architecture bag --out ~/bag")]
    New(NewArguments),
    /// Build a plugin crate and install it
    #[command(after_help = "Example:
  clmbench plugin build ~/steepness
  clmbench plugin build ~/steepness --dest ./my-plugins
  clmbench plugin list --plugins ./my-plugins")]
    Build(BuildArguments),
    /// Run a plugin in seconds on what is bundled: two small trained checkpoints and a few hundred molecules
    ///
    /// A metric is measured on a trained checkpoint and, beside it, on the same model untrained. An architecture is trained
    /// for a few dozen steps. A dataset is read, and its first rows, counts and slips are shown.
    #[command(after_help = "Example:
  clmbench plugin try custom/steepness
  clmbench plugin try sharpness/sam_m --params rho=0.1 batch=16
  clmbench plugin try bert
  clmbench plugin try solubility --file my.txt --task logS=regression

Exit status 3 if it failed.")]
    Try(TryArguments),
    /// Load a plugin in a child process and check that it keeps the rules
    #[command(after_help = "Example:
  clmbench plugin check custom/steepness
  clmbench plugin check ~/.local/share/clmbench/plugins/clmbench-plugin-steepness
  clmbench plugin check target/release/libclmbench_plugin_steepness.so

Exit status 3 if a check failed.")]
    Check(CheckArguments),
}

/// Arguments of `plugin list`.
#[derive(Debug, Args)]
pub struct PluginListArguments {
    /// Only what is of this kind; metrics then with what each looks at, its cost and the tasks it is for
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// Files and tasks that a dataset is tried or checked with.
#[derive(Debug, Clone, Args)]
pub struct FileArguments {
    /// File of yours, for a dataset that reads one; NAME=PATH for one of several
    #[arg(long = "file", value_name = "PATH")]
    pub files: Vec<String>,
    /// What a column of that file is: NAME=regression or NAME=classification; repeatable
    #[arg(long = "task", value_name = "NAME=KIND")]
    pub tasks: Vec<String>,
    /// Longest time, such as 90s or 10m; 2 minutes if left out
    #[arg(long, value_name = "TIME", value_parser = crate::units::seconds)]
    pub time_limit: Option<u64>,
}

/// Arguments of `plugin try`.
#[derive(Debug, Args)]
pub struct TryArguments {
    /// Metric (family/name), architecture, dataset (source or source/name), plugin folder or library
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Parameters that differ from their defaults
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    pub params: Vec<String>,
    /// Files of datasets.
    #[command(flatten)]
    pub files: FileArguments,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `plugin check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Plugin folder, its plugin.toml, the library itself, or the name of something that an installed plugin offers
    #[arg(value_name = "PLUGIN")]
    pub path: PathBuf,
    /// Files of datasets.
    #[command(flatten)]
    pub files: FileArguments,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// What `plugin new` can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Numbers measured on a checkpoint and claimed to predict transfer
    Metric,
    /// Molecules with labels, read from a file of yours
    Dataset,
    /// A model that is pretrained
    Architecture,
}

/// Arguments of `plugin new`.
#[derive(Debug, Args)]
pub struct NewArguments {
    /// Kind of plugin
    #[arg(value_enum)]
    pub kind: Kind,
    /// Name in suites: lower-case letters, digits, `_`; a metric may be family/name
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
