//! What a cell left on disk: its artifacts, as they stand now, and its log.

use std::path::Path;

use clmbench_protocol::OutputFile;
use clmbench_runner::run::{FileState, file_state};
use clmbench_store::{CellDetail, Store};
use serde::Serialize;

use super::Page;
use crate::units::show_bytes;

/// Files that are listed one by one.
const MOST_FILES: usize = 12;

/// A file of a finished cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Path inside the cell's folder.
    path: String,
    /// Bytes, as written.
    bytes: u64,
    /// BLAKE3, as written.
    blake3: String,
    /// `present` (size and time agree), `intact` (the bytes were hashed), `missing` or `damaged`.
    state: &'static str,
}

/// What a cell left on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnDisk {
    /// Folder of its files; null before it is finished.
    folder: Option<String>,
    /// Its files.
    artifacts: Vec<Artifact>,
    /// Its log; null if there is none.
    log: Option<String>,
    /// Bytes of its log.
    log_bytes: u64,
}

impl OnDisk {
    /// Looks at the files of a cell; their bytes are hashed if `thorough`.
    pub fn of(detail: &CellDetail, store: &Store, thorough: bool) -> Self {
        let none = Self { folder: None, artifacts: Vec::new(), log: None, log_bytes: 0 };
        let Some(identity) = &detail.row.identity else { return none };
        let folder = store.artifact_dir(identity);
        let artifacts = detail.report.iter().flat_map(|report| &report.files).map(|file| artifact(&folder, file, thorough));
        let log = store.log_path(identity);
        let bytes = std::fs::metadata(&log).ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        Self {
            artifacts: artifacts.collect(),
            folder: detail.report.is_some().then(|| folder.display().to_string()),
            log: bytes.map(|_| log.display().to_string()),
            log_bytes: bytes.unwrap_or(0),
        }
    }

    /// Writes the lines for people.
    pub fn lines(&self, page: &mut Page) {
        if let Some(folder) = &self.folder {
            page.blank();
            page.line("folder", folder);
        }
        for file in self.artifacts.iter().take(MOST_FILES) {
            let digest = file.blake3.get(..12).unwrap_or(&file.blake3);
            page.line("", &format!("{:>10}  {digest}  {:<8} {}", show_bytes(file.bytes), file.state, file.path));
        }
        if self.artifacts.len() > MOST_FILES {
            page.line("", &format!("and {} more; --json lists all", self.artifacts.len() - MOST_FILES));
        }
        if self.artifacts.iter().any(|file| matches!(file.state, "missing" | "damaged")) {
            page.line("", "what is missing or damaged is computed again before it is read");
        }
        if let Some(log) = &self.log {
            page.line("log", &format!("{log} ({}; --log prints it)", show_bytes(self.log_bytes)));
        }
    }
}

fn artifact(folder: &Path, file: &OutputFile, thorough: bool) -> Artifact {
    let state: FileState = file_state(folder, file, thorough);
    Artifact { path: file.path.clone(), bytes: file.bytes, blake3: file.blake3.clone(), state: state.word() }
}
