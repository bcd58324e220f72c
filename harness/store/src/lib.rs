//! The record: one SQLite file with a schema, migrations and typed queries, and the folders beside it.
//!
//! | in the store folder | what |
//! |---|---|
//! | `store.sqlite` | suites, plans, cells, results (schema: `migrations/`) |
//! | `lease` | locked by the one process that may write |
//! | `artifacts/<identity>/` | files of finished cells |
//! | `work/<identity>/` | files of cells that are being computed |
//! | `previous-fits-<16 digits of a suite's digest>.json` | the leaderboard of predictors that the last one replaced |
//! | `logs/<identity>.log` | what the worker said |
//!
//! The life of a cell: [`Store::put_cells`] plans it under a key; when the cells it needs are done, its definition and so
//! its identity are known and [`Store::bind`] joins the two (and says if that identity is finished already); then
//! [`Store::start`], and [`Store::finish`] or [`Store::fail`]. A finished cell is never overwritten.

mod baselines;
mod check;
mod clock;
mod database;
mod error;
mod files;
mod fit_row;
mod fits;
mod garbage;
mod gate;
mod lease;
mod lookup;
mod margin;
mod merge;
mod network;
mod plan;
mod prediction;
mod previous;
mod progress;
mod provenance;
mod query;
mod rows;
mod statistic_row;
mod statistics;
mod store;
mod stored;
mod typed;
mod value;

pub use baselines::BaselineRow;
pub use check::Checked;
pub use error::StoreError;
pub use files::CellFile;
pub use fit_row::{FitRow, FitsState};
pub use garbage::{Garbage, GarbageKind};
pub use gate::{GateBaselineRow, GateJudgementRow};
pub use lease::{Holder, LeaseState};
pub use margin::GivenMargin;
pub use merge::{MergeKind, MergeRow, MergeState, Merged};
pub use network::network_file_system;
pub use provenance::CheckpointRow;
pub use rows::{CellDetail, CellRow, CellStatus, MetricRow, NewCell, NewSuite, RefusedTaskRow, RunRow, ScoreRow, SuiteRow};
pub use statistic_row::StatisticRow;
pub use store::Store;
