//! Files of finished cells, found by their name: tables, embeddings and molecules that lie in the artifact folders.

use clmbench_protocol::OutputFile;
use rusqlite::params;

use crate::{Store, StoreError, plan::require_suite, query::BOUND, value::from_json};

/// A file of a finished cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFile {
    /// Identity of the cell; its folder is [`Store::artifact_dir`].
    pub cell: String,
    /// The file, as the cell reported it.
    pub file: OutputFile,
    /// Digest of the weights that the cell read, if it read any.
    pub weights_digest: Option<String>,
    /// Digest of the dataset that the cell read or made, if any.
    pub data_digest: Option<String>,
}

impl Store {
    /// The files with this path of a suite's finished cells of one kind (`measure`, `embed`, ...), in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError::UnknownSuite`].
    pub fn files_named(&self, suite_id: i64, kind: &str, path: &str) -> Result<Vec<CellFile>, StoreError> {
        self.read(|snapshot| {
            require_suite(snapshot, suite_id)?;
            let mut statement = snapshot.prepare(&format!(
                "SELECT c.identity, c.files_json, c.spec_json ->> '$.checkpoint.weights_digest',
                   coalesce(c.spec_json ->> '$.data_digest', c.output_json ->> '$.data_digest')
                 FROM {BOUND} b JOIN cell c ON c.identity = b.identity
                 WHERE c.kind = ?2 AND c.files_json IS NOT NULL AND instr(c.files_json, ?3) ORDER BY b.position"
            ))?;
            let mut rows = statement.query(params![suite_id, kind, path])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let files: Vec<OutputFile> = from_json(&row.get::<_, String>(1)?, "stored files")?;
                if let Some(file) = files.into_iter().find(|file| file.path == path) {
                    found.push(CellFile { cell: row.get(0)?, file, weights_digest: row.get(2)?, data_digest: row.get(3)? });
                }
            }
            Ok(found)
        })
    }
}
