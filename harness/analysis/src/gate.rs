//! The gate: what of a suite is frozen as a gate baseline, what of a candidate is compared with it, and what came out.
//!
//! [`freeze`] reads one side from the store: scores, stored predictions, splits, metrics and embedding times of chosen runs.
//! [`GateBaseline`] is one side with its margins and its suite; [`judge`] compares another side with it. The decision itself is
//! [`clmbench_stats::judge_gate`].

mod compare;
mod freeze;
mod judge;
mod margins;
mod record;
mod report;
mod seeds;
mod speed;
#[cfg(test)]
mod tests;

pub use clmbench_store::GivenMargin;
pub use freeze::{LeftOut, choose, freeze};
pub use judge::{Asked, judge};
pub use margins::{MarginError, margins};
pub(crate) use margins::{Measured, margin};
pub use record::{
    BASELINE_SCHEMA, GateBaseline, Margin, MarginSource, MetricRecord, RunRecord, SeedRecord, SideRecord, SpeedRecord,
    SuiteRecord, TaskRecord,
};
pub use report::{GateOverall, GateReport, GateRow, GateRowKind};
pub use seeds::one_model;
pub use speed::{SpeedAsked, SpeedTurns};
