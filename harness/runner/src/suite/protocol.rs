//! `[[protocol]]` tables: how transfer is measured.

use super::{Place, SuiteError, reader::Section};
use crate::nearest::hint;

/// Keys of `[[protocol]]`.
pub(super) const KEYS: [&str; 8] = ["kind", "checkpoints", "seeds", "epochs", "lr", "rates", "batch", "patience"];
/// Those that only fine-tuning has.
const FINETUNE_KEYS: [&str; 6] = ["seeds", "epochs", "lr", "rates", "batch", "patience"];

/// A `[[protocol]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtocolEntry {
    /// How transfer is measured.
    pub kind: ProtocolKind,
    /// Which annealed checkpoints are transferred.
    pub checkpoints: Checkpoints,
    /// Where it is written.
    pub place: Place,
}

/// How transfer is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum ProtocolKind {
    /// Frozen encoder, ridge or logistic regression on mean-pooled hidden states.
    Probe,
    /// All weights.
    Finetune(FinetuneEntry),
}

/// What a `[[protocol]]` table says of fine-tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct FinetuneEntry {
    /// Peak learning rates tried.
    pub learning_rates: Vec<f64>,
    /// Whether they are a search; else the suite fixed one.
    pub searched: bool,
    /// Most epochs.
    pub epochs: u32,
    /// Transfer seeds.
    pub seeds: u32,
    /// Molecules a step.
    pub batch: u32,
    /// Epochs without a better validation score before a training ends; 0 = never before the last.
    pub patience: u32,
}

impl Default for FinetuneEntry {
    fn default() -> Self {
        Self { learning_rates: vec![1e-4, 3e-4, 1e-3], searched: true, epochs: 20, seeds: 1, batch: 32, patience: 5 }
    }
}

impl ProtocolKind {
    /// The word in suites, keys and tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Finetune(_) => "finetune",
        }
    }
}

/// Which annealed checkpoints of a run a protocol takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// All.
    All,
    /// The last.
    Final,
}

/// Reads a `[[protocol]]` table.
pub(super) fn protocol(section: &Section<'_>) -> Result<ProtocolEntry, SuiteError> {
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
