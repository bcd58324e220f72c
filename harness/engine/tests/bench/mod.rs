//! Folders of cells made by hand: a dataset of forty molecules, held-out molecules, a small model and other weights.

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use clmbench_engine::{
    model::{Model, Vocabulary},
    probe::{ProbeHost, Samples, Setting, others::Other, task::TaskSample},
    report::Reporter,
    seed, weights,
};
use clmbench_molecules::{RawTable, SmilesTokenizer, TokenCacheBuilder, dataset::prepare_dataset};
use clmbench_protocol::{
    Budget, CheckpointRef, DatasetOutput, Failure, FailureKind, Measure, Number, Objective, OtherWeights, PluginRef, Precision,
    RunFacts, SplitSpec, TaskInfo, TaskKind, TokeniseDataset, TokenizerSpec, revision,
};
use clmbench_sdk::{PluginError, Sample, api::SamplePart};
use tch::{Kind, Tensor};

use crate::common;

static TURN: Mutex<()> = Mutex::new(());

/// libtorch's generator is the process's, so tests take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    tch::set_num_threads(1);
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub const TASK: Sample = Sample { part: SamplePart::Task, start: 0, count: 0, draw: 0 };
/// A label that stands only on validation and test molecules.
pub const SECRET: &str = "77";
pub const MOLECULES: usize = 40;

pub fn smiles(molecule: usize) -> String {
    format!("{}{}", "C".repeat(1 + molecule % 9), ["O", "N", "F", "c1ccccc1", "C(=O)O"][molecule / 9])
}

pub fn part(molecule: usize) -> &'static str {
    match molecule % 5 {
        3 => "valid",
        4 => "test",
        _ => "train",
    }
}

/// `energy`: 0.1 times the number of the molecule, every eighth missing; `once`: one labelled training molecule.
pub fn table() -> RawTable {
    let task = |name: &str, kind| TaskInfo { name: name.into(), kind, unit: "kcal/mol".into(), score: "rmse".into() };
    let labels = |molecule: usize| {
        let energy = match part(molecule) {
            _ if molecule.is_multiple_of(8) => String::new(),
            "train" => format!("{}", 0.1 * molecule as f64),
            _ => SECRET.into(),
        };
        let once = if molecule == 1 || part(molecule) == "test" { "1" } else { "" };
        vec![energy, once.into(), String::new()]
    };
    RawTable {
        smiles: (0..MOLECULES).map(smiles).collect(),
        labels: (0..MOLECULES).map(labels).collect(),
        tasks: vec![
            task("energy", TaskKind::Regression),
            task("once", TaskKind::Classification),
            task("never", TaskKind::Regression),
        ],
        subsets: Vec::new(),
        parts: (0..MOLECULES).map(|molecule| part(molecule).to_owned()).collect(),
    }
}

pub fn labelled() -> Vec<usize> {
    (0..MOLECULES).filter(|molecule| part(*molecule) == "train" && !molecule.is_multiple_of(8)).collect()
}

/// Folders of the cells that a measure cell reads.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub output: DatasetOutput,
    pub model: Model,
    pub heldout: Vec<String>,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["dataset", "corpus", "embeddings", "run", "end"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let tokenizer_spec = TokenizerSpec { max_tokens: 32, ..TokenizerSpec::default() };
        let spec = TokeniseDataset {
            revision: revision::TOKENISE,
            plugin: plugin(),
            source: "made-up".into(),
            dataset: "chains".into(),
            files: Vec::new(),
            sha256_csv: None,
            tasks: Vec::new(),
            params: serde_json::Map::new(),
            tokenizer: tokenizer_spec.clone(),
            split: SplitSpec { algorithm: "given".into(), seed: None, fractions: (Number(0.6), Number(0.2)), file: None },
        };
        let output = prepare_dataset(&table(), &spec, &folder.path().join("dataset")).unwrap();
        let tokenizer = SmilesTokenizer::new(&tokenizer_spec).unwrap();
        let heldout: Vec<String> = (2..12).map(|length| format!("{}O", "CN".repeat(length))).collect();
        let mut builder = TokenCacheBuilder::new(32, tokenizer.vocabulary_size());
        for text in &heldout {
            builder.push(&tokenizer.encode(text).unwrap().ids).unwrap();
        }
        let corpus = folder.path().join("corpus");
        builder.write(&corpus.join("heldout.bin")).unwrap();
        std::fs::write(corpus.join("heldout.csv"), format!("smiles\n{}\n", heldout.join("\n"))).unwrap();
        let vocabulary = Vocabulary::new(tokenizer.vocabulary_size() as u64, 32);
        let model = seed::drawn(5, || Model::build(common::module(), "tiny", &serde_json::Map::new(), vocabulary)).unwrap();
        Self { folder, output, model, heldout }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn planned(&self, task: &str) -> (String, String, String) {
        (self.output.data_digest.clone(), self.output.split_digest.clone(), task.into())
    }

    pub fn task(&self) -> TaskSample {
        TaskSample::open(&self.path("dataset"), &self.planned("energy"), &self.output.tokenizer_digest).unwrap()
    }

    pub fn host<'a>(&'a self, reporter: &'a Reporter) -> ProbeHost<'a> {
        let facts = RunFacts {
            non_embedding_parameters: 1,
            total_parameters: 2,
            tokens: Some(3),
            corpus_molecules: Some(4),
            training_flops: Some(Number(5.0)),
        };
        let objective = Objective::MaskedLm;
        let setting = Setting { objective, facts, identity: "cell", seed: 7, budget: Budget::Quick, note: "test" };
        ProbeHost::new(&self.model, Samples { corpus: &self.path("corpus"), train: None }, setting, reporter).unwrap()
    }

    /// A measure cell of nothing but the checkpoint.
    pub fn spec(&self) -> Measure {
        Measure {
            revision: revision::MEASURE,
            plugin: plugin(),
            metric: "test/reads".into(),
            params: serde_json::Map::new(),
            budget: Budget::Quick,
            checkpoint: CheckpointRef {
                weights_digest: String::new(),
                plugin: plugin(),
                architecture: "tiny".into(),
                config: serde_json::Map::new(),
                objective: Objective::MaskedLm,
                special: None,
                head_is_random: false,
            },
            record: RunFacts {
                non_embedding_parameters: 1,
                total_parameters: 2,
                tokens: Some(3),
                corpus_molecules: Some(4),
                training_flops: Some(Number(5.0)),
            },
            heldout_digest: String::new(),
            tokenizer_digest: self.output.tokenizer_digest.clone(),
            train: None,
            seed: 7,
            precision: Precision::Float32,
            threads: 1,
            dataset: None,
            embeddings: None,
            history: None,
            others: Vec::new(),
        }
    }

    pub fn weights(&self, name: &str, change: impl Fn(&str, &Tensor) -> Option<Tensor>) -> Other {
        let rows: Vec<(String, Tensor)> =
            self.model.parameters.iter().filter_map(|row| Some((row.name.clone(), change(&row.name, &row.tensor)?))).collect();
        let mut named: Vec<(String, &Tensor)> = rows.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        let extra = Tensor::ones([2], tch::kind::FLOAT_CPU);
        named.push(("head.weight".into(), &extra));
        let file = format!("{name}.safetensors");
        let blake3 = weights::write(&self.path("end").join(&file), &named).unwrap();
        Other { weights: OtherWeights { name: name.into(), group: "chains".into(), file, blake3 }, folder: self.path("end") }
    }
}

pub fn plugin() -> PluginRef {
    PluginRef { name: "tiny".into(), version: "0.1.0".into(), digest: None }
}

pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double).contiguous()).unwrap()
}

/// The text of a refusal that crossed the edge, without folders.
pub fn said<T>(bench: &Bench, result: Result<T, PluginError>) -> String {
    result.err().unwrap().to_string().replace(&bench.folder.path().display().to_string(), "FOLDER")
}

pub fn failed<T>(bench: &Bench, result: Result<T, Failure>) -> (FailureKind, String) {
    let failure = result.err().unwrap();
    (failure.kind, failure.message.replace(&bench.folder.path().display().to_string(), "FOLDER"))
}
