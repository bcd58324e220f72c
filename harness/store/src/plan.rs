//! Plugins, suites and their plans: what is to be computed, and which identity each planned cell has.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::{CellReport, CellSpec, MetricInfo, PluginManifest};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{
    CellStatus, NewCell, NewSuite, Store, StoreError, SuiteRow, clock, progress,
    value::{Float, difference, from_json, integer, json},
};

impl Store {
    /// Stores a plugin's manifest, with the infos of its architectures and metrics; the one stored last is the one used.
    ///
    /// # Errors
    /// An error of the database.
    pub fn put_plugin(&mut self, manifest: &PluginManifest, digest: &str, path: &str) -> Result<(), StoreError> {
        self.write(|transaction| {
            let (name, version) = (&manifest.name, &manifest.version);
            let stored = json(manifest)?;
            transaction.execute(
                "INSERT INTO plugin (name, version, digest, path, manifest_json, used)
                 VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(used), 0) + 1 FROM plugin))
                 ON CONFLICT DO UPDATE SET path = excluded.path, manifest_json = excluded.manifest_json, used = excluded.used",
                params![name, version, digest, path, stored],
            )?;
            for table in ["architecture_info", "metric_info"] {
                transaction.execute(
                    &format!("DELETE FROM {table} WHERE plugin_name = ?1 AND plugin_version = ?2 AND plugin_digest = ?3"),
                    params![name, version, digest],
                )?;
            }
            put_infos(transaction, manifest, digest)
        })
    }

    /// BLAKE3 of every library file that this store has seen under this plugin name and version.
    ///
    /// # Errors
    /// An error of the database.
    pub fn plugin_digests(&self, name: &str, version: &str) -> Result<Vec<String>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot.prepare("SELECT digest FROM plugin WHERE name = ?1 AND version = ?2 ORDER BY digest")?;
            let rows = statement.query_map(params![name, version], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// What the plugins say of their metrics, by id; of several plugins with the same metric, the one stored last.
    ///
    /// # Errors
    /// An error of the database.
    pub fn metric_infos(&self) -> Result<Vec<MetricInfo>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot.prepare(
                "SELECT m.metric, m.info_json, max(p.used)
                 FROM metric_info m JOIN plugin p
                   ON p.name = m.plugin_name AND p.version = m.plugin_version AND p.digest = m.plugin_digest
                 GROUP BY m.metric ORDER BY m.metric",
            )?;
            let mut rows = statement.query([])?;
            let mut infos = Vec::new();
            while let Some(row) = rows.next()? {
                infos.push(from_json(&row.get::<_, String>(1)?, "metric info")?);
            }
            Ok(infos)
        })
    }

    /// Stores a suite, or finds it by its digest; either way it becomes the newest. Returns its number.
    ///
    /// # Errors
    /// An error of the database.
    pub fn put_suite(&mut self, suite: &NewSuite) -> Result<i64, StoreError> {
        self.write(|transaction| {
            Ok(transaction.query_row(
                "INSERT INTO suite (name, digest, toml, expect, useful_effect, plan_json, created, used)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT coalesce(max(used), 0) + 1 FROM suite))
                 ON CONFLICT (digest) DO UPDATE SET name = excluded.name, toml = excluded.toml, expect = excluded.expect,
                   useful_effect = excluded.useful_effect, plan_json = excluded.plan_json, used = excluded.used
                 RETURNING id",
                params![
                    suite.name,
                    suite.digest,
                    suite.toml,
                    suite.expect,
                    Float(suite.useful_effect),
                    suite.plan_json,
                    clock::now()
                ],
                |row| row.get(0),
            )?)
        })
    }

    /// Makes a stored suite the newest again.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn make_newest(&mut self, suite_id: i64) -> Result<(), StoreError> {
        self.write(|transaction| {
            require_suite(transaction, suite_id)?;
            transaction.execute(
                "UPDATE suite SET used = (SELECT max(used) + 1 FROM suite) WHERE id = ?1 AND used < (SELECT max(used) FROM suite)",
                [suite_id],
            )?;
            Ok(())
        })
    }

    /// All suites, the newest first.
    ///
    /// # Errors
    /// An error of the database.
    pub fn suites(&self) -> Result<Vec<SuiteRow>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot.prepare(&format!("{SELECT_SUITE} ORDER BY used DESC"))?;
            Ok(statement.query_map([], suite_row)?.collect::<Result<_, _>>()?)
        })
    }

    /// The newest suite of this name, or the newest of all.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn suite(&self, name: Option<&str>) -> Result<SuiteRow, StoreError> {
        let mut suites = self.suites()?;
        if let Some(index) = suites.iter().position(|suite| name.is_none_or(|name| suite.name == name)) {
            return Ok(suites.swap_remove(index));
        }
        let names: BTreeSet<_> = suites.iter().map(|suite| format!("`{}`", suite.name)).collect();
        Err(StoreError::UnknownSuite {
            name: name.map_or_else(String::new, |name| format!("`{name}`")),
            known: if names.is_empty() { "none".into() } else { Vec::from_iter(names).join(", ") },
        })
    }

    /// Stores a suite's plan and replaces an earlier one. A cell with the same key, stage and dependencies as before keeps
    /// its identity; notes (`refused`, `not_applicable`) are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if a key is there twice or a dependency is not in the plan; [`StoreError::UnknownSuite`].
    pub fn put_cells(&mut self, suite_id: i64, cells: &[NewCell]) -> Result<(), StoreError> {
        let keys: BTreeSet<&str> = cells.iter().map(|cell| cell.key.as_str()).collect();
        if keys.len() != cells.len() {
            return Err(StoreError::invalid("the plan holds a key twice"));
        }
        for cell in cells {
            if let Some(absent) = cell.dependencies.iter().find(|key| !keys.contains(key.as_str())) {
                let key = &cell.key;
                return Err(StoreError::invalid(format!("cell `{key}` needs `{absent}`, which is not in the plan")));
            }
        }
        self.write(|transaction| {
            require_suite(transaction, suite_id)?;
            let mut before = bound(transaction, suite_id)?;
            transaction.execute("DELETE FROM plan_cell WHERE suite_id = ?1", [suite_id])?;
            let mut insert = transaction.prepare(
                "INSERT INTO plan_cell (suite_id, key, position, stage, label, identity, source, tokens, molecules)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for (position, cell) in cells.iter().enumerate() {
                let identity = before
                    .remove(&cell.key)
                    .filter(|(stage, needs, _)| *stage == cell.stage && *needs == cell.dependencies)
                    .map(|(_, _, identity)| identity);
                let (tokens, molecules) = (cell.tokens.map(integer).transpose()?, cell.molecules.map(integer).transpose()?);
                let position = position as i64;
                insert.execute(params![
                    suite_id,
                    cell.key,
                    position,
                    cell.stage,
                    cell.label,
                    identity,
                    cell.source,
                    tokens,
                    molecules
                ])?;
            }
            let mut insert = transaction.prepare("INSERT INTO plan_dependency VALUES (?1, ?2, ?3, ?4)")?;
            for cell in cells {
                for (position, key) in cell.dependencies.iter().enumerate() {
                    insert.execute(params![suite_id, cell.key, position as i64, key])?;
                }
            }
            Ok(())
        })
    }

    /// Gives a planned cell its identity, and returns the report if a cell of this identity is finished already.
    ///
    /// Idempotent. If the key had another identity before, the cells that depend on it lose theirs, which were made from
    /// the other result.
    ///
    /// # Errors
    /// [`StoreError::IdentityClash`] if the identity is stored with another definition; [`StoreError::UnknownCell`] if the
    /// plan has no such key; [`StoreError::Invalid`] if the identity cannot be a folder's name or the stage is another.
    pub fn bind(&mut self, suite_id: i64, key: &str, identity: &str, spec: &CellSpec) -> Result<Option<CellReport>, StoreError> {
        refuse_identity(identity)?;
        if let Some(report) = self.read(|snapshot| bound_already(snapshot, suite_id, key, identity, spec))? {
            return Ok(report);
        }
        self.write(|transaction| {
            let planned: Option<(String, Option<String>)> = transaction
                .query_row(
                    "SELECT stage, identity FROM plan_cell WHERE suite_id = ?1 AND key = ?2",
                    params![suite_id, key],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let (stage, before) = planned.ok_or_else(|| StoreError::UnknownCell { cell: key.into(), near: String::new() })?;
            if stage != spec.stage() {
                return Err(StoreError::invalid(format!("cell `{key}` is planned as `{stage}`, not as `{}`", spec.stage())));
            }
            put_spec(transaction, identity, spec)?;
            transaction.execute(
                "UPDATE plan_cell SET identity = ?3, note = NULL, reason = NULL WHERE suite_id = ?1 AND key = ?2",
                params![suite_id, key, identity],
            )?;
            if before.is_some_and(|before| before != identity) {
                unbind_dependents(transaction, suite_id, key)?;
            }
            progress::report(transaction, identity)
        })
    }

    /// Notes that a planned cell does not apply to what it was crossed with.
    ///
    /// # Errors
    /// [`StoreError::UnknownCell`].
    pub fn set_not_applicable(&mut self, suite_id: i64, key: &str, reason: &str) -> Result<(), StoreError> {
        self.note(suite_id, key, CellStatus::NotApplicable, reason)
    }

    /// Notes that a planned cell is refused.
    ///
    /// # Errors
    /// [`StoreError::UnknownCell`].
    pub fn set_refused(&mut self, suite_id: i64, key: &str, reason: &str) -> Result<(), StoreError> {
        self.note(suite_id, key, CellStatus::Refused, reason)
    }

    fn note(&mut self, suite_id: i64, key: &str, note: CellStatus, reason: &str) -> Result<(), StoreError> {
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE plan_cell SET identity = NULL, note = ?3, reason = ?4 WHERE suite_id = ?1 AND key = ?2",
                params![suite_id, key, note.word(), reason],
            )?;
            if changed == 0 { Err(StoreError::UnknownCell { cell: key.into(), near: String::new() }) } else { Ok(()) }
        })
    }
}

const SELECT_SUITE: &str = "SELECT id, name, digest, toml, expect, useful_effect, plan_json, created FROM suite";

fn suite_row(row: &Row<'_>) -> rusqlite::Result<SuiteRow> {
    Ok(SuiteRow {
        id: row.get(0)?,
        name: row.get(1)?,
        digest: row.get(2)?,
        toml: row.get(3)?,
        expect: row.get(4)?,
        useful_effect: row.get::<_, Float>(5)?.0,
        plan_json: row.get(6)?,
        created: row.get(7)?,
    })
}

/// Refuses the number of a suite that is not stored.
pub(crate) fn require_suite(transaction: &Transaction<'_>, suite_id: i64) -> Result<(), StoreError> {
    let known: bool = transaction.query_row("SELECT EXISTS (SELECT 1 FROM suite WHERE id = ?1)", [suite_id], |row| row.get(0))?;
    if known { Ok(()) } else { Err(StoreError::UnknownSuite { name: format!("number {suite_id}"), known: "not asked".into() }) }
}

/// Refuses an identity that cannot be a folder's name.
pub(crate) fn refuse_identity(identity: &str) -> Result<(), StoreError> {
    if !identity.is_empty() && identity.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(());
    }
    Err(StoreError::invalid(format!("`{identity}` is no identity: only letters, digits, `-` and `_`")))
}

/// Stores what a plugin says of its architectures and metrics.
pub(crate) fn put_infos(transaction: &Transaction<'_>, manifest: &PluginManifest, digest: &str) -> Result<(), StoreError> {
    let (name, version) = (&manifest.name, &manifest.version);
    for info in &manifest.architectures {
        transaction.execute(
            "INSERT OR REPLACE INTO architecture_info VALUES (?1, ?2, ?3, ?4, ?5)",
            params![name, version, digest, info.name, json(info)?],
        )?;
    }
    for info in &manifest.metrics {
        transaction.execute(
            "INSERT OR REPLACE INTO metric_info VALUES (?1, ?2, ?3, ?4, ?5)",
            params![name, version, digest, info.id, json(info)?],
        )?;
    }
    Ok(())
}

/// The bound cells of a plan: key -> (stage, dependencies, identity).
type Bound = BTreeMap<String, (String, Vec<String>, String)>;

fn bound(transaction: &Transaction<'_>, suite_id: i64) -> Result<Bound, StoreError> {
    let mut needs = dependencies(transaction, suite_id)?;
    let mut statement =
        transaction.prepare("SELECT key, stage, identity FROM plan_cell WHERE suite_id = ?1 AND identity IS NOT NULL")?;
    let mut rows = statement.query([suite_id])?;
    let mut cells = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        let needs = needs.remove(&key).unwrap_or_default();
        cells.insert(key, (row.get(1)?, needs, row.get(2)?));
    }
    Ok(cells)
}

/// The dependencies of every cell of a plan that has any, in the order given.
pub(crate) fn dependencies(transaction: &Transaction<'_>, suite_id: i64) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut statement =
        transaction.prepare("SELECT key, depends_on FROM plan_dependency WHERE suite_id = ?1 ORDER BY key, position")?;
    let mut rows = statement.query([suite_id])?;
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        needs.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(needs)
}

/// Stores a definition, or checks it against the stored one of the same identity.
fn put_spec(transaction: &Transaction<'_>, identity: &str, spec: &CellSpec) -> Result<(), StoreError> {
    let text = json(spec)?;
    let stored: Option<String> =
        transaction.query_row("SELECT spec_json FROM cell WHERE identity = ?1", [identity], |row| row.get(0)).optional()?;
    let Some(stored) = stored else {
        let value: serde_json::Value = from_json(&text, "cell definition")?;
        let kind = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
        transaction.execute(
            "INSERT INTO cell (identity, stage, kind, spec_json, status) VALUES (?1, ?2, ?3, ?4, 'todo')",
            params![identity, spec.stage(), kind, text],
        )?;
        return Ok(());
    };
    if stored == text {
        return Ok(());
    }
    // Texts of other versions may write the same definition in another way.
    match difference(&from_json(&stored, "stored cell definition")?, &from_json(&text, "cell definition")?) {
        None => Ok(()),
        Some(difference) => Err(StoreError::IdentityClash { identity: identity.into(), difference }),
    }
}

/// Whether a key is bound to this very definition, so that there is nothing to write; then the report, if there is one.
fn bound_already(
    snapshot: &Transaction<'_>,
    suite_id: i64,
    key: &str,
    identity: &str,
    spec: &CellSpec,
) -> Result<Option<Option<CellReport>>, StoreError> {
    let same: bool = snapshot
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM plan_cell p JOIN cell c ON c.identity = p.identity
               WHERE p.suite_id = ?1 AND p.key = ?2 AND p.identity = ?3 AND p.note IS NULL AND p.stage = ?4
                 AND c.spec_json = ?5)",
        )?
        .query_row(params![suite_id, key, identity, spec.stage(), json(spec)?], |row| row.get(0))?;
    if same { progress::report(snapshot, identity).map(Some) } else { Ok(None) }
}

fn unbind_dependents(transaction: &Transaction<'_>, suite_id: i64, key: &str) -> Result<(), StoreError> {
    transaction.execute(
        "WITH RECURSIVE dependent (key) AS (
             SELECT key FROM plan_dependency WHERE suite_id = ?1 AND depends_on = ?2
             UNION
             SELECT d.key FROM plan_dependency d JOIN dependent ON d.depends_on = dependent.key WHERE d.suite_id = ?1)
         UPDATE plan_cell SET identity = NULL WHERE suite_id = ?1 AND key IN (SELECT key FROM dependent)",
        params![suite_id, key],
    )?;
    Ok(())
}
