//! The probe's calls as they come over the edge.

use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};
use clmbench_api::{Fault, HvpMethod, Labels, LossRows, ParameterRow, ProbeApi, RawTensor, Sample, SamplePart};
use clmbench_protocol::{Failure, FailureKind};
use clmbench_sdk::{
    PluginError,
    error::guard,
    tensor::{give, take},
};
use serde::Serialize;
use tch::{Device, Tensor};

use super::{ProbeHost, Read, task::TaskSample};
use crate::failure::{OrFail, Result, to_plugin_error};

impl ProbeHost<'_> {
    /// Runs a call that may differentiate, whatever the metric has done to libtorch's gradient mode.
    fn call<T>(&self, body: impl FnOnce() -> Result<T>) -> RResult<T, Fault> {
        guard(|| tch::with_grad(body).map_err(|failure| self.noted(failure)))
    }

    /// Tensors of metrics lie on the CPU, whatever the device of the model.
    fn tensor(&self, body: impl FnOnce() -> Result<Tensor>) -> RResult<RawTensor, Fault> {
        self.call(|| body()?.f_to_device(Device::Cpu).or_fail().map(give))
    }

    /// What the plugin is told; faults of files are kept for the cell, which they end.
    fn noted(&self, failure: Failure) -> PluginError {
        if matches!(failure.kind, FailureKind::CorruptFile | FailureKind::Io) {
            self.fault.borrow_mut().get_or_insert_with(|| failure.clone());
        }
        to_plugin_error(failure)
    }
}

fn json(value: &impl Serialize) -> Result<RString> {
    let text = serde_json::to_string(value).map(Into::into);
    text.map_err(|error| Failure::new(FailureKind::Protocol, format!("{error}; report this as a bug of clmbench")))
}

impl ProbeApi for ProbeHost<'_> {
    fn parameters(&self) -> RResult<RVec<ParameterRow>, Fault> {
        self.call(|| self.table().map(Into::into))
    }

    fn record(&self) -> RResult<RString, Fault> {
        self.call(|| json(&self.facts))
    }

    fn molecules(&self, part: SamplePart) -> RResult<u64, Fault> {
        self.call(|| self.part(part).map(|(_, molecules)| molecules as u64))
    }

    fn loss(&self, sample: Sample, delta: ROption<RawTensor>) -> RResult<LossRows, Fault> {
        let delta = delta.into_option().map(take);
        self.call(|| self.shifted(delta, || self.loss_rows(sample)))
    }

    fn grad(&self, sample: Sample, delta: ROption<RawTensor>, labels: Labels) -> RResult<RawTensor, Fault> {
        let delta = delta.into_option().map(take);
        self.tensor(|| self.shifted(delta, || self.gradient(sample, labels)))
    }

    fn hvp(&self, sample: Sample, vectors: RawTensor, method: HvpMethod) -> RResult<RawTensor, Fault> {
        let vectors = take(vectors);
        self.tensor(|| self.hessian(sample, &vectors.f_to_device(self.model.device()).or_fail()?, method))
    }

    fn embed(&self, part: SamplePart, start: u64, count: u64) -> RResult<RawTensor, Fault> {
        self.tensor(|| self.embeddings(part, start, count))
    }

    fn token_probs(&self, sample: Sample) -> RResult<RawTensor, Fault> {
        self.tensor(|| self.distributions(sample))
    }

    fn labels(&self) -> RResult<RawTensor, Fault> {
        self.note_read(Read::Labels);
        self.tensor(|| self.task_sample().map(TaskSample::labels))
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
        self.tensor(|| self.flat_weights())
    }

    fn predicted(&self, sample: Sample) -> RResult<RVec<u64>, Fault> {
        self.call(|| self.predicted_tokens(sample).map(Into::into))
    }

    fn spent(&self) -> RResult<f64, Fault> {
        RResult::ROk(self.cost())
    }

    fn task(&self) -> RResult<RString, Fault> {
        self.call(|| json(self.task_sample()?.facts()))
    }

    fn smiles(&self, part: SamplePart, start: u64, count: u64) -> RResult<RVec<RString>, Fault> {
        self.call(|| Ok(self.written(part, start, count)?.into_iter().map(Into::into).collect()))
    }

    fn history(&self) -> RResult<RVec<f64>, Fault> {
        self.call(|| self.losses().map(|losses| losses.to_vec().into()))
    }

    fn others(&self) -> RResult<RString, Fault> {
        self.call(|| json(&self.other_rows()?))
    }

    fn other_weights(&self, index: u64) -> RResult<RawTensor, Fault> {
        self.tensor(|| self.other_flat(index))
    }
}
