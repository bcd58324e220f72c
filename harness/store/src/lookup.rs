//! Cells and their states.

use clmbench_protocol::CellSpec;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{
    CellDetail, CellRow, CellStatus, Store, StoreError,
    plan::{dependencies, require_suite},
    progress,
    value::{Float, count, from_json, small},
};

/// Shortest start of an identity that is looked up.
const SHORTEST_PREFIX: usize = 4;

/// How many matches an ambiguous prefix lists.
const LISTED: usize = 5;
/// Most keys that are offered for one that is not there.
const NEAR: usize = 3;

const COLUMNS: &str = "p.key, p.stage, p.label, p.identity, coalesce(p.note, c.status, 'todo'), c.failure_kind,
    coalesce(p.reason, c.reason), coalesce(c.attempts, 0), c.seconds, c.started, c.finished, c.device, c.libtorch,
    c.peak_rss_bytes, c.build,
    CASE WHEN c.status = 'running' THEN max(0.0, (julianday('now') - julianday(c.started)) * 86400.0) END";

impl Store {
    /// The cells of a suite's plan, in its order.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn cells(&self, suite_id: i64) -> Result<Vec<CellRow>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut needs = dependencies(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT {COLUMNS} FROM plan_cell p LEFT JOIN cell c ON c.identity = p.identity
                 WHERE p.suite_id = ?1 ORDER BY p.position"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut cells = Vec::new();
            while let Some(row) = rows.next()? {
                let mut cell = cell_row(row)?;
                cell.dependencies = needs.remove(&cell.key).unwrap_or_default();
                cells.push(cell);
            }
            Ok(cells)
        })
    }

    /// One cell by its key (in the newest suite that has it), or by its identity or a start of it (4 digits or more).
    ///
    /// # Errors
    /// [`StoreError::UnknownCell`] or [`StoreError::AmbiguousCell`].
    pub fn find_cell(&self, prefix_or_key: &str) -> Result<CellDetail, StoreError> {
        self.read(|snapshot| {
            if let Some(detail) = by_plan(snapshot, "p.key = ?1", prefix_or_key)? {
                return Ok(detail);
            }
            let identity = complete(snapshot, prefix_or_key)?;
            if let Some(detail) = by_plan(snapshot, "p.identity = ?1", &identity)? {
                return Ok(detail);
            }
            let row = snapshot.query_row(
                &format!(
                    "SELECT {COLUMNS} FROM cell c JOIN
                       (SELECT ?1 AS key, ?1 AS label, ?1 AS identity, NULL AS note, NULL AS reason,
                          (SELECT stage FROM cell WHERE identity = ?1) AS stage) p ON p.identity = c.identity"
                ),
                [&identity],
                |row| Ok(cell_row(row)),
            )??;
            detail(snapshot, None, row, Vec::new())
        })
    }
}

/// The cell of the newest suite whose plan fulfils the condition.
fn by_plan(snapshot: &Transaction<'_>, condition: &str, value: &str) -> Result<Option<CellDetail>, StoreError> {
    let found = snapshot
        .query_row(
            &format!(
                "SELECT {COLUMNS}, s.name, s.id FROM plan_cell p JOIN suite s ON s.id = p.suite_id
                   LEFT JOIN cell c ON c.identity = p.identity
                 WHERE {condition} ORDER BY s.used DESC, p.position LIMIT 1"
            ),
            [value],
            |row| Ok((cell_row(row), row.get::<_, String>(16)?, row.get::<_, i64>(17)?)),
        )
        .optional()?;
    let Some((row, suite, suite_id)) = found else { return Ok(None) };
    let mut row = row?;
    let mut statement =
        snapshot.prepare("SELECT depends_on FROM plan_dependency WHERE suite_id = ?1 AND key = ?2 ORDER BY position")?;
    row.dependencies = statement.query_map(params![suite_id, row.key], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut statement = snapshot.prepare(
        "SELECT d.key FROM plan_dependency d JOIN plan_cell p ON p.suite_id = d.suite_id AND p.key = d.key
         WHERE d.suite_id = ?1 AND d.depends_on = ?2 ORDER BY p.position",
    )?;
    let needed_by = statement.query_map(params![suite_id, row.key], |row| row.get(0))?.collect::<Result<_, _>>()?;
    detail(snapshot, Some(suite), row, needed_by).map(Some)
}

fn detail(
    snapshot: &Transaction<'_>,
    suite: Option<String>,
    row: CellRow,
    needed_by: Vec<String>,
) -> Result<CellDetail, StoreError> {
    let (mut spec, mut report) = (None::<CellSpec>, None);
    if let Some(identity) = &row.identity {
        let text: String = snapshot.query_row("SELECT spec_json FROM cell WHERE identity = ?1", [identity], |row| row.get(0))?;
        spec = Some(from_json(&text, "stored cell definition")?);
        report = progress::report(snapshot, identity)?;
    }
    let output = report.as_ref().map(|report| report.output.clone());
    Ok(CellDetail { suite, row, needed_by, spec, output, report })
}

/// The one identity that starts like this.
fn complete(snapshot: &Transaction<'_>, prefix: &str) -> Result<String, StoreError> {
    let exact: Option<String> =
        snapshot.query_row("SELECT identity FROM cell WHERE identity = ?1", [prefix], |row| row.get(0)).optional()?;
    if let Some(identity) = exact {
        return Ok(identity);
    }
    if prefix.chars().count() < SHORTEST_PREFIX {
        return Err(unknown(snapshot, prefix)?);
    }
    let mut statement = snapshot.prepare(
        "SELECT c.identity, (SELECT p.key FROM plan_cell p WHERE p.identity = c.identity ORDER BY p.suite_id DESC LIMIT 1)
         FROM cell c WHERE substr(c.identity, 1, length(?1)) = ?1 ORDER BY c.identity LIMIT ?2",
    )?;
    let mut matches: Vec<(String, Option<String>)> = statement
        .query_map(params![prefix, LISTED as i64 + 1], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    match matches.len() {
        0 => Err(unknown(snapshot, prefix)?),
        1 => Ok(matches.swap_remove(0).0),
        count => {
            let short = |(identity, key): &(String, Option<String>)| {
                let start: String = identity.chars().take(16).collect();
                key.as_ref().map_or_else(|| start.clone(), |key| format!("{start} ({key})"))
            };
            let mut listed: Vec<String> = matches.iter().take(LISTED).map(short).collect();
            if count > LISTED {
                listed.push("and more".into());
            }
            Err(StoreError::AmbiguousCell { prefix: prefix.to_owned(), matches: listed.join(", ") })
        }
    }
}

fn cell_row(row: &Row<'_>) -> Result<CellRow, StoreError> {
    let status: String = row.get(4)?;
    Ok(CellRow {
        key: row.get(0)?,
        stage: row.get(1)?,
        label: row.get(2)?,
        identity: row.get(3)?,
        status: CellStatus::from_word(&status).ok_or_else(|| StoreError::malformed(format!("status `{status}`")))?,
        failure_kind: row.get(5)?,
        reason: row.get(6)?,
        attempts: small(row.get(7)?)?,
        seconds: row.get::<_, Option<Float>>(8)?.map(|seconds| seconds.0),
        elapsed: row.get(15)?,
        started: row.get(9)?,
        finished: row.get(10)?,
        dependencies: Vec::new(),
        device: row.get(11)?,
        libtorch: row.get(12)?,
        peak_rss_bytes: row.get::<_, Option<i64>>(13)?.map(count).transpose()?,
        build: row.get(14)?,
    })
}

/// That there is no such cell, with the keys of the newest suite that hold the word (or the pattern without its ends).
fn unknown(snapshot: &Transaction<'_>, cell: &str) -> Result<StoreError, StoreError> {
    let word = cell.trim_matches(['*', '/', ' ']);
    let mut keys: Vec<String> = Vec::new();
    if !word.is_empty() {
        let mut statement = snapshot.prepare(
            "SELECT key FROM plan_cell WHERE suite_id = (SELECT id FROM suite ORDER BY used DESC LIMIT 1) AND instr(key, ?1)
             ORDER BY position LIMIT ?2",
        )?;
        keys = statement.query_map(params![word, NEAR as i64 + 1], |row| row.get(0))?.collect::<Result<_, _>>()?;
    }
    let more = if keys.len() > NEAR { " and more" } else { "" };
    keys.truncate(NEAR);
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    let near = if keys.is_empty() { String::new() } else { format!("; cells of that word: {}{more}", keys.join(", ")) };
    Ok(StoreError::UnknownCell { cell: cell.to_owned(), near })
}
