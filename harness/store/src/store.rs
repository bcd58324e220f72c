//! Signatures only; bodies follow in the next commits.
#![allow(clippy::todo, clippy::unimplemented, unused_variables, missing_docs)]

use std::path::{Path, PathBuf};

use clmbench_protocol::{CellReport, CellSpec, CorpusOutput, DatasetOutput, Failure, MetricInfo, PluginManifest};

use crate::{CellDetail, CellRow, FitRow, FitsState, MetricRow, NewCell, NewSuite, RunRow, ScoreRow, StoreError, SuiteRow};

/// The store.
pub struct Store {
    root: PathBuf,
}

type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    pub fn open_writer(dir: &Path) -> Result<Self> { todo!() }
    pub fn open_reader(dir: &Path) -> Result<Self> { todo!() }
    pub fn recovered(&self) -> u64 { todo!() }
    pub fn root(&self) -> &Path { &self.root }
    pub fn artifact_dir(&self, identity: &str) -> PathBuf { self.root.join("artifacts").join(identity) }
    pub fn work_dir(&self, identity: &str) -> PathBuf { self.root.join("work").join(identity) }
    pub fn log_path(&self, identity: &str) -> PathBuf { self.root.join("logs").join(format!("{identity}.log")) }
    pub fn put_plugin(&mut self, manifest: &PluginManifest, digest: &str, path: &str) -> Result<()> { todo!() }
    pub fn put_suite(&mut self, suite: &NewSuite) -> Result<i64> { todo!() }
    pub fn put_cells(&mut self, suite_id: i64, cells: &[NewCell]) -> Result<()> { todo!() }
    pub fn bind(&mut self, suite_id: i64, key: &str, identity: &str, spec: &CellSpec) -> Result<Option<CellReport>> { todo!() }
    pub fn set_not_applicable(&mut self, suite_id: i64, key: &str, reason: &str) -> Result<()> { todo!() }
    pub fn set_refused(&mut self, suite_id: i64, key: &str, reason: &str) -> Result<()> { todo!() }
    pub fn start(&mut self, identity: &str) -> Result<()> { todo!() }
    pub fn finish(&mut self, identity: &str, report: &CellReport) -> Result<()> { todo!() }
    pub fn fail(&mut self, identity: &str, failure: &Failure) -> Result<()> { todo!() }
    pub fn report(&self, identity: &str) -> Result<Option<CellReport>> { todo!() }
    pub fn suites(&self) -> Result<Vec<SuiteRow>> { todo!() }
    pub fn suite(&self, name: Option<&str>) -> Result<SuiteRow> { todo!() }
    pub fn cells(&self, suite_id: i64) -> Result<Vec<CellRow>> { todo!() }
    pub fn find_cell(&self, prefix_or_key: &str) -> Result<CellDetail> { todo!() }
    pub fn runs(&self, suite_id: i64) -> Result<Vec<RunRow>> { todo!() }
    pub fn metric_rows(&self, suite_id: i64) -> Result<Vec<MetricRow>> { todo!() }
    pub fn score_rows(&self, suite_id: i64) -> Result<Vec<ScoreRow>> { todo!() }
    pub fn predictions(&self, identity: &str) -> Result<Vec<(u64, f64, f64)>> { todo!() }
    pub fn metric_infos(&self) -> Result<Vec<MetricInfo>> { todo!() }
    pub fn corpora(&self, suite_id: i64) -> Result<Vec<CorpusOutput>> { todo!() }
    pub fn datasets(&self, suite_id: i64) -> Result<Vec<DatasetOutput>> { todo!() }
    pub fn put_fits(&mut self, suite_id: i64, fits: &[FitRow]) -> Result<()> { todo!() }
    pub fn fits(&self, suite_id: i64) -> Result<Vec<FitRow>> { todo!() }
    pub fn fits_state(&self, suite_id: i64) -> Result<Option<FitsState>> { todo!() }
}
