//! Executors: whatever can start `clmbench-worker` somewhere and hand it cells.
//!
//! [`LocalExecutor`] keeps workers on this machine. A batch scheduler would implement the same trait: take jobs,
//! report progress and outcomes.

mod lines;
mod local;
pub(crate) mod process;
mod verdict;
mod worker;

use std::{path::PathBuf, time::Duration};

use clmbench_protocol::{CellReport, Failure, RunRequest};

pub use local::{LocalExecutor, LocalOptions, worker_path};
pub use process::total_memory;
pub use verdict::killed_from_outside;

/// One cell to compute, and what it may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Chosen by the caller; comes back with everything that is said about the job.
    pub ticket: u64,
    /// What the worker is asked.
    pub request: RunRequest,
    /// Limits. Not part of the cell's identity.
    pub limits: Limits,
}

/// What a cell may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time; none = no limit.
    pub time: Option<Duration>,
    /// Resident memory of the worker's process group in bytes; none = no limit.
    pub memory_bytes: Option<u64>,
}

impl Default for Limits {
    /// Four hours, so that a hang ends; no memory limit.
    fn default() -> Self {
        Self { time: Some(Duration::from_secs(4 * 3600)), memory_bytes: None }
    }
}

/// What an executor says.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// How far a job is. At most a few a second and job.
    Progress {
        /// The job.
        ticket: u64,
        /// What is being done.
        stage: String,
        /// Units done.
        done: u64,
        /// Units in all; 0 if unknown.
        total: u64,
        /// Unit, such as `tokens`.
        unit: String,
        /// More to show.
        note: String,
    },
    /// A job has ended.
    Ended {
        /// The job.
        ticket: u64,
        /// Its report, or why there is none.
        outcome: Result<Box<CellReport>, Failure>,
    },
    /// A job was stopped by [`Executor::stop`]; nothing is known against it.
    Stopped {
        /// The job.
        ticket: u64,
    },
    /// No worker can be had for a job, and every other job would meet the same.
    Broken {
        /// The job.
        ticket: u64,
        /// Why.
        error: ExecutorError,
    },
}

/// Why no worker can be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// The executable could not be started.
    #[error("the worker {} cannot be started ({reason}). Build it (`cargo xtask build`), or name it with CLMBENCH_WORKER.", worker.display())]
    Spawn {
        /// The executable.
        worker: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The worker speaks another version of the protocol.
    #[error(
        "the worker {} (build {build}) speaks protocol {found}, but this clmbench speaks {wanted}. Build both from the same version.",
        worker.display()
    )]
    ProtocolVersion {
        /// The executable.
        worker: PathBuf,
        /// Version it speaks.
        found: u32,
        /// Version spoken here.
        wanted: u32,
        /// Its build.
        build: String,
    },
    /// Worker after worker ended, hung or talked nonsense before it was ready.
    #[error("the worker {} does not get ready: {reason}. `clmbench doctor` shows what is missing; its log is {}.", worker.display(), log.display())]
    NotReady {
        /// The executable.
        worker: PathBuf,
        /// What happened, the last time.
        reason: String,
        /// Log of its standard error.
        log: PathBuf,
    },
    /// A defect of ours.
    #[error(
        "a fault of clmbench: the thread that keeps a worker panicked ({reason}). Run the same command again, and report it."
    )]
    Panicked {
        /// The panic's message.
        reason: String,
    },
    /// The folder of logs cannot be written.
    #[error("the log {} cannot be written ({reason}). Free some space or allow writing to it.", log.display())]
    Log {
        /// The log.
        log: PathBuf,
        /// What the system said.
        reason: String,
    },
}

/// Anything that can start `clmbench-worker` somewhere.
pub trait Executor {
    /// Jobs it can compute at once.
    fn slots(&self) -> usize;
    /// Takes a job. Outcomes come by [`Executor::next`].
    fn submit(&mut self, job: Job);
    /// The next thing it says, waiting at most this long.
    fn next(&mut self, wait: Duration) -> Option<Update>;
    /// Stops all jobs now; each is then answered with [`Update::Stopped`] (or its outcome, if that came first).
    fn stop(&mut self);
}
