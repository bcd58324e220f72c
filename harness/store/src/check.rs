//! Whether a store is whole: its pages, references, schema, definitions, results and gate baselines.

use clmbench_protocol::{CellSpec, OutputFile};
use rusqlite::Transaction;
use serde::Serialize;

use crate::{CellStatus, Store, StoreError, database, stored, value::from_json};

/// Most findings of one check that are kept.
const MOST: usize = 10_000;

/// What one check of a store found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What was checked: `pages`, `references`, `schema`, `definitions`, `results` or `gate_baselines`.
    pub check: &'static str,
    /// How many things were looked at.
    pub looked_at: u64,
    /// Those that cannot be checked, since a later schema rewrote them.
    pub rewritten: u64,
    /// What is wrong: name and words; at most 10,000.
    pub wrong: Vec<(String, String)>,
}

impl Checked {
    fn new(check: &'static str) -> Self {
        Self { check, looked_at: 0, rewritten: 0, wrong: Vec::new() }
    }

    fn add(&mut self, subject: impl Into<String>, words: impl Into<String>) {
        if self.wrong.len() < MOST {
            self.wrong.push((subject.into(), words.into()));
        }
    }
}

impl Store {
    /// Checks the database: the structure of its pages, references between rows, the schema itself, definitions and results of all
    /// cells against identities and digests, and gate baselines. `verify` says what is wrong with an identity and its definition.
    ///
    /// # Errors
    /// An error of the database that ends the check, such as a page that cannot be read.
    pub fn check(&self, verify: impl Fn(&str, &CellSpec) -> Result<(), String>) -> Result<Vec<Checked>, StoreError> {
        let mut all = self.read(|snapshot| {
            let (definitions, results) = cells(snapshot, &verify)?;
            Ok(vec![pages(snapshot)?, references(snapshot)?, schema(snapshot)?, definitions, results])
        })?;
        let mut gate = Checked::new("gate_baselines");
        for name in self.gate_baseline_names()? {
            gate.looked_at += 1;
            if let Err(error) = self.gate_baseline(&name) {
                gate.add(name, error.to_string());
            }
        }
        all.push(gate);
        Ok(all)
    }

    /// Identity, stage and files of every finished cell.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a list of files cannot be read.
    pub fn finished_files(&self) -> Result<Vec<(String, String, Vec<OutputFile>)>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot
                .prepare("SELECT identity, stage, files_json FROM cell WHERE output_json IS NOT NULL ORDER BY identity")?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((row.get(0)?, row.get(1)?, from_json(&row.get::<_, String>(2)?, "stored files")?));
            }
            Ok(found)
        })
    }

    /// Packs the database: removed rows leave no room behind. Bytes of the database with its log, before and after.
    ///
    /// # Errors
    /// [`StoreError::OpenedForReading`]; [`StoreError::DiskFull`], since a second copy is made for a while.
    pub fn vacuum(&mut self) -> Result<(u64, u64), StoreError> {
        self.write(|_| Ok(()))?;
        let before = self.database_bytes();
        self.pack()?;
        Ok((before, self.database_bytes()))
    }
}

fn pages(snapshot: &Transaction<'_>) -> Result<Checked, StoreError> {
    let mut checked = Checked::new("pages");
    checked.looked_at = snapshot.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let mut statement = snapshot.prepare(&format!("PRAGMA integrity_check({MOST})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let words: String = row.get(0)?;
        if words != "ok" {
            checked.add("store.sqlite", words);
        }
    }
    Ok(checked)
}

fn references(snapshot: &Transaction<'_>) -> Result<Checked, StoreError> {
    let mut checked = Checked::new("references");
    checked.looked_at = snapshot.query_row(
        "SELECT count(*) FROM sqlite_schema s, pragma_foreign_key_list(s.name) WHERE s.type = 'table'",
        [],
        |row| row.get(0),
    )?;
    let mut statement = snapshot.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, number, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let number = number.map_or_else(String::new, |number| number.to_string());
        checked.add(format!("{table} {number}"), format!("refers to a row of {parent} that is not there"));
    }
    Ok(checked)
}

fn schema(snapshot: &Transaction<'_>) -> Result<Checked, StoreError> {
    let mut checked = Checked::new("schema");
    let (expected, found) = (database::expected(database::KNOWN)?, database::objects(snapshot)?);
    checked.looked_at = expected.len() as u64;
    for (what, words) in database::differences(&expected, &found) {
        checked.add(what, words);
    }
    Ok(checked)
}

fn cells(
    snapshot: &Transaction<'_>,
    verify: &impl Fn(&str, &CellSpec) -> Result<(), String>,
) -> Result<(Checked, Checked), StoreError> {
    let (mut definitions, mut results) = (Checked::new("definitions"), Checked::new("results"));
    for identity in stored::identities(snapshot)? {
        definitions.looked_at += 1;
        let cell = match stored::read(snapshot, &identity) {
            Ok(cell) => cell,
            Err(StoreError::Corrupt { detail, .. }) => {
                definitions.add(identity, detail);
                continue;
            }
            Err(error) => return Err(error),
        };
        if stored::is_of_schema_1(&cell.spec) {
            definitions.rewritten += 1;
        } else if let Err(words) = verify(&identity, &cell.spec) {
            definitions.add(&identity, words);
        }
        let Some(result) = &cell.result else {
            if matches!(cell.status, CellStatus::Done | CellStatus::Diverged) {
                results.add(identity, "is finished without a result");
            }
            continue;
        };
        results.looked_at += 1;
        match result.intact {
            None => results.rewritten += 1,
            Some(true) => {}
            Some(false) => results.add(identity, "the result is not that of its digest"),
        }
    }
    Ok((definitions, results))
}
