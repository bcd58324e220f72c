//! Who computes a suite now, and what became of cells whose process is gone.

use clmbench_store::{CellRow, CellStatus, Holder, LeaseState};
use serde::Serialize;

use crate::console::one_line;

/// How the computing of a suite stands; `run` in the JSON of `status`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunState {
    /// `running`, `interrupted` or `idle`.
    pub state: &'static str,
    /// The process that writes to the store, or was the last to do so and was killed.
    pub holder: Option<Holder>,
    /// Finished cells.
    pub done: usize,
    /// Cells to compute, those that are being computed among them.
    pub todo: usize,
    /// Keys of the cells that are being computed, or were when the process was killed.
    pub cells: Vec<String>,
}

/// Looks at the lease, and sets cells that nobody computes any more back to `todo`, as the next run does.
pub fn settle(cells: &mut [CellRow], lease: LeaseState) -> RunState {
    let (state, holder) = match lease {
        LeaseState::Held(holder) => ("running", Some(holder)),
        LeaseState::Abandoned(holder) => ("interrupted", Some(holder)),
        LeaseState::Free => ("idle", None),
    };
    let mut keys = Vec::new();
    for cell in cells.iter_mut().filter(|cell| cell.status == CellStatus::Running) {
        keys.push(cell.key.clone());
        if state != "running" {
            interrupt(cell);
        }
    }
    let done = cells.iter().filter(|cell| cell.status.is_finished()).count();
    let todo = cells.iter().filter(|cell| matches!(cell.status, CellStatus::Todo | CellStatus::Running)).count();
    RunState { state, holder, done, todo, cells: keys }
}

/// The row of a cell whose process is gone.
pub fn interrupt(cell: &mut CellRow) {
    cell.status = CellStatus::Todo;
    cell.elapsed = None;
    cell.reason = Some("interrupted: the process that computed it is gone; the next run computes it".into());
}

impl RunState {
    /// A line for people; none when nobody computes and all is in order.
    pub fn line(&self) -> Option<String> {
        let holder = self.holder.as_ref()?;
        let who = format!("process {} on {} since {}", holder.pid, one_line(&holder.host, 60), one_line(&holder.since, 30));
        Some(match self.state {
            "running" => format!("running: {who}"),
            _ => {
                let cells = crate::units::counted(self.cells.len(), "cell");
                format!("interrupted: {who} was killed with {cells} under way; run the suite again to go on")
            }
        })
    }
}
