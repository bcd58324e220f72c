//! What plugins are tried and checked on: a few hundred molecules and two small trained checkpoints, one for each objective.
//!
//! The molecules are made by a rule ([`molecules`]); the checkpoints (`harness/engine/sample/*.safetensors`, 80 kB) are part of the
//! worker. They were trained by [`training::train`] on those molecules; `CLMBENCH_WRITE_SAMPLE=1 cargo test --release -p
//! clmbench-engine --test sample` trains them anew and writes the files. The same test, without the variable, holds that they
//! are trained: their held-out loss is below what token frequencies alone reach.

use std::path::{Path, PathBuf};

use clmbench_molecules::{TokenCache, TokenCacheBuilder};
use clmbench_protocol::{Budget, Objective, RunFacts, TrainSample};
use tempfile::TempDir;

use crate::{
    failure::{OrFail, Result, io},
    files,
    model::{Model, Vocabulary},
    probe::{ProbeHost, Samples, Setting},
    report::Reporter,
};

pub mod beyond;
mod model;
pub mod molecules;
pub mod training;

const MASKED: &[u8] = include_bytes!("../../sample/masked.safetensors");
const CAUSAL: &[u8] = include_bytes!("../../sample/causal.safetensors");

/// Molecules as token caches in a folder of their own, and the checkpoints.
pub struct Sample {
    folder: TempDir,
    /// Entries of the vocabulary: the special tokens and those that occur.
    pub vocabulary: Vocabulary,
    train: TrainSample,
    /// Canonical SMILES: first of the molecules to train on.
    smiles: Vec<String>,
    /// What the order of the molecules of the made-up task hangs on.
    order: &'static str,
}

impl Sample {
    /// Writes the molecules, in a vocabulary of those tokens that occur in them.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn new() -> Result<Self> {
        let folder = folder()?;
        let (rows, _) = molecules::tokens()?;
        let mut used: Vec<u16> = rows.concat();
        used.extend(0..clmbench_molecules::vocabulary::SPECIAL.len() as u16);
        used.sort_unstable();
        used.dedup();
        let place = |id: &u16| used.binary_search(id).unwrap_or(0) as u16;
        let rows: Vec<Vec<u16>> = rows.iter().map(|row| row.iter().map(place).collect()).collect();
        let vocabulary = Vocabulary::new(used.len() as u64, u64::from(molecules::MAX_TOKENS));
        let smiles = molecules::smiles()?;
        let train = write(folder.path(), &vocabulary, &rows, &smiles)?;
        Ok(Self { folder, vocabulary, train, smiles, order: "sample" })
    }

    /// The same molecules with the held-out ones in the opposite order, and those of the made-up task in another.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn reversed(&self) -> Result<Self> {
        let folder = folder()?;
        let rows = |name: &str| -> Result<Vec<Vec<u16>>> {
            Ok(TokenCache::open(&self.path().join(name)).or_fail()?.iter().map(<[u16]>::to_vec).collect())
        };
        let mut all = [rows("train.bin")?, rows("heldout.bin")?].concat();
        let mut smiles = self.smiles.clone();
        let train = molecules::TRAIN.min(all.len());
        all[train..].reverse();
        smiles[train..].reverse();
        let train = write(folder.path(), &self.vocabulary, &all, &smiles)?;
        Ok(Self { folder, vocabulary: self.vocabulary.clone(), train, smiles, order: "sample in another order" })
    }

    /// Folder with `train.bin` and `heldout.bin`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The bundled checkpoint of an objective.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn trained(&self, objective: Objective) -> Result<Model> {
        let bytes = match objective {
            Objective::MaskedLm => MASKED,
            Objective::CausalLm => CAUSAL,
        };
        let path = self.path().join("model.safetensors");
        files::write(&path, bytes)?;
        let model = self.untrained(objective)?;
        model.load(&path, blake3::hash(bytes).to_hex().as_str())?;
        Ok(model)
    }

    /// The same model with the weights that it started from: the control.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn untrained(&self, objective: Objective) -> Result<Model> {
        model::build(objective, self.vocabulary.clone())
    }

    /// A probe of a model on these molecules at the quick budget.
    ///
    /// # Errors
    /// A folder without the molecules.
    pub fn probe<'a>(
        &self,
        model: &'a Model,
        objective: Objective,
        trained: bool,
        note: &'a str,
        reporter: &'a Reporter,
    ) -> Result<ProbeHost<'a>> {
        let (inner, all) = model.counts();
        let tokens = if trained { training::tokens() } else { 0 };
        let facts = RunFacts {
            non_embedding_parameters: inner,
            total_parameters: all,
            tokens: Some(tokens),
            corpus_molecules: Some(self.train.molecules),
            training_flops: Some((6.0 * inner as f64 * tokens as f64).into()),
        };
        let setting = Setting { objective, facts, identity: "sample", seed: 7, budget: Budget::Quick, note };
        ProbeHost::new(model, Samples { corpus: self.path(), train: Some((self.path(), &self.train)) }, setting, reporter)
    }
}

fn folder() -> Result<TempDir> {
    tempfile::tempdir().map_err(|error| io(&std::env::temp_dir(), "creating a folder in", &error))
}

fn write(folder: &Path, vocabulary: &Vocabulary, rows: &[Vec<u16>], smiles: &[String]) -> Result<TrainSample> {
    let (train, heldout) = rows.split_at(molecules::TRAIN.min(rows.len()));
    let texts = smiles[train.len().min(smiles.len())..].join("\n");
    files::write(&folder.join("heldout.csv"), format!("smiles\n{texts}\n").as_bytes())?;
    for (name, rows) in [("train.bin", train), ("heldout.bin", heldout)] {
        let mut builder = TokenCacheBuilder::new(vocabulary.max_tokens as usize, vocabulary.size as usize);
        for ids in rows {
            builder.push(ids).or_fail()?;
        }
        let path: PathBuf = folder.join(name);
        builder.write(&path).or_fail()?;
    }
    let cache = TokenCache::open(&folder.join("train.bin")).or_fail()?;
    Ok(TrainSample { digest: cache.digest().into(), molecules: cache.len() as u64 })
}
