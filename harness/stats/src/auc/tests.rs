#![allow(clippy::unwrap_used)]
use rand::Rng;

use super::*;
use crate::seed::generator;

/// Forty molecules with many ties, and two predictors of them.
fn example() -> (Vec<bool>, Vec<f64>, Vec<f64>) {
    let labels: Vec<bool> = (0..40).map(|i| i * 7 % 10 < 4).collect();
    let score = |place: usize, factor: usize, shift: usize, digits: i32| {
        let value = ((place * factor + shift) % 23) as f64 / 23.0 + if labels[place] { 0.35 } else { 0.0 };
        let scale = 10_f64.powi(digits);
        (value * scale).round() / scale
    };
    let a = (0..40).map(|place| score(place, 13, 5, 1)).collect();
    let b = (0..40).map(|place| score(place, 17, 2, 2)).collect();
    (labels, a, b)
}

#[test]
fn areas_are_those_of_scikit_learn() {
    // scikit-learn 1.9.1: roc_auc_score, average_precision_score.
    let (labels, a, b) = example();
    for (scores, auc, precision) in
        [(a, 0.87890625, 0.862_689_227_248_723_9), (b, 0.826_822_916_666_666_7, 0.785_291_606_541_606_6)]
    {
        assert!((roc_auc(&labels, &scores).unwrap() - auc).abs() < 1e-14);
        assert!((average_precision(&labels, &scores).unwrap() - precision).abs() < 1e-14);
        assert!((delong(&labels, &scores).unwrap().0 - auc).abs() < 1e-14);
    }
}

/// DeLong's covariance from its definition, pair by pair (DeLong et al. 1988, equations 3 to 5).
fn by_pairs(labels: &[bool], a: &[f64], b: &[f64]) -> f64 {
    let kernel = |x: f64, y: f64| {
        if x > y {
            1.0
        } else if x == y {
            0.5
        } else {
            0.0
        }
    };
    let class = |wanted: bool| (0..labels.len()).filter(|place| labels[*place] == wanted).collect::<Vec<_>>();
    let (positive, negative) = (class(true), class(false));
    let area = |scores: &[f64]| {
        let pairs = positive.iter().flat_map(|i| negative.iter().map(|j| kernel(scores[*i], scores[*j])));
        pairs.sum::<f64>() / (positive.len() * negative.len()) as f64
    };
    let above =
        |scores: &[f64], i: usize| negative.iter().map(|j| kernel(scores[i], scores[*j])).sum::<f64>() / negative.len() as f64;
    let below =
        |scores: &[f64], j: usize| positive.iter().map(|i| kernel(scores[*i], scores[j])).sum::<f64>() / positive.len() as f64;
    let (area_a, area_b) = (area(a), area(b));
    let s10 = positive.iter().map(|i| (above(a, *i) - area_a) * (above(b, *i) - area_b)).sum::<f64>();
    let s01 = negative.iter().map(|j| (below(a, *j) - area_a) * (below(b, *j) - area_b)).sum::<f64>();
    let (m, n) = (positive.len() as f64, negative.len() as f64);
    s10 / (m - 1.0) / m + s01 / (n - 1.0) / n
}

#[test]
fn midranks_give_what_all_pairs_give() {
    let (labels, a, b) = example();
    let (_, _, matrix) = delong_paired(&labels, &a, &b).unwrap();
    for (found, wanted) in [
        (matrix[0][0], by_pairs(&labels, &a, &a)),
        (matrix[1][1], by_pairs(&labels, &b, &b)),
        (matrix[0][1], by_pairs(&labels, &a, &b)),
        (matrix[1][0], by_pairs(&labels, &b, &a)),
    ] {
        assert!((found - wanted).abs() < 1e-15, "{found} is not {wanted}");
    }
}

/// Two correlated predictors of a new sample: normal scores, class 1 one standard deviation higher.
fn draw(rng: &mut impl Rng, labels: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let mut pair = |label: &bool| {
        let (shared, shift) = (normal(), f64::from(u8::from(*label)));
        (shift + 0.8 * shared + 0.6 * normal(), shift + 0.8 * shared + 0.6 * normal())
    };
    labels.iter().map(&mut pair).unzip()
}

#[test]
fn the_mean_estimated_covariance_is_that_of_the_estimates() {
    let labels: Vec<bool> = (0..90).map(|i| i % 3 == 0).collect();
    let mut rng = generator(3, "delong");
    let draws = 4000;
    let (mut areas, mut estimated) = (Vec::new(), [0.0; 2]);
    for _ in 0..draws {
        let (a, b) = draw(&mut rng, &labels);
        let (auc_a, auc_b, matrix) = delong_paired(&labels, &a, &b).unwrap();
        areas.push((auc_a, auc_b));
        estimated[0] += matrix[0][0] / f64::from(draws);
        estimated[1] += matrix[0][1] / f64::from(draws);
    }
    let (a, b): (Vec<f64>, Vec<f64>) = areas.into_iter().unzip();
    // The relative error of a variance from 4,000 draws is about sqrt(2 / 4000) = 2.2 %.
    for (found, wanted) in [(estimated[0], covariance(&a, &a)), (estimated[1], covariance(&a, &b))] {
        assert!((found / wanted - 1.0).abs() < 0.08, "{found} is not {wanted}");
    }
}

#[test]
fn the_simplest_case_by_hand() {
    // Positives 3 and 1, negatives 2 and 0: V10 = (1, 1/2), V01 = (1/2, 1); S10 = S01 = 1/8.
    let (auc, variance) = delong(&[true, false, true, false], &[3.0, 2.0, 1.0, 0.0]).unwrap();
    assert_eq!((auc, variance), (0.75, 0.125));
}

#[test]
fn a_constant_score_says_nothing() {
    let labels = [true, false, false, true, false];
    assert_eq!(delong(&labels, &[0.3; 5]).unwrap(), (0.5, 0.0));
    assert_eq!(roc_auc(&labels, &[0.3; 5]).unwrap(), 0.5);
    assert_eq!(average_precision(&labels, &[0.3; 5]).unwrap(), 0.4);
}

#[test]
fn one_class_and_odd_scores_are_refused() {
    let message = roc_auc(&[true, true], &[1.0, 2.0]).unwrap_err().to_string();
    assert_eq!(message, "ROC-AUC needs at least 1 molecule of each class and has 2 of class 1 and 0 of class 0");
    assert!(average_precision(&[false, false], &[1.0, 2.0]).is_err());
    assert!(matches!(delong(&[true, false, false], &[1.0; 3]), Err(Refusal::Classes { positives: 1, needed: 2, .. })));
    assert!(matches!(delong(&[true, false], &[f64::NAN, 1.0]), Err(Refusal::NonFinite { .. })));
    assert!(matches!(roc_auc(&[true, false], &[1.0]), Err(Refusal::Lengths { .. })));
}
