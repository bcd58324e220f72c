//! Models against each other on the same test molecules: the difference of their scores with a BCa interval (Efron 1987).
//!
//! All models of a ranking are scored by their stored predictions on the same resampled molecules, so that what is hard about a
//! molecule for both does not count as uncertainty, and any two of them are compared without resampling anew. Predictions of several
//! transfer seeds (or controls) are scored one by one and their scores averaged, as the scores themselves are.

use std::collections::BTreeMap;

use clmbench_stats::{
    Interval, ScoreName, Scored,
    bootstrap::{acceleration, ends},
    generator,
};
use rand::Rng as _;

use crate::fit::SEED;

/// Resamples of the test molecules.
pub(crate) const RESAMPLES: usize = 1_999;
/// Scores without one block of molecules each, for the acceleration: one molecule a block where there are no more than this.
pub(crate) const BLOCKS: usize = 500;
/// Threads that score the models of a ranking.
const THREADS: usize = 2;
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

/// Predictions of one model, and its stored score.
pub(crate) struct Side<'a> {
    /// One entry a transfer seed.
    pub predictions: Vec<&'a Predictions>,
    /// The mean of their stored scores.
    pub score: f64,
}

/// What a score was computed on: rows of the dataset with their labels.
type Molecules = Vec<(u64, u64)>;

/// A model's score on resampled molecules.
#[derive(Debug, Clone)]
pub(crate) struct Replicates {
    molecules: Molecules,
    score: f64,
    /// On resampled molecules: the same ones for all models of a ranking.
    drawn: Vec<f64>,
    /// Without each block of molecules.
    left_out: Vec<f64>,
}

impl Replicates {
    /// The mean of several models.
    ///
    /// # Errors
    /// In words: there are none, or they were scored on other molecules.
    pub fn mean(of: &[&Self]) -> Result<Self, String> {
        let Some((first, others)) = of.split_first() else { return Err(NO_PREDICTIONS.to_owned()) };
        if others.iter().any(|other| other.molecules != first.molecules) {
            return Err(OTHER_MOLECULES.to_owned());
        }
        let average = |get: fn(&Self) -> &Vec<f64>| -> Vec<f64> {
            (0..get(first).len()).map(|place| of.iter().map(|one| get(one)[place]).sum::<f64>() / of.len() as f64).collect()
        };
        Ok(Self {
            molecules: first.molecules.clone(),
            score: of.iter().map(|one| one.score).sum::<f64>() / of.len() as f64,
            drawn: average(|one| &one.drawn),
            left_out: average(|one| &one.left_out),
        })
    }

    /// The difference `sign x (self - other)` with its interval.
    ///
    /// # Errors
    /// Why there is no interval, in words.
    pub fn minus(&self, other: &Self, sign: f64) -> Result<Difference, String> {
        if self.molecules != other.molecules {
            return Err(OTHER_MOLECULES.to_owned());
        }
        let subtract = |left: &[f64], right: &[f64]| -> Vec<f64> {
            left.iter().zip(right).map(|(left, right)| sign * (left - right)).filter(|value| value.is_finite()).collect()
        };
        let mut drawn = subtract(&self.drawn, &other.drawn);
        if drawn.len() < RESAMPLES {
            return Err("most resamples of the test molecules have no score (one class only)".to_owned());
        }
        drawn.sort_by(f64::total_cmp);
        let left_out = subtract(&self.left_out, &other.left_out);
        // As for any BCa interval: where a leave-one-out value does not exist, the acceleration is 0.
        let acceleration = if left_out.len() == self.left_out.len() { acceleration(&left_out) } else { 0.0 };
        let value = sign * (self.score - other.score);
        let both = |confidence| ends(value, &drawn, acceleration, confidence).map_err(|refusal| refusal.to_string());
        let ((low90, high90), (low95, high95)) = (both(0.90)?, both(0.95)?);
        let interval = Interval { low90, high90, low95, high95, resamples: drawn.len(), degenerate: 0 };
        Ok(Difference { value, interval })
    }
}

const NO_PREDICTIONS: &str = "no stored predictions";
const OTHER_MOLECULES: &str = "the stored predictions are not of the same test molecules";

/// The models of one ranking on resampled molecules, each or why not; `label` names the stream of random numbers.
pub(crate) fn replicates(name: &str, sides: &[Side<'_>], label: &str) -> Vec<Result<Replicates, String>> {
    let prepared: Vec<Result<Prepared, String>> = sides.iter().map(|side| Prepared::new(name, side)).collect();
    // Models that were scored on other molecules than the rest have draws of their own.
    let mut alike: BTreeMap<&Molecules, Vec<(usize, &Prepared)>> = BTreeMap::new();
    for (place, side) in prepared.iter().enumerate() {
        if let Ok(side) = side {
            alike.entry(&side.molecules).or_default().push((place, side));
        }
    }
    let mut found: BTreeMap<usize, Replicates> = BTreeMap::new();
    for models in alike.values() {
        let chunks = models.chunks(models.len().div_ceil(THREADS));
        let parts: Vec<Vec<(usize, Replicates)>> = std::thread::scope(|scope| {
            let threads: Vec<_> = chunks.map(|chunk| scope.spawn(move || resampled(chunk, label))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        found.extend(parts.into_iter().flatten());
    }
    let of = |(place, side): (usize, &Result<Prepared, String>)| match side {
        Err(reason) => Err(reason.clone()),
        Ok(_) => found.remove(&place).ok_or_else(|| "it could not be scored again".to_owned()),
    };
    prepared.iter().enumerate().map(of).collect()
}

/// A model that can be scored on resampled molecules.
struct Prepared {
    name: ScoreName,
    molecules: Molecules,
    scored: Vec<Scored>,
    score: f64,
}

impl Prepared {
    fn new(name: &str, side: &Side<'_>) -> Result<Self, String> {
        let ordered: Vec<Ordered> = side.predictions.iter().map(|rows| Ordered::new(rows)).collect();
        let of = |one: &Ordered| -> Molecules {
            one.row.iter().zip(one.scored.labels()).map(|(row, label)| (*row, label.to_bits())).collect()
        };
        let Some(molecules) = ordered.first().map(of) else { return Err(NO_PREDICTIONS.into()) };
        if ordered.iter().any(|one| of(one) != molecules) {
            return Err(OTHER_MOLECULES.into());
        }
        let scored: Vec<Scored> = ordered.into_iter().map(|one| one.scored).collect();
        if scored.iter().any(|one| one.predictions().iter().any(|prediction| !prediction.is_finite())) {
            return Err("some stored predictions are not finite".into());
        }
        if molecules.len() < SMALLEST {
            return Err(format!("an interval needs {SMALLEST} test molecules and has {}", molecules.len()));
        }
        let not_computed = || format!("`{name}` cannot be computed from stored predictions");
        let prepared = Self { name: ScoreName::from_word(name).ok_or_else(not_computed)?, molecules, scored, score: side.score };
        let found = prepared.mean(&vec![1.0; prepared.molecules.len()]).ok_or_else(not_computed)?;
        if (found - side.score).abs() > TOLERANCE * side.score.abs().max(1.0) {
            return Err(format!("the stored predictions give {name} = {found:.6}, not the stored {:.6}", side.score));
        }
        Ok(prepared)
    }

    /// The mean over its predictions when each molecule counts so often; none where it does not exist.
    fn mean(&self, counts: &[f64]) -> Option<f64> {
        let scores: Option<Vec<f64>> = self.scored.iter().map(|one| one.score(self.name, counts)).collect();
        scores.map(|scores| scores.iter().sum::<f64>() / scores.len() as f64)
    }
}

/// Models of the same molecules on the same resamples. Resamples without a score, which are so for all of them, are drawn again.
fn resampled(models: &[(usize, &Prepared)], label: &str) -> Vec<(usize, Replicates)> {
    let start = |model: &Prepared| Replicates {
        molecules: model.molecules.clone(),
        score: model.score,
        drawn: Vec::with_capacity(RESAMPLES),
        left_out: Vec::new(),
    };
    let mut found: Vec<(usize, Replicates)> = models.iter().map(|(place, model)| (*place, start(model))).collect();
    let Some(n) = models.first().map(|(_, model)| model.molecules.len()) else { return found };
    let mut rng = generator(SEED, label);
    let mut counts = vec![0.0; n];
    let (mut tried, mut drawn) = (0, 0);
    while drawn < RESAMPLES && tried < 2 * RESAMPLES {
        tried += 1;
        counts.fill(0.0);
        (0..n).for_each(|_| counts[rng.random_range(0..n)] += 1.0);
        let scores: Option<Vec<f64>> = models.iter().map(|(_, model)| model.mean(&counts)).collect();
        if let Some(scores) = scores {
            drawn += 1;
            found.iter_mut().zip(scores).for_each(|((_, one), score)| one.drawn.push(score));
        }
    }
    counts.fill(1.0);
    let block = n.div_ceil(BLOCKS);
    for start in (0..n).step_by(block) {
        let end = (start + block).min(n);
        counts[start..end].fill(0.0);
        for ((_, one), (_, model)) in found.iter_mut().zip(models) {
            one.left_out.push(model.mean(&counts).unwrap_or(f64::NAN));
        }
        counts[start..end].fill(1.0);
    }
    found
}

#[cfg(test)]
mod tests;
