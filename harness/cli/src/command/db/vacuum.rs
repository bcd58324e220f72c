//! `db vacuum`: gives the room of removed rows back to the disk.

use clmbench_store::{Store, StoreError};
use serde::Serialize;

use crate::{
    arguments::{Global, Json},
    console::Console,
    error::CliError,
    units::show_bytes,
};

/// The row of `db vacuum --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    /// The database.
    path: String,
    /// Bytes with its log, before.
    bytes_before: u64,
    /// Bytes with its log, after.
    bytes_after: u64,
}

/// Packs the database of the store.
///
/// # Errors
/// [`CliError::Store`]: no store, another process writes to it, the disk is full; [`CliError::Output`].
pub fn run(json: Json, global: &Global, console: Console) -> Result<(), CliError> {
    // A store is not made only to be packed.
    match Store::open_reader(&global.store) {
        Ok(_) | Err(StoreError::Older { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut store = Store::open_writer(&global.store)?;
    let (bytes_before, bytes_after) = store.vacuum()?;
    let path = store.root().join("store.sqlite").display().to_string();
    if json.json {
        return console.json("db-vacuum", &[Row { path, bytes_before, bytes_after }]);
    }
    console.print(&format!("{} before, {} now: {path}", show_bytes(bytes_before), show_bytes(bytes_after)))
}
