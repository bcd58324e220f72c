//! What a run tells while it goes.

use std::time::Duration;

use clmbench_protocol::{CellReport, Failure};

/// Something that happened to a cell, named by its key.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// A worker has it.
    Started {
        /// The cell.
        key: &'a str,
    },
    /// How far it is.
    Progress {
        /// The cell.
        key: &'a str,
        /// What is being done.
        stage: &'a str,
        /// Units done.
        done: u64,
        /// Units in all; 0 if unknown.
        total: u64,
        /// Unit, such as `tokens`.
        unit: &'a str,
        /// More to show.
        note: &'a str,
    },
    /// It is computed and recorded.
    Finished {
        /// The cell.
        key: &'a str,
        /// Its report.
        report: &'a CellReport,
        /// Wall time, with the worker's start and the move of files.
        took: Duration,
    },
    /// It was complete on disk already, left by a crash, and is recorded now.
    Adopted {
        /// The cell.
        key: &'a str,
    },
    /// It was finished before.
    Skipped {
        /// The cell.
        key: &'a str,
    },
    /// It was finished before, but its files are damaged and needed, so it is computed again.
    Rebuilding {
        /// The cell.
        key: &'a str,
        /// What is wrong with its files.
        reason: &'a str,
    },
    /// Its worker was killed by somebody else, or a file that it reads is damaged: it is tried once more.
    Retrying {
        /// The cell.
        key: &'a str,
        /// What happened.
        failure: &'a Failure,
    },
    /// It failed.
    Failed {
        /// The cell.
        key: &'a str,
        /// Why.
        failure: &'a Failure,
        /// In an earlier run; it was not tried again.
        earlier: bool,
    },
    /// It is refused.
    Refused {
        /// The cell.
        key: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// It does not apply.
    NotApplicable {
        /// The cell.
        key: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Cells, without those that do not apply.
    pub total: usize,
    /// Finished cells: computed, adopted or skipped.
    pub done: usize,
    /// Failed cells.
    pub failed: usize,
    /// Refused cells.
    pub refused: usize,
    /// Cells that workers have.
    pub running: usize,
    /// Cells still to come.
    pub todo: usize,
    /// Estimated wall time of the rest in seconds, from this and earlier runs; none while no pretrain cell has said how
    /// fast it is. Kinds of cells never seen yet are left out, so it is rather too short than too long.
    pub seconds_left: Option<f64>,
}

/// Whoever shows a run.
pub trait Observer {
    /// Something happened. Called on the thread that writes the store: be quick.
    fn event(&mut self, event: &RunEvent<'_>, counts: &Counts);
}

/// Shows nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &RunEvent<'_>, _: &Counts) {}
}
