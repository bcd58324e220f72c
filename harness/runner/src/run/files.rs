//! How a file of a finished cell stands.

use std::{fs, path::Path};

use clmbench_protocol::OutputFile;

use super::artifacts::{REPORT, inside};
use crate::plugins::blake3_file;

/// How a file of a finished cell stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// There, with its size, and not written to since; its bytes were not hashed.
    Present,
    /// There, and its bytes are those that were written.
    Intact,
    /// Not there or not to be read, for this reason.
    Missing(String),
    /// There, with this many bytes.
    WrongSize(u64),
    /// There, with other bytes.
    Changed,
    /// Its path leads out of the cell's folder, so it is not looked at.
    Outside,
}

impl FileState {
    /// The word that is shown.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Intact => "intact",
            Self::Missing(_) => "missing",
            Self::WrongSize(_) | Self::Changed | Self::Outside => "damaged",
        }
    }
}

/// Looks at a file of the finished cell in the folder `place`. Its bytes are hashed if `thorough`, or if it changed after the
/// cell was finished.
pub fn file_state(place: &Path, file: &OutputFile, thorough: bool) -> FileState {
    let Ok(path) = inside(place, file) else { return FileState::Outside };
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) => return FileState::Missing(error.to_string()),
    };
    if metadata.len() != file.bytes {
        return FileState::WrongSize(metadata.len());
    }
    let finished = fs::metadata(place.join(REPORT)).and_then(|metadata| metadata.modified()).ok();
    let changed = metadata.modified().ok().zip(finished).is_none_or(|(file, finished)| file > finished);
    if !thorough && !changed {
        return FileState::Present;
    }
    match blake3_file(&path) {
        Ok(digest) if digest == file.blake3 => FileState::Intact,
        Ok(_) => FileState::Changed,
        Err(error) => FileState::Missing(error.to_string()),
    }
}
