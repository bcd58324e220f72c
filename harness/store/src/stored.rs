//! A cell's stored texts held against their digests, in a store of ours or of others.

use clmbench_protocol::{CellOutput, CellReport, CellSpec, Number};
use rusqlite::Transaction;

use crate::{
    CellStatus, StoreError, progress,
    value::{from_json, json},
};

/// How predictions stand in a stored result, which keeps them elsewhere. (Inside a JSON string the quotes would be escaped.)
const NO_PREDICTIONS: &str = "\"predictions\":[]";

/// A cell as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredCell {
    /// Identity.
    pub identity: String,
    /// State.
    pub status: CellStatus,
    /// Definition, as its text and read.
    pub spec_json: String,
    pub spec: CellSpec,
    /// Of a finished cell: its result.
    pub result: Option<StoredResult>,
    /// Why it failed.
    pub failure: (Option<String>, Option<String>),
    /// How often it was started, and when last; when it was finished.
    pub attempts: i64,
    pub started: Option<String>,
    pub finished: Option<String>,
}

/// A result as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredResult {
    /// Text without predictions.
    pub output_json: String,
    /// BLAKE3 of the text with them.
    pub digest: String,
    /// Whether the text is that of the digest; none of a text that a migration has rewritten.
    pub intact: Option<bool>,
    /// All of it.
    pub report: CellReport,
}

/// Every identity of a store, sorted.
pub(crate) fn identities(snapshot: &Transaction<'_>) -> Result<Vec<String>, StoreError> {
    let mut statement = snapshot.prepare("SELECT identity FROM cell ORDER BY identity")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Reads a cell.
///
/// # Errors
/// [`StoreError::Corrupt`] if a text of it cannot be read.
pub(crate) fn read(snapshot: &Transaction<'_>, identity: &str) -> Result<StoredCell, StoreError> {
    let mut statement = snapshot.prepare_cached(
        "SELECT status, stage, kind, spec_json, output_json, output_digest, failure_kind, reason, attempts, started, finished
         FROM cell WHERE identity = ?1",
    )?;
    let mut rows = statement.query([identity])?;
    let row = rows.next()?.ok_or_else(|| StoreError::malformed(format!("cell {identity} is gone")))?;
    let status: String = row.get(0)?;
    let status = CellStatus::from_word(&status).ok_or_else(|| StoreError::malformed(format!("status `{status}`")))?;
    let spec_json: String = row.get(3)?;
    let spec: CellSpec = from_json(&spec_json, &format!("definition of cell {identity}"))?;
    if row.get::<_, String>(1)? != spec.stage() {
        return Err(StoreError::malformed(format!("cell {identity} is not of the stage of its definition")));
    }
    let result = match (row.get::<_, Option<String>>(4)?, row.get::<_, Option<String>>(5)?) {
        (Some(output_json), Some(digest)) => {
            let report = progress::report(snapshot, identity)?
                .ok_or_else(|| StoreError::malformed(format!("no result of cell {identity}")))?;
            let intact = intact(&spec, &output_json, &digest, &report.output)?;
            Some(StoredResult { output_json, digest, intact, report })
        }
        (None, None) => None,
        _ => return Err(StoreError::malformed(format!("cell {identity} has a result without a digest, or the other way round"))),
    };
    Ok(StoredCell {
        identity: identity.to_owned(),
        status,
        spec_json,
        spec,
        result,
        failure: (row.get(6)?, row.get(7)?),
        attempts: row.get(8)?,
        started: row.get(9)?,
        finished: row.get(10)?,
    })
}

/// Whether a definition has the form of schema 1, which no plan makes any more: its identity is that of its first form.
pub(crate) fn is_of_schema_1(spec: &CellSpec) -> bool {
    matches!(spec, CellSpec::Transfer(spec) if spec.revision == 1)
}

/// Whether a stored text is the one that was digested; none where it was rewritten since.
fn intact(spec: &CellSpec, output_json: &str, digest: &str, output: &CellOutput) -> Result<Option<bool>, StoreError> {
    let text = match output {
        CellOutput::Transfer(output) => {
            let mut pieces = output_json.split(NO_PREDICTIONS);
            let mut text = pieces.next().unwrap_or_default().to_owned();
            let mut tasks = output.tasks.iter();
            for piece in pieces {
                let predictions: &[(u64, Number, Number)] = tasks.next().map_or(&[], |task| &task.predictions);
                text.push_str(&format!("\"predictions\":{}{piece}", json(predictions)?));
            }
            text
        }
        _ => output_json.to_owned(),
    };
    if blake3::hash(text.as_bytes()).to_hex().as_str() == digest {
        return Ok(Some(true));
    }
    let rewritten = match output {
        CellOutput::TokeniseCorpus(output) => output.bigram_cross_entropy.0.is_nan(),
        _ => is_of_schema_1(spec),
    };
    Ok(if rewritten { None } else { Some(false) })
}
