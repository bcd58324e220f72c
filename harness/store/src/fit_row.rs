//! A stored fit: one row of the leaderboard of predictors.

use serde::Serialize;

use crate::rows::optional_number;

/// One metric's fit to one task's score over the runs of one pool. What each number means: `benchmarks/METHODOLOGY.md`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FitRow {
    /// `family/name`, with parameters where the suite crosses several.
    pub metric: String,
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Protocol of transfer.
    pub protocol: String,
    /// Pool: what the runs have in common.
    pub pool: String,
    /// Name of the score.
    pub score: String,
    /// Runs.
    pub n: u32,
    /// Checkpoints of those runs.
    pub n_checkpoints: u32,
    /// Score a standard deviation of the metric, both oriented.
    #[serde(serialize_with = "optional_number")]
    pub slope: Option<f64>,
    /// Standard error of the slope.
    #[serde(serialize_with = "optional_number")]
    pub std_error: Option<f64>,
    /// Lower end of the slope's 95 % interval: Student's t over runs, from 8 runs on.
    #[serde(serialize_with = "optional_number")]
    pub ci_low: Option<f64>,
    /// Upper end of the slope's 95 % interval.
    #[serde(serialize_with = "optional_number")]
    pub ci_high: Option<f64>,
    /// Share of variance explained.
    #[serde(serialize_with = "optional_number")]
    pub r2: Option<f64>,
    /// The same, leaving one run out.
    #[serde(serialize_with = "optional_number")]
    pub q2: Option<f64>,
    /// Oriented Spearman correlation.
    #[serde(serialize_with = "optional_number")]
    pub spearman: Option<f64>,
    /// Lower end of its interval.
    #[serde(serialize_with = "optional_number")]
    pub spearman_low: Option<f64>,
    /// Upper end of its interval.
    #[serde(serialize_with = "optional_number")]
    pub spearman_high: Option<f64>,
    /// Oriented Kendall correlation.
    #[serde(serialize_with = "optional_number")]
    pub kendall: Option<f64>,
    /// Holm-adjusted permutation p.
    #[serde(serialize_with = "optional_number")]
    pub p_value: Option<f64>,
    /// The same before adjustment.
    #[serde(serialize_with = "optional_number")]
    pub p_raw: Option<f64>,
    /// Q2 that the metric adds to the trivial predictors.
    #[serde(serialize_with = "optional_number")]
    pub gain: Option<f64>,
    /// Lower end of the gain's interval.
    #[serde(serialize_with = "optional_number")]
    pub gain_low: Option<f64>,
    /// Upper end of the gain's interval.
    #[serde(serialize_with = "optional_number")]
    pub gain_high: Option<f64>,
    /// `better`, `not_better` or `cannot_tell`.
    pub gain_verdict: Option<String>,
    /// Why there is no gain, or how its verdict came about.
    pub gain_reason: Option<String>,
    /// `predicts`, `does_not_predict`, `cannot_tell` or `refused`.
    pub verdict: String,
    /// How the verdict came about.
    pub verdict_reason: Option<String>,
    /// Typed reason of the verdict `refused`, such as `too_few`, `constant` or `no_values`.
    pub refusal: Option<String>,
    /// Significant in the wrong direction.
    pub reversed: bool,
    /// Minimum detectable |r| with these runs, at 80 % power.
    #[serde(serialize_with = "optional_number")]
    pub mde: Option<f64>,
    /// Mean wall time of the metric on a checkpoint, in seconds.
    #[serde(serialize_with = "optional_number")]
    pub cost_seconds: Option<f64>,
    /// Words that say what to be careful about, such as `out_of_vocabulary`.
    pub flags: Vec<String>,
    /// `higher_is_better` or `lower_is_better`, as the metric claims.
    pub metric_orientation: String,
    /// `higher_is_better` or `lower_is_better`.
    pub score_orientation: String,
    /// Whether the metric is one of the trivial predictors.
    pub trivial: bool,
    /// Runs that would detect the useful effect.
    pub n_needed: Option<u32>,
    /// Everything else, as JSON. Boards show it as an object, so it is no part of the row's own JSON form.
    #[serde(skip_serializing)]
    pub details_json: String,
}

/// What the stored fits of a suite were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FitsState {
    /// When they were stored (RFC 3339, UTC).
    pub created: String,
    /// Finished cells of the suite at that time.
    pub cells: u64,
    /// BLAKE3 of those cells' identities and result digests.
    pub inputs_digest: String,
    /// Whether the suite's finished cells are others now.
    pub stale: bool,
}
