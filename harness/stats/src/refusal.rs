//! Why a number was not computed.

use serde::Serialize;

/// A computation that was refused before it could mislead. Shown to users word for word.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// Fewer runs than the computation needs.
    #[error("{what} needs {needed} runs and has {n}")]
    TooFew {
        /// What was asked for.
        what: String,
        /// Runs there are.
        n: usize,
        /// Runs it takes.
        needed: usize,
    },
    /// Fewer tasks than the computation needs.
    #[error("{what} needs {needed} tasks and has {n}")]
    TooFewTasks {
        /// What was asked for.
        what: String,
        /// Tasks there are.
        n: usize,
        /// Tasks it takes.
        needed: usize,
    },
    /// A column that is nearly all noise.
    #[error("the reliability of the {name} is {value:.2}: below {needed} nothing can be said of it without its noise")]
    Unreliable {
        /// The column.
        name: String,
        /// Its reliability.
        value: f64,
        /// The least that is needed.
        needed: f64,
    },
    /// A class with too few molecules.
    #[error(
        "{what} needs at least {needed} molecule{} of each class and has {positives} of class 1 and {negatives} of class 0",
        if *needed == 1 { "" } else { "s" }
    )]
    Classes {
        /// What was asked for.
        what: String,
        /// Molecules of class 1.
        positives: usize,
        /// Molecules of class 0.
        negatives: usize,
        /// Molecules of each class that it takes.
        needed: usize,
    },
    /// No run has a value.
    #[error("{what}")]
    NoValues {
        /// Why, in words.
        what: String,
    },
    /// A column has one value only.
    #[error("`{name}` has the same value in every run")]
    Constant {
        /// The column.
        name: String,
    },
    /// A column is a linear combination of those before it.
    #[error("`{name}` is a linear combination of the other columns: their effects cannot be told apart")]
    RankDeficient {
        /// The first such column.
        name: String,
    },
    /// NaN or an infinity.
    #[error("`{name}` is not finite in run {index}")]
    NonFinite {
        /// The column.
        name: String,
        /// Position of the first such run, from 0.
        index: usize,
    },
    /// Columns of different lengths.
    #[error("`{name}` has {found} values where {wanted} were expected")]
    Lengths {
        /// The column.
        name: String,
        /// Its length.
        found: usize,
        /// The length of the score.
        wanted: usize,
    },
    /// A value that must be above 0.
    #[error("`{name}` is not above 0 at point {index}")]
    NotPositive {
        /// The column.
        name: String,
        /// Position of the first such point, from 0.
        index: usize,
    },
    /// Too few different values across.
    #[error("{what} needs {needed} different values across and has {distinct}")]
    FewDistinct {
        /// What was asked for.
        what: String,
        /// Different values there are.
        distinct: usize,
        /// Different values it takes.
        needed: usize,
    },
    /// Too many resamples in which the statistic does not exist.
    #[error("only {usable} of {draws} resamples of the runs gave a value: too few runs to resample")]
    Degenerate {
        /// Resamples with a value.
        usable: usize,
        /// Resamples tried.
        draws: usize,
    },
    /// Every run in the design was left out with its group.
    #[error("leaving out one group leaves no design to fit: {reason}")]
    Fold {
        /// Why the fold was refused.
        reason: String,
    },
    /// Nothing is left to explain.
    #[error("the fit is perfect: nothing is left to estimate its error from")]
    PerfectFit,
    /// A penalised fit did not come close to its optimum.
    #[error("the elastic net did not converge: its duality gap is {gap:.1e} of the score's sum of squares, wanted {wanted:.1e}")]
    NotConverged {
        /// Gap reached, as a share of the score's sum of squares.
        gap: f64,
        /// Gap wanted.
        wanted: f64,
    },
    /// A setting outside its range.
    #[error("{what}")]
    Parameter {
        /// Which, and what it may be.
        what: String,
    },
    /// The solver failed on a design that passed every check.
    #[error("the least-squares solver failed: {message}")]
    Solver {
        /// Its own words.
        message: String,
    },
}

impl Refusal {
    /// The stored word, such as `too_few`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TooFew { .. } => "too_few",
            Self::TooFewTasks { .. } => "too_few_tasks",
            Self::Unreliable { .. } => "unreliable",
            Self::Classes { .. } => "classes",
            Self::NoValues { .. } => "no_values",
            Self::Constant { .. } => "constant",
            Self::RankDeficient { .. } => "rank_deficient",
            Self::NonFinite { .. } => "non_finite",
            Self::Lengths { .. } => "lengths",
            Self::NotPositive { .. } => "not_positive",
            Self::FewDistinct { .. } => "few_distinct",
            Self::Degenerate { .. } => "degenerate",
            Self::Fold { .. } => "fold",
            Self::PerfectFit => "perfect_fit",
            Self::NotConverged { .. } => "not_converged",
            Self::Parameter { .. } => "parameter",
            Self::Solver { .. } => "solver",
        }
    }
}

/// Checks that a column has `wanted` finite values.
pub(crate) fn check_column(name: &str, values: &[f64], wanted: usize) -> Result<(), Refusal> {
    if values.len() != wanted {
        return Err(Refusal::Lengths { name: name.to_owned(), found: values.len(), wanted });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Refusal::NonFinite { name: name.to_owned(), index }),
        None => Ok(()),
    }
}

/// Checks that there are at least `needed` runs.
pub(crate) fn check_size(what: &str, n: usize, needed: usize) -> Result<(), Refusal> {
    if n < needed { Err(Refusal::TooFew { what: what.to_owned(), n, needed }) } else { Ok(()) }
}
