//! How much of another store is read into memory: a database of others may be of any size.

use rusqlite::Transaction;

use crate::StoreError;

/// The most that is taken of one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rows.
    pub rows: u64,
    /// Bytes of what may be long in it.
    pub bytes: u64,
}

/// A hundred times the largest suites that are known.
pub(super) const LIMITS: Limits = Limits { rows: 2_000_000, bytes: 4 << 30 };

/// Tables that are read, with all their columns that may be long: texts, blobs, and those of any type. (Counts are not listed.)
const TABLES: [(&str, &str); 8] = [
    (
        "cell",
        "identity, stage, kind, spec_json, status, failure_kind, reason, started, finished, output_json, output_digest, files_json, \
         seconds, device, libtorch, build",
    ),
    ("prediction", "identity, blake3, data"),
    ("suite", "name, digest, toml, expect, useful_effect, plan_json, created"),
    ("plan_cell", "key, stage, label, identity, note, reason, source"),
    ("plan_dependency", "key, depends_on"),
    ("plugin", "name, version, digest, path, manifest_json"),
    ("gate_baseline", "name, created, digest, content_json"),
    ("gate_judgement", "created, baseline, baseline_digest, candidate, verdict, content_json"),
];

/// Refuses a store with more.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub(super) fn refuse_more(snapshot: &Transaction<'_>, limits: Limits) -> Result<(), StoreError> {
    for (table, columns) in TABLES {
        let lengths = columns.split(", ").map(|column| format!("coalesce(octet_length({column}), 0)"));
        let bytes = lengths.fold("0".to_owned(), |sum, length| format!("{sum} + {length}"));
        let sql = format!("SELECT count(*), total({bytes}) FROM {table}");
        let (rows, bytes): (i64, f64) = snapshot.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let refused = |found: f64, unit: &'static str, most: u64| StoreError::TooLarge {
            path: std::path::PathBuf::new(),
            table,
            found: found as u64,
            unit,
            most,
        };
        if u64::try_from(rows).is_ok_and(|rows| rows > limits.rows) {
            return Err(refused(rows as f64, "rows", limits.rows));
        }
        if bytes > limits.bytes as f64 {
            return Err(refused(bytes, "bytes", limits.bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn suite(name: &str) -> crate::NewSuite {
        crate::NewSuite {
            name: name.to_owned(),
            digest: format!("digest of {name}"),
            toml: String::new(),
            expect: None,
            useful_effect: 0.5,
            plan_json: "{}".to_owned(),
        }
    }

    #[test]
    fn rows_and_bytes_are_counted_table_by_table() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = crate::Store::open_writer(folder.path()).unwrap();
        store.put_suite(&suite("a")).unwrap();
        // A column that no suite of ours makes long.
        store.put_suite(&crate::NewSuite { expect: Some("x".repeat(1000)), ..suite("b") }).unwrap();
        let look = |limits: Limits| store.read(|snapshot| refuse_more(snapshot, limits));
        let created: usize = store.suites().unwrap().iter().map(|suite| suite.created.len()).sum();
        // Of each: its name, digest, the three characters of 0.5, and `{}`.
        let held = (2 * (1 + 11 + 3 + 2) + 1000 + created) as u64;
        assert!(look(LIMITS).is_ok() && look(Limits { rows: 2, bytes: held }).is_ok());
        match look(Limits { rows: 1, bytes: 5000 }).unwrap_err() {
            StoreError::TooLarge { table: "suite", found: 2, unit: "rows", most: 1, .. } => {}
            other => panic!("{other:?}"),
        }
        match look(Limits { rows: 9, bytes: held - 1 }).unwrap_err() {
            StoreError::TooLarge { table: "suite", found, unit: "bytes", most, .. } => {
                assert_eq!((found, most), (held, held - 1));
            }
            other => panic!("{other:?}"),
        }
    }

    /// The schema itself says what may be long.
    #[test]
    fn every_column_that_may_be_long_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::Store::open_writer(folder.path()).unwrap();
        for (table, columns) in TABLES {
            let long: Vec<String> = store
                .read(|snapshot| {
                    let sql = "SELECT name FROM pragma_table_info(?1) WHERE type IN ('TEXT', 'BLOB', 'ANY') ORDER BY name";
                    Ok(snapshot.prepare(sql)?.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?)
                })
                .unwrap();
            let mut listed: Vec<&str> = columns.split(", ").collect();
            listed.sort_unstable();
            assert_eq!(listed, long, "{table}");
        }
    }
}
