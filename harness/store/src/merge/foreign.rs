//! Opening the database of another store, of which nothing is trusted.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Transaction, config::DbConfig, limits::Limit};

use crate::{
    StoreError,
    database::{self, KNOWN},
    network,
};

/// Longest text, blob or row that is read: predictions for 2.7 million molecules.
const LONGEST: i32 = 64 << 20;

/// Another store, opened for reading.
pub(super) struct Foreign {
    connection: Connection,
    path: PathBuf,
    artifacts: PathBuf,
    // Last, so that the copy goes after the connection is closed.
    _copy: Option<tempfile::TempDir>,
}

impl Foreign {
    /// Opens a database and makes sure that it is a whole store of a known schema and nothing else. One of an older schema is copied
    /// and the copy brought up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        network::refuse_network(folder)?;
        let metadata = std::fs::metadata(path).map_err(|error| StoreError::looked_at(path, error))?;
        if !metadata.is_file() {
            return Err(StoreError::Corrupt { path: path.to_path_buf(), detail: "it is no file".into() });
        }
        let (connection, schema) = connect(path)?;
        let (connection, copy) = match schema {
            KNOWN => (connection, None),
            older => {
                let (connection, folder) = updated(&connection, path, older)?;
                (connection, Some(folder))
            }
        };
        Ok(Self { connection, path: path.to_path_buf(), artifacts: folder.join("artifacts"), _copy: copy })
    }

    /// The database, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of its cells' files.
    pub fn artifacts(&self) -> &Path {
        &self.artifacts
    }

    /// Runs `query` on one snapshot.
    pub fn read<T>(&self, query: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let snapshot = self.connection.unchecked_transaction().map_err(|error| told(error.into(), &self.path))?;
        query(&snapshot)
    }

    /// A result of reading it, whose error names it.
    pub fn told<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.map_err(|error| told(error, &self.path))
    }
}

/// An error of the other database by its path. A value of another type than its column has is damage.
fn told(error: StoreError, path: &Path) -> StoreError {
    use rusqlite::Error as E;
    match error {
        StoreError::Sqlite { path: of, source } if of.as_os_str().is_empty() => match source {
            E::InvalidColumnType(..) | E::FromSqlConversionFailure(..) | E::Utf8Error(..) | E::IntegralValueOutOfRange(..) => {
                StoreError::Corrupt { path: path.to_path_buf(), detail: source.to_string() }
            }
            source if source.sqlite_error_code() == Some(rusqlite::ErrorCode::TooBig) => {
                let detail = format!("a text or blob in it is longer than {LONGEST} bytes, or its tables are too complex");
                StoreError::NotMergeable { path: path.to_path_buf(), detail }
            }
            source => StoreError::sqlite(path, source),
        },
        other => other.at(path),
    }
}

/// Connects and checks: whose it is, its schema, its pages, and that it holds what a store of that schema holds and nothing else.
fn connect(path: &Path) -> Result<(Connection, i64), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| database::unopened(path, error))?;
    match checked(&connection, path).map_err(|error| told(error, path)) {
        // In a folder that cannot be written to, SQLite cannot make its shared memory. With no log and no shared memory nobody is writing.
        Err(StoreError::ReadOnly { .. })
            if !database::beside(path, "-wal").exists() && !database::beside(path, "-shm").exists() =>
        {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let connection =
                Connection::open_with_flags(database::immutable(path), flags).map_err(|error| database::unopened(path, error))?;
            let schema = checked(&connection, path).map_err(|error| told(error, path))?;
            Ok((connection, schema))
        }
        Err(error) => Err(error),
        Ok(schema) => Ok((connection, schema)),
    }
}

/// Makes a connection careful.
fn careful(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(std::time::Duration::from_secs(20))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, LONGEST),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
        (Limit::SQLITE_LIMIT_COLUMN, 200),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 10),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        // `VACUUM INTO` needs one for the copy.
        (Limit::SQLITE_LIMIT_ATTACHED, 1),
    ] {
        connection.set_limit(limit, most)?;
    }
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    database::set_up(connection)
}

fn checked(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    careful(connection)?;
    let schema = database::schema(connection, path)?;
    let schema = match schema {
        None | Some(0) => return Err(StoreError::Missing { path: path.to_path_buf() }),
        Some(found) if found > KNOWN => return Err(StoreError::Newer { found, known: KNOWN, path: path.to_path_buf() }),
        Some(found) if found < 0 => return Err(StoreError::malformed(format!("schema {found}"))),
        Some(found) => found,
    };
    // First the words of the schema, which SQLite read to open it; then pages are walked by them.
    let differences = database::differences(&database::expected(schema)?, &database::objects(connection)?);
    if let Some((name, words)) = differences.into_iter().next() {
        return Err(StoreError::NotMergeable { path: path.to_path_buf(), detail: format!("it holds `{name}`: {words}") });
    }
    database::quick_check(connection)?;
    Ok(schema)
}

/// A copy of a checked database of an older schema, brought up to date.
fn updated(connection: &Connection, path: &Path, schema: i64) -> Result<(Connection, tempfile::TempDir), StoreError> {
    let folder = tempfile::tempdir().map_err(|error| StoreError::io(&std::env::temp_dir(), error))?;
    let copy = folder.path().join("store.sqlite");
    let Some(text) = copy.to_str() else {
        return Err(StoreError::invalid(format!("the path {} is not Unicode. Set TMPDIR to another folder", copy.display())));
    };
    connection
        .pragma_update(None, "query_only", false)
        .and_then(|()| connection.execute("VACUUM INTO ?1", [text]).map(drop))
        .map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::DiskFull { path: folder.path().to_path_buf() },
            _ => told(error.into(), path),
        })?;
    let mut new = Connection::open(&copy).map_err(|error| database::unopened(&copy, error))?;
    (|| {
        careful(&new)?;
        database::migrate(&mut new, schema)?;
        new.pragma_update(None, "query_only", true)?;
        database::quick_check(&new)
    })()
    .map_err(|error| told(error, path))?;
    Ok((new, folder))
}
