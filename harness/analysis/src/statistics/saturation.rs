//! Does the score of a task still rise where the held-out loss is lowest?

use clmbench_stats::{Refusal, generator, halvings, saturation, saturation::SaturationVerdict};
use clmbench_store::StatisticRow;
use rayon::prelude::*;
use serde_json::json;

use super::{
    Fitted,
    numbers::{bounded, detailed, refused, valued},
};
use crate::{
    fit::SEED,
    gate::{self, Margin, MarginError, Measured},
    inputs::Inputs,
};

const KIND: &str = "saturation";
/// Metrics that are the held-out pretraining loss.
const LOSSES: [&str; 2] = ["loss/mlm_loss", "loss/clm_loss"];

/// One row a task, protocol and pool: the slope of the score past the knee, a halving of excess loss.
pub(super) fn rows(inputs: &Inputs, fitted: &[Fitted<'_>]) -> Vec<StatisticRow> {
    fitted.par_iter().filter(|fitted| is_loss(&fitted.row.metric)).map(|fitted| row(inputs, fitted)).collect()
}

/// Whether a metric is the pretraining loss, in whichever setting.
fn is_loss(metric: &str) -> bool {
    LOSSES.iter().any(|loss| metric.strip_prefix(loss).is_some_and(|rest| rest.is_empty() || rest.starts_with('[')))
}

fn row(inputs: &Inputs, fitted: &Fitted<'_>) -> StatisticRow {
    let row = fitted.statistic(KIND, "slope_past_knee");
    let decided = margin(inputs, fitted).and_then(|margin| {
        let loss: Vec<f64> = fitted.details.points.iter().map(|point| point.metric.0).collect();
        let axis = halvings(&loss).map_err(|refusal| match refusal {
            Refusal::Constant { .. } => Refusal::Constant { name: fitted.row.metric.clone() },
            other => other,
        })?;
        let found = saturation(&axis.halvings, &fitted.score, margin.value, &mut generator(SEED, &fitted.label(KIND)))?;
        Ok((margin, axis.floor, found))
    });
    let (margin, floor, found) = match decided {
        Ok(decided) => decided,
        Err(refusal) => {
            let mut row = refused(row, &refusal);
            row.verdict = Some("refused".to_owned());
            return row;
        }
    };
    let mut row = bounded(valued(row, found.line.past), &Ok(found.interval));
    row.verdict = Some(found.verdict.word().to_owned());
    row.reason = Some(reason(&found, margin.value));
    let loss_at = |halvings: f64| floor + (-halvings).exp2();
    let details = json!({
        "margin": margin.value,
        "margin_from": margin.from,
        "margin_source": margin.source(),
        "floor": floor,
        "knee_halvings": found.line.knee,
        "knee_loss": loss_at(found.line.knee),
        "knee_loss_low90": loss_at(found.knee90.1),
        "knee_loss_high90": loss_at(found.knee90.0),
        "score_at_knee": found.line.height,
        "slope_before_knee": found.line.before,
        "resamples": found.interval.resamples,
        "degenerate": found.interval.degenerate,
    });
    detailed(row, &details)
}

fn reason(found: &clmbench_stats::Saturation, margin: f64) -> String {
    let interval = &found.interval;
    let ends =
        format!("the 95 % interval of the slope past the knee, [{:.3}, {:.3}] a halving,", interval.low95, interval.high95);
    match found.verdict {
        SaturationVerdict::Improves => format!("{ends} is above 0"),
        SaturationVerdict::Degrades => format!("{ends} is below 0"),
        SaturationVerdict::Saturates => format!("{ends} lies within one margin, {margin:.3}, of 0"),
        SaturationVerdict::CannotTell => format!("{ends} holds 0 and goes beyond one margin, {margin:.3}"),
    }
}

/// The gate's margin in units of the score: that of the suite, else the default. A score that has none is not judged.
fn margin(inputs: &Inputs, fitted: &Fitted<'_>) -> Result<Margin, Refusal> {
    let pool = &fitted.details.pool;
    let dataset = inputs
        .datasets
        .iter()
        .find(|dataset| dataset.data_digest == pool.data_digest && dataset.split_digest == pool.split_digest);
    let train_sd = dataset.and_then(|dataset| {
        let place = dataset.tasks.iter().position(|task| task.name == fitted.row.task)?;
        dataset.train_sd.get(place).map(|deviation| deviation.0)
    });
    let row = &fitted.row;
    let of = Measured { dataset: &row.dataset, task: &row.task, score: &row.score, train_sd };
    gate::margin(of, &[], &inputs.margins).map_err(|error| Refusal::NoValues {
        what: match error {
            MarginError::NotNamed { score, .. } => {
                format!(
                    "the score {score} has no default margin to call a change small by, and the suite names none ([gate.margins])"
                )
            }
            MarginError::NoDeviation { .. } => {
                "the standard deviation of the training labels, and with it the margin, is not known".to_owned()
            }
            other => other.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::{TaskInfo, TaskKind};
    use serde_json::Value;

    use super::*;
    use crate::{fit::fit_rows, sample::suite, statistics::fitted};

    fn of(inputs: &Inputs) -> Vec<StatisticRow> {
        let fits = fit_rows(inputs).unwrap();
        rows(inputs, &fitted(inputs, &fits).unwrap())
    }

    /// The sample's runs with a known spread of the training labels.
    fn known(n: usize) -> Inputs {
        let mut inputs = suite(n);
        inputs.datasets[0].tasks =
            vec![TaskInfo { name: "expt".into(), kind: TaskKind::Regression, unit: "kcal/mol".into(), score: "rmse".into() }];
        inputs.datasets[0].train_sd = vec![4.0.into()];
        inputs
    }

    #[test]
    fn a_score_that_follows_the_loss_improves() {
        let rows = of(&known(32));
        assert_eq!(rows.len(), 1, "of the loss alone");
        let row = &rows[0];
        assert_eq!(
            (row.kind.as_str(), row.metric.as_deref(), row.verdict.as_deref()),
            ("saturation", Some("loss/mlm_loss"), Some("improves"))
        );
        assert!(row.value.unwrap() > 0.0 && row.low95.unwrap() > 0.0 && row.reason.as_ref().unwrap().ends_with("is above 0"));
        let details: Value = serde_json::from_str(row.details_json.as_ref().unwrap()).unwrap();
        assert!((details["margin"].as_f64().unwrap() - 0.2).abs() < 1e-12);
        let (low, knee, high) = (&details["knee_loss_low90"], &details["knee_loss"], &details["knee_loss_high90"]);
        assert!(low.as_f64() <= knee.as_f64() && knee.as_f64() <= high.as_f64());
    }

    #[test]
    fn a_score_that_stops_rising_saturates() {
        let mut inputs = known(32);
        for (number, row) in inputs.scores.iter_mut().enumerate() {
            // An RMSE that falls over the first half of the runs and stays.
            row.value = 3.0 - 0.1 * number.min(16) as f64 + 0.01 * ((number * 3) % 7) as f64;
        }
        let rows = of(&inputs);
        assert_eq!(rows[0].verdict.as_deref(), Some("saturates"), "{:?}", rows[0]);
    }

    #[test]
    fn refused_in_words() {
        let unknown = of(&suite(12));
        assert_eq!((unknown[0].verdict.as_deref(), unknown[0].refusal.as_deref()), (Some("refused"), Some("no_values")));
        let few = of(&known(7));
        assert_eq!(few[0].refusal.as_deref(), Some("too_few"));
        let mut constant = known(12);
        constant.metrics.iter_mut().filter(|row| row.metric == "loss/mlm_loss").for_each(|row| row.value = 1.0);
        assert_eq!(of(&constant)[0].reason.as_deref(), Some("`loss/mlm_loss` has the same value in every run"));
    }

    #[test]
    fn a_score_without_a_margin_is_not_judged() {
        let mut inputs = known(12);
        for row in &mut inputs.scores {
            row.score = "r2".into();
        }
        let found = of(&inputs);
        let reason = "the score r2 has no default margin to call a change small by, and the suite names none ([gate.margins])";
        assert!(!found.is_empty() && found.iter().all(|row| row.reason.as_deref() == Some(reason)), "{found:?}");
    }

    /// The most exact key of the suite, in the place of the default; a score without one is judged by it.
    #[test]
    fn the_margin_of_the_suite_is_that_of_saturation() {
        let margin = |given: &[&str]| {
            let mut inputs = known(32);
            inputs.margins = given.iter().map(|text| gate::GivenMargin::parse(text).unwrap()).collect();
            let details: Value = serde_json::from_str(of(&inputs)[0].details_json.as_ref().unwrap()).unwrap();
            (details["margin"].as_f64().unwrap(), details["margin_source"].as_str().unwrap().to_owned())
        };
        // The standard deviation of the training labels is 4.
        assert_eq!(margin(&[]), (0.2, "default".to_owned()));
        assert_eq!(margin(&["rmse=10%"]), (0.4, "suite".to_owned()));
        assert_eq!(margin(&["freesolv/expt=0.7", "freesolv=0.3", "rmse=10%", "roc_auc=0.01"]), (0.7, "suite".to_owned()));
        // Flat by the default of .2, and not known to be flat by a margin of .001.
        let mut flat = known(32);
        for (number, row) in flat.scores.iter_mut().enumerate() {
            row.value = 3.0 - 0.1 * number.min(16) as f64 + 0.01 * ((number * 3) % 7) as f64;
        }
        let verdict = |inputs: &Inputs| of(inputs)[0].verdict.clone().unwrap();
        assert_eq!(verdict(&flat), "saturates");
        flat.margins = vec![gate::GivenMargin::parse("rmse=0.001").unwrap()];
        assert_eq!(verdict(&flat), "cannot_tell");
    }

    #[test]
    fn settings_of_the_loss_are_losses() {
        assert!(is_loss("loss/mlm_loss") && is_loss("loss/clm_loss[budget=quick]"));
        assert!(!is_loss("loss/mlm_loss_other") && !is_loss("loss/tse_ema"));
    }
}
