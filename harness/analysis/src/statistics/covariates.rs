//! What else is known of the runs of a fit: size, tokens, corpus and held-out loss.

use std::collections::BTreeMap;

use clmbench_stats::Refusal;
use clmbench_store::RunRow;

use super::Fitted;
use crate::{inputs::Inputs, learning::heldout_loss};

/// Name of the covariate.
pub(super) const SIZE: &str = "log non-embedding parameters";
/// Name of the covariate.
pub(super) const LOSS: &str = "held-out loss";

/// A covariate with one value a run.
pub(super) type Covariate = (&'static str, Vec<f64>);

/// Log non-embedding parameters.
pub(super) fn size(fitted: &Fitted<'_>) -> Covariate {
    (SIZE, fitted.runs.iter().map(|run| (run.non_embedding_parameters as f64).ln()).collect())
}

/// Logs of size, tokens and corpus size: the trivial predictors.
pub(super) fn trivial(fitted: &Fitted<'_>) -> Result<Vec<Covariate>, Refusal> {
    let logs = |get: fn(&RunRow) -> Option<u64>| -> Option<Vec<f64>> {
        fitted.runs.iter().map(|run| get(run).map(|count| (count as f64).ln())).collect()
    };
    match (logs(|run| run.tokens), logs(|run| run.corpus_molecules)) {
        (Some(tokens), Some(corpus)) => Ok(vec![size(fitted), ("log tokens", tokens), ("log corpus size", corpus)]),
        _ => Err(Refusal::NoValues { what: "tokens and corpus of a checkpoint of others are not known".to_owned() }),
    }
}

/// Held-out losses of last checkpoints, by held-out sample and run: value and standard error.
pub(super) struct Losses<'a>(BTreeMap<&'a str, BTreeMap<&'a str, (f64, f64)>>);

impl<'a> Losses<'a> {
    /// Of several budgets the most precise counts.
    pub fn of(inputs: &'a Inputs) -> Self {
        let objectives: BTreeMap<&str, &str> =
            inputs.runs.iter().map(|run| (run.run.as_str(), heldout_loss(run.objective))).collect();
        let mut losses: BTreeMap<&str, BTreeMap<&str, (f64, f64)>> = BTreeMap::new();
        let known = |row: &&clmbench_store::MetricRow| {
            row.primary && row.last && row.value.is_finite() && objectives.get(row.run.as_str()) == Some(&row.metric.as_str())
        };
        for row in inputs.metrics.iter().filter(known) {
            let of_sample = losses.entry(&row.heldout_digest).or_default();
            let found = (row.value, row.std_error);
            let kept = of_sample.entry(&row.run).or_insert(found);
            if found.1 < kept.1 {
                *kept = found;
            }
        }
        Self(losses)
    }

    /// Losses of the runs of a fit, all on one held-out sample: that of its pool, or the first on which all were measured.
    pub fn column(&self, fitted: &Fitted<'_>) -> Result<Covariate, Refusal> {
        let own = fitted.details.pool.evaluation_digest.as_deref();
        let samples = self.0.iter().filter(|(sample, _)| own.is_none_or(|own| own == **sample)).map(|(_, of_sample)| of_sample);
        let column = |of_sample: &BTreeMap<&str, (f64, f64)>| -> Option<Vec<f64>> {
            fitted.runs.iter().map(|run| of_sample.get(run.run.as_str()).map(|(value, _)| *value)).collect()
        };
        let missing = || Refusal::NoValues { what: "the held-out loss of some run was not measured".to_owned() };
        samples.into_iter().find_map(column).map(|values| (LOSS, values)).ok_or_else(missing)
    }
}
