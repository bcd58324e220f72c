//! What a suite's cells were computed from and with: checkpoints, definitions, plugins, bytes on the disk.

use std::collections::BTreeMap;

use clmbench_protocol::{CellSpec, OutputFile, PluginManifest};
use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use crate::{
    Store, StoreError,
    plan::require_suite,
    query::BOUND,
    rows::optional_number,
    value::{Float, from_json, maybe},
};

/// A checkpoint of a run of a suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckpointRow {
    /// Identity of the run's pretrain cell.
    pub run: String,
    /// Folder of the checkpoint in its run.
    pub folder: String,
    /// Optimiser steps; none of a checkpoint of others.
    pub step: Option<u64>,
    /// Real tokens trained on, if known.
    pub tokens: Option<u64>,
    /// Whether its learning rate was cooled down to zero.
    pub annealed: bool,
    /// Whether it is the run's last.
    pub last: bool,
    /// Mean training loss of the last tenth of its steps, in nats a predicted token.
    #[serde(serialize_with = "optional_number")]
    pub training_loss: Option<f64>,
    /// 6 x non-embedding parameters x tokens.
    #[serde(serialize_with = "optional_number")]
    pub training_flops: Option<f64>,
    /// BLAKE3 of the weights.
    pub weights_digest: String,
}

impl Store {
    /// The checkpoints of a suite's runs, run by run in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn checkpoints(&self, suite_id: i64) -> Result<Vec<CheckpointRow>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT k.run, k.folder, k.step, coalesce(k.tokens, b.tokens), k.annealed, k.last, k.training_loss, k.training_flops, k.weights_digest
                 FROM {BOUND} b JOIN checkpoint k ON k.run = b.identity ORDER BY b.position, k.position"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(CheckpointRow {
                    run: row.get(0)?,
                    folder: row.get(1)?,
                    step: maybe(row.get(2)?)?,
                    tokens: maybe(row.get(3)?)?,
                    annealed: row.get(4)?,
                    last: row.get(5)?,
                    training_loss: row.get::<_, Option<Float>>(6)?.map(|value| value.0),
                    training_flops: row.get::<_, Option<Float>>(7)?.map(|value| value.0),
                    weights_digest: row.get(8)?,
                });
            }
            Ok(found)
        })
    }

    /// The definitions of a suite's bound cells of one kind (`tokenise_corpus`, `pretrain`, ...), in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn specs(&self, suite_id: i64, kind: &str) -> Result<Vec<CellSpec>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT c.spec_json FROM {BOUND} b JOIN cell c ON c.identity = b.identity
                 WHERE c.kind = ?2 ORDER BY b.position"
            ))?;
            let mut rows = statement.query(params![suite_id, kind])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(from_json(&row.get::<_, String>(0)?, "stored cell definition")?);
            }
            Ok(found)
        })
    }

    /// The manifests of the plugins that a suite's bound cells use, by name and version; of several files under one version,
    /// the one stored last, unless the cells name theirs.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn suite_plugins(&self, suite_id: i64) -> Result<Vec<PluginManifest>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT DISTINCT c.spec_json ->> '$.plugin.name' AS name, c.spec_json ->> '$.plugin.version' AS version,
                   c.spec_json ->> '$.plugin.digest'
                 FROM {BOUND} b JOIN cell c ON c.identity = b.identity
                 WHERE c.spec_json ->> '$.plugin.name' IS NOT NULL ORDER BY name, version"
            ))?;
            let mut of_plugin = snapshot.prepare(
                "SELECT manifest_json FROM plugin WHERE name = ?1 AND version = ?2 AND (?3 IS NULL OR digest = ?3)
                 ORDER BY used DESC LIMIT 1",
            )?;
            let mut rows = statement.query([suite_id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let named: (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let text: Option<String> =
                    of_plugin.query_row(params![named.0, named.1, named.2], |row| row.get(0)).optional()?;
                found.extend(text.map(|text| from_json(&text, "stored plugin manifest")).transpose()?);
            }
            Ok(found)
        })
    }

    /// Bytes of the files of a suite's finished cells, by identity.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn cell_bytes(&self, suite_id: i64) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT c.identity, c.files_json FROM {BOUND} b JOIN cell c ON c.identity = b.identity
                 WHERE c.files_json IS NOT NULL"
            ))?;
            let mut rows = statement.query([suite_id])?;
            let mut found = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let files: Vec<OutputFile> = from_json(&row.get::<_, String>(1)?, "stored files")?;
                found.insert(row.get(0)?, files.iter().map(|file| file.bytes).sum());
            }
            Ok(found)
        })
    }
}
