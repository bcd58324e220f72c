//! Scores from stored predictions when each test molecule counts a number of times: what a bootstrap over molecules needs.

/// A score that is computed from labels and predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreName {
    /// Area under the ROC curve.
    RocAuc,
    /// Average precision.
    PrAuc,
    /// Root mean squared error.
    Rmse,
    /// Mean absolute error.
    Mae,
    /// 1 - residual / total sum of squares.
    R2,
}

impl ScoreName {
    /// The score of a stored word, such as `roc_auc`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "roc_auc" => Some(Self::RocAuc),
            "pr_auc" => Some(Self::PrAuc),
            "rmse" => Some(Self::Rmse),
            "mae" => Some(Self::Mae),
            "r2" => Some(Self::R2),
            _ => None,
        }
    }

    /// 1 where larger is better, -1 where smaller is.
    pub fn sign(self) -> f64 {
        match self {
            Self::RocAuc | Self::PrAuc | Self::R2 => 1.0,
            Self::Rmse | Self::Mae => -1.0,
        }
    }
}

/// Labels and predictions of one model, ordered once for the scores by ranks.
#[derive(Debug, Clone)]
pub struct Scored {
    label: Vec<f64>,
    prediction: Vec<f64>,
    /// Places by falling prediction.
    order: Vec<usize>,
}

impl Scored {
    /// Columns of one length, one entry a molecule.
    pub fn new(label: Vec<f64>, prediction: Vec<f64>) -> Self {
        let mut order: Vec<usize> = (0..prediction.len()).collect();
        order.sort_by(|left, right| prediction[*right].total_cmp(&prediction[*left]));
        Self { label, prediction, order }
    }

    /// Labels, one a molecule.
    pub fn labels(&self) -> &[f64] {
        &self.label
    }

    /// Predictions, one a molecule.
    pub fn predictions(&self) -> &[f64] {
        &self.prediction
    }

    /// The score when each molecule counts so often; none where it does not exist, such as an AUC of one class.
    pub fn score(&self, name: ScoreName, counts: &[f64]) -> Option<f64> {
        let value = match name {
            ScoreName::Rmse => (self.sum(counts, |label, prediction| (label - prediction).powi(2)) / total(counts)).sqrt(),
            ScoreName::Mae => self.sum(counts, |label, prediction| (label - prediction).abs()) / total(counts),
            ScoreName::R2 => {
                let mean = self.sum(counts, |label, _| label) / total(counts);
                let around = self.sum(counts, |label, _| (label - mean).powi(2));
                1.0 - self.sum(counts, |label, prediction| (label - prediction).powi(2)) / around
            }
            ScoreName::RocAuc => self.ranked(counts).0,
            ScoreName::PrAuc => self.ranked(counts).1,
        };
        value.is_finite().then_some(value)
    }

    /// The score without each molecule in turn, to the last bit what [`Self::score`] gives where that one does not count; NaN where it does
    /// not exist.
    pub fn leave_one_out(&self, name: ScoreName) -> Vec<f64> {
        if name == ScoreName::RocAuc {
            return self.areas_without_one();
        }
        let mut counts = vec![1.0; self.label.len()];
        let mut without = |molecule: usize| {
            counts[molecule] = 0.0;
            let score = self.score(name, &counts).unwrap_or(f64::NAN);
            counts[molecule] = 1.0;
            score
        };
        (0..self.label.len()).map(&mut without).collect()
    }

    /// ROC-AUC without each molecule in one walk: the pairs that a molecule wins are whole and half numbers, which subtract exactly.
    fn areas_without_one(&self) -> Vec<f64> {
        let size = self.label.len();
        let all_positive = self.label.iter().filter(|label| **label > 0.5).count() as f64;
        let all_negative = size as f64 - all_positive;
        // What each molecule adds to the pairs: a positive the negatives below it, a negative the positives above, ties half.
        let mut won = vec![0.0; size];
        let (mut found, mut passed, mut pairs, mut start) = (0.0, 0.0, 0.0, 0);
        while start < size {
            let threshold = self.prediction[self.order[start]];
            let tied = self.order[start..].iter().take_while(|place| self.prediction[**place] == threshold).count();
            let group = &self.order[start..start + tied.max(1)];
            let positive = group.iter().filter(|place| self.label[**place] > 0.5).count() as f64;
            let negative = group.len() as f64 - positive;
            for &place in group {
                let is_positive = self.label[place] > 0.5;
                won[place] = if is_positive { all_negative - passed - negative / 2.0 } else { found + positive / 2.0 };
            }
            pairs += negative * (found + positive / 2.0);
            found += positive;
            passed += negative;
            start += group.len();
        }
        let without = |(label, won): (&f64, f64)| {
            let of_positive = f64::from(u8::from(*label > 0.5));
            let area = (pairs - won) / ((all_positive - of_positive) * (all_negative - (1.0 - of_positive)));
            if area.is_finite() { area } else { f64::NAN }
        };
        self.label.iter().zip(won).map(without).collect()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::Rng as _;

    use super::*;
    use crate::{average_precision, generator, roc_auc};

    /// Labels 0 and 1 with predictions in coarse steps, so that there are ties.
    fn classified(n: usize) -> Scored {
        let mut rng = generator(1, "weights");
        let label: Vec<f64> = (0..n).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        let noise = |label: &f64| (((0..4).map(|_| rng.random_range(-1.0..1.0)).sum::<f64>() + label) * 10.0).round() / 10.0;
        let prediction = label.iter().map(noise).collect();
        Scored::new(label, prediction)
    }

    #[test]
    fn weighted_scores_are_those_of_repeated_molecules() {
        let scored = classified(60);
        let mut rng = generator(2, "counts");
        let counts: Vec<f64> = (0..60).map(|_| f64::from(rng.random_range(0..4u8))).collect();
        let repeat = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(&counts).flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize)).collect()
        };
        let (label, prediction) = (repeat(scored.labels()), repeat(scored.predictions()));
        let classes: Vec<bool> = label.iter().map(|label| *label > 0.5).collect();
        let close = |name, right: f64| {
            let left = scored.score(name, &counts).unwrap();
            assert!((left - right).abs() < 1e-12, "{name:?}: {left} {right}");
        };
        // `auc` computes both by ranks and has oracles of its own.
        close(ScoreName::RocAuc, roc_auc(&classes, &prediction).unwrap());
        close(ScoreName::PrAuc, average_precision(&classes, &prediction).unwrap());
        let errors: Vec<f64> = label.iter().zip(&prediction).map(|(label, prediction)| label - prediction).collect();
        let n = errors.len() as f64;
        let squares = errors.iter().map(|e| e * e).sum::<f64>();
        close(ScoreName::Rmse, (squares / n).sqrt());
        close(ScoreName::Mae, errors.iter().map(|e| e.abs()).sum::<f64>() / n);
        let mean = label.iter().sum::<f64>() / n;
        close(ScoreName::R2, 1.0 - squares / label.iter().map(|label| (label - mean).powi(2)).sum::<f64>());
        assert_eq!(scored.score(ScoreName::RocAuc, &[0.0; 60]), None, "no molecules, no score");
    }

    #[test]
    fn without_one_molecule_to_the_last_bit() {
        for n in [2, 3, 7, 60] {
            let scored = classified(n);
            for name in [ScoreName::RocAuc, ScoreName::PrAuc, ScoreName::Rmse, ScoreName::Mae, ScoreName::R2] {
                for (molecule, found) in scored.leave_one_out(name).into_iter().enumerate() {
                    let mut counts = vec![1.0; n];
                    counts[molecule] = 0.0;
                    let right = scored.score(name, &counts);
                    assert_eq!(Some(found).filter(|found| !found.is_nan()), right, "{name:?} without {molecule} of {n}");
                }
            }
        }
    }

    #[test]
    fn words_are_those_of_the_store() {
        for word in ["roc_auc", "pr_auc", "rmse", "mae", "r2"] {
            assert!(ScoreName::from_word(word).is_some(), "{word}");
        }
        assert_eq!(ScoreName::from_word("spearman"), None);
        assert_eq!((ScoreName::Rmse.sign(), ScoreName::RocAuc.sign()), (-1.0, 1.0));
    }
}
