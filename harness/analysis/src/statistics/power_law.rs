//! Kind `power_law`: how the held-out loss falls with size, tokens, corpus or computation.
//!
//! One point a run, at its last annealed checkpoint; what else could move the loss is the same within a group, and all runs share
//! tokenizer, objective and held-out sample. The exponent's error is over runs: pretraining seeds of one configuration are points of
//! their own.

use std::collections::BTreeMap;

use clmbench_protocol::{Number, Objective};
use clmbench_stats::power_law;
use clmbench_store::StatisticRow;
use serde::{Deserialize, Serialize};

use crate::{
    AnalysisError,
    inputs::Inputs,
    losses::{CheckpointLoss, losses},
};

/// The kind of these rows.
pub const POWER_LAW: &str = "power_law";

/// What a loss is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Along {
    /// Parameters without embeddings.
    Size,
    /// Tokens trained on.
    Tokens,
    /// Molecules of the corpus subset.
    Corpus,
    /// 6 x parameters x tokens.
    Compute,
}

impl Along {
    /// All, in the order of figures.
    pub const ALL: [Self; 4] = [Self::Size, Self::Tokens, Self::Corpus, Self::Compute];

    /// Its word in the name of a row: `size`, `tokens`, `corpus`, `compute`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Tokens => "tokens",
            Self::Corpus => "corpus",
            Self::Compute => "compute",
        }
    }

    /// The value of a checkpoint, if it is known and above 0.
    pub fn value(self, loss: &CheckpointLoss) -> Option<f64> {
        let value = match self {
            Self::Size => Some(loss.parameters as f64),
            Self::Tokens => loss.tokens.map(|tokens| tokens as f64),
            Self::Corpus => loss.corpus_molecules.map(|molecules| molecules as f64),
            Self::Compute => loss.training_flops,
        };
        value.filter(|value| value.is_finite() && *value > 0.0)
    }

    /// What the runs of one line share, such as `bert, mixed 2000, 750000 tokens`.
    pub fn group(self, loss: &CheckpointLoss) -> String {
        let corpus =
            loss.corpus_molecules.map_or_else(|| loss.corpus.clone(), |molecules| format!("{} {molecules}", loss.corpus));
        let tokens = loss.run_tokens.map_or_else(|| "unknown tokens".to_owned(), |tokens| format!("{tokens} tokens"));
        let size = format!("{} parameters", loss.parameters);
        let architecture = loss.architecture.clone();
        let parts = match self {
            Self::Size => vec![architecture, corpus, tokens],
            Self::Tokens => vec![architecture, size, corpus],
            Self::Corpus => vec![architecture, size, tokens],
            Self::Compute => vec![architecture, corpus],
        };
        parts.join(", ")
    }
}

/// What losses must share to be compared.
pub fn loss_pool(loss: &CheckpointLoss) -> String {
    let short = |digest: &str| digest.chars().take(8).collect::<String>();
    let objective = match loss.objective {
        Objective::MaskedLm => "masked_lm",
        Objective::CausalLm => "causal_lm",
    };
    format!("{objective} tokenizer:{} sample:{}", short(&loss.tokenizer_digest), short(&loss.heldout_digest))
}

/// What a row's exponent belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerLawDetails {
    /// Factor.
    pub a: Number,
    /// Constant; 0 without.
    pub c: Number,
    /// Whether the constant was fitted.
    pub with_constant: bool,
    /// Why it was not.
    pub without_constant_because: Option<String>,
    /// Different values across.
    pub distinct: usize,
}

/// A row a group and axis: name `exponent_<axis>`, term the group.
pub(super) fn rows(inputs: &Inputs) -> Result<Vec<StatisticRow>, AnalysisError> {
    let all = losses(&inputs.runs, &inputs.metrics, &[]);
    let mut found = Vec::new();
    for along in Along::ALL {
        let mut groups: BTreeMap<(String, String), Vec<(f64, &CheckpointLoss)>> = BTreeMap::new();
        for loss in all.iter().filter(|loss| loss.last && loss.annealed) {
            if let Some(value) = along.value(loss) {
                groups.entry((loss_pool(loss), along.group(loss))).or_default().push((value, loss));
            }
        }
        for ((pool, group), points) in groups {
            let x: Vec<f64> = points.iter().map(|(value, _)| *value).collect();
            let y: Vec<f64> = points.iter().map(|(_, loss)| loss.loss).collect();
            let mut row = StatisticRow {
                kind: POWER_LAW.to_owned(),
                metric: Some(points[0].1.metric.clone()),
                pool: Some(pool),
                name: format!("exponent_{}", along.word()),
                term: Some(group),
                n: points.len() as u32,
                ..StatisticRow::default()
            };
            match power_law(&x, &y) {
                Ok(fit) => {
                    row.value = Some(fit.b);
                    row.std_error = Some(fit.std_error);
                    if fit.n >= clmbench_stats::SMALLEST_N_FOR_INTERVALS {
                        (row.low90, row.high90) = (Some(fit.interval90.0), Some(fit.interval90.1));
                        (row.low95, row.high95) = (Some(fit.interval95.0), Some(fit.interval95.1));
                    }
                    let details = PowerLawDetails {
                        a: fit.a.into(),
                        c: fit.c.into(),
                        with_constant: fit.with_constant,
                        without_constant_because: fit.without_constant_because,
                        distinct: fit.distinct,
                    };
                    // A struct of numbers and words can always be written.
                    row.details_json = serde_json::to_string(&details).ok();
                }
                Err(refusal) => (row.refusal, row.reason) = (Some(refusal.word().to_owned()), Some(refusal.to_string())),
            }
            found.push(row);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample::suite;

    #[test]
    fn exponents_are_found_within_groups_and_too_few_sizes_are_refused() {
        let mut inputs = suite(12);
        for (index, run) in inputs.runs.iter_mut().enumerate() {
            run.non_embedding_parameters = 10_000 * 2u64.pow(index as u32 % 4);
            (run.corpus_molecules, run.tokens, run.corpus) = (Some(5_000), Some(1_000_000), "mixed".into());
        }
        let sizes: BTreeMap<String, f64> =
            inputs.runs.iter().map(|run| (run.run.clone(), run.non_embedding_parameters as f64)).collect();
        for row in inputs.metrics.iter_mut().filter(|row| row.metric == "loss/mlm_loss") {
            row.value = 20.0 * sizes[&row.run].powf(-0.2);
        }
        let rows = rows(&inputs).unwrap();
        let of = |name: &str| rows.iter().filter(|row| row.name == name).collect::<Vec<_>>();
        let [size] = of("exponent_size")[..] else { unreachable!("{rows:?}") };
        assert!((size.value.unwrap() - 0.2).abs() < 1e-9 && size.n == 12, "{size:?}");
        assert!(size.term.as_deref().unwrap().ends_with("mixed 5000, 1000000 tokens"), "{size:?}");
        let details: PowerLawDetails = serde_json::from_str(size.details_json.as_deref().unwrap()).unwrap();
        assert!((details.a.0 - 20.0).abs() < 1e-6 && !details.with_constant && details.distinct == 4);
        assert_eq!(of("exponent_corpus").len(), 4, "a group a size");
        assert!(of("exponent_corpus").iter().all(|row| row.refusal.as_deref() == Some("few_distinct") && row.value.is_none()));
    }
}
