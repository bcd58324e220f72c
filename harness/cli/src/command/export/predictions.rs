//! `export predictions`: every test prediction behind the scores of a suite, written as it is read.

use std::{collections::HashMap, io::Write};

use clmbench_store::{BaselineRow, ScoreRow, Store};

use super::Chosen;
use crate::{
    error::CliError,
    rows::{Cell, Column, Kind, Writer, column},
};

/// Columns in order.
pub const COLUMNS: [Column; 9] = [
    column("run", Kind::Text, "label of the pretraining run, or name of the baseline"),
    column("checkpoint", Kind::Text, "folder of the checkpoint in its run"),
    column("dataset", Kind::Text, "dataset"),
    column("task", Kind::Text, "task"),
    column("protocol", Kind::Text, "probe, finetune or baseline"),
    column("seed", Kind::Whole, "seed of a fine-tuning or a baseline"),
    column("row", Kind::Whole, "row of the dataset, from 0"),
    column("label", Kind::Number, "label, in the task's unit"),
    column("prediction", Kind::Number, "in the same unit, or the probability of class 1"),
];

/// A score whose predictions are written.
pub struct Scored {
    /// Label of the run, or name of the baseline.
    model: String,
    checkpoint: String,
    dataset: String,
    task: String,
    protocol: String,
    seed: Option<u64>,
    cell: String,
}

/// The primary scores whose predictions were asked for: those of runs and controls, then those of baselines.
pub fn read(store: &Store, suite_id: i64, chosen: &Chosen<'_>) -> Result<Vec<Scored>, CliError> {
    let labels: HashMap<String, String> = store.runs(suite_id)?.into_iter().map(|run| (run.run, run.label)).collect();
    let of_run = |row: ScoreRow| Scored {
        model: labels.get(&row.run).cloned().unwrap_or(row.run),
        seed: (row.protocol == "finetune").then_some(row.seed),
        checkpoint: row.checkpoint,
        dataset: row.dataset,
        task: row.task,
        protocol: row.protocol,
        cell: row.cell,
    };
    let of_baseline = |row: BaselineRow| Scored {
        model: row.baseline,
        seed: Some(row.seed),
        checkpoint: String::new(),
        dataset: row.dataset,
        task: row.task,
        protocol: "baseline".to_owned(),
        cell: row.cell,
    };
    let mut scores: Vec<Scored> = store.score_rows(suite_id)?.into_iter().filter(|row| row.primary).map(of_run).collect();
    scores.extend(store.baseline_rows(suite_id)?.into_iter().filter(|row| row.primary).map(of_baseline));
    let known = scores.iter().map(|row| (row.dataset.clone(), row.protocol.clone())).collect::<Vec<_>>();
    scores.retain(|row| chosen.wants(&row.dataset, &row.protocol));
    chosen.refuse_if_none(scores.len(), known.into_iter())?;
    Ok(scores)
}

/// Writes their predictions.
pub fn write<W: Write>(store: &Store, scores: &[Scored], mut writer: Writer<W>) -> Result<(), CliError> {
    for score in scores {
        let seed = score.seed.map_or(Cell::None, Cell::Whole);
        let words = [&score.model, &score.checkpoint, &score.dataset, &score.task, &score.protocol];
        let head: Vec<Cell<'_>> = words.into_iter().map(|word| Cell::text(word)).chain([seed]).collect();
        for (row, label, prediction) in store.predictions(&score.cell, &score.task)? {
            let mut cells = head.clone();
            cells.extend([Cell::Whole(row), Cell::Number(label), Cell::Number(prediction)]);
            writer.row(&cells)?;
        }
    }
    writer.end()
}
