//! How much of another store is read into memory: a database of others may be of any size.

use rusqlite::Transaction;

use crate::StoreError;

/// The most that is taken of one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rows.
    pub rows: u64,
    /// Bytes of its texts.
    pub bytes: u64,
}

/// A hundred times the largest suites that are known.
pub(super) const LIMITS: Limits = Limits { rows: 2_000_000, bytes: 4 << 30 };

/// Tables that are held whole, with the columns that may be long.
const TABLES: [(&str, &str); 7] = [
    ("cell", "spec_json, files_json"),
    ("suite", "toml, plan_json"),
    ("plan_cell", "key, label, note, reason"),
    ("plan_dependency", "key, depends_on"),
    ("plugin", "path, manifest_json"),
    ("gate_baseline", "content_json"),
    ("gate_judgement", "content_json"),
];

/// Refuses a store with more.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub(super) fn refuse_more(snapshot: &Transaction<'_>, limits: Limits) -> Result<(), StoreError> {
    for (table, texts) in TABLES {
        let lengths = texts.split(", ").filter(|text| !text.is_empty()).map(|text| format!("coalesce(octet_length({text}), 0)"));
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
            return Err(refused(bytes, "bytes of text", limits.bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_and_texts_are_counted_table_by_table() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = crate::Store::open_writer(folder.path()).unwrap();
        let plan = "x".repeat(1000);
        let suite = |name: &str| crate::NewSuite {
            name: name.to_owned(),
            digest: format!("digest of {name}"),
            toml: String::new(),
            expect: None,
            useful_effect: 0.5,
            plan_json: format!("\"{plan}\""),
        };
        store.put_suite(&suite("a")).unwrap();
        store.put_suite(&suite("b")).unwrap();
        let look = |limits: Limits| store.read(|snapshot| refuse_more(snapshot, limits));
        assert!(look(LIMITS).is_ok() && look(Limits { rows: 2, bytes: 2004 }).is_ok());
        match look(Limits { rows: 1, bytes: 5000 }).unwrap_err() {
            StoreError::TooLarge { table: "suite", found: 2, unit: "rows", most: 1, .. } => {}
            other => panic!("{other:?}"),
        }
        match look(Limits { rows: 9, bytes: 2003 }).unwrap_err() {
            StoreError::TooLarge { table: "suite", found: 2004, unit: "bytes of text", most: 2003, .. } => {}
            other => panic!("{other:?}"),
        }
    }
}
