//! How long the rest of a plan takes, judged by cells that were computed before. For people to look at, never part
//! of an identity.

use std::collections::HashMap;

use clmbench_protocol::{BaselineModel, BaselineProtocol, CellOutput, CellReport, CellSpec, FinetuneProtocol, Protocol};
use clmbench_store::{Store, StoreError};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Finished, Plan, STAGES, Selection, core_parameters,
    cost::{MetricCost, PastCosts},
    pool::{Pool, pool},
};
use crate::identity::identity;

/// Stands for embeddings, kernels' start-up and the like beside a model's core parameters.
const FLOOR: f64 = 200_000.0;

fn size(config: &Map<String, Value>) -> f64 {
    core_parameters(config).map_or(0.0, |count| count as f64) + FLOOR
}

/// Work of a pretrain cell, in parameters x tokens.
pub(super) fn pretrain_work(config: &Map<String, Value>, tokens: u64) -> f64 {
    size(config) * (tokens as f64 + 10_000.0)
}

/// Work of a pass of a model over a sample, in parameters.
pub(super) fn pass_work(config: &Map<String, Value>) -> f64 {
    size(config)
}

/// Work of a corpus cell, in molecules.
pub(super) fn corpus_work(size: u64, heldout: u64) -> f64 {
    size as f64 + heldout as f64 + 10_000.0
}

/// Kind of a metric's cells.
pub(super) fn measure_kind(metric: &str) -> String {
    format!("measure:{metric}")
}

/// Kind of the cells of probes.
pub(super) const PROBE: &str = "transfer:probe";

/// Kind of the fine-tunings on a dataset, which all have its molecules.
pub(super) fn finetune_kind(dataset: &str) -> String {
    format!("transfer:finetune:{dataset}")
}

/// Work of a fine-tuning within its kind, in parameters x epochs: a gradient costs three passes, each rate all epochs.
pub(super) fn finetune_work(protocol: &FinetuneProtocol) -> f64 {
    size(&protocol.checkpoint.config) * f64::from(protocol.epochs) * protocol.learning_rates.len() as f64
}

/// Kind of the baselines of a model and features on a dataset, and the work within it: trees, rounds or 1.
pub(super) fn baseline_kind_and_work(dataset: &str, protocol: &BaselineProtocol) -> (String, f64) {
    let work = match &protocol.model {
        BaselineModel::RandomForest { trees, .. } => f64::from(*trees),
        BaselineModel::Boosting { rounds, .. } => f64::from(*rounds),
        BaselineModel::Linear { strengths } => strengths.len() as f64,
    };
    (format!("transfer:baseline:{}:{dataset}", protocol.label()), work)
}

/// Kind and work of a complete definition; the same as those of the planned cell. None of an import, which says nothing of its size.
fn kind_and_work(spec: &CellSpec) -> Option<(String, f64)> {
    Some(match spec {
        CellSpec::TokeniseDataset(_) => ("tokenise".into(), 1.0),
        CellSpec::TokeniseCorpus(spec) => ("tokenise:corpus".into(), corpus_work(spec.size, spec.heldout)),
        CellSpec::Import(_) => return None,
        CellSpec::Pretrain(spec) => ("pretrain".into(), pretrain_work(&spec.config, spec.tokens)),
        CellSpec::Embed(spec) => ("embed".into(), pass_work(&spec.checkpoint.config)),
        CellSpec::Measure(spec) => (measure_kind(&spec.metric), pass_work(&spec.checkpoint.config)),
        CellSpec::Transfer(spec) => match &spec.protocol {
            Protocol::Probe(_) => (PROBE.into(), 1.0),
            Protocol::Baseline(protocol) => baseline_kind_and_work(&spec.dataset, protocol),
            Protocol::Finetune(protocol) => (finetune_kind(&spec.dataset), finetune_work(protocol)),
        },
    })
}

/// Seconds and bytes per unit of work, by kind of cell.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    kinds: HashMap<String, Past>,
    costs: PastCosts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Past {
    cells: f64,
    work: f64,
    seconds: f64,
    bytes: f64,
}

impl Estimator {
    /// Learns from a computed cell.
    pub fn add(&mut self, kind: &str, work: f64, seconds: f64, bytes: u64) {
        let past = self.kinds.entry(kind.to_owned()).or_default();
        past.cells += 1.0;
        past.work += work;
        past.seconds += seconds;
        past.bytes += bytes as f64;
    }

    /// Seconds of a cell; none if no cell of its kind was seen.
    pub fn seconds(&self, kind: &str, work: f64) -> Option<f64> {
        self.kinds.get(kind).filter(|past| past.work > 0.0).map(|past| past.seconds / past.work * work)
    }

    /// Bytes that a cell leaves: the mean of its kind.
    pub fn bytes(&self, kind: &str) -> Option<f64> {
        self.kinds.get(kind).map(|past| past.bytes / past.cells)
    }
}

/// What the finished cells of all suites of a store teach.
///
/// # Errors
/// Reading the store.
pub fn past_cells(store: &Store) -> Result<Estimator, StoreError> {
    let mut estimator = Estimator::default();
    let mut seen = std::collections::HashSet::new();
    for suite in store.suites()? {
        for row in store.cells(suite.id)?.into_iter().filter(|row| row.status.is_finished()) {
            let Some(identity) = row.identity.filter(|identity| seen.insert(identity.clone())) else { continue };
            if let (Some(spec), Some(report)) = (store.spec(&identity)?, store.report(&identity)?) {
                if let Some((kind, work)) = kind_and_work(&spec) {
                    estimator.add(&kind, work, report.seconds, bytes(&report));
                }
                if let CellSpec::Measure(spec) = &spec {
                    estimator.costs.add(spec, &report);
                }
            }
        }
    }
    Ok(estimator)
}

/// Bytes of all files of a cell.
pub(crate) fn bytes(report: &CellReport) -> u64 {
    report.files.iter().map(|file| file.bytes).sum()
}

/// How much of a plan is done, and what the rest takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// Cells that are finished.
    pub done: usize,
    /// Cells to compute.
    pub todo: usize,
    /// Wall time of the rest in seconds on this many workers of one core each, by past cells; none if a kind was never computed.
    pub seconds: Option<f64>,
    /// Bytes that the rest leaves on disk, by past cells; none if a kind was never computed.
    pub disk_bytes: Option<u64>,
    /// The same by stage, in the order in which they are computed.
    pub stages: Vec<StageSurvey>,
    /// What each metric costs, in the order of their first cells.
    pub metrics: Vec<MetricCost>,
    /// Most runs of one fit, by the checkpoints of others that were read.
    pub pool: Pool,
}

/// How much of a stage is done, and what the rest takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageSurvey {
    /// Stage.
    pub stage: &'static str,
    /// Cells that apply.
    pub cells: usize,
    /// Cells that are finished.
    pub done: usize,
    /// Cells to compute.
    pub todo: usize,
    /// Cells to compute of whose kind none was ever computed, or of a checkpoint whose size is not known yet: their time and bytes are not in the sums.
    pub unknown: usize,
    /// Wall time in seconds of those that are left and known, on this many workers.
    pub known_seconds: f64,
    /// Bytes on disk of those that are left and known.
    pub known_bytes: u64,
}

/// Compares a plan, or the cells of a selection, with a store, if there is one. Nothing is written and no artifact is looked at.
///
/// # Errors
/// Reading the store.
pub fn survey(plan: &Plan, store: Option<&Store>, workers: usize, only: Option<&Selection>) -> Result<Survey, StoreError> {
    let past = store.map(past_cells).transpose()?.unwrap_or_default();
    let workers = workers.max(1) as f64;
    let mut finished: Vec<Option<Finished>> = Vec::with_capacity(plan.cells.len());
    let mut stages: Vec<(StageSurvey, f64)> = STAGES
        .map(|stage| {
            let none = StageSurvey { stage, cells: 0, done: 0, todo: 0, unknown: 0, known_seconds: 0.0, known_bytes: 0 };
            (none, 0.0)
        })
        .into();
    for (index, cell) in plan.cells.iter().enumerate() {
        let bindable = cell.not_applicable.is_none() && !cell.draft.is_unsettled();
        let mut work = (!cell.size_unknown).then_some(cell.work);
        let known = if bindable && cell.needs.iter().all(|need| finished[*need].is_some()) {
            let bound = plan.bind(index, &|need| finished.get(need)?.as_ref()).ok();
            // A checkpoint of others that was read has a size.
            work = work.or_else(|| bound.as_ref().and_then(|bound| kind_and_work(&bound.spec)).map(|(_, work)| work));
            match (store, bound.and_then(|bound| identity(&bound.spec).ok())) {
                (Some(store), Some(identity)) => store.report(&identity)?.map(|report| Finished { identity, report }),
                _ => None,
            }
        } else {
            None
        };
        let counted = cell.not_applicable.is_none() && only.is_none_or(|only| only.holds(index));
        if let Some((stage, bytes)) = stages.iter_mut().find(|(stage, _)| counted && stage.stage == cell.stage) {
            stage.cells += 1;
            match (&known, work.and_then(|work| past.seconds(&cell.kind, work)), past.bytes(&cell.kind)) {
                (Some(_), _, _) => stage.done += 1,
                (None, Some(seconds), Some(more)) => {
                    stage.todo += 1;
                    // A cell of several threads takes the place of as many workers.
                    stage.known_seconds += seconds * f64::from(cell.threads).min(workers) / workers;
                    *bytes += more;
                }
                _ => (stage.todo, stage.unknown) = (stage.todo + 1, stage.unknown + 1),
            }
        }
        finished.push(known);
    }
    let stages: Vec<StageSurvey> = stages
        .into_iter()
        .filter(|(stage, _)| stage.cells > 0)
        .map(|(stage, bytes)| StageSurvey { known_bytes: bytes.round() as u64, ..stage })
        .collect();
    let read = |cell: usize| match &finished.get(cell)?.as_ref()?.report.output {
        CellOutput::Import(output) => Some(output),
        _ => None,
    };
    let all_known = stages.iter().all(|stage| stage.unknown == 0);
    Ok(Survey {
        done: stages.iter().map(|stage| stage.done).sum(),
        todo: stages.iter().map(|stage| stage.todo).sum(),
        seconds: all_known.then(|| stages.iter().map(|stage| stage.known_seconds).sum()),
        disk_bytes: all_known.then(|| stages.iter().map(|stage| stage.known_bytes).sum()),
        stages,
        metrics: plan.metric_costs(&past.costs),
        pool: pool(&plan.members, &read),
    })
}
