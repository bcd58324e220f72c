//! Linear regressions: score on metric, and score on metric with size, tokens and corpus beside it.

use clmbench_stats::{
    Column, Correlated, Ends, Inference, Ols, Refusal, fisher, independent, multiple_regression,
    numeric::{is_constant, mean, sample_sd},
    ols, partial_r2,
};
use clmbench_store::StatisticRow;
use serde_json::json;

use super::{
    Fitted,
    numbers::{about, detailed, ended_if, inferred, refused, valued},
};
use crate::trivial::{Covariate, trivial};

const KIND: &str = "regression";

/// Intercept and slope of score ~ metric, the slope with an HC3 error; then the multiple regression.
pub(super) fn rows(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    let mut rows = simple(fitted);
    rows.extend(multiple(fitted));
    rows
}

fn simple(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    let found = fitted.usable().and_then(|()| {
        let metric = fitted.standardised();
        ols(&[Column { name: "metric", values: &metric }], &fitted.score, 0.95).map_err(|refusal| fitted.named(refusal))
    });
    let fit = match found {
        Ok(fit) => fit,
        Err(refusal) => return vec![refused(fitted.statistic(KIND, "slope"), &refusal)],
    };
    let details = |found: &Inference| {
        json!({
            "t": number(found.t), "df": fit.df, "r2": fit.r2, "residual_sd": fit.residual_sd,
            "metric_mean": mean(&fitted.metric), "metric_sd": sample_sd(&fitted.metric),
        })
    };
    let row = |name: &str, found: Result<Inference, Refusal>| {
        let row = fitted.statistic(KIND, name);
        match found {
            Ok(found) => detailed(inferred(row, &found), &details(&found)),
            Err(refusal) => refused(row, &fitted.named(refusal)),
        }
    };
    vec![row("intercept", fit.inference(0)), row("slope", fit.inference(1)), row("slope_hc3", fit.hc3(1))]
}

fn multiple(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    let found =
        fitted.usable().and_then(|()| trivial(fitted.runs.iter().copied())).and_then(|covariates| fit_with(fitted, &covariates));
    let (fit, dropped) = match found {
        Ok(found) => found,
        Err(refusal) => return vec![refused(fitted.statistic(KIND, "multiple_r2"), &refusal)],
    };
    let partials = partial_r2(&fit);
    let mut rows = Vec::with_capacity(1 + 2 * partials.len());
    let mut whole = detailed(
        valued(fitted.statistic(KIND, "multiple_r2"), fit.r2),
        &json!({ "q2": fit.q2, "df": fit.df, "residual_sd": fit.residual_sd, "dropped": dropped }),
    );
    whole.reason = Some("no interval: R2 rises with every column, whatever it says; q2 in the details does not".to_owned());
    rows.push(whole);
    for (term, share) in partials.into_iter().enumerate() {
        let index = term + 1;
        let name = fit.coefficients[index].name.as_str();
        let Ok(found) = fit.inference(index) else { continue };
        let robust = fit.hc3(index).ok();
        let details = json!({
            "t": number(found.t), "df": fit.df,
            "hc3_std_error": robust.map(|robust| robust.std_error), "hc3_p": robust.map(|robust| robust.p_value),
        });
        rows.push(detailed(about(inferred(fitted.statistic(KIND, "coefficient"), &found), name), &details));
        let mut row = about(valued(fitted.statistic(KIND, "partial_r2"), share), name);
        row.p_raw = Some(found.p_value);
        // The square of a partial correlation, given the other columns.
        let r = share.sqrt() * found.t.signum();
        let ends = fisher(r, fit.n, fit.coefficients.len() - 2, Correlated::Values).map(Ends::squared);
        rows.push(ended_if(row, &ends));
    }
    rows
}

/// Score ~ metric + those covariates that vary and are no combination of those before them, all in standard deviations; and the rest.
fn fit_with(fitted: &Fitted<'_>, covariates: &[Covariate]) -> Result<(Ols, Vec<&'static str>), Refusal> {
    let scaled: Vec<Covariate> = covariates.iter().map(|(name, values)| (*name, in_deviations(values))).collect();
    let all: Vec<Column<'_>> = scaled.iter().map(|(name, values)| Column { name, values }).collect();
    let (mut used, _) = independent(&all, fitted.score.len());
    let kept: Vec<&str> = used.iter().map(|column| column.name).collect();
    let dropped = covariates.iter().map(|(name, _)| *name).filter(|name| !kept.contains(name)).collect();
    let metric = fitted.standardised();
    used.push(Column { name: "metric", values: &metric });
    let fit = multiple_regression(&used, &fitted.score, 0.95).map_err(|refusal| fitted.named(refusal))?;
    Ok((fit, dropped))
}

/// Values in standard deviations from their mean; a constant as it is.
fn in_deviations(values: &[f64]) -> Vec<f64> {
    if is_constant(values) {
        return values.to_vec();
    }
    let (centre, spread) = (mean(values), sample_sd(values));
    values.iter().map(|value| (value - centre) / spread).collect()
}

/// JSON has no infinity: the t of a perfect fit is left out.
fn number(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
