//! Why two sides are not compared.

use serde::{Deserialize, Serialize};

/// A side of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateSide {
    /// The gate baseline.
    Baseline,
    /// The candidate.
    Candidate,
}

impl std::fmt::Display for GateSide {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Baseline => "the gate baseline",
            Self::Candidate => "the candidate",
        })
    }
}

/// A comparison that was refused: its verdict is `cannot_tell`. Shown to users word for word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum GateRefusal {
    /// A side without predictions.
    #[error("{side} has no stored predictions of it")]
    NoPredictions {
        /// Which.
        side: GateSide,
    },
    /// A side whose cells did not end well.
    #[error("{side} has no score of it: {reason}")]
    NoScore {
        /// Which.
        side: GateSide,
        /// Why, in words.
        reason: String,
    },
    /// Another split.
    #[error(
        "the splits differ: {baseline} in the gate baseline, {candidate} of the candidate; scores of other molecules are not compared: \
         save the gate baseline anew on this split"
    )]
    OtherSplit {
        /// Digest in the gate baseline.
        baseline: String,
        /// Digest of the candidate.
        candidate: String,
    },
    /// Other molecules or labels.
    #[error("the test molecules differ: {baseline} in the gate baseline, {candidate} of the candidate, or others among them")]
    OtherMolecules {
        /// Molecules of the gate baseline.
        baseline: usize,
        /// Molecules of the candidate.
        candidate: usize,
    },
    /// Too few molecules for an interval.
    #[error("an interval needs {needed} test molecules and has {n}")]
    TooFewMolecules {
        /// Molecules there are.
        n: usize,
        /// Molecules it takes.
        needed: usize,
    },
    /// Too few molecules of a class.
    #[error(
        "an area under a curve needs {needed} test molecules of each class and has {n} of one: gate another score, or a split with more"
    )]
    RareClass {
        /// Molecules of the rarer class.
        n: usize,
        /// Molecules it takes.
        needed: usize,
    },
    /// Runs that are no pretraining seeds of one model.
    #[error(
        "the runs of {side} are not pretraining seeds of one model: {reason}. Name one checkpoint of each seed, or a single run"
    )]
    NotSeeds {
        /// Which.
        side: GateSide,
        /// Why, in words.
        reason: String,
    },
    /// A metric without a value.
    #[error(
        "{side} has no value of it in every run: `--metric` takes the id of a metric that the suite of the gate baseline measures"
    )]
    NoValue {
        /// Which.
        side: GateSide,
    },
    /// A metric whose error is no standard error.
    #[error(
        "its error is a bound from a residual, not a standard error: three pretraining seeds on each side show a spread instead"
    )]
    NoStandardError,
    /// NaN or an infinity.
    #[error("{} not finite", .side.map_or("a value is".to_owned(), |side| format!("some predictions of {side} are")))]
    NotFinite {
        /// Which side; none for a value of both.
        side: Option<GateSide>,
    },
    /// A protocol with seeds and only one of them.
    #[error("{side} was fine-tuned with {seeds} seed{}: how far another seed would move the score is not known; give `--seeds 3`, and save the gate baseline with as many", if *seeds == 1 { "" } else { "s" })]
    OneSeed {
        /// Which.
        side: GateSide,
        /// Transfer seeds.
        seeds: usize,
    },
    /// The score does not exist.
    #[error("the score does not exist in {what}")]
    Undefined {
        /// Where, such as `most resamples of the test molecules (one class only)`.
        what: String,
    },
    /// A margin that is none.
    #[error("the margin {margin} is not above 0")]
    Margin {
        /// As given.
        margin: f64,
    },
    /// Values that were not measured alike.
    #[error("not measured alike: {reason}")]
    NotAlike {
        /// In what they differ.
        reason: String,
    },
    /// A speed that was not measured on both sides at one time.
    #[error("not measured beside the gate baseline: {reason}; seconds of two moments are not compared")]
    NotMeasured {
        /// Why, in words.
        reason: String,
    },
    /// Nothing to judge.
    #[error("no task could be compared")]
    Nothing,
}

impl GateRefusal {
    /// The stored word, such as `one_seed`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoPredictions { .. } => "no_predictions",
            Self::NoScore { .. } => "no_score",
            Self::OtherSplit { .. } => "other_split",
            Self::OtherMolecules { .. } => "other_molecules",
            Self::TooFewMolecules { .. } => "too_few_molecules",
            Self::RareClass { .. } => "rare_class",
            Self::NotSeeds { .. } => "not_seeds",
            Self::NoValue { .. } => "no_value",
            Self::NoStandardError => "no_standard_error",
            Self::NotFinite { .. } => "not_finite",
            Self::OneSeed { .. } => "one_seed",
            Self::Undefined { .. } => "undefined",
            Self::Margin { .. } => "margin",
            Self::NotAlike { .. } => "not_alike",
            Self::NotMeasured { .. } => "not_measured",
            Self::Nothing => "nothing",
        }
    }
}
