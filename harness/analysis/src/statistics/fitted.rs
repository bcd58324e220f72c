//! A fit with the columns that it was made of.

use std::collections::BTreeMap;

use clmbench_stats::{
    Refusal,
    numeric::{mean, sample_sd},
    spearman,
    verdict::SMALLEST_N_FOR_FIT,
};
use clmbench_store::{FitRow, RunRow, StatisticRow};

use crate::{AnalysisError, details::Details, fit::named, inputs::Inputs};

/// A stored fit with its points: one entry a run, oriented so that larger is better in both columns.
#[derive(Debug, Clone)]
pub struct Fitted<'a> {
    /// The fit.
    pub row: &'a FitRow,
    /// What it rests on.
    pub details: Details,
    /// Its runs, in the order of the columns.
    pub runs: Vec<&'a RunRow>,
    /// Values of the metric, by its claimed direction.
    pub metric: Vec<f64>,
    /// Scores, means over transfer seeds.
    pub score: Vec<f64>,
}

impl Fitted<'_> {
    /// What tells this fit from all others, for streams of random numbers.
    pub(super) fn label(&self, purpose: &str) -> String {
        let FitRow { metric, dataset, task, score, pool, .. } = self.row;
        format!("{purpose} {metric} {dataset} {task} {score} {pool}")
    }

    /// Refuses what no number can be given for: fewer than 4 runs, a constant metric or score.
    pub(super) fn usable(&self) -> Result<(), Refusal> {
        let n = self.runs.len();
        if n < SMALLEST_N_FOR_FIT {
            return Err(Refusal::TooFew { what: "a fit".to_owned(), n, needed: SMALLEST_N_FOR_FIT });
        }
        spearman(&self.metric, &self.score).map(|_| ()).map_err(|refusal| self.named(refusal))
    }

    /// A refusal in which the column `metric` bears the metric's own name.
    pub(super) fn named(&self, refusal: Refusal) -> Refusal {
        named(refusal, &self.row.metric)
    }

    /// The metric in standard deviations from its mean.
    pub(super) fn standardised(&self) -> Vec<f64> {
        let (centre, spread) = (mean(&self.metric), sample_sd(&self.metric));
        self.metric.iter().map(|value| (value - centre) / spread).collect()
    }

    /// A row of this kind and name about this fit, without a value.
    pub fn statistic(&self, kind: &str, name: &str) -> StatisticRow {
        StatisticRow {
            kind: kind.to_owned(),
            metric: Some(self.row.metric.clone()),
            dataset: Some(self.row.dataset.clone()),
            task: Some(self.row.task.clone()),
            protocol: Some(self.row.protocol.clone()),
            pool: Some(self.row.pool.clone()),
            score: Some(self.row.score.clone()),
            name: name.to_owned(),
            n: self.row.n,
            ..StatisticRow::default()
        }
    }
}

/// The fits that have points, with their columns.
///
/// # Errors
/// The details of a fit cannot be understood.
pub fn fitted<'a>(inputs: &'a Inputs, fits: &'a [FitRow]) -> Result<Vec<Fitted<'a>>, AnalysisError> {
    let runs: BTreeMap<&str, &RunRow> = inputs.runs.iter().map(|run| (run.run.as_str(), run)).collect();
    let sign = |orientation: &str| if orientation == "lower_is_better" { -1.0 } else { 1.0 };
    let mut found = Vec::new();
    for row in fits {
        let details: Details = serde_json::from_str(&row.details_json).map_err(|error| AnalysisError::Details {
            metric: row.metric.clone(),
            dataset: row.dataset.clone(),
            reason: error.to_string(),
        })?;
        let known: Option<Vec<&RunRow>> = details.points.iter().map(|point| runs.get(point.run.as_str()).copied()).collect();
        let Some(of) = known.filter(|of| !of.is_empty()) else { continue };
        let (metric_sign, score_sign) = (sign(&row.metric_orientation), sign(&row.score_orientation));
        let metric = details.points.iter().map(|point| metric_sign * point.metric.0).collect();
        let score = details.points.iter().map(|point| score_sign * point.score.0).collect();
        found.push(Fitted { row, details, runs: of, metric, score });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fit::fit_rows, sample::suite};

    #[test]
    fn columns_are_those_of_the_fit() {
        let inputs = suite(12);
        let fits = fit_rows(&inputs).unwrap();
        for fitted in fitted(&inputs, &fits).unwrap() {
            assert_eq!(fitted.runs.len(), 12);
            assert_eq!(spearman(&fitted.metric, &fitted.score).ok(), fitted.row.spearman, "oriented as the fit");
        }
    }
}
