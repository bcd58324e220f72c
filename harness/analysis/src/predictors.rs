//! The leaderboard of predictors.

use std::cmp::Ordering;

use clmbench_protocol::DatasetOutput;
use clmbench_stats::{GainVerdict, Verdict};
use clmbench_store::FitRow;
use serde::Serialize;

use crate::{
    AnalysisError, GENERATED_BY,
    details::Details,
    inputs::{contents, named_by_content},
    labels::{Faults, LEAKED, LabelNote, notes},
    pooled::{Order, PooledRow, arrange},
    refused::{RefusedMetric, RefusedTask},
};

/// Stored fits in the order of a leaderboard. Its JSON form is `{schema, generated_by, rows}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictorBoard {
    /// Name and version of the JSON form.
    pub schema: &'static str,
    /// Program and version.
    pub generated_by: &'static str,
    /// Fits: task by task, within one in the order of [`predictor_board`].
    pub rows: Vec<PredictorRow>,
    /// Metrics over all tasks of a protocol; empty where no statistics are stored.
    #[serde(skip)]
    pub pooled: Vec<PooledRow>,
    /// What these are ordered by; by default the mean gain.
    #[serde(skip)]
    pub order: Order,
    /// Name of the suite.
    #[serde(skip)]
    pub suite: String,
    /// Outcome that the suite expects.
    #[serde(skip)]
    pub expect: Option<String>,
    /// Smallest |r| that would be useful.
    #[serde(skip)]
    pub useful_effect: f64,
    /// Tasks without a score, and why: they have no fits.
    #[serde(skip)]
    pub refused: Vec<RefusedTask>,
    /// Metrics that were refused for runs, and why: where it was for all of them, there is no row.
    #[serde(skip)]
    pub lacking: Vec<RefusedMetric>,
    /// Whether cells were finished after these fits were stored.
    #[serde(skip)]
    pub stale: bool,
    /// What a reader must know of the labels, such as leaks; each row has its counts.
    #[serde(skip)]
    pub labels: Vec<LabelNote>,
}

impl PredictorBoard {
    /// Orders the metrics over all tasks, and the fits of each task, best first whatever their verdicts.
    pub fn order_by(&mut self, order: Order) {
        self.order = order;
        arrange(&mut self.pooled, order);
        self.rows.sort_by(|left, right| {
            let by_gain = match order {
                Order::Gain => larger_first(left.fit.gain, right.fit.gain),
                Order::R => Ordering::Equal,
            };
            (group(left).cmp(&group(right)))
                .then(by_gain)
                .then_with(|| larger_first(left.fit.spearman, right.fit.spearman))
                .then_with(|| (&left.fit.metric, &left.fit.pool).cmp(&(&right.fit.metric, &right.fit.pool)))
        });
        number(&mut self.rows);
    }

    /// Says of every row what is wrong with the labels of its task.
    pub(crate) fn look_over(&mut self, datasets: Vec<DatasetOutput>) {
        let contents = contents(&datasets);
        let datasets = named_by_content(datasets);
        for row in &mut self.rows {
            let pool = &mut row.details.pool;
            // Fits of earlier versions name a dataset with its tokens.
            if let Some(content) = contents.get(&pool.data_digest) {
                pool.data_digest.clone_from(content);
            }
            let faults = Faults::of(&datasets, &pool.data_digest, &pool.split_digest, &row.fit.task);
            (row.leaked_test_molecules, row.conflicting_labels) = (faults.leaked, faults.conflicting);
            // Fits that were stored before labels were looked over have no such flag.
            if faults.is_leaked() && !row.fit.flags.iter().any(|flag| flag == LEAKED) {
                row.fit.flags.insert(0, LEAKED.to_owned());
            }
        }
        let fitted = |dataset: &&DatasetOutput| {
            let same =
                |pool: &crate::Pool| (&pool.data_digest, &pool.split_digest) == (&dataset.data_digest, &dataset.split_digest);
            self.rows.iter().any(|row| same(&row.details.pool))
        };
        self.labels = notes(datasets.iter().filter(fitted));
    }
}

/// A fit and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictorRow {
    /// Place among the fits of its task, protocol and split, from 1.
    pub rank: u32,
    /// The fit.
    #[serde(flatten)]
    pub fit: FitRow,
    /// Lower end of the 90 % interval of the Spearman correlation.
    pub spearman_low90: Option<f64>,
    /// Upper end of the 90 % interval, which the verdict `does_not_predict` rests on.
    pub spearman_high90: Option<f64>,
    /// Labelled test molecules of the task that have a label in training or validation too; null if that was not counted.
    pub leaked_test_molecules: Option<u64>,
    /// Molecules with several rows whose labels of the task differ; null if that was not counted.
    pub conflicting_labels: Option<u64>,
    /// What the fit rests on.
    pub details: Details,
    /// Name of the suite.
    pub suite: String,
}

/// Gives the fits of each task their places.
fn number(rows: &mut [PredictorRow]) {
    for index in 0..rows.len() {
        let follows = index > 0 && group(&rows[index - 1]) == group(&rows[index]);
        rows[index].rank = if follows { rows[index - 1].rank + 1 } else { 1 };
    }
}

/// Orders fits: by dataset, task, protocol, score and split. Within them by verdict (`predicts`, `cannot_tell`,
/// `does_not_predict`, `refused`); then by the gain's verdict (`better`, undecided or none, `not_better`), and only where that
/// is decided by the gain itself: an undecided gain ranks nothing. The rest by the oriented Spearman, so that a reversed
/// metric does not stand above one that is merely weak.
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
        let details: Details = serde_json::from_str(&fit.details_json).map_err(|error| AnalysisError::Details {
            metric: fit.metric.clone(),
            dataset: fit.dataset.clone(),
            reason: error.to_string(),
        })?;
        let (spearman_low90, spearman_high90) =
            details.spearman_interval.map_or((None, None), |interval| (Some(interval.low90), Some(interval.high90)));
        rows.push(PredictorRow {
            rank: 0,
            fit,
            spearman_low90,
            spearman_high90,
            leaked_test_molecules: None,
            conflicting_labels: None,
            details,
            suite: suite.to_owned(),
        });
    }
    rows.sort_by(|left, right| {
        group(left)
            .cmp(&group(right))
            .then_with(|| verdict_place(left).cmp(&verdict_place(right)))
            .then_with(|| gain_place(left).cmp(&gain_place(right)))
            .then_with(|| larger_first(decided_gain(left), decided_gain(right)))
            .then_with(|| larger_first(left.fit.spearman, right.fit.spearman))
            .then_with(|| left.fit.metric.cmp(&right.fit.metric))
            .then_with(|| left.fit.pool.cmp(&right.fit.pool))
    });
    number(&mut rows);
    Ok(PredictorBoard {
        schema: "clmbench/leaderboard-predictors/1",
        generated_by: GENERATED_BY,
        rows,
        pooled: Vec::new(),
        order: Order::default(),
        suite: suite.to_owned(),
        expect,
        useful_effect,
        refused: Vec::new(),
        lacking: Vec::new(),
        stale: false,
        labels: Vec::new(),
    })
}

fn group(row: &PredictorRow) -> (&str, &str, &str, &str, &str, &str) {
    let pool = &row.details.pool;
    (&row.fit.dataset, &row.fit.task, &row.fit.protocol, &row.fit.score, &pool.split_digest, &pool.data_digest)
}

fn verdict_place(row: &PredictorRow) -> u8 {
    let order = [Verdict::Predicts, Verdict::CannotTell, Verdict::DoesNotPredict, Verdict::Refused];
    order.iter().position(|verdict| verdict.word() == row.fit.verdict).unwrap_or(order.len()) as u8
}

fn gain_place(row: &PredictorRow) -> u8 {
    match row.fit.gain_verdict.as_deref() {
        Some(word) if word == GainVerdict::Better.word() => 0,
        Some(word) if word == GainVerdict::NotBetter.word() => 2,
        _ => 1,
    }
}

fn decided_gain(row: &PredictorRow) -> Option<f64> {
    row.fit.gain.filter(|_| gain_place(row) != 1)
}

pub(crate) fn larger_first(left: Option<f64>, right: Option<f64>) -> Ordering {
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
        predictor_board("demo", Some("cannot_tell".into()), 0.5, fit_rows(&suite(12)).unwrap()).unwrap()
    }

    #[test]
    fn ranked_by_verdict_then_decided_gain_then_oriented_correlation() {
        let template = fit_rows(&suite(12)).unwrap().remove(0);
        let fit = |metric: &str, verdict: &str, gain: Option<(&str, f64)>, spearman: Option<f64>| FitRow {
            metric: metric.into(),
            verdict: verdict.into(),
            gain_verdict: gain.map(|(word, _)| word.to_owned()),
            gain: gain.map(|(_, gain)| gain),
            spearman,
            ..template.clone()
        };
        let mut other = fit("other task", "refused", None, None);
        other.dataset = "esol".into();
        // In the order that is expected.
        let fits = vec![
            other,
            fit("better", "predicts", Some(("better", 0.2)), Some(0.7)),
            fit("less better", "predicts", Some(("better", 0.1)), Some(0.9)),
            fit("stronger", "cannot_tell", Some(("cannot_tell", -0.5)), Some(0.6)),
            fit("trivial", "cannot_tell", None, Some(0.5)),
            fit("a large gain that is not decided", "cannot_tell", Some(("cannot_tell", 0.9)), Some(0.1)),
            fit("reversed but not significant", "cannot_tell", Some(("cannot_tell", 0.9)), Some(-0.8)),
            fit("adds nothing", "cannot_tell", Some(("not_better", -0.1)), Some(0.8)),
            fit("weak", "does_not_predict", Some(("cannot_tell", 0.0)), Some(0.1)),
            fit("reversed", "does_not_predict", Some(("cannot_tell", 0.3)), Some(-0.9)),
            fit("constant", "refused", Some(("cannot_tell", 0.0)), None),
        ];
        let expected: Vec<String> = fits.iter().map(|fit| fit.metric.clone()).collect();
        let mut shuffled = fits;
        shuffled.reverse();
        shuffled.swap(2, 5);
        let rows = predictor_board("demo", None, 0.5, shuffled).unwrap().rows;
        let order: Vec<String> = rows.iter().map(|row| row.fit.metric.clone()).collect();
        assert_eq!(order, expected);
        let ranks: Vec<u32> = rows.iter().map(|row| row.rank).collect();
        assert_eq!(ranks, [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let mut board = PredictorBoard { rows, ..board() };
        let first = |board: &PredictorBoard| board.rows[1..4].iter().map(|row| row.fit.metric.clone()).collect::<Vec<_>>();
        board.order_by(Order::Gain);
        assert_eq!(first(&board), ["a large gain that is not decided", "reversed but not significant", "reversed"]);
        assert_eq!((board.rows[10].fit.metric.as_str(), board.rows[10].rank), ("trivial", 10), "no gain");
        board.order_by(Order::R);
        assert_eq!(first(&board), ["less better", "adds nothing", "better"]);
        assert_eq!((board.rows[10].fit.metric.as_str(), board.rows[0].rank, board.order), ("constant", 1, Order::R));
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
            "spearman_low90",
            "spearman_high90",
            "kendall",
            "p_value",
            "p_raw",
            "gain",
            "gain_verdict",
            "verdict",
            "refusal",
            "reversed",
            "mde",
            "cost_seconds",
            "flags",
        ] {
            assert!(row.contains_key(column), "{column}");
        }
        assert!(row["spearman_high90"].as_f64().unwrap() <= row["spearman_high"].as_f64().unwrap());
        assert!(row["details"]["points"].is_array() && !row.contains_key("details_json"), "an object, no text in a text");
    }

    #[test]
    fn broken_details_name_the_fit() {
        let mut fits = fit_rows(&suite(12)).unwrap();
        fits[0].details_json = "{}".into();
        let error = predictor_board("demo", None, 0.5, fits).unwrap_err().to_string();
        assert!(error.contains("loss/mlm_loss") && error.contains("freesolv"), "{error}");
    }
}
