//! The gate's own rows: baselines that candidates are compared with, and what came out.

use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::{Store, StoreError, clock};

/// Longest name of a gate baseline, in characters.
const LONGEST_NAME: usize = 100;

/// A gate baseline: what a candidate is compared with, frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateBaselineRow {
    /// Name; letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// When it was stored (RFC 3339, UTC).
    pub created: String,
    /// BLAKE3 of the content.
    pub digest: String,
    /// Scores, predictions, splits and margins, as JSON.
    #[serde(skip_serializing)]
    pub content_json: String,
}

/// What came out of one gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateJudgementRow {
    /// Number in this store, from 1.
    pub id: i64,
    /// When it was stored (RFC 3339, UTC).
    pub created: String,
    /// Name of the gate baseline.
    pub baseline: String,
    /// Digest of the gate baseline at that time.
    pub baseline_digest: String,
    /// What was judged.
    pub candidate: String,
    /// `worse`, `not_worse` or `cannot_tell`.
    pub verdict: String,
    /// Everything else, as JSON.
    #[serde(skip_serializing)]
    pub content_json: String,
}

impl Store {
    /// Stores a gate baseline; one of the same name is replaced only if `replace`. Returns the stored row. The same content under
    /// the same name changes nothing.
    ///
    /// # Errors
    /// [`StoreError::BaselineExists`]; [`StoreError::Invalid`] for a name or a content that cannot be stored.
    pub fn put_gate_baseline(&mut self, name: &str, content_json: &str, replace: bool) -> Result<GateBaselineRow, StoreError> {
        refuse_name(name)?;
        refuse_text(content_json)?;
        let digest = blake3::hash(content_json.as_bytes()).to_hex().to_string();
        self.write(|transaction| {
            let stored = transaction.query_row(&format!("{SELECT_BASELINE} WHERE name = ?1"), [name], baseline_row).optional()?;
            match stored {
                Some(stored) if stored.digest == digest => return Ok(stored),
                Some(stored) if !replace => {
                    return Err(StoreError::BaselineExists { name: name.into(), created: stored.created });
                }
                _ => {}
            }
            transaction.execute(
                "INSERT OR REPLACE INTO gate_baseline (name, created, digest, content_json) VALUES (?1, ?2, ?3, ?4)",
                params![name, clock::now(), digest, content_json],
            )?;
            Ok(transaction.query_row(&format!("{SELECT_BASELINE} WHERE name = ?1"), [name], baseline_row)?)
        })
    }

    /// All gate baselines, by name.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a content is not that of its digest.
    pub fn gate_baselines(&self) -> Result<Vec<GateBaselineRow>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot.prepare(&format!("{SELECT_BASELINE} ORDER BY name"))?;
            let rows: Vec<_> = statement.query_map([], baseline_row)?.collect::<Result<_, _>>()?;
            rows.into_iter().map(checked).collect()
        })
    }

    /// One gate baseline.
    ///
    /// # Errors
    /// [`StoreError::UnknownBaseline`], which names those that are there; [`StoreError::Corrupt`] if the content is not that of its
    /// digest.
    pub fn gate_baseline(&self, name: &str) -> Result<GateBaselineRow, StoreError> {
        let found = self.read(|snapshot| {
            let row = snapshot.query_row(&format!("{SELECT_BASELINE} WHERE name = ?1"), [name], baseline_row).optional()?;
            row.map(checked).transpose()
        })?;
        found.map_or_else(|| Err(self.unknown_baseline(name)?), Ok)
    }

    /// Removes a gate baseline. Judgements that were made with it stay, with its digest.
    ///
    /// # Errors
    /// [`StoreError::UnknownBaseline`].
    pub fn remove_gate_baseline(&mut self, name: &str) -> Result<(), StoreError> {
        match self.write(|transaction| Ok(transaction.execute("DELETE FROM gate_baseline WHERE name = ?1", [name])?))? {
            0 => Err(self.unknown_baseline(name)?),
            _ => Ok(()),
        }
    }

    /// Names of all gate baselines, whatever state they are in.
    pub(crate) fn gate_baseline_names(&self) -> Result<Vec<String>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot.prepare("SELECT name FROM gate_baseline ORDER BY name")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }

    fn unknown_baseline(&self, name: &str) -> Result<StoreError, StoreError> {
        let known: Vec<String> = self.gate_baseline_names()?.iter().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Ok(StoreError::UnknownBaseline { name: name.to_owned(), known })
    }

    /// Stores what came out of a gate. Returns the stored row.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a content that is no JSON.
    pub fn put_gate_judgement(
        &mut self,
        baseline: &str,
        baseline_digest: &str,
        candidate: &str,
        verdict: &str,
        content_json: &str,
    ) -> Result<GateJudgementRow, StoreError> {
        refuse_text(content_json)?;
        self.write(|transaction| {
            let id: i64 = transaction.query_row(
                "INSERT INTO gate_judgement (created, baseline, baseline_digest, candidate, verdict, content_json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
                params![clock::now(), baseline, baseline_digest, candidate, verdict, content_json],
                |row| row.get(0),
            )?;
            Ok(transaction.query_row(&format!("{SELECT_JUDGEMENT} WHERE id = ?1"), [id], judgement_row)?)
        })
    }

    /// What came out of all gates, the newest last.
    ///
    /// # Errors
    /// An error of the database.
    pub fn gate_judgements(&self) -> Result<Vec<GateJudgementRow>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot.prepare(&format!("{SELECT_JUDGEMENT} ORDER BY id"))?;
            Ok(statement.query_map([], judgement_row)?.collect::<Result<_, _>>()?)
        })
    }
}

pub(crate) const SELECT_BASELINE: &str = "SELECT name, created, digest, content_json FROM gate_baseline";

pub(crate) const SELECT_JUDGEMENT: &str =
    "SELECT id, created, baseline, baseline_digest, candidate, verdict, content_json FROM gate_judgement";

pub(crate) fn baseline_row(row: &Row<'_>) -> rusqlite::Result<GateBaselineRow> {
    Ok(GateBaselineRow { name: row.get(0)?, created: row.get(1)?, digest: row.get(2)?, content_json: row.get(3)? })
}

pub(crate) fn judgement_row(row: &Row<'_>) -> rusqlite::Result<GateJudgementRow> {
    Ok(GateJudgementRow {
        id: row.get(0)?,
        created: row.get(1)?,
        baseline: row.get(2)?,
        baseline_digest: row.get(3)?,
        candidate: row.get(4)?,
        verdict: row.get(5)?,
        content_json: row.get(6)?,
    })
}

/// A gate baseline whose content is what was frozen.
pub(crate) fn checked(row: GateBaselineRow) -> Result<GateBaselineRow, StoreError> {
    if blake3::hash(row.content_json.as_bytes()).to_hex().as_str() == row.digest {
        return Ok(row);
    }
    Err(StoreError::malformed(format!("the content of gate baseline `{}` is not that of its digest", row.name)))
}

/// Refuses a name that could not be typed or shown.
pub(crate) fn refuse_name(name: &str) -> Result<(), StoreError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts && name.len() <= LONGEST_NAME && name.bytes().all(plain) {
        return Ok(());
    }
    Err(StoreError::invalid(format!(
        "`{}` is no name of a gate baseline: at most {LONGEST_NAME} letters, digits, `.`, `-` and `_`, the first a letter or a digit",
        name.chars().take(LONGEST_NAME).collect::<String>()
    )))
}

fn refuse_text(content_json: &str) -> Result<(), StoreError> {
    serde_json::from_str::<serde::de::IgnoredAny>(content_json)
        .map(drop)
        .map_err(|error| StoreError::invalid(format!("the content is no JSON: {error}")))
}
