//! A suite: the TOML file that names what to cross, as typed values with every default filled in.

mod error;
mod parse;
mod reader;

use std::path::Path;

use clmbench_protocol::{Budget, CostClass, Schedule};
use serde_json::{Map, Value};

pub use error::{Place, SuiteError};

/// Held-out molecules of a corpus when the suite is silent (SCIENCE: one sample for every size).
pub const HELDOUT: u64 = 4096;
/// Molecules a step when the suite is silent.
pub const BATCH: u32 = 64;
/// Smallest oriented Spearman that the suite's author would find useful, when the suite is silent.
pub const USEFUL_EFFECT: f64 = 0.5;

/// A suite. Names of architectures, datasets and metrics are checked when it is planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// The file, as the user named it.
    pub file: String,
    /// Its text.
    pub toml: String,
    /// BLAKE3 of its text, lower-case hex.
    pub digest: String,
    /// Name, under which it is found again.
    pub name: String,
    /// Seed from which all others follow (see [`crate::plan`]).
    pub seed: u64,
    /// The outcome that its author expects; compared with the real one, never used.
    pub expect: Option<String>,
    /// Smallest oriented Spearman worth having (0 to 1).
    pub useful_effect: f64,
    /// Corpora.
    pub corpora: Vec<CorpusEntry>,
    /// Models to pretrain.
    pub models: Vec<ModelEntry>,
    /// Datasets to transfer to.
    pub datasets: Vec<DatasetEntry>,
    /// Metrics.
    pub metrics: Vec<MetricEntry>,
    /// Protocols of transfer.
    pub protocols: Vec<ProtocolEntry>,
}

/// A `[[corpus]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusEntry {
    /// Name, such as `mixed`.
    pub name: String,
    /// Molecules of the nested subsets.
    pub sizes: Vec<u64>,
    /// Molecules of the held-out sample.
    pub heldout: u64,
    /// Where it is written.
    pub place: Place,
}

/// A `[[model]]` table: configurations that share a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Architecture.
    pub architecture: String,
    /// Named configurations.
    pub presets: Vec<String>,
    /// Configurations by key; the architecture's defaults stand for the rest.
    pub overrides: Vec<Map<String, Value>>,
    /// Real tokens of a run.
    pub tokens: u64,
    /// Annealed checkpoints of a run.
    pub checkpoints: u32,
    /// Pretraining seeds.
    pub seeds: u32,
    /// Peak learning rate.
    pub learning_rate: LearningRate,
    /// Schedule.
    pub schedule: Schedule,
    /// Molecules a step.
    pub batch: u32,
    /// Where it is written.
    pub place: Place,
}

/// Where the peak learning rate comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LearningRate {
    /// The preset's own; for an override, that of the preset nearest in size.
    Preset,
    /// One rate for all sizes.
    Fixed(f64),
}

/// A `[[dataset]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetEntry {
    /// Source, such as `moleculenet`.
    pub source: String,
    /// Names, such as `freesolv`.
    pub names: Vec<String>,
    /// Split, `scaffold`.
    pub split: String,
    /// Where it is written.
    pub place: Place,
}

/// A `[[metric]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricEntry {
    /// Which metrics.
    pub which: Which,
    /// How much each may spend.
    pub budget: Budget,
    /// Parameters that differ from the metric's defaults.
    pub params: Map<String, Value>,
    /// Where it is written.
    pub place: Place,
}

/// Which metrics a `[[metric]]` table names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one with this id.
    Id(String),
    /// Every installed one.
    All,
    /// Every installed one at most as dear as this.
    Cost(CostClass),
    /// Every installed one of this family (the part of the id before `/`).
    Family(String),
}

/// A `[[protocol]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtocolEntry {
    /// How transfer is measured.
    pub kind: ProtocolKind,
    /// Which annealed checkpoints are transferred.
    pub checkpoints: Checkpoints,
    /// Where it is written.
    pub place: Place,
}

/// How transfer is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum ProtocolKind {
    /// Frozen encoder, ridge or logistic regression on mean-pooled hidden states.
    Probe,
    /// All weights.
    Finetune(FinetuneEntry),
}

/// What a `[[protocol]]` table says of fine-tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct FinetuneEntry {
    /// Peak learning rates tried.
    pub learning_rates: Vec<f64>,
    /// Whether they are a search; else the suite fixed one.
    pub searched: bool,
    /// Most epochs.
    pub epochs: u32,
    /// Transfer seeds.
    pub seeds: u32,
    /// Molecules a step.
    pub batch: u32,
    /// Epochs without a better validation score before a training ends; 0 = never before the last.
    pub patience: u32,
}

impl Default for FinetuneEntry {
    fn default() -> Self {
        Self { learning_rates: vec![1e-4, 3e-4, 1e-3], searched: true, epochs: 20, seeds: 1, batch: 32, patience: 5 }
    }
}

impl ProtocolKind {
    /// The word in suites, keys and tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Finetune(_) => "finetune",
        }
    }
}

/// Which annealed checkpoints of a run a protocol takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// All.
    All,
    /// The last.
    Final,
}

impl Suite {
    /// Reads and checks a suite file.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and what to do.
    pub fn read(path: &Path) -> Result<Self, SuiteError> {
        let toml = std::fs::read_to_string(path).map_err(|source| SuiteError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &toml)
    }

    /// Checks the text of a suite; `file` is only for messages.
    ///
    /// # Errors
    /// As [`Suite::read`].
    pub fn parse(file: &str, toml: &str) -> Result<Self, SuiteError> {
        parse::parse(file, toml)
    }
}
