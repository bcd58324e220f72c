//! What there is to say of a checkpoint, whether it came from elsewhere or from a run of the store.

use std::path::Path;

use clmbench_fetch::hub::HubFile;
use clmbench_protocol::{CheckpointOutput, ImportOutput, Objective, Pretrain, PretrainOutput, Special};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    coverage::Covered,
    tokens::{self, SpecialToken},
};

/// The row of `model import --json`, and of `model describe --json` for a checkpoint.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// Name of the folder, `owner/name`, or key of the run.
    pub name: String,
    /// Architecture.
    pub architecture: String,
    /// Pretraining objective.
    pub objective: Objective,
    /// Configuration of the architecture.
    pub config: Map<String, Value>,
    /// Plugin of the architecture.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Class of the `transformers` package that opens what is exported; null if none does.
    pub transformers_class: Option<String>,
    /// Parameters without word and position embeddings.
    pub non_embedding_parameters: u64,
    /// All trainable parameters.
    pub total_parameters: u64,
    /// 2 x non-embedding parameters (Kaplan et al. 2020, eq. 2.2 without the attention term).
    pub forward_flops_per_token: u64,
    /// 6 x non-embedding parameters: forward and backward.
    pub training_flops_per_token: u64,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Longest sequence in tokens that is used.
    pub max_tokens: u64,
    /// Longest sequence in tokens that the model could take; null if it is not known.
    pub max_positions: Option<u64>,
    /// Whether the weights that logits need were not in the files, so that nothing that needs logits is measured; null for runs of the store.
    pub head_is_random: Option<bool>,
    /// BLAKE3 of the weights in our order.
    pub weights_digest: String,
    /// What a reader should know, a sentence each.
    pub notes: Vec<String>,
    /// Where it comes from.
    pub source: Origin,
    /// The table for a suite; null for a run of the store.
    pub suite_table: Option<String>,
    /// How much of datasets its vocabulary covers.
    pub coverage: Vec<Covered>,
}

/// A tokenizer.
#[derive(Debug, Clone, Serialize)]
pub struct Tokenizer {
    /// Its kind, such as `WordPiece`.
    pub kind: String,
    /// Largest id, plus one.
    pub entries: u64,
    /// Rows of the table of word embeddings.
    pub embedding_rows: u64,
    /// BLAKE3 of its `tokenizer.json`.
    pub digest: String,
    /// Its special tokens.
    pub special: Vec<SpecialToken>,
}

/// Where a checkpoint comes from.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A folder of this machine.
    Folder {
        /// Its path.
        path: String,
        /// `model_type` of its configuration.
        model_type: String,
        /// Its files.
        files: Vec<HubFile>,
    },
    /// A model of a hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// The revision that was asked for.
        revision: String,
        /// The commit that it was.
        commit: String,
        /// The hub; null where the files were placed in the cache by hand.
        address: Option<String>,
        /// Day of the fetch.
        fetched: Option<String>,
        /// `model_type` of its configuration.
        model_type: String,
        /// Its files.
        files: Vec<HubFile>,
    },
    /// A run of the store.
    Run {
        /// Key of its cell.
        key: String,
        /// Identity of its cell.
        identity: String,
        /// Suite.
        suite: Option<String>,
        /// Folder of the checkpoint.
        checkpoint: String,
        /// All its checkpoints.
        checkpoints: Vec<String>,
        /// Where a checkpoint of others comes from, as its suite says; null for a run of our own.
        from: Option<String>,
        /// Tokens trained on (of a checkpoint of others, as its suite says); null where it is not known.
        tokens: Option<u64>,
        /// Molecules trained on, likewise.
        molecules: Option<u64>,
        /// What it was trained on, in words; of a checkpoint of others, its files.
        training: String,
    },
}

/// The architecture by which a checkpoint is read.
pub struct Reader {
    /// Plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Class of the `transformers` package that opens what is exported.
    pub class: Option<String>,
}

impl Facts {
    /// Of a checkpoint of others, whose files are in `folder` as the worker wrote them.
    pub fn of_import(name: String, output: &ImportOutput, reader: Reader, folder: &Path, source: Origin) -> Self {
        let inner = output.non_embedding_parameters;
        Self {
            name,
            architecture: output.architecture.clone(),
            objective: output.objective,
            config: output.config.clone(),
            plugin: reader.plugin,
            version: reader.version,
            transformers_class: reader.class,
            non_embedding_parameters: inner,
            total_parameters: output.total_parameters,
            forward_flops_per_token: inner.saturating_mul(2),
            training_flops_per_token: inner.saturating_mul(6),
            tokenizer: Tokenizer {
                kind: output.tokenizer_kind.clone(),
                entries: output.tokenizer_entries,
                embedding_rows: output.vocabulary,
                digest: output.tokenizer_digest.clone(),
                special: tokens::special(folder, &output.special),
            },
            max_tokens: u64::from(output.max_tokens),
            max_positions: Some(output.max_positions),
            head_is_random: Some(output.head_is_random),
            weights_digest: output.checkpoint.weights_digest.clone(),
            notes: output.notes.clone(),
            source,
            suite_table: None,
            coverage: Vec::new(),
        }
    }

    /// Of a run of our own, at a checkpoint whose files are in `folder`.
    pub fn of_run(
        name: String,
        (spec, output, checkpoint): (&Pretrain, &PretrainOutput, &CheckpointOutput),
        reader: Reader,
        folder: &Path,
        source: Origin,
    ) -> Self {
        let inner = output.non_embedding_parameters;
        let record = tokens::read(&folder.join("clmbench.json")).unwrap_or_default();
        let whole = |name: &str| record["vocabulary"][name].as_u64().unwrap_or_default();
        Self {
            name,
            architecture: spec.architecture.clone(),
            objective: spec.objective,
            config: spec.config.clone(),
            plugin: reader.plugin,
            version: reader.version,
            transformers_class: reader.class,
            non_embedding_parameters: inner,
            total_parameters: output.total_parameters,
            forward_flops_per_token: inner.saturating_mul(2),
            training_flops_per_token: inner.saturating_mul(6),
            tokenizer: Tokenizer {
                kind: "SMILES regex".to_owned(),
                entries: whole("size"),
                embedding_rows: whole("size"),
                digest: spec.tokenizer_digest.clone(),
                special: tokens::special(folder, &Special::default()),
            },
            max_tokens: whole("max_tokens"),
            max_positions: None,
            head_is_random: None,
            weights_digest: checkpoint.weights_digest.clone(),
            notes: Vec::new(),
            source,
            suite_table: None,
            coverage: Vec::new(),
        }
    }
}
