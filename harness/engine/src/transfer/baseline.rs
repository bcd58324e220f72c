//! The protocol `baseline`: a model without a CLM on fixed features of the molecules, one a task.
//!
//! Forests and boosted trees are those of `clmbench-baselines`; `linear` is the [`probe`](super::probe) on these features instead of
//! embeddings, standardised on the training molecules as there, its strength chosen on validation.

use std::path::Path;

use clmbench_baselines::{BaselineError, Boosting, Features, Forest, on_threads};
use clmbench_protocol::{BaselineModel, BaselineProtocol, Failure, FailureKind, TaskKind, Transfer, TransferOutput};
use tch::Tensor;

use super::{open_dataset, probe, task::TaskData};
use crate::failure::{IntoFailure, OrFail, Result};

impl IntoFailure for BaselineError {
    fn into_failure(self) -> Failure {
        let kind = match self {
            Self::Library { .. } => FailureKind::Died,
            _ => FailureKind::BadInput,
        };
        Failure::new(kind, format!("baseline: {self}"))
    }
}

/// Computes a transfer cell by the protocol `baseline` from the folder of the dataset. A task without enough labels is refused; the
/// others go on.
///
/// # Errors
/// Unreadable inputs; [`FailureKind::BadInput`] for unknown tasks, for molecules without the features and for settings out of their
/// range; [`FailureKind::NonFinite`] for predictions that are not finite.
pub fn run(spec: &Transfer, protocol: &BaselineProtocol, dataset: &Path) -> Result<TransferOutput> {
    let data = open_dataset(spec, dataset)?;
    let tasks = spec.tasks.iter().map(|wanted| TaskData::read(spec, wanted, &data)).collect::<Result<Vec<_>>>()?;
    let features = on_threads(protocol.threads, || Features::of(protocol.features, &data.smiles)).or_fail()?.or_fail()?;
    let matrix = match protocol.model {
        BaselineModel::Linear { .. } => Some(matrix(&features)?),
        _ => None,
    };
    let tasks = tasks.iter().map(|task| match (task.refusal(), &protocol.model, &matrix) {
        (Some(reason), ..) => Ok(task.refused(reason)),
        (None, BaselineModel::Linear { strengths }, Some(matrix)) => probe::probe(spec, strengths, task, &data, matrix),
        _ => task.scored(spec, &data, &trees(protocol, task, &features).or_fail()?),
    });
    Ok(TransferOutput { tasks: tasks.collect::<Result<_>>()?, finetune: None })
}

/// Test predictions of a forest or of boosted trees.
fn trees(protocol: &BaselineProtocol, task: &TaskData, features: &Features) -> std::result::Result<Vec<f64>, BaselineError> {
    let classes = task.wanted.kind == TaskKind::Classification;
    let (train, test) = ((task.train.places.as_slice(), task.train.labels.as_slice()), &task.test.places);
    match &protocol.model {
        BaselineModel::RandomForest { trees, growth } => {
            let forest = Forest { trees: *trees, growth: *growth, seed: protocol.seed };
            on_threads(protocol.threads, || forest.fit_predict(features, train, classes, test))?
        }
        BaselineModel::Boosting { rounds, learning_rate, depth } => {
            let boosting = Boosting { rounds: *rounds, learning_rate: learning_rate.0, depth: *depth };
            boosting.fit_predict(features, train, classes, test)
        }
        BaselineModel::Linear { .. } => {
            Err(BaselineError::Library { model: "linear", reason: "it is fitted by the engine, not as trees".into() })
        }
    }
}

/// All features as a matrix [N, D], f64.
fn matrix(features: &Features) -> Result<Tensor> {
    let values: Vec<f64> = (0..features.len()).flat_map(|place| features.row(place)).collect();
    let shape = [features.len() as i64, features.width() as i64];
    Tensor::f_from_slice(&values).or_fail()?.f_reshape(shape).or_fail()
}
