//! How long the rest of a run takes, judged by earlier cells and by those that are being computed.

use std::collections::HashMap;

use clmbench_protocol::CellReport;

use crate::plan::{Estimator, Plan, PlannedCell, Selection};

/// Work that is left, and how long such work took.
pub(super) struct Remaining<'p> {
    estimator: Estimator,
    /// Work not handed out yet, in places x work, by kind. A cell of several threads takes the place of as many workers.
    left: HashMap<&'p str, f64>,
    /// Cells not handed out yet whose size is not known.
    unsized_cells: usize,
    slots: f64,
}

/// A cell that a worker has.
pub(super) struct Underway<'p> {
    /// The cell.
    pub cell: &'p PlannedCell,
    /// Seconds since it was handed out.
    pub elapsed: f64,
    /// Part of it that is done, 0 to 1; 0 if unknown.
    pub fraction: f64,
}

impl<'p> Remaining<'p> {
    /// The applicable cells of a plan that are to be computed, on this many workers.
    pub fn new(plan: &'p Plan, only: Option<&Selection>, estimator: Estimator, slots: usize) -> Self {
        let mut remaining = Self { estimator, left: HashMap::new(), unsized_cells: 0, slots: slots.max(1) as f64 };
        let wanted = |index: usize| only.is_none_or(|only| only.holds(index));
        let cells = plan.cells.iter().enumerate().filter(|(index, cell)| cell.not_applicable.is_none() && wanted(*index));
        cells.for_each(|(_, cell)| remaining.put_back(cell));
        remaining
    }

    fn places(&self, cell: &PlannedCell) -> f64 {
        f64::from(cell.threads).min(self.slots)
    }

    /// Adds a cell to what is left.
    pub fn put_back(&mut self, cell: &'p PlannedCell) {
        if cell.size_unknown {
            self.unsized_cells += 1;
            return;
        }
        *self.left.entry(cell.kind.as_str()).or_insert(0.0) += self.places(cell) * cell.work;
    }

    /// Takes a cell off what is left.
    pub fn take_off(&mut self, cell: &'p PlannedCell) {
        if cell.size_unknown {
            self.unsized_cells = self.unsized_cells.saturating_sub(1);
            return;
        }
        *self.left.entry(cell.kind.as_str()).or_insert(0.0) -= self.places(cell) * cell.work;
    }

    /// Learns from a computed cell.
    pub fn learn(&mut self, cell: &PlannedCell, report: &CellReport) {
        if cell.size_unknown {
            return;
        }
        self.estimator.add(&cell.kind, cell.work, report.seconds, crate::plan::bytes(report));
    }

    /// Wall time of the rest; none while no pretrain cell has said how fast it is, and while cells of unknown size are to come.
    pub fn seconds<'a>(&self, underway: impl Iterator<Item = Underway<'a>>) -> Option<f64> {
        if self.unsized_cells > 0 {
            return None;
        }
        let mut seconds = 0.0;
        let mut rate_now = None;
        for Underway { cell, elapsed, fraction } in underway {
            let rest = if fraction > 0.01 {
                if cell.kind == "pretrain" {
                    rate_now = Some(elapsed / (fraction * cell.work));
                }
                elapsed * (1.0 - fraction) / fraction
            } else {
                let whole = self.estimator.seconds(&cell.kind, cell.work).filter(|_| !cell.size_unknown);
                whole.map_or(0.0, |whole| (whole - elapsed).max(0.0))
            };
            seconds += rest * self.places(cell);
        }
        // Subtracting what was added leaves crumbs.
        for (kind, work) in self.left.iter().filter(|(_, work)| **work > 0.5) {
            let pretrain = *kind == "pretrain";
            match self.estimator.seconds(kind, *work).or_else(|| rate_now.filter(|_| pretrain).map(|rate| rate * work)) {
                Some(more) => seconds += more,
                None if pretrain => return None,
                None => {}
            }
        }
        Some(seconds / self.slots)
    }
}
