//! What fine-tuning is trained towards: the labels of training and validation molecules for all tasks at once.

use clmbench_protocol::TaskKind;
use tch::{Device, Kind, Reduction, Tensor};

use super::{
    score::probability,
    task::{Labelled, TaskData},
};
use crate::failure::{OrFail, Result};

/// Labels of N molecules for T tasks. Those of test molecules are never put in.
#[derive(Debug)]
pub struct Targets {
    /// [N * T]; 0 where there is none.
    values: Vec<f32>,
    /// [N * T]; 1 where there is one.
    known: Vec<f32>,
    /// Of each task: whether its labels are classes.
    classes: Vec<bool>,
    /// Of each task: mean and standard deviation of the training labels; (0, 1) for classes.
    standard: Vec<(f64, f64)>,
    /// Training molecules with a label.
    pub train: Vec<u32>,
    /// Validation molecules with a label.
    pub valid: Vec<u32>,
}

impl Targets {
    /// The labels of these tasks among so many molecules; regression labels are standardised by the training molecules.
    pub fn new(tasks: &[&TaskData], molecules: usize) -> Self {
        let width = tasks.len();
        let classes: Vec<bool> = tasks.iter().map(|task| task.wanted.kind == TaskKind::Classification).collect();
        let standard: Vec<(f64, f64)> = tasks
            .iter()
            .zip(&classes)
            .map(|(task, classes)| if *classes { (0.0, 1.0) } else { (task.train.mean(), task.train.spread()) })
            .collect();
        let (mut values, mut known) = (vec![0.0; molecules * width], vec![0.0; molecules * width]);
        for (column, task) in tasks.iter().enumerate() {
            let (mean, spread) = standard[column];
            for part in [&task.train, &task.valid] {
                for (place, label) in part.places.iter().zip(&part.labels) {
                    values[place * width + column] = ((label - mean) / spread) as f32;
                    known[place * width + column] = 1.0;
                }
            }
        }
        let labelled = |part: fn(&TaskData) -> &Labelled| {
            let mut places: Vec<u32> =
                tasks.iter().flat_map(|task| part(task).places.iter().map(|place| *place as u32)).collect();
            places.sort_unstable();
            places.dedup();
            places
        };
        let (train, valid) = (labelled(|task| &task.train), labelled(|task| &task.valid));
        Self { values, known, classes, standard, train, valid }
    }

    /// Tasks T.
    pub fn tasks(&self) -> usize {
        self.classes.len()
    }

    /// Sum over the labelled entries of these B molecules of squared error (regression, standardised) or log loss in nats
    /// (classification), of outputs [B, T]; and how many entries there are.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn loss(&self, outputs: &Tensor, molecules: &[u32]) -> Result<(Tensor, f64)> {
        let (width, device) = (self.tasks(), outputs.device());
        let pick = |list: &[f32]| {
            let rows = molecules.iter().flat_map(|molecule| &list[*molecule as usize * width..][..width]);
            let rows: Vec<f32> = rows.copied().collect();
            Tensor::from_slice(&rows).f_view([molecules.len() as i64, width as i64]).or_fail()?.f_to_device(device).or_fail()
        };
        let (values, known) = (pick(&self.values)?, pick(&self.known)?);
        let squared = |outputs: &Tensor| outputs.f_sub(&values).or_fail()?.f_square().or_fail();
        let logistic = |outputs: &Tensor| {
            let none = None::<Tensor>;
            outputs.f_binary_cross_entropy_with_logits(&values, none.as_ref(), none.as_ref(), Reduction::None).or_fail()
        };
        let entries = if self.classes.iter().all(|classes| *classes) {
            logistic(outputs)?
        } else if self.classes.iter().any(|classes| *classes) {
            logistic(outputs)?.f_where_self(&self.classes_on(device), &squared(outputs)?).or_fail()?
        } else {
            squared(outputs)?
        };
        let count = known.sum(Kind::Double).f_double_value(&[]).or_fail()?;
        Ok((entries.f_mul(&known).or_fail()?.f_sum(Kind::Float).or_fail()?, count))
    }

    /// Whether each task's labels are classes, bool [1, T].
    fn classes_on(&self, device: Device) -> Tensor {
        let flags: Vec<i64> = self.classes.iter().map(|classes| i64::from(*classes)).collect();
        Tensor::from_slice(&flags).to_kind(Kind::Bool).unsqueeze(0).to_device(device)
    }

    /// A prediction of a task from its output: in units of the label, or the chance of class 1.
    pub fn prediction(&self, task: usize, output: f64) -> f64 {
        let (mean, spread) = self.standard[task];
        if self.classes[task] { probability(output) } else { mean + spread * output }
    }
}
