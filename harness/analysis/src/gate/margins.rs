//! Margins: how much worse a candidate may be without being called so.

use clmbench_stats::ScoreName;
use clmbench_store::GivenMargin;

use super::record::{Margin, MarginSource, TaskRecord};

/// Default margin of an area under a curve.
const OF_AREAS: f64 = 0.02;
/// Default margin of an error, as a share of the standard deviation of the training labels.
const OF_ERRORS: f64 = 0.05;

/// The default margin of a score, and whether it is a share of the standard deviation of the training labels. R2 and Spearman have
/// none: what change in them matters depends on the task.
fn default_margin(score: &str) -> Option<(f64, bool)> {
    match ScoreName::from_word(score)? {
        ScoreName::RocAuc | ScoreName::PrAuc => Some((OF_AREAS, false)),
        ScoreName::Rmse | ScoreName::Mae => Some((OF_ERRORS, true)),
        _ => None,
    }
}

/// What a margin is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured<'a> {
    pub dataset: &'a str,
    pub task: &'a str,
    /// Name of the score.
    pub score: &'a str,
    /// Standard deviation of the training labels, where it is known.
    pub train_sd: Option<f64>,
}

impl Measured<'_> {
    fn names(&self) -> [String; 3] {
        GivenMargin::names(self.dataset, self.task, self.score)
    }

    /// The most exact of these margins; of equally exact ones the last.
    fn named<'m>(&self, given: &'m [GivenMargin]) -> Option<&'m GivenMargin> {
        self.names().into_iter().find_map(|name| given.iter().rev().find(|given| given.of == name))
    }
}

/// Why there is no margin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarginError {
    /// A score without a default.
    #[error(
        "score {score} of {dataset} ({task}) has no default margin. Name one, such as --margin {score}=0.02, or in [gate.margins] of the suite"
    )]
    NotNamed {
        /// The score.
        score: String,
        /// Its dataset.
        dataset: String,
        /// Its task.
        task: String,
    },
    /// A share of a deviation that the score is not measured in.
    #[error(
        "the margin {margin} is a share of the training labels' standard deviation, which {score} of {dataset} ({task}) is not measured in; RMSE and MAE are. Name a number, such as --margin {score}=0.02"
    )]
    ShareOfOther {
        /// The margin, as it is written.
        margin: String,
        /// The score.
        score: String,
        /// Its dataset.
        dataset: String,
        /// Its task.
        task: String,
    },
    /// A share of a deviation that is not there.
    #[error(
        "the margin of {dataset} ({task}) is a share of the training labels' standard deviation, which is not known. Name a number"
    )]
    NoDeviation {
        /// The dataset.
        dataset: String,
        /// The task.
        task: String,
    },
    /// A name that no task has.
    #[error("no score, dataset or task of the suite is called `{of}`, which a margin names. There are {known}")]
    Unknown {
        /// The name.
        of: String,
        /// Those there are.
        known: String,
    },
}

/// The margin of one score: of those that the user names, else of the suite's, else the default. The gate and the test of saturation
/// have it from here.
///
/// # Errors
/// [`MarginError`].
pub(crate) fn margin(of: Measured<'_>, option: &[GivenMargin], suite: &[GivenMargin]) -> Result<Margin, MarginError> {
    let (score, dataset, task) = (of.score.to_owned(), of.dataset.to_owned(), of.task.to_owned());
    let named = [(MarginSource::Option, option), (MarginSource::Suite, suite)];
    let named = named.into_iter().find_map(|(source, given)| Some((of.named(given)?, source)));
    let (value, is_share, from, source) = match named {
        Some((given, _)) if !given.suits(of.score) => {
            return Err(MarginError::ShareOfOther { margin: given.to_string(), score, dataset, task });
        }
        Some((given, source)) => (given.value, given.is_share, given.to_string(), source),
        None => match default_margin(of.score) {
            Some((value, is_share)) => (value, is_share, "default".to_owned(), MarginSource::Default),
            None => return Err(MarginError::NotNamed { score, dataset, task }),
        },
    };
    let unit = match (is_share, of.train_sd) {
        (false, _) => 1.0,
        (true, Some(deviation)) if deviation.is_finite() && deviation > 0.0 => deviation,
        _ => return Err(MarginError::NoDeviation { dataset, task }),
    };
    Ok(Margin { value: value * unit, from, source: Some(source) })
}

/// The margin of each task: `option` before `suite` before the default.
///
/// # Errors
/// [`MarginError`]; a name of `option` that no task has. One of the suite may be of tasks that are not frozen.
pub fn margins(tasks: &[TaskRecord], option: &[GivenMargin], suite: &[GivenMargin]) -> Result<Vec<Margin>, MarginError> {
    let measured = |task: &TaskRecord| task.train_sd.map(|deviation| deviation.0);
    let all: Vec<Measured<'_>> = tasks
        .iter()
        .map(|task| Measured { dataset: &task.dataset, task: &task.task, score: &task.score, train_sd: measured(task) })
        .collect();
    if let Some(unknown) = option.iter().find(|given| !all.iter().any(|task| task.names().contains(&given.of))) {
        let mut known: Vec<&str> = all.iter().flat_map(|task| [task.score, task.dataset]).collect();
        known.sort_unstable();
        known.dedup();
        return Err(MarginError::Unknown { of: unknown.of.clone(), known: known.join(", ") });
    }
    all.into_iter().map(|task| margin(task, option, suite)).collect()
}
