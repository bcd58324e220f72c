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
use tch::{Kind, Tensor};

use crate::{
    PluginError, Probe,
    error::guard,
    random::Stream,
    tensor::{give, take},
};

mod block;
mod quadratic;
mod softmax;

pub use block::Block;
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
}

impl<'a> TestProbe<'a> {
    /// A probe whose random streams all come from this seed.
    pub fn new(model: &'a dyn TestModel, seed: u64, budget: f64) -> Self {
        Self { model, seed, budget, spent: Cell::new(0.0) }
    }

    /// The probe as a metric is given it.
    pub fn probe(&self) -> Probe<'_> {
        Probe::new(ProbeApi_TO::from_ptr(RRef::new(self), TD_Opaque))
    }

    fn range(&self, sample: Sample) -> Result<Range<u64>, PluginError> {
        let all = self.model.tokens().len() as u64;
        let end = if sample.count == 0 { all } else { sample.start.saturating_add(sample.count) };
        if sample.part == SamplePart::Task || sample.start >= end || end > all {
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
        unsupported("record")
    }

    fn molecules(&self, _part: SamplePart) -> RResult<u64, Fault> {
        RResult::ROk(self.model.tokens().len() as u64)
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

    fn embed(&self, _part: SamplePart, _start: u64, _count: u64) -> RResult<RawTensor, Fault> {
        unsupported("embedding")
    }

    fn token_probs(&self, _sample: Sample) -> RResult<RawTensor, Fault> {
        unsupported("predictive distribution")
    }

    fn labels(&self) -> RResult<RawTensor, Fault> {
        unsupported("task label")
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
            Ok(self.model.tokens()[molecules.start as usize..molecules.end as usize].to_vec().into())
        })
    }

    fn spent(&self) -> RResult<f64, Fault> {
        RResult::ROk(self.spent.get())
    }
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
