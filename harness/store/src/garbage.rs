//! What no suite of a store refers to any more, and its removal.
//!
//! A cell is garbage when the plan of no stored suite is bound to its identity. Its rows (definition, result, predictions) go
//! with its files: a suite that needs it again computes it again. Nothing else is ever guessed: a folder is removed only
//! because of where it lies in the store, never because of what it is called elsewhere.
//!
//! The order makes every moment safe to be killed at. Files that no row speaks of go first, so that a full disk has room for
//! the rest; then the suites and rows go in one transaction; then the files of those rows, which no row speaks of by then.
//! Whatever a kill leaves is found by the next collection.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use clmbench_protocol::{OutputFile, fault};
use rusqlite::Transaction;
use serde::Serialize;

use crate::{CellStatus, Store, StoreError, previous, value::from_json};

/// Name of the report in an artifact folder.
pub(crate) const REPORT: &str = "cell.json";

/// Tables with rows of a cell, those that refer to others first.
const TABLES: [&str; 11] = [
    "prediction",
    "score",
    "transfer_task",
    "transfer",
    "metric_value",
    "measurement",
    "checkpoint",
    "run",
    "task",
    "dataset",
    "corpus",
];

/// What kind of thing is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GarbageKind {
    /// A suite that is to be forgotten, with its plan and fits.
    Suite,
    /// Rows of a cell that no suite refers to.
    Cell,
    /// Files of a finished cell that no suite refers to.
    Artifacts,
    /// Files in the folder of a finished cell that its report does not name, such as a training state.
    Leftover,
    /// Files of a computation that was broken off and is not gone on with.
    Work,
    /// A log of a cell that no suite refers to, or of a worker that is gone.
    Log,
    /// Earlier fits of a suite that is not there, or is to be forgotten.
    PreviousFits,
}

impl GarbageKind {
    /// The word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Suite => "suite",
            Self::Cell => "cell",
            Self::Artifacts => "artifacts",
            Self::Leftover => "leftover",
            Self::Work => "work",
            Self::Log => "log",
            Self::PreviousFits => "previous_fits",
        }
    }
}

/// One thing that can go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// Its kind.
    pub kind: GarbageKind,
    /// Name of the suite, identity of the cell, or file name.
    pub name: String,
    /// File or folder; none for rows of the database.
    pub path: Option<PathBuf>,
    /// Bytes on disk; 0 for rows, whose room in the database is used again.
    pub bytes: u64,
    /// Why it is not needed.
    pub why: String,
}

/// What the database says of the cells.
struct Known {
    /// Identities that the plan of a suite which stays is bound to.
    used: BTreeSet<String>,
    /// Every cell with its state, stage and files.
    cells: BTreeMap<String, (CellStatus, String, Vec<OutputFile>)>,
}

impl Known {
    fn is_used(&self, identity: &str) -> bool {
        self.used.contains(identity)
    }

    /// Whether an unfinished computation of the cell would be gone on with: pretraining goes on from its last state.
    fn resumes(&self, identity: &str) -> bool {
        let cell = self.cells.get(identity);
        self.is_used(identity) && cell.is_some_and(|(status, stage, _)| !status.is_finished() && stage == "pretrain")
    }
}

impl Store {
    /// What could go once the suites of these names are forgotten, in the order in which it would. Nothing is changed.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`]; [`StoreError::Leased`] while another process writes; reading the store's folders.
    pub fn garbage(&self, forget: &[String]) -> Result<Vec<Garbage>, StoreError> {
        self.refuse_held()?;
        let suites = self.named(forget)?;
        let known = self.read(|snapshot| known(snapshot, &suites))?;
        let mut found = self.without_rows(&known)?;
        for row in self.suites()?.into_iter().filter(|suite| suites.contains(&suite.id)) {
            let why = format!("to be forgotten (stored {})", row.created);
            found.push(Garbage { kind: GarbageKind::Suite, name: row.name, path: None, bytes: 0, why });
        }
        for (identity, (status, stage, _)) in known.cells.iter().filter(|(identity, _)| !known.is_used(identity)) {
            let why = format!("{stage} cell, {}: no suite refers to it", status.word());
            found.push(Garbage { kind: GarbageKind::Cell, name: identity.clone(), path: None, bytes: 0, why });
        }
        found.extend(self.of_rows(&known)?);
        found.extend(self.of_suites(&suites)?);
        Ok(found)
    }

    /// Forgets the suites of these names and removes everything that no suite refers to any more. Returns what is gone.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`]; [`StoreError::OpenedForReading`]; removing a file. What was removed before stays so, and
    /// the next collection goes on.
    pub fn collect(&mut self, forget: &[String]) -> Result<Vec<Garbage>, StoreError> {
        let garbage = self.garbage(forget)?;
        let suites = self.named(forget)?;
        let rows = garbage.iter().any(|item| matches!(item.kind, GarbageKind::Suite | GarbageKind::Cell));
        let first_row = garbage.iter().position(|item| matches!(item.kind, GarbageKind::Suite | GarbageKind::Cell));
        let (before, after) = garbage.split_at(first_row.unwrap_or(garbage.len()));
        // Nothing at all is removed by a handle that was opened for reading.
        self.write(|_| Ok(()))?;
        before.iter().try_for_each(remove)?;
        fault::reach("gc_before_rows");
        if rows {
            self.write(|transaction| remove_rows(transaction, &suites))?;
        }
        fault::reach("gc_after_rows");
        after.iter().try_for_each(remove)?;
        if rows {
            self.give_back_room();
        }
        Ok(garbage)
    }

    /// Numbers of all stored versions of the suites of these names.
    fn named(&self, names: &[String]) -> Result<BTreeSet<i64>, StoreError> {
        let suites = self.suites()?;
        let mut numbers = BTreeSet::new();
        for name in names {
            self.suite(Some(name))?; // the error names those that are known
            numbers.extend(suites.iter().filter(|suite| suite.name == *name).map(|suite| suite.id));
        }
        Ok(numbers)
    }

    /// Files that no row speaks of: work folders, leftovers, logs, folders of cells that are not in the database.
    fn without_rows(&self, known: &Known) -> Result<Vec<Garbage>, StoreError> {
        let mut found = Vec::new();
        for (name, path) in entries(&self.root().join("work"))? {
            if !known.resumes(&name) {
                let why =
                    if known.is_used(&name) { "left by a process that is gone" } else { "of a cell that no suite refers to" };
                found.push(item(GarbageKind::Work, name, path, why));
            }
        }
        for (name, path) in entries(&self.root().join("artifacts"))? {
            match known.cells.get(&name) {
                None if !known.is_used(&name) => found.push(item(GarbageKind::Artifacts, name, path, "of no cell of the store")),
                Some((status, _, files)) if known.is_used(&name) && status.is_finished() => {
                    for (inside, leftover) in entries(&path)?.into_iter().filter(|(inside, _)| !belongs(inside, files)) {
                        let name = format!("{name}/{inside}");
                        found.push(item(GarbageKind::Leftover, name, leftover, "the cell's report does not name it"));
                    }
                }
                _ => {}
            }
        }
        for (name, path) in entries(&self.root().join("logs"))? {
            match name.strip_suffix(".log") {
                Some(stem) if stem.starts_with("worker-") => {
                    found.push(item(GarbageKind::Log, name, path, "of a worker that is gone"));
                }
                Some(stem) if known.is_used(stem) => {}
                _ => found.push(item(GarbageKind::Log, name, path, "of a cell that no suite refers to")),
            }
        }
        Ok(found)
    }

    /// Earlier fits of suites that are not there once those of these numbers are forgotten.
    fn of_suites(&self, forgotten: &BTreeSet<i64>) -> Result<Vec<Garbage>, StoreError> {
        let stay = self.suites()?.into_iter().filter(|suite| !forgotten.contains(&suite.id));
        let kept: BTreeSet<String> = stay.map(|suite| previous::name(&suite.digest)).collect();
        let gone = entries(self.root())?.into_iter().filter(|(name, _)| previous::is_one(name) && !kept.contains(name));
        Ok(gone.map(|(name, path)| item(GarbageKind::PreviousFits, name, path, "earlier fits of a suite that is gone")).collect())
    }

    /// Files of the rows that go.
    fn of_rows(&self, known: &Known) -> Result<Vec<Garbage>, StoreError> {
        let folders = entries(&self.root().join("artifacts"))?.into_iter();
        let gone = folders.filter(|(name, _)| known.cells.contains_key(name) && !known.is_used(name));
        Ok(gone.map(|(name, path)| item(GarbageKind::Artifacts, name, path, "of a cell that no suite refers to")).collect())
    }
}

/// What the database says, as if the suites of these numbers were not there.
fn known(snapshot: &Transaction<'_>, forgotten: &BTreeSet<i64>) -> Result<Known, StoreError> {
    let mut used = BTreeSet::new();
    let mut statement = snapshot.prepare("SELECT suite_id, identity FROM plan_cell WHERE identity IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !forgotten.contains(&row.get(0)?) {
            used.insert(row.get::<_, String>(1)?);
        }
    }
    let mut cells = BTreeMap::new();
    let mut statement = snapshot.prepare("SELECT identity, status, stage, files_json FROM cell")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let status: String = row.get(1)?;
        let status = CellStatus::from_word(&status).ok_or_else(|| StoreError::malformed(format!("status `{status}`")))?;
        let files = row.get::<_, Option<String>>(3)?.map(|text| from_json(&text, "stored files")).transpose()?;
        cells.insert(row.get(0)?, (status, row.get(2)?, files.unwrap_or_default()));
    }
    Ok(Known { used, cells })
}

/// Removes suites, and the rows of all cells that no plan is bound to then.
fn remove_rows(transaction: &Transaction<'_>, suites: &BTreeSet<i64>) -> Result<(), StoreError> {
    for suite in suites {
        transaction.execute("DELETE FROM suite WHERE id = ?1", [suite])?;
    }
    const UNUSED: &str = "identity NOT IN (SELECT identity FROM plan_cell WHERE identity IS NOT NULL)";
    for table in TABLES {
        let unused = if table == "checkpoint" { UNUSED.replacen("identity", "run", 1) } else { UNUSED.to_owned() };
        transaction.execute(&format!("DELETE FROM {table} WHERE {unused}"), [])?;
    }
    transaction.execute(&format!("DELETE FROM cell WHERE {UNUSED}"), [])?;
    fault::reach("gc_inside_rows");
    Ok(())
}

/// Whether a name in an artifact folder is the report's, or that of a file or folder that the report names.
fn belongs(name: &str, files: &[OutputFile]) -> bool {
    name == REPORT || files.iter().any(|file| file.path.split('/').next() == Some(name))
}

/// Names and paths in a folder, sorted; none if it is not there.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let failed = |source| StoreError::io(folder, source);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    found.sort();
    Ok(found)
}

fn item(kind: GarbageKind, name: String, path: PathBuf, why: &str) -> Garbage {
    Garbage { kind, name, bytes: bytes(&path), path: Some(path), why: why.to_owned() }
}

/// Bytes of a file or of all files in a folder; links are not followed. What cannot be read counts nothing.
fn bytes(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).map_or(0, |entries| entries.filter_map(Result::ok).map(|entry| bytes(&entry.path())).sum())
}

/// Removes a file or folder; one that is gone already is no error.
fn remove(garbage: &Garbage) -> Result<(), StoreError> {
    let Some(path) = &garbage.path else { return Ok(()) };
    let folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    match if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) } {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, error)),
        _ => {
            fault::reach("gc_removed_one");
            Ok(())
        }
    }
}
