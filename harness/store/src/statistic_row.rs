//! A stored statistic: a number with its uncertainty that is no column of a fit.

use serde::Serialize;

use crate::rows::optional_number;

/// A number about a fit, a metric over all tasks, a task, or a suite. What each kind and name means: `benchmarks/METHODOLOGY.md`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StatisticRow {
    /// What kind of analysis it is of, such as `regression`, `pooled` or `saturation`.
    pub kind: String,
    /// The metric, as in [`crate::FitRow`]; none where it is not of one.
    pub metric: Option<String>,
    /// Dataset; none where it is over all.
    pub dataset: Option<String>,
    /// Task; none where it is over all.
    pub task: Option<String>,
    /// Protocol of transfer.
    pub protocol: Option<String>,
    /// Pool, as in [`crate::FitRow`].
    pub pool: Option<String>,
    /// Name of the score.
    pub score: Option<String>,
    /// Which number it is, such as `partial_r2`.
    pub name: String,
    /// What of several it is about, such as a covariate, a stratum or a run.
    pub term: Option<String>,
    /// The number.
    #[serde(serialize_with = "optional_number")]
    pub value: Option<f64>,
    /// Its standard error.
    #[serde(serialize_with = "optional_number")]
    pub std_error: Option<f64>,
    /// Lower end at 90 %.
    #[serde(serialize_with = "optional_number")]
    pub low90: Option<f64>,
    /// Upper end at 90 %.
    #[serde(serialize_with = "optional_number")]
    pub high90: Option<f64>,
    /// Lower end at 95 %.
    #[serde(serialize_with = "optional_number")]
    pub low95: Option<f64>,
    /// Upper end at 95 %.
    #[serde(serialize_with = "optional_number")]
    pub high95: Option<f64>,
    /// p before adjustment.
    #[serde(serialize_with = "optional_number")]
    pub p_raw: Option<f64>,
    /// p adjusted within its family.
    #[serde(serialize_with = "optional_number")]
    pub p_value: Option<f64>,
    /// Runs, or tasks where `details_json` says so.
    pub n: u32,
    /// What may be said, where something may.
    pub verdict: Option<String>,
    /// Typed reason why there is no value, such as `too_few`.
    pub refusal: Option<String>,
    /// The verdict or the refusal in words.
    pub reason: Option<String>,
    /// Everything else, as JSON.
    #[serde(skip_serializing)]
    pub details_json: Option<String>,
}
