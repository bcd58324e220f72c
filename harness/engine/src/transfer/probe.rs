//! The protocol `probe`: frozen embeddings, ridge or L2 logistic regression, the strength chosen on validation.

use std::path::Path;

use clmbench_molecules::PreparedDataset;
use clmbench_protocol::{Failure, FailureKind, Number, ProbeProtocol, TaskKind, TaskTransfer, Transfer, TransferOutput};
use tch::{Kind, Tensor};

use super::{
    score::{log_loss, probability, rmse},
    task::TaskData,
};
use crate::{embed, failure::Result, logistic::Logistic, ridge::Ridge, standard::check_strengths};

/// The embeddings [N, D] that the protocol names, f64.
///
/// # Errors
/// [`FailureKind::CorruptFile`] for another file; [`FailureKind::WrongShape`] when they are not one a molecule.
pub fn read_embeddings(path: &Path, protocol: &ProbeProtocol, spec: &Transfer, data: &PreparedDataset) -> Result<Tensor> {
    Ok(embed::read(path, &protocol.embedding_digest, data.len(), &spec.dataset)?.to_kind(Kind::Double))
}

/// Probes every task on the embeddings [N, D], f64. A task without enough labels is refused; the others go on.
///
/// # Errors
/// [`FailureKind::BadInput`] for unknown tasks and for strengths that are not above 0, [`FailureKind::Unsupported`] for unknown
/// scores, [`FailureKind::NonFinite`] where labels are too large for every strength or for their predictions.
pub fn run(spec: &Transfer, protocol: &ProbeProtocol, data: &PreparedDataset, matrix: &Tensor) -> Result<TransferOutput> {
    let tasks = spec.tasks.iter().map(|wanted| TaskData::read(spec, wanted, data)).collect::<Result<Vec<_>>>()?;
    let tasks = tasks.into_iter().map(|task| match task.refusal() {
        Some(reason) => Ok(task.refused(reason)),
        None => probe(spec, &protocol.strengths, &task, data, matrix),
    });
    Ok(TransferOutput { tasks: tasks.collect::<Result<_>>()?, finetune: None })
}

/// Validation score of each strength (smaller is better), and the test predictions of a strength by its index.
struct Fitted<'a> {
    validation: Vec<f64>,
    predict: Box<dyn Fn(usize) -> Result<Vec<f64>> + 'a>,
}

/// Probes one task that has enough labels, on features [N, D], f64, at the strength that is best on validation.
pub(super) fn probe(
    spec: &Transfer,
    tried: &[Number],
    task: &TaskData,
    data: &PreparedDataset,
    matrix: &Tensor,
) -> Result<TaskTransfer> {
    let strengths: Vec<f64> = tried.iter().map(|strength| strength.0).collect();
    check_strengths(&strengths)?;
    if strengths.is_empty() {
        return Err(Failure::new(FailureKind::BadInput, "the protocol names no strengths for the probe"));
    }
    let fitted = match task.wanted.kind {
        TaskKind::Regression => regression(task, matrix, &strengths)?,
        TaskKind::Classification => classification(task, matrix, &strengths)?,
    };
    let best = choose(task, &fitted.validation)?;
    Ok(TaskTransfer {
        strength: Some(tried[best]),
        validation: tried.iter().copied().zip(fitted.validation.iter().copied().map(Number)).collect(),
        ..task.scored(spec, data, &(fitted.predict)(best)?)?
    })
}

/// The smallest finite validation score, the first of equals.
fn choose(task: &TaskData, validation: &[f64]) -> Result<usize> {
    let finite = (0..validation.len()).filter(|index| validation[*index].is_finite());
    finite.min_by(|a, b| validation[*a].total_cmp(&validation[*b])).ok_or_else(|| {
        let name = &task.wanted.name;
        let text = format!("no strength has a finite validation score on task {name}: are its labels sensible numbers?");
        Failure::new(FailureKind::NonFinite, text)
    })
}

fn regression<'a>(task: &'a TaskData, matrix: &'a Tensor, strengths: &'a [f64]) -> Result<Fitted<'a>> {
    let ridge = Ridge::new(&task.train.features(matrix)?, &Tensor::from_slice(&task.train.labels))?;
    let features = task.valid.features(matrix)?;
    let validation = strengths
        .iter()
        .map(|strength| Ok(rmse(&task.valid.labels, &ridge.predict(&features, *strength)?)))
        .collect::<Result<_>>()?;
    Ok(Fitted { validation, predict: Box::new(move |index| ridge.predict(&task.test.features(matrix)?, strengths[index])) })
}

fn classification<'a>(task: &'a TaskData, matrix: &'a Tensor, strengths: &[f64]) -> Result<Fitted<'a>> {
    let logistic = Logistic::new(&task.train.features(matrix)?, &Tensor::from_slice(&task.train.labels), strengths)?;
    let features = task.valid.features(matrix)?;
    let validation = (0..strengths.len())
        .map(|index| Ok(log_loss(&task.valid.labels, &logistic.logits(&features, index)?)))
        .collect::<Result<_>>()?;
    let predict = move |index| {
        let logits = logistic.logits(&task.test.features(matrix)?, index)?;
        Ok(logits.into_iter().map(probability).collect())
    };
    Ok(Fitted { validation, predict: Box::new(predict) })
}
