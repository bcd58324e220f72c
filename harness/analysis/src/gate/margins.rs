//! Margins: how much worse a candidate may be without being called so.

use clmbench_stats::ScoreName;

use super::record::{Margin, TaskRecord};

/// Default margin of an area under a curve.
const OF_AREAS: f64 = 0.02;
/// Default margin of an error, as a share of the standard deviation of the training labels.
const OF_ERRORS: f64 = 0.05;

/// The default margin of a score, and whether it is a share of the standard deviation of the training labels; the gate and the test of
/// saturation have the same. R2 and Spearman have none: what change in them matters depends on the task.
pub(crate) fn default_margin(score: &str) -> Option<(f64, bool)> {
    match ScoreName::from_word(score)? {
        ScoreName::RocAuc | ScoreName::PrAuc => Some((OF_AREAS, false)),
        ScoreName::Rmse | ScoreName::Mae => Some((OF_ERRORS, true)),
        _ => None,
    }
}

/// A margin that the user names: of a score, a dataset or a task (`dataset/task`); the most exact name wins.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenMargin {
    /// `roc_auc`, `freesolv` or `tox21/NR-AR`.
    pub of: String,
    /// Value in units of the score, or a share of the standard deviation of the training labels.
    pub value: f64,
    /// Whether it is such a share.
    pub is_share: bool,
}

impl GivenMargin {
    /// Reads `NAME=NUMBER` or `NAME=NUMBER%`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected NAME=NUMBER, such as roc_auc=0.02, or NAME=NUMBER% of the training labels' SD, such as rmse=5%";
        let (of, number) = text.split_once('=').ok_or(expected)?;
        let (number, is_share) = number.trim().strip_suffix('%').map_or((number.trim(), false), |number| (number, true));
        let value: f64 = number.trim().parse().map_err(|_| expected)?;
        if of.trim().is_empty() || !(value.is_finite() && value > 0.0) {
            return Err(format!("{expected}; a margin is above 0"));
        }
        Ok(Self { of: of.trim().to_owned(), value: if is_share { value / 100.0 } else { value }, is_share })
    }
}

/// Why there is no margin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarginError {
    /// A score without a default.
    #[error("score {score} of {dataset} ({task}) has no default margin. Name one, such as --margin {score}=0.02")]
    NotNamed {
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

/// The margin of each task.
///
/// # Errors
/// [`MarginError`].
pub fn margins(tasks: &[TaskRecord], given: &[GivenMargin]) -> Result<Vec<Margin>, MarginError> {
    let names = |task: &TaskRecord| [format!("{}/{}", task.dataset, task.task), task.dataset.clone(), task.score.clone()];
    if let Some(unknown) = given.iter().find(|given| !tasks.iter().any(|task| names(task).contains(&given.of))) {
        let mut known: Vec<String> = tasks.iter().flat_map(|task| [task.score.clone(), task.dataset.clone()]).collect();
        known.sort();
        known.dedup();
        return Err(MarginError::Unknown { of: unknown.of.clone(), known: known.join(", ") });
    }
    tasks
        .iter()
        .map(|task| {
            let named = names(task).into_iter().find_map(|name| given.iter().rev().find(|given| given.of == name));
            let (value, is_share, from) = match named {
                Some(given) if given.is_share => (given.value, true, format!("{}={}%", given.of, given.value * 100.0)),
                Some(given) => (given.value, false, format!("{}={}", given.of, given.value)),
                None => match default_margin(&task.score) {
                    Some((value, is_share)) => (value, is_share, "default".to_owned()),
                    None => {
                        let (score, dataset, task) = (task.score.clone(), task.dataset.clone(), task.task.clone());
                        return Err(MarginError::NotNamed { score, dataset, task });
                    }
                },
            };
            let unit = match (is_share, task.train_sd) {
                (false, _) => 1.0,
                (true, Some(deviation)) if deviation.0.is_finite() && deviation.0 > 0.0 => deviation.0,
                _ => return Err(MarginError::NoDeviation { dataset: task.dataset.clone(), task: task.task.clone() }),
            };
            Ok(Margin { value: value * unit, from })
        })
        .collect()
}
