//! Whether the geometry that a `config.json` tells is one that the architecture can have and the machine can hold.

use clmbench_api::PluginModuleRef;
use clmbench_checkpoint::TensorInfo;
use clmbench_protocol::{ArchitectureInfo, Failure, FailureKind, ImportedConfig, ParameterInfo, ParameterKind};
use serde_json::{Map, Value};

use crate::{
    failure::Result,
    model::{self, Model},
};

/// Most numbers of a model: 40 GB of 32-bit ones.
const MOST_NUMBERS: u64 = 10_000_000_000;
/// Largest `vocab_size` and longest sequence.
const LONGEST_TABLE: u64 = 1 << 24;

fn bad(text: String) -> Failure {
    Failure::new(FailureKind::BadInput, text)
}

/// Refuses files with more numbers than are ever read.
pub fn within_memory(weights: &[TensorInfo]) -> Result<()> {
    numbers(weights.iter().map(|tensor| tensor.shape.as_slice())).map(|_| ()).ok_or_else(|| too_large("the files hold"))
}

fn too_large(what: &str) -> Failure {
    let text = format!("{what} more than {MOST_NUMBERS} numbers (40 GB as float32); models of that size are not measured here");
    Failure::new(FailureKind::MemoryLimit, text)
}

/// Numbers in all, if that is not too many.
fn numbers<'a>(shapes: impl Iterator<Item = &'a [u64]>) -> Option<u64> {
    let mut all = 0_u64;
    for shape in shapes {
        let count = shape.iter().try_fold(1_u64, |product, side| product.checked_mul(*side))?;
        all = all.checked_add(count).filter(|all| *all <= MOST_NUMBERS)?;
    }
    Some(all)
}

/// The configuration that the architecture reads out of a `config.json`, within the bounds that it declares.
pub fn imported(module: PluginModuleRef, info: &ArchitectureInfo, config: &Map<String, Value>) -> Result<ImportedConfig> {
    let mut imported = model::import_config(module, &info.name, config).map_err(|failure| match failure.kind {
        FailureKind::BadInput => {
            Failure { message: format!("{}{}", failure.message.trim_end_matches('.'), next(info)), ..failure }
        }
        _ => failure,
    })?;
    for (what, value) in [("vocab_size", imported.vocab_size), ("max_positions", imported.max_positions)] {
        if value == 0 || value > LONGEST_TABLE {
            return Err(bad(format!("config.json gives `{what}` = {value}; from 1 to {LONGEST_TABLE} is possible")));
        }
    }
    for (name, value) in &imported.config {
        let Some(parameter) = info.parameters.iter().find(|parameter| parameter.name == *name) else {
            let text =
                format!("architecture `{}` makes a parameter `{name}` out of config.json that it does not declare", info.name);
            return Err(Failure::new(FailureKind::PluginError, text));
        };
        if let Some(needed) = out_of_bounds(parameter, value) {
            let text = format!("config.json gives `{name}` = {value}; architecture `{}` takes {needed}{}", info.name, next(info));
            return Err(bad(text));
        }
    }
    for parameter in info.parameters.iter().filter(|parameter| !parameter.is_optional()) {
        imported.config.entry(parameter.name.clone()).or_insert_with(|| parameter.default.clone());
    }
    Ok(imported)
}

/// What to do about a `config.json` that the architecture refuses.
fn next(info: &ArchitectureInfo) -> String {
    format!(
        "; compare config.json with the model that was saved, or write a plugin for what `{}` does not compute (`clmbench plugin new \
         architecture` begins one)",
        info.name
    )
}

/// What a parameter takes instead of this value.
fn out_of_bounds(parameter: &ParameterInfo, value: &Value) -> Option<String> {
    let number = match parameter.kind {
        ParameterKind::Integer => value.as_i64().map(|number| number as f64),
        ParameterKind::Float => value.as_f64(),
        ParameterKind::Boolean => return (!value.is_boolean()).then(|| "true or false".into()),
        ParameterKind::Text => {
            let known = |text: &str| parameter.choices.is_empty() || parameter.choices.iter().any(|choice| choice == text);
            return (!value.as_str().is_some_and(known)).then(|| match parameter.choices.as_slice() {
                [] => "a word".into(),
                choices => choices.join(", "),
            });
        }
    };
    let kind = if parameter.kind == ParameterKind::Integer { "a whole number" } else { "a number" };
    let (low, high) = (parameter.minimum, parameter.maximum);
    let within = |number: f64| low.is_none_or(|low| number >= low) && high.is_none_or(|high| number <= high);
    (!number.is_some_and(within)).then(|| match (low, high) {
        (Some(low), Some(high)) => format!("{kind} from {low} to {high}"),
        (Some(low), None) => format!("{kind} from {low}"),
        (None, Some(high)) => format!("{kind} up to {high}"),
        (None, None) => kind.into(),
    })
}

/// Names and shapes of all tensors of the model that this configuration gives; nothing is allocated for them.
pub fn shapes(module: PluginModuleRef, info: &ArchitectureInfo, imported: &ImportedConfig) -> Result<Vec<(String, Vec<u64>)>> {
    let rows = model::shapes(module, &info.name, &imported.config, (imported.vocab_size, imported.max_positions))?;
    let mut shapes = Vec::with_capacity(rows.len());
    for row in rows {
        let shape: Option<Vec<u64>> = row.shape.iter().map(|side| u64::try_from(*side).ok()).collect();
        let shape = shape.ok_or_else(|| {
            let text = format!("architecture `{}` gives `{}` the shape {:?}", info.name, row.name, row.shape);
            Failure::new(FailureKind::WrongShape, text)
        })?;
        shapes.push((String::from(row.name), shape));
    }
    let fits = numbers(shapes.iter().map(|(_, shape)| shape.as_slice()));
    fits.map(|_| shapes).ok_or_else(|| too_large("config.json tells of"))
}

/// That a model has the tensors that were announced without storage.
pub fn same(shapes: &[(String, Vec<u64>)], model: &Model) -> Result<()> {
    let shape = |name: &str| shapes.iter().find(|(known, _)| known == name).map(|(_, shape)| shape);
    let built = |row: &crate::model::Parameter| row.tensor.size().iter().map(|side| *side as u64).collect::<Vec<_>>();
    let unlike = model.saved().find(|row| shape(&row.name) != Some(&built(row)));
    if unlike.is_none() && model.saved().count() == shapes.len() {
        return Ok(());
    }
    let what = unlike.map_or_else(|| "their number differs".into(), |row| format!("`{}` is {:?}", row.name, row.tensor.size()));
    let text = format!("the architecture announces other tensors than it builds: {what}; make all of them by `init`");
    Err(Failure::new(FailureKind::WrongShape, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_as_the_architecture_has_them() {
        let layers = ParameterInfo::integer("layers", 4, "").between(1.0, 96.0);
        assert_eq!(out_of_bounds(&layers, &96.into()), None);
        assert_eq!(out_of_bounds(&layers, &i64::MAX.into()).as_deref(), Some("a whole number from 1 to 96"));
        assert_eq!(out_of_bounds(&layers, &1.5.into()).as_deref(), Some("a whole number from 1 to 96"));
        let act = ParameterInfo::text("act", "gelu", &["gelu", "relu"], "");
        assert_eq!(out_of_bounds(&act, &"tanh".into()).as_deref(), Some("gelu, relu"));
        assert_eq!(out_of_bounds(&ParameterInfo::boolean("tied", true, ""), &1.into()).as_deref(), Some("true or false"));
        assert_eq!(out_of_bounds(&ParameterInfo::float("eps", 1e-5, ""), &"x".into()).as_deref(), Some("a number"));
    }

    #[test]
    fn sums_never_wrap() {
        let count = |shapes: &[Vec<u64>]| numbers(shapes.iter().map(Vec::as_slice));
        assert_eq!(count(&[vec![2, 3], vec![], vec![0, 5]]), Some(7));
        assert_eq!(count(&[vec![u64::MAX, 2]]), None);
        assert_eq!(count(&vec![vec![1 << 33]; 2]), None);
    }
}
