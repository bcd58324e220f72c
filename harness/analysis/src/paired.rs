//! A run against the same model untrained, on the same test molecules: the difference of their scores with an interval.
//!
//! Both are scored by their stored predictions on the same resampled molecules, so that what is hard about a molecule for
//! both does not count as uncertainty. Predictions of several transfer seeds (or controls) are scored one by one and their
//! scores averaged, as the scores themselves are.

use clmbench_stats::{Interval, bca, generator};

use crate::fit::SEED;

/// Resamples of the test molecules.
pub(crate) const RESAMPLES: usize = 1_999;
/// No interval below this many test molecules.
const SMALLEST: usize = 8;
/// Largest difference between a stored score and the same from stored predictions, relative.
const TOLERANCE: f64 = 1e-6;

/// Rows of (row of the dataset, label, prediction).
pub(crate) type Predictions = Vec<(u64, f64, f64)>;

/// The difference of two scores, positive if the first is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub value: f64,
    pub interval: Interval,
}

/// Predictions of one model for the molecules of the pair, in one order.
struct Scored {
    /// Rows of the dataset.
    row: Vec<u64>,
    label: Vec<f64>,
    prediction: Vec<f64>,
    /// Places by falling prediction.
    order: Vec<usize>,
}

impl Scored {
    fn new(predictions: &Predictions) -> Self {
        let mut rows: Vec<&(u64, f64, f64)> = predictions.iter().filter(|(_, label, _)| !label.is_nan()).collect();
        rows.sort_by_key(|(row, _, _)| *row);
        let row = rows.iter().map(|(row, _, _)| *row).collect();
        let label: Vec<f64> = rows.iter().map(|(_, label, _)| *label).collect();
        let prediction: Vec<f64> = rows.iter().map(|(_, _, prediction)| *prediction).collect();
        let mut order: Vec<usize> = (0..prediction.len()).collect();
        order.sort_by(|left, right| prediction[*right].total_cmp(&prediction[*left]));
        Self { row, label, prediction, order }
    }

    /// The score when each molecule counts so often; none where it does not exist.
    fn score(&self, name: &str, counts: &[f64]) -> Option<f64> {
        let value = match name {
            "rmse" => (self.sum(counts, |label, prediction| (label - prediction).powi(2)) / total(counts)).sqrt(),
            "mae" => self.sum(counts, |label, prediction| (label - prediction).abs()) / total(counts),
            "r2" => {
                let mean = self.sum(counts, |label, _| label) / total(counts);
                let around = self.sum(counts, |label, _| (label - mean).powi(2));
                1.0 - self.sum(counts, |label, prediction| (label - prediction).powi(2)) / around
            }
            "roc_auc" => self.ranked(counts).0,
            "pr_auc" => self.ranked(counts).1,
            _ => return None,
        };
        value.is_finite().then_some(value)
    }

    fn sum(&self, counts: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
        let pairs = self.label.iter().zip(&self.prediction);
        pairs.zip(counts).map(|((label, prediction), count)| count * term(*label, *prediction)).sum()
    }

    /// ROC-AUC and average precision, by one walk down the predictions; equal ones are one threshold.
    fn ranked(&self, counts: &[f64]) -> (f64, f64) {
        let positives = self.sum(counts, |label, _| f64::from(label > 0.5));
        let negatives = total(counts) - positives;
        let (mut found, mut passed, mut pairs, mut precision, mut start) = (0.0, 0.0, 0.0, 0.0, 0);
        while start < self.order.len() {
            let threshold = self.prediction[self.order[start]];
            let (mut positive, mut negative) = (0.0, 0.0);
            while start < self.order.len() && self.prediction[self.order[start]] == threshold {
                let place = self.order[start];
                if self.label[place] > 0.5 {
                    positive += counts[place]
                } else {
                    negative += counts[place]
                }
                start += 1;
            }
            pairs += negative * (found + positive / 2.0);
            found += positive;
            passed += negative;
            if positive > 0.0 {
                precision += positive * found / (found + passed);
            }
        }
        (pairs / (positives * negatives), precision / positives)
    }
}

fn total(counts: &[f64]) -> f64 {
    counts.iter().sum()
}

/// Predictions of one side, and its stored score.
pub(crate) struct Side<'a> {
    /// One entry a transfer seed (or control).
    pub predictions: Vec<&'a Predictions>,
    /// The mean of their stored scores.
    pub score: f64,
}

/// The difference `sign x (first - second)` of the score `name`, with its BCa interval over test molecules. `label` names the
/// stream of random numbers.
///
/// # Errors
/// Why there is no interval, in words.
pub(crate) fn difference(name: &str, sign: f64, first: &Side<'_>, second: &Side<'_>, label: &str) -> Result<Difference, String> {
    let scored = |side: &Side<'_>| side.predictions.iter().map(|rows| Scored::new(rows)).collect::<Vec<_>>();
    let (ours, others) = (scored(first), scored(second));
    let Some(molecules) = ours.first().map(|one| one.label.len()) else { return Err("no stored predictions".into()) };
    let molecule = |one: &Scored| -> Vec<(u64, u64)> {
        one.row.iter().zip(&one.label).map(|(row, label)| (*row, label.to_bits())).collect()
    };
    let reference = molecule(&ours[0]);
    if others.is_empty() || ours.iter().chain(&others).any(|one| molecule(one) != reference) {
        return Err("the stored predictions are not of the same test molecules".into());
    }
    if ours.iter().chain(&others).any(|one| one.prediction.iter().any(|prediction| !prediction.is_finite())) {
        return Err("some stored predictions are not finite".into());
    }
    if molecules < SMALLEST {
        return Err(format!("an interval needs {SMALLEST} test molecules and has {molecules}"));
    }
    let mean = |side: &[Scored], counts: &[f64]| -> Option<f64> {
        let scores: Option<Vec<f64>> = side.iter().map(|one| one.score(name, counts)).collect();
        scores.map(|scores| scores.iter().sum::<f64>() / scores.len() as f64)
    };
    let once = vec![1.0; molecules];
    for (side, stored) in [(&ours, first.score), (&others, second.score)] {
        let found = mean(side, &once).ok_or_else(|| format!("`{name}` cannot be computed from stored predictions"))?;
        if (found - stored).abs() > TOLERANCE * stored.abs().max(1.0) {
            return Err(format!("the stored predictions give {name} = {found:.6}, not the stored {stored:.6}"));
        }
    }
    let statistic = |indices: &[usize]| {
        let mut counts = vec![0.0; molecules];
        indices.iter().for_each(|index| counts[*index] += 1.0);
        Some(sign * (mean(&ours, &counts)? - mean(&others, &counts)?))
    };
    let interval = bca(molecules, RESAMPLES, &mut generator(SEED, label), statistic)
        .map_err(|_| "most resamples of the test molecules have no score (one class only)".to_owned())?;
    Ok(Difference { value: sign * (first.score - second.score), interval })
}

#[cfg(test)]
mod tests;
