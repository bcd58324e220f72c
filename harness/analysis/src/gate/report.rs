//! What came out of a gate, as it is shown, stored and exported.

use clmbench_stats::gate::{Claim, GateVerdict};
use serde::{Deserialize, Serialize};

use super::record::MarginSource;

/// The whole judgement. Its JSON form is `{schema, generated_by, rows, overall}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Name and version of the JSON form.
    pub schema: String,
    /// Program and version.
    pub generated_by: String,
    /// One a task, gated metric and speed.
    pub rows: Vec<GateRow>,
    /// Everything together.
    pub overall: GateOverall,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateRowKind {
    /// A downstream score.
    Score,
    /// A metric.
    Metric,
    /// Seconds of embedding.
    Speed,
}

/// One comparison. Numbers that do not exist are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRow {
    /// What it is about.
    pub kind: GateRowKind,
    /// Dataset, or the metric, or `embedding`.
    pub name: String,
    /// Task of a dataset.
    pub task: String,
    /// `probe` or `finetune`.
    pub protocol: String,
    /// Name of the score; `value` of a metric, `log seconds` of speed.
    pub score: String,
    /// Unit of the score.
    pub unit: String,
    /// The gate baseline's value, as it is defined (not oriented): mean over runs and transfer seeds.
    pub baseline: Option<f64>,
    /// The candidate's.
    pub candidate: Option<f64>,
    /// Candidate - baseline, positive if better.
    pub difference: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low95: Option<f64>,
    /// Upper end.
    pub high95: Option<f64>,
    /// How much worse would still be no loss.
    pub margin: f64,
    /// The margin as it is written, such as `default` or `rmse=5%`.
    pub margin_from: String,
    /// Who wrote it: `option`, `suite` or `default`; null in judgements of versions that did not say.
    #[serde(default)]
    pub margin_source: Option<MarginSource>,
    /// `worse`, `not_worse` or `cannot_tell`.
    pub verdict: GateVerdict,
    /// One-sided p of a difference of 0 or more.
    pub p_worse: Option<f64>,
    /// The same after Holm over all rows.
    pub holm_p: Option<f64>,
    /// Standard error over test molecules; of a metric, its own.
    pub se_test: Option<f64>,
    /// Standard error over seeds; null where they are not in the interval.
    pub se_seed: Option<f64>,
    /// What the interval contains, or why there is none.
    pub contains: String,
    /// Word of the refusal, such as `one_seed`; null where it was compared.
    pub refusal: Option<String>,
    /// Of `cannot_tell`: what would settle it.
    pub settle: Option<String>,
    /// Test molecules.
    pub n_test: u64,
    /// Pretraining runs and transfer seeds of each, of the gate baseline.
    pub baseline_seeds: (u32, u32),
    /// The same of the candidate.
    pub candidate_seeds: (u32, u32),
}

impl GateRow {
    /// What it is about in a few words, such as `freesolv expt (probe)`.
    pub fn about(&self) -> String {
        match self.kind {
            GateRowKind::Score if self.task == self.name => format!("{} ({})", self.name, self.protocol),
            GateRowKind::Score => format!("{} {} ({})", self.name, self.task, self.protocol),
            GateRowKind::Metric if self.task.is_empty() => self.name.clone(),
            GateRowKind::Metric => format!("{} {}", self.name, self.task),
            GateRowKind::Speed => "speed of embedding".to_owned(),
        }
    }
}

/// Everything together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateOverall {
    /// `worse`, `not_worse` or `cannot_tell`.
    pub verdict: GateVerdict,
    /// Why, in a sentence.
    pub reason: String,
    /// Of `cannot_tell`: what would settle it.
    pub settle: Option<String>,
    /// Equal-weight mean over tasks of difference / margin.
    pub difference_in_margins: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low95: Option<f64>,
    /// Upper end.
    pub high95: Option<f64>,
    /// `checkpoint` or `recipe`.
    pub claim: Claim,
    /// What that means, in a sentence.
    pub claim_text: String,
    /// Name of the gate baseline.
    pub baseline: String,
    /// Its digest.
    pub baseline_digest: String,
    /// The candidate, as it was named.
    pub candidate: String,
    /// What a reader should know, a sentence each.
    pub notes: Vec<String>,
}
