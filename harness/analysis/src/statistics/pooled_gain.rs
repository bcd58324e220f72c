//! A metric over all tasks of a protocol: the mean of what it adds to size, tokens and corpus, over the runs that all tasks share.

use std::collections::BTreeMap;

use clmbench_stats::{GainOverTasks, GainVerdict, Refusal, gain_over_tasks, generator};
use clmbench_store::{RunRow, StatisticRow};
use rayon::prelude::*;
use serde_json::json;

use super::{
    numbers::{bounded, detailed, refused, valued},
    over_tasks::OverTasks,
};
use crate::{
    fit::{SEED, gain_reason, named},
    trivial::{NO_GAIN_OVER_ITSELF, columns, trivial},
};

const KIND: &str = "pooled";
const NAME: &str = "gain";

/// One row a metric, protocol and pool; of a trivial predictor a refused one.
pub(super) fn rows(all: &[OverTasks<'_>]) -> Vec<StatisticRow> {
    all.par_iter().map(row).collect()
}

fn row(over: &OverTasks<'_>) -> StatisticRow {
    let mut row = over.statistic(KIND, NAME);
    match gain(over) {
        Ok(found) => {
            row.verdict = Some(found.verdict.word().to_owned());
            let per_task: Vec<_> =
                over.names.iter().zip(&found.per_task).map(|(task, gain)| json!({ "task": task, "gain": gain })).collect();
            let details = json!({
                "n_tasks": over.fits.len(), "per_task": per_task, "used": found.used, "dropped": found.dropped, "left_out": over.left_out,
                "resamples": found.interval.as_ref().ok().map(|interval| interval.resamples),
                "degenerate": found.interval.as_ref().ok().map(|interval| interval.degenerate),
            });
            let mut row = detailed(bounded(valued(row, found.mean), &found.interval), &details);
            row.reason = Some(gain_reason(found.verdict, found.interval.as_ref()));
            row
        }
        Err(refusal) => {
            row.verdict = (!over.is_trivial()).then(|| GainVerdict::CannotTell.word().to_owned());
            refused(row, &named(refusal, over.metric()))
        }
    }
}

fn gain(over: &OverTasks<'_>) -> Result<GainOverTasks, Refusal> {
    if over.is_trivial() {
        return Err(Refusal::NoValues { what: NO_GAIN_OVER_ITSELF.to_owned() });
    }
    let known: BTreeMap<&str, &RunRow> = over.fits.iter().flat_map(|fit| &fit.runs).map(|run| (run.run.as_str(), *run)).collect();
    let trivial = trivial(over.runs.iter().filter_map(|run| known.get(run).copied()))?;
    gain_over_tasks(&over.tasks(), &columns(&trivial), &mut generator(SEED, &format!("pooled gain {}", over.label())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::Value;

    use super::*;
    use crate::{
        fit::fit_rows,
        inputs::Inputs,
        sample::{score_row, suite},
        statistics::fitted,
    };

    /// Runs with a loss and two tasks that it predicts.
    fn two_tasks(n: usize) -> Inputs {
        let mut inputs = suite(n);
        for number in 0..n {
            let mut row = score_row(&format!("run{number:03}"), 5.0 - 0.1 * number as f64 + 0.05 * ((number * 5) % 7) as f64);
            row.dataset = "esol".into();
            (row.data_digest, row.split_digest) = ("esol data".into(), "esol split".into());
            inputs.scores.push(row);
        }
        inputs
    }

    fn of(inputs: &Inputs, metric: &str) -> StatisticRow {
        let fits = fit_rows(inputs).unwrap();
        let rows = rows(&OverTasks::all(&fitted(inputs, &fits).unwrap()));
        rows.into_iter().find(|row| row.metric.as_deref() == Some(metric)).unwrap()
    }

    #[test]
    fn it_is_the_mean_of_the_gains_of_the_fits_where_all_tasks_have_the_same_runs() {
        let inputs = two_tasks(24);
        let fits = fit_rows(&inputs).unwrap();
        let gains: Vec<f64> = fits.iter().filter(|fit| fit.metric == "loss/mlm_loss").map(|fit| fit.gain.unwrap()).collect();
        let row = of(&inputs, "loss/mlm_loss");
        assert!((row.value.unwrap() - (gains[0] + gains[1]) / 2.0).abs() < 1e-12, "{row:?} {gains:?}");
        assert_eq!((row.kind.as_str(), row.name.as_str(), row.n, row.verdict.as_deref()), ("pooled", "gain", 24, Some("better")));
        assert!(row.low95 <= row.low90 && row.low90 < row.value && row.value < row.high90 && row.p_value.is_none());
        assert!(row.reason.unwrap().ends_with("is above 0"));
        let details: Value = serde_json::from_str(row.details_json.as_ref().unwrap()).unwrap();
        assert_eq!((details["n_tasks"].as_u64(), details["per_task"][0]["task"].as_str()), (Some(2), Some("esol/expt")));
        assert_eq!(details["dropped"][0], "log tokens");
    }

    #[test]
    fn none_where_it_would_say_nothing_and_why() {
        let seven = of(&two_tasks(7), "loss/mlm_loss");
        assert_eq!(
            (seven.value, seven.refusal.as_deref(), seven.verdict.as_deref()),
            (None, Some("too_few"), Some("cannot_tell"))
        );
        assert_eq!(seven.reason.as_deref(), Some("the mean gain needs 8 runs and has 7"));
        let one = of(&suite(12), "loss/mlm_loss");
        assert_eq!(one.refusal.as_deref(), Some("too_few_tasks"));
        let trivial = of(&two_tasks(12), "trivial/parameters");
        assert_eq!((trivial.value, trivial.verdict, trivial.reason.as_deref()), (None, None, Some(NO_GAIN_OVER_ITSELF)));
        let mut imported = two_tasks(12);
        imported.runs[3].tokens = None;
        let imported = of(&imported, "loss/mlm_loss");
        assert!(imported.value.is_none() && imported.reason.unwrap().contains("of a checkpoint of others are not known"));
        let mut same = two_tasks(12);
        let size = |run: &str| (same.runs.iter().find(|row| row.run == run).unwrap().non_embedding_parameters as f64).ln();
        let sizes: Vec<f64> = same.metrics.iter().map(|row| size(&row.run)).collect();
        same.metrics
            .iter_mut()
            .zip(sizes)
            .filter(|(row, _)| row.metric == "loss/mlm_loss")
            .for_each(|(row, size)| row.value = size);
        let same = of(&same, "loss/mlm_loss");
        assert_eq!(same.refusal.as_deref(), Some("rank_deficient"), "{same:?}");
        assert!(same.reason.unwrap().contains("loss/mlm_loss"));
    }
}
