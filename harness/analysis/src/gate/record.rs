//! What is frozen, as it is stored and carried from machine to machine: plain JSON.

use clmbench_protocol::{Budget, Comparable, Direction, ErrorKind, Number, TaskKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name and version of the JSON form of a gate baseline.
pub const BASELINE_SCHEMA: &str = "clmbench/gate-baseline/1";

/// A gate baseline: one side, its margins, and the suite from which a candidate's cells are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateBaseline {
    /// [`BASELINE_SCHEMA`].
    pub schema: String,
    /// Program and version.
    pub generated_by: String,
    /// Its suite.
    pub suite: SuiteRecord,
    /// Margins of its tasks, in their order.
    pub margins: Vec<Margin>,
    /// What was measured.
    #[serde(flatten)]
    pub side: SideRecord,
}

/// A suite as it was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteRecord {
    /// Name.
    pub name: String,
    /// Digest of its text.
    pub digest: String,
    /// Its text.
    pub toml: String,
}

/// How much worse would still be no loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// In units of the score.
    pub value: f64,
    /// As it is written, such as `default` or `rmse=5%`.
    pub from: String,
    /// Who wrote it; absent in gate baselines of versions that knew no margins of suites, whose digest is without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<MarginSource>,
}

impl Margin {
    /// Who wrote it.
    pub fn source(&self) -> MarginSource {
        let before = if self.from == "default" { MarginSource::Default } else { MarginSource::Option };
        self.source.unwrap_or(before)
    }
}

/// Who wrote a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarginSource {
    /// `--margin` of `baseline save`, or of a gated metric or speed.
    Option,
    /// `[gate.margins]` of the suite.
    Suite,
    /// Nobody: it is the default.
    Default,
}

impl MarginSource {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Suite => "suite",
            Self::Default => "default",
        }
    }
}

/// Everything that was measured of one model: one pretraining run, or several that differ by their seed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SideRecord {
    /// Its runs.
    pub runs: Vec<RunRecord>,
    /// Its tasks.
    pub tasks: Vec<TaskRecord>,
    /// Its primary values of metrics.
    pub metrics: Vec<MetricRecord>,
    /// Seconds of its embed cells.
    pub speed: Vec<SpeedRecord>,
}

/// A pretraining run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Label.
    pub label: String,
    /// Identity of its pretrain or import cell.
    pub identity: String,
    /// Architecture.
    pub architecture: String,
    /// Parameters without embeddings.
    pub non_embedding_parameters: u64,
    /// Digest of the weights.
    pub weights_digest: String,
    /// Where a checkpoint of others is from.
    pub source: Option<String>,
}

/// A task under one protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// `probe` or `finetune`.
    pub protocol: String,
    /// Name of the score.
    pub score: String,
    /// Unit of the score; empty for one without.
    pub unit: String,
    /// Digest of (row, part) pairs.
    pub split_digest: String,
    /// SHA-256 of molecules and labels, whatever the tokenizer; of datasets read before that was kept, with their tokens.
    pub content_digest: String,
    /// Standard deviation of the training labels; null of a classification.
    pub train_sd: Option<Number>,
    /// The protocol with its settings and the revision of its stage, without seeds, weights and threads.
    pub settings: Value,
    /// Rows of the dataset that are tested, rising.
    pub rows: Vec<u64>,
    /// Their labels.
    pub labels: Vec<Number>,
    /// `[run][transfer seed]`, runs as in [`SideRecord::runs`].
    pub runs: Vec<Vec<SeedRecord>>,
}

/// One transfer of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedRecord {
    /// Identity of the transfer cell.
    pub cell: String,
    /// Its seed.
    pub seed: u64,
    /// The score.
    pub score: Number,
    /// Predictions of the rows.
    pub predictions: Vec<Number>,
}

/// A primary value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRecord {
    /// `family/name`.
    pub metric: String,
    /// Parameters, as JSON with sorted keys.
    pub params_json: String,
    /// Budget.
    pub budget: Budget,
    /// Unit.
    pub unit: String,
    /// Claimed direction.
    pub direction: Direction,
    /// What it can be compared across.
    pub comparable: Comparable,
    /// Digest of the held-out sample.
    pub heldout_digest: String,
    /// Digest of the tokenizer.
    pub tokenizer_digest: String,
    /// Of a label-aware metric: (content digest, split digest, task).
    pub dataset: Option<(String, String, String)>,
    /// Value and standard error of each run; null of a run without one.
    pub values: Vec<Option<(Number, Number)>>,
    /// What the error is.
    pub error_kind: ErrorKind,
}

impl MetricRecord {
    /// Whether both are of one metric in one setting, of the same molecules where it has any.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.metric, &self.params_json, self.budget, &self.dataset)
            == (&other.metric, &other.params_json, other.budget, &other.dataset)
    }

    /// Whether both are of one held-out sample, where values mean something on one sample only.
    pub fn is_on_the_sample_of(&self, other: &Self) -> bool {
        self.comparable != Comparable::SameEvaluation || self.heldout_digest == other.heldout_digest
    }
}

/// The embedding of a dataset's molecules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeedRecord {
    /// Dataset.
    pub dataset: String,
    /// Molecules.
    pub molecules: u64,
    /// Wall time of the embed cell of each run.
    pub seconds: Vec<f64>,
    /// Device, libtorch, threads and the build of the worker: what must be the same for a comparison.
    pub measured_with: String,
}
