//! How well the line of a fit predicts a run, or a whole size, that it has not seen.

use clmbench_stats::{Column, PredictedQ2, Refusal, ols, predictions_by_groups, q2_of_predictions};
use clmbench_store::StatisticRow;
use serde_json::json;

use super::{
    Fitted,
    numbers::{detailed, refused, valued},
};

const KIND: &str = "q2";

/// Q2 leaving out one run at a time, and all runs of one size at a time.
pub(super) fn rows(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    let runs: Vec<usize> = (0..fitted.runs.len()).collect();
    let sizes: Vec<usize> = fitted.runs.iter().map(|run| run.non_embedding_parameters as usize).collect();
    vec![
        row(fitted, "leave_one_run_out", &runs, without_a_run(fitted)),
        row(fitted, "leave_one_size_out", &sizes, without_a_group(fitted, &sizes)),
    ]
}

fn row(fitted: &Fitted<'_>, name: &str, groups: &[usize], predictions: Result<Vec<f64>, Refusal>) -> StatisticRow {
    let row = fitted.statistic(KIND, name);
    let found = predictions.and_then(|predictions| q2_of_predictions(&fitted.score, &predictions, groups));
    match found {
        Ok(PredictedQ2 { q2, std_error }) => {
            let mut distinct = groups.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            let mut row = valued(row, q2);
            row.std_error = Some(std_error);
            row.reason = Some("no interval: the standard error holds the predictions fixed".to_owned());
            detailed(row, &json!({ "groups": distinct.len(), "mean_predictor": mean_predictor(fitted, groups) }))
        }
        Err(refusal) => refused(row, &fitted.named(refusal)),
    }
}

/// What the mean score of the other groups reaches: below 0 always.
fn mean_predictor(fitted: &Fitted<'_>, groups: &[usize]) -> Option<f64> {
    let predictions = predictions_by_groups(&[], &fitted.score, groups).ok()?;
    q2_of_predictions(&fitted.score, &predictions, groups).ok().map(|found| found.q2)
}

/// From residuals and leverages: the same as refitting without each run.
fn without_a_run(fitted: &Fitted<'_>) -> Result<Vec<f64>, Refusal> {
    fitted.usable()?;
    let metric = fitted.standardised();
    let fit = ols(&[Column { name: "metric", values: &metric }], &fitted.score, 0.95)?;
    if fit.q2.is_none() {
        return Err(Refusal::Fold { reason: "one run alone holds up the line".to_owned() });
    }
    let residuals = fit.residuals.iter().zip(&fit.leverage);
    Ok(residuals.zip(&fitted.score).map(|((residual, leverage), score)| score - residual / (1.0 - leverage)).collect())
}

fn without_a_group(fitted: &Fitted<'_>, groups: &[usize]) -> Result<Vec<f64>, Refusal> {
    fitted.usable()?;
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 3 {
        let what = format!("leaving out one size takes 3 sizes and there {}", if distinct.len() == 1 { "is 1" } else { "are 2" });
        return Err(Refusal::NoValues { what });
    }
    let metric = fitted.standardised();
    predictions_by_groups(&[Column { name: "metric", values: &metric }], &fitted.score, groups)
}
