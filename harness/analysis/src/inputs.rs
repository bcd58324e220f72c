//! Everything an analysis reads, as plain rows, so that it can be tested without a database.

use clmbench_protocol::{CellSpec, CorpusOutput, MetricInfo};
use clmbench_store::{CellStatus, MetricRow, RunRow, ScoreRow, Store, SuiteRow};

use crate::{AnalysisError, variant::Variant};

/// The finished cells of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Name of the suite.
    pub suite: String,
    /// Smallest |r| that would be useful.
    pub useful_effect: f64,
    /// Runs and controls.
    pub runs: Vec<RunRow>,
    /// Values of metrics.
    pub metrics: Vec<MetricRow>,
    /// Measure cells that failed: values that were planned and are not there.
    pub failed: Vec<FailedCell>,
    /// Downstream scores.
    pub scores: Vec<ScoreRow>,
    /// What the plugins say about their metrics; of several with one id the last counts.
    pub infos: Vec<MetricInfo>,
    /// Corpus subsets, with what of each dataset they never show.
    pub corpora: Vec<CorpusOutput>,
}

/// A measure cell that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedCell {
    /// The setting of the metric.
    pub(crate) variant: Variant,
    /// The cell's spec: objective, tokenizer, held-out sample and dataset.
    pub(crate) spec: clmbench_protocol::Measure,
}

impl Inputs {
    /// Reads them from the store.
    ///
    /// # Errors
    /// The store cannot be read; no such suite.
    pub fn read(store: &Store, suite_id: i64) -> Result<Self, AnalysisError> {
        let suite = suite(store, suite_id)?;
        Ok(Self {
            suite: suite.name,
            useful_effect: suite.useful_effect,
            runs: store.runs(suite_id)?,
            metrics: store.metric_rows(suite_id)?,
            failed: failed(store, suite_id)?,
            scores: store.score_rows(suite_id)?,
            infos: store.metric_infos()?,
            corpora: store.corpora(suite_id)?,
        })
    }

    /// What is known about a metric.
    pub(crate) fn info(&self, metric: &str) -> Result<&MetricInfo, AnalysisError> {
        let found = self.infos.iter().rev().find(|info| info.id == metric);
        found.ok_or_else(|| AnalysisError::UnknownMetric { metric: metric.to_owned() })
    }
}

/// The measure cells of a suite that failed.
fn failed(store: &Store, suite_id: i64) -> Result<Vec<FailedCell>, AnalysisError> {
    let cells = store.cells(suite_id)?;
    let identities = cells.iter().filter(|cell| cell.stage == "measure" && cell.status == CellStatus::Failed);
    let mut failed = Vec::new();
    for identity in identities.filter_map(|cell| cell.identity.as_ref()) {
        if let Some(CellSpec::Measure(spec)) = store.find_cell(identity)?.spec {
            failed.push(FailedCell { variant: Variant::of_spec(&spec), spec });
        }
    }
    Ok(failed)
}

/// The suite of this number.
pub(crate) fn suite(store: &Store, suite_id: i64) -> Result<SuiteRow, AnalysisError> {
    let found = store.suites()?.into_iter().find(|suite| suite.id == suite_id);
    found.ok_or(AnalysisError::UnknownSuite { id: suite_id })
}
