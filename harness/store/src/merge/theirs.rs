//! What another store holds, read by typed queries.

use std::collections::BTreeMap;

use clmbench_protocol::{CellSpec, OutputFile, PluginManifest};
use rusqlite::{Row, Transaction};

use super::limits;
use crate::{
    GateBaselineRow, GateJudgementRow, NewSuite, StoreError, gate,
    plan::{self, dependencies},
    stored,
    value::{Float, from_json, maybe},
};

/// Everything that another store holds but the results themselves.
pub(super) struct Theirs {
    /// By identity.
    pub cells: BTreeMap<String, TheirCell>,
    /// The oldest first.
    pub suites: Vec<TheirSuite>,
    pub plugins: Vec<TheirPlugin>,
    pub gate_baselines: Vec<GateBaselineRow>,
    pub gate_judgements: Vec<GateJudgementRow>,
}

/// A cell.
pub(super) struct TheirCell {
    pub spec_json: String,
    /// Digest of the result of a finished cell, and its files.
    pub result: Option<(String, Vec<OutputFile>)>,
}

/// A suite with its plan.
pub(super) struct TheirSuite {
    pub suite: NewSuite,
    pub created: String,
    pub cells: Vec<TheirPlanned>,
}

/// A planned cell.
pub(super) struct TheirPlanned {
    pub key: String,
    pub stage: String,
    pub label: String,
    pub identity: Option<String>,
    pub note: Option<String>,
    pub reason: Option<String>,
    pub source: Option<String>,
    pub tokens: Option<u64>,
    pub molecules: Option<u64>,
    pub dependencies: Vec<String>,
}

/// A plugin file.
pub(super) struct TheirPlugin {
    pub manifest: PluginManifest,
    pub digest: String,
    pub path: String,
}

/// Reads it all, every value as its type.
///
/// # Errors
/// [`StoreError::TooLarge`]; [`StoreError::Corrupt`] for whatever is not what a store holds.
pub(super) fn read(
    snapshot: &Transaction<'_>,
    verify: &impl Fn(&str, &CellSpec) -> Result<(), String>,
) -> Result<Theirs, StoreError> {
    limits::refuse_more(snapshot, limits::LIMITS)?;
    let mut cells = BTreeMap::new();
    for identity in stored::identities(snapshot)? {
        plan::refuse_identity(&identity).map_err(|error| StoreError::malformed(error.to_string()))?;
        let cell = stored::read(snapshot, &identity)?;
        if !stored::is_of_schema_1(&cell.spec) {
            verify(&identity, &cell.spec).map_err(|words| StoreError::malformed(format!("cell {identity}: {words}")))?;
        }
        if cell.result.as_ref().is_some_and(|result| result.intact == Some(false)) {
            return Err(StoreError::malformed(format!("the result of cell {identity} is not that of its digest")));
        }
        let result = cell.result.map(|result| (result.digest, result.report.files));
        cells.insert(identity, TheirCell { spec_json: cell.spec_json, result });
    }
    let suites = suites(snapshot)?;
    for cell in suites.iter().flat_map(|suite| &suite.cells) {
        if let Some(identity) = cell.identity.as_ref().filter(|identity| !cells.contains_key(*identity)) {
            return Err(StoreError::malformed(format!("cell `{}` is bound to {identity}, which is not there", cell.key)));
        }
    }
    Ok(Theirs {
        cells,
        suites,
        plugins: plugins(snapshot)?,
        gate_baselines: gate_baselines(snapshot)?,
        gate_judgements: gate_judgements(snapshot)?,
    })
}

/// All suites, the oldest first.
fn suites(snapshot: &Transaction<'_>) -> Result<Vec<TheirSuite>, StoreError> {
    let mut statement = snapshot
        .prepare("SELECT id, name, digest, toml, expect, useful_effect, plan_json, created FROM suite ORDER BY used, id")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let suite = NewSuite {
            name: row.get(1)?,
            digest: row.get(2)?,
            toml: row.get(3)?,
            expect: row.get(4)?,
            useful_effect: row.get::<_, Float>(5)?.0,
            plan_json: row.get(6)?,
        };
        from_json::<serde::de::IgnoredAny>(&suite.plan_json, "plan of a suite")?;
        found.push(TheirSuite { created: row.get(7)?, cells: planned(snapshot, id)?, suite });
    }
    Ok(found)
}

fn planned(snapshot: &Transaction<'_>, suite_id: i64) -> Result<Vec<TheirPlanned>, StoreError> {
    let mut needs: BTreeMap<String, Vec<String>> = dependencies(snapshot, suite_id)?;
    let mut statement = snapshot.prepare(
        "SELECT key, stage, label, identity, note, reason, source, tokens, molecules FROM plan_cell WHERE suite_id = ?1
         ORDER BY position, key",
    )?;
    let mut rows = statement.query([suite_id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        found.push(TheirPlanned {
            dependencies: needs.remove(&key).unwrap_or_default(),
            key,
            stage: row.get(1)?,
            label: row.get(2)?,
            identity: row.get(3)?,
            note: row.get(4)?,
            reason: row.get(5)?,
            source: row.get(6)?,
            tokens: maybe(row.get(7)?)?,
            molecules: maybe(row.get(8)?)?,
        });
    }
    Ok(found)
}

/// All plugins, the one stored last at the end.
fn plugins(snapshot: &Transaction<'_>) -> Result<Vec<TheirPlugin>, StoreError> {
    let mut statement = snapshot.prepare("SELECT name, version, digest, path, manifest_json FROM plugin ORDER BY used, name")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, version): (String, String) = (row.get(0)?, row.get(1)?);
        let manifest: PluginManifest = from_json(&row.get::<_, String>(4)?, "stored plugin manifest")?;
        if (&manifest.name, &manifest.version) != (&name, &version) {
            return Err(StoreError::malformed(format!("the manifest of plugin `{name}` {version} is that of another one")));
        }
        found.push(TheirPlugin { manifest, digest: row.get(2)?, path: row.get(3)? });
    }
    Ok(found)
}

/// All gate baselines, held against their digests.
fn gate_baselines(snapshot: &Transaction<'_>) -> Result<Vec<GateBaselineRow>, StoreError> {
    let rows: Vec<GateBaselineRow> = all(snapshot, &format!("{} ORDER BY name", gate::SELECT_BASELINE), gate::baseline_row)?;
    for row in &rows {
        gate::refuse_name(&row.name).map_err(|error| StoreError::malformed(error.to_string()))?;
    }
    rows.into_iter().map(gate::checked).collect()
}

/// What came out of all gates, the newest last.
fn gate_judgements(snapshot: &Transaction<'_>) -> Result<Vec<GateJudgementRow>, StoreError> {
    let rows: Vec<GateJudgementRow> = all(snapshot, &format!("{} ORDER BY id", gate::SELECT_JUDGEMENT), gate::judgement_row)?;
    for row in &rows {
        from_json::<serde::de::IgnoredAny>(&row.content_json, "what came out of a gate")?;
    }
    Ok(rows)
}

fn all<T>(snapshot: &Transaction<'_>, sql: &str, row: fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>, StoreError> {
    Ok(snapshot.prepare(sql)?.query_map([], row)?.collect::<Result<_, _>>()?)
}
