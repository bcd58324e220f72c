//! What else is known of the runs of a fit: size, held-out loss, and which differ by the pretraining seed alone.

use std::collections::BTreeMap;

use clmbench_stats::Refusal;
use clmbench_store::MetricRow;

use super::Fitted;
use crate::{
    inputs::Inputs,
    learning::heldout_loss,
    trivial::{self, Covariate},
    variant::Variant,
};

/// Name of the covariate.
pub(super) const LOSS: &str = "held-out loss";

/// Log non-embedding parameters.
pub(super) fn size(fitted: &Fitted<'_>) -> Covariate {
    trivial::size(fitted.runs.iter().copied())
}

/// Held-out losses of last annealed checkpoints, by held-out sample and setting of the metric, then by run: value and standard error.
pub(super) struct Losses<'a>(BTreeMap<(&'a str, Variant), OfRuns<'a>>);

/// Value and standard error by run.
type OfRuns<'a> = BTreeMap<&'a str, (f64, f64)>;

impl<'a> Losses<'a> {
    /// Settings (mask share, budget) stand apart: losses at different ones are different quantities.
    pub fn of(inputs: &'a Inputs) -> Self {
        let objectives: BTreeMap<&str, &str> =
            inputs.runs.iter().map(|run| (run.run.as_str(), heldout_loss(run.objective))).collect();
        let mut losses: BTreeMap<(&str, Variant), OfRuns<'_>> = BTreeMap::new();
        let known = |row: &&MetricRow| {
            let own = objectives.get(row.run.as_str()) == Some(&row.metric.as_str());
            own && row.primary && row.last && row.annealed && row.value.is_finite()
        };
        for row in inputs.metrics.iter().filter(known) {
            let found = (row.value, row.std_error);
            let kept = losses.entry((&row.heldout_digest, Variant::of(row))).or_default().entry(&row.run).or_insert(found);
            if found.1.total_cmp(&kept.1).is_lt() {
                *kept = found;
            }
        }
        Self(losses)
    }

    /// Losses of the runs of a fit, all on one held-out sample (that of its pool, if it has one) in one setting. Of several settings
    /// the most precise counts.
    pub fn column(&self, fitted: &Fitted<'_>) -> Result<Covariate, Refusal> {
        let own = fitted.details.pool.evaluation_digest.as_deref();
        let of_sample = self.0.iter().filter(|((sample, _), _)| own.is_none_or(|own| own == *sample)).map(|(_, of_runs)| of_runs);
        let column = |of_runs: &BTreeMap<&str, (f64, f64)>| -> Option<Vec<(f64, f64)>> {
            fitted.runs.iter().map(|run| of_runs.get(run.run.as_str()).copied()).collect()
        };
        let error = |column: &[(f64, f64)]| column.iter().map(|(_, error)| error * error).sum::<f64>();
        let best = of_sample.filter_map(column).min_by(|left, right| error(left).total_cmp(&error(right)));
        let missing = || Refusal::NoValues { what: "the held-out loss of some run was not measured in one setting".to_owned() };
        best.map(|column| (LOSS, column.into_iter().map(|(value, _)| value).collect())).ok_or_else(missing)
    }
}

/// Configurations of the runs, numbered from 0: runs of one number differ by the pretraining seed alone.
pub(super) fn configurations(fitted: &Fitted<'_>) -> Vec<usize> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let number = |configuration| {
        let next = numbers.len();
        *numbers.entry(configuration).or_insert(next)
    };
    fitted.runs.iter().map(|run| run.configuration.as_str()).map(number).collect()
}
