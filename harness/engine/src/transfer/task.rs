//! The labelled molecules of a task, and whether they are enough.

use clmbench_molecules::{Part, PreparedDataset};
use clmbench_protocol::{Failure, FailureKind, Number, TaskKind, TaskTransfer, Transfer, TransferTask};
use tch::Tensor;

use crate::failure::{OrFail, Result};

/// Molecules with a label, for regression: to fit a line, to choose, and to have a spread.
const LEAST: [usize; 3] = [3, 2, 2];
/// Molecules of each class: to choose on one of each is enough, an error bar needs two.
const LEAST_OF_EACH_CLASS: [usize; 3] = [2, 1, 2];
const PARTS: [(Part, &str); 3] = [(Part::Train, "training"), (Part::Valid, "validation"), (Part::Test, "test")];

/// Labelled molecules of one part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labelled {
    /// Places of the molecules in the dataset.
    pub places: Vec<usize>,
    /// Their labels.
    pub labels: Vec<f64>,
}

impl Labelled {
    /// Their rows [N, D] of a matrix with a row for every molecule of the dataset.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn features(&self, matrix: &Tensor) -> Result<Tensor> {
        let rows: Vec<i64> = self.places.iter().map(|place| *place as i64).collect();
        matrix.f_index_select(0, &Tensor::from_slice(&rows)).or_fail()
    }

    /// Mean label.
    pub fn mean(&self) -> f64 {
        self.labels.iter().sum::<f64>() / self.labels.len() as f64
    }

    /// Standard deviation of the labels (divisor n).
    pub fn spread(&self) -> f64 {
        let mean = self.mean();
        (self.labels.iter().map(|label| (label - mean).powi(2)).sum::<f64>() / self.labels.len() as f64).sqrt()
    }
}

/// A task with its labelled molecules.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskData {
    /// What is asked for.
    pub wanted: TransferTask,
    /// For training.
    pub train: Labelled,
    /// For choosing.
    pub valid: Labelled,
    /// For the scores alone.
    pub test: Labelled,
}

impl TaskData {
    /// Reads the task's labels.
    ///
    /// # Errors
    /// [`FailureKind::BadInput`] when the dataset has no such task; [`FailureKind::Unsupported`] for an unknown score.
    pub fn read(spec: &Transfer, wanted: &TransferTask, data: &PreparedDataset) -> Result<Self> {
        let labels = data.task(&wanted.name).ok_or_else(|| {
            Failure::new(FailureKind::BadInput, format!("dataset {} has no task `{}`", spec.dataset, wanted.name))
        })?;
        let known = super::score::names(wanted.kind);
        if !known.contains(&wanted.score.as_str()) {
            let kind = if wanted.kind == TaskKind::Regression { "regression" } else { "classification" };
            let text = format!(
                "{}/{}: score `{}` is not known for {kind}; there is: {}",
                spec.dataset,
                wanted.name,
                wanted.score,
                known.join(", ")
            );
            return Err(Failure::new(FailureKind::Unsupported, text));
        }
        let part = |part: Part| {
            let places: Vec<usize> = data.places(part).into_iter().filter(|place| !labels[*place].is_nan()).collect();
            Labelled { labels: places.iter().map(|place| labels[*place]).collect(), places }
        };
        Ok(Self { wanted: wanted.clone(), train: part(Part::Train), valid: part(Part::Valid), test: part(Part::Test) })
    }

    fn parts(&self) -> [&Labelled; 3] {
        [&self.train, &self.valid, &self.test]
    }

    /// Why the task cannot have a score, if it cannot.
    pub fn refusal(&self) -> Option<String> {
        match self.wanted.kind {
            TaskKind::Regression => {
                let few = self.parts().into_iter().zip(LEAST).any(|(part, least)| part.labels.len() < least);
                if few {
                    return Some(self.sentence("labelled molecules", |part| part.labels.len().to_string(), LEAST));
                }
                let first = self.train.labels[0];
                let constant = self.train.labels.iter().all(|label| *label == first);
                constant
                    .then(|| format!("all {} training labels are {first}: there is nothing to learn", self.train.labels.len()))
            }
            TaskKind::Classification => {
                let count = |part: &Labelled| {
                    let ones = part.labels.iter().filter(|label| **label == 1.0).count();
                    (ones, part.labels.len() - ones)
                };
                let few = self.parts().into_iter().zip(LEAST_OF_EACH_CLASS).any(|(part, least)| {
                    let (ones, zeros) = count(part);
                    ones.min(zeros) < least
                });
                let shown = |part: &Labelled| format!("{} of class 1 and {} of class 0", count(part).0, count(part).1);
                few.then(|| self.sentence("molecules of each class", shown, LEAST_OF_EACH_CLASS))
            }
        }
    }

    fn sentence(&self, what: &str, shown: impl Fn(&Labelled) -> String, least: [usize; 3]) -> String {
        let rows: Vec<String> =
            self.parts().into_iter().zip(PARTS).map(|(part, (_, name))| format!("{} for {name}", shown(part))).collect();
        let [train, valid, test] = least;
        format!("{what}: {}; at least {train}, {valid} and {test} are needed", rows.join(", "))
    }

    /// Molecules with labels for training, validation, testing.
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.train.places.len() as u64, self.valid.places.len() as u64, self.test.places.len() as u64)
    }

    /// The result of a refused task.
    pub fn refused(&self, reason: String) -> TaskTransfer {
        TaskTransfer { refused: Some(reason), scores: Vec::new(), predictions: Vec::new(), ..self.frame() }
    }

    /// The result with these test predictions (in the order of [`Self::test`]): scores with their errors, also on the
    /// subsets of the dataset.
    ///
    /// # Errors
    /// [`FailureKind::NonFinite`] for predictions that are not all finite.
    pub fn scored(&self, spec: &Transfer, data: &PreparedDataset, predicted: &[f64]) -> Result<TaskTransfer> {
        if let Some(index) = predicted.iter().position(|value| !value.is_finite()) {
            let (value, row, name) = (predicted[index], data.rows[self.test.places[index]], &self.wanted.name);
            let text = format!("the prediction for row {row} of task {name} is {value}; look for labels beyond all others");
            return Err(Failure::new(FailureKind::NonFinite, text + ", and when fine-tuning try smaller learning rates"));
        }
        let rows = self.test.places.iter().zip(&self.test.labels).zip(predicted);
        let bootstrap = (spec.bootstrap, spec.seed);
        let mut scores = super::score::scores(self, predicted, bootstrap);
        let (of_subsets, absent) = super::score::subset_scores(self, &data.subsets, predicted, bootstrap);
        scores.extend(of_subsets);
        Ok(TaskTransfer {
            scores,
            absent,
            predictions: rows
                .map(|((place, label), predicted)| (data.rows[*place], Number(*label), Number(*predicted)))
                .collect(),
            ..self.frame()
        })
    }

    fn frame(&self) -> TaskTransfer {
        TaskTransfer {
            task: self.wanted.name.clone(),
            task_kind: self.wanted.kind,
            counts: self.counts(),
            refused: None,
            strength: None,
            validation: Vec::new(),
            scores: Vec::new(),
            absent: Vec::new(),
            predictions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(kind: TaskKind, train: &[f64], valid: &[f64], test: &[f64]) -> TaskData {
        let part = |labels: &[f64]| Labelled { places: (0..labels.len()).collect(), labels: labels.to_vec() };
        let wanted = TransferTask { name: "t".into(), kind, score: "rmse".into() };
        TaskData { wanted, train: part(train), valid: part(valid), test: part(test) }
    }

    #[test]
    fn too_few_labels_are_refused_with_their_counts() {
        let small = task(TaskKind::Regression, &[1.0, 2.0], &[1.0, 2.0], &[1.0]);
        let wanted = "labelled molecules: 2 for training, 2 for validation, 1 for test; at least 3, 2 and 2 are needed";
        assert_eq!(small.refusal().as_deref(), Some(wanted));
        assert_eq!(task(TaskKind::Regression, &[1.0, 2.0, 3.0], &[1.0; 2], &[1.0; 2]).refusal(), None);
        let constant = task(TaskKind::Regression, &[0.5; 4], &[1.0; 2], &[1.0; 2]).refusal();
        assert_eq!(constant.as_deref(), Some("all 4 training labels are 0.5: there is nothing to learn"));
    }

    #[test]
    fn a_part_with_one_class_is_refused_with_its_counts() {
        let both = [0.0, 1.0, 0.0, 1.0];
        assert_eq!(task(TaskKind::Classification, &both, &[0.0, 1.0], &both).refusal(), None);
        let refused = task(TaskKind::Classification, &both, &[0.0, 0.0], &both).refusal().unwrap_or_default();
        assert!(refused.contains("0 of class 1 and 2 of class 0 for validation"), "{refused}");
    }
}
