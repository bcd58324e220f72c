//! The leaderboard of predictors.

use std::cmp::Ordering;

use clmbench_store::FitRow;
use serde::Serialize;

use crate::{AnalysisError, GENERATED_BY, details::Details};

/// Stored fits in the order of a leaderboard. Its JSON form is `{schema, generated_by, rows}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictorBoard {
    /// Name and version of the JSON form.
    pub schema: &'static str,
    /// Program and version.
    pub generated_by: &'static str,
    /// Fits: task by task, within one by gain, then |Spearman|.
    pub rows: Vec<PredictorRow>,
    /// Name of the suite.
    #[serde(skip)]
    pub suite: String,
    /// Outcome that the suite expects.
    #[serde(skip)]
    pub expect: Option<String>,
    /// Smallest |r| that would be useful.
    #[serde(skip)]
    pub useful_effect: f64,
    /// Whether cells were finished after these fits were stored.
    #[serde(skip)]
    pub stale: bool,
}

/// A fit and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictorRow {
    /// Place among the fits of its task, protocol and split, from 1.
    pub rank: u32,
    /// The fit.
    #[serde(flatten)]
    pub fit: FitRow,
    /// What it rests on; in JSON it is the text `details_json` of the fit.
    #[serde(skip)]
    pub details: Details,
}

/// Orders fits: by dataset, task, protocol, score and split; within them by gain, then |Spearman|, those without last.
///
/// # Errors
/// A fit's details cannot be understood.
pub fn predictor_board(
    suite: &str,
    expect: Option<String>,
    useful_effect: f64,
    fits: Vec<FitRow>,
) -> Result<PredictorBoard, AnalysisError> {
    let mut rows = Vec::with_capacity(fits.len());
    for fit in fits {
        let details = serde_json::from_str(&fit.details_json).map_err(|error| AnalysisError::Details {
            metric: fit.metric.clone(),
            dataset: fit.dataset.clone(),
            reason: error.to_string(),
        })?;
        rows.push(PredictorRow { rank: 0, fit, details });
    }
    rows.sort_by(|left, right| {
        group(left)
            .cmp(&group(right))
            .then_with(|| larger_first(left.fit.gain, right.fit.gain))
            .then_with(|| larger_first(left.fit.spearman.map(f64::abs), right.fit.spearman.map(f64::abs)))
            .then_with(|| left.fit.metric.cmp(&right.fit.metric))
            .then_with(|| left.fit.pool.cmp(&right.fit.pool))
    });
    for index in 0..rows.len() {
        let follows = index > 0 && group(&rows[index - 1]) == group(&rows[index]);
        rows[index].rank = if follows { rows[index - 1].rank + 1 } else { 1 };
    }
    Ok(PredictorBoard {
        schema: "clmbench/leaderboard-predictors/1",
        generated_by: GENERATED_BY,
        rows,
        suite: suite.to_owned(),
        expect,
        useful_effect,
        stale: false,
    })
}

fn group(row: &PredictorRow) -> (&str, &str, &str, &str, &str, &str) {
    let pool = &row.details.pool;
    (&row.fit.dataset, &row.fit.task, &row.fit.protocol, &row.fit.score, &pool.split_digest, &pool.data_digest)
}

fn larger_first(left: Option<f64>, right: Option<f64>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => right.total_cmp(&left),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fit::fit_rows, sample::suite};

    fn board() -> PredictorBoard {
        let mut fits = fit_rows(&suite(12)).unwrap();
        let mut second = fits[0].clone();
        second.metric = "loss/other".into();
        second.gain = Some(9.0);
        let mut third = fits[0].clone();
        third.dataset = "esol".into();
        fits.extend([second, third]);
        predictor_board("demo", Some("cannot_tell".into()), 0.5, fits).unwrap()
    }

    #[test]
    fn ranked_by_gain_within_a_task_and_trivial_ones_last() {
        let order: Vec<(String, String, u32)> =
            board().rows.into_iter().map(|row| (row.fit.dataset, row.fit.metric, row.rank)).collect();
        let expected = [
            ("esol", "loss/mlm_loss", 1),
            ("freesolv", "loss/other", 1),
            ("freesolv", "loss/mlm_loss", 2),
            ("freesolv", "trivial/parameters", 3),
        ];
        assert_eq!(order, expected.map(|(dataset, metric, rank)| (dataset.to_owned(), metric.to_owned(), rank)));
    }

    #[test]
    fn json_has_the_promised_columns_and_nothing_beside_rows() {
        let json = serde_json::to_value(board()).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["generated_by", "rows", "schema"]);
        let row = json["rows"][0].as_object().unwrap();
        for column in [
            "metric",
            "dataset",
            "task",
            "protocol",
            "pool",
            "score",
            "n",
            "n_checkpoints",
            "slope",
            "std_error",
            "ci_low",
            "ci_high",
            "r2",
            "q2",
            "spearman",
            "kendall",
            "p_value",
            "p_raw",
            "gain",
            "gain_verdict",
            "verdict",
            "reversed",
            "mde",
            "cost_seconds",
            "flags",
        ] {
            assert!(row.contains_key(column), "{column}");
        }
    }

    #[test]
    fn broken_details_name_the_fit() {
        let mut fits = fit_rows(&suite(12)).unwrap();
        fits[0].details_json = "{}".into();
        let error = predictor_board("demo", None, 0.5, fits).unwrap_err().to_string();
        assert!(error.contains("loss/mlm_loss") && error.contains("freesolv"), "{error}");
    }
}
