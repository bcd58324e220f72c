//! The host's side of the probe: losses, gradients and embeddings of one checkpoint, without ever leaving the weights changed.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use abi_stable::{RRef, erased_types::TD_Opaque};
use clmbench_api::{ProbeRef, Sample, SamplePart, probe::ProbeApi_TO};
use clmbench_molecules::TokenCache;
use clmbench_protocol::{Budget, Failure, FailureKind, Objective, RunFacts, TrainSample};

use crate::{
    batching::{self, TargetBatch, Targets},
    embed::BATCH_TOKENS,
    failure::{OrFail, Result},
    masking::MaskKey,
    model::Model,
    order,
    report::Reporter,
};

mod curvature;
mod edge;
mod loss;
pub mod others;
mod sampling;
mod shift;
mod smiles;
pub mod task;

use others::Other;
use task::TaskSample;

/// Share of tokens to predict in evaluation.
const MASK_RATIO: f64 = 0.15;

/// What a probe is made of.
pub struct ProbeHost<'a> {
    model: &'a Model,
    heldout: TokenCache,
    train: Option<(TokenCache, usize)>,
    task: Option<TaskSample>,
    history: Option<Vec<f64>>,
    others: Vec<Other>,
    corpus: PathBuf,
    heldout_smiles: OnceCell<Vec<String>>,
    facts: RunFacts,
    identity: String,
    /// What is predicted, or why nothing can be.
    targets: Result<Targets>,
    mask_seed: u64,
    label_seed: u64,
    budget: Budget,
    batch_tokens: usize,
    reporter: &'a Reporter,
    told: Cell<Option<(u64, u64)>>,
    with_gradient: RefCell<Option<Vec<bool>>>,
    cost: Cell<f64>,
    read: RefCell<BTreeSet<Read>>,
    fault: RefCell<Option<Failure>>,
    note: &'a str,
}

/// What identifies the measurement.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// What the model is trained to predict.
    pub objective: Objective,
    /// Facts of the run.
    pub facts: RunFacts,
    /// Identity of the cell, which seeds the metric's own streams.
    pub identity: &'a str,
    /// Seed of masks, shared by all checkpoints.
    pub seed: u64,
    /// Budget.
    pub budget: Budget,
    /// What is being measured, for progress.
    pub note: &'a str,
}

/// Where the samples are.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// Folder of the corpus cell, with `heldout.bin`.
    pub corpus: &'a Path,
    /// Folder of the smallest corpus cell, with `train.bin`, and what is expected there.
    pub train: Option<(&'a Path, &'a TrainSample)>,
}

/// What a metric may read without a pass through the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// The weights.
    Weights,
    /// Embeddings, which may lie ready.
    Embeddings,
    /// Labels of the task.
    Labels,
    /// Losses of the run.
    History,
    /// Other weights.
    Others,
}

/// Molecules that go through the model together: their places in the sample, their places in the part's token cache, and their batch.
struct Piece {
    members: Vec<u32>,
    molecules: Vec<u32>,
    batch: TargetBatch,
}

impl<'a> ProbeHost<'a> {
    /// A probe of the model on these samples.
    ///
    /// # Errors
    /// Unreadable inputs; training molecules that are not the ones planned with.
    pub fn new(model: &'a Model, samples: Samples<'_>, setting: Setting<'a>, reporter: &'a Reporter) -> Result<Self> {
        let seed = |label: &str| crate::seed::derive(label, &[&setting.seed.to_le_bytes()]);
        Ok(Self {
            model,
            heldout: TokenCache::open(&samples.corpus.join("heldout.bin")).or_fail()?,
            train: samples.train.map(|(folder, expected)| open_train(folder, expected)).transpose()?,
            task: None,
            history: None,
            others: Vec::new(),
            corpus: samples.corpus.to_owned(),
            heldout_smiles: OnceCell::new(),
            facts: setting.facts,
            identity: setting.identity.into(),
            targets: targets(model, setting.objective),
            mask_seed: seed("evaluation masks"),
            label_seed: crate::seed::derive("sampled labels", &[setting.identity.as_bytes()]),
            budget: setting.budget,
            batch_tokens: BATCH_TOKENS,
            reporter,
            told: Cell::new(None),
            with_gradient: RefCell::new(None),
            cost: Cell::new(0.0),
            read: RefCell::default(),
            fault: RefCell::new(None),
            note: setting.note,
        })
    }

    /// The same probe with batches of at most this many tokens; its answers are the same within rounding.
    pub fn with_batches(self, tokens: usize) -> Self {
        Self { batch_tokens: tokens, ..self }
    }

    /// The same probe with the molecules of a task.
    pub fn with_task(self, task: TaskSample) -> Self {
        Self { task: Some(task), ..self }
    }

    /// The same probe with the mean training loss of every step of the run.
    pub fn with_history(self, losses: Vec<f64>) -> Self {
        Self { history: Some(losses), ..self }
    }

    /// The same probe with other weights.
    pub fn with_others(self, others: Vec<Other>) -> Self {
        Self { others, ..self }
    }

    /// The probe as it crosses the edge.
    pub fn edge(&self) -> ProbeRef<'_> {
        ProbeApi_TO::from_ptr(RRef::new(self), TD_Opaque)
    }

    /// Cost so far in gradient-equivalents over the held-out sample (a forward pass is a third of a gradient).
    pub fn cost(&self) -> f64 {
        self.cost.get()
    }

    /// Whether the metric has asked for this.
    pub fn has_read(&self, what: Read) -> bool {
        self.read.borrow().contains(&what)
    }

    fn note_read(&self, what: Read) {
        self.read.borrow_mut().insert(what);
    }

    /// What ended a call for a reason that is the host's own, such as a damaged file: it keeps its kind, which does not cross the
    /// edge.
    pub fn fault(&self) -> Option<Failure> {
        self.fault.borrow().clone()
    }

    /// Digest of the held-out sample's tokens.
    pub fn heldout_digest(&self) -> &str {
        self.heldout.digest()
    }

    /// Molecules of a part, and how many of them are offered.
    fn part(&self, part: SamplePart) -> Result<(&TokenCache, usize)> {
        match (part, &self.train) {
            (SamplePart::Heldout, _) => Ok((&self.heldout, self.heldout.len())),
            (SamplePart::Train, Some((cache, molecules))) => Ok((cache, *molecules)),
            (SamplePart::Train, None) => {
                let text = "no training sample was planned for this metric; it needs a parameter `sample` that is `train`";
                Err(Failure::new(FailureKind::Unsupported, text))
            }
            (SamplePart::Task, _) => self.task_sample().map(|task| (task.tokens(), task.places().len())),
        }
    }

    /// Places of molecules of a part in its token cache.
    fn chosen(&self, part: SamplePart, start: u64, count: u64) -> Result<Vec<u32>> {
        let all = self.part(part)?.1 as u64;
        let end = if count == 0 { all } else { start.saturating_add(count) };
        if start >= all || end > all {
            let text = format!("molecules {start}..{end} of a part that has {all}; ask molecules() first");
            return Err(Failure::new(FailureKind::BadInput, text));
        }
        if part == SamplePart::Task {
            return Ok(self.task_sample()?.places()[start as usize..end as usize].to_vec());
        }
        Ok((start as u32..end as u32).collect())
    }

    /// The molecules of a sample, and their places in batches of nearly equal length.
    fn batches(&self, sample: Sample) -> Result<(Vec<u32>, Vec<Vec<u32>>)> {
        let chosen = self.chosen(sample.part, sample.start, sample.count)?;
        let (cache, _) = self.part(sample.part)?;
        let lengths: Vec<usize> = chosen.iter().map(|molecule| cache.get(*molecule as usize).len()).collect();
        Ok((chosen, order::by_length(&lengths, self.batch_tokens)))
    }

    fn batch(&self, sample: Sample, molecules: &[u32]) -> Result<TargetBatch> {
        let (cache, _) = self.part(sample.part)?;
        let targets = self.targets.as_ref().map_err(Clone::clone)?;
        let key = MaskKey { seed: self.mask_seed, draw: sample.draw };
        Ok(batching::with_targets(cache, molecules, targets, key, self.model.device()))
    }

    /// Goes through a sample batch by batch; batches without a token to predict are passed over. Each pass costs this many
    /// gradients. Returns the number of molecules and of predicted tokens.
    fn each(&self, sample: Sample, gradients: f64, mut visit: impl FnMut(&Piece) -> Result<()>) -> Result<(usize, usize)> {
        let (chosen, batches) = self.batches(sample)?;
        let (mut done, mut predicted) = (0, 0);
        for members in batches {
            let molecules: Vec<u32> = members.iter().map(|index| chosen[*index as usize]).collect();
            let batch = self.batch(sample, &molecules)?;
            let piece = Piece { members, molecules, batch };
            if piece.batch.predicted() > 0 {
                visit(&piece)?;
            }
            self.charge(piece.batch.shown.tokens, gradients);
            predicted += piece.batch.predicted();
            done += piece.members.len();
            self.tell(done as f64 / chosen.len() as f64);
        }
        Ok((chosen.len(), predicted))
    }

    /// Reports progress in per cent: the steps that the metric told of, and how far the call of the current one is.
    fn tell(&self, of_call: f64) {
        let (done, total) = self.told.get().unwrap_or((0, 1));
        let share = ((done as f64 + of_call) / total.max(1) as f64).min(1.0);
        self.reporter.report("measure", (share * 100.0) as u64, 100, "%", || self.note.to_owned());
    }

    fn charge(&self, tokens: u64, gradients: f64) {
        let whole = self.heldout.total_tokens().max(1) as f64;
        self.cost.set(self.cost.get() + gradients * tokens as f64 / whole);
    }
}

/// What a model predicts in evaluation.
fn targets(model: &Model, objective: Objective) -> Result<Targets> {
    if model.head_is_random {
        let text = "the checkpoint came without the weights of its output layer, so that nothing that needs its loss can be measured; \
                    save it with its language-model head, such as `AutoModelForMaskedLM`, and import that";
        return Err(Failure::new(FailureKind::Unsupported, text));
    }
    Targets::new(objective, MASK_RATIO, model.vocabulary.entries(), &model.vocabulary.special)
}

/// The training molecules in a folder, and how many of them are offered.
fn open_train(folder: &Path, expected: &TrainSample) -> Result<(TokenCache, usize)> {
    let path = folder.join("train.bin");
    let cache = TokenCache::open(&path).or_fail()?;
    if cache.digest() != expected.digest || (cache.len() as u64) < expected.molecules {
        let text = format!(
            "{} is not the training sample planned with ({} molecules, digest {}); run again to rebuild it",
            path.display(),
            expected.molecules,
            expected.digest
        );
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    Ok((cache, expected.molecules as usize))
}
