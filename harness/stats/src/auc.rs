//! Scores of a classification by ranks: ROC-AUC with DeLong's variance, for one predictor and for two on the same
//! molecules, and average precision.
//!
//! DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver operating
//! characteristic curves", in the midrank form of Sun & Xu 2014, "Fast implementation of DeLong's algorithm", section III.

use crate::{
    correlation::average_ranks,
    numeric::mean,
    refusal::{Refusal, check_column},
};

/// Molecules of each class that a variance needs.
pub const SMALLEST_CLASS_FOR_VARIANCE: usize = 2;

/// The places of class 1 and of class 0, if each has at least `needed`.
fn classes(what: &str, labels: &[bool], needed: usize) -> Result<(Vec<usize>, Vec<usize>), Refusal> {
    let (positive, negative): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|place| labels[*place]);
    if positive.len() < needed || negative.len() < needed {
        let what = what.to_owned();
        return Err(Refusal::Classes { what, positives: positive.len(), negatives: negative.len(), needed });
    }
    Ok((positive, negative))
}

/// Area under the ROC curve: the chance that a molecule of class 1 scores above one of class 0, ties counting half.
///
/// # Errors
/// A class without a molecule, scores that are not finite, unequal lengths.
pub fn roc_auc(labels: &[bool], scores: &[f64]) -> Result<f64, Refusal> {
    check_column("score", scores, labels.len())?;
    classes("ROC-AUC", labels, 1)?;
    Ok(roc_auc_if_defined(labels, scores))
}

/// [`roc_auc`] of clean columns; NaN where a class has no molecule.
fn roc_auc_if_defined(labels: &[bool], scores: &[f64]) -> f64 {
    let ranks = average_ranks(scores);
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    let sum: f64 = ranks.iter().zip(labels).filter(|(_, label)| **label).map(|(rank, _)| rank).sum();
    (sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// DeLong's structural components: of each molecule of class 1 the share of class 0 that it beats, and of each molecule of
/// class 0 the share of class 1 that beats it, ties counting half.
fn components(positive: &[usize], negative: &[usize], scores: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let pick = |places: &[usize]| places.iter().map(|place| scores[*place]).collect::<Vec<_>>();
    let among_all = average_ranks(scores);
    // A midrank among all less the midrank within the class counts the other class below.
    let beaten = |places: &[usize]| -> Vec<f64> {
        let within = average_ranks(&pick(places));
        places.iter().zip(within).map(|(place, within)| among_all[*place] - within).collect()
    };
    let (m, n) = (positive.len() as f64, negative.len() as f64);
    let of_positive = beaten(positive).into_iter().map(|count| count / n).collect();
    let of_negative = beaten(negative).into_iter().map(|count| 1.0 - count / m).collect();
    (of_positive, of_negative)
}

/// Sample covariance (divisor n - 1).
fn covariance(x: &[f64], y: &[f64]) -> f64 {
    let (centre_x, centre_y) = (mean(x), mean(y));
    x.iter().zip(y).map(|(a, b)| (a - centre_x) * (b - centre_y)).sum::<f64>() / (x.len() as f64 - 1.0)
}

/// ROC-AUC and the variance of its estimate over test molecules. The variance is 0 for perfectly separated classes and for a
/// constant score: there it says nothing.
///
/// # Errors
/// Fewer than [`SMALLEST_CLASS_FOR_VARIANCE`] molecules of a class, scores that are not finite, unequal lengths.
pub fn delong(labels: &[bool], scores: &[f64]) -> Result<(f64, f64), Refusal> {
    let (auc, _, covariance) = delong_paired(labels, scores, scores)?;
    Ok((auc, covariance[0][0]))
}

/// ROC-AUCs `a` and `b` of two predictors on the same molecules and the covariance matrix of both estimates
/// `[[var a, cov], [cov, var b]]`. The variance of `a - b` is `var a + var b - 2 cov`.
///
/// # Errors
/// As [`delong`].
pub fn delong_paired(labels: &[bool], a: &[f64], b: &[f64]) -> Result<(f64, f64, [[f64; 2]; 2]), Refusal> {
    check_column("score a", a, labels.len())?;
    check_column("score b", b, labels.len())?;
    let (positive, negative) = classes("DeLong's variance of ROC-AUC", labels, SMALLEST_CLASS_FOR_VARIANCE)?;
    let (m, n) = (positive.len() as f64, negative.len() as f64);
    let (a, b) = (components(&positive, &negative, a), components(&positive, &negative, b));
    let entry = |x: &(Vec<f64>, Vec<f64>), y: &(Vec<f64>, Vec<f64>)| covariance(&x.0, &y.0) / m + covariance(&x.1, &y.1) / n;
    let both = entry(&a, &b);
    Ok((mean(&a.0), mean(&b.0), [[entry(&a, &a), both], [both, entry(&b, &b)]]))
}

/// Average precision, the area under the precision-recall curve as steps: the sum over thresholds, from the highest score
/// down, of the gain in recall times the precision; equal scores are one threshold (scikit-learn's definition).
///
/// # Errors
/// A class without a molecule, scores that are not finite, unequal lengths.
pub fn average_precision(labels: &[bool], scores: &[f64]) -> Result<f64, Refusal> {
    check_column("score", scores, labels.len())?;
    classes("average precision", labels, 1)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let (mut found, mut area, mut start) = (0.0, 0.0, 0);
    while start < order.len() {
        let mut end = start;
        let mut gained = 0.0;
        while end < order.len() && scores[order[end]] == scores[order[start]] {
            gained += f64::from(u8::from(labels[order[end]]));
            end += 1;
        }
        found += gained;
        area += gained / positives * found / end as f64;
        start = end;
    }
    Ok(area)
}

#[cfg(test)]
mod tests;
