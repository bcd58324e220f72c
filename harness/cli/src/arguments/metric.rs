//! `metric`.

use clap::{Args, Subcommand};

use super::Json;

/// `metric ...`.
#[derive(Debug, Subcommand)]
pub enum Metric {
    /// List the metrics: what each looks at, its cost, its claim
    #[command(after_help = "Example:
  clmbench metric list
  clmbench metric list --family hessian
  clmbench metric list --json")]
    List(MetricListArguments),
    /// Describe a metric: formula, source, failure modes, parameters with defaults and bounds
    #[command(after_help = "Example:
  clmbench metric describe hessian/trace_hutchinson
  clmbench metric describe transferability/logme --json")]
    Describe(MetricArguments),
}

/// Arguments of `metric list`.
#[derive(Debug, Args)]
pub struct MetricListArguments {
    /// Only this family, such as hessian
    #[arg(long, value_name = "FAMILY")]
    pub family: Option<String>,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `metric describe`.
#[derive(Debug, Args)]
pub struct MetricArguments {
    /// Metric, such as loss/mlm_loss
    #[arg(value_name = "FAMILY/NAME")]
    pub name: String,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}
