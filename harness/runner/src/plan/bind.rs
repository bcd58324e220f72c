//! From a planned cell and the outputs of the cells before it to a complete definition.

use clmbench_protocol::{
    CellOutput, CellReport, CellSpec, CheckpointOutput, CheckpointRef, CorpusOutput, DatasetOutput, Embed, FileRef, Import,
    ImportOutput, Measure, Number, OtherWeights, Pretrain, Protocol, RunFacts, Scope, Special, TokeniseCorpus, TokeniseDataset,
    TokenizerSpec, TrainSample, Transfer,
};

use super::{
    Plan, Provenance, core_parameters,
    models::{automatic_precision, threads},
    settle::is_unsettled,
};

/// Training record of a run.
const RECORD: &str = "record.json";
/// Weights of a checkpoint, in its folder.
const CHECKPOINT_WEIGHTS: &str = "model.safetensors";
/// Weights at the end of a fine-tuning.
const END_WEIGHTS: &str = "end.safetensors";
/// Tokenizer of a checkpoint of others, in its cell's folder.
const TOKENIZER: &str = "checkpoint-0/tokenizer.json";
/// What a fine-tuning keeps of the weights of a larger model.
const PROJECTION: &str = "projection.safetensors";

/// A definition in which the digests of upstream outputs are still blank, and where they come from (cell indices).
#[derive(Debug, Clone)]
pub(super) enum Draft {
    Dataset {
        spec: TokeniseDataset,
        /// The import whose tokenizer is used; none for our own.
        tokenizer: Option<usize>,
    },
    Corpus {
        spec: TokeniseCorpus,
        datasets: Vec<usize>,
        /// The import whose tokenizer is used; none for our own.
        tokenizer: Option<usize>,
    },
    Import {
        spec: Box<Import>,
        /// Whether its files are there; else the plan has to be made again once they are.
        there: bool,
        origin: Provenance,
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
        /// None where it does not apply for want of one.
        corpus: Option<usize>,
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
            Self::Dataset { spec, .. } => spec.files.contains(file),
            Self::Corpus { spec, .. } => spec.sources.iter().any(|source| source.file == *file),
            _ => false,
        }
    }

    /// The source files that the cell reads.
    pub fn files(&mut self) -> Vec<&mut FileRef> {
        match self {
            Self::Dataset { spec, .. } => spec.files.iter_mut().collect(),
            Self::Corpus { spec, .. } => spec.sources.iter_mut().map(|source| &mut source.file).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it reads a file of which nothing is declared and that was not found yet.
    pub fn is_unsettled(&self) -> bool {
        match self {
            Self::Dataset { spec, .. } => spec.files.iter().any(is_unsettled),
            Self::Corpus { spec, .. } => spec.sources.iter().any(|source| is_unsettled(&source.file)),
            Self::Import { there, .. } => !there,
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
    /// The files of a checkpoint are not there.
    #[error("needs the files of `{key}`, which are not there yet")]
    NotThere {
        /// Key of the import.
        key: String,
    },
    /// A checkpoint that was taken to share the tokens of another has other ones.
    #[error(
        "needs the tokens of `{key}`, but its datasets were tokenised for `{first}`, whose tokenizer or longest molecule is another. \
         Give both the same `max_tokens`, one that both models can take"
    )]
    OtherTokens {
        /// Key of the import.
        key: String,
        /// Key of the import that the datasets were tokenised for.
        first: String,
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
            Draft::Dataset { spec, tokenizer } => {
                let mut spec = spec.clone();
                let mut inputs = sources(&mut spec.files.iter());
                inputs.extend(spec.split.file.iter().map(|file| ("split".to_owned(), Input::Source(file.clone()))));
                if let Some(import) = tokenizer {
                    spec.tokenizer = upstream.tokenizer(*import)?;
                    inputs.push(("tokenizer".into(), inside(*import, TOKENIZER)));
                }
                (CellSpec::TokeniseDataset(spec), inputs)
            }
            Draft::Import { spec, there, .. } => {
                if !there {
                    return Err(Refusal::NotThere { key: self.cells[index].key.clone() });
                }
                let inputs = spec.files.iter().map(|file| (format!("file:{}", file.name), Input::Source(file.clone()))).collect();
                (CellSpec::Import((**spec).clone()), inputs)
            }
            Draft::Corpus { spec, datasets, tokenizer } => {
                let mut spec = spec.clone();
                let mut inputs = sources(&mut spec.sources.iter().map(|source| &source.file));
                if let Some(import) = tokenizer {
                    spec.tokenizer = upstream.tokenizer(*import)?;
                    inputs.push(("tokenizer".into(), inside(*import, TOKENIZER)));
                }
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
                let found = upstream.checkpoint(*run, folder)?;
                let data = upstream.tokens_for(*run, *dataset)?;
                found.complete(&mut spec.checkpoint);
                found.threads(&mut spec.threads);
                spec.data_digest = data.data_digest.clone();
                spec.tokenizer_digest = data.tokenizer_digest.clone();
                let inputs = vec![("checkpoint".into(), inside(*run, folder)), ("dataset".into(), whole(*dataset))];
                (CellSpec::Embed(spec), inputs)
            }
            Draft::Measure { spec, run, folder, corpus, train, labelled, history, others, .. } => {
                let mut spec = (**spec).clone();
                let found = upstream.checkpoint(*run, folder)?;
                let corpus = corpus.ok_or_else(|| upstream.no_output(index))?;
                upstream.same_tokens(*run, corpus)?;
                let sample = upstream.corpus(corpus)?;
                found.complete(&mut spec.checkpoint);
                found.threads(&mut spec.threads);
                spec.record = found.facts.clone();
                spec.heldout_digest = sample.heldout_digest.clone();
                spec.tokenizer_digest = sample.tokenizer_digest.clone();
                let mut inputs = vec![("checkpoint".into(), inside(*run, folder)), ("corpus".into(), whole(corpus))];
                if let Some(cell) = train {
                    let smallest = upstream.corpus(*cell)?;
                    spec.train = Some(TrainSample { digest: smallest.train_digest.clone(), molecules: smallest.molecules });
                    inputs.push(("train".into(), whole(*cell)));
                }
                if let Some(Labelled { dataset, embed, task }) = labelled {
                    let data = upstream.tokens_for(*run, *dataset)?;
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
                let found = upstream.checkpoint(*run, folder)?;
                if let Protocol::Finetune(finetune) = &mut spec.protocol {
                    found.complete(&mut finetune.checkpoint);
                    found.threads(&mut finetune.threads);
                    if let Some(import) = found.import {
                        finetune.precision = automatic_precision(&import.config);
                    }
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

/// A checkpoint that an upstream cell left.
struct Checkpointed<'a> {
    checkpoint: &'a CheckpointOutput,
    facts: RunFacts,
    /// Where it is a checkpoint of others.
    import: Option<&'a ImportOutput>,
}

impl Checkpointed<'_> {
    /// The weights, and what a plan cannot know of a checkpoint of others.
    fn complete(&self, reference: &mut CheckpointRef) {
        reference.weights_digest.clone_from(&self.checkpoint.weights_digest);
        if let Some(import) = self.import {
            reference.config.clone_from(&import.config);
            reference.objective = import.objective;
            reference.special = (import.special != Special::default()).then(|| import.special.clone());
            reference.head_is_random = import.head_is_random;
        }
    }

    fn threads(&self, planned: &mut u32) {
        if let Some(import) = self.import {
            *planned = threads(&import.config);
        }
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
        special: None,
        head_is_random: false,
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
        let found = self.checkpoint(run, folder)?;
        spec.weights_digest.clone_from(&found.checkpoint.weights_digest);
        Ok((self.transferred_to(spec, dataset)?, self.tokens_for(run, dataset)?.tokenizer_digest.clone()))
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
        let found = self.checkpoint(run, folder)?;
        Ok((CHECKPOINT_WEIGHTS.to_owned(), found.checkpoint.weights_digest.clone()))
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

    fn import(&self, cell: usize) -> Result<&'a ImportOutput, Refusal> {
        match self.output(cell)? {
            CellOutput::Import(output) => Ok(output),
            _ => Err(self.no_output(cell)),
        }
    }

    /// How the tokenizer of an import is used.
    fn tokenizer(&self, import: usize) -> Result<TokenizerSpec, Refusal> {
        let output = self.import(import)?;
        Ok(TokenizerSpec {
            kind: "file".into(),
            max_tokens: output.max_tokens,
            digest: Some(output.tokenizer_digest.clone()),
            special: Some(output.special.clone()),
        })
    }

    /// That molecules were tokenised as the checkpoint of a run reads them: imports were taken to share their tokens by their files.
    fn same_tokens(&self, run: usize, tokenised: usize) -> Result<(), Refusal> {
        let (Draft::Dataset { tokenizer, .. } | Draft::Corpus { tokenizer, .. }) = &self.plan.cells[tokenised].draft else {
            return Ok(());
        };
        let Some(first) = *tokenizer else { return Ok(()) };
        if self.tokenizer(first)? == self.tokenizer(run)? {
            return Ok(());
        }
        let key = |cell: usize| self.plan.cells[cell].key.clone();
        Err(Refusal::OtherTokens { key: key(run), first: key(first) })
    }

    /// A dataset in the tokens of a run.
    fn tokens_for(&self, run: usize, dataset: usize) -> Result<&'a DatasetOutput, Refusal> {
        self.same_tokens(run, dataset)?;
        self.dataset(dataset)
    }

    fn checkpoint(&self, cell: usize, folder: &str) -> Result<Checkpointed<'a>, Refusal> {
        let key = || self.plan.cells[cell].key.clone();
        let output = match self.output(cell)? {
            CellOutput::Pretrain(output) => output,
            CellOutput::Import(output) => return Ok(imported(output, self.plan.cells[cell].provenance())),
            _ => return Err(self.no_output(cell)),
        };
        if output.diverged {
            return Err(Refusal::Diverged { key: key() });
        }
        let checkpoint = output.checkpoints.iter().find(|checkpoint| checkpoint.folder == folder);
        let checkpoint = checkpoint.ok_or_else(|| Refusal::NoCheckpoint { key: key(), folder: folder.to_owned() })?;
        let facts = RunFacts {
            non_embedding_parameters: output.non_embedding_parameters,
            total_parameters: output.total_parameters,
            tokens: Some(checkpoint.tokens),
            corpus_molecules: Some(output.corpus_molecules),
            training_flops: Some(checkpoint.training_flops),
        };
        Ok(Checkpointed { checkpoint, facts, import: None })
    }
}

/// A checkpoint of others, of whose training only what the suite says is known.
fn imported<'a>(output: &'a ImportOutput, origin: Option<&Provenance>) -> Checkpointed<'a> {
    let tokens = origin.and_then(|origin| origin.tokens);
    let parameters = output.non_embedding_parameters;
    let facts = RunFacts {
        non_embedding_parameters: parameters,
        total_parameters: output.total_parameters,
        tokens,
        corpus_molecules: origin.and_then(|origin| origin.molecules),
        training_flops: tokens.map(|tokens| Number(6.0 * parameters as f64 * tokens as f64)),
    };
    Checkpointed { checkpoint: &output.checkpoint, facts, import: Some(output) }
}
