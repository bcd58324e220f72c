//! Scores of test predictions, with errors over test molecules and the score of a constant predictor.

use clmbench_protocol::{ScoreValue, TaskKind};
use clmbench_stats::{average_precision, delong, roc_auc, spearman};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::task::TaskData;

/// A score from labels and predictions.
type Score = fn(&[f64], &[f64]) -> f64;

/// Name, formula, whether larger is better.
type Row = (&'static str, Score, bool);

const REGRESSION: [Row; 4] = [("rmse", rmse, false), ("mae", mae, false), ("r2", r2, true), ("spearman", rank_correlation, true)];
const CLASSIFICATION: [Row; 2] = [("roc_auc", area_under_roc, true), ("pr_auc", area_under_precision_recall, true)];

fn table(kind: TaskKind) -> &'static [Row] {
    match kind {
        TaskKind::Regression => &REGRESSION,
        TaskKind::Classification => &CLASSIFICATION,
    }
}

/// Scores of this kind of task.
pub fn names(kind: TaskKind) -> Vec<&'static str> {
    table(kind).iter().map(|row| row.0).collect()
}

/// Every score of test predictions; the errors of all but ROC-AUC come from `bootstrap.0` resamples under seed `bootstrap.1`.
pub fn scores(task: &TaskData, predicted: &[f64], bootstrap: (u32, u64)) -> Vec<ScoreValue> {
    let labels = &task.test.labels;
    let constant = vec![task.train.mean(); labels.len()];
    let row = |(name, score, higher_is_better): &Row| {
        let se_test = match *name {
            "roc_auc" => delong(&classes(labels), predicted).map_or(f64::NAN, |(_, variance)| variance.sqrt()),
            _ => resampled_error(labels, predicted, *score, bootstrap),
        };
        // A constant orders nothing: its rank correlation is taken as 0, as its ROC-AUC is a half.
        let mean_predictor = if *name == "spearman" { 0.0 } else { score(labels, &constant) };
        ScoreValue {
            name: (*name).into(),
            value: score(labels, predicted).into(),
            higher_is_better: *higher_is_better,
            primary: *name == task.wanted.score,
            se_test: se_test.into(),
            se_seed: None,
            mean_predictor: mean_predictor.into(),
        }
    };
    table(task.wanted.kind).iter().map(row).collect()
}

/// Standard deviation of the score over resamples of the test molecules (Efron & Tibshirani 1993, algorithm 6.1). Resamples
/// in which the score does not exist (one class only, constant labels) are left out.
fn resampled_error(labels: &[f64], predicted: &[f64], score: Score, (draws, seed): (u32, u64)) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(crate::seed::derive("test bootstrap", &[&seed.to_le_bytes()]));
    let values = (0..draws).map(|_| {
        let chosen: Vec<usize> = (0..labels.len()).map(|_| rng.random_range(0..labels.len())).collect();
        let pick = |list: &[f64]| chosen.iter().map(|index| list[*index]).collect::<Vec<_>>();
        score(&pick(labels), &pick(predicted))
    });
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { f64::NAN } else { (spread / (values.len() - 1) as f64).sqrt() }
}

fn mean_of(labels: &[f64], predicted: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    labels.iter().zip(predicted).map(|(label, value)| term(label - value)).sum::<f64>() / labels.len() as f64
}

/// Root mean squared error.
pub fn rmse(labels: &[f64], predicted: &[f64]) -> f64 {
    mean_of(labels, predicted, |error| error * error).sqrt()
}

/// Mean absolute error.
fn mae(labels: &[f64], predicted: &[f64]) -> f64 {
    mean_of(labels, predicted, f64::abs)
}

/// Coefficient of determination on these molecules: 1 - squared error over squared deviation from their own mean. NaN where the
/// labels are constant: rounding could leave them a deviation above 0.
fn r2(labels: &[f64], predicted: &[f64]) -> f64 {
    if labels.iter().all(|label| *label == labels[0]) {
        return f64::NAN;
    }
    let mean = labels.iter().sum::<f64>() / labels.len() as f64;
    let total: f64 = labels.iter().map(|label| (label - mean).powi(2)).sum();
    1.0 - mean_of(labels, predicted, |error| error * error) * labels.len() as f64 / total
}

/// Spearman correlation; NaN where a side is constant.
fn rank_correlation(labels: &[f64], predicted: &[f64]) -> f64 {
    spearman(labels, predicted).unwrap_or(f64::NAN)
}

fn classes(labels: &[f64]) -> Vec<bool> {
    labels.iter().map(|label| *label == 1.0).collect()
}

/// ROC-AUC; NaN where a class is missing.
fn area_under_roc(labels: &[f64], predicted: &[f64]) -> f64 {
    roc_auc(&classes(labels), predicted).unwrap_or(f64::NAN)
}

/// PR-AUC as average precision; NaN where a class is missing.
fn area_under_precision_recall(labels: &[f64], predicted: &[f64]) -> f64 {
    average_precision(&classes(labels), predicted).unwrap_or(f64::NAN)
}

/// Mean log loss in nats of 0/1 labels, from logits.
pub fn log_loss(labels: &[f64], logits: &[f64]) -> f64 {
    // log(1 + exp(x)) without overflow.
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    labels.iter().zip(logits).map(|(label, logit)| softplus(*logit) - label * logit).sum::<f64>() / labels.len() as f64
}

/// Chance of class 1, from a logit.
pub fn probability(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::TransferTask;

    use super::*;
    use crate::transfer::task::Labelled;

    #[test]
    fn the_scores_are_those_that_suites_may_name() {
        for kind in [TaskKind::Regression, TaskKind::Classification] {
            assert_eq!(names(kind), kind.scores());
        }
    }

    #[test]
    fn scores_follow_their_formulas() {
        let (labels, predicted) = ([1.0, 2.0, 4.0], [1.5, 2.0, 3.0]);
        assert!((rmse(&labels, &predicted) - (1.25_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((mae(&labels, &predicted) - 0.5).abs() < 1e-12);
        assert!((r2(&labels, &predicted) - (1.0 - 1.25 / (14.0 / 3.0))).abs() < 1e-12);
        let wanted = -(0.8_f64.ln() + 0.6_f64.ln()) / 2.0;
        assert!((log_loss(&[1.0, 0.0], &[4.0_f64.ln(), (2.0_f64 / 3.0).ln()]) - wanted).abs() < 1e-12);
        assert!((log_loss(&[0.0], &[1000.0]) - 1000.0).abs() < 1e-9 && log_loss(&[1.0], &[1000.0]) == 0.0);
    }

    #[test]
    fn the_bootstrap_error_of_a_mean_is_its_standard_error() {
        let labels: Vec<f64> = (0..200).map(|i| f64::from((i * 37) % 101)).collect();
        let zeros = vec![0.0; 200];
        let mean = labels.iter().sum::<f64>() / 200.0;
        let spread: f64 = labels.iter().map(|label| (label - mean).powi(2)).sum::<f64>() / 200.0;
        let found = resampled_error(&labels, &zeros, mae, (4000, 1));
        let wanted = (spread / 200.0).sqrt();
        // 4,000 draws: the relative error of a standard deviation is about 1 / sqrt(8,000).
        assert!((found / wanted - 1.0).abs() < 4.0 / 8000_f64.sqrt(), "{found} is not {wanted}");
    }

    #[test]
    fn classes_are_scored_with_errors_and_a_constant_beside() {
        let labels: Vec<f64> = (0..60).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        let predicted: Vec<f64> = (0..60).map(|i| f64::from((i * 17) % 60) / 60.0 + labels[i as usize] * 0.3).collect();
        let part = Labelled { places: (0..60).collect(), labels };
        let wanted = TransferTask { name: "t".into(), kind: TaskKind::Classification, score: "pr_auc".into() };
        let task = TaskData { wanted, train: part.clone(), valid: part.clone(), test: part };
        let found = scores(&task, &predicted, (2000, 1));
        assert_eq!(
            found.iter().map(|row| (row.name.as_str(), row.primary)).collect::<Vec<_>>(),
            [("roc_auc", false), ("pr_auc", true)]
        );
        assert_eq!((found[0].mean_predictor.0, found[1].mean_predictor.0), (0.5, 20.0 / 60.0));
        let bootstrap = resampled_error(&task.test.labels, &predicted, area_under_roc, (2000, 1));
        // Two estimators of one error; they differ by terms of the order of 1/n.
        assert!((found[0].se_test.0 / bootstrap - 1.0).abs() < 0.1, "{} and {bootstrap}", found[0].se_test.0);
        assert!(found[1].se_test.0 > 0.0 && found[1].se_test.0 < 0.2);
    }

    #[test]
    fn constant_labels_have_no_share_explained_and_do_not_blow_up_its_error() {
        // The mean of three times 0.1 is not 0.1, so their deviations are not 0.
        assert!(r2(&[0.1; 3], &[0.1, 0.2, 0.3]).is_nan());
        // One resample in nine is constant.
        let found = resampled_error(&[0.1, 0.1, 0.7], &[0.1, 0.2, 0.6], r2, (2000, 1));
        assert!(found > 0.0 && found < 1.0, "{found}");
    }

    #[test]
    fn one_class_has_no_score() {
        assert!(area_under_roc(&[1.0; 3], &[0.1, 0.2, 0.3]).is_nan());
        assert!(area_under_precision_recall(&[0.0; 3], &[0.1, 0.2, 0.3]).is_nan());
    }
}
