//! What a fit rests on: stored beside its row as JSON, shown in footers and in the report.

use clmbench_protocol::Number;
use clmbench_stats::{Interval, PermutationTest, RandomBand};
use serde::{Deserialize, Serialize};

use crate::pool::Pool;

/// Everything about a fit that has no column of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// What its runs share.
    pub pool: Pool,
    /// Name of the Holm family.
    pub family: String,
    /// Tests in the family.
    pub family_size: usize,
    /// Parameters of the metric, as JSON.
    pub params_json: String,
    /// Name of the primary value.
    pub value_name: String,
    /// Unit of the primary value.
    pub unit: String,
    /// Smallest |r| that would be useful.
    pub useful_effect: f64,
    /// How the p-value was found; none where there is none.
    pub permutation: Option<PermutationTest>,
    /// Interval of the Spearman correlation, 90 and 95 %.
    pub spearman_interval: Option<Interval>,
    /// Why there is no such interval.
    pub spearman_interval_reason: Option<String>,
    /// Why there is no linear fit.
    pub fit_reason: Option<String>,
    /// HC3 standard error of the slope; from 20 runs on.
    pub hc3_std_error: Option<f64>,
    /// The gain's parts.
    pub gain: Option<GainDetails>,
    /// What a random predictor reaches with these runs.
    pub random_band: Option<RandomBand>,
    /// The points that were fitted, not oriented.
    pub points: Vec<FitPoint>,
    /// Runs that were not counted.
    pub excluded: Vec<ExcludedRun>,
}

/// Parts of a gain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GainDetails {
    /// Q2 of the trivial predictors alone.
    pub q2_trivial: f64,
    /// Q2 of the trivial predictors and the metric.
    pub q2_with_metric: f64,
    /// Trivial columns used.
    pub used: Vec<String>,
    /// Trivial columns that are the same in every run, or a combination of the others.
    pub dropped: Vec<String>,
    /// How the interval falls short of its level.
    pub interval_note: Option<String>,
    /// 90 and 95 % interval over runs.
    pub interval: Option<Interval>,
}

/// A run in a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitPoint {
    /// Identity of its pretrain cell.
    pub run: String,
    /// Its label.
    pub label: String,
    /// Primary value of the metric.
    pub metric: Number,
    /// Its standard error.
    pub metric_std_error: Number,
    /// Score, mean over transfer seeds.
    pub score: Number,
    /// Standard error over test molecules.
    pub score_se_test: Number,
    /// Standard error over transfer seeds.
    pub score_se_seed: Option<Number>,
    /// Transfer seeds averaged.
    pub transfer_seeds: u32,
}

/// A run that was not counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExcludedRun {
    /// Identity of its pretrain cell.
    pub run: String,
    /// Its label.
    pub label: String,
    /// Why, such as `diverged`.
    pub reason: String,
}
