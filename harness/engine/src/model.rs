//! A model that a plugin built, with its parameters at hand.

use std::path::Path;

use clmbench_api::{AttentionMode, ModelBox, NamedShape, PluginModuleRef, Role};
use clmbench_protocol::{Failure, FailureKind, ImportedConfig, Special};
use clmbench_sdk::tensor::{lend, take};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use crate::{
    device,
    failure::{OrFail, Result},
};

/// A trainable parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Dotted name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// The tensor, sharing storage with the model's own.
    pub tensor: Tensor,
}

/// What the tokenizer says of a model's shape.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Vocabulary {
    /// Rows V of the table of word embeddings.
    pub size: u64,
    /// Longest sequence that the model can take.
    pub max_tokens: u64,
    /// Ids of the special tokens.
    #[serde(default, skip_serializing_if = "is_ours")]
    pub special: Special,
    /// Largest id of the tokenizer, plus one, where the table of embeddings has more rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

fn is_ours(special: &Special) -> bool {
    *special == Special::default()
}

impl Vocabulary {
    /// That of our own tokenizer with so many entries.
    pub fn new(size: u64, max_tokens: u64) -> Self {
        Self { size, max_tokens, special: Special::default(), entries: None }
    }

    /// Largest id of the tokenizer, plus one.
    pub fn entries(&self) -> u64 {
        self.entries.unwrap_or(self.size)
    }
}

/// A model with its parameters.
pub struct Model {
    inner: ModelBox,
    /// Trainable parameters in the model's order.
    pub parameters: Vec<Parameter>,
    /// Tensors that are saved with the weights and never trained.
    pub fixed: Vec<Parameter>,
    /// Entries of the vocabulary.
    pub vocabulary: Vocabulary,
    /// Whether weights that logits need are random because the checkpoint's files lacked them.
    pub head_is_random: bool,
    device: Device,
}

impl Model {
    /// Builds a model with fresh weights from libtorch's global generator, on the CPU, and moves it to the device of the cell.
    ///
    /// # Errors
    /// What the plugin refuses; [`FailureKind::WrongShape`] for parameters that break the contract.
    pub fn build(
        module: PluginModuleRef,
        architecture: &str,
        config: &Map<String, Value>,
        vocabulary: Vocabulary,
    ) -> Result<Self> {
        let json = whole(config, (vocabulary.size, vocabulary.max_tokens));
        let inner = module.new_model()(architecture.into(), json.as_str().into()).or_fail()?;
        Self::from_box(inner, vocabulary)
    }

    /// Wraps a model and moves its parameters to the device of the cell ([`device::current`]).
    ///
    /// # Errors
    /// [`FailureKind::WrongShape`] for parameters that break the contract.
    pub fn from_box(inner: ModelBox, vocabulary: Vocabulary) -> Result<Self> {
        let rows = inner.parameters().or_fail()?.into_iter();
        let mut all: Vec<Parameter> =
            rows.map(|row| Parameter { name: row.name.into(), role: row.role, tensor: take(row.tensor) }).collect();
        for (index, row) in all.iter().enumerate() {
            let refused = |what: &str| {
                Err(Failure::new(FailureKind::WrongShape, format!("parameter `{}` of the architecture {what}", row.name)))
            };
            if all[..index].iter().any(|earlier| earlier.name == row.name) {
                return refused("is listed twice");
            }
            if row.role == Role::Fixed && (row.tensor.kind() != Kind::Float || row.tensor.requires_grad()) {
                return refused("is fixed, but not a float32 tensor without a gradient");
            }
            if row.role != Role::Fixed && (row.tensor.kind() != Kind::Float || !row.tensor.requires_grad()) {
                return refused("is not a float32 tensor that requires a gradient");
            }
        }
        let device = device::current();
        for row in all.iter_mut().filter(|row| row.tensor.device() != device) {
            move_to(&mut row.tensor, device)?;
        }
        let (fixed, parameters) = all.into_iter().partition(|row| row.role == Role::Fixed);
        Ok(Self { inner, parameters, fixed, vocabulary, head_is_random: false, device })
    }

    /// Where the parameters lie, and so where ids, masks and positions have to be.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Hidden states [B, L, D].
    ///
    /// # Errors
    /// What the plugin refuses; [`FailureKind::WrongShape`] for another shape.
    pub fn hidden(&self, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Result<Tensor> {
        let hidden = take(self.inner.hidden(lend(ids), lend(mask), mode).or_fail()?);
        let (wanted, found) = (ids.size(), hidden.size());
        if found.len() != 3 || found[..2] != wanted[..] {
            let text = format!("the architecture gave hidden states of shape {found:?} for ids {wanted:?}; [B, L, D] is needed");
            return Err(Failure::new(FailureKind::WrongShape, text));
        }
        Ok(hidden)
    }

    /// Logits [M, V] at these positions of the flattened [B * L].
    ///
    /// # Errors
    /// What the plugin refuses; [`FailureKind::WrongShape`] for another shape.
    pub fn logits(&self, hidden: &Tensor, positions: &Tensor) -> Result<Tensor> {
        let logits = take(self.inner.logits(lend(hidden), Some(lend(positions)).into()).or_fail()?);
        let wanted = [positions.size()[0], self.vocabulary.size as i64];
        if logits.size() != wanted {
            let text = format!("the architecture gave logits of shape {:?}; {wanted:?} is needed", logits.size());
            return Err(Failure::new(FailureKind::WrongShape, text));
        }
        Ok(logits)
    }

    /// `config.json` in the Hugging Face layout.
    ///
    /// # Errors
    /// What the plugin refuses.
    pub fn hub_config(&self) -> Result<String> {
        Ok(self.inner.hub_config().or_fail()?.into())
    }

    /// Handles of all parameters.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.parameters.iter().map(|row| row.tensor.shallow_clone()).collect()
    }

    /// Everything that a file of weights holds: trainable parameters, then fixed tensors.
    pub fn saved(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().chain(&self.fixed)
    }

    /// Parameters without embeddings and output bias, and all of them; fixed tensors are none.
    pub fn counts(&self) -> (u64, u64) {
        self.counts_of(|_| true)
    }

    /// The same of the parameters with such names.
    pub fn counts_of(&self, counted: impl Fn(&str) -> bool) -> (u64, u64) {
        let all = || self.parameters.iter().filter(|row| counted(&row.name));
        let inner = all().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        (inner.map(|row| row.tensor.numel() as u64).sum(), all().map(|row| row.tensor.numel() as u64).sum())
    }

    /// BLAKE3 of all weights in memory, to tell whether somebody changed them.
    pub fn memory_digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for row in self.saved() {
            hasher.update(&crate::weights::bytes_of(&row.tensor));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Loads weights from a safetensors file with this digest.
    ///
    /// # Errors
    /// [`FailureKind::CorruptFile`] naming file and tensor.
    pub fn load(&self, path: &Path, digest: &str) -> Result<()> {
        let saved: Vec<&Parameter> = self.saved().collect();
        crate::weights::read_into(path, digest, &saved)
    }
}

/// A configuration as architectures get it: with the shape of the vocabulary, (rows of the table of word embeddings, longest sequence).
fn whole(config: &Map<String, Value>, (rows, longest): (u64, u64)) -> String {
    let mut config = config.clone();
    config.insert("vocab_size".into(), rows.into());
    config.insert("max_positions".into(), longest.into());
    Value::Object(config).to_string()
}

/// Names, roles and shapes of the tensors that a model of this configuration would have; nothing is allocated for them. `vocabulary` is
/// (rows of the table of word embeddings, longest sequence).
///
/// # Errors
/// What the plugin refuses.
pub fn shapes(
    module: PluginModuleRef,
    architecture: &str,
    config: &Map<String, Value>,
    vocabulary: (u64, u64),
) -> Result<Vec<NamedShape>> {
    let json = whole(config, vocabulary);
    module.shapes()(architecture.into(), json.as_str().into()).or_fail().map(Into::into)
}

/// What an architecture makes of a `config.json`.
///
/// # Errors
/// What the plugin refuses.
pub fn import_config(module: PluginModuleRef, architecture: &str, config: &Map<String, Value>) -> Result<ImportedConfig> {
    let json = Value::Object(config.clone()).to_string();
    let answer = module.import_config()(architecture.into(), json.as_str().into()).or_fail()?;
    serde_json::from_str(&answer).map_err(|error| {
        let text = format!("architecture `{architecture}` gave no configuration for config.json: {error}");
        Failure::new(FailureKind::PluginError, text)
    })
}

/// Moves the storage of a parameter. Every handle of it sees the move, also the model's own.
fn move_to(tensor: &mut Tensor, device: Device) -> Result<()> {
    let moved = tensor.detach().f_to_device(device).or_fail()?;
    put(tensor, &moved)
}

fn put(tensor: &mut Tensor, values: &Tensor) -> Result<()> {
    let _guard = tch::no_grad_guard();
    tensor.f_set_data(values).or_fail()
}

/// Gradients of a scalar with respect to these tensors; undefined for those that it does not depend on.
///
/// # Errors
/// [`FailureKind::PluginError`] for a loss that hangs on no weight: libtorch would fault on it.
pub fn backward(loss: &Tensor, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    if !loss.requires_grad() {
        let text = "the loss depends on no weight: the architecture's hidden or logits are cut off from its parameters";
        return Err(Failure::new(FailureKind::PluginError, text));
    }
    Tensor::f_run_backward(&[loss], tensors, false, false).or_fail()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tch::{Device, Tensor};

    use super::put;
    use crate::toy;

    #[test]
    fn every_handle_of_a_parameter_sees_that_its_storage_moved() {
        let mut tensor = Tensor::from_slice(&[1.0_f32, 2.0]).set_requires_grad(true);
        let other = tensor.shallow_clone();
        let elsewhere = Tensor::from_slice(&[3.0_f32, 4.0]);
        put(&mut tensor, &elsewhere).unwrap();
        assert_eq!(other.data_ptr(), elsewhere.data_ptr());
        assert!(other.requires_grad() && other.is_leaf());
        let gradients = Tensor::run_backward(&[(&other * &other).sum(tch::Kind::Float)], &[tensor], false, false);
        assert_eq!(Vec::<f32>::try_from(&gradients[0]).unwrap(), [6.0, 8.0]);
    }

    #[test]
    fn outside_of_cells_models_are_on_the_cpu() {
        let model = toy::model().unwrap();
        assert_eq!(model.device(), Device::Cpu);
        assert!(model.parameters.iter().all(|row| row.tensor.device() == Device::Cpu));
    }
}
