//! What the figures of a page need beside its boards, read from the store and the artifact folders beside it.
//!
//! Artifacts are foreign: only files that are as their cells reported them are read, within limits, and what is missing, damaged or not
//! understood leaves its figure out with a note.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_analysis::CheckpointLoss;
use clmbench_protocol::DatasetOutput;
use clmbench_report::html::{ArtifactTable, FigureInputs, TaskPredictions};
use clmbench_store::{CheckpointRow, MetricRow, RunRow, ScoreRow, Store};

use super::{artifact, embeddings};
use crate::error::CliError;

/// Which checkpoints of which runs a table is read of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// The last checkpoint of a run of each size.
    EachSize,
    /// First and last checkpoint of a run of the smallest and of the largest size.
    Ends,
}

/// Tables that figures draw, by the name of their file; whichever metric writes such a table is drawn.
const TABLES: [(&str, Which); 5] = [
    ("density.csv", Which::EachSize),
    ("curves.csv", Which::Ends),
    ("planes.csv", Which::Ends),
    ("trajectory.csv", Which::EachSize),
    ("task_vectors.csv", Which::EachSize),
];

/// Sizes that are drawn at most.
const MOST_SIZES: usize = 6;
/// Tasks whose predictions are drawn at most.
const MOST_TASKS: usize = 24;
/// Notes that are shown at most.
const MOST_NOTES: usize = 8;

/// Reads it. A file that is missing or damaged leaves its figure out, with a note.
///
/// # Errors
/// The database cannot be read.
pub(super) fn read(store: &Store, suite_id: i64) -> Result<FigureInputs, CliError> {
    let losses = clmbench_analysis::checkpoint_losses(store, suite_id)?;
    let datasets = store.datasets(suite_id)?;
    let runs: BTreeMap<String, RunRow> =
        store.runs(suite_id)?.into_iter().filter(|run| !run.control && !run.diverged).map(|run| (run.run.clone(), run)).collect();
    let mut notes = Vec::new();
    let tables = tables(store, suite_id, &runs, &losses, &mut notes)?;
    let embedding = match embeddings::map(store, suite_id, &losses, &datasets)? {
        Some(Ok(map)) => Some(map),
        Some(Err(reason)) => {
            notes.push(format!("No map of embeddings: {reason}."));
            None
        }
        None => None,
    };
    if notes.len() > MOST_NOTES {
        let more = notes.len() - MOST_NOTES;
        notes.truncate(MOST_NOTES);
        notes.push(format!("{more} more files are missing or damaged."));
    }
    let predictions = predictions(store, &store.score_rows(suite_id)?, &runs, &datasets, &mut notes)?;
    Ok(FigureInputs { statistics: store.statistics(suite_id)?, predictions, losses, tables, embedding, notes })
}

/// A table that may be read.
struct Candidate<'a> {
    file: clmbench_store::CellFile,
    metric: &'a MetricRow,
    run: &'a RunRow,
    tokens: Option<u64>,
}

fn tables(
    store: &Store,
    suite_id: i64,
    runs: &BTreeMap<String, RunRow>,
    losses: &[CheckpointLoss],
    notes: &mut Vec<String>,
) -> Result<Vec<ArtifactTable>, CliError> {
    let (metrics, checkpoints) = (store.metric_rows(suite_id)?, store.checkpoints(suite_id)?);
    let mut of_cell: BTreeMap<&str, &MetricRow> = BTreeMap::new();
    for row in metrics.iter().filter(|row| row.primary && row.annealed && runs.contains_key(&row.run)) {
        of_cell.entry(&row.cell).or_insert(row);
    }
    let tokens: BTreeMap<(&str, &str), &CheckpointRow> =
        checkpoints.iter().map(|row| ((row.run.as_str(), row.weights_digest.as_str()), row)).collect();
    let mut found = Vec::new();
    for (name, which) in TABLES {
        let mut candidates = Vec::new();
        for file in store.files_named(suite_id, "measure", name)? {
            let Some(metric) = of_cell.get(file.cell.as_str()) else { continue };
            let place = tokens.get(&(metric.run.as_str(), metric.weights_digest.as_str()));
            let tokens = place.and_then(|place| place.tokens);
            candidates.push(Candidate { file, metric, run: &runs[&metric.run], tokens });
        }
        for candidate in chosen(&candidates, which) {
            let loss = losses.iter().find(|loss| {
                loss.run == candidate.run.run && loss.tokens == candidate.tokens && loss.last == candidate.metric.last
            });
            match artifact::table(store, &candidate.file) {
                Ok((columns, rows)) => found.push(ArtifactTable {
                    file: name.to_owned(),
                    metric: candidate.metric.metric.clone(),
                    run: candidate.run.label.clone(),
                    parameters: candidate.run.non_embedding_parameters,
                    tokens: candidate.tokens,
                    last: candidate.metric.last,
                    loss: loss.map(|loss| loss.loss),
                    columns,
                    rows,
                }),
                Err(reason) => notes.push(format!("Not drawn: {reason}.")),
            }
        }
    }
    Ok(found)
}

/// One run a size: that with the most checkpoints, tokens and molecules, the first by its label; one table a checkpoint.
fn chosen<'a>(candidates: &'a [Candidate<'a>], which: Which) -> Vec<&'a Candidate<'a>> {
    let mut sizes: BTreeMap<(u64, &str), Vec<&Candidate<'_>>> = BTreeMap::new();
    for candidate in candidates {
        sizes.entry((candidate.run.non_embedding_parameters, &candidate.run.architecture)).or_default().push(candidate);
    }
    let mut of_sizes: Vec<Vec<&Candidate<'_>>> = sizes
        .into_values()
        .map(|mut all| {
            let first = all.iter().copied().min_by_key(|candidate| {
                let run = candidate.run;
                let most = (run.n_checkpoints, run.tokens, run.corpus_molecules);
                (std::cmp::Reverse(most), run.label.clone())
            });
            let run = first.map(|candidate| candidate.run.run.clone());
            all.retain(|candidate| Some(&candidate.run.run) == run.as_ref());
            all.sort_by_key(|candidate| (candidate.tokens, candidate.metric.last, candidate.file.cell.clone()));
            // Of several settings of a metric the first by identity.
            all.dedup_by_key(|candidate| (candidate.tokens, candidate.metric.last));
            all
        })
        .collect();
    if which == Which::Ends {
        let middle = 1..of_sizes.len().saturating_sub(1);
        if middle.start < middle.end {
            of_sizes.drain(middle);
        }
        return of_sizes
            .into_iter()
            .flat_map(|all| {
                let last = all.len().saturating_sub(1);
                all.into_iter()
                    .enumerate()
                    .filter(move |(index, _)| *index == 0 || *index == last)
                    .map(|(_, candidate)| candidate)
            })
            .collect();
    }
    while of_sizes.len() > MOST_SIZES {
        of_sizes.remove(of_sizes.len() / 2);
    }
    of_sizes.into_iter().filter_map(|all| all.into_iter().rfind(|candidate| candidate.metric.last)).collect()
}

/// Test predictions of the run with the best score of each task and protocol; of its transfer seeds the first by identity.
fn predictions(
    store: &Store,
    scores: &[ScoreRow],
    runs: &BTreeMap<String, RunRow>,
    datasets: &[DatasetOutput],
    notes: &mut Vec<String>,
) -> Result<Vec<TaskPredictions>, CliError> {
    let groups = clmbench_analysis::scores_by_group(scores);
    let (mut found, mut taken, mut left_out) = (Vec::new(), BTreeSet::new(), 0);
    for (group, of_runs) in &groups {
        let oriented = |value: f64| if group.higher_is_better { value } else { -value };
        let counted = of_runs.iter().filter(|(run, score)| runs.contains_key(*run) && score.value.is_finite());
        let best =
            counted.max_by(|left, right| oriented(left.1.value).total_cmp(&oriented(right.1.value)).then(right.0.cmp(left.0)));
        let Some((run, score)) = best else { continue };
        let key = (group.dataset.clone(), group.task.clone(), group.protocol.clone());
        let Some(cell) = score.cells.first() else { continue };
        if !taken.insert(key) {
            continue;
        }
        if found.len() >= MOST_TASKS {
            left_out += 1;
            continue;
        }
        let dataset =
            datasets.iter().find(|dataset| dataset.data_digest == group.data_digest || dataset.dataset == group.dataset);
        let task = dataset.and_then(|dataset| dataset.tasks.iter().find(|task| task.name == group.task));
        let pairs = store.predictions(cell, &group.task)?;
        found.push(TaskPredictions {
            dataset: group.dataset.clone(),
            task: group.task.clone(),
            task_kind: group.task_kind,
            protocol: group.protocol.clone(),
            model: runs[run].label.clone(),
            unit: task.map_or_else(String::new, |task| task.unit.clone()),
            pairs: pairs.into_iter().map(|(_, label, prediction)| (label, prediction)).collect(),
        });
    }
    if left_out > 0 {
        notes.push(format!("The predictions of {left_out} more tasks are not drawn: clmbench export predictions."));
    }
    Ok(found)
}
