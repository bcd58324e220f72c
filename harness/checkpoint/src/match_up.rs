//! Which tensor of the files is which parameter of the model, by the rules that the architecture gives as data ([`HubInfo`]).
//!
//! For each tensor, in this order:
//!
//! 1. Its name is that of the file with every pair of [`HubInfo::renamed`] applied, one after the other, wherever the part stands.
//! 2. It is a parameter by that name; or with [`HubInfo::prefix`] put before it; or with the prefix taken off.
//! 3. Else it repeats a parameter, if one of these names (or that in the file) stands in [`HubInfo::tied`].
//! 4. Else it is left out, if its name (in the file, or renamed) ends with the whole parts of an entry of [`HubInfo::ignored`]:
//!    `attn.bias` is the end of `h.0.attn.bias`, and not of `h.0.c_attn.bias`.
//! 5. Else it is unexpected.
//!
//! A parameter without a tensor gets the one that repeats it (files that share memory keep either name); else it is absent, if it
//! starts with an entry of [`HubInfo::optional`]; else it is missing.

use std::collections::BTreeMap;

use clmbench_protocol::HubInfo;

use crate::{
    error::{CheckpointError, shown},
    header::TensorInfo,
};

/// Names of each kind that a message lists.
const LISTED: usize = 20;

/// Which tensor is which parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// Parameters with their tensors, in the order of the parameters. Shapes are equal, number formats are read.
    pub pairs: Vec<(String, TensorInfo)>,
    /// Tensors that repeat a parameter of the same shape; to be compared bit for bit with it.
    pub tied: Vec<(TensorInfo, String)>,
    /// Names of tensors that are left out.
    pub ignored: Vec<String>,
    /// Parameters that the files may lack and do.
    pub absent: Vec<String>,
}

/// Matches tensors with parameters, by name and shape.
///
/// # Errors
/// [`CheckpointError::Weights`] with everything that is missing, unexpected, of another shape or number format, or there twice.
pub fn match_up(found: &[TensorInfo], wanted: &[(String, Vec<u64>)], hub: &HubInfo) -> Result<Matched, CheckpointError> {
    let shapes: BTreeMap<&str, &[u64]> = wanted.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    let mut owners: BTreeMap<&str, Vec<&TensorInfo>> = BTreeMap::new();
    let mut repeated: Vec<(&TensorInfo, &str)> = Vec::new();
    let (mut ignored, mut unexpected) = (Vec::new(), Vec::new());
    for tensor in found {
        match place(&tensor.name, &shapes, hub) {
            Place::Parameter(name) => owners.entry(name).or_default().push(tensor),
            Place::Tied(name) => repeated.push((tensor, name)),
            Place::Ignored => ignored.push(tensor.name.clone()),
            Place::None => unexpected.push(shown(&tensor.name)),
        }
    }
    let mut matched = Matched { ignored, ..Matched::default() };
    let (mut missing, mut misshaped, mut doubled) = (Vec::new(), Vec::new(), Vec::new());
    for (name, shape) in wanted {
        let tensors = owners.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        let stands_in = repeated.iter().position(|(_, parameter)| *parameter == name.as_str());
        let tensor = match (tensors, stands_in) {
            ([one], _) => *one,
            ([], Some(at)) => repeated.remove(at).0,
            ([], None) if hub.optional.iter().any(|start| name.starts_with(start.as_str())) => {
                matched.absent.push(name.clone());
                continue;
            }
            ([], None) => {
                missing.push(format!("{} {shape:?}", shown(name)));
                continue;
            }
            (several, _) => {
                let names: Vec<String> = several.iter().map(|tensor| format!("`{}`", shown(&tensor.name))).collect();
                doubled.push(format!("{}: {}", shown(name), names.join(" and ")));
                continue;
            }
        };
        match unlike(tensor, shape) {
            Some(problem) => misshaped.push(problem),
            None => matched.pairs.push((name.clone(), tensor.clone())),
        }
    }
    for (tensor, name) in repeated {
        match shapes.get(name).and_then(|shape| unlike(tensor, shape)) {
            Some(problem) => misshaped.push(problem),
            None => matched.tied.push((tensor.clone(), name.to_owned())),
        }
    }
    if missing.is_empty() && unexpected.is_empty() && misshaped.is_empty() && doubled.is_empty() {
        return Ok(matched);
    }
    Err(CheckpointError::Weights { missing, unexpected, misshaped, doubled })
}

enum Place<'a> {
    Parameter(&'a str),
    Tied(&'a str),
    Ignored,
    None,
}

/// Where a tensor belongs.
fn place<'a>(name: &str, shapes: &BTreeMap<&'a str, &[u64]>, hub: &'a HubInfo) -> Place<'a> {
    let mut renamed = name.to_owned();
    for (old, new) in hub.renamed.iter().filter(|(old, _)| !old.is_empty()) {
        // A name grows only by what the architecture asks for; names are short, and so are the rules.
        renamed = renamed.replace(old.as_str(), new);
    }
    let mut names = vec![renamed.clone()];
    if !hub.prefix.is_empty() {
        names.push(format!("{}{renamed}", hub.prefix));
        names.extend(renamed.strip_prefix(hub.prefix.as_str()).map(str::to_owned));
    }
    if let Some((parameter, _)) = names.iter().find_map(|name| shapes.get_key_value(name.as_str())) {
        return Place::Parameter(parameter);
    }
    names.push(name.to_owned());
    if let Some((_, parameter)) = hub.tied.iter().find(|(file, _)| names.contains(file)) {
        return match shapes.get_key_value(parameter.as_str()) {
            Some((parameter, _)) => Place::Tied(parameter),
            None => Place::None, // the architecture names a parameter that this geometry lacks
        };
    }
    let left_out = |end: &String| {
        let end = end.trim_start_matches('.');
        let is_end = |name: &str| name.strip_suffix(end).is_some_and(|start| start.is_empty() || start.ends_with('.'));
        !end.is_empty() && (is_end(name) || is_end(&renamed))
    };
    if hub.ignored.iter().any(left_out) { Place::Ignored } else { Place::None }
}

/// What a tensor has instead of what a parameter needs.
fn unlike(tensor: &TensorInfo, shape: &[u64]) -> Option<String> {
    let name = shown(&tensor.name);
    if tensor.shape != shape {
        return Some(format!("{name} has {:?}, needs {shape:?}", tensor.shape));
    }
    (!tensor.dtype.is_read()).then(|| format!("{name} has {} values, needs F32, F16, BF16 or F64", tensor.dtype.name()))
}

/// The message of [`CheckpointError::Weights`].
pub(crate) fn told(missing: &[String], unexpected: &[String], misshaped: &[String], doubled: &[String]) -> String {
    let mut text = "the weights are not those of the architecture that `config.json` tells:".to_owned();
    let kinds = [
        (missing, "the files lack"),
        (unexpected, "the model has no use for"),
        (misshaped, "of another shape or number format"),
        (doubled, "several tensors for one parameter"),
    ];
    for (names, what) in kinds.into_iter().filter(|(names, _)| !names.is_empty()) {
        text += &format!("\n  {what} ({}):", names.len());
        names.iter().take(LISTED).for_each(|name| text += &format!("\n    {name}"));
        if names.len() > LISTED {
            text += &format!("\n    and {} more", names.len() - LISTED);
        }
    }
    text + "\nCompare config.json with the model that was saved, or name the architecture that it is (`architecture = ...`)"
}

#[cfg(test)]
mod tests;
