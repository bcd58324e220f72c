//! From TOML tables to a [`Suite`].

use std::collections::HashMap;

use clmbench_protocol::{Budget, CostClass, Number, Precision, Schedule, ScheduleKind};
use serde_json::Map;
use toml::de::DeTable;

use super::{
    BATCH, Checkpoints, LearningRate, MetricEntry, ModelEntry, Place, PrecisionChoice, ProtocolEntry, ProtocolKind, Suite,
    SuiteError, USEFUL_EFFECT, Which, baseline, checkpoint, corpus, dataset, gate, protocol,
    reader::{Section, Text},
};
use crate::nearest::hint;

/// Largest count that a suite may name; keeps derived seeds and sums far from overflow.
pub(super) const LARGEST: u64 = 1_000_000_000_000;
/// Keys of `[[model]]`.
pub(super) const MODEL_KEYS: [&str; 12] = [
    "architecture",
    "presets",
    "overrides",
    "tokens",
    "checkpoints",
    "seeds",
    "lr",
    "schedule",
    "batch",
    "accumulate",
    "mask_ratio",
    "precision",
];
const OUTCOMES: [&str; 3] = ["predicts", "does_not_predict", "cannot_tell"];

pub(super) fn parse(file: &str, toml: &str) -> Result<Suite, SuiteError> {
    let text = Text { file, toml };
    let document = DeTable::parse(toml).map_err(|error| SuiteError::Syntax {
        place: text.place(error.span().map_or(0, |span| span.start)),
        message: error.message().trim_end_matches('.').to_owned(),
    })?;
    let known = ["schema", "suite", "corpus", "model", "checkpoint", "dataset", "metric", "protocol", "baseline", "fit", "gate"];
    let root = Section::open(text, "the suite", document.get_ref(), 0, &known)?;
    check_schema(&root)?;

    let (table, offset) = root.table("suite")?.ok_or_else(|| root.missing("suite", "[suite]"))?;
    let suite = Section::open(text, "[suite]", table, offset, &["name", "seed", "expect"])?;
    let name = suite.string("name", "demo")?.ok_or_else(|| suite.missing("name", "name = \"demo\""))?;
    check_name(&suite, "name", &name)?;
    let seed = suite.integer("seed", 0, LARGEST, "7")?.unwrap_or(0);
    let expect = suite.string("expect", "cannot_tell")?;
    if let Some(word) = expect.as_deref().filter(|word| !OUTCOMES.contains(word)) {
        return Err(suite.value_error("expect", format!("`{word}` is not an outcome.{}", hint(word, &OUTCOMES))));
    }

    let useful_effect = match root.table("fit")? {
        Some((table, offset)) => {
            let fit = Section::open(text, "[fit]", table, offset, &["useful_effect"])?;
            let effect = fit.float("useful_effect", "0.5")?.unwrap_or(USEFUL_EFFECT);
            if !(effect > 0.0 && effect < 1.0) {
                return Err(fit.value_error("useful_effect", format!("{effect} is not between 0 and 1 (a rank correlation).")));
            }
            effect
        }
        None => USEFUL_EFFECT,
    };

    let margins = gate::margins(text, &root)?;

    let corpora = each(text, &root, "corpus", &corpus::KEYS, corpus::corpus)?;
    let models = each(text, &root, "model", &MODEL_KEYS, model)?;
    let checkpoints = each(text, &root, "checkpoint", &checkpoint::KEYS, checkpoint::checkpoint)?;
    let datasets = each(text, &root, "dataset", &dataset::KEYS, dataset::dataset)?;
    let metrics = each(text, &root, "metric", &["id", "select", "budget", "params"], metric)?;
    let mut protocols = each(text, &root, "protocol", &protocol::KEYS, protocol::protocol)?;
    let baselines = each(text, &root, "baseline", &baseline::KEYS, baseline::baseline)?;
    let nothing_of_models = models.is_empty() && checkpoints.is_empty() && metrics.is_empty() && protocols.is_empty();
    let alone = !baselines.is_empty() && corpora.is_empty() && nothing_of_models;
    // Checkpoints of others need no corpus: without one they are transferred, and not measured.
    if corpora.is_empty() && !alone && (checkpoints.is_empty() || !models.is_empty()) {
        return Err(root.missing("corpus", "[[corpus]] name = \"mixed\", sizes = [5_000]"));
    }
    if models.is_empty() && checkpoints.is_empty() && !alone {
        return Err(root.missing("model", "[[model]] architecture = \"bert\", presets = [\"0.06M\"], tokens = 600_000"));
    }
    if datasets.is_empty() && (metrics.is_empty() || !baselines.is_empty()) {
        return Err(root.missing("dataset", "[[dataset]] source = \"moleculenet\", names = [\"freesolv\"]"));
    }
    if protocols.is_empty() && !(models.is_empty() && checkpoints.is_empty()) {
        protocols.push(ProtocolEntry { kind: ProtocolKind::Probe, checkpoints: Checkpoints::All, place: root.place.clone() });
    }
    unique("corpus", corpora.iter().map(|entry| (entry.name.clone(), &entry.place)))?;
    unique("checkpoint", checkpoints.iter().map(|entry| (entry.name.clone(), &entry.place)))?;
    dataset::different(&datasets)?;
    baseline::different(&baselines, &datasets)?;
    unique("protocol", protocols.iter().map(|entry| (entry.kind.word().to_owned(), &entry.place)))?;

    Ok(Suite {
        file: file.to_owned(),
        toml: toml.to_owned(),
        digest: blake3::hash(toml.as_bytes()).to_hex().to_string(),
        name,
        seed,
        expect,
        useful_effect,
        margins,
        corpora,
        models,
        checkpoints,
        datasets,
        metrics,
        protocols,
        baselines,
    })
}

fn check_schema(root: &Section<'_>) -> Result<(), SuiteError> {
    match root.integer("schema", 0, LARGEST, "1")? {
        None => Err(root.missing("schema", "schema = 1")),
        Some(1) => Ok(()),
        Some(found) => Err(SuiteError::Schema {
            place: root.place_of("schema"),
            found: i64::try_from(found).unwrap_or(i64::MAX),
            next: if found > 1 { "Update clmbench." } else { "Write `schema = 1`." }.into(),
        }),
    }
}

/// Names become parts of keys, paths and columns: letters, digits, `-`, `_` and `.`.
pub(super) fn check_name(section: &Section<'_>, key: &str, name: &str) -> Result<(), SuiteError> {
    let fits = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    if fits && name.len() <= 64 && !name.starts_with('.') {
        return Ok(());
    }
    Err(section.value_error(key, format!("`{}` must be 1 to 64 letters, digits, `-`, `_` or `.`.", name.escape_debug())))
}

fn each<'a, T>(
    text: Text<'a>,
    root: &Section<'a>,
    key: &str,
    allowed: &[&str],
    read: impl Fn(&Section<'a>) -> Result<T, SuiteError>,
) -> Result<Vec<T>, SuiteError> {
    let name = format!("[[{key}]]");
    let tables = root.tables(key)?;
    tables.into_iter().map(|(table, offset)| read(&Section::open(text, &name, table, offset, allowed)?)).collect()
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = (String, &'a Place)>) -> Result<(), SuiteError> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (name, place) in names {
        if let Some(first) = seen.get(&name) {
            return Err(SuiteError::Duplicate { place: place.clone(), first: *first, what: format!("{kind} `{name}`") });
        }
        seen.insert(name, place.line);
    }
    Ok(())
}

fn model(section: &Section<'_>) -> Result<ModelEntry, SuiteError> {
    let example = "architecture = \"bert\"";
    let architecture = section.string("architecture", "bert")?.ok_or_else(|| section.missing("architecture", example))?;
    let presets = section.strings("presets", "presets = [\"0.06M\"]")?.unwrap_or_default();
    let overrides = section.value_tables("overrides", "overrides = [{ layers = 2, width = 64 }]")?.unwrap_or_default();
    if presets.is_empty() && overrides.is_empty() {
        return Err(section.missing("presets", "presets = [\"0.06M\"]` or `overrides = [{ layers = 2, width = 64 }]"));
    }
    let batch = section.integer("batch", 1, 1_000_000, "64")?.unwrap_or(BATCH.into());
    let accumulate = section.integer("accumulate", 1, 1_000_000, "4")?.unwrap_or(1);
    if accumulate > batch {
        let message = format!("{accumulate} parts of a batch of {batch} would be empty; at most {batch}.");
        return Err(section.value_error("accumulate", message));
    }
    let narrow = |number: Option<u64>, default: u32| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default);
    Ok(ModelEntry {
        architecture,
        presets,
        overrides,
        tokens: section.integer("tokens", 1, LARGEST, "600_000")?.ok_or_else(|| section.missing("tokens", "tokens = 600_000"))?,
        checkpoints: narrow(section.integer("checkpoints", 1, 1000, "2")?, 1),
        seeds: narrow(section.integer("seeds", 1, 1000, "1")?, 1),
        learning_rate: learning_rate(section)?,
        schedule: schedule(section)?,
        batch: narrow(Some(batch), BATCH),
        accumulate: narrow(Some(accumulate), 1),
        mask_ratio: mask_ratio(section)?,
        precision: precision(section)?,
        place: section.place.clone(),
    })
}

fn learning_rate(section: &Section<'_>) -> Result<LearningRate, SuiteError> {
    if section.is_string("lr") {
        return match section.string("lr", "preset")?.as_deref() {
            Some("preset") => Ok(LearningRate::Preset),
            _ => Err(section
                .value_error("lr", "must be `\"preset\"` (the rate found for each size) or a number, such as `lr = 1e-3`.")),
        };
    }
    match section.float("lr", "\"preset\"` or `1e-3")? {
        None => Ok(LearningRate::Preset),
        Some(rate) if rate > 0.0 && rate < 10.0 => Ok(LearningRate::Fixed(rate)),
        Some(rate) => Err(section.value_error(
            "lr",
            format!("{rate} is not a learning rate between 0 and 10; write `\"preset\"` or, for example, `1e-3`."),
        )),
    }
}

fn schedule(section: &Section<'_>) -> Result<Schedule, SuiteError> {
    let word = section.string("schedule", "constant-with-cooldown")?.unwrap_or_else(|| "constant-with-cooldown".into());
    match word.replace('_', "-").as_str() {
        "constant-with-cooldown" => {
            Ok(Schedule { kind: ScheduleKind::ConstantWithCooldown, warmup: Number(0.05), cooldown: Number(0.15) })
        }
        "cosine" => Ok(Schedule { kind: ScheduleKind::Cosine, warmup: Number(0.05), cooldown: Number(0.0) }),
        _ => {
            let known = hint(&word, &["constant-with-cooldown", "cosine"]);
            Err(section.value_error("schedule", format!("`{}` is not a schedule.{known}", word.escape_debug())))
        }
    }
}

fn mask_ratio(section: &Section<'_>) -> Result<Option<f64>, SuiteError> {
    match section.float("mask_ratio", "0.15")? {
        Some(ratio) if !(0.01..=0.9).contains(&ratio) => {
            Err(section.value_error("mask_ratio", format!("{ratio} is outside 0.01 to 0.9 (the share of tokens to predict).")))
        }
        ratio => Ok(ratio),
    }
}

fn precision(section: &Section<'_>) -> Result<PrecisionChoice, SuiteError> {
    match section.string("precision", "auto")?.as_deref() {
        None | Some("auto") => Ok(PrecisionChoice::Auto),
        Some("float32") => Ok(PrecisionChoice::Fixed(Precision::Float32)),
        Some("bfloat16") => Ok(PrecisionChoice::Fixed(Precision::Bfloat16)),
        Some(other) => {
            let known = hint(other, &["auto", "float32", "bfloat16"]);
            Err(section.value_error("precision", format!("`{}` is not a precision.{known}", other.escape_debug())))
        }
    }
}

fn metric(section: &Section<'_>) -> Result<MetricEntry, SuiteError> {
    let params = section.values("params", "params = { probes = 8 }")?;
    let which = match (section.string("id", "loss/mlm_loss")?, section.string("select", "cost:cheap")?) {
        (Some(id), None) => Which::Id(id),
        (None, Some(select)) => selection(section, &select)?,
        (Some(_), Some(_)) => return Err(section.value_error("select", "stands beside `id`; keep one of the two.")),
        (None, None) => return Err(section.missing("id", "id = \"loss/mlm_loss\"` or `select = \"cost:cheap\"")),
    };
    let word = section.string("budget", "standard")?.unwrap_or_else(|| "standard".into());
    let budget = match word.as_str() {
        "quick" => Budget::Quick,
        "standard" => Budget::Standard,
        "thorough" => Budget::Thorough,
        _ => {
            let known = hint(&word, &["quick", "standard", "thorough"]);
            return Err(section.value_error("budget", format!("`{}` is not a budget.{known}", word.escape_debug())));
        }
    };
    Ok(MetricEntry { which, budget, params: params.unwrap_or_else(Map::new), place: section.place.clone() })
}

fn selection(section: &Section<'_>, select: &str) -> Result<Which, SuiteError> {
    match select.split_once(':') {
        None if select == "all" => Ok(Which::All),
        Some(("family", family)) if !family.is_empty() => Ok(Which::Family(family.to_owned())),
        Some(("cost", cost)) => match cost {
            "free" => Ok(Which::Cost(CostClass::Free)),
            "cheap" => Ok(Which::Cost(CostClass::Cheap)),
            "moderate" => Ok(Which::Cost(CostClass::Moderate)),
            "expensive" => Ok(Which::Cost(CostClass::Expensive)),
            _ => {
                let known = hint(cost, &["free", "cheap", "moderate", "expensive"]);
                Err(section.value_error("select", format!("`{}` is not a cost.{known}", cost.escape_debug())))
            }
        },
        _ => Err(section.value_error(
            "select",
            format!("`{}` selects nothing; write `all`, `cost:cheap` or `family:trivial`.", select.escape_debug()),
        )),
    }
}
