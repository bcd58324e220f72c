//! Pretraining: masked language modelling on a trunk at constant rate, with a cool-down branch to each checkpoint.
//!
//! Every number of it is a function of the cell's definition: order and masks come from keyed generators, the thread count
//! is part of the definition, and a run that goes on from saved state equals one that was never interrupted.

use std::{path::Path, time::Instant};

use clmbench_api::AttentionMode;
use clmbench_molecules::TokenCache;
use clmbench_protocol::{CheckpointOutput, Failure, FailureKind, Objective, Precision, Pretrain, PretrainOutput, ScheduleKind};
use clmbench_torch_ext::clip_gradients;
use tch::{Reduction, Tensor};

use crate::{
    batching::{self, Targets},
    checkpoint,
    failure::{OrFail, Result},
    masking::MaskKey,
    model::{Model, Vocabulary, backward},
    optimizer::AdamW,
    order,
    report::Reporter,
    schedule::TokenSchedule,
    seed,
    training_state::{self, Position},
};
use clmbench_api::PluginModuleRef;

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
    let known = spec.precision == Precision::Float32 && spec.schedule.kind == ScheduleKind::ConstantWithCooldown;
    if spec.objective != Objective::MaskedLm || !known {
        let text = format!(
            "{:?} in {:?} with schedule {:?}: only masked language modelling in float32 with constant_with_cooldown is trained so far",
            spec.objective, spec.precision, spec.schedule.kind
        );
        return Err(Failure::new(FailureKind::Unsupported, text));
    }
    if cache.is_empty() {
        return Err(Failure::new(FailureKind::BadInput, "the corpus subset holds no molecule; ask for a larger size"));
    }
    let vocabulary = Vocabulary { size: cache.vocabulary_size() as u64, max_tokens: cache.max_tokens() as u64 };
    seed::seed_libtorch(seed::derive("initial weights", &[&spec.seed.to_le_bytes()]));
    let model = Model::build(module, &spec.architecture, &spec.config, vocabulary)?;
    Run::new(spec, &model, &cache, &tokenizer, folders.work, reporter).finish()
}

struct Run<'a> {
    spec: &'a Pretrain,
    model: &'a Model,
    cache: &'a TokenCache,
    tokenizer: &'a Path,
    work: &'a Path,
    reporter: &'a Reporter,
    optimizer: AdamW,
    schedule: TokenSchedule,
    targets: Targets,
    lengths: Vec<usize>,
    epoch: Option<(u64, Vec<Vec<u32>>)>,
    mask_seed: u64,
    weights: Vec<Tensor>,
    /// Tokens of finished cool-down branches, for progress.
    done: u64,
    started: Instant,
    started_at: u64,
}

/// What a step is for: the trunk, or the branch to a checkpoint.
#[derive(Clone, Copy)]
enum Leg {
    Trunk,
    Branch(u32),
}

impl<'a> Run<'a> {
    fn new(
        spec: &'a Pretrain,
        model: &'a Model,
        cache: &'a TokenCache,
        tokenizer: &'a Path,
        work: &'a Path,
        reporter: &'a Reporter,
    ) -> Self {
        Self {
            spec,
            model,
            cache,
            tokenizer,
            work,
            reporter,
            optimizer: AdamW::new(model.tensors(), (spec.betas.0.0, spec.betas.1.0), spec.weight_decay.0),
            schedule: TokenSchedule {
                peak: spec.learning_rate.0,
                total: spec.tokens,
                warmup: spec.schedule.warmup.0,
                cooldown: spec.schedule.cooldown.0,
                checkpoints: spec.checkpoints.max(1),
            },
            targets: Targets::new(spec.objective, spec.mask_ratio.0, cache.vocabulary_size() as u64),
            lengths: (0..cache.len()).map(|index| cache.get(index).len()).collect(),
            epoch: None,
            mask_seed: seed::derive("training masks", &[&spec.seed.to_le_bytes()]),
            weights: model.tensors(),
            done: 0,
            started: Instant::now(),
            started_at: 0,
        }
    }

    fn finish(mut self) -> Result<PretrainOutput> {
        if self.spec.tokens == 0 {
            training_state::tidy(self.work, None)?;
            let row = self.write(&Position::default(), 0, f64::NAN, 0.0)?;
            return Ok(self.output(vec![row], 0, false));
        }
        if let Some(record) = training_state::finished(self.work) {
            return Ok(record);
        }
        let saved = training_state::load(self.work, &mut self.optimizer)?;
        training_state::tidy(self.work, saved.as_ref())?;
        let mut position = saved.unwrap_or_default();
        self.done = (1..=position.checkpoints.len() as u32).map(|index| self.schedule.cooldown_tokens(index)).sum::<u64>();
        self.started_at = self.done + position.tokens;
        let mut molecules = position.molecules;
        let mut diverged = false;
        let mut losses = Vec::new();
        while (position.checkpoints.len() as u32) < self.schedule.checkpoints && !diverged {
            let index = position.checkpoints.len() as u32 + 1;
            diverged = !self.train_until(&mut position, Leg::Trunk, self.schedule.branch(index))?;
            molecules = position.molecules;
            losses.clone_from(&position.losses);
            if diverged {
                break;
            }
            let goes_on = index < self.schedule.checkpoints;
            let trunk = if goes_on { self.optimizer.snapshot() } else { Vec::new() };
            let mut branch = position.clone();
            diverged = !self.train_until(&mut branch, Leg::Branch(index), self.schedule.target(index))?;
            molecules = branch.molecules;
            losses.clone_from(&branch.losses);
            if diverged {
                break;
            }
            let tail = &branch.losses[branch.losses.len() - branch.losses.len().div_ceil(10)..];
            let loss = tail.iter().sum::<f64>() / tail.len() as f64;
            diverged = index == self.schedule.checkpoints && got_worse(&branch.losses);
            let row = self.write(&branch, index, loss, branch.rate)?;
            position.checkpoints.push(row);
            if goes_on {
                self.done += self.schedule.cooldown_tokens(index);
                self.optimizer.restore(&trunk)?;
                training_state::save(self.work, &self.optimizer, &position)?;
            }
        }
        let output = self.output(position.checkpoints, molecules, diverged);
        training_state::close(self.work, &output, &losses)?;
        Ok(output)
    }

    /// Steps until this many tokens; false when the loss is not finite any more.
    fn train_until(&mut self, position: &mut Position, leg: Leg, tokens: u64) -> Result<bool> {
        while position.tokens < tokens {
            let batch = self.next_batch(position);
            let batch = batching::with_targets(
                self.cache,
                &batch,
                &self.targets,
                MaskKey { seed: self.mask_seed, draw: position.epoch },
                self.model.device(),
            );
            position.batch += 1;
            position.molecules += batch.shown.ids.size()[0] as u64;
            let rate = match leg {
                Leg::Trunk => self.schedule.trunk_rate(position.tokens + batch.shown.tokens),
                Leg::Branch(index) => self.schedule.branch_rate(index, position.tokens),
            };
            position.tokens += batch.shown.tokens;
            if batch.targets.size()[0] > 0 {
                let loss = self.step(&batch, rate)?;
                if !loss.is_finite() {
                    return Ok(false);
                }
                position.losses.push(loss);
                position.rate = rate;
                position.step += 1;
                self.tell(position, loss);
            }
        }
        Ok(true)
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

    /// One optimiser step; returns the mean loss over the batch's predicted tokens, in nats.
    fn step(&mut self, batch: &batching::TargetBatch, rate: f64) -> Result<f64> {
        let hidden = self.model.hidden(&batch.shown.ids, &batch.shown.mask, AttentionMode::Fast)?;
        let logits = self.model.logits(&hidden, &batch.positions)?;
        let loss = logits.f_cross_entropy_loss(&batch.targets, None::<Tensor>, Reduction::Mean, -100, 0.0).or_fail()?;
        let value = loss.f_double_value(&[]).or_fail()?;
        if !value.is_finite() {
            return Ok(value);
        }
        let gradients = backward(&loss, &self.weights)?;
        let defined: Vec<Tensor> = gradients.iter().filter(|tensor| tensor.defined()).map(Tensor::shallow_clone).collect();
        let norm = {
            let _guard = tch::no_grad_guard();
            clip_gradients(&defined, self.spec.clip.0).or_fail()?
        };
        if !norm.is_finite() {
            return Ok(norm);
        }
        self.optimizer.step(&gradients, rate)?;
        Ok(value)
    }

    fn tell(&self, position: &Position, loss: f64) {
        let (done, all) = (self.done + position.tokens, self.schedule.work());
        self.reporter.report("pretrain", done.min(all), all, "tokens", || {
            let rate = done.saturating_sub(self.started_at) as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
            format!("loss {loss:.3}, {rate:.0} tokens/s")
        });
    }

    fn write(&self, position: &Position, index: u32, loss: f64, rate: f64) -> Result<CheckpointOutput> {
        let (inner, _) = self.model.counts();
        // What was asked for: the overshoot, less than a batch, depends on the corpus and would make runs of one size
        // and budget differ in tokens and FLOPs by nothing but noise.
        let tokens = if self.spec.tokens == 0 { 0 } else { self.schedule.target(index) };
        let row = CheckpointOutput {
            folder: format!("checkpoint-{index}"),
            step: position.step,
            tokens,
            annealed: true,
            last: index == self.schedule.checkpoints || self.spec.tokens == 0,
            learning_rate: rate.into(),
            training_loss: loss.into(),
            training_flops: (6.0 * inner as f64 * tokens as f64).into(),
            weights_digest: String::new(),
        };
        checkpoint::write(self.work, self.model, self.tokenizer, self.spec, row)
    }

    fn output(&self, checkpoints: Vec<CheckpointOutput>, molecules: u64, diverged: bool) -> PretrainOutput {
        let (inner, all) = self.model.counts();
        let corpus = self.cache.len() as u64;
        PretrainOutput {
            non_embedding_parameters: inner,
            total_parameters: all,
            corpus_molecules: corpus,
            epochs: (molecules as f64 / corpus.max(1) as f64).into(),
            diverged,
            divergence: None,
            checkpoints,
        }
    }
}

/// Whether the last tenth of the losses is on average above the first five: the written rule for a diverged run.
fn got_worse(losses: &[f64]) -> bool {
    let first = &losses[..losses.len().min(5)];
    let last = &losses[losses.len() - losses.len().div_ceil(10)..];
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    losses.len() >= 20 && mean(last) > mean(first)
}

#[cfg(test)]
mod tests {
    use super::got_worse;

    #[test]
    fn a_run_whose_loss_ends_above_its_start_has_diverged() {
        let rising: Vec<f64> = (0..50).map(|i| 2.0 + f64::from(i) * 0.1).collect();
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        assert!(got_worse(&rising) && !got_worse(&falling));
        assert!(!got_worse(&rising[..10]));
    }
}
