//! Models over the tasks of a protocol: mean rank and Borda count beside each other, with what is missing.
//!
//! Ranks are those among the models that have a score of the task; equal scores share their mean rank. A model's mean rank is over
//! the tasks it has; its Borda count (models beaten, ties one half) sums over them, so that a missing task adds nothing. Tasks
//! with several splits are refused: models are never ranked together across splits.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_stats::{average_ranks, mean_rank_interval, numeric::sample_sd};
use serde::Serialize;

use crate::models::{ModelKind, ModelRow};

/// A task that a standing counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StandingTask {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Name of the score.
    pub score: String,
    /// Whether larger is better.
    pub higher_is_better: bool,
    /// Whether test molecules of some model are also in training or validation.
    pub leaked: bool,
}

/// A task that was scored on several splits (or by several scores), so that its models have no one ranking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MixedSplits {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Digests of its splits, shortened to 8 letters.
    pub splits: Vec<String>,
}

/// A model's score of a task: the mean over its pretraining seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// The score.
    pub value: f64,
    /// Pretraining runs averaged: fewer than `pretraining_seeds` of the model where some have no score of the task; 0 for a model
    /// without any.
    pub runs: u32,
    /// Its standard error: over test molecules (and transfer seeds), and over pretraining seeds where there are several.
    pub std_error: Option<f64>,
    /// Rank among the models that have a score of the task.
    pub rank: f64,
    /// Whether its interval against the same model untrained holds no 0: above (1), below (-1); 0 if it does, or if none is known. Of
    /// several seeds where all agree.
    pub over_control: i8,
    /// Whether it cannot be told from the best of the ranking; null where that is not known, or seeds disagree.
    pub tied_with_best: Option<bool>,
}

/// A model over the tasks of a protocol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// Place by mean rank, from 1; models with equal mean ranks share it.
    pub rank: u32,
    /// Protocol.
    pub protocol: String,
    /// What was scored.
    pub kind: ModelKind,
    /// Label; of several pretraining seeds without the seed.
    pub label: String,
    /// Parameters without embeddings.
    pub non_embedding_parameters: Option<u64>,
    /// Pretraining seeds of it under the protocol; a task may have fewer.
    pub pretraining_seeds: u32,
    /// Tasks with a score.
    pub tasks: u32,
    /// Tasks that are counted.
    pub tasks_of: u32,
    /// Mean rank over the tasks it has.
    pub mean_rank: Option<f64>,
    /// Lower 90 % end over tasks; none of fewer than three.
    pub mean_rank_low90: Option<f64>,
    /// Upper 90 % end.
    pub mean_rank_high90: Option<f64>,
    /// Models beaten, ties one half, summed over the tasks it has.
    pub borda: f64,
    /// Tasks in which it is the first, alone or tied in value.
    pub wins: u32,
    /// One entry a task, in the order of the tasks; null where it has no score.
    pub places: Vec<Option<Place>>,
}

/// The models of a protocol over its tasks, best mean rank first.
#[derive(Debug, Clone, PartialEq)]
pub struct Standings {
    /// Protocol.
    pub protocol: String,
    /// Tasks counted.
    pub tasks: Vec<StandingTask>,
    /// Tasks that are not, since their models have no one ranking.
    pub mixed: Vec<MixedSplits>,
    /// Models.
    pub rows: Vec<Standing>,
}

/// Over which a mean of scores is taken.
type Model = (ModelKind, String);

/// The standings of each protocol; `by_run` keeps pretraining seeds apart.
pub fn standings(rows: &[ModelRow], by_run: bool) -> Vec<Standings> {
    let protocols: BTreeSet<&str> = rows.iter().map(|row| row.protocol.as_str()).collect();
    let of = |protocol: &str| rows.iter().filter(|row| row.protocol == protocol).collect::<Vec<&ModelRow>>();
    protocols.into_iter().map(|protocol| standing(protocol, &of(protocol), by_run)).collect()
}

fn standing(protocol: &str, rows: &[&ModelRow], by_run: bool) -> Standings {
    let mut by_task: BTreeMap<(&str, &str), Vec<&ModelRow>> = BTreeMap::new();
    rows.iter().for_each(|row| by_task.entry((&row.dataset, &row.task)).or_default().push(row));
    let (mut tasks, mut mixed, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for ((dataset, task), rows) in by_task {
        let splits: BTreeSet<(&str, &str)> = rows.iter().map(|row| (row.split_digest.as_str(), row.score.as_str())).collect();
        // Other labels under the same split are a ranking of their own too; each has one constant predictor.
        let rankings = rows.iter().filter(|row| row.kind == ModelKind::MeanPredictor).count();
        if splits.len() > 1 || rankings > 1 {
            let splits = splits.into_iter().map(|(split, _)| split.chars().take(8).collect()).collect();
            mixed.push(MixedSplits { dataset: dataset.to_owned(), task: task.to_owned(), splits });
            continue;
        }
        let first = rows[0];
        tasks.push(StandingTask {
            dataset: dataset.to_owned(),
            task: task.to_owned(),
            score: first.score.clone(),
            higher_is_better: first.higher_is_better,
            leaked: rows.iter().any(|row| row.flags.iter().any(|flag| flag == crate::labels::LEAKED)),
        });
        columns.push(column(&rows, by_run));
    }
    let labels = labels(rows, by_run);
    let models: Vec<&Model> = labels.keys().collect();
    let places: Vec<Vec<Option<Place>>> =
        columns.iter().zip(&tasks).map(|(column, task)| places(column, task, &models)).collect();
    let intervals = intervals(&places, models.len());
    let mut standings: Vec<Standing> = models
        .iter()
        .zip(intervals)
        .enumerate()
        .map(|(index, (model, interval))| {
            let of: Vec<Option<Place>> = places.iter().map(|column| column[index].clone()).collect();
            let ranks: Vec<f64> = of.iter().flatten().map(|place| place.rank).collect();
            let scored = |column: &Vec<Option<Place>>| column.iter().flatten().count() as f64;
            let beaten = places.iter().zip(&of).filter_map(|(column, place)| Some(scored(column) - place.as_ref()?.rank));
            let (label, seeds, parameters) = labels[*model].clone();
            Standing {
                rank: 0,
                protocol: protocol.to_owned(),
                kind: model.0,
                label,
                non_embedding_parameters: parameters,
                pretraining_seeds: seeds,
                tasks: ranks.len() as u32,
                tasks_of: tasks.len() as u32,
                mean_rank: (!ranks.is_empty()).then(|| ranks.iter().sum::<f64>() / ranks.len() as f64),
                mean_rank_low90: interval.map(|(low, _)| low),
                mean_rank_high90: interval.map(|(_, high)| high),
                // A sum of nothing is -0.
                borda: beaten.sum::<f64>() + 0.0,
                wins: first_places(&places, index),
                places: of,
            }
        })
        .collect();
    let by_rank = |standing: &Standing| standing.mean_rank.unwrap_or(f64::INFINITY);
    standings.sort_by(|left, right| {
        by_rank(left)
            .total_cmp(&by_rank(right))
            .then_with(|| right.borda.total_cmp(&left.borda))
            .then_with(|| (left.kind, &left.label).cmp(&(right.kind, &right.label)))
    });
    for index in 0..standings.len() {
        let tied = index > 0 && by_rank(&standings[index - 1]) == by_rank(&standings[index]);
        standings[index].rank = if tied { standings[index - 1].rank } else { index as u32 + 1 };
    }
    Standings { protocol: protocol.to_owned(), tasks, mixed, rows: standings }
}

/// What stands for a row: its run, its configuration, or its name. The mean and the prevalence predictor are one model.
fn model(row: &ModelRow, by_run: bool) -> Model {
    let name = match (row.kind, by_run, &row.configuration, &row.run) {
        (ModelKind::MeanPredictor, ..) => String::new(),
        (_, false, Some(configuration), _) => configuration.clone(),
        (_, _, _, Some(run)) => run.clone(),
        _ => row.label.clone(),
    };
    (row.kind, name)
}

fn of_seeds(kind: ModelKind) -> bool {
    matches!(kind, ModelKind::Run | ModelKind::Control)
}

/// Label, pretraining seeds and size of every model.
fn labels(rows: &[&ModelRow], by_run: bool) -> BTreeMap<Model, (String, u32, Option<u64>)> {
    let mut members: BTreeMap<Model, (BTreeSet<&str>, Option<u64>)> = BTreeMap::new();
    for row in rows {
        let (labels, parameters) = members.entry(model(row, by_run)).or_default();
        labels.insert(&row.label);
        *parameters = row.non_embedding_parameters;
    }
    let label = |model: &Model, labels: &BTreeSet<&str>| match model.0 {
        ModelKind::MeanPredictor => labels.iter().copied().collect::<Vec<_>>().join(" or "),
        _ => without_seed(labels),
    };
    members
        .into_iter()
        .map(|(model, (labels, parameters))| {
            let seeds = if of_seeds(model.0) { labels.len() as u32 } else { 0 };
            let label = label(&model, &labels);
            (model, (label, seeds, parameters))
        })
        .collect()
}

/// What labels that differ by the seed alone have in common: all before the part in which they differ.
fn without_seed(labels: &BTreeSet<&str>) -> String {
    let Some((first, last)) = labels.first().zip(labels.last()) else { return String::new() };
    if first == last {
        return (*first).to_owned();
    }
    let shared: String =
        first.chars().zip(last.chars()).take_while(|(left, right)| left == right).map(|(left, _)| left).collect();
    match shared.rfind(['/', ' ']) {
        Some(end) if end > 0 => shared[..end].to_owned(),
        _ => (*first).to_owned(),
    }
}

/// The scores of a task by model.
fn column<'a>(rows: &[&'a ModelRow], by_run: bool) -> BTreeMap<Model, Vec<&'a ModelRow>> {
    let mut column: BTreeMap<Model, Vec<&ModelRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.value.is_some()) {
        column.entry(model(row, by_run)).or_default().push(row);
    }
    column
}

/// Scores of a task with their ranks, one entry a model.
fn places(column: &BTreeMap<Model, Vec<&ModelRow>>, task: &StandingTask, models: &[&Model]) -> Vec<Option<Place>> {
    let mut places: Vec<Option<Place>> = models.iter().map(|model| column.get(model).map(|rows| place(rows))).collect();
    let values: Vec<f64> = places.iter().flatten().map(|place| oriented(place.value, task)).collect();
    places.iter_mut().flatten().zip(average_ranks(&values)).for_each(|(place, rank)| place.rank = rank);
    places
}

/// The mean of a model's runs.
fn place(rows: &[&ModelRow]) -> Place {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let values: Vec<f64> = rows.iter().filter_map(|row| row.value).collect();
    // Runs share the test molecules, so their errors over them do not average out.
    let errors: Vec<f64> = rows.iter().filter_map(|row| row.std_error).collect();
    let over_seeds = if values.len() > 1 { sample_sd(&values) / (values.len() as f64).sqrt() } else { 0.0 };
    let sign = |row: &&ModelRow| match row.control_difference_low.zip(row.control_difference_high) {
        Some((low, _)) if low > 0.0 => 1,
        Some((_, high)) if high < 0.0 => -1,
        _ => 0,
    };
    let agreed = |ties: BTreeSet<Option<bool>>| if ties.len() == 1 { ties.into_iter().next().flatten() } else { None };
    let signs: BTreeSet<i8> = rows.iter().map(sign).collect();
    Place {
        value: mean(&values),
        runs: rows.iter().filter(|row| of_seeds(row.kind)).count() as u32,
        std_error: (errors.len() == values.len()).then(|| mean(&errors).hypot(over_seeds)).filter(|error| error.is_finite()),
        rank: 0.0,
        over_control: if signs.len() == 1 { signs.first().copied().unwrap_or(0) } else { 0 },
        tied_with_best: agreed(rows.iter().map(|row| row.tied_with_best).collect()),
    }
}

/// Smaller is better.
fn oriented(value: f64, task: &StandingTask) -> f64 {
    if task.higher_is_better { -value } else { value }
}

fn first_places(places: &[Vec<Option<Place>>], model: usize) -> u32 {
    let first = |column: &&Vec<Option<Place>>| {
        let best = column.iter().flatten().map(|place| place.rank).fold(f64::INFINITY, f64::min);
        column[model].as_ref().is_some_and(|place| place.rank == best)
    };
    places.iter().filter(first).count() as u32
}

/// The 90 % interval of each model's mean rank over tasks. Their test molecules differ, so that what is uncertain about the scores is
/// part of how the ranks differ from task to task.
fn intervals(places: &[Vec<Option<Place>>], models: usize) -> Vec<Option<(f64, f64)>> {
    let of = |model: usize| {
        let ranks: Vec<f64> = places.iter().filter_map(|column| Some(column[model].as_ref()?.rank)).collect();
        mean_rank_interval(&ranks, models)
    };
    (0..models).map(of).collect()
}

#[cfg(test)]
mod tests;
