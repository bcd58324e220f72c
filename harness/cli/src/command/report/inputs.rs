//! What the figures of a page need beside its boards, read from the store and the artifact folders beside it.

use clmbench_report::html::FigureInputs;
use clmbench_store::Store;

use crate::error::CliError;

/// Reads it. A file that is missing or damaged leaves its figure out, with a note.
///
/// # Errors
/// The database cannot be read.
pub(super) fn read(store: &Store, suite_id: i64) -> Result<FigureInputs, CliError> {
    Ok(FigureInputs {
        statistics: store.statistics(suite_id)?,
        losses: clmbench_analysis::checkpoint_losses(store, suite_id)?,
        ..FigureInputs::default()
    })
}
