//! Folders of finished cells: moved into place whole, checked, adopted after a crash.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use clmbench_protocol::{CellOutput, CellReport, CellSpec, OutputFile, fault};

use super::{FileState, file_state};

/// Name of the report in a cell's folder.
pub(super) const REPORT: &str = "cell.json";

/// Moves a computed cell from its work folder into place. After it returns, a power cut loses nothing of it.
///
/// # Errors
/// A sentence: a listed file is absent or of another size, or the system's refusal.
pub(super) fn commit(work: &Path, place: &Path, report: &CellReport) -> Result<(), String> {
    for file in &report.files {
        let path = inside(work, file)?;
        let bytes =
            fs::metadata(&path).map_err(|error| format!("{} was reported but cannot be read ({error})", file.path))?.len();
        if bytes != file.bytes {
            return Err(format!("{} was reported with {} bytes but has {bytes}", file.path, file.bytes));
        }
    }
    move_into_place(work, place, report).map_err(|error| format!("{} cannot be written ({error})", place.display()))
}

fn move_into_place(work: &Path, place: &Path, report: &CellReport) -> io::Result<()> {
    let mut file = File::create(work.join(REPORT))?;
    file.write_all(&sealed(report)?)?;
    file.sync_all()?;
    drop(file);
    sync_folders(work)?;
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    // What lies there is not recorded, or is damaged: it goes.
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fault::reach("before_rename");
    fs::rename(work, place)?;
    for folder in [place.parent(), work.parent()].into_iter().flatten() {
        File::open(folder)?.sync_all()?;
    }
    fault::reach("after_rename");
    Ok(())
}

/// The bytes of `cell.json`: the report in one line, and in the next the BLAKE3 of that line, since the result in it is
/// under no other digest.
fn sealed(report: &CellReport) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(report)?;
    let seal = blake3::hash(&bytes).to_hex();
    bytes.extend_from_slice(format!("\n{seal}\n").as_bytes());
    Ok(bytes)
}

/// The report in such bytes; none if they are damaged. Earlier versions wrote the first line only.
fn unsealed(bytes: &[u8]) -> Option<CellReport> {
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    if line.len() < bytes.len() && bytes[line.len() + 1..] != *format!("{}\n", blake3::hash(line).to_hex()).as_bytes() {
        return None;
    }
    serde_json::from_slice(line).ok()
}

fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// Checks the folder of a finished cell: every file is there with its size. Its bytes are hashed if `thorough`, or if it
/// changed after the cell was finished.
///
/// # Errors
/// What is wrong.
pub(super) fn check(place: &Path, files: &[OutputFile], thorough: bool) -> Result<(), String> {
    for file in files {
        match file_state(place, file, thorough) {
            FileState::Present | FileState::Intact => {}
            FileState::Missing(why) => return Err(format!("{} cannot be read ({why})", file.path)),
            FileState::WrongSize(bytes) => return Err(format!("{} has {bytes} bytes instead of {}", file.path, file.bytes)),
            FileState::Changed => return Err(format!("the bytes of {} are not those that were written", file.path)),
            FileState::Outside => return Err(outside(file)),
        }
    }
    Ok(())
}

/// The report in a folder that a crash left complete but unrecorded; none if there is no such folder or anything in it
/// is not as the report says.
pub(super) fn adoptable(place: &Path, spec: &CellSpec) -> Option<CellReport> {
    let report = unsealed(&fs::read(place.join(REPORT)).ok()?)?;
    (fits(spec, &report.output) && check(place, &report.files, true).is_ok()).then_some(report)
}

/// Whether an output is of the cell's kind.
pub(super) fn fits(spec: &CellSpec, output: &CellOutput) -> bool {
    matches!(
        (spec, output),
        (CellSpec::TokeniseDataset(_), CellOutput::TokeniseDataset(_))
            | (CellSpec::TokeniseCorpus(_), CellOutput::TokeniseCorpus(_))
            | (CellSpec::Import(_), CellOutput::Import(_))
            | (CellSpec::Pretrain(_), CellOutput::Pretrain(_))
            | (CellSpec::Embed(_), CellOutput::Embed(_))
            | (CellSpec::Measure(_), CellOutput::Measure(_))
            | (CellSpec::Transfer(_), CellOutput::Transfer(_))
    )
}

/// The path of a reported file, which must not lead out of the folder.
pub(super) fn inside(folder: &Path, file: &OutputFile) -> Result<PathBuf, String> {
    let path = Path::new(&file.path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) && !file.path.is_empty() {
        return Ok(folder.join(path));
    }
    Err(outside(file))
}

fn outside(file: &OutputFile) -> String {
    format!("{:?} is not a path inside the cell's folder", file.path)
}
