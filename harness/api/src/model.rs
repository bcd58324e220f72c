//! Models across the edge.

use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RResult, RString, RVec},
};

use crate::{Fault, RawTensor};

/// How attention is computed.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionMode {
    /// The fastest kernel; may have no second derivative.
    Fast,
    /// Plain matrix products, twice differentiable. Equal to `Fast` up to rounding.
    TwiceDifferentiable,
}

/// What a parameter is, for counting and for metrics that treat kinds of parameters apart.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Word, position or type embedding table: left out of the non-embedding count.
    Embedding,
    /// Matrix of a linear map.
    Weight,
    /// Bias vector.
    Bias,
    /// Gain or bias of a normalisation.
    Norm,
    /// Bias of the output vocabulary: left out of the non-embedding count.
    OutputBias,
    /// A tensor that is not trained, such as a table of random features: saved with the weights, but no parameter.
    Fixed,
}

/// Name and shape of a tensor that a model would have.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct NamedShape {
    /// Dotted name as in the architecture's published checkpoints.
    pub name: RString,
    /// What it is.
    pub role: Role,
    /// Lengths of its sides.
    pub shape: RVec<i64>,
}

/// A parameter of a model. The tensor shares its storage with the model's own.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct NamedTensor {
    /// Dotted name as in the architecture's published checkpoints.
    pub name: RString,
    /// What it is.
    pub role: Role,
    /// The tensor, a leaf that requires a gradient, unless its role is [`Role::Fixed`].
    pub tensor: RawTensor,
}

/// A model that a plugin built.
#[sabi_trait]
pub trait Model: Send {
    /// Its trainable parameters in a fixed order, a tied table once, and its fixed tensors.
    fn parameters(&self) -> RResult<RVec<NamedTensor>, Fault>;

    /// Hidden states [B, L, D] for ids [B, L] (i64) and mask [B, L] (1 real, 0 padding; f32).
    fn hidden(&self, ids: RawTensor, mask: RawTensor, mode: AttentionMode) -> RResult<RawTensor, Fault>;

    /// Logits [M, V] at `positions` [M] (i64, into the flattened [B * L]), or [B * L, V] without.
    fn logits(&self, hidden: RawTensor, positions: ROption<RawTensor>) -> RResult<RawTensor, Fault>;

    /// `config.json` of the checkpoint folder in the Hugging Face layout.
    #[sabi(last_prefix_field)]
    fn hub_config(&self) -> RResult<RString, Fault>;
}

/// An owned model.
pub type ModelBox = Model_TO<'static, RBox<()>>;
