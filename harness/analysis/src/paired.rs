//! A run against the same model untrained, on the same test molecules: the difference of their scores with an interval.
//!
//! Both are scored by their stored predictions on the same resampled molecules, so that what is hard about a molecule for
//! both does not count as uncertainty. Predictions of several transfer seeds (or controls) are scored one by one and their
//! scores averaged, as the scores themselves are.

use clmbench_stats::{Interval, ScoreName, Scored, bca, generator};

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
struct Ordered {
    /// Rows of the dataset.
    row: Vec<u64>,
    scored: Scored,
}

impl Ordered {
    fn new(predictions: &Predictions) -> Self {
        let mut rows: Vec<&(u64, f64, f64)> = predictions.iter().filter(|(_, label, _)| !label.is_nan()).collect();
        rows.sort_by_key(|(row, _, _)| *row);
        let row = rows.iter().map(|(row, _, _)| *row).collect();
        let label = rows.iter().map(|(_, label, _)| *label).collect();
        Self { row, scored: Scored::new(label, rows.iter().map(|(_, _, prediction)| *prediction).collect()) }
    }
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
    let scored = |side: &Side<'_>| side.predictions.iter().map(|rows| Ordered::new(rows)).collect::<Vec<_>>();
    let (ours, others) = (scored(first), scored(second));
    let Some(molecules) = ours.first().map(|one| one.row.len()) else { return Err("no stored predictions".into()) };
    let molecule = |one: &Ordered| -> Vec<(u64, u64)> {
        one.row.iter().zip(one.scored.labels()).map(|(row, label)| (*row, label.to_bits())).collect()
    };
    let reference = molecule(&ours[0]);
    if others.is_empty() || ours.iter().chain(&others).any(|one| molecule(one) != reference) {
        return Err("the stored predictions are not of the same test molecules".into());
    }
    if ours.iter().chain(&others).any(|one| one.scored.predictions().iter().any(|prediction| !prediction.is_finite())) {
        return Err("some stored predictions are not finite".into());
    }
    if molecules < SMALLEST {
        return Err(format!("an interval needs {SMALLEST} test molecules and has {molecules}"));
    }
    let kind = ScoreName::from_word(name).ok_or_else(|| format!("`{name}` cannot be computed from stored predictions"))?;
    let mean = |side: &[Ordered], counts: &[f64]| -> Option<f64> {
        let scores: Option<Vec<f64>> = side.iter().map(|one| one.scored.score(kind, counts)).collect();
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
