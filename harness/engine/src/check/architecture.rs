//! Checks of an architecture: on the bundled molecules, at its smallest preset.

use clmbench_api::{AttentionMode, Role};
use clmbench_molecules::TokenCache;
use clmbench_protocol::{ArchitectureInfo, Failure, FailureKind, HubInfo, Objective};
use serde_json::{Map, Value};
use tch::{Kind, Tensor};

use super::{Checks, broken, defaults, described, ends};
use crate::{
    batching::{self, TargetBatch, Targets},
    failure::{OrFail, Result},
    loader::Plugin,
    masking::MaskKey,
    model::{self, Model, backward},
    sample::{Sample, training},
    seed,
};

/// Share of the parameters without embeddings that the pretraining loss need not reach (heads of other tasks, such as a pooler).
const UNREACHED: f64 = 0.1;

/// All checks of one architecture.
pub fn check(checks: &mut Checks<'_>, plugin: &Plugin, info: &ArchitectureInfo, sample: &Sample) {
    let name = |what: &str| format!("architecture {}: {what}", info.name);
    let texts = [("name", info.name.as_str()), ("doc", &info.doc)];
    checks.make(&name("says what it is"), || described(&texts), |()| "name, doc".into());
    let Some(mut config) =
        checks.make(&name("parameters"), || defaults(&info.parameters), |map| format!("{} declared", map.len()))
    else {
        return;
    };
    let smallest = info.presets.iter().min_by_key(|preset| preset.non_embedding_parameters);
    config.extend(smallest.map(|preset| preset.config.clone()).unwrap_or_default());
    let build = |seed: u64, config: &Map<String, Value>| {
        seed::drawn(seed, || Model::build(plugin.module, &info.name, config, sample.vocabulary.clone()))
    };
    let built = checks.make(
        &name("builds its smallest preset"),
        || build(3, &config),
        |model: &Model| format!("{} parameters in {} tensors", model.counts().1, model.parameters.len()),
    );
    let Some(model) = built else { return };
    checks.make(&name("declared size is its size"), || declared(info, &model), |inner| format!("{inner} without embeddings"));
    checks.make(
        &name("shapes, determinism, both attention modes"),
        || same_again(&model, &build(3, &config)?),
        |()| "hold".into(),
    );
    checks.make(
        &name("sees what it may see"),
        || sight(&model, info.objective),
        |()| match info.objective {
            Objective::MaskedLm => "padding changes nothing".into(),
            Objective::CausalLm => "padding changes nothing, nor does a later token".into(),
        },
    );
    let batch = || batch(sample, info.objective);
    checks.make(
        &name("batch size"),
        || alone(&model, sample),
        |worst| format!("one molecule at a time: hidden states within {worst:.0e}"),
    );
    checks.make(
        &name("loss before training"),
        || initial_loss(&model, &batch()?),
        |loss| format!("{loss:.2} nats; guessing costs {:.2}", (sample.vocabulary.size as f64).ln()),
    );
    checks.make(&name("gradient reaches its parameters"), || reached(&model, &batch()?), |words| words.clone());
    checks.make(
        &name("twice differentiable where it says so"),
        || second_derivative(&model),
        |()| "a second derivative exists and is finite".into(),
    );
    let announced = || announced(plugin, info, &config, &model);
    checks.make(&name("shapes without storage are those it builds"), announced, |count| format!("{count} tensors"));
    if let Some(hub) = &info.hub {
        let back = || reads_itself(plugin, (info, hub), &config, &model);
        checks.make(&name("reads the config.json and the weights that it writes"), back, |words| words.clone());
    }
    checks.make(&name("saved and loaded"), || round_trip(&model, &build(4, &config)?), |words| words.clone());
    for parameter in &info.parameters {
        // The largest model may not fit into memory; the smallest must be built, or refused.
        let Some(smallest) = ends(parameter).into_iter().next().filter(|end| !end.is_string()) else { continue };
        let mut config = config.clone();
        config.insert(parameter.name.clone(), smallest.clone());
        let at = || match build(3, &config).and_then(|model| forward(&model, AttentionMode::Fast)) {
            Ok(_) => Ok(format!("{smallest} works")),
            Err(failure) if failure.kind == FailureKind::BadInput => Ok(format!("{smallest} is refused: {}", failure.message)),
            Err(failure) => Err(Failure::new(failure.kind, format!("at {smallest}: {}", failure.message))),
        };
        checks.make(&name(&format!("parameter {} at its smallest", parameter.name)), at, |words| words.clone());
    }
}

fn declared(info: &ArchitectureInfo, model: &Model) -> Result<u64> {
    let (inner, _) = model.counts();
    match info.presets.iter().min_by_key(|preset| preset.non_embedding_parameters) {
        Some(preset) if preset.non_embedding_parameters != inner => broken(format!(
            "preset {} declares {} non-embedding parameters, the model has {inner}",
            preset.name, preset.non_embedding_parameters
        )),
        Some(preset) if !(preset.learning_rate > 0.0 && preset.learning_rate.is_finite()) => {
            broken(format!("preset {} has a learning rate of {}", preset.name, preset.learning_rate))
        }
        Some(_) => Ok(inner),
        None => broken("it declares no preset; suites name models by them"),
    }
}

fn same_again(model: &Model, other: &Model) -> Result<()> {
    let fast = forward(model, AttentionMode::Fast)?;
    let again = forward(model, AttentionMode::Fast)?;
    let slow = forward(model, AttentionMode::TwiceDifferentiable)?;
    let fresh = forward(other, AttentionMode::Fast)?;
    finite(&fast)?;
    let close = |other: &Tensor, within: f64| (other - &fast).abs().max().double_value(&[]) <= within;
    if !close(&again, 0.0) || !close(&fresh, 0.0) {
        return broken("the same weights and input gave other logits the second time");
    }
    if close(&slow, 1e-4) { Ok(()) } else { broken("`fast` and `twice_differentiable` attention differ by more than 1e-4") }
}

/// A logit that is no number equals nothing, not even itself: said before anything is compared.
fn finite(logits: &Tensor) -> Result<()> {
    let holds = logits.f_isfinite().and_then(|each| each.f_all()).or_fail()?.int64_value(&[]) != 0;
    if holds { Ok(()) } else { broken("the logits of the untrained model are not all finite (NaN or infinite)") }
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

fn cache(sample: &Sample) -> Result<TokenCache> {
    TokenCache::open(&sample.path().join("heldout.bin")).or_fail()
}

fn batch(sample: &Sample, objective: Objective) -> Result<TargetBatch> {
    let cache = cache(sample)?;
    let targets = Targets::new(objective, 0.15, sample.vocabulary.size, &sample.vocabulary.special)?;
    let molecules: Vec<u32> = (0..cache.len() as u32).collect();
    Ok(batching::with_targets(&cache, &molecules, &targets, MaskKey { seed: 1, draw: 0 }, tch::Device::Cpu))
}

/// Hidden states of molecules in one batch and alone; the largest difference.
fn alone(model: &Model, sample: &Sample) -> Result<f64> {
    let _guard = tch::no_grad_guard();
    let cache = cache(sample)?;
    let molecules: Vec<u32> = (0..16.min(cache.len() as u32)).collect();
    let together = batching::plain(&cache, &molecules, tch::Device::Cpu);
    let hidden = model.hidden(&together.ids, &together.mask, AttentionMode::Fast)?;
    let mut worst = 0.0_f64;
    for molecule in molecules {
        let single = batching::plain(&cache, &[molecule], tch::Device::Cpu);
        let length = single.ids.size()[1];
        let here = hidden.select(0, i64::from(molecule)).narrow(0, 0, length);
        let there = model.hidden(&single.ids, &single.mask, AttentionMode::Fast)?.select(0, 0);
        worst = worst.max((here - there).abs().max().double_value(&[]));
    }
    if worst <= 1e-4 {
        Ok(worst)
    } else {
        broken(format!("hidden states of a molecule differ by {worst:.1e} with the other molecules of its batch"))
    }
}

/// Near that of guessing: a larger one means initial weights that are too large, a smaller one that it sees the answer.
fn initial_loss(model: &Model, batch: &TargetBatch) -> Result<f64> {
    let _guard = tch::no_grad_guard();
    let loss = training::loss(model, batch)?.double_value(&[]);
    let guessing = (model.vocabulary.size as f64).ln();
    if (0.75 * guessing..1.5 * guessing).contains(&loss) {
        return Ok(loss);
    }
    broken(format!(
        "its loss before training is {loss:.2} nats, guessing costs ln V = {guessing:.2}; initial weights that are too large, or a model \
         that sees what it is to predict"
    ))
}

/// Parameters that the loss reaches; the others are named.
fn reached(model: &Model, batch: &TargetBatch) -> Result<String> {
    let gradients = backward(&training::loss(model, batch)?, &model.tensors())?;
    let rows = model.parameters.iter().zip(&gradients);
    let mut unreached: Vec<&str> = Vec::new();
    let (mut lost, mut all) = (0.0, 0.0);
    for (row, gradient) in rows {
        let inner = if matches!(row.role, Role::Embedding | Role::OutputBias) { 0.0 } else { row.tensor.numel() as f64 };
        all += inner;
        let reaches = gradient.defined() && gradient.abs().max().double_value(&[]) > 0.0;
        if gradient.defined() && !bool::try_from(gradient.isfinite().all()).unwrap_or(false) {
            return broken(format!("the gradient of `{}` is not finite", row.name));
        }
        if !reaches {
            lost += inner;
            unreached.push(&row.name);
        }
    }
    if lost > UNREACHED * all {
        return broken(format!(
            "the loss does not reach {} of {} parameters: {}; they are never trained",
            lost,
            all,
            unreached.join(", ")
        ));
    }
    Ok(if unreached.is_empty() { "all".into() } else { format!("all but {}", unreached.join(", ")) })
}

/// A Hessian-vector product by double backward, as curvature metrics take it.
fn second_derivative(model: &Model) -> Result<()> {
    let (ids, mask) = tiny_batch();
    let hidden = model.hidden(&ids, &mask, AttentionMode::TwiceDifferentiable)?;
    let loss = model.logits(&hidden, &Tensor::from_slice(&[1_i64, 5]))?.f_log_softmax(-1, Kind::Float).or_fail()?;
    let loss = -loss.select(1, 3).sum(Kind::Float);
    let weights = model.tensors();
    if !loss.requires_grad() {
        return broken("the loss depends on no weight");
    }
    let first = Tensor::f_run_backward(&[&loss], &weights, true, true).or_fail()?;
    let fast = model.hidden(&ids, &mask, AttentionMode::Fast)?;
    let fast = model.logits(&fast, &Tensor::from_slice(&[1_i64, 5]))?.f_square().or_fail()?.sum(Kind::Float);
    let rows = model.parameters.iter().zip(first.iter().zip(backward(&fast, &weights)?));
    if let Some((row, _)) = rows.into_iter().find(|(_, (slow, fast))| fast.defined() && !slow.defined()) {
        return broken(format!("in mode `twice_differentiable` the loss does not reach `{}`; in mode `fast` it does", row.name));
    }
    let squares = first.iter().filter(|gradient| gradient.defined()).map(|gradient| gradient.square().sum(Kind::Float));
    let total =
        squares.reduce(|a, b| a + b).ok_or_else(|| Failure::new(FailureKind::PluginError, "the loss depends on no weight"))?;
    let second = backward(&total, &weights)?;
    let finite = |tensor: &Tensor| bool::try_from(tensor.isfinite().all()).unwrap_or(false);
    let defined: Vec<&Tensor> = second.iter().filter(|tensor| tensor.defined()).collect();
    if defined.is_empty() || !defined.into_iter().all(finite) {
        return broken("the second derivative is missing or not finite");
    }
    Ok(())
}

/// Names and shapes that a dry build tells are those of the model: checkpoints of others are judged by them.
fn announced(plugin: &Plugin, info: &ArchitectureInfo, config: &Map<String, Value>, model: &Model) -> Result<usize> {
    let rows = model::shapes(plugin.module, &info.name, config, (model.vocabulary.size, model.vocabulary.max_tokens))?;
    let mut said: Vec<(String, Vec<i64>)> = rows.into_iter().map(|row| (row.name.into(), row.shape.into())).collect();
    let mut built: Vec<(String, Vec<i64>)> = model.saved().map(|row| (row.name.clone(), row.tensor.size())).collect();
    said.sort_unstable();
    built.sort_unstable();
    if said == built {
        return Ok(built.len());
    }
    let unlike = said.iter().find(|row| !built.contains(row)).or_else(|| built.iter().find(|row| !said.contains(row)));
    let unlike = unlike.map(|(name, shape)| format!("`{name}` {shape:?}")).unwrap_or_default();
    broken(format!("a build without storage has other tensors ({unlike}); make every tensor by `init`"))
}

/// An architecture that reads checkpoints of others reads what it writes itself, and refuses a `config.json` that says nothing.
fn reads_itself(
    plugin: &Plugin,
    (info, hub): (&ArchitectureInfo, &HubInfo),
    config: &Map<String, Value>,
    model: &Model,
) -> Result<String> {
    let written: Map<String, Value> = serde_json::from_str(&model.hub_config()?)
        .map_err(|error| Failure::new(FailureKind::PluginError, format!("hub_config() is no JSON object: {error}")))?;
    let word = written.get("model_type").and_then(Value::as_str).unwrap_or_default();
    if !hub.model_types.iter().any(|known| known == word) {
        return broken(format!("hub_config() says `model_type` = `{word}`, which is not among its model_types"));
    }
    let back = model::import_config(plugin.module, &info.name, &written)?;
    let vocabulary = (model.vocabulary.size, model.vocabulary.max_tokens);
    if (back.vocab_size, back.max_positions) != vocabulary {
        let found = (back.vocab_size, back.max_positions);
        return broken(format!(
            "out of its own config.json it reads (vocab_size, max_positions) = {found:?}, not {vocabulary:?}"
        ));
    }
    if let Some((key, value)) = config.iter().find(|(key, value)| back.config.get(*key) != Some(*value)) {
        let found = back.config.get(key).map_or_else(|| "nothing".into(), Value::to_string);
        return broken(format!("out of its own config.json it reads `{key}` = {found}, not {value}"));
    }
    let nothing: Map<String, Value> = [("model_type".to_owned(), Value::from(word))].into_iter().collect();
    match model::import_config(plugin.module, &info.name, &nothing) {
        Err(failure) if failure.kind == FailureKind::BadInput => {}
        Err(failure) => return Err(failure),
        Ok(_) => {
            return broken(
                "a config.json without any geometry is read as if it told one; use config.integer(..), which needs the field",
            );
        }
    }
    let folder =
        tempfile::tempdir().map_err(|error| crate::failure::io(&std::env::temp_dir(), "creating a folder in", &error))?;
    let path = folder.path().join("model.safetensors");
    let rows: Vec<_> = model.saved().map(|row| (row.name.clone(), &row.tensor)).collect();
    crate::weights::write(&path, &rows)?;
    let wanted: Vec<(String, Vec<u64>)> =
        model.saved().map(|row| (row.name.clone(), row.tensor.size().iter().map(|side| *side as u64).collect())).collect();
    let matched = clmbench_checkpoint::match_up(&clmbench_checkpoint::header(&path).or_fail()?, &wanted, hub).or_fail()?;
    if matched.pairs.iter().any(|(name, tensor)| *name != tensor.name) || matched.pairs.len() != wanted.len() {
        return broken("its rules of names lead its own weights astray");
    }
    Ok(format!("`{word}`, {} tensors", wanted.len()))
}

/// Weights written, and read into a model that was initialised otherwise: all that the logits depend on is in the file.
fn round_trip(model: &Model, other: &Model) -> Result<String> {
    let folder =
        tempfile::tempdir().map_err(|error| crate::failure::io(&std::env::temp_dir(), "creating a folder in", &error))?;
    let path = folder.path().join("model.safetensors");
    let rows: Vec<_> = model.saved().map(|row| (row.name.clone(), &row.tensor)).collect();
    let digest = crate::weights::write(&path, &rows)?;
    other.load(&path, &digest)?;
    let logits = forward(model, AttentionMode::Fast)?;
    finite(&logits)?;
    if !forward(other, AttentionMode::Fast)?.equal(&logits) {
        return broken("a model that loaded the weights of another gives other logits: a weight is not among its parameters()");
    }
    let config = model.hub_config()?;
    match serde_json::from_str::<Map<String, Value>>(&config) {
        Ok(map) if map.get("model_type").is_some_and(Value::is_string) => Ok("the same logits; hub_config() is an object".into()),
        _ => broken("hub_config() is no JSON object with a `model_type`"),
    }
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
