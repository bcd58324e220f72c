//! Trying and checking a plugin outside of any suite: what `clmbench-worker --try` and `--check` are asked, and what they answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    failure::Failure,
    manifest::{Objective, TaskInfo},
    number::Number,
    output::MeasureOutput,
};

/// What is tried or checked besides the library itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Metric id, architecture, or `source/name` of a dataset; empty for all that the plugin exports.
    #[serde(default)]
    pub name: String,
    /// Parameters that differ from the defaults.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Paths of source files by the names under which datasets declare them; [`crate::USER_FILE`] for a file of the user's.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Tasks of a user's file.
    #[serde(default)]
    pub tasks: Vec<TaskInfo>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub check: String,
    /// Whether it holds; none if it could not be tried here, with the reason in `detail`.
    pub ok: Option<bool>,
    /// What was found.
    pub detail: String,
}

/// A line of `clmbench-worker --check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckLine {
    /// A check begins: if no other line follows, the plugin ended the process in it or did not come back.
    Begins(String),
    /// A check is done.
    Done(Check),
    /// All are done.
    End,
}

/// What was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// `metric`, `architecture` or `dataset`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// For metrics and architectures, which model: its objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<Objective>,
    /// For metrics, whether the checkpoint was the trained one; false for the control with the weights that it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained: Option<bool>,
    /// Wall-clock seconds.
    pub seconds: Number,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of trying something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A metric's values.
    Measured(MeasureOutput),
    /// How an architecture trained.
    Trained(TriedArchitecture),
    /// What a dataset holds.
    Parsed(TriedDataset),
    /// It could not be tried, for want of something; the next step.
    NotTried(String),
    /// It failed.
    Failed(Failure),
}

/// How the smallest preset of an architecture trained on the bundled molecules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriedArchitecture {
    /// The preset; empty for the defaults.
    pub preset: String,
    /// Its configuration.
    pub config: Map<String, Value>,
    /// Parameters without embeddings and output bias.
    pub non_embedding_parameters: u64,
    /// All trainable parameters.
    pub total_parameters: u64,
    /// Entries V of the vocabulary.
    pub vocabulary: u64,
    /// Peak learning rate.
    pub learning_rate: Number,
    /// Loss of each step, in nats per predicted token.
    pub losses: Vec<Number>,
}

/// What a dataset holds, as its plugin parses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriedDataset {
    /// Rows.
    pub rows: u64,
    /// Tasks, in the order of the labels.
    pub tasks: Vec<TaskInfo>,
    /// Rows with a label, for each task.
    pub labelled: Vec<u64>,
    /// Rows whose SMILES is not valid: row (from 0), text, reason; the first of them.
    pub invalid: Vec<(u64, String, String)>,
    /// Rows whose SMILES is not valid.
    pub invalid_count: u64,
    /// Labels that are no number or class: row, task, text; the first of them.
    pub bad_labels: Vec<(u64, String, String)>,
    /// Labels that are no number or class.
    pub bad_label_count: u64,
    /// Rows that the source puts into `train`, `valid` and `test`; empty where it gives no split.
    pub parts: BTreeMap<String, u64>,
    /// The first rows: SMILES and labels.
    pub first: Vec<(String, Vec<String>)>,
}
