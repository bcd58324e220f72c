//! The conformance checks of `clmbench plugin check`: what can be said of a plugin on a tiny model, in seconds.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use clmbench_api::AttentionMode;
use clmbench_protocol::{
    ArchitectureInfo, Failure, FailureKind, MeasureOutput, MetricInfo, Objective, ParameterInfo, ParameterKind, Scope,
};
use clmbench_sdk::error::panic_text;
use serde::Serialize;
use serde_json::{Map, Value};
use tch::{Kind, Tensor};

use crate::{
    failure::{OrFail, Result},
    loader::{self, Plugin},
    measure,
    model::{Model, Vocabulary},
    report::Reporter,
    seed, toy,
};

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub check: String,
    /// Whether it holds; none if it could not be tried here, with the reason in `detail`.
    pub ok: Option<bool>,
    /// What was found.
    pub detail: String,
}

/// Checks the plugin in this file.
pub fn run(path: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| all(&mut checks, path))) {
        let detail = format!("panic: {}", panic_text(&*payload));
        checks.push(Check { check: "goes through all checks".into(), ok: Some(false), detail });
    }
    checks
}

fn all(checks: &mut Vec<Check>, path: &Path) {
    let Some(plugin) = note(checks, "loads: handshake, layout, manifest", loader::open(path), |plugin: &Plugin| {
        format!("{} {}", plugin.manifest.name, plugin.manifest.version)
    }) else {
        return;
    };
    for info in &plugin.manifest.architectures {
        architecture(checks, &plugin, info);
    }
    for info in &plugin.manifest.datasets {
        let (name, files) = (format!("{}/{}", info.source, info.name), info.files.len());
        let declared = if info.tasks.is_empty() || info.files.is_empty() {
            Err(Failure::new(FailureKind::PluginError, "declare at least one task and one source file"))
        } else {
            Ok(())
        };
        note(checks, &format!("dataset {name}: declares tasks and sources"), declared, |()| format!("{files} file(s)"));
        let detail = "its rows are checked when a suite tokenises it: that needs its source files".into();
        checks.push(Check { check: format!("dataset {name}: parses"), ok: None, detail });
    }
    for info in &plugin.manifest.metrics {
        metric(checks, &plugin, info);
    }
}

fn note<T>(checks: &mut Vec<Check>, check: &str, result: Result<T>, words: impl FnOnce(&T) -> String) -> Option<T> {
    let (ok, detail) = match &result {
        Ok(value) => (true, words(value)),
        Err(failure) => (false, format!("{}: {}", failure.kind.word(), failure.message)),
    };
    checks.push(Check { check: check.into(), ok: Some(ok), detail });
    result.ok()
}

fn broken<T>(text: String) -> Result<T> {
    Err(Failure::new(FailureKind::PluginError, text))
}

/// Defaults that have the declared types and lie within the declared bounds.
fn defaults(parameters: &[ParameterInfo]) -> Result<Map<String, Value>> {
    let mut filled = Map::new();
    for parameter in parameters {
        let (name, value) = (&parameter.name, &parameter.default);
        let typed = match parameter.kind {
            ParameterKind::Integer => value.is_i64() || value.is_u64(),
            ParameterKind::Float => value.is_number(),
            ParameterKind::Boolean => value.is_boolean(),
            ParameterKind::Text => value.is_string(),
        };
        let number = value.as_f64();
        let inside =
            number.is_none_or(|x| parameter.minimum.is_none_or(|low| x >= low) && parameter.maximum.is_none_or(|high| x <= high));
        let chosen =
            parameter.choices.is_empty() || value.as_str().is_some_and(|word| parameter.choices.iter().any(|c| c == word));
        if !typed || !inside || !chosen {
            return broken(format!("parameter `{name}`: its default {value} does not fit its own declaration"));
        }
        if filled.insert(name.clone(), value.clone()).is_some() {
            return broken(format!("parameter `{name}` is declared twice"));
        }
    }
    Ok(filled)
}

fn architecture(checks: &mut Vec<Check>, plugin: &Plugin, info: &ArchitectureInfo) {
    let name = &info.name;
    let Some(mut config) = note(checks, &format!("architecture {name}: parameters"), defaults(&info.parameters), |map| {
        format!("{} declared", map.len())
    }) else {
        return;
    };
    let smallest = info.presets.iter().min_by_key(|preset| preset.non_embedding_parameters);
    config.extend(smallest.map(|preset| preset.config.clone()).unwrap_or_default());
    let vocabulary = Vocabulary { size: toy::VOCABULARY, max_tokens: toy::MAX_TOKENS };
    let build = || {
        seed::seed_libtorch(3);
        Model::build(plugin.module, name, &config, vocabulary)
    };
    let Some(model) = note(checks, &format!("architecture {name}: builds its smallest preset"), build(), |model: &Model| {
        format!("{} parameters in {} tensors", model.counts().1, model.parameters.len())
    }) else {
        return;
    };
    let shapes = forward(&model, AttentionMode::Fast).and_then(|fast| {
        let again = forward(&model, AttentionMode::Fast)?;
        let slow = forward(&model, AttentionMode::TwiceDifferentiable)?;
        let fresh = forward(&build()?, AttentionMode::Fast)?;
        let close = |other: &Tensor, within: f64| (other - &fast).abs().max().double_value(&[]) <= within;
        if !close(&again, 0.0) || !close(&fresh, 0.0) {
            return broken("the same weights and input gave other logits the second time".into());
        }
        if close(&slow, 1e-4) {
            Ok(())
        } else {
            broken("`fast` and `twice_differentiable` attention differ by more than 1e-4".into())
        }
    });
    note(checks, &format!("architecture {name}: shapes, determinism, both attention modes"), shapes, |()| "hold".into());
    let objective = info.objective;
    note(checks, &format!("architecture {name}: sees what it may see"), sight(&model, objective), |()| match objective {
        Objective::MaskedLm => "padding changes nothing".into(),
        Objective::CausalLm => "padding changes nothing, nor does a later token".into(),
    });
    note(checks, &format!("architecture {name}: twice differentiable where it says so"), second_derivative(&model), |()| {
        "a second derivative exists and is finite".into()
    });
    let declared = match (&smallest, model.counts()) {
        (Some(preset), (inner, _)) if preset.non_embedding_parameters != inner => broken(format!(
            "preset {} declares {} non-embedding parameters, the model has {inner}",
            preset.name, preset.non_embedding_parameters
        )),
        (_, (inner, _)) => Ok(inner),
    };
    note(checks, &format!("architecture {name}: declared size is its size"), declared, |inner| {
        format!("{inner} without embeddings")
    });
}

/// Two molecules, the second padded.
fn tiny_batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 7, 9, 3, 2, 8, 3, 0]).view([2, 4]);
    let mask = ids.ne(0).to_kind(Kind::Float);
    (ids, mask)
}

fn forward(model: &Model, mode: AttentionMode) -> Result<Tensor> {
    let _guard = tch::no_grad_guard();
    let (ids, mask) = tiny_batch();
    let hidden = model.hidden(&ids, &mask, mode)?;
    model.logits(&hidden, &Tensor::from_slice(&[1_i64, 5]))
}

/// Hidden states of real tokens do not depend on padding, nor, in causal models, on the tokens that follow.
fn sight(model: &Model, objective: Objective) -> Result<()> {
    let _guard = tch::no_grad_guard();
    let (ids, mask) = tiny_batch();
    let differ = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) > 1e-4;
    for mode in [AttentionMode::Fast, AttentionMode::TwiceDifferentiable] {
        let hidden = model.hidden(&ids, &mask, mode)?;
        let alone = model.hidden(&ids.narrow(0, 1, 1).narrow(1, 0, 3), &mask.narrow(0, 1, 1).narrow(1, 0, 3), mode)?;
        if differ(&hidden.select(0, 1).narrow(0, 0, 3), &alone.select(0, 0)) {
            return broken(format!("padding changes the hidden states of real tokens ({mode:?}); use the mask"));
        }
        let other = Tensor::from_slice(&[2_i64, 7, 11, 3, 2, 8, 3, 0]).view([2, 4]);
        let changed = model.hidden(&other, &mask, mode)?;
        if objective == Objective::CausalLm && differ(&hidden.narrow(1, 0, 2), &changed.narrow(1, 0, 2)) {
            return broken(format!("a token changes the hidden states before it ({mode:?}), but the model is to predict it"));
        }
    }
    Ok(())
}

/// A Hessian-vector product by double backward, as curvature metrics take it.
fn second_derivative(model: &Model) -> Result<()> {
    let (ids, mask) = tiny_batch();
    let hidden = model.hidden(&ids, &mask, AttentionMode::TwiceDifferentiable)?;
    let loss = model.logits(&hidden, &Tensor::from_slice(&[1_i64, 5]))?.f_log_softmax(-1, Kind::Float).or_fail()?;
    let loss = -loss.select(1, 3).sum(Kind::Float);
    let weights = model.tensors();
    let first = Tensor::f_run_backward(&[&loss], &weights, true, true).or_fail()?;
    let squares = first.iter().filter(|gradient| gradient.defined()).map(|gradient| gradient.square().sum(Kind::Float));
    let total =
        squares.reduce(|a, b| a + b).ok_or_else(|| Failure::new(FailureKind::PluginError, "the loss depends on no weight"))?;
    let second = crate::model::backward(&total, &weights)?;
    let finite = |tensor: &Tensor| bool::try_from(tensor.isfinite().all()).unwrap_or(false);
    let defined: Vec<&Tensor> = second.iter().filter(|tensor| tensor.defined()).collect();
    if defined.is_empty() || !defined.into_iter().all(finite) {
        return broken("the second derivative is missing or not finite".into());
    }
    Ok(())
}

fn metric(checks: &mut Vec<Check>, plugin: &Plugin, info: &MetricInfo) {
    let id = &info.id;
    let named = match id.split_once('/') {
        Some((family, name)) if !family.is_empty() && !name.is_empty() && !name.contains('/') => Ok(()),
        _ => broken(format!("id `{id}` is not of the form family/name")),
    };
    note(checks, &format!("metric {id}: id is family/name"), named, |()| id.clone());
    let Some(params) =
        note(checks, &format!("metric {id}: parameters"), defaults(&info.parameters), |map| format!("{} declared", map.len()))
    else {
        return;
    };
    if info.scope != Scope::Checkpoint {
        let detail = "it looks at more than one checkpoint; it is tried when a suite runs it".into();
        checks.push(Check { check: format!("metric {id}: measures"), ok: None, detail });
        return;
    }
    let params = Value::Object(params).to_string();
    for (objective, word) in [(Objective::MaskedLm, "masked"), (Objective::CausalLm, "causal")] {
        if !info.objectives.is_empty() && !info.objectives.contains(&objective) {
            continue;
        }
        let check = format!("metric {id} on a {word} model: finite, with errors, the same twice, weights untouched");
        note(checks, &check, measure_twice(plugin, info, objective, &params), |output| {
            let primary = output.values.iter().find(|value| value.primary);
            primary.map_or_else(String::new, |value| {
                format!("{} = {:.4} +- {:.4} {}", value.name, value.value.0, value.std_error.0, value.unit)
            })
        });
    }
}

fn measure_twice(plugin: &Plugin, info: &MetricInfo, objective: Objective, params: &str) -> Result<MeasureOutput> {
    let folder =
        tempfile::tempdir().map_err(|error| crate::failure::io(&std::env::temp_dir(), "creating a folder in", &error))?;
    toy::corpus(folder.path())?;
    let model = toy::model_for(objective)?;
    let reporter = Reporter::silent();
    let once = || {
        let probe = toy::probe(&model, objective, folder.path(), &info.id, &reporter)?;
        measure::call(plugin.module, info, params, &model, &probe).map(|(output, _)| output)
    };
    let (first, second) = (once()?, once()?);
    let same =
        first.values.iter().zip(&second.values).all(|(a, b)| a.name == b.name && a.value.0.to_bits() == b.value.0.to_bits());
    if !same || first.values.len() != second.values.len() {
        return broken("the same checkpoint gave other values the second time; draw random numbers from probe.rng() only".into());
    }
    Ok(first)
}

/// The manifest of a plugin, as `--describe` prints it.
///
/// # Errors
/// What keeps it from loading.
pub fn describe(path: &Path) -> Result<clmbench_protocol::PluginManifest> {
    loader::open(path).map(|plugin| plugin.manifest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::Objective;

    use super::sight;
    use crate::toy;

    #[test]
    fn a_model_that_looks_ahead_is_no_causal_one() {
        let model = toy::model().unwrap();
        assert!(sight(&model, Objective::MaskedLm).is_ok());
        let failure = sight(&model, Objective::CausalLm).unwrap_err();
        assert!(failure.message.contains("changes the hidden states before it"), "{failure}");
    }
}
