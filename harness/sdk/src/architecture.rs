//! Architectures: what builds a model.

use abi_stable::{
    erased_types::TD_Opaque,
    std_types::{ROption, RResult, RString, RVec},
};
use clmbench_api::{AttentionMode, Fault, ModelBox, NamedTensor, RawTensor, Role, model::Model_TO};
use clmbench_protocol::{ArchitectureInfo, ImportedConfig};
use tch::Tensor;

use crate::{HubConfig, Params, PluginError, error::guard, tensor};

/// An architecture. One readable file: configuration, layers, forward; its header cites the paper.
pub trait Architecture {
    /// Name, objective, configuration keys, presets.
    fn info(&self) -> ArchitectureInfo;

    /// A model with freshly initialised weights. `config` holds every declared key. Weights are drawn from libtorch's
    /// global generator, which the host has seeded.
    ///
    /// # Errors
    /// When the configuration makes no sense (such as a width that the heads do not divide).
    ///
    /// Every tensor of the model is made by [`crate::init`]: the host also builds without storage, to learn names and shapes before it
    /// allocates anything for a checkpoint of others.
    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError>;

    /// Configuration for a `config.json` whose `model_type` is among those of [`clmbench_protocol::HubInfo`]. Whatever the model does not
    /// compute (another activation, an untied output) is refused here by its field, never passed over.
    ///
    /// # Errors
    /// [`PluginError::Input`] naming the field, what it is and what is needed. An architecture that says nothing reads no such checkpoint.
    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        let (own, theirs) = (self.info().name, config.text_or("model_type", "")?);
        Err(PluginError::Input(format!(
            "architecture `{own}` reads no checkpoints of others, such as this one of type `{theirs}`"
        )))
    }
}

/// A trainable parameter of a model.
#[derive(Debug)]
pub struct Parameter {
    /// Dotted name as in the architecture's published checkpoints.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// The tensor: a leaf that requires a gradient (unless its role is [`Role::Fixed`]) and shares its storage with the model's own.
    pub tensor: Tensor,
}

/// A model. Dropout is off: losses and curvature are functions of the weights alone.
///
/// It is built on the CPU. The host may move its parameters to another device afterwards; all other tensors of a call must
/// therefore be made on the device of its arguments.
pub trait Model: Send {
    /// Trainable parameters in a fixed order, a tied table once; and tensors of [`Role::Fixed`], which are saved and never trained.
    fn parameters(&self) -> Vec<Parameter>;

    /// Hidden states [B, L, D] for ids [B, L] (i64) and mask [B, L] (f32; 1 real, 0 padding).
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    fn hidden(&self, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError>;

    /// Logits [M, V] at `positions` [M] (i64, into the flattened [B * L]), or [B * L, V] without.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError>;

    /// `config.json` of the checkpoint folder in the Hugging Face layout.
    fn hub_config(&self) -> serde_json::Value;
}

struct Shim(Box<dyn Model>);

impl clmbench_api::Model for Shim {
    fn parameters(&self) -> RResult<RVec<NamedTensor>, Fault> {
        guard(|| {
            let rows = self.0.parameters().into_iter();
            Ok(rows.map(|row| NamedTensor { name: row.name.into(), role: row.role, tensor: tensor::give(row.tensor) }).collect())
        })
    }

    fn hidden(&self, ids: RawTensor, mask: RawTensor, mode: AttentionMode) -> RResult<RawTensor, Fault> {
        let (ids, mask) = (tensor::take(ids), tensor::take(mask));
        guard(|| self.0.hidden(&ids, &mask, mode).map(tensor::give))
    }

    fn logits(&self, hidden: RawTensor, positions: ROption<RawTensor>) -> RResult<RawTensor, Fault> {
        let (hidden, positions) = (tensor::take(hidden), positions.into_option().map(tensor::take));
        guard(|| self.0.logits(&hidden, positions.as_ref()).map(tensor::give))
    }

    fn hub_config(&self) -> RResult<RString, Fault> {
        guard(|| Ok(self.0.hub_config().to_string().into()))
    }
}

/// A model as it crosses the edge.
pub fn model_box(model: Box<dyn Model>) -> ModelBox {
    Model_TO::from_value(Shim(model), TD_Opaque)
}
