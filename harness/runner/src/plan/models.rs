//! Model configurations of a suite: every key filled in, with learning rate, threads and a label.

use clmbench_protocol::{ArchitectureInfo, Objective, PluginFile, PluginRef, Precision};
use serde_json::{Map, Value};

use super::{PlanError, params::fill};
use crate::{
    nearest::hint,
    plugins::{Offer, PluginSet},
    suite::{LearningRate, MASK_RATIO, ModelEntry, Place, PrecisionChoice, Suite},
};

/// A model with less than this many core parameters is computed on one thread.
const ONE_THREAD_BELOW: u64 = 3_000_000;

/// `12 x layers x width^2`: parameters of the matrices of a Transformer's layers, from its configuration.
pub fn core_parameters(config: &Map<String, Value>) -> Option<u64> {
    let layers = config.get("layers")?.as_u64()?;
    let width = config.get("width")?.as_u64()?;
    width.checked_mul(width)?.checked_mul(layers)?.checked_mul(12)
}

/// libtorch threads of a model: 1 below 3,000,000 core parameters, else 2 (also where they cannot be told).
pub fn threads(config: &Map<String, Value>) -> u32 {
    match core_parameters(config) {
        Some(count) if count < ONE_THREAD_BELOW => 1,
        _ => 2,
    }
}

/// Smallest width at which matrix products in bfloat16 were measured to be faster than in float32.
const BFLOAT16_FROM_WIDTH: u64 = 64;

/// Number format of a model's training steps (pretraining and fine-tuning) under `precision = "auto"`: bfloat16 where it is
/// faster, which is where `width >= 64` and the processor multiplies bfloat16 matrices itself (`native`: AVX512-BF16, which
/// every processor with AMX has too); else float32, also where the width cannot be told. Measured on such a processor: 1.3
/// times the speed at (1 layer, width 64), 2.2 at (4, 128), 3.1 at (6, 256).
///
/// It is resolved when the plan is made and stands in the cell's definition, so that a suite planned on two kinds of
/// processor has two identities for one run. `precision = "float32"` avoids that.
pub fn precision(config: &Map<String, Value>, native: bool) -> Precision {
    let wide = config.get("width").and_then(Value::as_u64).is_some_and(|width| width >= BFLOAT16_FROM_WIDTH);
    if wide && native { Precision::Bfloat16 } else { Precision::Float32 }
}

/// Whether this processor multiplies bfloat16 matrices itself.
fn native_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// What cells are planned for: a configuration of an architecture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    /// Such as `bert-0.06M` or `bert-layers2-width64`; the name of a checkpoint of others.
    pub label: String,
    pub info: ArchitectureInfo,
    pub plugin: PluginRef,
    pub file: PluginFile,
    /// Empty for a checkpoint of others, whose import tells it.
    pub config: Map<String, Value>,
    /// Of training steps; for a checkpoint of others it follows from the configuration, once that is known.
    pub precision: Precision,
}

/// A model to pretrain, with its budget.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trained {
    pub model: Model,
    pub entry: ModelEntry,
    pub learning_rate: f64,
    /// Share of tokens to predict; 0 for causal models.
    pub mask_ratio: f64,
}

/// Every configuration that the suite names, in order.
pub(super) fn models(suite: &Suite, plugins: &PluginSet) -> Result<Vec<Trained>, PlanError> {
    let mut models: Vec<Trained> = Vec::new();
    for (number, entry) in suite.models.iter().enumerate() {
        let place = &entry.place;
        let offer =
            plugins.architecture(&entry.architecture).map_err(|source| PlanError::NotOffered { place: place.clone(), source })?;
        let first = models.len();
        for name in &entry.presets {
            let preset = offer.info.presets.iter().find(|preset| preset.name == *name).ok_or_else(|| {
                let known: Vec<&str> = offer.info.presets.iter().map(|preset| preset.name.as_str()).collect();
                let (place, architecture) = (place.clone(), entry.architecture.clone());
                PlanError::UnknownPreset { place, architecture, name: name.clone(), hint: hint(name, &known) }
            })?;
            let label = format!("{}-{}", entry.architecture, plain(name));
            models.push(model(entry, offer, label, &preset.config, Some(preset.learning_rate))?);
        }
        for config in &entry.overrides {
            let label = override_label(&entry.architecture, config);
            models.push(model(entry, offer, label, config, None)?);
        }
        for index in first..models.len() {
            distinguish(&mut models, index, number + 1)?;
        }
    }
    Ok(models)
}

fn model(
    entry: &ModelEntry,
    offer: Offer<'_, ArchitectureInfo>,
    label: String,
    given: &Map<String, Value>,
    preset_rate: Option<f64>,
) -> Result<Trained, PlanError> {
    let owner = format!("architecture `{}`", entry.architecture);
    let config = fill(&owner, &offer.info.parameters, given, &entry.place)?;
    let learning_rate = match (entry.learning_rate, preset_rate) {
        (LearningRate::Fixed(rate), _) | (LearningRate::Preset, Some(rate)) => rate,
        (LearningRate::Preset, None) => nearest_rate(&owner, offer.info, &config, &entry.place)
            .map_err(|reason| PlanError::NoLearningRate { place: entry.place.clone(), model: label.clone(), reason })?,
    };
    let mask_ratio = match (offer.info.objective, entry.mask_ratio) {
        (Objective::MaskedLm, ratio) => ratio.unwrap_or(MASK_RATIO),
        (Objective::CausalLm, None) => 0.0,
        (Objective::CausalLm, Some(_)) => {
            return Err(PlanError::NotForObjective {
                place: entry.place.clone(),
                key: "mask_ratio".into(),
                architecture: entry.architecture.clone(),
                objective: words(offer.info.objective).into(),
            });
        }
    };
    let precision = match entry.precision {
        PrecisionChoice::Auto => automatic_precision(&config),
        PrecisionChoice::Fixed(precision) => precision,
    };
    let model =
        Model { label, info: offer.info.clone(), plugin: offer.plugin.reference(), file: offer.plugin.file(), config, precision };
    Ok(Trained { model, entry: entry.clone(), learning_rate, mask_ratio })
}

/// The number format of training steps under `precision = "auto"` on this processor.
pub(super) fn automatic_precision(config: &Map<String, Value>) -> Precision {
    precision(config, native_bfloat16())
}

/// The rate of the preset nearest in log size; of two equally near ones, the first.
fn nearest_rate(owner: &str, info: &ArchitectureInfo, config: &Map<String, Value>, place: &Place) -> Result<f64, String> {
    let size = |config: &Map<String, Value>| core_parameters(config).filter(|count| *count > 0).map(|count| (count as f64).ln());
    let own = size(config).ok_or_else(|| format!("{owner} has no `layers` and `width` to compare its size by"))?;
    let mut nearest: Option<(f64, f64)> = None;
    for preset in &info.presets {
        let filled = fill(owner, &info.parameters, &preset.config, place).map_err(|error| error.to_string())?;
        let Some(distance) = size(&filled).map(|other| (other - own).abs()) else { continue };
        if nearest.is_none_or(|(best, _)| distance < best) {
            nearest = Some((distance, preset.learning_rate));
        }
    }
    nearest.map(|(_, rate)| rate).ok_or_else(|| format!("{owner} has no presets to take it from"))
}

/// Refuses the same run under two names, and tells tables with one label but another budget apart by their number.
fn distinguish(models: &mut [Trained], index: usize, table: usize) -> Result<(), PlanError> {
    let (before, rest) = models.split_at_mut(index);
    let Some(own) = rest.first_mut() else { return Ok(()) };
    let budget = |entry: &ModelEntry| (entry.tokens, entry.checkpoints, entry.batch, entry.accumulate, entry.schedule.clone());
    let same = |earlier: &&Trained| {
        earlier.entry.architecture == own.entry.architecture
            && earlier.model.config == own.model.config
            && earlier.learning_rate.to_bits() == own.learning_rate.to_bits()
            && (earlier.mask_ratio, earlier.model.precision) == (own.mask_ratio, own.model.precision)
            && budget(&earlier.entry) == budget(&own.entry)
    };
    if let Some(earlier) = before.iter().find(same) {
        return Err(PlanError::Same {
            place: own.entry.place.clone(),
            first: earlier.model.label.clone(),
            second: own.model.label.clone(),
        });
    }
    if before.iter().any(|earlier| earlier.model.label == own.model.label) {
        own.model.label = format!("{}-model{table}", own.model.label);
    }
    Ok(())
}

fn override_label(architecture: &str, config: &Map<String, Value>) -> String {
    let mut parts: Vec<String> = config
        .iter()
        .map(|(key, value)| format!("{key}{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .map(|part| plain(&part))
        .collect();
    parts.sort();
    format!("{architecture}-{}", parts.join("-"))
}

/// Letters, digits, `.`, `-` and `_`; anything else becomes `_`, so that a label is one part of a key.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' }).collect()
}

/// An objective in words.
pub(super) fn words(objective: Objective) -> &'static str {
    match objective {
        Objective::MaskedLm => "masked language modelling",
        Objective::CausalLm => "causal language modelling",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn bfloat16_is_for_wide_models_on_processors_that_have_it() {
        let of = |width: u64, native| precision(json!({ "layers": 2, "width": width }).as_object().unwrap(), native);
        assert_eq!(of(64, true), Precision::Bfloat16);
        assert_eq!(of(64, false), Precision::Float32, "the processor does not multiply it");
        assert_eq!(of(32, true), Precision::Float32, "too narrow");
        assert_eq!(precision(&Map::new(), true), Precision::Float32, "its size cannot be told");
    }
}
