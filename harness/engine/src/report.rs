//! How far a cell is, for whoever watches; at most a few messages a second.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

/// Shortest time between two messages of one stage.
const INTERVAL: Duration = Duration::from_millis(250);

/// How far a cell is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: String,
    /// Units done.
    pub done: u64,
    /// Units in all; 0 if unknown.
    pub total: u64,
    /// Unit.
    pub unit: &'static str,
    /// More to show.
    pub note: String,
}

/// Passes progress on, thinned out.
pub struct Reporter {
    send: RefCell<Box<dyn FnMut(Progress)>>,
    last: RefCell<Option<Instant>>,
    finished: Cell<bool>,
}

impl Reporter {
    /// To this receiver.
    pub fn new(send: impl FnMut(Progress) + 'static) -> Self {
        Self { send: RefCell::new(Box::new(send)), last: RefCell::new(None), finished: Cell::new(false) }
    }

    /// To nobody.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Reports; the note is made only if it is sent.
    pub fn report(&self, stage: &str, done: u64, total: u64, unit: &'static str, note: impl FnOnce() -> String) {
        let due = self.last.borrow().is_none_or(|last| last.elapsed() >= INTERVAL);
        let finished = total > 0 && done == total && !self.finished.replace(done == total);
        if due || finished {
            *self.last.borrow_mut() = Some(Instant::now());
            (self.send.borrow_mut())(Progress { stage: stage.into(), done, total, unit, note: note() });
        }
    }
}
