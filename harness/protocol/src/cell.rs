//! Cells: units of work with an identity. Every field of a [`CellSpec`] is part of the identity.
//!
//! | kind | inputs by role (paths in [`crate::RunRequest::inputs`]) | files it leaves |
//! |---|---|---|
//! | `tokenise_dataset` | `source:<name>` each source file; `split` the file of a split by file; `tokenizer` the `tokenizer.json` of a tokenizer of kind `file` | `molecules.csv`, `tokens.bin`, `tokenizer.json`, `dataset.json` |
//! | `tokenise_corpus` | `source:<name>` each source file; `exclude:<n>` the folder of the n-th excluded dataset's cell; `tokenizer` as above | `train.bin`, `heldout.bin`, `heldout.csv`, `tokenizer.json` |
//! | `import` | `file:<name>` each file of the checkpoint's folder | one folder, `checkpoint-0` |
//! | `pretrain` | `corpus`: folder of the corpus cell | one folder per checkpoint, `record.json` |
//! | `embed` | `checkpoint`: its folder; `dataset`: folder of the dataset cell | `embeddings.safetensors` |
//! | `measure` | `checkpoint`; `corpus`; `train`: folder of the smallest corpus cell, when [`Measure::train`] is set; `dataset` and `embeddings` when the scope needs a task; `run` (folder of the pretrain cell) when [`Measure::history`] is set; `other:<n>` the folder that holds the n-th of [`Measure::others`] | `values.json`, artifacts |
//! | `transfer` (probe) | `embeddings`: folder of the embed cell; `dataset` | `predictions.csv` |
//! | `transfer` (baseline) | `dataset` | `predictions.csv` |
//! | `transfer` (finetune) | `checkpoint`; `dataset` | `predictions.csv`, `end.safetensors` or `projection.safetensors` |

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    baseline::BaselineProtocol,
    manifest::{Objective, PluginRef, SourceFile, TaskInfo, TaskKind},
    number::Number,
    tokenizer::{Special, TokenizerSpec},
};

/// A unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "a definition is made once a cell, never in bulk")]
pub enum CellSpec {
    /// Parse, check, canonicalise, split and tokenise a dataset.
    TokeniseDataset(TokeniseDataset),
    /// Draw, filter and tokenise a corpus subset and its held-out sample.
    TokeniseCorpus(TokeniseCorpus),
    /// Judge a checkpoint of others and write it as one of ours.
    Import(Import),
    /// Pretrain a model (or only initialise it, as a control) and write its checkpoints.
    Pretrain(Pretrain),
    /// Embed the molecules of a dataset with a checkpoint.
    Embed(Embed),
    /// Measure a metric on a checkpoint.
    Measure(Measure),
    /// Transfer a checkpoint to a task.
    Transfer(Transfer),
}

impl CellSpec {
    /// The stage shown to users: `tokenise`, `import`, `pretrain`, `embed`, `measure` or `transfer`.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::TokeniseDataset(_) | Self::TokeniseCorpus(_) => "tokenise",
            Self::Import(_) => "import",
            Self::Pretrain(_) => "pretrain",
            Self::Embed(_) => "embed",
            Self::Measure(_) => "measure",
            Self::Transfer(_) => "transfer",
        }
    }
}

/// How a dataset is split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitSpec {
    /// One of [`crate::split::ALGORITHMS`].
    pub algorithm: String,
    /// Seed, for algorithms that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Share of molecules for training and validation; the rest is for testing.
    pub fractions: (Number, Number),
    /// The file that gives it, for `file`. The cell finds it in the input `split`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRef>,
}

/// A source file by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Name of the file among the cell's sources.
    pub name: String,
    /// SHA-256 of its bytes. `content:` and [`TokeniseDataset::sha256_csv`] where the content of the dataset is what accepts them, so
    /// that a definition is the same wherever the file comes from; `unknown:` and its address where nothing is known of them.
    pub sha256: String,
}

impl FileRef {
    /// What a definition says of a declared file; `sha256_csv` is that of its dataset.
    pub fn of(file: &SourceFile, sha256_csv: Option<&str>) -> Self {
        let sha256 = match (sha256_csv, file.sha256()) {
            (Some(content), _) => format!("{CONTENT}{content}"),
            (None, Some(bytes)) => bytes.to_owned(),
            (None, None) => format!("unknown:{}", file.urls.first().map_or("", |url| &url.url)),
        };
        Self { name: file.name.clone(), sha256 }
    }

    /// The SHA-256 that the bytes must have, where it is they that are judged.
    pub fn bytes_sha256(&self) -> Option<&str> {
        (!self.sha256.contains(':')).then_some(&self.sha256)
    }
}

/// Begins a [`FileRef::sha256`] that is the content's.
const CONTENT: &str = "content:";

/// See [`CellSpec::TokeniseDataset`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokeniseDataset {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// Plugin that parses it.
    pub plugin: PluginRef,
    /// Source, such as `moleculenet`.
    pub source: String,
    /// Name, such as `freesolv`.
    pub dataset: String,
    /// Files it is parsed from.
    pub files: Vec<FileRef>,
    /// SHA-256 of the normalised CSV that must come out, when it is known.
    pub sha256_csv: Option<String>,
    /// Tasks that the suite names, for a user's file; empty where the source declares them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskInfo>,
    /// Parameters of the source, every one filled in; empty for a source without any.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// Tokenizer.
    pub tokenizer: TokenizerSpec,
    /// Split.
    pub split: SplitSpec,
}

/// How a source file of a corpus is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceFormat {
    /// A header line, then comma-separated rows (`.csv`, `.csv.gz`).
    #[default]
    Csv,
    /// One molecule a line, up to the first white space (`.smi`, `.txt`).
    Lines,
}

/// How a molecule is written before it is tokenised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmilesForm {
    /// Canonical SMILES.
    #[default]
    Canonical,
    /// As the source has it. Repeats and test molecules are still found by canonical SMILES.
    AsWritten,
    /// A random SMILES of the molecule, drawn once from the corpus seed.
    Random,
}

/// One source of a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusSource {
    /// The file.
    pub file: FileRef,
    /// How its bytes are read; gzip is told by its first bytes.
    #[serde(default)]
    pub format: SourceFormat,
    /// Column that holds the SMILES (case-sensitive header name); empty for [`SourceFormat::Lines`].
    pub column: String,
    /// Keep only rows whose column `.0` equals `.1` (such as `split` = `train`).
    pub only: Option<(String, String)>,
    /// Group of sources that shares a weight, such as `moses`.
    pub group: String,
    /// Share of the group among the first molecules drawn and kept, however many, until it is used up.
    pub weight: Number,
}

/// See [`CellSpec::TokeniseCorpus`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokeniseCorpus {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// Name of the corpus, such as `mixed`.
    pub corpus: String,
    /// Molecules in the training subset; subsets of one corpus and seed are nested.
    pub size: u64,
    /// Molecules in the held-out sample, which is the same for every size.
    pub heldout: u64,
    /// Sources.
    pub sources: Vec<CorpusSource>,
    /// Seed of the order in which molecules are drawn.
    pub seed: u64,
    /// How molecules are written, in the subset and in the held-out sample.
    #[serde(default)]
    pub form: SmilesForm,
    /// Tokenizer.
    pub tokenizer: TokenizerSpec,
    /// Digests of the datasets ([`crate::DatasetOutput::data_digest`] and split digest) whose test molecules are removed.
    pub exclude: Vec<(String, String)>,
}

/// Learning-rate schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Shape after the warm-up.
    pub kind: ScheduleKind,
    /// Share of all tokens for the linear warm-up.
    pub warmup: Number,
    /// Share of the tokens up to a checkpoint for its cool-down branch (linear, to zero); 0 for a cosine.
    pub cooldown: Number,
}

/// Shape of a learning-rate schedule after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Constant, with a cool-down branch to each checkpoint: all checkpoints are annealed.
    ConstantWithCooldown,
    /// Half a cosine to zero at the end of the run: only the last checkpoint is annealed.
    Cosine,
}

/// Number format of a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats throughout.
    #[default]
    Float32,
    /// Matrix products in bfloat16 under autocast; weights, moments, normalisations, softmax and loss in float32.
    Bfloat16,
}

/// See [`CellSpec::Import`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// Plugin of the architecture.
    pub plugin: PluginRef,
    /// Architecture.
    pub architecture: String,
    /// Files of the checkpoint's folder, sorted by name.
    pub files: Vec<FileRef>,
    /// Longest sequence in tokens that is asked for; the model's own limit goes first.
    pub max_tokens: u32,
    /// Seed of the random-initialised control: the same architecture and tokenizer with fresh weights in place of those of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<u64>,
    /// libtorch threads.
    pub threads: u32,
}

/// See [`CellSpec::Pretrain`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pretrain {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// Plugin of the architecture.
    pub plugin: PluginRef,
    /// Architecture.
    pub architecture: String,
    /// Its configuration, every key filled in.
    pub config: Map<String, Value>,
    /// Objective.
    pub objective: Objective,
    /// [`crate::CorpusOutput::train_digest`].
    pub corpus_digest: String,
    /// [`crate::CorpusOutput::tokenizer_digest`].
    pub tokenizer_digest: String,
    /// Real (non-padding) tokens to train on; 0 = the random-initialised control.
    pub tokens: u64,
    /// Annealed checkpoints, evenly spaced in tokens; the last is at the end.
    pub checkpoints: u32,
    /// Molecules a step.
    pub batch: u32,
    /// Parts in which a step's batch goes through the model, one after the other; their gradients are added up.
    #[serde(default = "one")]
    pub accumulate: u32,
    /// Peak learning rate.
    pub learning_rate: Number,
    /// Schedule.
    pub schedule: Schedule,
    /// Share of tokens to predict (masked LM).
    pub mask_ratio: Number,
    /// AdamW's weight decay, on matrices only.
    pub weight_decay: Number,
    /// AdamW's betas.
    pub betas: (Number, Number),
    /// Gradient norm is clipped to this.
    pub clip: Number,
    /// Pretraining seed: initial weights, order of molecules, masks.
    pub seed: u64,
    /// Number format of the training steps.
    pub precision: Precision,
    /// libtorch threads.
    pub threads: u32,
}

fn one() -> u32 {
    1
}

/// A checkpoint that a cell reads: everything needed to rebuild the model around the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// BLAKE3 of `model.safetensors`.
    pub weights_digest: String,
    /// Plugin of the architecture.
    pub plugin: PluginRef,
    /// Architecture.
    pub architecture: String,
    /// Its configuration, every key filled in.
    pub config: Map<String, Value>,
    /// Objective.
    pub objective: Objective,
    /// Special ids of its tokenizer, where they are not those of our own: which token hides another is no part of `tokenizer.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special: Option<Special>,
    /// Whether the weights that logits need are random ([`crate::ImportOutput::head_is_random`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head_is_random: bool,
}

/// See [`CellSpec::Embed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Embed {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// The checkpoint.
    pub checkpoint: CheckpointRef,
    /// [`crate::DatasetOutput::data_digest`].
    pub data_digest: String,
    /// [`crate::DatasetOutput::tokenizer_digest`].
    pub tokenizer_digest: String,
    /// `mean` over non-padding tokens of the last hidden states.
    pub pooling: String,
    /// Number format.
    pub precision: Precision,
    /// libtorch threads.
    pub threads: u32,
}

/// How much a metric may spend, in gradient-equivalents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// For trying out.
    Quick,
    /// For results.
    Standard,
    /// For checking results.
    Thorough,
}

impl Budget {
    /// What a metric may spend, in gradient-equivalents over the whole held-out sample.
    pub fn gradient_equivalents(self) -> f64 {
        match self {
            Self::Quick => 20.0,
            Self::Standard => 100.0,
            Self::Thorough => 1000.0,
        }
    }
}

/// See [`CellSpec::Measure`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// Plugin of the metric.
    pub plugin: PluginRef,
    /// `family/name`.
    pub metric: String,
    /// Its parameters, every one filled in.
    pub params: Map<String, Value>,
    /// Budget.
    pub budget: Budget,
    /// The checkpoint.
    pub checkpoint: CheckpointRef,
    /// Facts of the run that the metric may read: parameters, tokens, corpus size, FLOPs.
    pub record: RunFacts,
    /// [`crate::CorpusOutput::heldout_digest`].
    pub heldout_digest: String,
    /// [`crate::CorpusOutput::tokenizer_digest`].
    pub tokenizer_digest: String,
    /// Training molecules that the metric may read, when its parameter `sample` is `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainSample>,
    /// Seed of probes and masks; the same for all checkpoints, so that masks are shared.
    pub seed: u64,
    /// Number format.
    pub precision: Precision,
    /// libtorch threads.
    pub threads: u32,
    /// Dataset, for label-aware metrics: (data digest, split digest, task).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<(String, String, String)>,
    /// [`crate::EmbedOutput::embedding_digest`] of the dataset's molecules, for label-aware metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<String>,
    /// BLAKE3 of the run's `record.json`, for metrics of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// Other weights that it may read: the checkpoints of the run, the other checkpoint of a pair, fine-tuned weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherWeights>,
}

/// Weights that a metric may read beside those of its checkpoint. The n-th are in the input `other:<n>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherWeights {
    /// Name, unique among them, such as `checkpoint-1` or `freesolv/finetune/seed0`.
    pub name: String,
    /// What it belongs to: the dataset of fine-tuned weights, the run of a checkpoint.
    pub group: String,
    /// File inside the input.
    pub file: String,
    /// BLAKE3 of the file.
    pub blake3: String,
}

/// The task that a label-aware metric is measured for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFacts {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: TaskInfo,
}

/// The training molecules that metrics are offered: the smallest nested subset of the suite's corpus, which is part of every
/// larger one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainSample {
    /// [`crate::CorpusOutput::train_digest`] of the smallest subset.
    pub digest: String,
    /// Its molecules.
    pub molecules: u64,
}

/// Facts of a run at one checkpoint, which trivial predictors are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Parameters without word and position embeddings.
    pub non_embedding_parameters: u64,
    /// All trainable parameters.
    pub total_parameters: u64,
    /// Real tokens trained on; none where it is not known, as of a checkpoint of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Molecules in the corpus subset; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corpus_molecules: Option<u64>,
    /// 6 x non-embedding parameters x tokens (Kaplan et al. 2020); none where the tokens are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_flops: Option<Number>,
}

/// See [`CellSpec::Transfer`]. One cell holds every task of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// How transfer is measured.
    pub protocol: Protocol,
    /// Weights it belongs to: digest of the checkpoint; empty for a baseline.
    pub weights_digest: String,
    /// [`crate::DatasetOutput::data_digest`].
    pub data_digest: String,
    /// [`crate::DatasetOutput::split_digest`].
    pub split_digest: String,
    /// Dataset name.
    pub dataset: String,
    /// Tasks, in the order of the dataset.
    pub tasks: Vec<TransferTask>,
    /// Resamples of the test molecules for `se_test`.
    pub bootstrap: u32,
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// A task of a [`Transfer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferTask {
    /// Task.
    pub name: String,
    /// Regression or classification.
    pub kind: TaskKind,
    /// The task's score, such as `rmse`: the primary one among those computed.
    pub score: String,
}

/// How transfer is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Protocol {
    /// Frozen encoder; ridge (regression) or L2 logistic regression (classification) on its embeddings, one model a task.
    Probe(ProbeProtocol),
    /// All weights trained with a linear head on the mean-pooled hidden states, all tasks at once.
    Finetune(Box<FinetuneProtocol>),
    /// A model without a CLM, on fixed features of the molecules, one a task. It belongs to no run and enters no fit; the leaderboard
    /// of models shows it beside the runs.
    Baseline(BaselineProtocol),
}

impl Protocol {
    /// The word in suites, keys and tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Probe(_) => "probe",
            Self::Finetune(_) => "finetune",
            Self::Baseline(_) => "baseline",
        }
    }
}

/// See [`Protocol::Probe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeProtocol {
    /// [`crate::EmbedOutput::embedding_digest`].
    pub embedding_digest: String,
    /// L2 strengths tried; the one with the best validation score is kept.
    pub strengths: Vec<Number>,
}

/// See [`Protocol::Finetune`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinetuneProtocol {
    /// The checkpoint to start from.
    pub checkpoint: CheckpointRef,
    /// [`crate::DatasetOutput::tokenizer_digest`].
    pub tokenizer_digest: String,
    /// Peak learning rates tried, each with the same budget; the one with the best validation score is kept.
    pub learning_rates: Vec<Number>,
    /// Whether the rates are a search (else the suite fixed one).
    pub searched: bool,
    /// Most epochs over the training molecules.
    pub epochs: u32,
    /// Epochs without a better validation score before a training ends; 0 = never before the last.
    pub patience: u32,
    /// Molecules a step.
    pub batch: u32,
    /// Share of the steps for the linear warm-up; the rate falls linearly to zero after it.
    pub warmup: Number,
    /// AdamW's weight decay, on matrices only.
    pub weight_decay: Number,
    /// AdamW's betas.
    pub betas: (Number, Number),
    /// Gradient norm is clipped to this.
    pub clip: Number,
    /// Transfer seed: initial head and order of molecules.
    pub seed: u64,
    /// Number format of the training steps.
    pub precision: Precision,
    /// libtorch threads.
    pub threads: u32,
}
