//! A suite: the TOML file that names what to cross, as typed values with every default filled in.

mod baseline;
mod checkpoint;
mod corpus;
mod dataset;
mod error;
mod gate;
mod parse;
mod protocol;
mod reader;

use std::path::Path;

use clmbench_protocol::{Budget, CostClass, Precision, Schedule};
use serde_json::{Map, Value};

pub use baseline::BaselineEntry;
pub(crate) use baseline::STRENGTHS;
pub use checkpoint::{CheckpointEntry, CheckpointOrigin, UNPINNED};
pub use corpus::{CorpusEntry, CorpusPartEntry, Origin};
pub use dataset::{DatasetEntry, OwnFile, SplitEntry, SplitFile};
pub use error::{Place, SuiteError};
pub use gate::MarginEntry;
pub use protocol::{Checkpoints, FinetuneEntry, ProtocolEntry, ProtocolKind};

/// Held-out molecules of a corpus when the suite is silent (SCIENCE: one sample for every size).
pub const HELDOUT: u64 = 4096;
/// Molecules a step when the suite is silent.
pub const BATCH: u32 = 64;
/// Share of tokens that masked language models predict when the suite is silent (Devlin et al. 2018).
pub const MASK_RATIO: f64 = 0.15;
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
    /// Margins of the gate and of saturation, by name.
    pub margins: Vec<MarginEntry>,
    /// Corpora.
    pub corpora: Vec<CorpusEntry>,
    /// Models to pretrain.
    pub models: Vec<ModelEntry>,
    /// Checkpoints of others.
    pub checkpoints: Vec<CheckpointEntry>,
    /// Datasets to transfer to.
    pub datasets: Vec<DatasetEntry>,
    /// Metrics.
    pub metrics: Vec<MetricEntry>,
    /// Protocols of transfer; none where there is no model.
    pub protocols: Vec<ProtocolEntry>,
    /// Models without a CLM that scores are compared with.
    pub baselines: Vec<BaselineEntry>,
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
    /// Parts in which a step's batch goes through the model.
    pub accumulate: u32,
    /// Share of tokens to predict, for masked language models only; none = [`MASK_RATIO`].
    pub mask_ratio: Option<f64>,
    /// Number format of the training steps.
    pub precision: PrecisionChoice,
    /// Where it is written.
    pub place: Place,
}

/// Where the number format of the training steps comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// From the model's size and the processor, by [`crate::plan::precision`].
    Auto,
    /// The suite says so.
    Fixed(Precision),
}

/// Where the peak learning rate comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LearningRate {
    /// The preset's own; for an override, that of the preset nearest in size.
    Preset,
    /// One rate for all sizes.
    Fixed(f64),
}

/// A `[[metric]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricEntry {
    /// Which metrics.
    pub which: Which,
    /// How much each may spend.
    pub budget: Budget,
    /// Parameters that differ from the metric's defaults; of a selection, for those of its metrics that have them.
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

impl Suite {
    /// Reads and checks a suite file.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and what to do.
    pub fn read(path: &Path) -> Result<Self, SuiteError> {
        let bytes = std::fs::read(path).map_err(|source| SuiteError::Read { path: path.to_owned(), source })?;
        let file = path.display().to_string();
        let toml = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            SuiteError::NotText { place: Place { file: file.as_str().into(), line } }
        })?;
        Self::parse(&file, &toml)
    }

    /// What tables call its baselines, in the order in which they are written.
    pub fn baseline_labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        for label in self.baselines.iter().flat_map(|entry| entry.features.iter().map(|features| entry.label(*features))) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    /// Checks the text of a suite; `file` is only for messages.
    ///
    /// # Errors
    /// As [`Suite::read`].
    pub fn parse(file: &str, toml: &str) -> Result<Self, SuiteError> {
        parse::parse(file, toml)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_key_is_documented() {
        let documented = include_str!("../../../../benchmarks/suites/README.md");
        let keys = super::corpus::KEYS.iter().chain(&super::parse::MODEL_KEYS).chain(&super::protocol::KEYS);
        let keys = keys
            .chain(&super::dataset::KEYS)
            .chain(&super::dataset::TARGET_KEYS)
            .chain(&super::baseline::KEYS)
            .chain(&super::baseline::GROWTH_KEYS)
            .chain(&super::checkpoint::KEYS)
            .chain(&super::gate::KEYS);
        for key in keys {
            assert!(documented.contains(&format!("`{key}`")), "{key} is not in benchmarks/suites/README.md");
        }
    }
}
