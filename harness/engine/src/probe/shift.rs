//! Weights moved for one call, and put back bit for bit.

use clmbench_protocol::{Failure, FailureKind};
use tch::Tensor;

use super::ProbeHost;
use crate::failure::{OrFail, Result};

impl ProbeHost<'_> {
    /// Runs the body with `delta` added to the weights, and puts the weights back bit for bit whatever happens.
    pub(super) fn shifted<T>(&self, delta: Option<Tensor>, body: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(delta) = delta else { return body() };
        let rows = self.tensors()?;
        let all: i64 = rows.iter().map(|tensor| tensor.numel() as i64).sum();
        if delta.size() != [all] {
            let text = format!("delta has shape {:?}; [{all}] is needed", delta.size());
            return Err(Failure::new(FailureKind::WrongShape, text));
        }
        let _restore = Restore::new(&rows);
        {
            let _guard = tch::no_grad_guard();
            let mut offset = 0;
            for tensor in &rows {
                let count = tensor.numel() as i64;
                let part = delta.f_narrow(0, offset, count).or_fail()?.f_view_as(tensor).or_fail()?;
                let part = part.f_to_device(tensor.device()).or_fail()?;
                let _ = tensor.shallow_clone().f_add_(&part).or_fail()?;
                offset += count;
            }
        }
        body()
    }
}

/// Puts weights back when dropped, also when a panic passes through.
struct Restore(Vec<(Tensor, Tensor)>);

impl Restore {
    fn new(rows: &[Tensor]) -> Self {
        let _guard = tch::no_grad_guard();
        Self(rows.iter().map(|tensor| (tensor.shallow_clone(), tensor.detach().copy())).collect())
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        let _guard = tch::no_grad_guard();
        for (tensor, saved) in &mut self.0 {
            // A copy between equal shapes cannot fail; if it did, the host's check of the weights' digest tells.
            let _ = tensor.f_copy_(saved);
        }
    }
}
