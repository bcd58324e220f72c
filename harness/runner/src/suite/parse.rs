//! From TOML tables to a [`Suite`].

use std::collections::HashMap;

use clmbench_protocol::{Budget, CostClass, Number, Schedule, ScheduleKind};
use serde_json::Map;
use toml::de::DeTable;

use super::{
    BATCH, Checkpoints, CorpusEntry, DatasetEntry, FinetuneEntry, HELDOUT, LearningRate, MetricEntry, ModelEntry, Place,
    ProtocolEntry, ProtocolKind, Suite, SuiteError, USEFUL_EFFECT, Which,
    reader::{Section, Text},
};
use crate::nearest::hint;

/// Largest count that a suite may name; keeps derived seeds and sums far from overflow.
const LARGEST: u64 = 1_000_000_000_000;
/// Keys of `[[protocol]]`.
const PROTOCOL_KEYS: [&str; 8] = ["kind", "checkpoints", "seeds", "epochs", "lr", "rates", "batch", "patience"];
/// Those that only fine-tuning has.
const FINETUNE_KEYS: [&str; 6] = ["seeds", "epochs", "lr", "rates", "batch", "patience"];
const OUTCOMES: [&str; 3] = ["predicts", "does_not_predict", "cannot_tell"];

pub(super) fn parse(file: &str, toml: &str) -> Result<Suite, SuiteError> {
    let text = Text { file, toml };
    let document = DeTable::parse(toml).map_err(|error| SuiteError::Syntax {
        place: text.place(error.span().map_or(0, |span| span.start)),
        message: error.message().trim_end_matches('.').to_owned(),
    })?;
    let known = ["schema", "suite", "corpus", "model", "checkpoint", "dataset", "metric", "protocol", "fit"];
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

    if let Some((_, offset)) = root.tables("checkpoint")?.first() {
        return Err(SuiteError::NotSupported {
            place: text.place(*offset),
            what: "`[[checkpoint]]` (measuring a published checkpoint)".into(),
            next: "Remove the table; pretrain the models of the suite with `[[model]]`.".into(),
        });
    }
    let corpora = each(text, &root, "corpus", &["name", "sizes", "heldout"], corpus)?;
    let models = each(
        text,
        &root,
        "model",
        &["architecture", "presets", "overrides", "tokens", "checkpoints", "seeds", "lr", "schedule", "batch"],
        model,
    )?;
    let datasets = each(text, &root, "dataset", &["source", "names", "split"], dataset)?;
    let metrics = each(text, &root, "metric", &["id", "select", "budget", "params"], metric)?;
    let mut protocols = each(text, &root, "protocol", &PROTOCOL_KEYS, protocol)?;
    if corpora.is_empty() {
        return Err(root.missing("corpus", "[[corpus]] name = \"mixed\", sizes = [5_000]"));
    }
    if models.is_empty() {
        return Err(root.missing("model", "[[model]] architecture = \"bert\", presets = [\"0.06M\"], tokens = 600_000"));
    }
    if datasets.is_empty() && metrics.is_empty() {
        return Err(root.missing("dataset", "[[dataset]] source = \"moleculenet\", names = [\"freesolv\"]"));
    }
    if protocols.is_empty() {
        protocols.push(ProtocolEntry { kind: ProtocolKind::Probe, checkpoints: Checkpoints::All, place: root.place.clone() });
    }
    unique("corpus", corpora.iter().map(|entry| (entry.name.clone(), &entry.place)))?;
    let named = datasets.iter().flat_map(|entry| entry.names.iter().map(move |name| (entry.source.as_str(), name, &entry.place)));
    unique("dataset", named.map(|(source, name, place)| (format!("{source}/{name}"), place)))?;
    unique("protocol", protocols.iter().map(|entry| (entry.kind.word().to_owned(), &entry.place)))?;

    Ok(Suite {
        file: file.to_owned(),
        toml: toml.to_owned(),
        digest: blake3::hash(toml.as_bytes()).to_hex().to_string(),
        name,
        seed,
        expect,
        useful_effect,
        corpora,
        models,
        datasets,
        metrics,
        protocols,
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
fn check_name(section: &Section<'_>, key: &str, name: &str) -> Result<(), SuiteError> {
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

fn corpus(section: &Section<'_>) -> Result<CorpusEntry, SuiteError> {
    let name = section.string("name", "mixed")?.ok_or_else(|| section.missing("name", "name = \"mixed\""))?;
    check_name(section, "name", &name)?;
    let example = "sizes = [5_000, 20_000]";
    Ok(CorpusEntry {
        name,
        sizes: section.integers("sizes", 1, LARGEST, example)?.ok_or_else(|| section.missing("sizes", example))?,
        heldout: section.integer("heldout", 1, LARGEST, "4096")?.unwrap_or(HELDOUT),
        place: section.place.clone(),
    })
}

fn model(section: &Section<'_>) -> Result<ModelEntry, SuiteError> {
    let example = "architecture = \"bert\"";
    let architecture = section.string("architecture", "bert")?.ok_or_else(|| section.missing("architecture", example))?;
    let presets = section.strings("presets", "presets = [\"0.06M\"]")?.unwrap_or_default();
    let overrides = section.value_tables("overrides", "overrides = [{ layers = 2, width = 64 }]")?.unwrap_or_default();
    if presets.is_empty() && overrides.is_empty() {
        return Err(section.missing("presets", "presets = [\"0.06M\"]` or `overrides = [{ layers = 2, width = 64 }]"));
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
        batch: narrow(section.integer("batch", 1, 1_000_000, "64")?, BATCH),
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
        Some(rate) => {
            Err(section.value_error("lr", format!("{rate} is not a learning rate; write `\"preset\"` or, for example, `1e-3`.")))
        }
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

fn dataset(section: &Section<'_>) -> Result<DatasetEntry, SuiteError> {
    let source = section.string("source", "moleculenet")?.ok_or_else(|| section.missing("source", "source = \"moleculenet\""))?;
    let example = "names = [\"freesolv\"]";
    let names = section.strings("names", example)?.ok_or_else(|| section.missing("names", example))?;
    let split = section.string("split", "scaffold")?.unwrap_or_else(|| "scaffold".into());
    if split != "scaffold" {
        return Err(SuiteError::NotSupported {
            place: section.place_of("split"),
            what: format!("`split = \"{}\"`", split.escape_debug()),
            next: "Write `split = \"scaffold\"`.".into(),
        });
    }
    Ok(DatasetEntry { source, names, split, place: section.place.clone() })
}

fn metric(section: &Section<'_>) -> Result<MetricEntry, SuiteError> {
    let params = section.values("params", "params = { probes = 8 }")?;
    let which = match (section.string("id", "loss/mlm_loss")?, section.string("select", "cost:cheap")?) {
        (Some(id), None) => Which::Id(id),
        (None, Some(_)) if params.is_some() => {
            return Err(section.value_error("params", "parameters belong to one metric; name it with `id` instead of `select`."));
        }
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

fn protocol(section: &Section<'_>) -> Result<ProtocolEntry, SuiteError> {
    let kind = section.string("kind", "probe")?.ok_or_else(|| section.missing("kind", "kind = \"probe\""))?;
    let (kind, usual) = match kind.as_str() {
        "probe" => {
            if let Some(key) = FINETUNE_KEYS.into_iter().find(|key| section.has(key)) {
                let message = "a probe has a closed form: it has no seeds, epochs or learning rates. Remove the key.";
                return Err(section.value_error(key, message));
            }
            (ProtocolKind::Probe, Checkpoints::All)
        }
        "finetune" => (ProtocolKind::Finetune(finetune(section)?), Checkpoints::Final),
        _ => {
            let known = hint(&kind, &["probe", "finetune"]);
            return Err(section.value_error("kind", format!("`{}` is not a protocol.{known}", kind.escape_debug())));
        }
    };
    let checkpoints = match section.string("checkpoints", "final")?.as_deref() {
        None => usual,
        Some("all") => Checkpoints::All,
        Some("final") => Checkpoints::Final,
        Some(other) => {
            let known = hint(other, &["all", "final"]);
            return Err(section.value_error("checkpoints", format!("`{}` is not known.{known}", other.escape_debug())));
        }
    };
    Ok(ProtocolEntry { kind, checkpoints, place: section.place.clone() })
}

fn finetune(section: &Section<'_>) -> Result<FinetuneEntry, SuiteError> {
    let usual = FinetuneEntry::default();
    let is_rate = |rate: f64| rate > 0.0 && rate < 10.0;
    let not_a_rate = |key: &str, rate: f64| section.value_error(key, format!("{rate} is not a learning rate, such as 3e-4."));
    let fixed = if section.is_string("lr") {
        match section.string("lr", "search")?.as_deref() {
            Some("search") => None,
            _ => return Err(section.value_error("lr", "must be `\"search\"` (on validation) or a number, such as `lr = 3e-4`.")),
        }
    } else {
        section.float("lr", "\"search\"` or `3e-4")?
    };
    let searched = fixed.is_none();
    let learning_rates = match (fixed, section.floats("rates", "rates = [1e-4, 3e-4, 1e-3]")?) {
        (Some(_), Some(_)) => return Err(section.value_error("rates", "stands beside a fixed `lr`; keep one of the two.")),
        (Some(rate), None) if is_rate(rate) => vec![rate],
        (Some(rate), None) => return Err(not_a_rate("lr", rate)),
        (None, Some(rates)) => match rates.iter().copied().find(|rate| !is_rate(*rate)) {
            Some(rate) => return Err(not_a_rate("rates", rate)),
            None => rates,
        },
        (None, None) => usual.learning_rates,
    };
    let count = |key: &str, from: u64, to: u64, default: u32| -> Result<u32, SuiteError> {
        Ok(section.integer(key, from, to, &default.to_string())?.and_then(|number| u32::try_from(number).ok()).unwrap_or(default))
    };
    Ok(FinetuneEntry {
        learning_rates,
        searched,
        epochs: count("epochs", 1, 10_000, usual.epochs)?,
        seeds: count("seeds", 1, 1000, usual.seeds)?,
        batch: count("batch", 1, 1_000_000, usual.batch)?,
        patience: count("patience", 0, 10_000, usual.patience)?,
    })
}
