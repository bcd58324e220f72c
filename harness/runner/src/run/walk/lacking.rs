//! Metrics that need what a checkpoint of others, or a run, lacks (such as a third checkpoint): known only once a worker has read it,
//! and no fault of either.

use clmbench_protocol::{Failure, FailureKind};

use super::Walk;
use crate::run::RunError;

impl Walk<'_> {
    /// A metric does not apply to a checkpoint of others or to a run, as its worker found.
    pub(super) fn lacking(&mut self, index: usize, failure: &Failure) -> Result<(), RunError> {
        let Some(identity) = self.known.get(&index).map(|known| known.identity.clone()) else { return Ok(()) };
        self.store.fail(&identity, failure)?;
        self.failed_now.insert(identity, failure.clone());
        self.remaining.put_back(&self.plan.cells[index]);
        self.refuse_lacking(index, &failure.message)
    }

    pub(super) fn refuse_lacking(&mut self, index: usize, reason: &str) -> Result<(), RunError> {
        self.summary.lacking += 1;
        self.refuse(index, reason.trim_end_matches('.'))
    }

    /// Whether a metric failed for want of something that a checkpoint of others, or a run, lacks.
    pub(super) fn is_lacking(&self, index: usize, failure: &Failure) -> bool {
        failure.kind == FailureKind::Unsupported && self.plan.may_lack(index)
    }
}
