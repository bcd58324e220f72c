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
    let of = |row: &Row| one(row, (&task.test.labels, predicted), task.train.mean(), bootstrap);
    let mut found: Vec<ScoreValue> = table(task.wanted.kind).iter().map(of).collect();
    found.iter_mut().for_each(|score| score.primary = score.name == task.wanted.score);
    found
}

/// The task's primary score on the test molecules of each subset of the dataset, never primary itself, and the reason for each that there
/// is not. `subsets` are names and whether each molecule of the dataset is a member.
pub fn subset_scores(
    task: &TaskData,
    subsets: &[(String, Vec<bool>)],
    predicted: &[f64],
    bootstrap: (u32, u64),
) -> (Vec<ScoreValue>, Vec<(String, String)>) {
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    let Some(row) = table(task.wanted.kind).iter().find(|row| row.0 == task.wanted.score) else { return (found, absent) };
    for (subset, members) in subsets {
        let name = format!("{}_{subset}", row.0);
        let inside = task.test.places.iter().map(|place| members.get(*place) == Some(&true));
        let chosen = inside.zip(task.test.labels.iter().zip(predicted)).filter(|(inside, _)| *inside);
        let (labels, values): (Vec<f64>, Vec<f64>) = chosen.map(|(_, (label, value))| (*label, *value)).unzip();
        if let Some(reason) = too_few(task.wanted.kind, subset, &labels) {
            absent.push((name, reason));
            continue;
        }
        let score = one(row, (&labels, &values), task.train.mean(), bootstrap);
        if score.value.0.is_finite() {
            found.push(ScoreValue { name, ..score });
        } else {
            let reason =
                format!("{} does not exist on its {} labelled test molecules, such as where all are equal", row.0, labels.len());
            absent.push((name, reason));
        }
    }
    (found, absent)
}

/// Why there can be no score on these labels, if there can be none: an error bar needs two of them, and two of each class.
fn too_few(kind: TaskKind, subset: &str, labels: &[f64]) -> Option<String> {
    let ones = labels.iter().filter(|label| **label == 1.0).count();
    let zeros = labels.len() - ones;
    match kind {
        TaskKind::Regression if labels.len() < 2 => {
            Some(format!("labelled test molecules of subset {subset}: {}; at least 2 are needed", labels.len()))
        }
        TaskKind::Classification if ones.min(zeros) < 2 => Some(format!(
            "labelled test molecules of subset {subset}: {ones} of class 1 and {zeros} of class 0; at least 2 of each are needed"
        )),
        _ => None,
    }
}

/// A score of labels and predictions; `mean` is what a constant predictor says.
fn one(
    (name, score, higher_is_better): &Row,
    (labels, predicted): (&[f64], &[f64]),
    mean: f64,
    bootstrap: (u32, u64),
) -> ScoreValue {
    let se_test = match *name {
        "roc_auc" => delong(&classes(labels), predicted).map_or(f64::NAN, |(_, variance)| variance.sqrt()),
        _ => resampled_error(labels, predicted, *score, bootstrap),
    };
    // A constant orders nothing: its rank correlation is taken as 0, as its ROC-AUC is a half.
    let mean_predictor = if *name == "spearman" { 0.0 } else { score(labels, &vec![mean; labels.len()]) };
    ScoreValue {
        name: (*name).into(),
        value: score(labels, predicted).into(),
        higher_is_better: *higher_is_better,
        primary: false,
        se_test: se_test.into(),
        se_seed: None,
        mean_predictor: mean_predictor.into(),
    }
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

    /// Four training labels of mean 2.5, test molecules 4 to 9 with labels and predictions.
    fn tested(kind: TaskKind, score: &str, labels: &[f64]) -> TaskData {
        let wanted = TransferTask { name: "t".into(), kind, score: score.into() };
        let train = Labelled { places: vec![0, 1, 2, 3], labels: vec![1.0, 2.0, 3.0, 4.0] };
        let test = Labelled { places: (4..4 + labels.len()).collect(), labels: labels.to_vec() };
        TaskData { wanted, valid: train.clone(), train, test }
    }

    /// Members among ten molecules.
    fn subset(name: &str, members: &[usize]) -> (String, Vec<bool>) {
        (name.into(), (0..10).map(|place| members.contains(&place)).collect())
    }

    #[test]
    fn subsets_have_the_primary_score_of_their_test_members_alone() {
        let task = tested(TaskKind::Regression, "rmse", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let predicted = [1.5, 2.0, 3.0, 4.0, 3.0, 6.0];
        // Members 0 and 1 are trained on; 4, 8 and 9 are tested, with errors of 0.5, 2 and 0.
        let subsets = [subset("cliff", &[0, 1, 4, 8, 9]), subset("rare", &[2, 5]), subset("none", &[])];
        let (found, absent) = subset_scores(&task, &subsets, &predicted, (1000, 1));
        assert_eq!(found.len(), 1);
        let score = &found[0];
        assert_eq!(
            (score.name.as_str(), score.primary, score.higher_is_better, &score.se_seed),
            ("rmse_cliff", false, false, &None)
        );
        assert!((score.value.0 - (4.25_f64 / 3.0).sqrt()).abs() < 1e-12);
        // The constant 2.5 errs by 1.5, 2.5 and 3.5.
        assert!((score.mean_predictor.0 - (20.75_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(score.se_test.0, resampled_error(&[1.0, 5.0, 6.0], &[1.5, 3.0, 6.0], rmse, (1000, 1)));
        let reason = |subset: &str, count| format!("labelled test molecules of subset {subset}: {count}; at least 2 are needed");
        assert_eq!(absent, [("rmse_rare".into(), reason("rare", 1)), ("rmse_none".into(), reason("none", 0))]);
        // A score that needs labels that differ.
        let constant = tested(TaskKind::Regression, "r2", &[2.0; 6]);
        let (found, absent) = subset_scores(&constant, &[subset("cliff", &[4, 5, 6])], &predicted, (100, 1));
        assert!(found.is_empty());
        let wanted = "r2 does not exist on its 3 labelled test molecules, such as where all are equal";
        assert_eq!(absent, [("r2_cliff".to_owned(), wanted.to_owned())]);
    }

    #[test]
    fn subsets_of_one_class_are_absent_with_their_counts() {
        let task = tested(TaskKind::Classification, "roc_auc", &[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let predicted = [0.1, 0.6, 0.2, 0.5, 0.9, 0.3];
        let subsets = [subset("even", &[4, 5, 7, 8]), subset("odd", &[4, 5, 6, 9])];
        let (found, absent) = subset_scores(&task, &subsets, &predicted, (100, 1));
        // Pairs (0.1, 0.6) x (0.5, 0.9): three of four are in order.
        assert_eq!((found[0].name.as_str(), found[0].value.0, found.len()), ("roc_auc_even", 0.75, 1));
        let reason = "labelled test molecules of subset odd: 1 of class 1 and 3 of class 0; at least 2 of each are needed";
        assert_eq!(absent, [("roc_auc_odd".to_owned(), reason.to_owned())]);
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
