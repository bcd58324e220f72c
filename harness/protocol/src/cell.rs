//! Cells: units of work with an identity. Every field of a [`CellSpec`] is part of the identity.
//!
//! | kind | inputs by role (paths in [`crate::RunRequest::inputs`]) | files it leaves |
//! |---|---|---|
//! | `tokenise_dataset` | `source:<name>` each source file | `molecules.csv`, `tokens.bin`, `tokenizer.json`, `dataset.json` |
//! | `tokenise_corpus` | `source:<name>` each source file; `exclude:<n>` the folder of the n-th excluded dataset's cell | `train.bin`, `heldout.bin`, `heldout.csv`, `tokenizer.json` |
//! | `pretrain` | `corpus`: folder of the corpus cell | one folder per checkpoint, `record.json` |
//! | `embed` | `checkpoint`: its folder; `dataset`: folder of the dataset cell | `embeddings.safetensors` |
//! | `measure` | `checkpoint`; `corpus`; `dataset` when the scope needs one | `values.json`, artifacts |
//! | `transfer` | `embeddings`: folder of the embed cell; `dataset` | `predictions.csv` |

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    manifest::{Objective, PluginRef, TaskKind},
    number::Number,
};

/// A unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CellSpec {
    /// Parse, check, canonicalise, split and tokenise a dataset.
    TokeniseDataset(TokeniseDataset),
    /// Draw, filter and tokenise a corpus subset and its held-out sample.
    TokeniseCorpus(TokeniseCorpus),
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
    /// The stage shown to users: `tokenise`, `pretrain`, `embed`, `measure` or `transfer`.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::TokeniseDataset(_) | Self::TokeniseCorpus(_) => "tokenise",
            Self::Pretrain(_) => "pretrain",
            Self::Embed(_) => "embed",
            Self::Measure(_) => "measure",
            Self::Transfer(_) => "transfer",
        }
    }
}

/// How strings become tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizerSpec {
    /// `smiles`: the regex of Schwaller et al. over a fixed full SMILES vocabulary.
    pub kind: String,
    /// Longest sequence in tokens, with the two special ones; longer molecules are truncated and counted.
    pub max_tokens: u32,
}

impl Default for TokenizerSpec {
    fn default() -> Self {
        Self { kind: "smiles".into(), max_tokens: 128 }
    }
}

/// How a dataset is split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitSpec {
    /// `scaffold` (DeepChem's rule; deterministic).
    pub algorithm: String,
    /// Seed, for algorithms that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Share of molecules for training and validation; the rest is for testing.
    pub fractions: (Number, Number),
}

/// A source file by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Name of the file among the cell's sources.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

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
    /// Tokenizer.
    pub tokenizer: TokenizerSpec,
    /// Split.
    pub split: SplitSpec,
}

/// One source of a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusSource {
    /// The file.
    pub file: FileRef,
    /// Column that holds the SMILES (case-sensitive header name).
    pub column: String,
    /// Keep only rows whose column `.0` equals `.1` (such as `split` = `train`).
    pub only: Option<(String, String)>,
    /// Group of sources that shares a weight, such as `moses`.
    pub group: String,
    /// Share of the group in any prefix of the drawing order, until it is used up.
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
    /// Tokenizer.
    pub tokenizer: TokenizerSpec,
    /// Digests of the datasets ([`crate::DatasetOutput::data_digest`] and split digest) whose test molecules are removed.
    pub exclude: Vec<(String, String)>,
}

/// Learning-rate schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// `constant_with_cooldown`.
    pub kind: String,
    /// Share of all steps for the linear warm-up.
    pub warmup: Number,
    /// Share of the steps up to a checkpoint for its cool-down branch (linear, to zero).
    pub cooldown: Number,
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
    /// `float32`.
    pub precision: String,
    /// libtorch threads.
    pub threads: u32,
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
    /// `float32`.
    pub precision: String,
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
    /// Seed of probes and masks; the same for all checkpoints, so that masks are shared.
    pub seed: u64,
    /// Precision.
    pub precision: String,
    /// libtorch threads.
    pub threads: u32,
    /// Dataset, for label-aware metrics: (data digest, split digest, task).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<(String, String, String)>,
}

/// Facts of a run at one checkpoint, which trivial predictors are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Parameters without word and position embeddings.
    pub non_embedding_parameters: u64,
    /// All trainable parameters.
    pub total_parameters: u64,
    /// Real tokens trained on.
    pub tokens: u64,
    /// Molecules in the corpus subset.
    pub corpus_molecules: u64,
    /// 6 x non-embedding parameters x tokens (Kaplan et al. 2020).
    pub training_flops: Number,
}

/// See [`CellSpec::Transfer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// `engine_revision` of this stage.
    pub revision: u32,
    /// `probe`.
    pub protocol: String,
    /// Weights it belongs to: digest of the embedded checkpoint.
    pub weights_digest: String,
    /// [`crate::EmbedOutput::embedding_digest`].
    pub embedding_digest: String,
    /// [`crate::DatasetOutput::data_digest`].
    pub data_digest: String,
    /// [`crate::DatasetOutput::split_digest`].
    pub split_digest: String,
    /// Dataset name.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// The task's score, such as `rmse`: the primary one among those computed.
    pub score: String,
    /// Ridge strengths tried; the one with the best validation score is kept.
    pub strengths: Vec<Number>,
    /// Resamples of the test molecules for `se_test`.
    pub bootstrap: u32,
    /// Seed of the bootstrap.
    pub seed: u64,
}
