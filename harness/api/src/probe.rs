//! What a metric may ask of a checkpoint. All calls are functional: no call changes the weights.

use abi_stable::{
    RRef, StableAbi, sabi_trait,
    std_types::{ROption, RResult, RStr, RString, RVec},
};

use crate::{Fault, RawTensor, Role};

/// Molecules that a loss is taken over.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SamplePart {
    /// The held-out sample: in no corpus subset, the same for all runs of a corpus.
    Heldout,
    /// The smallest training subset of the suite, which is part of every larger one.
    Train,
    /// The training molecules of the task that have a label, in a random order that is the same for all checkpoints (label-aware
    /// metrics only).
    Task,
}

/// Which molecules, under which masks.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Part.
    pub part: SamplePart,
    /// First molecule.
    pub start: u64,
    /// Number of molecules; 0 = all that follow.
    pub count: u64,
    /// Number of the mask draw: equal draws give equal masks for every checkpoint with the same tokenizer.
    pub draw: u64,
}

/// Whose labels a gradient is taken with.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// The tokens that stand in the molecules.
    Data,
    /// Tokens sampled from the model's own predictive distribution (Fisher).
    Sampled,
}

/// How a Hessian-vector product is computed.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub enum HvpMethod {
    /// Backward through the gradient (exact up to rounding).
    DoubleBackward,
    /// Central difference of gradients, in float32: within some 2e-4 of the exact product's length, for two gradients in flat
    /// directions and some more in sharp ones, where a first step is too long. For models that cannot be differentiated twice, and as
    /// an oracle; its last digits are rounding, which depends on the batches.
    FiniteDifference,
}

/// Loss of each molecule of a sample.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct LossRows {
    /// Sum of negative log likelihoods over the molecule's predicted tokens, in nats.
    pub nll: RVec<f64>,
    /// Number of the molecule's predicted tokens.
    pub tokens: RVec<u64>,
}

/// A row of the fixed parameter table: where a parameter lies in a flat [P] tensor.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct ParameterRow {
    /// Dotted name.
    pub name: RString,
    /// First index in [P]; -1 for parameters that get no gradient from the pretraining loss and are left out of P.
    pub offset: i64,
    /// Shape.
    pub shape: RVec<i64>,
    /// What it is.
    pub role: Role,
}

/// The calls that a metric may make. `delta`, where given, is a flat [P] tensor added to the weights for this call.
#[sabi_trait]
pub trait ProbeApi {
    /// The parameter table.
    fn parameters(&self) -> RResult<RVec<ParameterRow>, Fault>;

    /// The training record as JSON (`clmbench_protocol::RunFacts`).
    fn record(&self) -> RResult<RString, Fault>;

    /// Number of molecules in a part.
    fn molecules(&self, part: SamplePart) -> RResult<u64, Fault>;

    /// Loss of each molecule.
    fn loss(&self, sample: Sample, delta: ROption<RawTensor>) -> RResult<LossRows, Fault>;

    /// Gradient [P] of the mean loss per predicted token of the sample.
    fn grad(&self, sample: Sample, delta: ROption<RawTensor>, labels: Labels) -> RResult<RawTensor, Fault>;

    /// Hessian-vector products [k, P] of the same mean loss, for vectors [k, P].
    fn hvp(&self, sample: Sample, vectors: RawTensor, method: HvpMethod) -> RResult<RawTensor, Fault>;

    /// Mean-pooled embeddings [N, D] of molecules of a part.
    fn embed(&self, part: SamplePart, start: u64, count: u64) -> RResult<RawTensor, Fault>;

    /// Predictive distributions [M, V] at the masked positions of the sample.
    fn token_probs(&self, sample: Sample) -> RResult<RawTensor, Fault>;

    /// Labels [N] of the molecules of [`SamplePart::Task`], in their order (label-aware metrics only). None is missing.
    fn labels(&self) -> RResult<RawTensor, Fault>;

    /// Seed of the random stream with this label: a function of the cell's identity and the label.
    fn rng(&self, label: RStr<'_>) -> u64;

    /// Budget in gradient-equivalents over the whole held-out sample.
    fn budget(&self) -> f64;

    /// Tells the host how far the metric is.
    fn progress(&self, done: u64, total: u64, note: RStr<'_>);

    /// Whether the host asks the metric to stop.
    fn cancelled(&self) -> bool;

    /// A copy of the weights [P], in the order of the parameter table.
    fn weights(&self) -> RResult<RawTensor, Fault>;

    /// Number of predicted tokens of each molecule of the sample, without a pass through the model.
    fn predicted(&self, sample: Sample) -> RResult<RVec<u64>, Fault>;

    /// What the metric has spent so far, in gradient-equivalents over the whole held-out sample.
    fn spent(&self) -> RResult<f64, Fault>;

    /// The task that the metric is measured for, as JSON (`clmbench_protocol::TaskFacts`); label-aware metrics only.
    fn task(&self) -> RResult<RString, Fault>;

    /// Canonical SMILES of molecules of a part; `count` 0 = all that follow.
    fn smiles(&self, part: SamplePart, start: u64, count: u64) -> RResult<RVec<RString>, Fault>;

    /// Mean training loss per predicted token of every step of the run, in nats; metrics of a run only.
    fn history(&self) -> RResult<RVec<f64>, Fault>;

    /// Other weights that the metric may read, as JSON (a list of `clmbench_protocol::OtherWeights`): the checkpoints of the run in
    /// order of tokens (scope run), the other checkpoint (scope pair), the fine-tuned weights (scope transfer).
    fn others(&self) -> RResult<RString, Fault>;

    /// Weights [P] of one of them, in the order of the parameter table.
    #[sabi(last_prefix_field)]
    fn other_weights(&self, index: u64) -> RResult<RawTensor, Fault>;
}

/// A borrowed probe.
pub type ProbeRef<'a> = ProbeApi_TO<'a, RRef<'a, ()>>;
