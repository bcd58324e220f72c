//! The rows of a merge, in one transaction.

use std::collections::BTreeSet;

use rusqlite::{Transaction, params};

use super::{
    decide::{Decided, DecidedSuite},
    theirs::TheirPlugin,
};
use crate::{
    StoreError, plan,
    stored::StoredCell,
    typed,
    value::{Float, integer, json},
};

/// Writes everything that was decided. Returns the numbers of the suites here, of theirs and of ours alone, that gained cells.
pub(super) fn apply(
    ours: &Transaction<'_>,
    cell: &impl Fn(&str) -> Result<StoredCell, StoreError>,
    decided: &Decided,
) -> Result<Vec<i64>, StoreError> {
    // Theirs keep their order, below all of ours: a manifest that was stored here stays the one that is used.
    let first: i64 = ours.query_row("SELECT coalesce(min(used), 1) FROM plugin", [], |row| row.get(0))?;
    for (place, plugin) in decided.plugins.iter().enumerate() {
        put_plugin(ours, plugin, first - decided.plugins.len() as i64 + place as i64)?;
    }
    for (identity, taken) in &decided.cells {
        put_cell(ours, cell(identity)?, taken.known)?;
    }
    // What is new here is older than what was here, so that the newest suite stays the one that commands take.
    let oldest: i64 = ours.query_row("SELECT coalesce(min(used), 1) FROM suite", [], |row| row.get(0))?;
    let new = decided.suites.iter().filter(|suite| suite.ours.is_none()).count() as i64;
    let (mut place, mut changed) = (0, BTreeSet::new());
    for suite in &decided.suites {
        let number = match suite.ours {
            Some(number) => number,
            None => {
                place += 1;
                put_suite(ours, suite, oldest - 1 - new + place)?
            }
        };
        bind(ours, number, suite)?;
        if suite.ours.is_none() || !suite.bound.is_empty() {
            changed.insert(number);
        }
    }
    // Also suites of ours that they do not have.
    let mut planning = ours.prepare("SELECT suite_id FROM plan_cell WHERE identity = ?1")?;
    for identity in decided.cells.keys() {
        for number in planning.query_map([identity], |row| row.get(0))? {
            changed.insert(number?);
        }
    }
    for row in &decided.gate_baselines {
        ours.execute(
            "INSERT INTO gate_baseline (name, created, digest, content_json) VALUES (?1, ?2, ?3, ?4)",
            params![row.name, row.created, row.digest, row.content_json],
        )?;
    }
    for row in &decided.gate_judgements {
        ours.execute(
            "INSERT INTO gate_judgement (created, baseline, baseline_digest, candidate, verdict, content_json)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![row.created, row.baseline, row.baseline_digest, row.candidate, row.verdict, row.content_json],
        )?;
    }
    Ok(changed.into_iter().collect())
}

fn put_plugin(ours: &Transaction<'_>, plugin: &TheirPlugin, used: i64) -> Result<(), StoreError> {
    ours.execute(
        "INSERT INTO plugin (name, version, digest, path, manifest_json, used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![plugin.manifest.name, plugin.manifest.version, plugin.digest, plugin.path, json(&plugin.manifest)?, used],
    )?;
    plan::put_infos(ours, &plugin.manifest, &plugin.digest)
}

/// Texts go in as they are written there, since identities and digests are of them.
fn put_cell(ours: &Transaction<'_>, cell: StoredCell, known: bool) -> Result<(), StoreError> {
    let identity = &cell.identity;
    if !known {
        ours.prepare_cached(
            "INSERT INTO cell (identity, stage, kind, spec_json, status) VALUES (?1, ?2, ?3 ->> '$.kind', ?3, 'todo')",
        )?
        .execute(params![identity, cell.spec.stage(), cell.spec_json])?;
    }
    // Whether it is being computed elsewhere, or failed there, is nothing to this store.
    let Some(result) = &cell.result else { return Ok(()) };
    ours.prepare_cached(
        "UPDATE cell SET status = ?2, failure_kind = NULL, reason = NULL, attempts = attempts + ?3, started = ?4, finished = ?5,
           output_json = ?6, output_digest = ?7, files_json = ?8, seconds = ?9, peak_rss_bytes = ?10, device = ?11, libtorch = ?12,
           build = ?13 WHERE identity = ?1",
    )?
    .execute(params![
        identity,
        cell.status.word(),
        cell.attempts,
        cell.started,
        cell.finished,
        result.output_json,
        result.digest,
        json(&result.report.files)?,
        Float(result.report.seconds),
        integer(result.report.peak_rss_bytes)?,
        result.report.device,
        result.report.libtorch,
        result.report.build
    ])?;
    typed::put(ours, identity, &cell.spec, &result.report.output)
}

fn put_suite(ours: &Transaction<'_>, decided: &DecidedSuite, used: i64) -> Result<i64, StoreError> {
    let suite = &decided.theirs.suite;
    let number: i64 = ours.query_row(
        "INSERT INTO suite (name, digest, toml, expect, useful_effect, plan_json, created, used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
        params![
            suite.name,
            suite.digest,
            suite.toml,
            suite.expect,
            Float(suite.useful_effect),
            suite.plan_json,
            decided.theirs.created,
            used
        ],
        |row| row.get(0),
    )?;
    for (position, cell) in decided.theirs.cells.iter().enumerate() {
        ours.prepare_cached(
            "INSERT INTO plan_cell (suite_id, key, position, stage, label, note, reason, source, tokens, molecules)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            number,
            cell.key,
            position as i64,
            cell.stage,
            cell.label,
            cell.note,
            cell.reason,
            cell.source,
            cell.tokens.map(integer).transpose()?,
            cell.molecules.map(integer).transpose()?
        ])?;
    }
    for cell in &decided.theirs.cells {
        for (position, key) in cell.dependencies.iter().enumerate() {
            ours.prepare_cached("INSERT INTO plan_dependency VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                number,
                cell.key,
                position as i64,
                key
            ])?;
        }
    }
    Ok(number)
}

fn bind(ours: &Transaction<'_>, number: i64, suite: &DecidedSuite) -> Result<(), StoreError> {
    for cell in suite.theirs.cells.iter().filter(|cell| suite.bound.contains(&cell.key)) {
        ours.prepare_cached("UPDATE plan_cell SET identity = ?3 WHERE suite_id = ?1 AND key = ?2 AND note IS NULL")?
            .execute(params![number, cell.key, cell.identity])?;
    }
    Ok(())
}
