//! `[[baseline]]` tables: models without a CLM, which scores are compared with.

use std::collections::HashMap;

use clmbench_protocol::{BaselineFeatures, BaselineModel, BaselineProtocol, Criterion, Growth, Number};

use super::{DatasetEntry, Place, SuiteError, reader::Section};
use crate::nearest::hint;

/// Keys of `[[baseline]]`.
pub(super) const KEYS: [&str; 10] =
    ["model", "features", "bits", "datasets", "seeds", "trees", "growth", "rounds", "lr", "depth"];
/// Keys of its `growth`.
pub(super) const GROWTH_KEYS: [&str; 4] = ["min_samples_split", "criterion", "bootstrap", "balanced"];
/// Criteria, as suites name them.
const CRITERIA: [&str; 3] = ["variance", "entropy", "absolute_error"];
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
const TREES: u32 = clmbench_protocol::USUAL_TREES;
/// Rounds, learning rate and depth of boosting when the suite is silent.
const BOOSTING: (u32, f64, u32) = clmbench_protocol::USUAL_BOOSTING;
/// L2 strengths that a probe and a linear baseline try on the validation molecules: the powers of ten from 1e-4 to 1e8.
pub(crate) const STRENGTHS: [f64; 13] = [1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/// A `[[baseline]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineEntry {
    /// What is fitted.
    pub model: BaselineModel,
    /// To what; one baseline each.
    pub features: Vec<BaselineFeatures>,
    /// Names of the datasets that it is fitted to; none = all of the suite.
    pub datasets: Option<Vec<String>>,
    /// Seeds of a forest; 1 for a model without one.
    pub seeds: u32,
    /// Where it is written.
    pub place: Place,
}

impl BaselineEntry {
    /// Whether it is fitted to a dataset of this name.
    pub fn takes(&self, dataset: &str) -> bool {
        self.datasets.as_ref().is_none_or(|names| names.iter().any(|name| name == dataset))
    }

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
        "random_forest" => BaselineModel::RandomForest { trees: count("trees", 1, 10_000, TREES)?, growth: growth(section)? },
        "boosting" => BaselineModel::Boosting {
            rounds: count("rounds", 1, 10_000, rounds)?,
            learning_rate: Number(learning_rate(section, rate)?),
            depth: count("depth", 1, 30, depth)?,
        },
        _ => BaselineModel::Linear { strengths: STRENGTHS.map(Number).to_vec() },
    };
    Ok(BaselineEntry {
        model,
        features: features(section)?,
        datasets: section.strings("datasets", "datasets = [\"freesolv\"]")?,
        seeds: count("seeds", 1, 1000, 1)?,
        place: section.place.clone(),
    })
}

/// How the trees of a forest grow.
fn growth(section: &Section<'_>) -> Result<Growth, SuiteError> {
    let usual = Growth::default();
    let Some(table) = section.section("growth", &GROWTH_KEYS, "growth = { min_samples_split = 32 }")? else { return Ok(usual) };
    let split = table.integer("min_samples_split", 2, 1_000_000, "32")?.and_then(|number| u32::try_from(number).ok());
    let criterion = match table.string("criterion", "variance")?.as_deref() {
        None | Some("variance") => Criterion::Variance,
        Some("entropy") => Criterion::Entropy,
        Some("absolute_error") => Criterion::AbsoluteError,
        Some(other) => {
            let known = hint(other, &CRITERIA);
            return Err(table.value_error("criterion", format!("`{}` is not a criterion.{known}", other.escape_debug())));
        }
    };
    Ok(Growth {
        min_samples_split: split.unwrap_or(usual.min_samples_split),
        criterion,
        bootstrap: table.boolean("bootstrap", "bootstrap = false")?.unwrap_or(usual.bootstrap),
        balanced: table.boolean("balanced", "balanced = true")?.unwrap_or(usual.balanced),
    })
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

/// Refuses two baselines of one dataset that tables would call the same, and datasets that the suite does not have.
pub(super) fn different(baselines: &[BaselineEntry], datasets: &[DatasetEntry]) -> Result<(), SuiteError> {
    let all: Vec<&str> = datasets.iter().flat_map(|entry| &entry.names).map(String::as_str).collect();
    let mut seen: HashMap<(String, &str), usize> = HashMap::new();
    for entry in baselines {
        if let Some(name) = entry.datasets.iter().flatten().find(|name| !all.contains(&name.as_str())) {
            let (place, key, table) = (entry.place.clone(), "datasets".to_owned(), "[[baseline]]".to_owned());
            let message = format!("no `[[dataset]]` of the suite is `{}`.{}", name.escape_debug(), hint(name, &all));
            return Err(SuiteError::Value { place, table, key, message });
        }
        for features in &entry.features {
            for dataset in all.iter().filter(|dataset| entry.takes(dataset)) {
                let label = entry.label(*features);
                let what = format!("the baseline `{label}` of `{dataset}`");
                if let Some(first) = seen.insert((label, dataset), entry.place.line).filter(|line| *line != entry.place.line) {
                    return Err(SuiteError::Duplicate { place: entry.place.clone(), first, what });
                }
            }
        }
    }
    Ok(())
}
