//! Results of another store taken into this one.
//!
//! Nothing of the other database is trusted: it is opened for reading alone, held against the schema of its number word by word, read by
//! typed queries, and every definition, result, manifest and list of files is read as its type before anything here is changed. Typed
//! rows are made anew from the results. Everything is decided first ([`Store::merge_plan`]); then files are copied by their digests, and
//! then all rows go in one transaction, so that a process that is killed between the two leaves files that `gc` finds.
//!
//! What is one in both stores: a suite by its digest, a cell by its identity. A cell that is finished in both with unlike results is a
//! conflict: ours is kept, and what of theirs rests on that result is left out. Fits are not taken: they are of a whole suite, and are
//! made anew from all its cells.

mod apply;
mod decide;
mod files;
mod foreign;
mod limits;
mod theirs;

use std::path::{Path, PathBuf};

use clmbench_protocol::CellSpec;
use rusqlite::Transaction;
use serde::Serialize;

use self::foreign::Foreign;
use crate::{Store, StoreError, stored};

/// What kind of thing a row of a merge is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeKind {
    /// A suite with its plan.
    Suite,
    /// A cell with its result.
    Cell,
    /// The files of a cell.
    Files,
    /// A plugin's manifest.
    Plugin,
    /// A gate baseline.
    GateBaseline,
    /// What came out of a gate.
    GateJudgement,
}

impl MergeKind {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Suite, Self::Cell, Self::Files, Self::Plugin, Self::GateBaseline, Self::GateJudgement];

    /// The word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Suite => "suite",
            Self::Cell => "cell",
            Self::Files => "files",
            Self::Plugin => "plugin",
            Self::GateBaseline => "gate_baseline",
            Self::GateJudgement => "gate_judgement",
        }
    }
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeState {
    /// Taken.
    New,
    /// Here already.
    Same,
    /// In both with unlike contents; ours is kept.
    Conflict,
    /// It rests on something that is a conflict.
    LeftOut,
    /// Files that are not there; the cell is computed again before they are read.
    Missing,
    /// Files that are not as they were written, so not taken; the cell is computed again before they are read.
    Damaged,
}

impl MergeState {
    /// The word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Conflict => "conflict",
            Self::LeftOut => "left_out",
            Self::Missing => "missing",
            Self::Damaged => "damaged",
        }
    }
}

/// One thing of the other store, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MergeRow {
    /// What it is.
    pub kind: MergeKind,
    /// What becomes of it.
    pub state: MergeState,
    /// Key of a cell in its suite, or name.
    pub name: String,
    /// Identity of a cell.
    pub identity: Option<String>,
    /// Digest here, of a conflict.
    pub ours: Option<String>,
    /// Digest there, of a conflict.
    pub theirs: Option<String>,
    /// Bytes of files.
    pub bytes: u64,
    /// Why, where the state alone does not say.
    pub why: Option<String>,
}

impl MergeRow {
    fn new(kind: MergeKind, state: MergeState, name: impl Into<String>) -> Self {
        Self { kind, state, name: name.into(), identity: None, ours: None, theirs: None, bytes: 0, why: None }
    }

    fn of(kind: MergeKind, state: MergeState, name: &str, identity: &str) -> Self {
        Self { identity: Some(identity.to_owned()), ..Self::new(kind, state, name) }
    }

    fn unlike(self, ours: impl Into<String>, theirs: impl Into<String>) -> Self {
        Self { ours: Some(ours.into()), theirs: Some(theirs.into()), ..self }
    }
}

/// What a merge does or did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// Everything that the other store holds: suites, cells, files, plugins, gate rows.
    pub rows: Vec<MergeRow>,
    /// Numbers of the suites here that gained cells: their fits are to be made anew.
    pub suites: Vec<i64>,
}

impl Merged {
    /// Things that are in both stores with unlike contents.
    pub fn conflicts(&self) -> usize {
        self.rows.iter().filter(|row| row.state == MergeState::Conflict).count()
    }
}

impl Store {
    /// What [`Store::merge`] would do. Changes nothing.
    ///
    /// # Errors
    /// Those of [`Store::merge`] but for writing.
    pub fn merge_plan(&self, other: &Path, verify: impl Fn(&str, &CellSpec) -> Result<(), String>) -> Result<Merged, StoreError> {
        let foreign = Foreign::open(&database_of(other)?)?;
        self.refuse_itself(&foreign)?;
        let decided = foreign.read(|theirs| self.decide(&foreign, theirs, &verify))?;
        Ok(Merged { rows: decided.rows, suites: Vec::new() })
    }

    /// What [`Store::merge`] into a store that is not there yet would do. Makes none.
    ///
    /// # Errors
    /// Those of [`Store::merge_plan`]; an empty store is made among the temporary files for the moment.
    pub fn merge_plan_into_none(
        other: &Path,
        verify: impl Fn(&str, &CellSpec) -> Result<(), String>,
    ) -> Result<Merged, StoreError> {
        drop(Foreign::open(&database_of(other)?)?);
        let folder = tempfile::tempdir().map_err(|error| StoreError::io(&std::env::temp_dir(), error))?;
        Self::open_writer(folder.path())?.merge_plan(other, verify)
    }

    /// Takes suites, plans, cells with their results and files, plugins and gate rows of another store (its folder or its database) into
    /// the store in `dir`, which is made if it is not there and the other one can be taken; gives the store with what was done.
    /// `verify` says what is wrong with an identity and its definition.
    ///
    /// # Errors
    /// [`StoreError::NotMergeable`] where the other database is not what a store writes; [`StoreError::TooLarge`] where it holds more than
    /// is read; [`StoreError::Foreign`], [`StoreError::Newer`],
    /// [`StoreError::Corrupt`], [`StoreError::Missing`]. Then nothing is changed here. [`StoreError::DiskFull`] and others of writing: no row is
    /// changed. Those of [`Store::open_writer`].
    pub fn merge(
        dir: &Path,
        other: &Path,
        verify: impl Fn(&str, &CellSpec) -> Result<(), String>,
    ) -> Result<(Self, Merged), StoreError> {
        let foreign = Foreign::open(&database_of(other)?)?;
        let mut store = Self::open_writer(dir)?;
        store.refuse_itself(&foreign)?;
        let merged = foreign.read(|theirs| {
            let mut decided = store.decide(&foreign, theirs, &verify)?;
            let cell = |identity: &str| foreign.told(stored::read(theirs, identity));
            files::copy(&store, foreign.artifacts(), &cell, &mut decided)?;
            let suites = store.write(|ours| apply::apply(ours, &cell, &decided))?;
            Ok(Merged { rows: decided.rows, suites })
        })?;
        Ok((store, merged))
    }

    fn decide(
        &self,
        foreign: &Foreign,
        theirs: &Transaction<'_>,
        verify: &impl Fn(&str, &CellSpec) -> Result<(), String>,
    ) -> Result<decide::Decided, StoreError> {
        // All of theirs first, so that an error is of the store that it is told of.
        let theirs = foreign.told(theirs::read(theirs, verify))?;
        let mut decided = self.read(|ours| decide::decide(ours, theirs))?;
        let files = files::look(foreign.artifacts(), &decided.cells)?;
        decided.rows.extend(files);
        decided.rows.sort_by_key(|row| row.kind);
        Ok(decided)
    }

    fn refuse_itself(&self, foreign: &Foreign) -> Result<(), StoreError> {
        if foreign.path().parent() == Some(self.root()) {
            return Err(StoreError::invalid(format!("{} is this store itself. Name another one", foreign.path().display())));
        }
        Ok(())
    }
}

/// The database of a store that is named by its folder or by the database.
fn database_of(other: &Path) -> Result<PathBuf, StoreError> {
    let path = if other.is_dir() { other.join("store.sqlite") } else { other.to_path_buf() };
    path.canonicalize().map_err(|error| StoreError::looked_at(&path, error))
}
