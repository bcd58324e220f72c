//! From a planned cell and the outputs of the cells before it to a complete definition.

use clmbench_protocol::{
    CellOutput, CellReport, CellSpec, CheckpointOutput, CheckpointRef, CorpusOutput, DatasetOutput, Embed, FileRef, Measure,
    OtherWeights, Pretrain, PretrainOutput, Protocol, RunFacts, Scope, TokeniseCorpus, TokeniseDataset, TrainSample, Transfer,
};

use super::{Plan, core_parameters, settle::is_unsettled};

/// Training record of a run.
const RECORD: &str = "record.json";
/// Weights of a checkpoint, in its folder.
const CHECKPOINT_WEIGHTS: &str = "model.safetensors";
/// Weights at the end of a fine-tuning.
const END_WEIGHTS: &str = "end.safetensors";
/// What a fine-tuning keeps of the weights of a larger model.
const PROJECTION: &str = "projection.safetensors";

/// A definition in which the digests of upstream outputs are still blank, and where they come from (cell indices).
#[derive(Debug, Clone)]
pub(super) enum Draft {
    Dataset(TokeniseDataset),
    Corpus {
        spec: TokeniseCorpus,
        datasets: Vec<usize>,
    },
    Pretrain {
        spec: Box<Pretrain>,
        corpus: usize,
    },
    Embed {
        spec: Box<Embed>,
        run: usize,
        folder: String,
        dataset: usize,
    },
    Measure {
        spec: Box<Measure>,
        /// The metric's id, and what tells it apart where a suite has it twice.
        name: String,
        scope: Scope,
        run: usize,
        folder: String,
        corpus: usize,
        /// The smallest subset, for a metric on training molecules.
        train: Option<usize>,
        /// For a label-aware metric.
        labelled: Option<Labelled>,
        /// Whether it reads the training losses of its run.
        history: bool,
        /// Other weights that it reads.
        others: Vec<Other>,
    },
    Probe {
        spec: Box<Transfer>,
        embed: usize,
        run: usize,
        folder: String,
        dataset: usize,
    },
    Finetune {
        spec: Box<Transfer>,
        run: usize,
        folder: String,
        dataset: usize,
    },
    Baseline {
        spec: Box<Transfer>,
        dataset: usize,
    },
}

/// The task of a label-aware metric.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    /// Cell of the dataset.
    pub dataset: usize,
    /// Cell of its embeddings.
    pub embed: usize,
    pub task: String,
}

/// Weights that a metric reads beside those of its checkpoint.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub name: String,
    pub group: String,
    pub from: Weights,
}

/// Where weights come from.
#[derive(Debug, Clone)]
pub(super) enum Weights {
    /// A checkpoint of a run.
    Checkpoint { run: usize, folder: String },
    /// The end of a fine-tuning.
    Finetuned { cell: usize },
}

impl Draft {
    /// Whether the cell reads this source file. Two datasets may name different files alike, so that name and digest count together.
    pub fn reads(&self, file: &FileRef) -> bool {
        match self {
            Self::Dataset(spec) => spec.files.contains(file),
            Self::Corpus { spec, .. } => spec.sources.iter().any(|source| source.file == *file),
            _ => false,
        }
    }

    /// The source files that the cell reads.
    pub fn files(&mut self) -> Vec<&mut FileRef> {
        match self {
            Self::Dataset(spec) => spec.files.iter_mut().collect(),
            Self::Corpus { spec, .. } => spec.sources.iter_mut().map(|source| &mut source.file).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it reads a file of which nothing is declared and that was not found yet.
    pub fn is_unsettled(&self) -> bool {
        match self {
            Self::Dataset(spec) => spec.files.iter().any(is_unsettled),
            Self::Corpus { spec, .. } => spec.sources.iter().any(|source| is_unsettled(&source.file)),
            _ => false,
        }
    }

    /// Tokens and floating-point operations of a run; none for other cells.
    pub fn training(&self) -> Option<(u64, f64)> {
        let Self::Pretrain { spec, .. } = self else { return None };
        let parameters = core_parameters(&spec.config).unwrap_or(0);
        Some((spec.tokens, 6.0 * parameters as f64 * spec.tokens as f64))
    }
}

/// A finished upstream cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Its identity.
    pub identity: String,
    /// Its report.
    pub report: CellReport,
}

/// A cell that can be computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// Its complete definition.
    pub spec: CellSpec,
    /// What it reads, by role (the roles are listed at [`CellSpec`]).
    pub inputs: Vec<(String, Input)>,
}

/// Something a cell reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A source file.
    Source(FileRef),
    /// The folder of a cell of the plan (its index), or a folder inside it.
    Folder {
        /// Index of the cell.
        cell: usize,
        /// Folder inside its folder, with `/`.
        inside: Option<String>,
    },
}

/// Why a cell cannot be computed although the cells before it are done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run before it diverged.
    #[error("needs `{key}`, which diverged")]
    Diverged {
        /// Key of the run.
        key: String,
    },
    /// The run before it has no such checkpoint.
    #[error("needs the checkpoint `{folder}` of `{key}`, which has none of that name")]
    NoCheckpoint {
        /// Key of the run.
        key: String,
        /// Folder of the checkpoint.
        folder: String,
    },
    /// The run before it lists no training record.
    #[error(
        "needs the training losses of `{key}`, which was finished by a version that did not keep them. Run the suite in another \
         store (`--store FOLDER`) to train it anew"
    )]
    NoHistory {
        /// Key of the run.
        key: String,
    },
    /// A fine-tuning before it kept a projection of its weights in place of them.
    #[error(
        "needs the fine-tuned weights of `{key}`, which kept only a projection of them: whole weights are kept up to 5 million \
         parameters"
    )]
    Projected {
        /// Key of the fine-tuning.
        key: String,
    },
    /// A fine-tuning before it kept no weights.
    #[error("needs the fine-tuned weights of `{key}`, which kept none; `clmbench show` says how it went")]
    NoWeights {
        /// Key of the fine-tuning.
        key: String,
    },
    /// An upstream cell is not done, or its output is of another kind.
    #[error("needs `{key}`, which has no output of the right kind")]
    NoOutput {
        /// Key of that cell.
        key: String,
    },
}

impl Plan {
    /// The complete definition of a cell. `finished` gives the upstream cells by index.
    ///
    /// # Errors
    /// [`Refusal`], a sentence for the cell's row.
    pub fn bind<'a>(&self, index: usize, finished: &dyn Fn(usize) -> Option<&'a Finished>) -> Result<Bound, Refusal> {
        let upstream = Upstream { plan: self, finished };
        let whole = |cell: usize| Input::Folder { cell, inside: None };
        let inside = |cell: usize, folder: &str| Input::Folder { cell, inside: Some(folder.to_owned()) };
        let sources = |files: &mut dyn Iterator<Item = &FileRef>| -> Vec<(String, Input)> {
            files.map(|file| (format!("source:{}", file.name), Input::Source(file.clone()))).collect()
        };
        let (spec, inputs) = match &self.cells[index].draft {
            Draft::Dataset(spec) => {
                let mut inputs = sources(&mut spec.files.iter());
                inputs.extend(spec.split.file.iter().map(|file| ("split".to_owned(), Input::Source(file.clone()))));
                (CellSpec::TokeniseDataset(spec.clone()), inputs)
            }
            Draft::Corpus { spec, datasets } => {
                let mut spec = spec.clone();
                let mut inputs = sources(&mut spec.sources.iter().map(|source| &source.file));
                for (number, dataset) in datasets.iter().enumerate() {
                    let output = upstream.dataset(*dataset)?;
                    spec.exclude.push((output.data_digest.clone(), output.split_digest.clone()));
                    inputs.push((format!("exclude:{number}"), whole(*dataset)));
                }
                (CellSpec::TokeniseCorpus(spec), inputs)
            }
            Draft::Pretrain { spec, corpus } => {
                let mut spec = (**spec).clone();
                let output = upstream.corpus(*corpus)?;
                spec.corpus_digest = output.train_digest.clone();
                spec.tokenizer_digest = output.tokenizer_digest.clone();
                (CellSpec::Pretrain(spec), vec![("corpus".into(), whole(*corpus))])
            }
            Draft::Embed { spec, run, folder, dataset } => {
                let mut spec = (**spec).clone();
                let (_, checkpoint) = upstream.checkpoint(*run, folder)?;
                let data = upstream.dataset(*dataset)?;
                spec.checkpoint.weights_digest = checkpoint.weights_digest.clone();
                spec.data_digest = data.data_digest.clone();
                spec.tokenizer_digest = data.tokenizer_digest.clone();
                let inputs = vec![("checkpoint".into(), inside(*run, folder)), ("dataset".into(), whole(*dataset))];
                (CellSpec::Embed(spec), inputs)
            }
            Draft::Measure { spec, run, folder, corpus, train, labelled, history, others, .. } => {
                let mut spec = (**spec).clone();
                let (output, checkpoint) = upstream.checkpoint(*run, folder)?;
                let sample = upstream.corpus(*corpus)?;
                spec.checkpoint.weights_digest = checkpoint.weights_digest.clone();
                spec.record = facts(output, checkpoint);
                spec.heldout_digest = sample.heldout_digest.clone();
                spec.tokenizer_digest = sample.tokenizer_digest.clone();
                let mut inputs = vec![("checkpoint".into(), inside(*run, folder)), ("corpus".into(), whole(*corpus))];
                if let Some(cell) = train {
                    let smallest = upstream.corpus(*cell)?;
                    spec.train = Some(TrainSample { digest: smallest.train_digest.clone(), molecules: smallest.molecules });
                    inputs.push(("train".into(), whole(*cell)));
                }
                if let Some(Labelled { dataset, embed, task }) = labelled {
                    let data = upstream.dataset(*dataset)?;
                    spec.dataset = Some((data.data_digest.clone(), data.split_digest.clone(), task.clone()));
                    spec.embeddings = Some(upstream.embedding(*embed)?);
                    inputs.extend([("dataset".into(), whole(*dataset)), ("embeddings".into(), whole(*embed))]);
                }
                if *history {
                    let record = upstream.file(*run, RECORD)?;
                    spec.history = Some(record.ok_or_else(|| Refusal::NoHistory { key: self.cells[*run].key.clone() })?);
                    inputs.push(("run".into(), whole(*run)));
                }
                for (number, other) in others.iter().enumerate() {
                    let (weights, input) = match &other.from {
                        Weights::Checkpoint { run, folder } => (upstream.weights(*run, folder)?, inside(*run, folder)),
                        Weights::Finetuned { cell } => (upstream.finetuned(*cell)?, whole(*cell)),
                    };
                    let (file, blake3) = weights;
                    spec.others.push(OtherWeights { name: other.name.clone(), group: other.group.clone(), file, blake3 });
                    inputs.push((format!("other:{number}"), input));
                }
                (CellSpec::Measure(spec), inputs)
            }
            Draft::Probe { spec, embed, run, folder, dataset } => {
                let (mut spec, _) = upstream.transfer(spec, *run, folder, *dataset)?;
                if let Protocol::Probe(probe) = &mut spec.protocol {
                    probe.embedding_digest = upstream.embedding(*embed)?;
                }
                let inputs = vec![("embeddings".into(), whole(*embed)), ("dataset".into(), whole(*dataset))];
                (CellSpec::Transfer(spec), inputs)
            }
            Draft::Finetune { spec, run, folder, dataset } => {
                let (mut spec, tokenizer) = upstream.transfer(spec, *run, folder, *dataset)?;
                if let Protocol::Finetune(finetune) = &mut spec.protocol {
                    finetune.checkpoint.weights_digest = spec.weights_digest.clone();
                    finetune.tokenizer_digest = tokenizer;
                }
                let inputs = vec![("checkpoint".into(), inside(*run, folder)), ("dataset".into(), whole(*dataset))];
                (CellSpec::Transfer(spec), inputs)
            }
            Draft::Baseline { spec, dataset } => {
                let spec = upstream.transferred_to((**spec).clone(), *dataset)?;
                (CellSpec::Transfer(spec), vec![("dataset".into(), whole(*dataset))])
            }
        };
        Ok(Bound { spec, inputs })
    }
}

/// Facts of a run at one checkpoint.
fn facts(run: &PretrainOutput, checkpoint: &CheckpointOutput) -> RunFacts {
    RunFacts {
        non_embedding_parameters: run.non_embedding_parameters,
        total_parameters: run.total_parameters,
        tokens: Some(checkpoint.tokens),
        corpus_molecules: Some(run.corpus_molecules),
        training_flops: Some(checkpoint.training_flops),
    }
}

/// A checkpoint of a model whose weights are not known yet.
pub(super) fn blank_checkpoint(model: &super::models::Model) -> CheckpointRef {
    CheckpointRef {
        weights_digest: String::new(),
        plugin: model.plugin.clone(),
        architecture: model.info.name.clone(),
        config: model.config.clone(),
        objective: model.info.objective,
    }
}

struct Upstream<'p, 'f, 'a> {
    plan: &'p Plan,
    finished: &'f dyn Fn(usize) -> Option<&'a Finished>,
}

impl<'a> Upstream<'_, '_, 'a> {
    fn no_output(&self, cell: usize) -> Refusal {
        Refusal::NoOutput { key: self.plan.cells[cell].key.clone() }
    }

    fn output(&self, cell: usize) -> Result<&'a CellOutput, Refusal> {
        (self.finished)(cell).map(|finished| &finished.report.output).ok_or_else(|| self.no_output(cell))
    }

    fn dataset(&self, cell: usize) -> Result<&'a DatasetOutput, Refusal> {
        match self.output(cell)? {
            CellOutput::TokeniseDataset(output) => Ok(output),
            _ => Err(self.no_output(cell)),
        }
    }

    /// A transfer with the digests of its checkpoint and dataset filled in, and the digest of the dataset's tokenizer.
    fn transfer(&self, spec: &Transfer, run: usize, folder: &str, dataset: usize) -> Result<(Transfer, String), Refusal> {
        let mut spec = spec.clone();
        let (_, checkpoint) = self.checkpoint(run, folder)?;
        spec.weights_digest = checkpoint.weights_digest.clone();
        Ok((self.transferred_to(spec, dataset)?, self.dataset(dataset)?.tokenizer_digest.clone()))
    }

    /// A transfer with the digests of its dataset filled in.
    fn transferred_to(&self, mut spec: Transfer, dataset: usize) -> Result<Transfer, Refusal> {
        let data = self.dataset(dataset)?;
        spec.data_digest = data.data_digest.clone();
        spec.split_digest = data.split_digest.clone();
        Ok(spec)
    }

    fn embedding(&self, cell: usize) -> Result<String, Refusal> {
        match self.output(cell)? {
            CellOutput::Embed(output) => Ok(output.embedding_digest.clone()),
            _ => Err(self.no_output(cell)),
        }
    }

    /// BLAKE3 of a file that a cell left; none if it left none of that name.
    fn file(&self, cell: usize, path: &str) -> Result<Option<String>, Refusal> {
        let finished = (self.finished)(cell).ok_or_else(|| self.no_output(cell))?;
        Ok(finished.report.files.iter().find(|file| file.path == path).map(|file| file.blake3.clone()))
    }

    /// File and BLAKE3 of a checkpoint's weights.
    fn weights(&self, run: usize, folder: &str) -> Result<(String, String), Refusal> {
        let (_, checkpoint) = self.checkpoint(run, folder)?;
        Ok((CHECKPOINT_WEIGHTS.to_owned(), checkpoint.weights_digest.clone()))
    }

    /// File and BLAKE3 of the weights that a fine-tuning left.
    fn finetuned(&self, cell: usize) -> Result<(String, String), Refusal> {
        let key = || self.plan.cells[cell].key.clone();
        match (self.file(cell, END_WEIGHTS)?, self.file(cell, PROJECTION)?) {
            (Some(blake3), _) => Ok((END_WEIGHTS.to_owned(), blake3)),
            (None, Some(_)) => Err(Refusal::Projected { key: key() }),
            (None, None) => Err(Refusal::NoWeights { key: key() }),
        }
    }

    fn corpus(&self, cell: usize) -> Result<&'a CorpusOutput, Refusal> {
        match self.output(cell)? {
            CellOutput::TokeniseCorpus(output) => Ok(output),
            _ => Err(self.no_output(cell)),
        }
    }

    fn checkpoint(&self, cell: usize, folder: &str) -> Result<(&'a PretrainOutput, &'a CheckpointOutput), Refusal> {
        let CellOutput::Pretrain(output) = self.output(cell)? else { return Err(self.no_output(cell)) };
        let key = || self.plan.cells[cell].key.clone();
        if output.diverged {
            return Err(Refusal::Diverged { key: key() });
        }
        let checkpoint = output.checkpoints.iter().find(|checkpoint| checkpoint.folder == folder);
        let checkpoint = checkpoint.ok_or_else(|| Refusal::NoCheckpoint { key: key(), folder: folder.to_owned() })?;
        Ok((output, checkpoint))
    }
}
