//! The protocol `probe`: frozen embeddings, ridge or L2 logistic regression, the strength chosen on validation.

use std::path::Path;

use clmbench_molecules::PreparedDataset;
use clmbench_protocol::{Failure, FailureKind, Number, ProbeProtocol, TaskKind, TaskTransfer, Transfer, TransferOutput};
use tch::{Kind, Tensor};

use super::{
    score::{log_loss, probability, rmse},
    task::TaskData,
};
use crate::{embed::MATRIX, failure::Result, files, logistic::Logistic, ridge::Ridge, weights};

/// The embeddings [N, D] that the protocol names, f64.
///
/// # Errors
/// [`FailureKind::CorruptFile`] for another file; [`FailureKind::WrongShape`] when they are not one a molecule.
pub fn read_embeddings(path: &Path, protocol: &ProbeProtocol, spec: &Transfer, data: &PreparedDataset) -> Result<Tensor> {
    files::expect_digest(path, &protocol.embedding_digest)?;
    let matrix = weights::read(path)?.into_iter().find(|(name, _)| name == MATRIX).map(|(_, tensor)| tensor);
    let matrix = matrix.ok_or_else(|| {
        let text = format!("{} holds no matrix `{MATRIX}`; run again to rebuild it", path.display());
        Failure::new(FailureKind::CorruptFile, text)
    })?;
    if matrix.dim() != 2 || matrix.size()[0] as usize != data.len() {
        let text = format!("embeddings {:?} for {} molecules of {}", matrix.size(), data.len(), spec.dataset);
        return Err(Failure::new(FailureKind::WrongShape, text));
    }
    Ok(matrix.to_kind(Kind::Double))
}

/// Probes every task on the embeddings [N, D], f64. A task without enough labels is refused; the others go on.
///
/// # Errors
/// [`FailureKind::BadInput`] for unknown tasks and odd strengths, [`FailureKind::Unsupported`] for unknown scores.
pub fn run(spec: &Transfer, protocol: &ProbeProtocol, data: &PreparedDataset, matrix: &Tensor) -> Result<TransferOutput> {
    let tasks = spec.tasks.iter().map(|wanted| TaskData::read(spec, wanted, data)).collect::<Result<Vec<_>>>()?;
    let tasks = tasks.into_iter().map(|task| match task.refusal() {
        Some(reason) => Ok(task.refused(reason)),
        None => probe(spec, protocol, &task, data, matrix),
    });
    Ok(TransferOutput { tasks: tasks.collect::<Result<_>>()?, finetune: None })
}

/// Validation score of each strength (smaller is better), and the test predictions of a strength by its index.
struct Fitted<'a> {
    validation: Vec<f64>,
    predict: Box<dyn Fn(usize) -> Result<Vec<f64>> + 'a>,
}

fn probe(
    spec: &Transfer,
    protocol: &ProbeProtocol,
    task: &TaskData,
    data: &PreparedDataset,
    matrix: &Tensor,
) -> Result<TaskTransfer> {
    let strengths: Vec<f64> = protocol.strengths.iter().map(|strength| strength.0).collect();
    let fitted = match task.wanted.kind {
        TaskKind::Regression => regression(task, matrix, &strengths)?,
        TaskKind::Classification => classification(task, matrix, &strengths)?,
    };
    let best = (0..strengths.len()).min_by(|a, b| fitted.validation[*a].total_cmp(&fitted.validation[*b]));
    let best = best.ok_or_else(|| Failure::new(FailureKind::BadInput, "the protocol names no strengths for the probe"))?;
    Ok(TaskTransfer {
        strength: Some(protocol.strengths[best]),
        validation: protocol.strengths.iter().copied().zip(fitted.validation.iter().copied().map(Number)).collect(),
        ..task.scored(spec, data, &(fitted.predict)(best)?)
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
