//! Which runs the line of a fit hangs on.

use clmbench_stats::{Column, Influence, influence, ols};
use clmbench_store::StatisticRow;
use serde_json::json;

use super::{
    Fitted,
    numbers::{about, detailed, refused, valued},
};

const KIND: &str = "influence";

/// Cook's distance of every run, and the runs of the largest leverage and studentised residual.
pub(super) fn rows(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    let found = fitted.usable().and_then(|()| {
        let metric = fitted.standardised();
        let fit = ols(&[Column { name: "metric", values: &metric }], &fitted.score, 0.95)?;
        influence(&fit, &fitted.score)
    });
    let found = match found {
        Ok(found) => found,
        Err(refusal) => return vec![refused(fitted.statistic(KIND, "cooks_distance"), &fitted.named(refusal))],
    };
    let runs = || fitted.details.points.iter().map(|point| point.label.as_str()).zip(&found);
    let mut rows: Vec<StatisticRow> = runs().map(|(label, run)| of_run(fitted, label, run)).collect();
    if let Some((label, run)) = runs().max_by(|left, right| left.1.leverage.total_cmp(&right.1.leverage)) {
        rows.push(about(valued(fitted.statistic(KIND, "largest_leverage"), run.leverage), label));
    }
    let residuals = runs().filter_map(|(label, run)| run.studentised.map(|residual| (label, residual, run)));
    if let Some((label, residual, run)) = residuals.max_by(|left, right| left.1.abs().total_cmp(&right.1.abs())) {
        let mut row = about(valued(fitted.statistic(KIND, "largest_studentised_residual"), residual), label);
        (row.p_raw, row.p_value) = (run.p_value, run.p_bonferroni);
        rows.push(row);
    }
    rows
}

fn of_run(fitted: &Fitted<'_>, label: &str, run: &Influence) -> StatisticRow {
    let mut row = about(fitted.statistic(KIND, "cooks_distance"), label);
    row.value = run.cooks_distance;
    if run.cooks_distance.is_none() {
        row.reason = Some("the run alone holds up the line: its leverage is 1".to_owned());
    }
    row.verdict = run.is_large(2, fitted.runs.len()).then(|| "influential".to_owned());
    (row.p_raw, row.p_value) = (run.p_value, run.p_bonferroni);
    let details = json!({ "leverage": run.leverage, "studentised_residual": run.studentised, "dffits": run.dffits });
    detailed(row, &details)
}
