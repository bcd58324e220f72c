//! Metrics of the Hessian of the pretraining loss.

use clmbench_sdk::prelude::*;

mod trace_fisher;
mod trace_hutchinson;
mod traces;

pub use trace_fisher::TraceFisher;
pub use trace_hutchinson::TraceHutchinson;

export_plugin! { metrics: [TraceHutchinson, TraceFisher] }
