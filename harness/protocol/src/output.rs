//! What cells leave behind.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    manifest::{Objective, TaskInfo, TaskKind},
    number::Number,
    tokenizer::Special,
};

/// A finished cell: what it found, and how it went (provenance, never part of an identity).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellReport {
    /// The result: bit-identical for the same identity on the same machine.
    pub output: CellOutput,
    /// Every file in the cell's folder.
    pub files: Vec<OutputFile>,
    /// Wall time.
    pub seconds: f64,
    /// Highest resident memory of the worker during the cell, in bytes.
    pub peak_rss_bytes: u64,
    /// Device, such as `cpu`.
    pub device: String,
    /// libtorch version.
    pub libtorch: String,
    /// Build of the worker.
    pub build: String,
}

/// A file of a cell, relative to its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Path relative to the cell's folder, with `/`.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub blake3: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// The result of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CellOutput {
    /// Of a [`crate::TokeniseDataset`].
    TokeniseDataset(DatasetOutput),
    /// Of a [`crate::TokeniseCorpus`].
    TokeniseCorpus(CorpusOutput),
    /// Of a [`crate::Import`].
    Import(ImportOutput),
    /// Of a [`crate::Pretrain`].
    Pretrain(PretrainOutput),
    /// Of an [`crate::Embed`].
    Embed(EmbedOutput),
    /// Of a [`crate::Measure`].
    Measure(MeasureOutput),
    /// Of a [`crate::Transfer`].
    Transfer(TransferOutput),
}

/// A dataset, checked, split and tokenised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetOutput {
    /// Source, such as `moleculenet`.
    pub source: String,
    /// Name, such as `freesolv`.
    pub dataset: String,
    /// Tasks.
    pub tasks: Vec<TaskInfo>,
    /// Rows in the files.
    pub rows: u64,
    /// Rows left out because their SMILES is not valid: (row, reason); rows count from 0.
    pub invalid: Vec<(u64, String)>,
    /// Molecules for training, validation, testing.
    pub counts: (u64, u64, u64),
    /// Molecules cut to the longest length.
    pub truncated: u64,
    /// Molecules that hold a token outside the vocabulary.
    pub unknown_token_molecules: u64,
    /// Groups of rows with the same canonical SMILES.
    pub duplicate_groups: u64,
    /// Canonical molecules that are in the test part and also in training or validation.
    pub leaked: u64,
    /// SHA-256 of the normalised CSV.
    pub sha256_csv: String,
    /// BLAKE3 of molecules, labels and tokens.
    pub data_digest: String,
    /// BLAKE3 of (row, part) pairs under the named algorithm.
    pub split_digest: String,
    /// BLAKE3 of `tokenizer.json`.
    pub tokenizer_digest: String,
    /// Standard deviation of each task's training labels (regression), the unit of default gate margins.
    pub train_sd: Vec<Number>,
    /// Rows whose SMILES has several parts (salts, mixtures); they are kept whole.
    #[serde(default)]
    pub multi_fragment: u64,
    /// Tokens of all molecules, and those of them outside the vocabulary.
    #[serde(default)]
    pub tokens: (u64, u64),
    /// What the labels of each task are, in the order of the tasks.
    #[serde(default)]
    pub checks: Vec<TaskCheck>,
}

/// What the labels of a task are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskCheck {
    /// Task.
    pub task: String,
    /// Labels in training, validation and test part.
    pub labels: (u64, u64, u64),
    /// Those of them that are of class 1; none for regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positives: Option<(u64, u64, u64)>,
    /// Valid molecules without a label.
    pub missing: u64,
    /// Groups of rows with one canonical SMILES whose labels of this task differ.
    pub conflicting: u64,
    /// Labelled test molecules whose canonical SMILES has a label of this task in training or validation.
    pub leaked: u64,
}

/// A corpus subset and its held-out sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusOutput {
    /// Name.
    pub corpus: String,
    /// Molecules in the training subset.
    pub molecules: u64,
    /// Real tokens in the training subset, without special ones.
    pub tokens: u64,
    /// Molecules in the held-out sample.
    pub heldout_molecules: u64,
    /// Real tokens in the held-out sample, without special ones.
    pub heldout_tokens: u64,
    /// Candidates that were not valid molecules.
    pub invalid: u64,
    /// Candidates that repeat an earlier canonical SMILES.
    pub duplicates: u64,
    /// Candidates removed because they are test molecules of a dataset in the suite.
    pub excluded: u64,
    /// Molecules cut to the longest length.
    pub truncated: u64,
    /// Cross-entropy of the held-out tokens under the add-one-smoothed unigram frequencies of the training subset, in nats a token.
    pub unigram_cross_entropy: Number,
    /// Standard error of it over held-out molecules (jackknife of the ratio).
    pub unigram_se: Number,
    /// Cross-entropy of the held-out tokens given the token before each, from counts in the training subset, in nats a token.
    pub bigram_cross_entropy: Number,
    /// Standard error of it over held-out molecules.
    pub bigram_se: Number,
    /// Cross-entropy of the held-out tokens given both neighbours of each, from counts in the training subset, in nats a token.
    pub two_neighbour_cross_entropy: Number,
    /// Standard error of it over held-out molecules.
    pub two_neighbour_se: Number,
    /// BLAKE3 of the training subset's tokens.
    pub train_digest: String,
    /// BLAKE3 of the held-out sample's tokens.
    pub heldout_digest: String,
    /// BLAKE3 of `tokenizer.json`.
    pub tokenizer_digest: String,
    /// For each excluded dataset, what of it the subset never shows.
    pub coverage: Vec<Coverage>,
}

/// What of a dataset a corpus subset never shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Dataset.
    pub dataset: String,
    /// Share of its molecules with a token outside the vocabulary.
    pub unknown_token_share: Number,
    /// Share of its molecules with a token that the subset does not hold.
    pub untrained_token_share: Number,
    /// Share of its molecules longer than the longest of the subset.
    pub untrained_position_share: Number,
    /// Test molecules of it that were met among the candidates of the corpus, and removed.
    #[serde(default)]
    pub test_molecules_removed: u64,
}

/// A pretraining run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainOutput {
    /// Parameters without word and position embeddings.
    pub non_embedding_parameters: u64,
    /// All trainable parameters.
    pub total_parameters: u64,
    /// Molecules in the corpus subset.
    pub corpus_molecules: u64,
    /// Passes over the subset.
    pub epochs: Number,
    /// Whether the run diverged (training loss not finite, or above that of the first steps at the end).
    pub diverged: bool,
    /// By which rule it diverged, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<String>,
    /// Checkpoints in order of tokens.
    pub checkpoints: Vec<CheckpointOutput>,
}

/// A checkpoint of others, as one of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportOutput {
    /// Architecture.
    pub architecture: String,
    /// Its configuration, as its plugin reads it from `config.json`.
    pub config: Map<String, Value>,
    /// Objective.
    pub objective: Objective,
    /// Parameters without word and position embeddings.
    pub non_embedding_parameters: u64,
    /// All trainable parameters.
    pub total_parameters: u64,
    /// Rows of the table of word embeddings.
    pub vocabulary: u64,
    /// Largest id of the tokenizer, plus one.
    pub tokenizer_entries: u64,
    /// Kind of the tokenizer, such as `WordPiece`.
    pub tokenizer_kind: String,
    /// Longest sequence in tokens that is used.
    pub max_tokens: u32,
    /// Longest sequence in tokens that the model could take.
    pub max_positions: u64,
    /// BLAKE3 of the `tokenizer.json` in the checkpoint's folder.
    pub tokenizer_digest: String,
    /// Ids of its special tokens.
    pub special: Special,
    /// Whether the file lacked weights that logits need, so that these are random: nothing that needs logits is measured then.
    pub head_is_random: bool,
    /// The checkpoint. Step, tokens and FLOPs are 0 and losses not a number: they are not known.
    pub checkpoint: CheckpointOutput,
    /// What a reader should know, a sentence each: tensors left out, absent or converted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A checkpoint of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointOutput {
    /// Folder inside the cell's folder.
    pub folder: String,
    /// Optimiser steps.
    pub step: u64,
    /// Real tokens trained on, as the schedule has it; the run itself overshoots by less than one batch.
    pub tokens: u64,
    /// Whether its learning rate was cooled down to zero; only such ones enter fits.
    pub annealed: bool,
    /// Whether it is the run's last and represents it in fits.
    pub last: bool,
    /// Learning rate of the last step.
    pub learning_rate: Number,
    /// Mean training loss of the last tenth of its steps, in nats a predicted token.
    pub training_loss: Number,
    /// 6 x non-embedding parameters x tokens (Kaplan et al. 2020).
    pub training_flops: Number,
    /// BLAKE3 of `model.safetensors`.
    pub weights_digest: String,
}

/// Embeddings of a dataset's molecules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedOutput {
    /// Molecules.
    pub rows: u64,
    /// Width.
    pub width: u64,
    /// BLAKE3 of the embedding matrix.
    pub embedding_digest: String,
}

/// What the error of a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Root sum of squares of the estimator's and the sample's standard error.
    Statistical,
    /// Root sum of squares of a bound from a residual, in place of the estimator's standard error, and the sample's standard error,
    /// if there is one.
    ResidualBound,
    /// None: the value is exact.
    Exact,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricValue {
    /// Name of the value.
    pub name: String,
    /// The value.
    pub value: Number,
    /// Unit.
    pub unit: String,
    /// Standard error from probes or masks, the sample held fixed.
    pub se_estimator: Option<Number>,
    /// Standard error from the molecules of the sample (jackknife).
    pub se_sample: Option<Number>,
    /// Root sum of squares of both; of the residual bound and `se_sample` where the estimator's error is a bound; 0 where exact.
    pub std_error: Number,
    /// What the error is.
    pub error_kind: ErrorKind,
    /// Whether it is the metric's primary value.
    pub primary: bool,
}

/// Values of a metric on a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureOutput {
    /// Values; exactly one is primary.
    pub values: Vec<MetricValue>,
    /// Molecules of the sample that were used.
    pub molecules: u64,
    /// Cost in gradient-equivalents (a forward pass is a third).
    pub gradient_equivalents: Number,
    /// Why it stopped: `budget`, `precision` or `complete`.
    pub stopped: String,
}

/// A downstream score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreValue {
    /// `rmse`, `mae`, `r2`, `spearman`; `roc_auc`, `pr_auc`; of a subset of the test molecules with its name behind it, `rmse_cliff`.
    pub name: String,
    /// The value on the test molecules.
    pub value: Number,
    /// Whether larger is better.
    pub higher_is_better: bool,
    /// Whether it is the task's recommended score.
    pub primary: bool,
    /// Standard error over test molecules (DeLong for `roc_auc`, bootstrap for the others).
    pub se_test: Number,
    /// Standard error over transfer seeds; none where the protocol has no seed, or one seed alone.
    pub se_seed: Option<Number>,
    /// The same score of the predictor that always says the training mean (regression) or prevalence (classification).
    pub mean_predictor: Number,
}

/// Transfer of a checkpoint to the tasks of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferOutput {
    /// Tasks in the order of the definition.
    pub tasks: Vec<TaskTransfer>,
    /// What fine-tuning tried and chose; none for a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finetune: Option<FinetuneRecord>,
}

/// Transfer of a checkpoint to one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskTransfer {
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// Molecules with labels for training, validation, testing.
    pub counts: (u64, u64, u64),
    /// Why the task has no score (such as a part with one class only); its other fields are then empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Probe: strength chosen on validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<Number>,
    /// Probe: (strength, validation score) of each strength tried; RMSE for regression, log loss in nats for classification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<(Number, Number)>,
    /// Scores on the test molecules, then the primary one on those of each subset of the dataset, `<score>_<subset>`.
    pub scores: Vec<ScoreValue>,
    /// Scores that do not exist, such as of a subset with one class only, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<(String, String)>,
    /// Test predictions: (row of the dataset, label, prediction); for classification the probability of class 1.
    pub predictions: Vec<(u64, Number, Number)>,
}

/// What fine-tuning tried and chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinetuneRecord {
    /// Every learning rate tried, in order.
    pub tried: Vec<FinetuneTrial>,
    /// Learning rate kept.
    pub learning_rate: Number,
    /// Epoch whose weights are kept, from 1.
    pub epoch: u32,
    /// What is kept for the parameter-space view: `end.safetensors` (weights at the kept epoch) up to 5M parameters, else
    /// `projection.safetensors` (a seeded projection [epochs + 1, 4096] of the displacement from the start).
    pub weights_file: String,
    /// Norm of the displacement of the encoder's weights from the checkpoint at the kept epoch, relative to their norm.
    pub relative_displacement: Number,
}

/// One learning rate of a fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinetuneTrial {
    /// Peak learning rate.
    pub learning_rate: Number,
    /// Validation loss after each epoch: mean squared error of standardised labels, or mean log loss in nats, over labelled entries.
    pub validation: Vec<Number>,
    /// Training loss of each epoch, the same quantity.
    pub training: Vec<Number>,
    /// Whether its loss stopped being finite.
    pub diverged: bool,
}
