//! What is wrong with the labels of a task: test molecules that are also in training or validation, and molecules whose rows differ.
//!
//! | flag | meaning |
//! |---|---|
//! | `leaked` | labelled test molecules of the task have a label in training or validation too: scores may be too good |

use clmbench_protocol::{DatasetOutput, TaskCheck};

/// The flag of a row whose test molecules leaked.
pub(crate) const LEAKED: &str = "leaked";

/// What is wrong with the labels of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Faults {
    /// Labelled test molecules that have a label of the task in training or validation too; none where it was not counted.
    pub leaked: Option<u64>,
    /// Molecules with several rows whose labels of the task differ; none where it was not counted.
    pub conflicting: Option<u64>,
}

impl Faults {
    /// Those of a task of the dataset with this data and split.
    pub fn of(datasets: &[DatasetOutput], data_digest: &str, split_digest: &str, task: &str) -> Self {
        let same = |dataset: &&DatasetOutput| dataset.data_digest == data_digest && dataset.split_digest == split_digest;
        let Some(dataset) = datasets.iter().find(same) else { return Self::default() };
        match dataset.checks.iter().find(|check| check.task == task) {
            Some(check) => Self { leaked: Some(check.leaked), conflicting: Some(check.conflicting) },
            // Read before labels were looked over: what is known is known of all molecules, whether labelled or not.
            None => Self { leaked: Some(dataset.leaked), conflicting: None },
        }
    }

    /// Whether the rows of the task are flagged.
    pub fn is_leaked(&self) -> bool {
        self.leaked.is_some_and(|count| count > 0)
    }
}

/// What is wrong with the labels of a dataset, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelNote {
    /// The dataset.
    pub dataset: String,
    /// The sentence, without a full stop.
    pub text: String,
}

/// A note for each dataset with leaks, and one for each with conflicting labels.
pub(crate) fn notes<'a>(datasets: impl IntoIterator<Item = &'a DatasetOutput>) -> Vec<LabelNote> {
    let of = |dataset: &DatasetOutput| {
        let note = |text| LabelNote { dataset: dataset.dataset.clone(), text };
        [leak(dataset), conflict(dataset)].into_iter().flatten().map(note).collect::<Vec<_>>()
    };
    datasets.into_iter().flat_map(of).collect()
}

fn leak(dataset: &DatasetOutput) -> Option<String> {
    let name = &dataset.dataset;
    let of = |leaked: u64, tested: u64| format!("{leaked} of {tested} test molecules are also in training or validation");
    let worst = dataset.checks.iter().filter(|check| check.leaked > 0).max_by_key(|check| check.leaked);
    let flag = "scores may be too good (leaked)";
    match (dataset.checks.as_slice(), worst) {
        ([], _) if dataset.leaked > 0 => Some(format!("{name}: {}: {flag}", of(dataset.leaked, dataset.counts.2))),
        ([_], Some(only)) => Some(format!("{name}: {}: {flag}", of(only.leaked, only.labels.2))),
        (several, Some(worst)) => {
            let tasks = several.iter().filter(|check| check.leaked > 0).count();
            let most = of(worst.leaked, worst.labels.2);
            Some(format!(
                "{name}: in {tasks} of {} tasks test molecules leaked, most in {}, where {most}: {flag}",
                several.len(),
                worst.task
            ))
        }
        _ => None,
    }
}

fn conflict(dataset: &DatasetOutput) -> Option<String> {
    let conflicting = |check: &&TaskCheck| check.conflicting > 0;
    let worst = dataset.checks.iter().filter(conflicting).max_by_key(|check| check.conflicting)?;
    let count = worst.conflicting;
    let (noun, have) = if count == 1 { ("molecule", "has") } else { ("molecules", "have") };
    let what = format!("{count} {noun} {have} several rows whose labels differ");
    Some(match dataset.checks.len() {
        1 => format!("{}: {what}", dataset.dataset),
        all => {
            let tasks = dataset.checks.iter().filter(conflicting).count();
            format!("{}: labels conflict in {tasks} of {all} tasks, most in {}, where {what}", dataset.dataset, worst.task)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::dataset;

    fn check(task: &str, tested: u64, leaked: u64, conflicting: u64) -> TaskCheck {
        TaskCheck { task: task.into(), labels: (80, 10, tested), positives: None, missing: 0, conflicting, leaked }
    }

    #[test]
    fn faults_are_those_of_the_task_of_the_same_data_and_split() {
        let mut found = dataset("freesolv");
        assert_eq!(Faults::of(&[found.clone()], "data", "split", "expt"), Faults { leaked: Some(0), conflicting: None });
        found.checks = vec![check("other", 65, 9, 9), check("expt", 65, 3, 0)];
        let of = |data: &str, split: &str| Faults::of(&[found.clone()], data, split, "expt");
        assert_eq!(of("data", "split"), Faults { leaked: Some(3), conflicting: Some(0) });
        assert!(of("data", "split").is_leaked());
        assert_eq!((of("data", "another"), of("another", "split")), (Faults::default(), Faults::default()));
    }

    #[test]
    fn notes_count_what_is_wrong() {
        let mut one = dataset("freesolv");
        assert!(notes(&[one.clone()]).is_empty());
        one.checks = vec![check("expt", 65, 3, 1)];
        let mut several = dataset("tox21");
        several.checks = vec![check("NR-AR", 700, 4, 0), check("SR-p53", 650, 5, 12), check("clean", 600, 0, 0)];
        let mut old = dataset("old");
        (old.leaked, old.counts) = (2, (80, 10, 11));
        let expected = [
            "freesolv: 3 of 65 test molecules are also in training or validation: scores may be too good (leaked)",
            "freesolv: 1 molecule has several rows whose labels differ",
            "tox21: in 2 of 3 tasks test molecules leaked, most in SR-p53, where 5 of 650 test molecules are also in training or \
             validation: scores may be too good (leaked)",
            "tox21: labels conflict in 1 of 3 tasks, most in SR-p53, where 12 molecules have several rows whose labels differ",
            "old: 2 of 11 test molecules are also in training or validation: scores may be too good (leaked)",
        ];
        let said: Vec<String> = notes(&[one, several, old]).into_iter().map(|note| note.text).collect();
        assert_eq!(said, expected);
    }
}
