//! `export predictions`: every test prediction behind the scores of a suite, written as it is read.

use std::{collections::HashMap, io::Write};

use clmbench_store::{ScoreRow, Store};

use super::Chosen;
use crate::{
    error::CliError,
    rows::{Cell, Column, Kind, Writer, column},
};

/// Columns in order.
pub const COLUMNS: [Column; 9] = [
    column("run", Kind::Text, "label of the pretraining run"),
    column("checkpoint", Kind::Text, "folder of the checkpoint in its run"),
    column("dataset", Kind::Text, "dataset"),
    column("task", Kind::Text, "task"),
    column("protocol", Kind::Text, "probe or finetune"),
    column("seed", Kind::Whole, "transfer seed of a fine-tuning"),
    column("row", Kind::Whole, "row of the dataset, from 0"),
    column("label", Kind::Number, "label, in the task's unit"),
    column("prediction", Kind::Number, "in the same unit, or the probability of class 1"),
];

/// The primary scores whose predictions were asked for.
pub fn read(store: &Store, suite_id: i64, chosen: &Chosen<'_>) -> Result<Vec<ScoreRow>, CliError> {
    let scores: Vec<ScoreRow> = store.score_rows(suite_id)?.into_iter().filter(|row| row.primary).collect();
    let known = scores.iter().map(|row| (row.dataset.clone(), row.protocol.clone())).collect::<Vec<_>>();
    let scores: Vec<ScoreRow> = scores.into_iter().filter(|row| chosen.wants(&row.dataset, &row.protocol)).collect();
    chosen.refuse_if_none(scores.len(), known.into_iter())?;
    Ok(scores)
}

/// Writes their predictions.
pub fn write<W: Write>(store: &Store, suite_id: i64, scores: &[ScoreRow], mut writer: Writer<W>) -> Result<(), CliError> {
    let labels: HashMap<String, String> = store.runs(suite_id)?.into_iter().map(|run| (run.run, run.label)).collect();
    for score in scores {
        let run = labels.get(&score.run).unwrap_or(&score.run);
        let seed = if score.protocol == "finetune" { Cell::Whole(score.seed) } else { Cell::None };
        let words = [run, &score.checkpoint, &score.dataset, &score.task, &score.protocol];
        let head: Vec<Cell<'_>> = words.into_iter().map(|word| Cell::text(word)).chain([seed]).collect();
        for (row, label, prediction) in store.predictions(&score.cell, &score.task)? {
            let mut cells = head.clone();
            cells.extend([Cell::Whole(row), Cell::Number(label), Cell::Number(prediction)]);
            writer.row(&cells)?;
        }
    }
    writer.end()
}
