//! Files of cells that are taken: looked at, then copied by their digests.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

use clmbench_protocol::{CellReport, OutputFile};

use super::{
    MergeKind, MergeRow, MergeState,
    decide::{Decided, Taken},
};
use crate::{Store, StoreError, garbage::REPORT, stored::StoredCell};

/// Says of every cell that is taken whether its files can be.
///
/// # Errors
/// [`StoreError::NotMergeable`]: a path that leads out of the cell's folder, or something that is no plain file.
pub(super) fn look(artifacts: &Path, cells: &BTreeMap<String, Taken>) -> Result<Vec<MergeRow>, StoreError> {
    let mut rows = Vec::new();
    for (identity, taken) in cells {
        let Some(files) = taken.files.as_ref().filter(|files| !files.is_empty()) else { continue };
        let mut row = MergeRow::of(MergeKind::Files, MergeState::New, &taken.key, identity);
        for file in files {
            row.bytes = row.bytes.saturating_add(file.bytes);
            match plain(artifacts, identity, file)? {
                None => (row.state, row.why) = (MergeState::Missing, Some(format!("{} is not there", file.path))),
                Some(bytes) if bytes != file.bytes => {
                    let why = format!("{} has {bytes} bytes instead of {}", file.path, file.bytes);
                    (row.state, row.why) = (MergeState::Damaged, Some(why));
                }
                Some(_) => {}
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Copies the files that can be taken. The rows of those whose bytes are not what was written become `damaged`.
///
/// # Errors
/// Those of [`look`], since files may have changed; writing here.
pub(super) fn copy(
    store: &Store,
    artifacts: &Path,
    cell: &impl Fn(&str) -> Result<StoredCell, StoreError>,
    decided: &mut Decided,
) -> Result<(), StoreError> {
    for row in &mut decided.rows {
        let (MergeKind::Files, MergeState::New, Some(identity)) = (row.kind, row.state, &row.identity) else { continue };
        let Some(result) = cell(identity)?.result else { continue };
        let report = result.report;
        let work = store.work_dir(&format!("merge-{identity}"));
        let copied = one(artifacts, identity, &report, &work);
        match copied {
            Ok(None) => {
                let place = store.artifact_dir(identity);
                // What lies there is of no finished cell.
                gone(&place)?;
                fs::rename(&work, &place).map_err(|error| StoreError::io(&place, error))?;
            }
            Ok(Some(why)) => {
                gone(&work)?;
                (row.state, row.why) = (MergeState::Damaged, Some(why));
            }
            Err(error) => {
                let _ = gone(&work);
                return Err(error);
            }
        }
    }
    let folder = store.root().join("artifacts");
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| StoreError::io(&folder, error))
}

/// Copies one cell's files into a new folder; what is wrong with one of them, if something is.
fn one(artifacts: &Path, identity: &str, report: &CellReport, work: &Path) -> Result<Option<String>, StoreError> {
    gone(work)?;
    fs::create_dir_all(work).map_err(|error| StoreError::io(work, error))?;
    for file in &report.files {
        if plain(artifacts, identity, file)?.is_none() {
            return Ok(Some(format!("{} is not there", file.path)));
        }
        let (from, to) = (artifacts.join(identity).join(&file.path), work.join(&file.path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|error| StoreError::io(parent, error))?;
        }
        let (bytes, digest) = stream(&from, &to, file.bytes)?;
        if bytes != file.bytes || digest != file.blake3 {
            return Ok(Some(format!("the bytes of {} are not those that were written", file.path)));
        }
    }
    // The report in one line and its digest in the next, as a run writes it last: files that are newer are hashed before they are read.
    let path = work.join(REPORT);
    let line = serde_json::to_string(report).map_err(|error| StoreError::invalid(error.to_string()))?;
    let sealed = format!("{line}\n{}\n", blake3::hash(line.as_bytes()).to_hex());
    let written = File::create(&path).and_then(|mut file| file.write_all(sealed.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| StoreError::io(&path, error))?;
    Ok(None)
}

/// Copies at most `most` bytes and one more; their number and BLAKE3.
fn stream(from: &Path, to: &Path, most: u64) -> Result<(u64, String), StoreError> {
    let mut source = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(from)
        .map_err(|error| StoreError::looked_at(from, error))?
        .take(most.saturating_add(1));
    let mut target = File::create(to).map_err(|error| StoreError::io(to, error))?;
    let (mut hasher, mut bytes, mut piece) = (blake3::Hasher::new(), 0_u64, vec![0; 1 << 20]);
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StoreError::looked_at(from, error)),
        };
        hasher.update(&piece[..read]);
        target.write_all(&piece[..read]).map_err(|error| StoreError::io(to, error))?;
        bytes += read as u64;
    }
    target.sync_all().map_err(|error| StoreError::io(to, error))?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

/// Bytes of a file of a cell; none if it is not there.
///
/// # Errors
/// [`StoreError::NotMergeable`]: its path leads out of the folder, or there is a link or something else that is no plain file.
fn plain(artifacts: &Path, identity: &str, file: &OutputFile) -> Result<Option<u64>, StoreError> {
    let refused = |path: &Path, words: &str| StoreError::NotMergeable { path: path.to_path_buf(), detail: words.to_owned() };
    let parts: Vec<Component<'_>> = Path::new(&file.path).components().collect();
    let inside = !parts.is_empty() && parts.iter().all(|part| matches!(part, Component::Normal(_)));
    if !inside || file.path.contains('\0') || file.path == REPORT {
        let shown: String = file.path.chars().take(200).collect();
        return Err(refused(&artifacts.join(identity), &format!("{shown:?} is not a path inside the cell's folder")));
    }
    let mut path: PathBuf = artifacts.join(identity);
    for (place, part) in std::iter::once(None).chain(parts.iter().map(Some)).enumerate() {
        if let Some(part) = part {
            path.push(part);
        }
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(StoreError::looked_at(&path, error)),
        };
        let last = place == parts.len();
        if last && metadata.is_file() {
            return Ok(Some(metadata.len()));
        }
        if last || !metadata.is_dir() {
            return Err(refused(&path, "it is a link, or no plain file or folder"));
        }
    }
    Ok(None)
}

/// Removes a folder, if it is there.
fn gone(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(folder, error)),
        _ => Ok(()),
    }
}
