//! The host's side of the probe: losses, gradients and embeddings of one checkpoint, without ever leaving the weights changed.

use std::{
    cell::{Cell, RefCell},
    path::Path,
};

use abi_stable::{
    RRef,
    erased_types::TD_Opaque,
    std_types::{ROption, RResult, RStr, RString, RVec},
};
use clmbench_api::{
    AttentionMode, Fault, HvpMethod, Labels, LossRows, ParameterRow, ProbeApi, ProbeRef, RawTensor, Sample, SamplePart,
    probe::ProbeApi_TO,
};
use clmbench_molecules::TokenCache;
use clmbench_protocol::{Budget, Failure, FailureKind, RunFacts};
use clmbench_sdk::{
    PluginError,
    error::guard,
    tensor::{give, take},
};
use tch::{Device, Kind, Reduction, Tensor};

use crate::{
    batching::{self, TargetBatch, Targets},
    embed::{self, BATCH_TOKENS},
    failure::{OrFail, Result, to_plugin_error},
    masking::{MaskKey, Masking},
    model::{Model, backward},
    order,
    report::Reporter,
};

/// Share of tokens to predict in evaluation.
const MASK_RATIO: f64 = 0.15;

/// What a probe is made of.
pub struct ProbeHost<'a> {
    model: &'a Model,
    heldout: TokenCache,
    facts: RunFacts,
    identity: String,
    mask_seed: u64,
    budget: Budget,
    reporter: &'a Reporter,
    told: Cell<Option<(u64, u64)>>,
    with_gradient: RefCell<Option<Vec<bool>>>,
    cost: Cell<f64>,
    note: &'a str,
}

/// What identifies the measurement.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
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

impl<'a> ProbeHost<'a> {
    /// A probe of the model on the samples in the folder of a corpus cell.
    ///
    /// # Errors
    /// Unreadable inputs.
    pub fn new(model: &'a Model, corpus: &Path, setting: Setting<'a>, reporter: &'a Reporter) -> Result<Self> {
        Ok(Self {
            model,
            heldout: TokenCache::open(&corpus.join("heldout.bin")).or_fail()?,
            facts: setting.facts,
            identity: setting.identity.into(),
            mask_seed: crate::seed::derive("evaluation masks", &[&setting.seed.to_le_bytes()]),
            budget: setting.budget,
            reporter,
            told: Cell::new(None),
            with_gradient: RefCell::new(None),
            cost: Cell::new(0.0),
            note: setting.note,
        })
    }

    /// The probe as it crosses the edge.
    pub fn edge(&self) -> ProbeRef<'_> {
        ProbeApi_TO::from_ptr(RRef::new(self), TD_Opaque)
    }

    /// Cost so far in gradient-equivalents over the held-out sample (a forward pass is a third of a gradient).
    pub fn cost(&self) -> f64 {
        self.cost.get()
    }

    /// Digest of the held-out sample's tokens.
    pub fn heldout_digest(&self) -> &str {
        self.heldout.digest()
    }

    fn cache(&self, part: SamplePart) -> Result<&TokenCache> {
        match part {
            SamplePart::Heldout => Ok(&self.heldout),
            SamplePart::Train | SamplePart::Task => {
                Err(Failure::new(FailureKind::Unsupported, format!("this host offers the held-out sample only, not {part:?}")))
            }
        }
    }

    fn chosen(&self, part: SamplePart, start: u64, count: u64) -> Result<Vec<u32>> {
        let all = self.cache(part)?.len() as u64;
        let end = if count == 0 { all } else { start.saturating_add(count) };
        if start >= all || end > all {
            let text = format!("molecules {start}..{end} of a part that has {all}; ask molecules() first");
            return Err(Failure::new(FailureKind::BadInput, text));
        }
        Ok((start as u32..end as u32).collect())
    }

    fn batches(&self, sample: Sample) -> Result<(Vec<u32>, Vec<Vec<u32>>)> {
        let chosen = self.chosen(sample.part, sample.start, sample.count)?;
        let cache = self.cache(sample.part)?;
        let lengths: Vec<usize> = chosen.iter().map(|molecule| cache.get(*molecule as usize).len()).collect();
        Ok((chosen, order::by_length(&lengths, BATCH_TOKENS)))
    }

    fn masked(&self, sample: Sample, molecules: &[u32]) -> Result<TargetBatch> {
        let cache = self.cache(sample.part)?;
        let targets = Targets::Masked(Masking { ratio: MASK_RATIO, vocabulary: self.model.vocabulary.size });
        let key = MaskKey { seed: self.mask_seed, draw: sample.draw };
        Ok(batching::with_targets(cache, molecules, &targets, key, self.model.device()))
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

    /// Negative log likelihood of each predicted token, [M].
    fn nll(&self, batch: &TargetBatch, mode: AttentionMode) -> Result<Tensor> {
        let hidden = self.model.hidden(&batch.shown.ids, &batch.shown.mask, mode)?;
        let logits = self.model.logits(&hidden, &batch.positions)?;
        logits.f_cross_entropy_loss(&batch.targets, None::<Tensor>, Reduction::None, -100, 0.0).or_fail()
    }

    fn loss_rows(&self, sample: Sample) -> Result<LossRows> {
        let _guard = tch::no_grad_guard();
        let (chosen, batches) = self.batches(sample)?;
        let (mut nll, mut tokens) = (vec![0.0; chosen.len()], vec![0_u64; chosen.len()]);
        let mut done = 0_usize;
        for members in batches {
            let molecules: Vec<u32> = members.iter().map(|index| chosen[*index as usize]).collect();
            let batch = self.masked(sample, &molecules)?;
            if !batch.rows.is_empty() {
                let values = Vec::<f32>::try_from(self.nll(&batch, AttentionMode::Fast)?.contiguous()).or_fail()?;
                for (row, value) in batch.rows.iter().zip(values) {
                    let index = members[*row as usize] as usize;
                    nll[index] += f64::from(value);
                    tokens[index] += 1;
                }
            }
            self.charge(batch.shown.tokens, 1.0 / 3.0);
            done += members.len();
            self.tell(done as f64 / chosen.len() as f64);
        }
        Ok(LossRows { nll: nll.into(), tokens: tokens.into() })
    }

    /// Which parameters get a gradient from the pretraining loss.
    fn reached(&self) -> Result<Vec<bool>> {
        if let Some(known) = self.with_gradient.borrow().as_ref() {
            return Ok(known.clone());
        }
        let sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };
        let count = self.heldout.len().min(8) as u32;
        let batch = self.masked(sample, &(0..count).collect::<Vec<_>>())?;
        let sum = self.nll(&batch, AttentionMode::Fast)?.sum(Kind::Float);
        let gradients = backward(&sum, &self.model.tensors())?;
        let reached: Vec<bool> = gradients.iter().map(Tensor::defined).collect();
        *self.with_gradient.borrow_mut() = Some(reached.clone());
        Ok(reached)
    }

    fn table(&self) -> Result<Vec<ParameterRow>> {
        let mut offset = 0;
        let rows = self.model.parameters.iter().zip(self.reached()?).map(|(row, reached)| {
            let at = if reached { offset } else { -1 };
            offset += if reached { row.tensor.numel() as i64 } else { 0 };
            ParameterRow { name: row.name.as_str().into(), offset: at, shape: row.tensor.size().into(), role: row.role }
        });
        Ok(rows.collect())
    }

    /// The parameters that make up P.
    fn weights(&self) -> Result<Vec<Tensor>> {
        let pairs = self.model.tensors().into_iter().zip(self.reached()?);
        Ok(pairs.filter(|(_, reached)| *reached).map(|(tensor, _)| tensor).collect())
    }

    fn gradient(&self, sample: Sample) -> Result<Tensor> {
        let tensors = self.weights()?;
        let (chosen, batches) = self.batches(sample)?;
        let mut sums: Vec<Tensor> = tensors.iter().map(|tensor| tensor.detach().zeros_like()).collect();
        let mut predicted = 0_usize;
        for members in batches {
            let molecules: Vec<u32> = members.iter().map(|index| chosen[*index as usize]).collect();
            let batch = self.masked(sample, &molecules)?;
            self.charge(batch.shown.tokens, 1.0);
            if batch.rows.is_empty() {
                continue;
            }
            predicted += batch.rows.len();
            let total = self.nll(&batch, AttentionMode::Fast)?.sum(Kind::Float);
            let gradients = backward(&total, &tensors)?;
            let _guard = tch::no_grad_guard();
            for (sum, gradient) in sums.iter_mut().zip(&gradients) {
                *sum += gradient;
            }
        }
        let flat: Vec<Tensor> = sums.iter().map(|sum| sum.flatten(0, -1)).collect();
        Ok(Tensor::f_cat(&flat, 0).or_fail()? / (predicted.max(1) as f64))
    }

    /// Hessian-vector products by backward through the gradient, [k, P].
    fn products(&self, sample: Sample, vectors: &Tensor) -> Result<Tensor> {
        let tensors = self.weights()?;
        let (chosen, batches) = self.batches(sample)?;
        let sums = vectors.zeros_like();
        let mut predicted = 0_usize;
        for members in batches {
            let molecules: Vec<u32> = members.iter().map(|index| chosen[*index as usize]).collect();
            let batch = self.masked(sample, &molecules)?;
            // A product costs about one and a half gradients beyond the gradient that they share (measured: 2.4 in all).
            self.charge(batch.shown.tokens, 1.0 + 1.5 * vectors.size()[0] as f64);
            if batch.rows.is_empty() {
                continue;
            }
            predicted += batch.rows.len();
            let total = self.nll(&batch, AttentionMode::TwiceDifferentiable)?.sum(Kind::Float);
            let gradients = Tensor::f_run_backward(&[&total], &tensors, true, true).or_fail()?;
            let flat = Tensor::f_cat(&gradients.iter().map(|tensor| tensor.flatten(0, -1)).collect::<Vec<_>>(), 0).or_fail()?;
            for row in 0..vectors.size()[0] {
                let slope = (&flat * vectors.select(0, row)).sum(Kind::Float);
                let seconds = Tensor::f_run_backward(&[&slope], &tensors, true, false).or_fail()?;
                let _guard = tch::no_grad_guard();
                let parts = seconds.iter().zip(&tensors);
                let parts =
                    parts.map(|(part, like)| if part.defined() { part.flatten(0, -1) } else { like.zeros_like().flatten(0, -1) });
                let _ = sums.select(0, row).f_add_(&Tensor::f_cat(&parts.collect::<Vec<_>>(), 0).or_fail()?).or_fail()?;
            }
        }
        Ok(sums / predicted.max(1) as f64)
    }

    /// Hessian-vector products by central differences of the gradient, [k, P]; step `eps^(1/3) max(1, |w|) / |v|`.
    fn differences(&self, sample: Sample, vectors: &Tensor) -> Result<Tensor> {
        let squares =
            self.weights()?.iter().map(|tensor| tensor.detach().square().sum(Kind::Double).double_value(&[])).sum::<f64>();
        let mut rows = Vec::new();
        for row in 0..vectors.size()[0] {
            let vector = vectors.select(0, row);
            let norm = vector.square().sum(Kind::Double).double_value(&[]).sqrt();
            let step = f64::from(f32::EPSILON).cbrt() * squares.sqrt().max(1.0) / norm.max(f64::MIN_POSITIVE);
            let up = self.shifted(Some(&vector * step), || self.gradient(sample))?;
            let down = self.shifted(Some(&vector * -step), || self.gradient(sample))?;
            rows.push((up - down) / (2.0 * step));
        }
        Tensor::f_stack(&rows, 0).or_fail()
    }

    fn hessian(&self, sample: Sample, vectors: &Tensor, method: HvpMethod) -> Result<Tensor> {
        let all: i64 = self.weights()?.iter().map(|tensor| tensor.numel() as i64).sum();
        if vectors.dim() != 2 || vectors.size()[1] != all || vectors.size()[0] == 0 {
            let text = format!("vectors have shape {:?}; [k, {all}] with k > 0 is needed", vectors.size());
            return Err(Failure::new(FailureKind::WrongShape, text));
        }
        match method {
            HvpMethod::DoubleBackward => self.products(sample, vectors),
            HvpMethod::FiniteDifference => self.differences(sample, vectors),
        }
    }

    /// Runs the body with `delta` added to the weights, and puts the weights back bit for bit whatever happens.
    fn shifted<T>(&self, delta: Option<Tensor>, body: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(delta) = delta else { return body() };
        let reached = self.reached()?;
        let rows: Vec<&Tensor> =
            self.model.parameters.iter().zip(&reached).filter(|(_, r)| **r).map(|(row, _)| &row.tensor).collect();
        let all: i64 = rows.iter().map(|tensor| tensor.numel() as i64).sum();
        if delta.size() != [all] {
            let text = format!("delta has shape {:?}; [{all}] is needed", delta.size());
            return Err(Failure::new(FailureKind::WrongShape, text));
        }
        let _restore = Restore::new(&rows);
        {
            let _guard = tch::no_grad_guard();
            let mut offset = 0;
            for tensor in rows {
                let count = tensor.numel() as i64;
                let part = delta.f_narrow(0, offset, count).or_fail()?.f_view_as(tensor).or_fail()?;
                let part = part.f_to_device(tensor.device()).or_fail()?;
                let _ = tensor.shallow_clone().f_add_(&part).or_fail()?;
                offset += count;
            }
        }
        body()
    }
}

/// Puts weights back when dropped, also when a panic passes through.
struct Restore(Vec<(Tensor, Tensor)>);

impl Restore {
    fn new(rows: &[&Tensor]) -> Self {
        let _guard = tch::no_grad_guard();
        Self(rows.iter().map(|tensor| (tensor.shallow_clone(), tensor.detach().copy())).collect())
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        let _guard = tch::no_grad_guard();
        for (tensor, saved) in &mut self.0 {
            // A copy between equal shapes cannot fail; if it did, the host's check of the weights' digest tells.
            let _ = tensor.f_copy_(saved);
        }
    }
}

/// Tensors of metrics lie on the CPU, whatever the device of the model.
fn give_from_cpu(tensor: Tensor) -> RawTensor {
    give(tensor.to_device(Device::Cpu))
}

fn unsupported<T>(call: &str) -> RResult<T, Fault> {
    guard(|| Err(PluginError::Unsupported(format!("this host has no {call} yet"))))
}

impl ProbeApi for ProbeHost<'_> {
    fn parameters(&self) -> RResult<RVec<ParameterRow>, Fault> {
        guard(|| tch::with_grad(|| self.table()).map(Into::into).map_err(to_plugin_error))
    }

    fn record(&self) -> RResult<RString, Fault> {
        guard(|| serde_json::to_string(&self.facts).map(Into::into).map_err(|error| PluginError::other(error.to_string())))
    }

    fn molecules(&self, part: SamplePart) -> RResult<u64, Fault> {
        guard(|| self.cache(part).map(|cache| cache.len() as u64).map_err(to_plugin_error))
    }

    fn loss(&self, sample: Sample, delta: ROption<RawTensor>) -> RResult<LossRows, Fault> {
        let delta = delta.into_option().map(take);
        guard(|| tch::with_grad(|| self.shifted(delta, || self.loss_rows(sample))).map_err(to_plugin_error))
    }

    fn grad(&self, sample: Sample, delta: ROption<RawTensor>, labels: Labels) -> RResult<RawTensor, Fault> {
        let delta = delta.into_option().map(take);
        if labels == Labels::Sampled {
            return unsupported("gradient with sampled labels");
        }
        guard(|| tch::with_grad(|| self.shifted(delta, || self.gradient(sample))).map(give_from_cpu).map_err(to_plugin_error))
    }

    fn hvp(&self, sample: Sample, vectors: RawTensor, method: HvpMethod) -> RResult<RawTensor, Fault> {
        let vectors = take(vectors).to_device(self.model.device());
        guard(|| tch::with_grad(|| self.hessian(sample, &vectors, method)).map(give_from_cpu).map_err(to_plugin_error))
    }

    fn embed(&self, part: SamplePart, start: u64, count: u64) -> RResult<RawTensor, Fault> {
        guard(|| {
            let embedded = self.chosen(part, start, count).and_then(|chosen| {
                let cache = self.cache(part)?;
                let tokens = chosen.iter().map(|molecule| cache.get(*molecule as usize).len() as u64).sum();
                self.charge(tokens, 1.0 / 3.0);
                embed::pooled(self.model, cache, &chosen, &Reporter::silent())
            });
            embedded.map(give).map_err(to_plugin_error)
        })
    }

    fn token_probs(&self, _sample: Sample) -> RResult<RawTensor, Fault> {
        unsupported("predictive distribution")
    }

    fn labels(&self) -> RResult<RawTensor, Fault> {
        unsupported("task label for metrics")
    }

    fn rng(&self, label: RStr<'_>) -> u64 {
        crate::seed::derive("metric", &[self.identity.as_bytes(), label.as_bytes()])
    }

    fn budget(&self) -> f64 {
        self.budget.gradient_equivalents()
    }

    fn progress(&self, done: u64, total: u64, note: RStr<'_>) {
        self.told.set(Some((done, total)));
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let share = (done.min(total) * 100).checked_div(total).unwrap_or(0);
            self.reporter.report("measure", share, 100, "%", || format!("{}: {note}", self.note));
        }));
        // Progress that cannot be sent is no reason to stop a metric.
        drop(told);
    }

    fn cancelled(&self) -> bool {
        // The host stops a cell by ending its worker; the call is there for executors that cannot.
        false
    }
}
