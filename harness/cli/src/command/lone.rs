//! Single cells in a worker and a folder that goes away: the way to compute something without a suite.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use clmbench_protocol::{CellReport, CellSpec, Failure, PluginFile, RunRequest};
use clmbench_runner::{
    Executor, LocalExecutor, LocalOptions, RunError,
    executor::{Job, Limits, Update},
    identity,
};

use super::run::usual_memory;
use crate::{error::CliError, interrupt, worker};

/// How often a stop is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Why a lone cell came to nothing.
#[derive(Debug)]
pub enum Ended {
    /// It failed.
    Failed(Failure),
    /// It was never computed to an end.
    Otherwise(Box<CliError>),
}

/// A worker and a folder that goes away.
pub struct Lone {
    folder: tempfile::TempDir,
    executor: LocalExecutor,
    count: u64,
    limits: Limits,
}

impl Lone {
    /// Below `parent`, or where temporary files are; with the usual limit of memory where none is given. No worker is started yet.
    ///
    /// # Errors
    /// [`CliError::File`] without room for files.
    pub fn new(parent: Option<&Path>, limits: Limits) -> Result<Self, CliError> {
        let temporary = std::env::temp_dir();
        let parent = parent.unwrap_or(&temporary);
        let folder = std::fs::create_dir_all(parent).and_then(|()| tempfile::Builder::new().prefix("cell-").tempdir_in(parent));
        let folder = folder.map_err(|error| CliError::file(parent, error))?;
        let mut options = LocalOptions::new(worker::path(), folder.path().join("logs"));
        options.workers = 1;
        let limits = Limits { memory_bytes: limits.memory_bytes.or_else(|| usual_memory(1)), ..limits };
        options.memory_bytes = limits.memory_bytes;
        Ok(Self { executor: LocalExecutor::new(options), folder, count: 0, limits })
    }

    /// Computes a cell; its files are in the folder that is given, until it is dropped.
    ///
    /// # Errors
    /// [`Ended`]; [`CliError::File`], [`CliError::Run`] without a worker, [`CliError::Interrupted`].
    pub fn compute(
        &mut self,
        spec: CellSpec,
        plugins: Vec<PluginFile>,
        inputs: BTreeMap<String, String>,
    ) -> Result<(CellReport, Files), Ended> {
        self.count += 1;
        let files = Files(self.folder.path().join(self.count.to_string()));
        let otherwise = |error: CliError| Ended::Otherwise(Box::new(error));
        let request = RunRequest {
            identity: identity(&spec).map_err(|error| otherwise(RunError::from(error).into()))?,
            spec,
            plugins,
            inputs,
            work_dir: files.path().join("files").display().to_string(),
            log: files.path().join("cell.log").display().to_string(),
            device: "cpu".to_owned(),
        };
        std::fs::create_dir_all(&request.work_dir).map_err(|error| otherwise(CliError::file(files.path(), error)))?;
        let ticket = self.count;
        self.executor.submit(Job { ticket, request, limits: self.limits });
        loop {
            match self.executor.next(LOOK) {
                Some(Update::Ended { outcome: Ok(report), .. }) => return Ok((*report, files)),
                Some(Update::Ended { outcome: Err(failure), .. }) => return Err(Ended::Failed(failure)),
                Some(Update::Broken { error, .. }) => return Err(otherwise(RunError::Executor(error).into())),
                Some(Update::Stopped { .. }) => return Err(otherwise(CliError::Interrupted)),
                Some(Update::Progress { .. }) | None => {}
            }
            if interrupt::requested() {
                self.executor.stop();
            }
        }
    }
}

/// The folder of a lone cell; removed when dropped.
pub struct Files(PathBuf);

impl Files {
    fn path(&self) -> &Path {
        &self.0
    }

    /// What the cell wrote.
    pub fn folder(&self) -> PathBuf {
        self.0.join("files")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is left goes away with the whole folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
