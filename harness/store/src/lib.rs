//! The record: one SQLite file with a schema, migrations and typed queries, and the folders beside it.

mod error;
mod fit_row;
mod rows;
mod store;

pub use error::StoreError;
pub use fit_row::{FitRow, FitsState};
pub use rows::{CellDetail, CellRow, CellStatus, MetricRow, NewCell, NewSuite, RunRow, ScoreRow, SuiteRow};
pub use store::Store;
