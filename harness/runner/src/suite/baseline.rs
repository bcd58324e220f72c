//! `[[baseline]]` tables: models without a CLM, which scores are compared with.

use std::collections::HashMap;

use clmbench_protocol::{BaselineFeatures, BaselineModel, BaselineProtocol, Number};

use super::{Place, SuiteError, reader::Section};
use crate::nearest::hint;

/// Keys of `[[baseline]]`.
pub(super) const KEYS: [&str; 8] = ["model", "features", "bits", "seeds", "trees", "rounds", "lr", "depth"];
/// Models, as suites name them.
const MODELS: [&str; 3] = ["random_forest", "boosting", "linear"];
/// Features, as suites name them.
const FEATURES: [&str; 2] = ["ecfp4", "descriptors"];
/// Keys that one model alone has, with that model.
const OWN_KEYS: [(&str, &str); 5] =
    [("seeds", "random_forest"), ("trees", "random_forest"), ("rounds", "boosting"), ("lr", "boosting"), ("depth", "boosting")];
/// Bits of a folded fingerprint when the suite is silent.
const BITS: u32 = 2048;
/// Trees of a forest when the suite is silent.
const TREES: u32 = 500;
/// Rounds, learning rate and depth of boosting when the suite is silent.
const BOOSTING: (u32, f64, u32) = (100, 0.1, 6);
/// L2 strengths that a probe and a linear baseline try on the validation molecules: the powers of ten from 1e-4 to 1e8.
pub(crate) const STRENGTHS: [f64; 13] = [1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/// A `[[baseline]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineEntry {
    /// What is fitted.
    pub model: BaselineModel,
    /// To what; one baseline each.
    pub features: Vec<BaselineFeatures>,
    /// Seeds of a forest; 1 for a model without one.
    pub seeds: u32,
    /// Where it is written.
    pub place: Place,
}

impl BaselineEntry {
    /// Whether its model has a seed.
    pub fn is_seeded(&self) -> bool {
        matches!(self.model, BaselineModel::RandomForest { .. })
    }

    /// What tables call it with these features, such as `random forest, ecfp4 2048`.
    pub fn label(&self, features: BaselineFeatures) -> String {
        BaselineProtocol { features, model: self.model.clone(), seed: 0, threads: 1 }.label()
    }
}

/// Reads a `[[baseline]]` table.
pub(super) fn baseline(section: &Section<'_>) -> Result<BaselineEntry, SuiteError> {
    let example = "model = \"random_forest\"";
    let word = section.string("model", "random_forest")?.ok_or_else(|| section.missing("model", example))?;
    if !MODELS.contains(&word.as_str()) {
        let known = hint(&word, &MODELS);
        return Err(section.value_error("model", format!("`{}` is not a baseline.{known}", word.escape_debug())));
    }
    if let Some((key, owner)) = OWN_KEYS.into_iter().find(|(key, owner)| section.has(key) && *owner != word) {
        let why = match key {
            "seeds" => "fitted to the same molecules it is always the same",
            _ => "it has no such setting",
        };
        let message = format!("belongs to `{owner}`, not to `{word}`: {why}. Remove the key.");
        return Err(section.value_error(key, message));
    }
    let count = |key: &str, from: u64, to: u64, usual: u32| -> Result<u32, SuiteError> {
        Ok(section.integer(key, from, to, &usual.to_string())?.and_then(|number| u32::try_from(number).ok()).unwrap_or(usual))
    };
    let (rounds, rate, depth) = BOOSTING;
    let model = match word.as_str() {
        "random_forest" => BaselineModel::RandomForest { trees: count("trees", 1, 10_000, TREES)? },
        "boosting" => BaselineModel::Boosting {
            rounds: count("rounds", 1, 10_000, rounds)?,
            learning_rate: Number(learning_rate(section, rate)?),
            depth: count("depth", 1, 30, depth)?,
        },
        _ => BaselineModel::Linear { strengths: STRENGTHS.map(Number).to_vec() },
    };
    Ok(BaselineEntry { model, features: features(section)?, seeds: count("seeds", 1, 1000, 1)?, place: section.place.clone() })
}

fn learning_rate(section: &Section<'_>, usual: f64) -> Result<f64, SuiteError> {
    match section.float("lr", "0.1")? {
        Some(rate) if !(rate > 0.0 && rate <= 1.0) => {
            Err(section.value_error("lr", format!("{rate} is not above 0 and at most 1; a usual one is {usual}.")))
        }
        rate => Ok(rate.unwrap_or(usual)),
    }
}

/// A list of features, or one as a text; ECFP4 if the suite is silent.
fn features(section: &Section<'_>) -> Result<Vec<BaselineFeatures>, SuiteError> {
    let example = "features = [\"ecfp4\"]";
    let words = if section.is_string("features") {
        section.string("features", "ecfp4")?.into_iter().collect()
    } else {
        section.strings("features", example)?.unwrap_or_else(|| vec![FEATURES[0].to_owned()])
    };
    let bits = match section.integer("bits", 1, 1 << 20, "2048")? {
        None => BITS,
        Some(1024) => 1024,
        Some(2048) => 2048,
        Some(other) => return Err(section.value_error("bits", format!("{other} is neither 1024 nor 2048."))),
    };
    let all: Result<Vec<BaselineFeatures>, SuiteError> = words
        .iter()
        .map(|word| match word.as_str() {
            "ecfp4" => Ok(BaselineFeatures::Ecfp4 { bits }),
            "descriptors" => Ok(BaselineFeatures::Descriptors),
            _ => {
                let known = hint(word, &FEATURES);
                Err(section.value_error("features", format!("`{}` are no features.{known}", word.escape_debug())))
            }
        })
        .collect();
    let all = all?;
    if section.has("bits") && !all.iter().any(|features| matches!(features, BaselineFeatures::Ecfp4 { .. })) {
        return Err(section.value_error("bits", "belongs to `ecfp4`; descriptors are not folded. Remove the key."));
    }
    Ok(all)
}

/// Refuses two baselines that tables would call the same.
pub(super) fn different(baselines: &[BaselineEntry]) -> Result<(), SuiteError> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for entry in baselines {
        for features in &entry.features {
            let label = entry.label(*features);
            if let Some(first) = seen.get(&label) {
                let what = format!("the baseline `{label}`");
                return Err(SuiteError::Duplicate { place: entry.place.clone(), first: *first, what });
            }
            seen.insert(label, entry.place.line);
        }
    }
    Ok(())
}
