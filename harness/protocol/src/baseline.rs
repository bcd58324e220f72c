//! Baselines: models without a CLM, on fixed features of the molecules.

use serde::{Deserialize, Serialize};

use crate::number::Number;

/// See [`crate::Protocol::Baseline`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineProtocol {
    /// What it sees of a molecule.
    pub features: BaselineFeatures,
    /// What is fitted to that.
    pub model: BaselineModel,
    /// Seed of a forest; 0 for models without one.
    pub seed: u64,
    /// Threads. Values do not depend on them.
    pub threads: u32,
}

/// Trees of a random forest when a suite is silent.
pub const USUAL_TREES: u32 = 500;
/// Rounds, learning rate and depth of boosting when a suite is silent.
pub const USUAL_BOOSTING: (u32, f64, u32) = (100, 0.1, 6);

impl BaselineProtocol {
    /// As tables show it, such as `random forest, ecfp4 2048`. Without the seed; with every setting that is not the usual, since boards take
    /// what has one label for one model: `random forest 100 (split 32, balanced), ecfp4 2048`.
    pub fn label(&self) -> String {
        let model = match &self.model {
            BaselineModel::RandomForest { trees: USUAL_TREES, growth } => format!("random forest{}", growth.label()),
            BaselineModel::RandomForest { trees, growth } => format!("random forest {trees}{}", growth.label()),
            BaselineModel::Boosting { rounds, learning_rate, depth } if (*rounds, learning_rate.0, *depth) == USUAL_BOOSTING => {
                "boosting".to_owned()
            }
            BaselineModel::Boosting { rounds, learning_rate, depth } => {
                format!("boosting {rounds} (rate {}, depth {depth})", learning_rate.0)
            }
            BaselineModel::Linear { .. } => "linear".to_owned(),
        };
        let features = match self.features {
            BaselineFeatures::Ecfp4 { bits } => format!("ecfp4 {bits}"),
            BaselineFeatures::Descriptors => "descriptors".to_owned(),
        };
        format!("{model}, {features}")
    }
}

/// Fixed features of a molecule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BaselineFeatures {
    /// Morgan fingerprint of radius 2 as RDKit computes it, folded to so many bits; no chirality.
    Ecfp4 {
        /// 1024 or 2048.
        bits: u32,
    },
    /// RDKit-compatible descriptors.
    Descriptors,
}

/// What a baseline fits to its features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BaselineModel {
    /// Random forest of regression trees (on 0/1 for classes; Breiman 2001). At each node a class task looks at the square root of the
    /// number of features, a regression task at all of them, as scikit-learn does.
    RandomForest {
        /// Trees.
        trees: u32,
        /// How they grow.
        #[serde(default, skip_serializing_if = "Growth::is_usual")]
        growth: Growth,
    },
    /// Gradient-boosted trees.
    Boosting {
        /// Rounds.
        rounds: u32,
        /// Learning rate.
        learning_rate: Number,
        /// Greatest depth of a tree.
        depth: u32,
    },
    /// Ridge (regression) or L2 logistic regression (classification), its strength chosen on validation, as in a probe.
    Linear {
        /// Strengths tried.
        strengths: Vec<Number>,
    },
}

/// How the trees of a forest grow. The default is the usual forest: to purity, on bootstrap samples, every molecule counting the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Growth {
    /// A node with fewer molecules is a leaf (scikit-learn's `min_samples_split`).
    pub min_samples_split: u32,
    /// What a split lowers.
    pub criterion: Criterion,
    /// Whether a tree sees a bootstrap sample of the training molecules, else all of them.
    pub bootstrap: bool,
    /// Whether both classes weigh the same in sum (DeepChem's `BalancingTransformer`); for class tasks.
    pub balanced: bool,
}

impl Default for Growth {
    fn default() -> Self {
        Self { min_samples_split: 2, criterion: Criterion::Variance, bootstrap: true, balanced: false }
    }
}

impl Growth {
    /// Whether it is the default.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// What differs from the usual, such as ` (split 32, balanced)`; empty for the usual.
    fn label(self) -> String {
        let usual = Self::default();
        let criterion = match self.criterion {
            Criterion::Variance => "variance",
            Criterion::Entropy => "entropy",
            Criterion::AbsoluteError => "absolute error",
        };
        let words = [
            (self.min_samples_split != usual.min_samples_split).then(|| format!("split {}", self.min_samples_split)),
            (self.criterion != usual.criterion).then(|| criterion.to_owned()),
            (self.bootstrap != usual.bootstrap).then(|| "no bootstrap".to_owned()),
            (self.balanced != usual.balanced).then(|| "balanced".to_owned()),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
    }
}

/// What a split of a tree lowers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Squared error; for classes half of Gini's impurity.
    #[default]
    Variance,
    /// Entropy, for class tasks.
    Entropy,
    /// Absolute error from the median, for regression tasks on fingerprints.
    AbsoluteError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baselines_of_other_settings_have_other_labels() {
        let label =
            |model| BaselineProtocol { features: BaselineFeatures::Ecfp4 { bits: 1024 }, model, seed: 1, threads: 1 }.label();
        let forest = |trees, growth| label(BaselineModel::RandomForest { trees, growth });
        let usual = Growth::default();
        assert_eq!(forest(500, usual), "random forest, ecfp4 1024");
        assert_eq!(forest(100, usual), "random forest 100, ecfp4 1024");
        assert_eq!(forest(100, Growth { min_samples_split: 32, ..usual }), "random forest 100 (split 32), ecfp4 1024");
        let tuned = Growth { min_samples_split: 8, criterion: Criterion::Entropy, bootstrap: false, balanced: true };
        assert_eq!(forest(500, tuned), "random forest (split 8, entropy, no bootstrap, balanced), ecfp4 1024");
        let boosting = |rounds| label(BaselineModel::Boosting { rounds, learning_rate: Number(0.1), depth: 6 });
        assert_eq!(
            (boosting(100).as_str(), boosting(30).as_str()),
            ("boosting, ecfp4 1024", "boosting 30 (rate 0.1, depth 6), ecfp4 1024")
        );
    }
}
