//! Golden files: what another implementation computes on small models with random weights, and how far a plugin is from it.
//!
//! `benchmarks/perf/peers/parity.py` makes them. A file holds `config` (the text of a `config.json`) in its metadata, the weights of the
//! model as `w.<name>` under their names in a checkpoint of others, and one case: `ids` [B, L] padded on the right, `mask` [B, L],
//! `positions` [M] of the flattened [B * L] and `targets` [M], `hidden` [B, L, D], `logits` [B, L, V], `loss` (mean cross-entropy of the
//! targets) and its gradients `g.<name>`. Outputs were computed in float64 on float32 weights.

use std::{collections::BTreeMap, io::Read, path::Path};

use clmbench_api::{AttentionMode, Role};
use clmbench_protocol::HubInfo;
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

use crate::{Architecture, HubConfig, Model, Params, PluginError, init};

mod names;

use names::place;

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// A gradient that is this small beside the largest of all is rounding of a zero, such as that of a key's bias, which moves all scores of
/// a query alike. It is compared with the largest.
const NOTHING: f64 = 1e-6;

/// Largest differences, relative to the largest entry of each tensor, at real tokens; infinite where a number is not finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// Of the last hidden states.
    pub hidden: f64,
    /// Of what comes after them; none for the case of a bare encoder.
    pub head: Option<HeadDifferences>,
}

/// See [`Differences`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadDifferences {
    /// Of the logits.
    pub logits: f64,
    /// Of the loss.
    pub loss: f64,
    /// Of the gradient that is furthest off.
    pub gradient: f64,
    /// Name of its parameter.
    pub furthest: String,
}

impl Differences {
    /// The largest of all.
    pub fn largest(&self) -> f64 {
        let head = self.head.iter().flat_map(|head| [head.logits, head.loss, head.gradient]);
        head.fold(self.hidden, f64::max)
    }
}

/// Tensors of a safetensors file, and the text `config` of its metadata.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<(Tensors, String), PluginError> {
    let fault = |error: &dyn std::fmt::Display| PluginError::Other(format!("{}: {error}", path.display()));
    let tensors = Tensor::read_safetensors(path)?.into_iter().collect();
    let mut file = std::fs::File::open(path).map_err(|error| fault(&error))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| fault(&error))?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(length)).read_to_end(&mut header).map_err(|error| fault(&error))?;
    let header: serde_json::Value = serde_json::from_slice(&header).map_err(|error| fault(&error))?;
    Ok((tensors, header["__metadata__"]["config"].as_str().unwrap_or_default().to_owned()))
}

/// Requires that an architecture computes what a golden file says, in both attention modes, each of hidden states, logits, loss and every
/// gradient within this relative difference. Its configuration is read by `import`, its weights are found by its `hub` rules.
///
/// # Panics
/// When it does not: for tests.
pub fn assert_golden(architecture: &dyn Architecture, path: impl AsRef<Path>, within: f64) {
    let path = path.as_ref();
    match golden(architecture, path) {
        Err(error) => panic!("{}: {error}", path.display()),
        Ok(found) => {
            for (mode, found) in found {
                assert!(found.largest() <= within, "{}, {mode:?}: {found:?} is beyond {within:e}", path.display());
            }
        }
    }
}

/// How far an architecture is from a golden file in each attention mode.
///
/// # Errors
/// When it reads the configuration or the weights otherwise than it declares, or refuses the case.
pub fn golden(architecture: &dyn Architecture, path: &Path) -> Result<Vec<(AttentionMode, Differences)>, PluginError> {
    let (tensors, config) = read(path)?;
    if !tensors.contains_key("logits") {
        return Err(PluginError::Other("the case has no `logits`".into()));
    }
    let model = imported(architecture, &config, &tensors)?;
    let hub = rules(architecture)?;
    let parameters: Vec<(String, Role, Tensor)> =
        model.parameters().into_iter().map(|row| (row.name, row.role, row.tensor)).collect();
    [AttentionMode::Fast, AttentionMode::TwiceDifferentiable]
        .into_iter()
        .map(|mode| {
            let hidden = |ids: &Tensor, mask: &Tensor| model.hidden(ids, mask, mode);
            let logits = |hidden: &Tensor, positions: Option<&Tensor>| model.logits(hidden, positions);
            Ok((mode, differences(&tensors, &hub, &parameters, hidden, logits)?))
        })
        .collect()
}

fn rules(architecture: &dyn Architecture) -> Result<HubInfo, PluginError> {
    let info = architecture.info();
    info.hub.ok_or_else(|| PluginError::Other(format!("architecture `{}` declares no `hub`", info.name)))
}

/// The model of a `config.json` with the weights `w.<name>`; also requires that a build without storage says the same names and shapes.
fn imported(architecture: &dyn Architecture, config: &str, tensors: &Tensors) -> Result<Box<dyn Model>, PluginError> {
    let hub = rules(architecture)?;
    let read = architecture.import(&HubConfig::parse(config)?)?;
    let declared = architecture.info().parameters;
    if let Some(key) = read.config.keys().find(|key| declared.iter().all(|parameter| parameter.name != **key)) {
        return Err(PluginError::Other(format!("`import` gives `{key}`, which `info` does not declare")));
    }
    let mut config = read.config;
    config.insert("vocab_size".into(), read.vocab_size.into());
    config.insert("max_positions".into(), read.max_positions.into());
    let config = Params::from(config);
    let model = architecture.build(&config)?;
    let parameters = model.parameters();
    let dry = init::without_storage(|| architecture.build(&config))?.parameters();
    for (full, dry) in parameters.iter().zip(&dry) {
        if (&full.name, full.role, full.tensor.size()) != (&dry.name, dry.role, dry.tensor.size()) {
            return Err(PluginError::Other(format!("built without storage, `{}` is another tensor", full.name)));
        }
    }
    let mut missing: BTreeMap<&str, &Tensor> = parameters.iter().map(|row| (row.name.as_str(), &row.tensor)).collect();
    let names: Vec<&str> = parameters.iter().map(|row| row.name.as_str()).collect();
    for (name, weight) in tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix("w.")?, tensor))) {
        let Some(place) = place(&hub, &names, name)? else { continue };
        let Some(tensor) = missing.remove(place) else { continue };
        if tensor.size() != weight.size() {
            let (here, there) = (tensor.size(), weight.size());
            return Err(PluginError::Shape(format!("`{name}` has shape {there:?}, the model's {here:?}")));
        }
        tch::no_grad(|| tensor.shallow_clone().f_copy_(weight))?;
    }
    missing.retain(|name, _| !hub.optional.iter().any(|start| name.starts_with(start.as_str())));
    match missing.keys().next() {
        Some(name) => Err(PluginError::Other(format!("no tensor for `{name}`"))),
        None => Ok(model),
    }
}

/// How far what these compute is from the case of a file: `hidden` of ids and mask, `logits` of hidden states and positions, and gradients
/// of these named parameters. A case without logits is that of a bare encoder.
///
/// # Errors
/// Whatever they refuse, and a case that lacks a tensor.
pub fn differences(
    case: &Tensors,
    hub: &HubInfo,
    parameters: &[(String, Role, Tensor)],
    hidden: impl Fn(&Tensor, &Tensor) -> Result<Tensor, PluginError>,
    logits: impl Fn(&Tensor, Option<&Tensor>) -> Result<Tensor, PluginError>,
) -> Result<Differences, PluginError> {
    let tensor = |name: &str| case.get(name).ok_or_else(|| PluginError::Other(format!("the case has no `{name}`")));
    let (ids, mask) = (tensor("ids")?, tensor("mask")?);
    let found = hidden(ids, &mask.f_to_kind(Kind::Float)?)?; // [B, L, D]
    let real = mask.f_reshape([-1])?.f_nonzero()?.f_squeeze_dim(1)?;
    let at_real = |tensor: &Tensor, width: i64| -> Result<Tensor, PluginError> {
        Ok(tensor.f_detach()?.f_reshape([-1, width])?.f_index_select(0, &real)?)
    };
    let compared = |found: &Tensor, wanted: &Tensor| -> Result<f64, PluginError> {
        let width = wanted.size().last().copied().unwrap_or(1);
        relative(&at_real(found, width)?, &at_real(wanted, width)?, None)
    };
    let hidden = compared(&found, tensor("hidden")?)?;
    if !case.contains_key("logits") {
        return Ok(Differences { hidden, head: None });
    }
    let chosen = logits(&found, Some(tensor("positions")?))?;
    let loss = chosen.f_cross_entropy_loss::<Tensor>(tensor("targets")?, None, Reduction::Mean, -100, 0.0)?;
    let trained: Vec<&(String, Role, Tensor)> = parameters.iter().filter(|(_, role, _)| *role != Role::Fixed).collect();
    let leaves: Vec<&Tensor> = trained.iter().map(|(_, _, tensor)| tensor).collect();
    let gradients = Tensor::f_run_backward(&[&loss], &leaves, false, false)?;
    let (gradient, furthest) = furthest(case, hub, &trained, &gradients)?;
    let logits = compared(&logits(&found, None)?, tensor("logits")?)?;
    let loss = relative(&loss.f_detach()?, tensor("loss")?, None)?;
    Ok(Differences { hidden, head: Some(HeadDifferences { logits, loss, gradient, furthest }) })
}

/// The largest relative difference of a gradient, and the name of its parameter. Parameters without `g.<name>` must have none.
fn furthest(
    case: &Tensors,
    hub: &HubInfo,
    trained: &[&(String, Role, Tensor)],
    gradients: &[Tensor],
) -> Result<(f64, String), PluginError> {
    let names: Vec<&str> = trained.iter().map(|(name, _, _)| name.as_str()).collect();
    let mut wanted: BTreeMap<&str, &Tensor> = BTreeMap::new();
    for (name, tensor) in case.iter().filter_map(|(name, tensor)| Some((name.strip_prefix("g.")?, tensor))) {
        if let Some(place) = place(hub, &names, name)? {
            wanted.insert(place, tensor);
        }
    }
    let mut largest = 0.0;
    for tensor in wanted.values() {
        largest = f64::max(largest, extent(tensor)?);
    }
    let mut most = (0.0, String::new());
    for ((name, _, parameter), gradient) in trained.iter().zip(gradients) {
        let gradient = if gradient.defined() { gradient.shallow_clone() } else { parameter.f_detach()?.f_zeros_like()? };
        let difference = match wanted.get(name.as_str()) {
            Some(wanted) => relative(&gradient, wanted, (extent(wanted)? <= NOTHING * largest).then_some(largest))?,
            None => beside(extent(&gradient)?, largest),
        };
        if difference > most.0 {
            most = (difference, name.clone());
        }
    }
    Ok(most)
}

/// The largest entry.
fn extent(tensor: &Tensor) -> Result<f64, PluginError> {
    Ok(tensor.f_abs()?.f_max()?.f_double_value(&[])?)
}

/// The largest difference beside the largest entry of what is wanted, or beside another scale.
fn relative(found: &Tensor, wanted: &Tensor, scale: Option<f64>) -> Result<f64, PluginError> {
    if found.size() != wanted.size() {
        return Err(PluginError::Shape(format!("{:?} where {:?} is wanted", found.size(), wanted.size())));
    }
    let wanted = wanted.f_to_kind(Kind::Double)?;
    let scale = scale.map_or_else(|| extent(&wanted), Ok)?;
    let difference = extent(&(found.f_to_kind(Kind::Double)?.f_sub(&wanted)?))?;
    Ok(beside(difference, scale))
}

/// A difference in parts of a scale: infinite where it is not a number or the scale is 0.
fn beside(difference: f64, scale: f64) -> f64 {
    let share = if difference == 0.0 { 0.0 } else { difference / scale };
    if share.is_nan() { f64::INFINITY } else { share }
}

#[cfg(test)]
mod tests;
