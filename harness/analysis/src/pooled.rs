//! Metrics over all tasks of a protocol: the stored mean gain and pooled correlation, each with the stability of its rank, and what the
//! gains of single tasks say.

use std::{cmp::Ordering, collections::BTreeMap};

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
    /// Place among the metrics of its protocol, objective and tokenizer, from 1, in the order of the board.
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
    /// Equal-weight mean over tasks of the gain over the trivial predictors; of these there is none.
    pub gain: Option<f64>,
    /// Lower 95 % end, resampling runs jointly for all tasks.
    pub gain_low: Option<f64>,
    /// Upper 95 % end.
    pub gain_high: Option<f64>,
    /// `better`, `not_better` or `cannot_tell`.
    pub gain_verdict: Option<String>,
    /// How that came about, or why there is no gain.
    pub gain_reason: Option<String>,
    /// Mean rank by mean gain over resampled runs and tasks.
    pub gain_mean_rank: Option<f64>,
    /// Lower 90 % end of that rank.
    pub gain_mean_rank_low90: Option<f64>,
    /// Upper 90 % end of that rank.
    pub gain_mean_rank_high90: Option<f64>,
    /// Share of the resamples in which it is the first by gain.
    pub gain_top1: Option<f64>,
    /// Share of the resamples in which it is among the first three by gain.
    pub gain_top3: Option<f64>,
    /// Tasks in which the metric's gain over the trivial predictors is `better`.
    pub gain_better: u32,
    /// Tasks in which it is `not_better`.
    pub gain_not_better: u32,
    /// Tasks in which it has a gain; the rest of them are undecided.
    pub gain_tasks: u32,
    /// Mean rank by r over resampled runs and tasks.
    pub mean_rank: Option<f64>,
    /// Lower 90 % end of that rank.
    pub mean_rank_low90: Option<f64>,
    /// Upper 90 % end of that rank.
    pub mean_rank_high90: Option<f64>,
    /// Share of the resamples in which it is the first by r.
    pub top1: Option<f64>,
    /// Share of the resamples in which it is among the first three by r.
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

/// What metrics are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Mean gain over tasks, those that have one first; the rest, trivial predictors among them, by r.
    #[default]
    Gain,
    /// Mean r over tasks.
    R,
}

/// Rows from the stored statistics of kinds `pooled` and `stability`, ranking by ranking (runs of one protocol, objective and tokenizer),
/// by gain.
pub(crate) fn rows(fits: &[PredictorRow], statistics: &[StatisticRow]) -> Result<Vec<PooledRow>, AnalysisError> {
    let stability: BTreeMap<(Key<'_>, &str), &StatisticRow> =
        statistics.iter().filter(|row| row.kind == "stability").map(|row| ((key(row), row.name.as_str()), row)).collect();
    let mut rows = Vec::new();
    let pooled_gains: BTreeMap<Key<'_>, &StatisticRow> =
        statistics.iter().filter(|row| row.kind == "pooled" && row.name == "gain").map(|row| (key(row), row)).collect();
    for row in statistics.iter().filter(|row| row.kind == "pooled" && row.name == "spearman") {
        let (Some(metric), Some(protocol)) = (&row.metric, &row.protocol) else { continue };
        let details = details(row)?;
        let gain = pooled_gains.get(&key(row)).copied();
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
            gain: gain.and_then(|row| row.value),
            gain_low: gain.and_then(|row| row.low95),
            gain_high: gain.and_then(|row| row.high95),
            gain_verdict: gain.and_then(|row| row.verdict.clone()),
            gain_reason: gain.and_then(|row| row.reason.clone()),
            gain_mean_rank: stable("gain_mean_rank").and_then(|row| row.value),
            gain_mean_rank_low90: stable("gain_mean_rank").and_then(|row| row.low90),
            gain_mean_rank_high90: stable("gain_mean_rank").and_then(|row| row.high90),
            gain_top1: stable("gain_top1").and_then(|row| row.value),
            gain_top3: stable("gain_top3").and_then(|row| row.value),
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
    arrange(&mut rows, Order::default());
    Ok(rows)
}

/// Orders the rows of each ranking and gives them their places.
pub(crate) fn arrange(rows: &mut [PooledRow], order: Order) {
    rows.sort_by(|left, right| {
        let by_gain = match order {
            Order::Gain => larger_first(left.gain, right.gain),
            Order::R => Ordering::Equal,
        };
        (&left.protocol, left.ranking())
            .cmp(&(&right.protocol, right.ranking()))
            .then(by_gain)
            .then_with(|| larger_first(left.spearman, right.spearman))
            .then_with(|| (&left.metric, &left.pool).cmp(&(&right.metric, &right.pool)))
    });
    for index in 0..rows.len() {
        let follows = index > 0 && same_ranking(&rows[index - 1], &rows[index]);
        rows[index].rank = if follows { rows[index - 1].rank + 1 } else { 1 };
    }
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
    fn by_gain_then_r_or_by_r_alone() {
        let mut gaining = fit(Objective::MaskedLm);
        (gaining.fit.metric, gaining.fit.gain_verdict, gaining.fit.gain) = ("undecided".into(), Some("better".into()), Some(0.2));
        // In the order that is expected: an undecided gain above a smaller decided one, the range of its rank beside it.
        let expected =
            [("undecided", 0.2), ("decided", 0.5), ("loses", 0.9), ("trivial", 0.8), ("ruled out", 0.1), ("constant", 0.0)];
        let mut rows: Vec<StatisticRow> = expected.iter().map(|(name, r)| pooled(name, "cannot_tell", *r)).collect();
        (rows[5].verdict, rows[5].value, rows[5].refusal) = (Some("refused".into()), None, Some("constant".into()));
        rows.reverse();
        for (metric, gain, verdict) in
            [("undecided", 0.3, "cannot_tell"), ("decided", 0.1, "better"), ("loses", -0.2, "not_better")]
        {
            let row = statistic("pooled", metric, "gain", gain);
            rows.push(StatisticRow { verdict: Some(verdict.into()), low95: Some(gain - 0.05), high95: Some(gain + 0.05), ..row });
        }
        let refused = statistic("pooled", "trivial", "gain", 0.0);
        rows.push(StatisticRow { value: None, reason: Some("measured over it".into()), ..refused });
        for (metric, by_gain, by_r) in [("undecided", 1.5, 4.0), ("decided", 1.6, 3.0)] {
            for (name, rank) in [("gain_mean_rank", by_gain), ("mean_rank", by_r)] {
                rows.push(StatisticRow { low90: Some(1.0), high90: Some(4.0), ..statistic("stability", metric, name, rank) });
            }
            rows.push(statistic("stability", metric, "gain_top3", 0.9));
            rows.push(statistic("stability", metric, "top1", 0.6));
        }
        // Of another pool: not this row's.
        rows.push(StatisticRow { pool: Some("other".into()), ..statistic("stability", "loses", "gain_mean_rank", 1.0) });
        let mut found = super::rows(&[gaining], &rows).unwrap();
        let order = |rows: &[PooledRow]| rows.iter().map(|row| row.metric.clone()).collect::<Vec<String>>();
        assert_eq!(order(&found), expected.map(|(name, _)| name));
        assert_eq!(found.iter().map(|row| row.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        let first = &found[0];
        assert_eq!((first.gain, first.gain_low, first.gain_verdict.as_deref()), (Some(0.3), Some(0.25), Some("cannot_tell")));
        assert_eq!(
            (first.gain_mean_rank, first.gain_mean_rank_low90, first.gain_top3, first.gain_top1),
            (Some(1.5), Some(1.0), Some(0.9), None)
        );
        assert_eq!((first.mean_rank, first.mean_rank_high90, first.top1), (Some(4.0), Some(4.0), Some(0.6)));
        assert_eq!((first.gain_better, first.gain_tasks, found[2].gain_mean_rank), (1, 1, None));
        assert_eq!((found[3].gain, found[3].gain_reason.as_deref()), (None, Some("measured over it")));
        assert_eq!((first.n_tasks, first.mde, first.unreliable_tasks.len()), (3, Some(0.74), 1));
        arrange(&mut found, Order::R);
        assert_eq!(order(&found), ["loses", "trivial", "decided", "undecided", "ruled out", "constant"]);
        assert_eq!(found.iter().map(|row| row.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert!(super::rows(&[], &[]).unwrap().is_empty());
    }

    #[test]
    fn broken_details_name_the_metric() {
        let row = StatisticRow { details_json: Some("{".into()), ..pooled("loss/mlm_loss", "predicts", 0.9) };
        assert!(rows(&[], &[row]).unwrap_err().to_string().contains("loss/mlm_loss"));
    }
}
