//! The typed rows of a finished cell, from its definition and its result.

use clmbench_protocol::{
    CellOutput, CellSpec, CorpusOutput, DatasetOutput, Import, ImportOutput, Measure, MeasureOutput, Number, Pretrain,
    PretrainOutput, Protocol, TaskTransfer, TokeniseDataset, Transfer, TransferOutput,
};
use rusqlite::{Transaction, params};

use crate::{
    StoreError, prediction,
    value::{Float, integer, json, word},
};

/// Writes the rows of a cell.
///
/// # Errors
/// [`StoreError::Invalid`] if the result is of another kind than the definition.
pub(crate) fn put(transaction: &Transaction<'_>, identity: &str, spec: &CellSpec, output: &CellOutput) -> Result<(), StoreError> {
    match (spec, output) {
        (CellSpec::TokeniseDataset(spec), CellOutput::TokeniseDataset(output)) => dataset(transaction, identity, spec, output),
        (CellSpec::TokeniseCorpus(_), CellOutput::TokeniseCorpus(output)) => corpus(transaction, identity, output),
        (CellSpec::Import(spec), CellOutput::Import(output)) => import(transaction, identity, spec, output),
        (CellSpec::Pretrain(spec), CellOutput::Pretrain(output)) => run(transaction, identity, spec, output),
        // An embedding has no numbers of its own; its files are in the report.
        (CellSpec::Embed(_), CellOutput::Embed(_)) => Ok(()),
        (CellSpec::Measure(spec), CellOutput::Measure(output)) => measurement(transaction, identity, spec, output),
        (CellSpec::Transfer(spec), CellOutput::Transfer(output)) => transfer(transaction, identity, spec, output),
        (spec, _) => Err(StoreError::invalid(format!(
            "the result of cell {identity} is of another kind than its stage, `{}`",
            spec.stage()
        ))),
    }
}

fn float(number: Number) -> Float {
    Float(number.0)
}

fn optional(number: Option<Number>) -> Option<Float> {
    number.map(float)
}

fn corpus(transaction: &Transaction<'_>, identity: &str, output: &CorpusOutput) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO corpus VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)")?
        .execute(params![
        identity,
        output.corpus,
        integer(output.molecules)?,
        integer(output.tokens)?,
        integer(output.heldout_molecules)?,
        integer(output.heldout_tokens)?,
        float(output.unigram_cross_entropy),
        float(output.unigram_se),
        output.train_digest,
        output.heldout_digest,
        output.tokenizer_digest,
        float(output.bigram_cross_entropy),
        float(output.bigram_se),
        float(output.two_neighbour_cross_entropy),
        float(output.two_neighbour_se)
    ])?;
    Ok(())
}

fn dataset(
    transaction: &Transaction<'_>,
    identity: &str,
    spec: &TokeniseDataset,
    output: &DatasetOutput,
) -> Result<(), StoreError> {
    let (train, validation, test) = output.counts;
    transaction.prepare_cached("INSERT INTO dataset VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?.execute(params![
        identity,
        output.source,
        output.dataset,
        integer(train.saturating_add(validation).saturating_add(test))?,
        integer(train)?,
        integer(validation)?,
        integer(test)?,
        spec.split.algorithm,
        output.data_digest,
        output.split_digest,
        output.tokenizer_digest
    ])?;
    let mut insert = transaction.prepare_cached("INSERT INTO task VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for (position, task) in output.tasks.iter().enumerate() {
        let deviation = optional(output.train_sd.get(position).copied());
        insert.execute(params![identity, position as i64, task.name, word(&task.kind)?, task.unit, task.score, deviation])?;
    }
    Ok(())
}

fn run(transaction: &Transaction<'_>, identity: &str, spec: &Pretrain, output: &PretrainOutput) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO run (identity, plugin_name, plugin_version, architecture, objective, config_json, corpus_digest,
               tokenizer_digest, tokens, learning_rate, batch, seed, corpus_molecules, non_embedding_parameters,
               total_parameters, epochs, control, diverged, divergence, imported)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, 0)",
        )?
        .execute(params![
            identity,
            spec.plugin.name,
            spec.plugin.version,
            spec.architecture,
            word(&spec.objective)?,
            json(&spec.config)?,
            spec.corpus_digest,
            spec.tokenizer_digest,
            integer(spec.tokens)?,
            float(spec.learning_rate),
            spec.batch,
            spec.seed.to_string(),
            integer(output.corpus_molecules)?,
            integer(output.non_embedding_parameters)?,
            integer(output.total_parameters)?,
            float(output.epochs),
            spec.tokens == 0,
            output.diverged,
            output.divergence
        ])?;
    let mut insert =
        transaction.prepare_cached("INSERT INTO checkpoint VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
    for (position, checkpoint) in output.checkpoints.iter().enumerate() {
        insert.execute(params![
            identity,
            position as i64,
            checkpoint.folder,
            integer(checkpoint.step)?,
            integer(checkpoint.tokens)?,
            checkpoint.annealed,
            checkpoint.last,
            float(checkpoint.learning_rate),
            float(checkpoint.training_loss),
            float(checkpoint.training_flops),
            checkpoint.weights_digest
        ])?;
    }
    Ok(())
}

/// A checkpoint of others: one run with one checkpoint, of whose training nothing is known. (What a suite says of it is in its plan.)
fn import(transaction: &Transaction<'_>, identity: &str, spec: &Import, output: &ImportOutput) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO run (identity, plugin_name, plugin_version, architecture, objective, config_json, tokenizer_digest,
               tokens, seed, non_embedding_parameters, total_parameters, control, diverged, imported)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 1)",
        )?
        .execute(params![
            identity,
            spec.plugin.name,
            spec.plugin.version,
            output.architecture,
            word(&output.objective)?,
            json(&output.config)?,
            output.tokenizer_digest,
            // Random weights were trained on none.
            spec.control.map(|_| 0),
            spec.control.map(|seed| seed.to_string()),
            integer(output.non_embedding_parameters)?,
            integer(output.total_parameters)?,
            spec.control.is_some(),
        ])?;
    let checkpoint = &output.checkpoint;
    transaction
        .prepare_cached(
            "INSERT INTO checkpoint (run, position, folder, tokens, annealed, last, weights_digest)
             VALUES (?1, 0, ?2, ?3, 1, 1, ?4)",
        )?
        .execute(params![identity, checkpoint.folder, spec.control.map(|_| 0), checkpoint.weights_digest])?;
    Ok(())
}

fn measurement(transaction: &Transaction<'_>, identity: &str, spec: &Measure, output: &MeasureOutput) -> Result<(), StoreError> {
    let dataset = spec.dataset.as_ref();
    transaction
        .prepare_cached(
            "INSERT INTO measurement (identity, plugin_name, plugin_version, metric, params_json, budget, weights_digest, tokens,
               corpus_molecules, heldout_digest, tokenizer_digest, data_digest, split_digest, task, molecules,
               gradient_equivalents, stopped)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            identity,
            spec.plugin.name,
            spec.plugin.version,
            spec.metric,
            json(&spec.params)?,
            word(&spec.budget)?,
            spec.checkpoint.weights_digest,
            spec.record.tokens.map(integer).transpose()?,
            spec.record.corpus_molecules.map(integer).transpose()?,
            spec.heldout_digest,
            spec.tokenizer_digest,
            dataset.map(|(data, _, _)| data),
            dataset.map(|(_, split, _)| split),
            dataset.map(|(_, _, task)| task),
            integer(output.molecules)?,
            float(output.gradient_equivalents),
            output.stopped
        ])?;
    let mut insert = transaction.prepare_cached("INSERT INTO metric_value VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    for (position, value) in output.values.iter().enumerate() {
        insert.execute(params![
            identity,
            position as i64,
            value.name,
            float(value.value),
            value.unit,
            optional(value.se_estimator),
            optional(value.se_sample),
            float(value.std_error),
            word(&value.error_kind)?,
            value.primary
        ])?;
    }
    Ok(())
}

fn transfer(transaction: &Transaction<'_>, identity: &str, spec: &Transfer, output: &TransferOutput) -> Result<(), StoreError> {
    let (embedding, tuned, baseline) = match &spec.protocol {
        Protocol::Probe(probe) => (Some(&probe.embedding_digest), None, None),
        Protocol::Finetune(tuned) => (None, Some(tuned), None),
        Protocol::Baseline(baseline) => (None, None, Some(baseline)),
    };
    // Of a probe, which has no seed of its own, that of its bootstrap.
    let seed = tuned.map(|tuned| tuned.seed).or(baseline.map(|baseline| baseline.seed)).unwrap_or(spec.seed);
    let record = output.finetune.as_ref();
    transaction.prepare_cached("INSERT INTO transfer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?.execute(
        params![
            identity,
            spec.protocol.word(),
            spec.weights_digest,
            spec.data_digest,
            spec.split_digest,
            spec.dataset,
            embedding,
            seed.to_string(),
            record.map(|record| float(record.learning_rate)),
            record.map(|record| record.epoch),
            tuned.map(|tuned| tuned.searched),
            baseline.map(|baseline| baseline.label())
        ],
    )?;
    if output.tasks.len() != spec.tasks.len() {
        return Err(StoreError::invalid(format!(
            "the result of cell {identity} holds {} tasks, its definition {}",
            output.tasks.len(),
            spec.tasks.len()
        )));
    }
    for (position, (task, asked)) in output.tasks.iter().zip(&spec.tasks).enumerate() {
        if task.task != asked.name {
            return Err(StoreError::invalid(format!(
                "the result of cell {identity} has task `{}` where its definition has `{}`",
                task.task, asked.name
            )));
        }
        task_rows(transaction, identity, position as i64, &asked.score, task)?;
    }
    Ok(())
}

fn task_rows(
    transaction: &Transaction<'_>,
    identity: &str,
    position: i64,
    primary: &str,
    task: &TaskTransfer,
) -> Result<(), StoreError> {
    let (train, validation, test) = task.counts;
    transaction.prepare_cached("INSERT INTO transfer_task VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?.execute(
        params![
            identity,
            position,
            task.task,
            word(&task.task_kind)?,
            primary,
            task.refused,
            optional(task.strength),
            integer(train)?,
            integer(validation)?,
            integer(test)?
        ],
    )?;
    let mut insert = transaction.prepare_cached("INSERT INTO score VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    for (number, score) in task.scores.iter().enumerate() {
        insert.execute(params![
            identity,
            position,
            number as i64,
            score.name,
            float(score.value),
            score.higher_is_better,
            score.primary,
            float(score.se_test),
            optional(score.se_seed),
            float(score.mean_predictor)
        ])?;
    }
    let rows = task.predictions.iter().map(|(row, label, prediction)| (*row, label.0, prediction.0));
    let data = prediction::encode(rows);
    transaction.prepare_cached("INSERT INTO prediction VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        identity,
        position,
        integer(task.predictions.len() as u64)?,
        prediction::checksum(&data),
        data
    ])?;
    Ok(())
}
