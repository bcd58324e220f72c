//! Checkpoints of closed form, on which a metric's tests measure it: exact answers instead of plausible ones.
//!
//! A [`TestProbe`] is the host's side of the probe over a [`TestModel`], in float64 and without a worker, corpus or tokenizer.
//! [`dense_hessian`] gives the whole Hessian of a small model, which is the oracle for every estimator of its parts.

use std::cell::Cell;
use std::ops::Range;

use abi_stable::{
    RRef,
    erased_types::TD_Opaque,
    std_types::{ROption, RResult, RStr, RString, RVec},
};
use clmbench_api::{
    Fault, HvpMethod, Labels, LossRows, ParameterRow, ProbeApi, RawTensor, Role, Sample, SamplePart, SourceBytes,
    probe::ProbeApi_TO,
};
use clmbench_protocol::{OtherWeights, RunFacts, TaskFacts, TaskInfo, TaskKind};
use tch::{Kind, Tensor};

use crate::{
    PluginError, Probe,
    error::guard,
    random::Stream,
    tensor::{give, take},
};

mod block;
pub mod golden;
mod nothing;
pub mod oracle;
mod quadratic;
mod softmax;

pub use block::Block;
pub use nothing::Nothing;
pub use quadratic::Quadratic;
pub use softmax::Softmax;

/// A model of closed form.
pub trait TestModel {
    /// Name, role and shape of each parameter, in the order in which they lie in [P].
    fn table(&self) -> Vec<(String, Role, Vec<i64>)>;

    /// The weights [P], float64.
    fn weights(&self) -> Tensor;

    /// Predicted tokens of each molecule, under every draw.
    fn tokens(&self) -> Vec<u64>;

    /// Negative log likelihood of each predicted token of these molecules [M], as a function of the weights [P]. With
    /// [`Labels::Sampled`], labels come from the model's own predictions and `stream`.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] for sampled labels of a model that is no distribution.
    fn losses(&self, weights: &Tensor, molecules: Range<u64>, labels: Labels, stream: &mut Stream)
    -> Result<Tensor, PluginError>;
}

/// A file as a dataset is handed it: `Files::new([source_file(USER_FILE, b"...")].as_slice().into())`.
pub fn source_file(name: &str, bytes: &[u8]) -> SourceBytes {
    SourceBytes { name: name.into(), bytes: bytes.into() }
}

/// The host's side of a probe on a test model. `Heldout` and `Train` are both all of its molecules.
pub struct TestProbe<'a> {
    model: &'a dyn TestModel,
    seed: u64,
    budget: f64,
    spent: Cell<f64>,
    given: Given,
}

/// What a probe has beside a model.
#[derive(Default)]
struct Given {
    record: Option<RunFacts>,
    embeddings: Option<Tensor>,
    labels: Option<(TaskFacts, Tensor)>,
    token_probs: Option<(Vec<u64>, Vec<Tensor>)>,
    smiles: Vec<String>,
    history: Vec<f64>,
    others: Vec<(OtherWeights, Tensor)>,
}

impl<'a> TestProbe<'a> {
    /// A probe whose random streams all come from this seed.
    pub fn new(model: &'a dyn TestModel, seed: u64, budget: f64) -> Self {
        Self { model, seed, budget, spent: Cell::new(0.0), given: Given::default() }
    }

    /// With a training record.
    pub fn with_record(mut self, record: RunFacts) -> Self {
        self.given.record = Some(record);
        self
    }

    /// With embeddings [N, D] of the molecules of every part.
    pub fn with_embeddings(mut self, embeddings: Tensor) -> Self {
        self.given.embeddings = Some(embeddings);
        self
    }

    /// With a task `test` of this kind, whose molecules are those of every part, and their labels [N].
    pub fn with_labels(mut self, kind: TaskKind, labels: Tensor) -> Self {
        let (unit, score) = (String::new(), String::new());
        let task = TaskFacts { dataset: "test".into(), task: TaskInfo { name: "test".into(), kind, unit, score } };
        self.given.labels = Some((task, labels));
        self
    }

    /// With predicted tokens of each molecule of every part, and their predictive distributions [M, V] by draw; draw k has the k-th,
    /// from the first again after the last. One pass over all molecules costs a third of a gradient.
    pub fn with_token_probs(mut self, tokens: Vec<u64>, draws: Vec<Tensor>) -> Self {
        self.given.token_probs = Some((tokens, draws));
        self
    }

    /// With SMILES of the molecules of every part.
    pub fn with_smiles(mut self, smiles: Vec<String>) -> Self {
        self.given.smiles = smiles;
        self
    }

    /// With training losses of the steps of the run.
    pub fn with_history(mut self, losses: Vec<f64>) -> Self {
        self.given.history = losses;
        self
    }

    /// With other weights [P], by name and group.
    pub fn with_others(mut self, others: Vec<(&str, &str, Tensor)>) -> Self {
        let named = |(name, group, weights): (&str, &str, Tensor)| {
            let (file, blake3) = (String::new(), String::new());
            (OtherWeights { name: name.into(), group: group.into(), file, blake3 }, weights)
        };
        self.given.others = others.into_iter().map(named).collect();
        self
    }

    /// Molecules of every part: those of the model, or, without any, of what was given.
    fn count(&self) -> u64 {
        let given = &self.given;
        let rows = |tensor: &Tensor| tensor.size()[0] as u64;
        let model = self.model.tokens().len() as u64;
        let tables = [given.embeddings.as_ref().map(rows), given.labels.as_ref().map(|(_, labels)| rows(labels))];
        if model > 0 { model } else { tables.into_iter().flatten().next().unwrap_or(given.smiles.len() as u64) }
    }

    /// The probe as a metric is given it.
    pub fn probe(&self) -> Probe<'_> {
        Probe::new(ProbeApi_TO::from_ptr(RRef::new(self), TD_Opaque))
    }

    fn range(&self, sample: Sample) -> Result<Range<u64>, PluginError> {
        if sample.part == SamplePart::Task && self.given.labels.is_none() {
            return Err(PluginError::Unsupported("this test probe has no task".into()));
        }
        let all = self.count();
        let end = if sample.count == 0 { all } else { sample.start.saturating_add(sample.count) };
        if sample.start >= end || end > all {
            return Err(PluginError::Input(format!("molecules {}..{end} of {all} are not there", sample.start)));
        }
        Ok(sample.start..end)
    }

    fn charge(&self, molecules: &Range<u64>, gradients: f64) {
        let share = (molecules.end - molecules.start) as f64 / self.model.tokens().len() as f64;
        self.spent.set(self.spent.get() + gradients * share);
    }

    /// Weights that require a gradient, and the loss of each token at them.
    fn losses(&self, sample: Sample, delta: Option<Tensor>, labels: Labels) -> Result<(Tensor, Tensor), PluginError> {
        let weights = self.model.weights();
        let weights = delta.map_or_else(|| weights.copy(), |delta| &weights + delta).detach().set_requires_grad(true);
        let mut stream = Stream::new(self.seed ^ Stream::new(sample.draw ^ sample.start << 32).bits());
        let losses = self.model.losses(&weights, self.range(sample)?, labels, &mut stream)?;
        Ok((weights, losses))
    }
}

impl ProbeApi for TestProbe<'_> {
    fn parameters(&self) -> RResult<RVec<ParameterRow>, Fault> {
        let mut offset = 0;
        let rows = self.model.table().into_iter().map(|(name, role, shape)| {
            let row = ParameterRow { name: name.into(), offset, shape: shape.clone().into(), role };
            offset += shape.iter().product::<i64>();
            row
        });
        RResult::ROk(rows.collect())
    }

    fn record(&self) -> RResult<RString, Fault> {
        self.given.record.as_ref().map_or_else(|| unsupported("record"), json)
    }

    fn molecules(&self, _part: SamplePart) -> RResult<u64, Fault> {
        RResult::ROk(self.count())
    }

    fn loss(&self, sample: Sample, delta: ROption<RawTensor>) -> RResult<LossRows, Fault> {
        let delta = delta.into_option().map(take);
        guard(|| {
            let molecules = self.range(sample)?;
            self.charge(&molecules, 1.0 / 3.0);
            let losses = Vec::<f64>::try_from(self.losses(sample, delta, Labels::Data)?.1.detach().contiguous())?;
            let tokens = self.model.tokens()[molecules.start as usize..molecules.end as usize].to_vec();
            let mut at = 0;
            let nll = tokens.iter().map(|count| {
                at += *count as usize;
                losses[at - *count as usize..at].iter().sum()
            });
            Ok(LossRows { nll: nll.collect(), tokens: tokens.clone().into() })
        })
    }

    fn grad(&self, sample: Sample, delta: ROption<RawTensor>, labels: Labels) -> RResult<RawTensor, Fault> {
        let delta = delta.into_option().map(take);
        guard(|| {
            self.charge(&self.range(sample)?, 1.0);
            let (weights, losses) = self.losses(sample, delta, labels)?;
            let mut gradients = Tensor::f_run_backward(&[losses.mean(Kind::Double)], &[weights], false, false)?;
            Ok(give(gradients.remove(0)))
        })
    }

    fn hvp(&self, sample: Sample, vectors: RawTensor, _method: HvpMethod) -> RResult<RawTensor, Fault> {
        let vectors = take(vectors);
        guard(|| {
            let count = vectors.size()[0];
            self.charge(&self.range(sample)?, 1.0 + 1.5 * count as f64);
            let (weights, losses) = self.losses(sample, None, Labels::Data)?;
            let mean = losses.mean(Kind::Double);
            let gradient = Tensor::f_run_backward(&[&mean], &[&weights], true, true)?.remove(0);
            let product = |row: i64| -> Result<Tensor, PluginError> {
                let slope = (&gradient * vectors.f_select(0, row)?).f_sum(Kind::Double)?;
                Ok(Tensor::f_run_backward(&[&slope], &[&weights], true, false)?.remove(0))
            };
            Ok(give(Tensor::f_stack(&(0..count).map(product).collect::<Result<Vec<_>, _>>()?, 0)?))
        })
    }

    fn embed(&self, part: SamplePart, start: u64, count: u64) -> RResult<RawTensor, Fault> {
        let Some(embeddings) = &self.given.embeddings else { return unsupported("embedding") };
        guard(|| {
            let chosen = self.range(Sample { part, start, count, draw: 0 })?;
            Ok(give(embeddings.f_narrow(0, chosen.start as i64, (chosen.end - chosen.start) as i64)?))
        })
    }

    fn token_probs(&self, sample: Sample) -> RResult<RawTensor, Fault> {
        let Some((tokens, draws)) = &self.given.token_probs else { return unsupported("predictive distribution") };
        guard(|| {
            let chosen = self.range(sample)?;
            let share = (chosen.end - chosen.start) as f64 / self.count() as f64;
            self.spent.set(self.spent.get() + share / 3.0);
            let rows = |molecules: &[u64]| molecules.iter().sum::<u64>() as i64;
            let (before, inside) = (&tokens[..chosen.start as usize], &tokens[chosen.start as usize..chosen.end as usize]);
            let draw = &draws[sample.draw as usize % draws.len()];
            Ok(give(draw.f_narrow(0, rows(before), rows(inside))?))
        })
    }

    fn labels(&self) -> RResult<RawTensor, Fault> {
        let Some((_, labels)) = &self.given.labels else { return unsupported("task label") };
        RResult::ROk(give(labels.shallow_clone()))
    }

    fn task(&self) -> RResult<RString, Fault> {
        let Some((task, _)) = &self.given.labels else { return unsupported("task") };
        json(task)
    }

    fn smiles(&self, part: SamplePart, start: u64, count: u64) -> RResult<RVec<RString>, Fault> {
        if self.given.smiles.is_empty() {
            return unsupported("SMILES");
        }
        guard(|| {
            let chosen = self.range(Sample { part, start, count, draw: 0 })?;
            let rows = self.given.smiles.get(chosen.start as usize..chosen.end as usize);
            let rows = rows.ok_or_else(|| PluginError::Input("fewer SMILES than molecules".into()))?;
            Ok(rows.iter().map(|smiles| RString::from(smiles.as_str())).collect())
        })
    }

    fn history(&self) -> RResult<RVec<f64>, Fault> {
        if self.given.history.is_empty() {
            return unsupported("training history");
        }
        RResult::ROk(self.given.history.clone().into())
    }

    fn others(&self) -> RResult<RString, Fault> {
        if self.given.others.is_empty() {
            return unsupported("other weights");
        }
        json(&self.given.others.iter().map(|(other, _)| other.clone()).collect::<Vec<_>>())
    }

    fn other_weights(&self, index: u64) -> RResult<RawTensor, Fault> {
        match self.given.others.get(index as usize) {
            Some((_, weights)) => RResult::ROk(give(weights.copy())),
            None => unsupported("other weights of this index"),
        }
    }

    fn rng(&self, label: RStr<'_>) -> u64 {
        let mix = |state: u64, byte: &u8| Stream::new(state ^ u64::from(*byte)).bits();
        label.as_bytes().iter().fold(Stream::new(self.seed).bits(), mix)
    }

    fn budget(&self) -> f64 {
        self.budget
    }

    fn progress(&self, _done: u64, _total: u64, _note: RStr<'_>) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn weights(&self) -> RResult<RawTensor, Fault> {
        RResult::ROk(give(self.model.weights().copy()))
    }

    fn predicted(&self, sample: Sample) -> RResult<RVec<u64>, Fault> {
        guard(|| {
            let molecules = self.range(sample)?;
            let given = self.given.token_probs.as_ref().map(|(tokens, _)| tokens.clone());
            Ok(given.unwrap_or_else(|| self.model.tokens())[molecules.start as usize..molecules.end as usize].to_vec().into())
        })
    }

    fn spent(&self) -> RResult<f64, Fault> {
        RResult::ROk(self.spent.get())
    }
}

fn json<T: serde::Serialize>(value: &T) -> RResult<RString, Fault> {
    guard(|| serde_json::to_string(value).map(Into::into).map_err(|error| PluginError::other(error.to_string())))
}

fn unsupported<T>(what: &str) -> RResult<T, Fault> {
    guard(|| Err(PluginError::Unsupported(format!("a test probe has no {what}"))))
}

/// The Hessian [P, P] of the mean loss of a sample, by one product with each unit vector: P products.
///
/// # Errors
/// As [`Probe::hvp`].
pub fn dense_hessian(probe: &Probe<'_>, sample: Sample) -> Result<Tensor, PluginError> {
    let weights = probe.weights()?;
    let rows = Tensor::f_eye(weights.numel() as i64, (weights.kind(), weights.device()))?;
    let products: Result<Vec<Tensor>, PluginError> =
        rows.f_split(64, 0)?.iter().map(|part| probe.hvp(sample, part, HvpMethod::DoubleBackward)).collect();
    Ok(Tensor::f_cat(&products?, 0)?)
}
