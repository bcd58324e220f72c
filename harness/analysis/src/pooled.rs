//! Metrics over all tasks of a protocol: the stored pooled correlation with the stability of its rank, and what the gains of single
//! tasks say.

use std::collections::BTreeMap;

use clmbench_stats::{GainVerdict, Verdict};
use clmbench_store::StatisticRow;
use serde::Serialize;
use serde_json::Value;

use crate::{
    AnalysisError,
    predictors::{PredictorRow, larger_first},
};

/// A metric over all tasks of a protocol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PooledRow {
    /// Place among the metrics of its protocol, objective and tokenizer, from 1.
    pub rank: u32,
    /// `family/name`, with parameters where the suite crosses several.
    pub metric: String,
    /// Protocol of transfer.
    pub protocol: String,
    /// What the runs have in common.
    pub pool: String,
    /// Whether it is one of the trivial predictors.
    pub trivial: bool,
    /// Runs that all tasks share.
    pub n: u32,
    /// Tasks pooled.
    pub n_tasks: u32,
    /// Equal-weight mean of the oriented Spearman correlations of the tasks.
    pub spearman: Option<f64>,
    /// Lower 95 % end, resampling runs and tasks.
    pub spearman_low: Option<f64>,
    /// Upper 95 % end.
    pub spearman_high: Option<f64>,
    /// Holm-adjusted p: runs permuted jointly for all tasks.
    pub p_value: Option<f64>,
    /// The same before adjustment.
    pub p_raw: Option<f64>,
    /// `predicts`, `does_not_predict`, `cannot_tell` or `refused`.
    pub verdict: String,
    /// How the verdict came about.
    pub verdict_reason: Option<String>,
    /// Typed reason of a refusal.
    pub refusal: Option<String>,
    /// Significant in the wrong direction.
    pub reversed: bool,
    /// Minimum detectable |r| of one task with these runs, at 80 % power.
    pub mde: Option<f64>,
    /// Tasks in which the metric's gain over the trivial predictors is `better`.
    pub gain_better: u32,
    /// Tasks in which it is `not_better`.
    pub gain_not_better: u32,
    /// Tasks in which it has a gain; the rest of them are undecided.
    pub gain_tasks: u32,
    /// Mean rank of the metric over resampled runs and tasks.
    pub mean_rank: Option<f64>,
    /// Lower 90 % end of its rank.
    pub mean_rank_low90: Option<f64>,
    /// Upper 90 % end of its rank.
    pub mean_rank_high90: Option<f64>,
    /// Share of the resamples in which it is the first.
    pub top1: Option<f64>,
    /// Share of the resamples in which it is among the first three.
    pub top3: Option<f64>,
    /// Tasks whose scores are too unreliable to be predicted well (reliability below one half); they are pooled all the same.
    pub unreliable_tasks: Vec<String>,
}

impl PooledRow {
    /// What the metrics have in common that are ranked together: the pool but for the evaluation sample, since those of a sample and those
    /// that need none stand side by side.
    pub fn ranking(&self) -> String {
        self.pool.split(' ').filter(|part| !part.starts_with("sample:")).collect::<Vec<_>>().join(" ")
    }
}

/// Rows from the stored statistics of kinds `pooled` and `stability`, ranking by ranking: runs of one protocol, objective and
/// tokenizer. Within one by verdict (`predicts`,
/// `cannot_tell`, `does_not_predict`, `refused`), then by the number of tasks with a gain that is decided (better first, not better
/// last), then by mean rank under resampling, then by r.
pub(crate) fn rows(fits: &[PredictorRow], statistics: &[StatisticRow]) -> Result<Vec<PooledRow>, AnalysisError> {
    let stability: BTreeMap<(Key<'_>, &str), &StatisticRow> =
        statistics.iter().filter(|row| row.kind == "stability").map(|row| ((key(row), row.name.as_str()), row)).collect();
    let mut rows = Vec::new();
    for row in statistics.iter().filter(|row| row.kind == "pooled" && row.name == "spearman") {
        let (Some(metric), Some(protocol)) = (&row.metric, &row.protocol) else { continue };
        let details = details(row)?;
        let stable = |name| stability.get(&(key(row), name)).copied();
        let of_pool = |fit: &&PredictorRow| row.pool.as_ref().is_none_or(|pool| *pool == fit.details.pool.name_over_tasks());
        let of_metric = || {
            let named = |fit: &&PredictorRow| fit.fit.metric == *metric && fit.fit.protocol == *protocol;
            fits.iter().filter(named).filter(of_pool)
        };
        let gains = |word: &str| of_metric().filter(|fit| fit.fit.gain_verdict.as_deref() == Some(word)).count() as u32;
        rows.push(PooledRow {
            rank: 0,
            metric: metric.clone(),
            protocol: protocol.clone(),
            pool: row.pool.clone().unwrap_or_default(),
            trivial: of_metric().any(|fit| fit.fit.trivial),
            n: row.n,
            n_tasks: details["n_tasks"].as_u64().unwrap_or(0) as u32,
            spearman: row.value,
            spearman_low: row.low95,
            spearman_high: row.high95,
            p_value: row.p_value,
            p_raw: row.p_raw,
            verdict: row.verdict.clone().unwrap_or_else(|| Verdict::CannotTell.word().to_owned()),
            verdict_reason: row.reason.clone(),
            refusal: row.refusal.clone(),
            reversed: details["reversed"].as_bool().unwrap_or(false),
            mde: details["minimum_detectable_r"].as_f64(),
            gain_better: gains(GainVerdict::Better.word()),
            gain_not_better: gains(GainVerdict::NotBetter.word()),
            gain_tasks: of_metric().filter(|fit| fit.fit.gain.is_some()).count() as u32,
            mean_rank: stable("mean_rank").and_then(|row| row.value),
            mean_rank_low90: stable("mean_rank").and_then(|row| row.low90),
            mean_rank_high90: stable("mean_rank").and_then(|row| row.high90),
            top1: stable("top1").and_then(|row| row.value),
            top3: stable("top3").and_then(|row| row.value),
            unreliable_tasks: words(&details["unreliable_tasks"]),
        });
    }
    rows.sort_by(|left, right| {
        (&left.protocol, left.ranking(), verdict_place(&left.verdict))
            .cmp(&(&right.protocol, right.ranking(), verdict_place(&right.verdict)))
            .then_with(|| right.gain_better.cmp(&left.gain_better))
            .then_with(|| left.gain_not_better.cmp(&right.gain_not_better))
            .then_with(|| larger_first(left.mean_rank.map(|rank| -rank), right.mean_rank.map(|rank| -rank)))
            .then_with(|| larger_first(left.spearman, right.spearman))
            .then_with(|| (&left.metric, &left.pool).cmp(&(&right.metric, &right.pool)))
    });
    for index in 0..rows.len() {
        let follows = index > 0 && same_ranking(&rows[index - 1], &rows[index]);
        rows[index].rank = if follows { rows[index - 1].rank + 1 } else { 1 };
    }
    Ok(rows)
}

fn same_ranking(left: &PooledRow, right: &PooledRow) -> bool {
    (&left.protocol, left.ranking()) == (&right.protocol, right.ranking())
}

type Key<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

/// Metric, protocol and pool.
fn key(row: &StatisticRow) -> Key<'_> {
    (row.metric.as_deref(), row.protocol.as_deref(), row.pool.as_deref())
}

fn details(row: &StatisticRow) -> Result<Value, AnalysisError> {
    let Some(text) = &row.details_json else { return Ok(Value::Null) };
    serde_json::from_str(text).map_err(|error| AnalysisError::Details {
        metric: row.metric.clone().unwrap_or_default(),
        dataset: "all tasks".to_owned(),
        reason: error.to_string(),
    })
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

fn verdict_place(word: &str) -> usize {
    let order = [Verdict::Predicts, Verdict::CannotTell, Verdict::DoesNotPredict, Verdict::Refused];
    order.iter().position(|verdict| verdict.word() == word).unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::Objective;

    use super::*;
    use crate::{fit::fit_rows, predictor_board, sample::suite};

    const POOL: &str = "masked_lm tokenizer:t sample:e probe";

    fn statistic(kind: &str, metric: &str, name: &str, value: f64) -> StatisticRow {
        StatisticRow {
            kind: kind.into(),
            metric: Some(metric.into()),
            protocol: Some("probe".into()),
            pool: Some(POOL.into()),
            name: name.into(),
            value: Some(value),
            n: 12,
            ..StatisticRow::default()
        }
    }

    fn pooled(metric: &str, verdict: &str, value: f64) -> StatisticRow {
        StatisticRow {
            verdict: Some(verdict.into()),
            details_json: Some(
                r#"{"n_tasks":3,"reversed":false,"minimum_detectable_r":0.74,"unreliable_tasks":["esol/expt"]}"#.into(),
            ),
            ..statistic("pooled", metric, "spearman", value)
        }
    }

    fn fit(objective: Objective) -> PredictorRow {
        let fits = predictor_board("demo", None, 0.5, fit_rows(&suite(12)).unwrap()).unwrap().rows;
        let mut fit = fits[0].clone();
        (fit.fit.protocol, fit.details.pool.protocol) = ("probe".into(), "probe".into());
        fit.details.pool.objective = objective;
        (fit.details.pool.tokenizer_digest, fit.details.pool.evaluation_digest) = ("t".into(), Some("e".into()));
        fit
    }

    #[test]
    fn each_pool_has_its_own_gains_and_each_ranking_its_own_places() {
        let gaining = |objective, verdict: &str| {
            let mut fit = fit(objective);
            (fit.fit.metric, fit.fit.gain_verdict, fit.fit.gain) = ("m".into(), Some(verdict.into()), Some(0.1));
            fit
        };
        let (masked, causal) = (Objective::MaskedLm, Objective::CausalLm);
        let fits = [gaining(masked, "better"), gaining(masked, "better"), gaining(causal, "not_better")];
        let of = |metric: &str, pool: &str| StatisticRow { pool: Some(pool.into()), ..pooled(metric, "cannot_tell", 0.1) };
        let other = POOL.replace("masked", "causal");
        let (any, whole) = (POOL.replace("sample:e", "sample:any"), other.clone());
        let statistics = [of("m", POOL), of("m", &whole), of("needs no sample", &any), of("alone", &other)];
        let found = rows(&fits, &statistics).unwrap();
        let said: Vec<_> = found
            .iter()
            .map(|row| (row.rank, row.metric.as_str(), row.pool.split(' ').next().unwrap(), row.gain_better, row.gain_tasks))
            .collect();
        assert_eq!(
            said,
            [
                (1, "alone", "causal_lm", 0, 0),
                (2, "m", "causal_lm", 0, 1),
                (1, "m", "masked_lm", 2, 2),
                (2, "needs no sample", "masked_lm", 0, 0)
            ]
        );
        assert_eq!((found[1].gain_not_better, found[2].gain_not_better), (1, 0));
    }

    #[test]
    fn by_verdict_then_gains_then_the_rank_under_resampling() {
        let mut gaining = fit(Objective::MaskedLm);
        (gaining.fit.metric, gaining.fit.gain_verdict, gaining.fit.gain) = ("gains".into(), Some("better".into()), Some(0.2));
        let mut losing = gaining.clone();
        (losing.fit.metric, losing.fit.gain_verdict) = ("loses".into(), Some("not_better".into()));
        // In the order that is expected.
        let expected = ["predicts", "gains", "steady", "shaky", "unranked", "loses", "ruled out", "constant"];
        let mut rows: Vec<StatisticRow> = expected.iter().map(|name| pooled(name, "cannot_tell", 0.1)).collect();
        rows[0].verdict = Some("predicts".into());
        rows[6].verdict = Some("does_not_predict".into());
        (rows[7].verdict, rows[7].value, rows[7].refusal) = (Some("refused".into()), None, Some("constant".into()));
        rows.reverse();
        for (metric, rank) in [("steady", 1.5), ("shaky", 2.5)] {
            rows.push(StatisticRow { low90: Some(1.0), high90: Some(4.0), ..statistic("stability", metric, "mean_rank", rank) });
            rows.push(statistic("stability", metric, "top1", 0.6));
        }
        // Of another pool: not this row's.
        rows.push(StatisticRow { pool: Some("other".into()), ..statistic("stability", "unranked", "mean_rank", 1.0) });
        let found = super::rows(&[gaining, losing], &rows).unwrap();
        let order: Vec<&str> = found.iter().map(|row| row.metric.as_str()).collect();
        assert_eq!(order, expected);
        assert_eq!(found.iter().map(|row| row.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        let steady = &found[2];
        assert_eq!((steady.mean_rank, steady.mean_rank_low90, steady.top1, steady.top3), (Some(1.5), Some(1.0), Some(0.6), None));
        assert_eq!((found[1].gain_better, found[1].gain_tasks, found[5].gain_not_better), (1, 1, 1));
        assert_eq!((steady.n_tasks, steady.mde, steady.unreliable_tasks.len()), (3, Some(0.74), 1));
        assert!(super::rows(&[], &[]).unwrap().is_empty());
    }

    #[test]
    fn broken_details_name_the_metric() {
        let row = StatisticRow { details_json: Some("{".into()), ..pooled("loss/mlm_loss", "predicts", 0.9) };
        assert!(rows(&[], &[row]).unwrap_err().to_string().contains("loss/mlm_loss"));
    }
}
