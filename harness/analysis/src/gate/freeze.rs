//! One side of a gate, read from the store.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::{CellOutput, CellSpec, Comparable, DatasetOutput, Number, Protocol, TaskKind};
use clmbench_stats::ScoreName;
use clmbench_store::{CellStatus, MetricRow, RunRow, ScoreRow, Store};
use serde_json::{Value, json};

use super::record::{MetricRecord, RunRecord, SeedRecord, SideRecord, SpeedRecord, TaskRecord};
use crate::{AnalysisError, inputs::Inputs, points::ScoreGroup};

/// A task of the runs that is not in the side, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Dataset.
    pub dataset: String,
    /// Task; empty where a whole cell is missing.
    pub task: String,
    /// Protocol.
    pub protocol: String,
    /// Why.
    pub reason: String,
}

/// Runs of a suite that may stand in a gate (no controls) and fit the labels: each the label of a run, its key, or the part of
/// labels before `/seed`. No label means all.
///
/// # Errors
/// The label that no run has, with those there are.
pub fn choose<'a>(runs: &'a [RunRow], labels: &[String]) -> Result<Vec<&'a RunRow>, (String, Vec<String>)> {
    let there: Vec<&RunRow> = runs.iter().filter(|run| !run.control).collect();
    let known = || there.iter().map(|run| run.label.clone()).collect::<Vec<_>>();
    if labels.is_empty() {
        return Ok(there);
    }
    let mut chosen: Vec<&RunRow> = Vec::new();
    for label in labels {
        let bare = ["pretrain/", "import/"].iter().find_map(|start| label.strip_prefix(start)).unwrap_or(label);
        let fits = |run: &RunRow| {
            run.label == bare
                || run.label.strip_prefix(bare).is_some_and(|rest| rest.starts_with("/seed"))
                || (bare.len() >= 8 && run.run.starts_with(bare))
        };
        let found: Vec<&RunRow> = there.iter().copied().filter(|run| fits(run)).collect();
        if found.is_empty() {
            return Err((label.clone(), known()));
        }
        for run in found {
            if !chosen.iter().any(|other| other.run == run.run) {
                chosen.push(run);
            }
        }
    }
    Ok(chosen)
}

/// Reads what was measured of these runs of a suite at their last checkpoints.
///
/// # Errors
/// The store cannot be read; a metric that no stored plugin describes.
pub fn freeze(store: &Store, suite_id: i64, runs: &[&RunRow]) -> Result<(SideRecord, Vec<LeftOut>), AnalysisError> {
    let inputs = Inputs::read(store, suite_id)?;
    let identities: Vec<&str> = runs.iter().map(|run| run.run.as_str()).collect();
    let mut left_out = refused(&inputs, &identities);
    let tasks = tasks(store, &inputs, &identities, &mut left_out)?;
    left_out.sort();
    left_out.dedup();
    let record = |run: &&RunRow| RunRecord {
        label: run.label.clone(),
        identity: run.run.clone(),
        architecture: run.architecture.clone(),
        non_embedding_parameters: run.non_embedding_parameters,
        weights_digest: run.last_weights.clone(),
        source: run.source.clone(),
    };
    let side = SideRecord {
        runs: runs.iter().map(record).collect(),
        tasks,
        metrics: metrics(&inputs, &identities)?,
        speed: speed(store, suite_id, runs)?,
    };
    Ok((side, left_out))
}

/// Tasks that the transfer cells of these runs refused.
fn refused(inputs: &Inputs, runs: &[&str]) -> Vec<LeftOut> {
    let rows = inputs.refused.iter().filter(|row| row.last && runs.contains(&row.run.as_str()));
    rows.map(|row| LeftOut {
        dataset: row.dataset.clone(),
        task: row.task.clone(),
        protocol: row.protocol.clone(),
        reason: row.reason.clone(),
    })
    .collect()
}

fn tasks(store: &Store, inputs: &Inputs, runs: &[&str], left_out: &mut Vec<LeftOut>) -> Result<Vec<TaskRecord>, AnalysisError> {
    type Cells<'a> = Vec<Vec<&'a ScoreRow>>;
    let mut groups: BTreeMap<ScoreGroup, Cells<'_>> = BTreeMap::new();
    for row in inputs.scores.iter().filter(|row| row.primary && row.last) {
        let Some(place) = runs.iter().position(|run| *run == row.run) else { continue };
        let group = ScoreGroup {
            dataset: row.dataset.clone(),
            task: row.task.clone(),
            task_kind: row.task_kind,
            protocol: row.protocol.clone(),
            split_digest: row.split_digest.clone(),
            data_digest: row.data_digest.clone(),
            score: row.score.clone(),
            higher_is_better: row.higher_is_better,
        };
        groups.entry(group).or_insert_with(|| vec![Vec::new(); runs.len()])[place].push(row);
    }
    let mut tasks = Vec::new();
    let mut settings: BTreeMap<String, Value> = BTreeMap::new();
    for (group, cells) in groups {
        let mut leave_out = |reason: String| {
            let (dataset, task, protocol) = (group.dataset.clone(), group.task.clone(), group.protocol.clone());
            left_out.push(LeftOut { dataset, task, protocol, reason });
        };
        if ScoreName::from_word(&group.score).is_none() {
            leave_out(format!("score {} cannot be computed from stored predictions", group.score));
            continue;
        }
        if cells.iter().any(Vec::is_empty) {
            leave_out("not every run has a score of it".to_owned());
            continue;
        }
        for cell in cells.iter().flatten().map(|row| &row.cell) {
            if !settings.contains_key(cell) {
                settings.insert(cell.clone(), settings_of(store, cell)?);
            }
        }
        match same_protocol(&cells, &settings) {
            Err(reason) => leave_out(reason),
            Ok(settings) => match task(store, inputs, &group, &cells, settings)? {
                Some(task) => tasks.push(task),
                None => leave_out("its runs were not tested on the same molecules".to_owned()),
            },
        }
    }
    Ok(tasks)
}

/// The settings that all cells share, if cells of a run differ by their seed alone.
///
/// # Errors
/// Why they are no seeds, in words.
pub(super) fn same_protocol(cells: &[Vec<&ScoreRow>], settings: &BTreeMap<String, Value>) -> Result<Value, String> {
    let mut all = cells.iter().flatten().map(|row| settings.get(&row.cell));
    let first = all.next().flatten();
    if all.any(|other| other != first) {
        return Err(
            "its cells differ in the protocol's settings or the worker's revision: keep those of one in the suite".to_owned()
        );
    }
    for seeds in cells {
        let mut seen = BTreeSet::new();
        if let Some(row) = seeds.iter().find(|row| !seen.insert(row.seed)) {
            return Err(format!("one run has two cells of transfer seed {}: what they differ in is not known", row.seed));
        }
    }
    Ok(first.cloned().unwrap_or_default())
}

/// The record of one task; none where the runs' test molecules differ.
fn task(
    store: &Store,
    inputs: &Inputs,
    group: &ScoreGroup,
    cells: &[Vec<&ScoreRow>],
    settings: Value,
) -> Result<Option<TaskRecord>, AnalysisError> {
    let mut molecules: Option<(Vec<u64>, Vec<Number>)> = None;
    let mut runs = Vec::new();
    for seeds in cells {
        let mut records = Vec::new();
        for row in seeds {
            let mut predictions = store.predictions(&row.cell, &group.task)?;
            predictions.retain(|(_, label, _)| !label.is_nan());
            predictions.sort_by_key(|(row, ..)| *row);
            let rows: Vec<u64> = predictions.iter().map(|(row, ..)| *row).collect();
            let labels: Vec<Number> = predictions.iter().map(|(_, label, _)| Number(*label)).collect();
            match &molecules {
                None => molecules = Some((rows, labels)),
                Some(same) if *same == (rows, labels) => {}
                Some(_) => return Ok(None),
            }
            records.push(SeedRecord {
                cell: row.cell.clone(),
                seed: row.seed,
                score: Number(row.value),
                predictions: predictions.iter().map(|(.., prediction)| Number(*prediction)).collect(),
            });
        }
        records.sort_by(|left, right| (left.seed, &left.cell).cmp(&(right.seed, &right.cell)));
        runs.push(records);
    }
    let Some((rows, labels)) = molecules else { return Ok(None) };
    let same = |dataset: &&DatasetOutput| dataset.data_digest == group.data_digest && dataset.dataset == group.dataset;
    let dataset = inputs.datasets.iter().find(same);
    let place = dataset.and_then(|dataset| dataset.tasks.iter().position(|task| task.name == group.task));
    let train_sd = dataset.zip(place).and_then(|(dataset, place)| dataset.train_sd.get(place).copied());
    Ok(Some(TaskRecord {
        dataset: group.dataset.clone(),
        task: group.task.clone(),
        task_kind: group.task_kind,
        protocol: group.protocol.clone(),
        score: group.score.clone(),
        unit: inputs.unit(group),
        split_digest: group.split_digest.clone(),
        content_digest: group.data_digest.clone(),
        train_sd: train_sd.filter(|_| group.task_kind == TaskKind::Regression),
        settings,
        rows,
        labels,
        runs,
    }))
}

/// What of a transfer cell's definition both sides must share.
fn settings_of(store: &Store, cell: &str) -> Result<Value, AnalysisError> {
    let Some(CellSpec::Transfer(spec)) = store.find_cell(cell)?.spec else { return Ok(Value::Null) };
    Ok(match &spec.protocol {
        Protocol::Probe(probe) => json!({ "revision": spec.revision, "protocol": "probe", "strengths": probe.strengths }),
        Protocol::Finetune(tuned) => json!({
            "revision": spec.revision,
            "protocol": "finetune",
            "learning_rates": tuned.learning_rates,
            "epochs": tuned.epochs,
            "patience": tuned.patience,
            "batch": tuned.batch,
            "warmup": tuned.warmup,
            "weight_decay": tuned.weight_decay,
            "betas": tuned.betas,
            "clip": tuned.clip,
        }),
        Protocol::Baseline(_) => Value::Null,
    })
}

fn metrics(inputs: &Inputs, runs: &[&str]) -> Result<Vec<MetricRecord>, AnalysisError> {
    type Key<'a> = (&'a str, &'a str, &'a Option<(String, String, String)>, String, Option<(&'a str, &'a str)>);
    let mut groups: BTreeMap<Key<'_>, Vec<Option<&MetricRow>>> = BTreeMap::new();
    for row in inputs.metrics.iter().filter(|row| row.primary && row.last && row.annealed) {
        let Some(place) = runs.iter().position(|run| *run == row.run) else { continue };
        // Values that mean something on one sample and tokenizer alone are never of one record with others.
        let same = inputs.info(&row.metric)?.comparable == Comparable::SameEvaluation;
        let evaluation = same.then_some((row.heldout_digest.as_str(), row.tokenizer_digest.as_str()));
        let key = (row.metric.as_str(), row.params_json.as_str(), &row.dataset, format!("{:?}", row.budget), evaluation);
        groups.entry(key).or_insert_with(|| vec![None; runs.len()])[place].get_or_insert(row);
    }
    let mut records = Vec::new();
    for rows in groups.into_values() {
        let Some(first) = rows.iter().flatten().next() else { continue };
        let info = inputs.info(&first.metric)?;
        records.push(MetricRecord {
            metric: first.metric.clone(),
            params_json: first.params_json.clone(),
            budget: first.budget,
            unit: first.unit.clone(),
            direction: info.direction,
            comparable: info.comparable,
            heldout_digest: first.heldout_digest.clone(),
            tokenizer_digest: first.tokenizer_digest.clone(),
            dataset: first.dataset.clone(),
            values: rows.iter().map(|row| row.map(|row| (Number(row.value), Number(row.std_error)))).collect(),
            error_kind: first.error_kind,
        });
    }
    Ok(records)
}

/// Seconds of the embed cells of the runs' last checkpoints, where every run has one of the dataset.
fn speed(store: &Store, suite_id: i64, runs: &[&RunRow]) -> Result<Vec<SpeedRecord>, AnalysisError> {
    let datasets: BTreeMap<String, String> =
        store.datasets(suite_id)?.into_iter().map(|dataset| (dataset.data_digest, dataset.dataset)).collect();
    let mut found: BTreeMap<String, Vec<(usize, u64, f64, String)>> = BTreeMap::new();
    let cells = store.cells(suite_id)?;
    let embeds = cells.iter().filter(|cell| cell.stage == "embed" && cell.status == CellStatus::Done);
    let mut seen = BTreeSet::new();
    for identity in embeds.filter_map(|cell| cell.identity.as_ref()).filter(|identity| seen.insert(identity.as_str())) {
        let detail = store.find_cell(identity)?;
        let (Some(CellSpec::Embed(spec)), Some(report)) = (&detail.spec, &detail.report) else { continue };
        let CellOutput::Embed(output) = &report.output else { continue };
        let Some(dataset) = datasets.get(&spec.data_digest) else { continue };
        let with = format!(
            "{}, libtorch {}, {} threads, {:?}, revision {}",
            report.device, report.libtorch, spec.threads, spec.precision, spec.revision
        );
        for (place, _) in runs.iter().enumerate().filter(|(_, run)| run.last_weights == spec.checkpoint.weights_digest) {
            found.entry(dataset.clone()).or_default().push((place, output.rows, report.seconds, with.clone()));
        }
    }
    let mut records = Vec::new();
    for (dataset, mut cells) in found {
        cells.sort_by_key(|(place, ..)| *place);
        cells.dedup_by_key(|(place, ..)| *place);
        let Some((_, molecules, _, with)) = cells.first().cloned() else { continue };
        if cells.len() == runs.len() && cells.iter().all(|(_, rows, _, other)| *rows == molecules && *other == with) {
            let seconds = cells.iter().map(|(_, _, seconds, _)| *seconds).collect();
            records.push(SpeedRecord { dataset, molecules, seconds, measured_with: with });
        }
    }
    Ok(records)
}
