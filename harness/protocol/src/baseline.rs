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

impl BaselineProtocol {
    /// As tables show it, such as `random forest, ecfp4 2048`. Without the seed.
    pub fn label(&self) -> String {
        let model = match self.model {
            BaselineModel::RandomForest { growth, .. } if growth.is_usual() => "random forest",
            BaselineModel::RandomForest { .. } => "tuned random forest",
            BaselineModel::Boosting { .. } => "boosting",
            BaselineModel::Linear { .. } => "linear",
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
