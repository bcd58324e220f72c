//! Correlations beside Spearman's, and the adjustment of p-values beside Holm's.

use std::collections::BTreeMap;

use clmbench_stats::{
    Column, Correlated, Refusal, average_ranks, benjamini_hochberg, fisher, independent, kendall_error, kendall_tau_b,
    partial_spearman, pearson, student, weighted_kendall, weighted_kendall_error,
};
use clmbench_store::StatisticRow;
use serde_json::json;

use super::{
    Fitted,
    covariates::{Losses, size},
    numbers::{about, detailed, ended_if, inferred, refused, valued},
};

const KIND: &str = "correlation";
/// A jackknife error below this is rounding: all runs agree, with or without any of them.
const SMALLEST_ERROR: f64 = 1e-12;

/// Pearson, Kendall, weighted Kendall, and Spearman given size and held-out loss.
pub(super) fn rows(fitted: &Fitted<'_>, losses: &Losses<'_>) -> Vec<StatisticRow> {
    let (metric, score) = (&fitted.metric, &fitted.score);
    let kendall = kendall_error(metric, score).map(|error| (error, fitted.runs.len() - 1));
    vec![
        pearson_row(fitted),
        kendall_row(fitted, "kendall", kendall_tau_b(metric, score), kendall),
        kendall_row(fitted, "weighted_kendall", weighted_kendall(metric, score), weighted_kendall_error(metric, score)),
        partial_row(fitted, losses),
    ]
}

fn pearson_row(fitted: &Fitted<'_>) -> StatisticRow {
    let row = fitted.statistic(KIND, "pearson");
    let n = fitted.runs.len();
    let found = fitted.usable().and_then(|()| pearson(&fitted.metric, &fitted.score)).and_then(|r| {
        let df = n - 2;
        Ok((r, student(r, ((1.0 - r * r) / df as f64).sqrt(), df)?))
    });
    match found {
        Ok((r, tested)) => {
            let mut row = valued(row, r);
            row.p_raw = Some(tested.p_value);
            ended_if(row, &fisher(r, n, 0, Correlated::Values))
        }
        Err(refusal) => refused(row, &fitted.named(refusal)),
    }
}

/// A Kendall correlation with its jackknife error, its degrees of freedom and the t interval that they give, cut to -1..1.
fn kendall_row(fitted: &Fitted<'_>, name: &str, found: Result<f64, Refusal>, error: Option<(f64, usize)>) -> StatisticRow {
    let row = fitted.statistic(KIND, name);
    let tau = match fitted.usable().and(found) {
        Ok(tau) => tau,
        Err(refusal) => return refused(row, &fitted.named(refusal)),
    };
    let mut row = match error.map(|(error, df)| (error, student(tau, error, df))) {
        Some((error, Ok(mut found))) if error > SMALLEST_ERROR => {
            for end in [&mut found.ends.low90, &mut found.ends.high90, &mut found.ends.low95, &mut found.ends.high95] {
                *end = end.clamp(-1.0, 1.0);
            }
            inferred(row, &found)
        }
        Some(_) => {
            let mut row = valued(row, tau);
            row.reason = Some(Refusal::PerfectFit.to_string());
            row
        }
        None => {
            let mut row = valued(row, tau);
            row.reason = Some("no standard error: without one of the runs the metric or the score is constant".to_owned());
            row
        }
    };
    // The test of no relation is the permutation test of the fit.
    row.p_raw = None;
    row
}

fn partial_row(fitted: &Fitted<'_>, losses: &Losses<'_>) -> StatisticRow {
    let row = fitted.statistic(KIND, "partial_spearman");
    let found = fitted.usable().and_then(|()| losses.column(fitted)).and_then(|loss| {
        // Ranks are what is fitted, so ranks decide what can stand together: a loss that falls strictly with size has size's own.
        let covariates = [size(fitted), loss].map(|(name, values)| (name, average_ranks(&values)));
        let all: Vec<Column<'_>> = covariates.iter().map(|(name, values)| Column { name, values }).collect();
        let (used, dropped) = independent(&all, fitted.score.len());
        let metric = Column { name: "metric", values: &fitted.metric };
        let names = |columns: &[Column<'_>]| columns.iter().map(|column| column.name.to_owned()).collect::<Vec<String>>();
        Ok((partial_spearman(metric, &fitted.score, &used)?, names(&used), names(&dropped)))
    });
    match found {
        Ok((found, used, dropped)) => {
            let given = if used.is_empty() { "nothing: neither varies".to_owned() } else { used.join(", ") };
            let mut row = about(valued(row, found.r), &format!("given {given}"));
            row.p_raw = Some(found.p_value);
            let row = ended_if(row, &found.ends);
            detailed(row, &json!({ "df": found.df, "dropped": dropped }))
        }
        Err(refusal) => refused(row, &fitted.named(refusal)),
    }
}

/// p-values of all fits by Benjamini and Hochberg, in the families that Holm's have.
pub(super) fn false_discoveries(fitted: &[Fitted<'_>]) -> Vec<StatisticRow> {
    let mut families: BTreeMap<&str, Vec<(&Fitted<'_>, f64)>> = BTreeMap::new();
    for fit in fitted {
        if let Some(p_raw) = fit.row.p_raw {
            families.entry(&fit.details.family).or_default().push((fit, p_raw));
        }
    }
    let mut rows = Vec::new();
    for (family, members) in families {
        let raw: Vec<f64> = members.iter().map(|(_, p_raw)| *p_raw).collect();
        for ((fit, p_raw), adjusted) in members.into_iter().zip(benjamini_hochberg(&raw)) {
            let mut row = valued(fit.statistic(KIND, "benjamini_hochberg"), adjusted);
            (row.p_raw, row.p_value) = (Some(p_raw), Some(adjusted));
            rows.push(detailed(row, &json!({ "family": family, "family_size": raw.len(), "holm": fit.row.p_value })));
        }
    }
    rows
}
