//! Opening the database: whose it is, how it is set up, and bringing its schema up to date.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use clmbench_protocol::fault;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::StoreError;

/// Marks a database as ours: the letters `CLMB`.
pub(crate) const APPLICATION_ID: i64 = 0x434c_4d42;

/// How long a connection waits for another one's lock.
const BUSY: Duration = Duration::from_secs(20);

/// Forward-only migrations; the first makes schema 1. A migration that was released is never changed.
const MIGRATIONS: [&str; 6] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_protocols.sql"),
    include_str!("../migrations/0003_baselines.sql"),
    include_str!("../migrations/0004_imports.sql"),
    include_str!("../migrations/0005_statistics.sql"),
    include_str!("../migrations/0006_views.sql"),
];

/// Newest schema known here.
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Opens the database for writing, made if absent, with its schema up to date. With `check`, its pages are checked first.
pub(crate) fn open_writer(path: &Path, check: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| unopened(path, error))?;
    (|| {
        connection.busy_timeout(BUSY)?;
        // Before anything is written: a database of others is left as it is.
        let found = schema(&connection, path)?.unwrap_or(0);
        if found > KNOWN {
            return Err(StoreError::Newer { found, known: KNOWN, path: path.to_path_buf() });
        }
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::NoWriteAheadLog { path: path.to_path_buf(), mode });
        }
        set_up(&connection)?;
        // FULL: a cell that was reported as finished is on the disk, also after a loss of power. (NORMAL could lose the
        // last transactions then.) One fsync a cell is little beside computing it.
        connection.pragma_update(None, "synchronous", "FULL")?;
        if check {
            quick_check(&connection)?;
        }
        migrate(&mut connection, found)
    })()
    .map_err(|error| error.at(path))?;
    Ok(connection)
}

/// Opens the database for reading only.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    if let Err(reason) = std::fs::File::open(path) {
        return Err(StoreError::looked_at(path, reason));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unopened(path, error))?;
    match check_reader(&connection, path) {
        // A store in a folder that this user cannot write to: SQLite cannot make its shared memory there. With no log and
        // no shared memory of another's, nobody is writing to it, so it is read as it stands.
        Err(StoreError::ReadOnly { .. }) if !beside(path, "-wal").exists() && !beside(path, "-shm").exists() => {
            let connection = Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI)
                .map_err(|error| unopened(path, error))?;
            check_reader(&connection, path)?;
            Ok(connection)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(connection),
    }
}

fn check_reader(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    (|| {
        connection.busy_timeout(BUSY)?;
        let found = schema(connection, path)?;
        set_up(connection)?;
        match found {
            None | Some(0) => Err(StoreError::Missing { path: path.to_path_buf() }),
            Some(found) if found > KNOWN => Err(StoreError::Newer { found, known: KNOWN, path: path.to_path_buf() }),
            Some(found) if found < KNOWN => Err(StoreError::Older { found, known: KNOWN, path: path.to_path_buf() }),
            Some(_) => Ok(()),
        }
    })()
    .map_err(|error| error.at(path))
}

/// Tables, views, triggers and indexes by kind and name, with the text that made them. Those that SQLite makes itself are left out.
pub(crate) type Objects = BTreeMap<(String, String), String>;

/// The objects of a database.
pub(crate) fn objects(connection: &Connection) -> Result<Objects, StoreError> {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (kind, name, sql): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let of_sqlite = (kind == "index" && sql.is_none()) || (kind == "table" && name.starts_with("sqlite_stat"));
        if !of_sqlite {
            found.insert((kind, name), sql.unwrap_or_default());
        }
    }
    Ok(found)
}

/// The objects that a database of this schema has.
pub(crate) fn expected(schema: i64) -> Result<Objects, StoreError> {
    let connection = Connection::open_in_memory()?;
    let transaction = connection.unchecked_transaction()?;
    for (_, migration) in (1..=schema).zip(MIGRATIONS) {
        transaction.execute_batch(migration)?;
    }
    transaction.commit()?;
    objects(&connection)
}

/// What is there too much, too little, or in another form: name and words.
pub(crate) fn differences(expected: &Objects, found: &Objects) -> Vec<(String, String)> {
    let mut differences = Vec::new();
    for ((kind, name), sql) in found {
        match expected.get(&(kind.clone(), name.clone())) {
            None => differences.push((name.clone(), format!("a {kind} that does not belong to a store"))),
            Some(known) if known != sql => {
                differences.push((name.clone(), format!("a {kind} in another form than that of a store")))
            }
            Some(_) => {}
        }
    }
    for (kind, name) in expected.keys().filter(|object| !found.contains_key(*object)) {
        let a = if kind == "index" { "an" } else { "a" };
        differences.push((name.clone(), format!("{a} {kind} that is missing")));
    }
    differences
}

pub(crate) fn set_up(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// The schema's number; none for a file that is still empty. Refuses the databases of other applications.
pub(crate) fn schema(connection: &Connection, path: &Path) -> Result<Option<i64>, StoreError> {
    // One snapshot: between three separate reads another process could make the schema.
    let snapshot = connection.unchecked_transaction()?;
    let pragma = |name: &str| snapshot.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let application_id = pragma("application_id")?;
    let version = pragma("user_version")?;
    let tables: i64 = snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application_id, version, tables) {
        (APPLICATION_ID, version, _) => Ok(Some(version)),
        (0, 0, 0) => Ok(None),
        _ => Err(StoreError::Foreign { path: path.to_path_buf(), application_id }),
    }
}

/// Brings the schema from `found` up to date in one transaction: a reader sees the old schema or the newest.
pub(crate) fn migrate(connection: &mut Connection, found: i64) -> Result<(), StoreError> {
    if found >= KNOWN {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS) {
        if number > found {
            transaction.execute_batch(migration)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", KNOWN)?;
    fault::reach("during_migration");
    Ok(transaction.commit()?)
}

/// Checks the structure of all pages: after a crash, damage is told at once and not by wrong rows later.
pub(crate) fn quick_check(connection: &Connection) -> Result<(), StoreError> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer == "ok" { Ok(()) } else { Err(StoreError::malformed(answer)) }
}

pub(crate) fn unopened(path: &Path, error: rusqlite::Error) -> StoreError {
    if path.is_dir() {
        return StoreError::Corrupt { path: path.to_path_buf(), detail: "it is a folder".into() };
    }
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) {
        return StoreError::ReadOnly { path: path.to_path_buf() };
    }
    StoreError::sqlite(path, error)
}

/// The file that SQLite keeps beside the database.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The URI by which SQLite reads a file without locks.
pub(crate) fn immutable(path: &Path) -> String {
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .map(|letter| match letter {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("file:{escaped}?immutable=1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(folder: &Path) -> Result<Connection, StoreError> {
        open_writer(&folder.join("store.sqlite"), true)
    }

    #[test]
    fn every_connection_is_set_up() {
        let folder = tempfile::tempdir().unwrap();
        let pragma = |connection: &Connection, name: &str| -> String {
            connection
                .query_row(&format!("PRAGMA {name}"), [], |row| {
                    Ok(match row.get_ref(0)? {
                        rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                        other => other.as_i64().unwrap().to_string(),
                    })
                })
                .unwrap()
        };
        let writer = open(folder.path()).unwrap();
        assert_eq!(pragma(&writer, "journal_mode"), "wal");
        assert_eq!(pragma(&writer, "synchronous"), "2", "FULL");
        assert_eq!(pragma(&writer, "foreign_keys"), "1");
        assert_eq!(pragma(&writer, "busy_timeout"), "20000");
        assert_eq!(pragma(&writer, "application_id"), APPLICATION_ID.to_string());
        assert_eq!(pragma(&writer, "user_version"), KNOWN.to_string());
        let reader = open_reader(&folder.path().join("store.sqlite")).unwrap();
        assert_eq!(pragma(&reader, "foreign_keys"), "1");
        assert_eq!(pragma(&reader, "busy_timeout"), "20000");
        assert!(reader.execute("DELETE FROM cell", []).is_err(), "reading only");
    }

    #[test]
    fn all_tables_are_strict_and_migrating_twice_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let schema = |connection: &Connection| -> Vec<String> {
            let mut statement = connection.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let first = schema(&open(folder.path()).unwrap());
        let again = open(folder.path()).unwrap();
        assert_eq!(first, schema(&again));
        let loose: Vec<String> = again
            .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(loose.is_empty(), "{loose:?}");
    }

    #[test]
    fn a_released_migration_is_never_changed() {
        // A new schema is a new file, not another text in an old one.
        let known = [
            include_str!("../tests/golden/schema_1.blake3"),
            include_str!("../tests/golden/schema_2.blake3"),
            include_str!("../tests/golden/schema_3.blake3"),
            include_str!("../tests/golden/schema_4.blake3"),
            include_str!("../tests/golden/schema_5.blake3"),
            include_str!("../tests/golden/schema_6.blake3"),
        ];
        for (migration, known) in MIGRATIONS.iter().zip(known) {
            assert_eq!(&blake3::hash(migration.as_bytes()).to_hex()[..16], known.trim());
        }
    }

    #[test]
    fn a_newer_schema_is_refused_by_name_to_writer_and_reader() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).unwrap().pragma_update(None, "user_version", KNOWN + 4).unwrap();
        let path = folder.path().join("store.sqlite");
        for error in [open(folder.path()).unwrap_err(), open_reader(&path).unwrap_err()] {
            assert!(
                matches!(&error, StoreError::Newer { found, known: KNOWN, path: named } if *found == KNOWN + 4 && *named == path)
            );
            assert!(error.to_string().contains("Update clmbench"), "{error}");
        }
    }

    #[test]
    fn databases_of_others_are_refused_and_left_alone() {
        for application_id in [0, 77] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store.sqlite");
            let other = Connection::open(&path).unwrap();
            other.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
            other.pragma_update(None, "application_id", application_id).unwrap();
            drop(other);
            let before = std::fs::read(&path).unwrap();
            for error in [open(folder.path()).unwrap_err(), open_reader(&path).unwrap_err()] {
                assert!(matches!(error, StoreError::Foreign { application_id: found, .. } if found == application_id), "{error}");
            }
            assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }

    #[test]
    fn files_that_are_no_database_are_refused_by_name() {
        let page: Vec<u8> = (0..8_192_u32).map(|byte| (byte * 7 % 251) as u8).collect();
        for bytes in [b"hello".to_vec(), page] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store.sqlite");
            std::fs::write(&path, &bytes).unwrap();
            for error in [open(folder.path()).unwrap_err(), open_reader(&path).unwrap_err()] {
                assert!(matches!(&error, StoreError::Corrupt { path: named, .. } if *named == path), "{error:?}");
            }
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn damaged_pages_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        drop(open(folder.path()).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        bytes[4_096..length].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let error = open(folder.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { path: named, .. } if *named == path), "{error:?}");
        assert!(error.to_string().contains("store.sqlite") && error.to_string().contains("Restore"), "{error}");
    }

    #[test]
    fn a_full_disk_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = open(folder.path()).unwrap();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        // SQLite's own limit gives the same code as a full disk.
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
        let path = folder.path().join("store.sqlite");
        let transaction = connection.transaction().unwrap();
        let error = transaction
            .execute("INSERT INTO suite VALUES (1, 'a', 'b', zeroblob(0) || ?1, NULL, 0.5, '', '', 1)", ["x".repeat(1_000_000)])
            .map_err(|error| StoreError::from(error).at(&path))
            .unwrap_err();
        assert!(matches!(&error, StoreError::DiskFull { path: named } if *named == path), "{error:?}");
    }

    #[test]
    fn a_reader_beside_a_writer_that_makes_the_schema_sees_all_or_nothing() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store.sqlite");
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| open(folder.path()).map(drop));
                while !writer.is_finished() {
                    match open_reader(&path) {
                        Ok(_) | Err(StoreError::Missing { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                writer.join().unwrap().unwrap();
            });
        }
    }

    #[test]
    fn nothing_there_is_missing_for_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        assert!(matches!(open_reader(&path), Err(StoreError::Missing { .. })));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(open_reader(&path), Err(StoreError::Missing { .. })));
    }
}
