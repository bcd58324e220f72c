//! The probe's calls as they come over the edge.

use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};
use clmbench_api::{Fault, HvpMethod, Labels, LossRows, ParameterRow, ProbeApi, RawTensor, Sample, SamplePart};
use clmbench_sdk::{
    PluginError,
    error::guard,
    tensor::{give, take},
};
use tch::{Device, Tensor};

use super::ProbeHost;
use crate::{
    embed,
    failure::{OrFail, Result, to_plugin_error},
    report::Reporter,
};

/// Runs a call that may differentiate, whatever the metric has done to libtorch's gradient mode.
fn call<T>(body: impl FnOnce() -> Result<T>) -> RResult<T, Fault> {
    guard(|| tch::with_grad(body).map_err(to_plugin_error))
}

/// Tensors of metrics lie on the CPU, whatever the device of the model.
fn tensor(body: impl FnOnce() -> Result<Tensor>) -> RResult<RawTensor, Fault> {
    call(|| body()?.f_to_device(Device::Cpu).or_fail().map(give))
}

impl ProbeApi for ProbeHost<'_> {
    fn parameters(&self) -> RResult<RVec<ParameterRow>, Fault> {
        call(|| self.table().map(Into::into))
    }

    fn record(&self) -> RResult<RString, Fault> {
        guard(|| serde_json::to_string(&self.facts).map(Into::into).map_err(|error| PluginError::other(error.to_string())))
    }

    fn molecules(&self, part: SamplePart) -> RResult<u64, Fault> {
        call(|| self.part(part).map(|(_, molecules)| molecules as u64))
    }

    fn loss(&self, sample: Sample, delta: ROption<RawTensor>) -> RResult<LossRows, Fault> {
        let delta = delta.into_option().map(take);
        call(|| self.shifted(delta, || self.loss_rows(sample)))
    }

    fn grad(&self, sample: Sample, delta: ROption<RawTensor>, labels: Labels) -> RResult<RawTensor, Fault> {
        let delta = delta.into_option().map(take);
        tensor(|| self.shifted(delta, || self.gradient(sample, labels)))
    }

    fn hvp(&self, sample: Sample, vectors: RawTensor, method: HvpMethod) -> RResult<RawTensor, Fault> {
        let vectors = take(vectors);
        tensor(|| self.hessian(sample, &vectors.f_to_device(self.model.device()).or_fail()?, method))
    }

    fn embed(&self, part: SamplePart, start: u64, count: u64) -> RResult<RawTensor, Fault> {
        tensor(|| {
            let chosen = self.chosen(part, start, count)?;
            let (cache, _) = self.part(part)?;
            let tokens = chosen.iter().map(|molecule| cache.get(*molecule as usize).len() as u64).sum();
            self.charge(tokens, 1.0 / 3.0);
            embed::pooled(self.model, cache, &chosen, &Reporter::silent())
        })
    }

    fn token_probs(&self, sample: Sample) -> RResult<RawTensor, Fault> {
        tensor(|| self.distributions(sample))
    }

    fn labels(&self) -> RResult<RawTensor, Fault> {
        guard(|| Err(PluginError::Unsupported("this host has no task labels for metrics yet".into())))
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

    fn weights(&self) -> RResult<RawTensor, Fault> {
        tensor(|| self.flat_weights())
    }

    fn predicted(&self, sample: Sample) -> RResult<RVec<u64>, Fault> {
        call(|| self.predicted_tokens(sample).map(Into::into))
    }

    fn spent(&self) -> RResult<f64, Fault> {
        RResult::ROk(self.cost())
    }

    fn task(&self) -> RResult<RString, Fault> {
        guard(|| Err(PluginError::Unsupported("this host has no tasks for metrics yet".into())))
    }

    fn smiles(&self, _part: SamplePart, _start: u64, _count: u64) -> RResult<RVec<RString>, Fault> {
        guard(|| Err(PluginError::Unsupported("this host has no SMILES for metrics yet".into())))
    }

    fn history(&self) -> RResult<RVec<f64>, Fault> {
        guard(|| Err(PluginError::Unsupported("this host has no training history for metrics yet".into())))
    }

    fn others(&self) -> RResult<RString, Fault> {
        guard(|| Err(PluginError::Unsupported("this host has no other weights for metrics yet".into())))
    }

    fn other_weights(&self, _index: u64) -> RResult<RawTensor, Fault> {
        guard(|| Err(PluginError::Unsupported("this host has no other weights for metrics yet".into())))
    }
}
