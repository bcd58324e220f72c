//! The probe: what a metric may ask of a checkpoint.

use abi_stable::std_types::{ROption, RStr};
use clmbench_api::{HvpMethod, Labels, ParameterRow, ProbeRef, SamplePart};
use clmbench_protocol::{OtherWeights, RunFacts, TaskFacts};
use tch::Tensor;

use crate::{PluginError, tensor};

pub use clmbench_api::Sample;

/// Loss of each molecule of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct LossRows {
    /// Sum of negative log likelihoods over the molecule's predicted tokens, in nats.
    pub nll: Vec<f64>,
    /// Number of the molecule's predicted tokens.
    pub tokens: Vec<f64>,
}

/// What a metric may ask of a checkpoint. Functional: no call changes the weights. Where a `delta` [P] is taken, it is
/// added to the weights for that call alone.
pub struct Probe<'a>(ProbeRef<'a>);

impl<'a> Probe<'a> {
    /// From the edge.
    pub fn new(inner: ProbeRef<'a>) -> Self {
        Self(inner)
    }

    /// The parameter table: where each parameter lies in a flat [P] tensor; a tied table once; offset -1 for
    /// parameters that get no gradient from the pretraining loss and are left out of P.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn parameters(&self) -> Result<Vec<ParameterRow>, PluginError> {
        Ok(self.0.parameters().into_result()?.into_vec())
    }

    /// Facts of the run up to this checkpoint.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn record(&self) -> Result<RunFacts, PluginError> {
        read(&self.0.record().into_result()?, "the training record")
    }

    /// Number of molecules in a part.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn molecules(&self, part: SamplePart) -> Result<u64, PluginError> {
        Ok(self.0.molecules(part).into_result()?)
    }

    /// Loss of each molecule of the sample under the masks of its draw.
    ///
    /// # Errors
    /// When `delta` is not of shape [P], the sample is out of range, or the host asks to stop.
    pub fn loss(&self, sample: Sample, delta: Option<&Tensor>) -> Result<LossRows, PluginError> {
        let rows = self.0.loss(sample, lend(delta)).into_result()?;
        Ok(LossRows { nll: rows.nll.into_vec(), tokens: rows.tokens.iter().map(|count| *count as f64).collect() })
    }

    /// Gradient [P] of the mean loss per predicted token.
    ///
    /// # Errors
    /// As [`Probe::loss`].
    pub fn grad(&self, sample: Sample, delta: Option<&Tensor>, labels: Labels) -> Result<Tensor, PluginError> {
        Ok(tensor::take(self.0.grad(sample, lend(delta), labels).into_result()?))
    }

    /// Hessian-vector products [k, P] of the mean loss per predicted token, for vectors [k, P].
    ///
    /// # Errors
    /// As [`Probe::loss`]; [`PluginError::Unsupported`] where the host has none.
    pub fn hvp(&self, sample: Sample, vectors: &Tensor, method: HvpMethod) -> Result<Tensor, PluginError> {
        Ok(tensor::take(self.0.hvp(sample, tensor::lend(vectors), method).into_result()?))
    }

    /// Mean-pooled embeddings [N, D] of molecules of a part; `count` 0 = all that follow.
    ///
    /// # Errors
    /// As [`Probe::loss`].
    pub fn embed(&self, part: SamplePart, start: u64, count: u64) -> Result<Tensor, PluginError> {
        Ok(tensor::take(self.0.embed(part, start, count).into_result()?))
    }

    /// Predictive distributions [M, V] at the masked positions of the sample.
    ///
    /// # Errors
    /// As [`Probe::loss`]; [`PluginError::Unsupported`] where the host has none.
    pub fn token_probs(&self, sample: Sample) -> Result<Tensor, PluginError> {
        Ok(tensor::take(self.0.token_probs(sample).into_result()?))
    }

    /// Labels [N] of the molecules of [`SamplePart::Task`], in their order: training molecules that have a label.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] unless the metric declares a label-aware scope.
    pub fn labels(&self) -> Result<Tensor, PluginError> {
        Ok(tensor::take(self.0.labels().into_result()?))
    }

    /// Seed of the random stream with this label: a function of the cell's identity and the label.
    pub fn rng(&self, label: &str) -> u64 {
        self.0.rng(RStr::from(label))
    }

    /// Budget in gradient-equivalents over the whole held-out sample.
    pub fn budget(&self) -> f64 {
        self.0.budget()
    }

    /// A copy of the weights [P], in the order of the parameter table.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn weights(&self) -> Result<Tensor, PluginError> {
        Ok(tensor::take(self.0.weights().into_result()?))
    }

    /// Number of predicted tokens of each molecule of the sample; costs no pass through the model.
    ///
    /// # Errors
    /// As [`Probe::loss`].
    pub fn predicted(&self, sample: Sample) -> Result<Vec<f64>, PluginError> {
        Ok(self.0.predicted(sample).into_result()?.iter().map(|count| *count as f64).collect())
    }

    /// What has been spent so far, in gradient-equivalents over the whole held-out sample.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub fn spent(&self) -> Result<f64, PluginError> {
        Ok(self.0.spent().into_result()?)
    }

    /// The task that the metric is measured for.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] unless the metric declares a label-aware scope.
    pub fn task(&self) -> Result<TaskFacts, PluginError> {
        read(&self.0.task().into_result()?, "the task")
    }

    /// Canonical SMILES of molecules of a part; `count` 0 = all that follow.
    ///
    /// # Errors
    /// As [`Probe::loss`]; [`PluginError::Unsupported`] where the host has none.
    pub fn smiles(&self, part: SamplePart, start: u64, count: u64) -> Result<Vec<String>, PluginError> {
        Ok(self.0.smiles(part, start, count).into_result()?.into_iter().map(Into::into).collect())
    }

    /// Mean training loss per predicted token of every step of the run, in nats.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] unless the metric is of a run.
    pub fn history(&self) -> Result<Vec<f64>, PluginError> {
        Ok(self.0.history().into_result()?.into_vec())
    }

    /// Other weights that the metric may read: the checkpoints of the run in order of tokens (scope run), the other checkpoint
    /// (scope pair), the fine-tuned weights of this checkpoint (scope transfer).
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] for other scopes.
    pub fn others(&self) -> Result<Vec<OtherWeights>, PluginError> {
        read(&self.0.others().into_result()?, "the list of other weights")
    }

    /// Weights [P] of the index-th of [`Probe::others`], in the order of the parameter table.
    ///
    /// # Errors
    /// An index that is not there; weights of another geometry.
    pub fn other_weights(&self, index: usize) -> Result<Tensor, PluginError> {
        Ok(tensor::take(self.0.other_weights(index as u64).into_result()?))
    }

    /// Tells the host how far the metric is.
    ///
    /// # Errors
    /// [`PluginError::Cancelled`] when the host asks to stop: pass it on with `?`.
    pub fn progress(&self, done: u64, total: u64, note: &str) -> Result<(), PluginError> {
        self.0.progress(done, total, RStr::from(note));
        if self.0.cancelled() { Err(PluginError::Cancelled) } else { Ok(()) }
    }
}

fn lend(delta: Option<&Tensor>) -> ROption<clmbench_api::RawTensor> {
    delta.map(tensor::lend).into()
}

fn read<T: serde::de::DeserializeOwned>(json: &str, what: &str) -> Result<T, PluginError> {
    serde_json::from_str(json).map_err(|error| PluginError::other(format!("{what} cannot be read: {error}")))
}
