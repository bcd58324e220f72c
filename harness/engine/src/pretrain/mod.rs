//! Pretraining: masked or causal language modelling on a trunk, with a cool-down branch to each checkpoint or down a cosine.
//!
//! Every number of it is a function of the cell's definition: order and masks come from keyed generators, the thread count
//! is part of the definition, and a run that goes on from saved state equals one that was never interrupted.

use std::{path::Path, time::Instant};

use clmbench_api::PluginModuleRef;
use clmbench_molecules::TokenCache;
use clmbench_protocol::{CheckpointOutput, Failure, FailureKind, Pretrain, PretrainOutput, Special};

use crate::{
    batching::{self, TargetBatch, Targets},
    checkpoint,
    failure::{OrFail, Result, io},
    masking::MaskKey,
    model::{Model, Vocabulary},
    order,
    report::Reporter,
    schedule::TokenSchedule,
    seed,
    training_state::{self, Position, Saving, Standing, States},
};

mod definition;
mod divergence;
pub mod step;

use step::{Outcome, Stepper};

/// The number of predicted tokens of a part is rounded up to a multiple of this, with targets that count for nothing.
const ROUNDED: usize = 32;

/// Where a run reads and writes.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// Folder of the corpus cell.
    pub corpus: &'a Path,
    /// Folder of this cell.
    pub work: &'a Path,
}

/// Pretrains (or only initialises, when `tokens` is 0) a model and writes its checkpoints.
///
/// # Errors
/// Unreadable inputs, what the plugin refuses, what cannot be written.
pub fn run(spec: &Pretrain, module: PluginModuleRef, folders: Folders<'_>, reporter: &Reporter) -> Result<PretrainOutput> {
    run_saving(spec, module, folders, Saving::default(), reporter)
}

/// [`run`] with states saved as often as said; values do not depend on it.
///
/// # Errors
/// Those of [`run`].
pub fn run_saving(
    spec: &Pretrain,
    module: PluginModuleRef,
    folders: Folders<'_>,
    saving: Saving,
    reporter: &Reporter,
) -> Result<PretrainOutput> {
    let cache = TokenCache::open(&folders.corpus.join("train.bin")).or_fail()?;
    let tokenizer = folders.corpus.join("tokenizer.json");
    crate::files::expect_digest(&tokenizer, &spec.tokenizer_digest)?;
    if cache.digest() != spec.corpus_digest {
        let text = format!(
            "{} is not the corpus {} that was planned with; run again to rebuild it",
            folders.corpus.display(),
            spec.corpus_digest
        );
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    definition::check(spec, &cache)?;
    let vocabulary = Vocabulary::new(cache.vocabulary_size() as u64, cache.max_tokens() as u64);
    let seed = seed::derive("initial weights", &[&spec.seed.to_le_bytes()]);
    let model = seed::drawn(seed, || Model::build(module, &spec.architecture, &spec.config, vocabulary))?;
    Run::new(spec, &model, &cache, &tokenizer, folders.work, reporter)?.finish(saving)
}

struct Run<'a> {
    spec: &'a Pretrain,
    model: &'a Model,
    cache: &'a TokenCache,
    tokenizer: &'a Path,
    work: &'a Path,
    reporter: &'a Reporter,
    stepper: Stepper<'a>,
    schedule: TokenSchedule,
    targets: Targets,
    lengths: Vec<usize>,
    epoch: Option<(u64, Vec<Vec<u32>>)>,
    mask_seed: u64,
    /// Tokens of finished cool-down branches, for progress.
    done: u64,
    started: Instant,
    started_at: u64,
}

impl<'a> Run<'a> {
    fn new(
        spec: &'a Pretrain,
        model: &'a Model,
        cache: &'a TokenCache,
        tokenizer: &'a Path,
        work: &'a Path,
        reporter: &'a Reporter,
    ) -> Result<Self> {
        Ok(Self {
            spec,
            model,
            cache,
            tokenizer,
            work,
            reporter,
            stepper: Stepper::new(model, spec),
            schedule: TokenSchedule {
                kind: spec.schedule.kind,
                peak: spec.learning_rate.0,
                total: spec.tokens,
                warmup: spec.schedule.warmup.0,
                cooldown: spec.schedule.cooldown.0,
                checkpoints: spec.checkpoints.max(1),
            },
            targets: Targets::new(spec.objective, spec.mask_ratio.0, cache.vocabulary_size() as u64, &Special::default())?,
            lengths: (0..cache.len()).map(|index| cache.get(index).len()).collect(),
            epoch: None,
            mask_seed: seed::derive("training masks", &[&spec.seed.to_le_bytes()]),
            done: 0,
            started: Instant::now(),
            started_at: 0,
        })
    }

    fn finish(mut self, saving: Saving) -> Result<PretrainOutput> {
        if self.spec.tokens == 0 {
            training_state::tidy(self.work, None)?;
            let row = self.write(&Position::default(), 0, f64::NAN)?;
            return Ok(self.output(vec![row], 0, None));
        }
        if let Some(output) = training_state::finished(self.work) {
            return Ok(output);
        }
        let (mut states, saved) = States::open(self.work, saving, &mut self.stepper.optimizer)?;
        training_state::tidy(self.work, saved.as_ref())?;
        let mut at = saved.unwrap_or_default();
        self.done = (1..=at.trunk.checkpoints.len() as u32).map(|index| self.schedule.cooldown_tokens(index)).sum::<u64>();
        self.started_at = self.done + at.branch.as_ref().unwrap_or(&at.trunk).tokens;
        let mut divergence = None;
        while (at.trunk.checkpoints.len() as u32) < self.schedule.checkpoints && divergence.is_none() {
            divergence = self.next_checkpoint(&mut at, &mut states)?;
        }
        let last = at.branch.as_ref().unwrap_or(&at.trunk);
        let output = self.output(at.trunk.checkpoints.clone(), last.molecules, divergence);
        training_state::close(self.work, &output, &last.losses)?;
        Ok(output)
    }

    /// Trains to the next checkpoint and writes it, or says why the run diverged on the way or at its end. The branch to the
    /// last checkpoint is not left again.
    fn next_checkpoint(&mut self, at: &mut Standing, states: &mut States) -> Result<Option<String>> {
        let index = at.trunk.checkpoints.len() as u32 + 1;
        let last = index == self.schedule.checkpoints;
        if at.branch.is_none() {
            if let Some(why) = self.train(at, states, index)? {
                return Ok(Some(why));
            }
            if self.schedule.cooldown_tokens(index) > 0 {
                states.save_trunk(&self.stepper.optimizer, &at.trunk)?;
                at.kept = if last { Vec::new() } else { self.stepper.optimizer.snapshot() };
                at.branch = Some(at.trunk.clone());
            }
        }
        if at.branch.is_some()
            && let Some(why) = self.train(at, states, index)?
        {
            return Ok(Some(why));
        }
        let here = at.branch.as_ref().unwrap_or(&at.trunk);
        if here.losses.is_empty() {
            let text = format!(
                "the {} tokens of the run held none to predict; train on more tokens or with a larger mask_ratio",
                self.spec.tokens
            );
            return Err(Failure::new(FailureKind::BadInput, text));
        }
        let row = self.write(here, index, divergence::tail(&here.losses))?;
        let divergence = if last { divergence::of_run(&here.losses, self.cache.vocabulary_size() as u64) } else { None };
        at.trunk.checkpoints.push(row);
        if last {
            return Ok(divergence);
        }
        self.done += self.schedule.cooldown_tokens(index);
        if at.branch.take().is_some() {
            self.stepper.optimizer.restore(&std::mem::take(&mut at.kept))?;
            states.save_position(&at.trunk)?;
        } else {
            states.save_trunk(&self.stepper.optimizer, &at.trunk)?;
        }
        Ok(None)
    }

    /// Trains on the leg where the run stands, up to the end of that leg on the way to the checkpoint, or says why the run
    /// diverged. Steps to nowhere on a trunk that is past it.
    fn train(&mut self, at: &mut Standing, states: &mut States, index: u32) -> Result<Option<String>> {
        let end = if at.branch.is_some() { self.schedule.target(index) } else { self.schedule.branch(index) };
        loop {
            let on_branch = at.branch.is_some();
            let position = at.branch.as_mut().unwrap_or(&mut at.trunk);
            if position.tokens >= end {
                return Ok(None);
            }
            let parts = self.next_parts(position)?;
            let from = position.tokens;
            position.batch += 1;
            position.molecules += parts.iter().map(|part| part.shown.ids.size()[0] as u64).sum::<u64>();
            position.tokens += parts.iter().map(|part| part.shown.tokens).sum::<u64>();
            let rate = if on_branch {
                self.schedule.branch_rate(index, from, position.tokens)
            } else {
                self.schedule.trunk_rate(from, position.tokens)
            };
            if parts.iter().all(|part| part.predicted() == 0) {
                continue;
            }
            let outcome = self.stepper.step(&parts, rate)?;
            let Outcome::Done(loss) = outcome else { return Ok(divergence::of_step(outcome, position.step + 1)) };
            position.losses.push(loss);
            position.rate = rate;
            position.step += 1;
            self.tell(position, loss);
            if states.due() {
                match &at.branch {
                    Some(branch) => states.save_branch(&self.stepper.optimizer, &at.trunk, branch)?,
                    None => states.save_trunk(&self.stepper.optimizer, &at.trunk)?,
                }
            }
        }
    }

    /// The next batch in the parts in which it goes through the model.
    fn next_parts(&mut self, position: &mut Position) -> Result<Vec<TargetBatch>> {
        let molecules = self.next_batch(position);
        let key = MaskKey { seed: self.mask_seed, draw: position.epoch };
        let part = molecules.len().div_ceil(self.spec.accumulate.max(1) as usize).max(1);
        let device = self.model.device();
        let parts = molecules.chunks(part);
        parts.map(|part| batching::with_targets(self.cache, part, &self.targets, key, device).rounded(ROUNDED)).collect()
    }

    fn next_batch(&mut self, position: &mut Position) -> Vec<u32> {
        loop {
            let current = self.epoch.as_ref().filter(|(epoch, _)| *epoch == position.epoch);
            let Some((_, batches)) = current else {
                let batches = order::epoch(&self.lengths, self.spec.batch as usize, self.spec.seed, position.epoch);
                self.epoch = Some((position.epoch, batches));
                continue;
            };
            if let Some(batch) = batches.get(position.batch) {
                return batch.clone();
            }
            position.epoch += 1;
            position.batch = 0;
        }
    }

    fn tell(&self, position: &Position, loss: f64) {
        let (done, all) = (self.done + position.tokens, self.schedule.work());
        self.reporter.report("pretrain", done.min(all), all, "tokens", || {
            let rate = done.saturating_sub(self.started_at) as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
            format!("loss {loss:.3}, {rate:.0} tokens/s")
        });
    }

    fn write(&self, position: &Position, index: u32, loss: f64) -> Result<CheckpointOutput> {
        let (inner, _) = self.model.counts();
        let untrained = self.spec.tokens == 0;
        // What was asked for: the overshoot, less than a batch, depends on the corpus and would make runs of one size
        // and budget differ in tokens and FLOPs by nothing but noise.
        let tokens = if untrained { 0 } else { self.schedule.target(index) };
        let row = CheckpointOutput {
            folder: format!("checkpoint-{index}"),
            step: position.step,
            tokens,
            annealed: untrained || self.schedule.annealed(index),
            last: untrained || index == self.schedule.checkpoints,
            learning_rate: position.rate.into(),
            training_loss: loss.into(),
            training_flops: (6.0 * inner as f64 * tokens as f64).into(),
            weights_digest: String::new(),
        };
        let tokenizer = std::fs::read(self.tokenizer).map_err(|error| io(self.tokenizer, "reading", &error))?;
        checkpoint::write(self.work, self.model, &tokenizer, checkpoint::Origin::Run(self.spec), row)
    }

    fn output(&self, checkpoints: Vec<CheckpointOutput>, molecules: u64, divergence: Option<String>) -> PretrainOutput {
        let (inner, all) = self.model.counts();
        let corpus = self.cache.len() as u64;
        PretrainOutput {
            non_embedding_parameters: inner,
            total_parameters: all,
            corpus_molecules: corpus,
            epochs: (molecules as f64 / corpus.max(1) as f64).into(),
            diverged: divergence.is_some(),
            divergence,
            checkpoints,
        }
    }
}
