//! The protocol `finetune`: all weights trained with a linear head on the mean-pooled hidden states, all tasks at once.
//!
//! Every learning rate starts from the checkpoint and the same head, with the same budget; the rate and epoch with the best
//! validation loss are kept. The loss is the mean over labelled entries of squared error on standardised labels (regression)
//! and of log loss in nats (classification); a dataset with both kinds of tasks mixes them entry by entry. Test labels are
//! counted, to refuse tasks that cannot have a score, and else read for the scores alone, after everything is chosen.

use std::path::Path;

use clmbench_api::AttentionMode;
use clmbench_molecules::PreparedDataset;
use clmbench_protocol::{Failure, FailureKind, FinetuneProtocol, FinetuneRecord, Number, Transfer, TransferOutput};
use tch::{Kind, Tensor};

use super::{
    head::Head,
    sketch::{Sketch, WIDTH},
    targets::Targets,
    task::TaskData,
    trial::{Best, Setup, Trial, outputs, restore},
};
use crate::{
    batching,
    embed::BATCH_TOKENS,
    failure::{OrFail, Result},
    model::Model,
    report::Reporter,
    weights,
};

/// Models with more parameters than this keep a projection of their path instead of their weights.
pub const MOST_KEPT_PARAMETERS: u64 = 5_000_000;
/// Weights of the model at the kept epoch, under the names of the checkpoint.
pub const END: &str = "end.safetensors";
/// Sketches of the displacement from the checkpoint.
pub const PROJECTION: &str = "projection.safetensors";

fn check(protocol: &FinetuneProtocol) -> Result<()> {
    let refused = |what: String| Err(Failure::new(FailureKind::BadInput, format!("fine-tuning: {what}")));
    if let Some(rate) = protocol.learning_rates.iter().find(|rate| !(rate.0.is_finite() && rate.0 >= 0.0)) {
        return refused(format!("{} is no learning rate", rate.0));
    }
    if protocol.learning_rates.is_empty() {
        return refused("no learning rate to try".into());
    }
    for (name, value) in [("epochs", protocol.epochs), ("batch", protocol.batch)] {
        if value == 0 {
            return refused(format!("`{name}` is 0; at least 1 is needed"));
        }
    }
    if !(0.0..=1.0).contains(&protocol.warmup.0) || protocol.clip.0.is_nan() || protocol.clip.0 <= 0.0 {
        let (warmup, clip) = (protocol.warmup.0, protocol.clip.0);
        return refused(format!("warm-up {warmup} is to be a share of the steps, and clip {clip} above 0"));
    }
    let (decay, first, second) = (protocol.weight_decay.0, protocol.betas.0.0, protocol.betas.1.0);
    if !(decay.is_finite() && decay >= 0.0 && (0.0..1.0).contains(&first) && (0.0..1.0).contains(&second)) {
        return refused(format!("weight decay {decay} is to be 0 or more, and betas ({first}, {second}) from 0 to below 1"));
    }
    Ok(())
}

/// Fine-tunes the model (which holds the checkpoint's weights) and scores every task; leaves the file of the parameter-space
/// view in `work`. A task without enough labels is refused and takes no part in the training; the others go on.
///
/// # Errors
/// [`FailureKind::BadInput`] for an odd protocol or unknown tasks, [`FailureKind::Unsupported`] for unknown scores,
/// [`FailureKind::NonFinite`] when every learning rate diverged or predictions are not finite; what the model or libtorch
/// refuses, what cannot be written.
pub fn run(
    spec: &Transfer,
    protocol: &FinetuneProtocol,
    model: &Model,
    data: &PreparedDataset,
    work: &Path,
    reporter: &Reporter,
) -> Result<TransferOutput> {
    check(protocol)?;
    let tasks = spec.tasks.iter().map(|wanted| TaskData::read(spec, wanted, data)).collect::<Result<Vec<_>>>()?;
    let accepted: Vec<&TaskData> = tasks.iter().filter(|task| task.refusal().is_none()).collect();
    let refused = |task: &TaskData| task.refusal().map(|reason| task.refused(reason));
    if accepted.is_empty() {
        return Ok(TransferOutput { tasks: tasks.iter().filter_map(refused).collect(), finetune: None });
    }
    let targets = Targets::new(&accepted, data.len());
    let setup = Setup {
        model,
        start: model.tensors().iter().map(|tensor| tensor.detach().copy()).collect(),
        cache: &data.tokens,
        targets: &targets,
        protocol,
        width: width(model, data, targets.train[0])?,
        sketch: (model.counts().1 > MOST_KEPT_PARAMETERS).then(|| Sketch::of(&model.parameters)),
        reporter,
    };
    let (tried, trial, best) = search(&setup)?;
    let head = Head::new(setup.width, targets.tasks() as i64, protocol.seed, model.device())?;
    let mut handles = model.tensors();
    handles.extend([head.weight.shallow_clone(), head.bias.shallow_clone()]);
    restore(&handles, &best.weights)?;
    let relative_displacement = Number(relative_displacement(&setup, &trial.moved)?);
    let weights_file = keep(&setup, &trial, work)?;
    let mut test: Vec<u32> = accepted.iter().flat_map(|task| &task.test.places).map(|place| *place as u32).collect();
    test.sort_unstable();
    test.dedup();
    let outputs = outputs(&setup, &head, &test, BATCH_TOKENS)?;
    let mut column = 0;
    let mut results = Vec::new();
    for task in &tasks {
        if let Some(row) = refused(task) {
            results.push(row);
            continue;
        }
        results.push(task.scored(spec, data, &predictions(&targets, task, (&test, &outputs), column)?)?);
        column += 1;
    }
    let record = FinetuneRecord {
        tried,
        learning_rate: trial.record.learning_rate,
        epoch: best.epoch,
        weights_file,
        relative_displacement,
    };
    Ok(TransferOutput { tasks: results, finetune: Some(record) })
}

/// Tries every learning rate; what each did, and the one with the best validation loss (the first of equals).
fn search(setup: &Setup<'_>) -> Result<(Vec<clmbench_protocol::FinetuneTrial>, Trial, Best)> {
    let rates = &setup.protocol.learning_rates;
    let (mut tried, mut kept) = (Vec::new(), None::<(Trial, Best)>);
    for (index, rate) in rates.iter().enumerate() {
        let mut trial = setup.train(rate.0, (index, rates.len()))?;
        tried.push(trial.record.clone());
        // A trial that diverged is not chosen, whatever it reached before.
        let Some(best) = trial.best.take().filter(|_| !trial.record.diverged) else { continue };
        if kept.as_ref().is_none_or(|(_, kept)| best.loss < kept.loss) {
            kept = Some((trial, best));
        }
    }
    let (trial, best) = kept.ok_or_else(|| {
        let rates: Vec<String> = rates.iter().map(|rate| rate.0.to_string()).collect();
        let text = format!("fine-tuning diverged at every learning rate ({}); try smaller ones", rates.join(", "));
        Failure::new(FailureKind::NonFinite, text)
    })?;
    Ok((tried, trial, best))
}

/// Width D of the hidden states, seen on one molecule.
fn width(model: &Model, data: &PreparedDataset, molecule: u32) -> Result<i64> {
    let _guard = tch::no_grad_guard();
    let batch = batching::plain(&data.tokens, &[molecule], model.device());
    Ok(model.hidden(&batch.ids, &batch.mask, AttentionMode::Fast)?.size()[2])
}

/// Norm of the displacement of the weights that the loss depends on, relative to their norm at the start.
fn relative_displacement(setup: &Setup<'_>, moved: &[bool]) -> Result<f64> {
    let _guard = tch::no_grad_guard();
    let squares = |tensor: &Tensor| tensor.f_square().or_fail()?.f_sum(Kind::Double).or_fail()?.f_double_value(&[]).or_fail();
    let (mut path, mut whole) = (0.0, 0.0);
    for ((row, start), _) in setup.model.parameters.iter().zip(&setup.start).zip(moved).filter(|(_, moved)| **moved) {
        path += squares(&row.tensor.f_sub(start).or_fail()?)?;
        whole += squares(start)?;
    }
    Ok((path / whole).sqrt())
}

/// Writes what is kept of a trial for the parameter-space view: the model's weights as they are, or the sketches where the
/// setup has them. Returns the file's name.
///
/// # Errors
/// What cannot be written.
pub fn keep(setup: &Setup<'_>, trial: &Trial, work: &Path) -> Result<String> {
    if setup.sketch.is_none() {
        let rows: Vec<_> = setup.model.parameters.iter().map(|row| (row.name.clone(), &row.tensor)).collect();
        weights::write(&work.join(END), &rows)?;
        return Ok(END.into());
    }
    let shape = [trial.sketches.len() as i64, WIDTH as i64];
    let rows = Tensor::from_slice(&trial.sketches.concat()).f_view(shape).or_fail()?;
    weights::write(&work.join(PROJECTION), &[("projection".into(), &rows)])?;
    Ok(PROJECTION.into())
}

/// Predictions for the test molecules of a task from the outputs [N, T] of `test` (sorted), in this column.
fn predictions(targets: &Targets, task: &TaskData, test: (&[u32], &Tensor), column: usize) -> Result<Vec<f64>> {
    let (molecules, outputs) = test;
    let column_of = outputs.f_select(1, column as i64).or_fail()?.to_kind(Kind::Double).contiguous();
    let values = Vec::<f64>::try_from(column_of).or_fail()?;
    let place_of = |place: &usize| molecules.partition_point(|molecule| (*molecule as usize) < *place);
    Ok(task.test.places.iter().map(|place| targets.prediction(column, values[place_of(place)])).collect())
}
