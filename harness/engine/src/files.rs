//! Files of a cell: written beside, fsynced, renamed; listed with digests when the cell is done.

use std::path::Path;

use clmbench_molecules::digest;
use clmbench_protocol::{Failure, FailureKind, OutputFile};
use serde::{Serialize, de::DeserializeOwned};

use crate::failure::{OrFail, Result, io};

/// Writes a file whole.
///
/// # Errors
/// [`FailureKind::Io`] naming the path.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    digest::write_bytes(path, bytes).or_fail()
}

/// Writes a value as JSON.
///
/// # Errors
/// [`FailureKind::Io`] naming the path.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(FailureKind::Io, format!("{} cannot be written as JSON: {error}", path.display())))?;
    write(path, text.as_bytes())
}

/// Reads a value from JSON.
///
/// # Errors
/// [`FailureKind::Io`] or [`FailureKind::CorruptFile`] naming the path.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|error| io(path, "reading", &error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new(
            FailureKind::CorruptFile,
            format!("{} is not what was written there: {error}; run again to rebuild it", path.display()),
        )
    })
}

/// BLAKE3 of a file.
///
/// # Errors
/// [`FailureKind::Io`] naming the path.
pub fn digest_of(path: &Path) -> Result<String> {
    digest::blake3_file(path).or_fail()
}

/// Refuses a file whose digest is not the expected one.
///
/// # Errors
/// [`FailureKind::CorruptFile`] naming the path and both digests.
pub fn expect_digest(path: &Path, expected: &str) -> Result<()> {
    let found = digest_of(path)?;
    if found == expected {
        return Ok(());
    }
    let text =
        format!("{} has digest {found}, not {expected}: it was changed or damaged; run again to rebuild it", path.display());
    Err(Failure::new(FailureKind::CorruptFile, text))
}

/// Every file below the folder with its digest.
///
/// # Errors
/// [`FailureKind::Io`] naming the path.
pub fn list(folder: &Path) -> Result<Vec<OutputFile>> {
    digest::list_files(folder).or_fail()
}
