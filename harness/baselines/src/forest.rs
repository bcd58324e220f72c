//! Random forests (Breiman, Mach. Learn. 2001, 45, 5), after scikit-learn's: means of leaves are averaged over trees, so that a forest on
//! labels 0 and 1 predicts the chance of class 1.
//!
//! Ours, because the kept one (smartcore, the oracle of the tests) has neither weights of molecules nor trees without bootstrap, which
//! published settings have, and because fingerprints are sparse: a node costs its bits that are on, not molecules times columns.

mod split;
#[cfg(test)]
mod tests;
mod tree;

use clmbench_protocol::{Criterion, Growth};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tree::{Sample, Tree};

use crate::{error::BaselineError, features::Features};

/// Settings of a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forest {
    /// Trees; at least 1.
    pub trees: u32,
    /// How they grow.
    pub growth: Growth,
    /// Where chance begins: tree n draws from stream n of a ChaCha8 generator with this seed, whichever thread grows it.
    pub seed: u64,
}

impl Forest {
    /// Fits to the molecules at `train` with their labels, and predicts those at `test`: values, or for `classes` (labels 0 and 1) the
    /// chance of class 1. On the threads of the current pool; values do not depend on them.
    ///
    /// At a node a class task looks at the square root of the number of features (and goes on to the first that varies), a regression
    /// task at all of them.
    ///
    /// # Errors
    /// [`BaselineError::Setting`], also for a criterion that is not for such tasks or features; [`BaselineError::Label`];
    /// [`BaselineError::NoMolecules`].
    pub fn fit_predict(
        &self,
        features: &Features,
        (train, labels): (&[usize], &[f64]),
        classes: bool,
        test: &[usize],
    ) -> Result<Vec<f64>, BaselineError> {
        self.check(features, classes)?;
        check_labels(train, labels, classes)?;
        let weights = self.class_weights(labels);
        let looks = if classes { (features.width() as f64).sqrt() as usize } else { features.width() }.max(1);
        let grown: Vec<Vec<f64>> = (0..self.trees)
            .into_par_iter()
            .map(|number| {
                let mut random = ChaCha8Rng::seed_from_u64(self.seed);
                random.set_stream(u64::from(number));
                let samples = self.samples(train, labels, &weights, &mut random);
                let tree = Tree::grow(features, samples, self.growth, looks, &mut random);
                test.iter().map(|place| tree.predict(features, *place)).collect()
            })
            .collect();
        // Added up in the order of the trees, whichever was ready first.
        let sums = grown.iter().fold(vec![0.0; test.len()], |mut sums, values| {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            sums
        });
        Ok(sums.into_iter().map(|sum| sum / f64::from(self.trees)).collect())
    }

    fn check(&self, features: &Features, classes: bool) -> Result<(), BaselineError> {
        let wrong = |what, value: String, range| Err(BaselineError::Setting { what, value, range });
        if self.trees == 0 {
            return wrong("a number of trees", self.trees.to_string(), "at least 1 is needed");
        }
        if self.growth.min_samples_split < 2 {
            return wrong(
                "min_samples_split",
                self.growth.min_samples_split.to_string(),
                "a node of fewer than 2 cannot be split",
            );
        }
        match (self.growth.criterion, classes) {
            (Criterion::Entropy, false) => wrong("the criterion", "entropy".into(), "it is for classes"),
            (Criterion::AbsoluteError, true) => wrong("the criterion", "absolute_error".into(), "it is for regression"),
            (Criterion::AbsoluteError, false) if features.bits().is_none() => {
                wrong("the criterion", "absolute_error".into(), "it is for fingerprints")
            }
            _ if self.growth.balanced && !classes => wrong("balanced", "true".into(), "it is for classes"),
            _ => Ok(()),
        }
    }

    /// Weight of each training molecule: 1, or for balanced classes that of DeepChem's `BalancingTransformer`: 1 for class 0, and for
    /// class 1 so much that both classes have the same sum.
    fn class_weights(&self, labels: &[f64]) -> Vec<f64> {
        let ones = labels.iter().filter(|label| **label == 1.0).count();
        let zeros = labels.len() - ones;
        if !self.growth.balanced || ones == 0 || zeros == 0 {
            return vec![1.0; labels.len()];
        }
        let heavy = zeros as f64 / ones as f64;
        labels.iter().map(|label| if *label == 1.0 { heavy } else { 1.0 }).collect()
    }

    /// What a tree sees: a bootstrap sample, in which a molecule drawn twice weighs twice (and counts once), or everything.
    fn samples(&self, train: &[usize], labels: &[f64], weights: &[f64], random: &mut ChaCha8Rng) -> Vec<Sample> {
        let mut counts = vec![u32::from(!self.growth.bootstrap); train.len()];
        if self.growth.bootstrap {
            (0..train.len()).for_each(|_| counts[random.random_range(0..train.len())] += 1);
        }
        let drawn = (0..train.len()).filter(|index| counts[*index] > 0);
        drawn
            .map(|index| Sample { place: train[index], label: labels[index], weight: weights[index] * f64::from(counts[index]) })
            .collect()
    }
}

/// Refuses labels that nothing can be fitted to.
pub(crate) fn check_labels(train: &[usize], labels: &[f64], classes: bool) -> Result<(), BaselineError> {
    if train.is_empty() || train.len() != labels.len() {
        return Err(BaselineError::NoMolecules);
    }
    let wrong = |label: &f64, reason| Err(BaselineError::Label { label: label.to_string(), reason });
    if let Some(label) = labels.iter().find(|label| !label.is_finite()) {
        return wrong(label, "it is not a number");
    }
    match labels.iter().find(|label| classes && **label != 0.0 && **label != 1.0) {
        Some(label) => wrong(label, "classes are 0 and 1"),
        None => Ok(()),
    }
}
