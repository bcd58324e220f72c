//! What goes into the store and what comes out of it, as plain rows.
//!
//! Floats that are not finite are serialised as the strings `NaN`, `inf` and `-inf`, as everywhere in the tool.

use clmbench_protocol::{Budget, CellOutput, CellReport, CellSpec, ErrorKind, Number, Objective, TaskKind};
use serde::{Serialize, Serializer};

/// A float as [`Number`] writes it.
pub(crate) fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

/// A float that may be absent, as [`Number`] writes it.
pub(crate) fn optional_number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(Number).serialize(serializer)
}

/// State of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CellStatus {
    /// Not computed yet.
    Todo,
    /// Being computed by the process that holds the lease.
    Running,
    /// Computed.
    Done,
    /// Not to be computed, for a reason that the row names.
    Refused,
    /// Does not apply to what it was crossed with.
    NotApplicable,
    /// Failed; the row names why. It may be started again.
    Failed,
    /// A pretraining run that was computed to its end and diverged. Its report is kept; it is not computed again.
    Diverged,
}

impl CellStatus {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Todo, Self::Running, Self::Done, Self::Refused, Self::NotApplicable, Self::Failed, Self::Diverged];

    /// The stored word, such as `not_applicable`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Running => "running",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::NotApplicable => "not_applicable",
            Self::Failed => "failed",
            Self::Diverged => "diverged",
        }
    }

    /// The status of a stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether the cell was computed to its end: `done` or `diverged`.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Done | Self::Diverged)
    }
}

impl std::fmt::Display for CellStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.word())
    }
}

/// A suite to be stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewSuite {
    /// Name as written in the suite file.
    pub name: String,
    /// Digest of everything the suite says; the same digest is the same suite.
    pub digest: String,
    /// Text of the suite file.
    pub toml: String,
    /// Outcome that the suite expects, such as `cannot_tell`.
    pub expect: Option<String>,
    /// Smallest |r| that would be useful.
    pub useful_effect: f64,
    /// What `plan` said, as JSON.
    pub plan_json: String,
}

/// A cell of a plan, before its identity is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewCell {
    /// Name of the cell in its suite; unique there.
    pub key: String,
    /// `import`, `tokenise`, `pretrain`, `embed`, `measure` or `transfer`.
    pub stage: String,
    /// What users see.
    pub label: String,
    /// Keys of the cells whose results it needs.
    pub dependencies: Vec<String>,
    /// Of an import: where the checkpoint comes from, `hub:owner/name@commit` or `folder:name`.
    pub source: Option<String>,
    /// Of an import: tokens that it was trained on, if the suite says so.
    pub tokens: Option<u64>,
    /// Of an import: molecules that it was trained on, if the suite says so.
    pub molecules: Option<u64>,
}

/// A stored suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuiteRow {
    /// Number of the suite in this store.
    pub id: i64,
    /// Name as written in the suite file.
    pub name: String,
    /// Digest of everything the suite says.
    pub digest: String,
    /// Text of the suite file.
    pub toml: String,
    /// Outcome that the suite expects.
    pub expect: Option<String>,
    /// Smallest |r| that would be useful.
    #[serde(serialize_with = "number")]
    pub useful_effect: f64,
    /// What `plan` said, as JSON.
    pub plan_json: String,
    /// When it was first stored (RFC 3339, UTC).
    pub created: String,
}

/// A cell of a suite with its state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellRow {
    /// Name of the cell in its suite.
    pub key: String,
    /// `import`, `tokenise`, `pretrain`, `embed`, `measure` or `transfer`.
    pub stage: String,
    /// What users see.
    pub label: String,
    /// Identity, once the cells it needs are done.
    pub identity: Option<String>,
    /// State.
    pub status: CellStatus,
    /// Typed reason of a failure, such as `time_limit`.
    pub failure_kind: Option<String>,
    /// Why it failed, was refused or does not apply.
    pub reason: Option<String>,
    /// How often it was started.
    pub attempts: u32,
    /// Wall time of the computation, in seconds.
    #[serde(serialize_with = "optional_number")]
    pub seconds: Option<f64>,
    /// Seconds since it was started, while it is running.
    #[serde(rename = "elapsed_seconds", serialize_with = "optional_number")]
    pub elapsed: Option<f64>,
    /// When it was last started (RFC 3339, UTC).
    pub started: Option<String>,
    /// When it was finished or failed (RFC 3339, UTC).
    pub finished: Option<String>,
    /// Keys of the cells whose results it needs.
    pub dependencies: Vec<String>,
    /// Device it was computed on.
    pub device: Option<String>,
    /// libtorch version it was computed with.
    pub libtorch: Option<String>,
    /// Highest resident memory of the worker, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Version and digest of the worker that computed it.
    pub build: Option<String>,
}

/// Everything stored about one cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellDetail {
    /// Name of the newest suite that plans it.
    pub suite: Option<String>,
    #[serde(flatten)]
    /// Its row in that suite; for a cell of no suite, key and label are its identity.
    pub row: CellRow,
    /// Keys of the cells of that suite that need its result.
    pub needed_by: Vec<String>,
    /// What is computed, once the identity is known.
    pub spec: Option<CellSpec>,
    /// Its result.
    pub output: Option<CellOutput>,
    /// Its result with files and provenance.
    pub report: Option<CellReport>,
}

/// A pretraining run of a suite, or a checkpoint of others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Identity of the pretrain or import cell.
    pub run: String,
    /// Label of that cell in the suite.
    pub label: String,
    /// Architecture.
    pub architecture: String,
    /// Objective.
    pub objective: Objective,
    /// Configuration of the architecture, as JSON.
    pub config_json: String,
    /// Whether it is a checkpoint of others, or the control of one: what is not known of its training is null.
    pub imported: bool,
    /// Where a checkpoint of others comes from: `hub:owner/name@commit`, or `folder:` and the folder's name.
    pub source: Option<String>,
    /// Name of the corpus; empty if its cell is not in the store.
    pub corpus: String,
    /// Molecules in the corpus subset.
    pub corpus_molecules: Option<u64>,
    /// Real tokens to train on, as the suite says.
    pub tokens: Option<u64>,
    /// Pretraining seed.
    pub seed: Option<u64>,
    /// BLAKE3 of its definition without the seed: runs that share it differ by the pretraining seed alone.
    pub configuration: String,
    /// Parameters without word and position embeddings.
    pub non_embedding_parameters: u64,
    /// All trainable parameters.
    pub total_parameters: u64,
    /// 6 x non-embedding parameters x tokens at the last checkpoint.
    #[serde(serialize_with = "optional_number")]
    pub training_flops: Option<f64>,
    /// Highest learning rate.
    #[serde(serialize_with = "optional_number")]
    pub learning_rate: Option<f64>,
    /// Passes over the corpus subset.
    #[serde(serialize_with = "optional_number")]
    pub epochs: Option<f64>,
    /// Whether it is the random-initialised control (0 tokens), which is never counted in n.
    pub control: bool,
    /// Whether it diverged.
    pub diverged: bool,
    /// By which rule it diverged, in words.
    pub divergence: Option<String>,
    /// Digest of the tokenizer.
    pub tokenizer_digest: String,
    /// Digest of the corpus subset's tokens; empty for a checkpoint of others.
    pub corpus_digest: String,
    /// Digest of the last checkpoint's weights; empty if the run has none.
    pub last_weights: String,
    /// Annealed checkpoints.
    pub n_checkpoints: u32,
    /// Number format of its training steps: `float32` or `bfloat16`; empty where it is not known.
    pub precision: String,
    /// Wall time, in seconds.
    #[serde(serialize_with = "number")]
    pub seconds: f64,
    /// Device.
    pub device: String,
    /// libtorch version.
    pub libtorch: String,
}

/// One value of a metric on one checkpoint of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricRow {
    /// Identity of the measure cell.
    pub cell: String,
    /// Identity of the run's pretrain cell.
    pub run: String,
    /// Digest of the checkpoint's weights.
    pub weights_digest: String,
    /// Whether the checkpoint's learning rate was cooled down to zero.
    pub annealed: bool,
    /// Whether the checkpoint is the run's last.
    pub last: bool,
    /// `family/name`.
    pub metric: String,
    /// Parameters of the metric, as JSON with sorted keys.
    pub params_json: String,
    /// Budget.
    pub budget: Budget,
    /// Name of the value.
    pub value_name: String,
    /// Whether it is the metric's primary value.
    pub primary: bool,
    /// Unit.
    pub unit: String,
    /// The value.
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// Standard error from probes or masks.
    #[serde(serialize_with = "optional_number")]
    pub se_estimator: Option<f64>,
    /// Standard error from the molecules of the sample.
    #[serde(serialize_with = "optional_number")]
    pub se_sample: Option<f64>,
    /// Root sum of squares of both, or the residual bound, or 0.
    #[serde(serialize_with = "number")]
    pub std_error: f64,
    /// What the error is.
    pub error_kind: ErrorKind,
    /// Digest of the held-out sample.
    pub heldout_digest: String,
    /// Digest of the tokenizer.
    pub tokenizer_digest: String,
    /// For label-aware metrics: (data digest, split digest, task).
    pub dataset: Option<(String, String, String)>,
    /// Molecules of the sample that were used.
    pub molecules: u64,
    /// Cost in gradient-equivalents.
    #[serde(serialize_with = "number")]
    pub gradient_equivalents: f64,
    /// Why it stopped: `budget`, `precision` or `complete`.
    pub stopped: String,
    /// Wall time of the cell, in seconds.
    #[serde(serialize_with = "number")]
    pub seconds: f64,
    /// Device.
    pub device: String,
    /// libtorch version.
    pub libtorch: String,
}

/// One downstream score of one checkpoint of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreRow {
    /// Identity of the transfer cell.
    pub cell: String,
    /// Identity of the run's pretrain cell.
    pub run: String,
    /// Digest of the checkpoint's weights.
    pub weights_digest: String,
    /// Folder of the checkpoint in its run.
    pub checkpoint: String,
    /// Whether the checkpoint's learning rate was cooled down to zero.
    pub annealed: bool,
    /// Whether the checkpoint is the run's last.
    pub last: bool,
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// `probe` or `finetune`.
    pub protocol: String,
    /// Digest of the split.
    pub split_digest: String,
    /// Digest of molecules, labels and tokens.
    pub data_digest: String,
    /// Name of the score, such as `rmse`.
    pub score: String,
    /// The score on the test molecules.
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// Whether larger is better.
    pub higher_is_better: bool,
    /// Whether it is the task's recommended score.
    pub primary: bool,
    /// Standard error over test molecules.
    #[serde(serialize_with = "number")]
    pub se_test: f64,
    /// Standard error over transfer seeds.
    #[serde(serialize_with = "optional_number")]
    pub se_seed: Option<f64>,
    /// The same score of the predictor that always says the training mean or prevalence.
    #[serde(serialize_with = "number")]
    pub mean_predictor: f64,
    /// Molecules with labels for training.
    pub n_train: u64,
    /// Molecules with labels for validation.
    pub n_validation: u64,
    /// Molecules with labels for testing.
    pub n_test: u64,
    /// Transfer seed of a fine-tuning; of a probe, which has none, the seed of its bootstrap.
    pub seed: u64,
    /// Whether the suite fixed the learning rate of a fine-tuning, which was not searched for then.
    pub fixed_learning_rate: bool,
    /// Wall time of the cell, in seconds.
    #[serde(serialize_with = "number")]
    pub seconds: f64,
    /// Device.
    pub device: String,
    /// libtorch version.
    pub libtorch: String,
}

/// A task of a finished transfer cell that has no score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedTaskRow {
    /// Identity of the transfer cell.
    pub cell: String,
    /// Identity of the run's pretrain cell.
    pub run: String,
    /// Folder of the checkpoint in its run.
    pub checkpoint: String,
    /// Whether the checkpoint is the run's last.
    pub last: bool,
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Name of the primary score it would have.
    pub score: String,
    /// `probe` or `finetune`.
    pub protocol: String,
    /// Digest of the split.
    pub split_digest: String,
    /// Digest of molecules, labels and tokens.
    pub data_digest: String,
    /// Why it has none, such as a part with one class only.
    pub reason: String,
}
