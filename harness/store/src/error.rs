//! What can go wrong with a store. Every message names the file and the next step.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process writes to the store.
    #[error(
        "the store is in use by process {pid} on {host} since {since} ({path}). \
         Wait until it ends, stop it, or choose another store with --store",
        path = path.display()
    )]
    Leased {
        /// Process that holds the lease; 0 if it could not be read.
        pid: u32,
        /// Its host.
        host: String,
        /// When it took the lease (RFC 3339, UTC).
        since: String,
        /// The lock file.
        path: PathBuf,
    },
    /// The store was written by a newer version of the tool.
    #[error(
        "{path} has schema {found}; this version of clmbench knows schemas up to {known}. \
         Update clmbench, or choose another store with --store",
        path = path.display()
    )]
    Newer {
        /// Schema of the file.
        found: i64,
        /// Newest schema known here.
        known: i64,
        /// The database.
        path: PathBuf,
    },
    /// The store has an older schema and was opened for reading only.
    #[error("{path} has the older schema {found} (now {known}). `clmbench run` brings it up to date", path = path.display())]
    Older {
        /// Schema of the file.
        found: i64,
        /// Newest schema known here.
        known: i64,
        /// The database.
        path: PathBuf,
    },
    /// The folder is on a network file system, where locks and shared memory cannot be relied on.
    #[error(
        "{path} is on a network file system ({kind}), on which SQLite cannot lock safely. \
         Choose a store on a local disk with --store or CLMBENCH_STORE",
        path = path.display()
    )]
    NetworkFileSystem {
        /// Kind of file system, such as `nfs`.
        kind: String,
        /// The folder.
        path: PathBuf,
    },
    /// There is no store here yet.
    #[error("there is no store at {path}. `clmbench run SUITE` makes one; name another one with --store", path = path.display())]
    Missing {
        /// The database that is not there.
        path: PathBuf,
    },
    /// The folder or its files cannot be written.
    #[error("{path} cannot be written. Allow writing to it, or choose another store with --store", path = path.display())]
    ReadOnly {
        /// The folder or file.
        path: PathBuf,
    },
    /// The folder or its files cannot be read.
    #[error("{path} cannot be read ({reason}). Allow reading it, or name another store with --store", path = path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A file lies where a folder belongs, or the other way round.
    #[error(
        "{path} cannot be used: it or a folder above it is of the wrong kind ({reason}). Move what lies there away, or choose another \
         store with --store",
        path = path.display()
    )]
    InTheWay {
        /// The folder or file that the store needs.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A writing call on a store that was opened for reading.
    #[error("the store {path} was opened for reading. Open it with Store::open_writer", path = path.display())]
    OpenedForReading {
        /// The database.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the disk that holds {path} is full; nothing was changed. Free some space and run again", path = path.display())]
    DiskFull {
        /// The folder or file.
        path: PathBuf,
    },
    /// The system could not read or write the database.
    #[error("{path} cannot be read or written ({detail}): its disk may be full or failing. Free some space, or check it, and run again", path = path.display())]
    DiskError {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The database file is damaged or no database.
    #[error(
        "{path} is damaged or not a database ({detail}). Restore it from a copy, or move it away and run again",
        path = path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite or a check of ours said.
        detail: String,
    },
    /// The database belongs to another application.
    #[error(
        "{path} is a database of another application (application id {application_id}). Choose another store with --store",
        path = path.display()
    )]
    Foreign {
        /// The database.
        path: PathBuf,
        /// Its application id.
        application_id: i64,
    },
    /// Another store that holds more than is read into memory.
    #[error("{path} is not taken: its table `{table}` holds {found} {unit}, and {most} are the most that are. Nothing was changed; merge the stores that it was merged from one by one", path = path.display())]
    TooLarge {
        /// The database.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// What it holds.
        found: u64,
        /// `rows` or `bytes`.
        unit: &'static str,
        /// The limit.
        most: u64,
    },
    /// Another store that holds something else than a store would.
    #[error("{path} is not taken: {detail}. Nothing was changed; take only stores that clmbench itself has written", path = path.display())]
    NotMergeable {
        /// The database, file or folder.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Write-ahead logging is not available.
    #[error(
        "{path} cannot be used with write-ahead logging (got `{mode}`). Choose a store on a local disk with --store",
        path = path.display()
    )]
    NoWriteAheadLog {
        /// The database.
        path: PathBuf,
        /// The journal mode that SQLite gave.
        mode: String,
    },
    /// Another connection held the database for too long.
    #[error("{path} stayed locked by another process. Try again when it is done", path = path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// A suite that is not stored.
    #[error("no suite {name} in the store. `clmbench run` stores suites; known: {known}")]
    UnknownSuite {
        /// The name, or number, asked for.
        name: String,
        /// Names that are there.
        known: String,
    },
    /// A cell that is not stored.
    #[error("no cell `{cell}` in the store{near}. `clmbench status --cells` lists the keys")]
    UnknownCell {
        /// Key or identity asked for.
        cell: String,
        /// Keys that hold the word, as they end the sentence; empty if there are none.
        near: String,
    },
    /// A gate baseline that is not stored.
    #[error("no gate baseline `{name}` in the store. `clmbench baseline save` stores one; known: {known}")]
    UnknownBaseline {
        /// The name asked for.
        name: String,
        /// Names that are there.
        known: String,
    },
    /// A gate baseline of this name is stored with another content.
    #[error(
        "a gate baseline `{name}` is stored already (on {created}) with another content, and is kept. Choose another name, or replace \
         it with --replace"
    )]
    BaselineExists {
        /// The name.
        name: String,
        /// When the stored one was made.
        created: String,
    },
    /// A prefix that several cells have.
    #[error("`{prefix}` is the start of several cells: {matches}. Give more digits")]
    AmbiguousCell {
        /// The prefix.
        prefix: String,
        /// Some of the identities.
        matches: String,
    },
    /// One identity with two definitions: the way identities are made is broken.
    #[error("cell {identity} is stored with another definition (first difference: {difference}). Please report this")]
    IdentityClash {
        /// The identity.
        identity: String,
        /// Where they differ.
        difference: String,
    },
    /// A finished cell was computed again with another result.
    #[error(
        "cell {identity} was computed again with another result: stored {stored}, now {found} (first difference: {difference}). \
         The stored one is kept. If the engine changed, its revision must be raised"
    )]
    Irreproducible {
        /// The identity.
        identity: String,
        /// Digest and provenance of the stored result.
        stored: String,
        /// Digest and provenance of the new one.
        found: String,
        /// Where they differ.
        difference: String,
    },
    /// A finished cell was to be started or failed.
    #[error("cell {identity} is {status} already and is never computed again")]
    Finished {
        /// The identity.
        identity: String,
        /// Its state.
        status: crate::CellStatus,
    },
    /// Data that the store does not take.
    #[error("{what}")]
    Invalid {
        /// What is wrong, with the offending value.
        what: String,
    },
    /// Reading or writing a file failed.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// Another error of SQLite.
    #[error("{path}: {source}", path = path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// Reason.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// The typed error of an I/O error on this path.
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_path_buf();
        match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path },
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
                Self::InTheWay { path, reason: source }
            }
            _ => Self::Io { path, source },
        }
    }

    /// The typed error of an I/O error on this path, where a store is only looked at.
    pub(crate) fn looked_at(path: &Path, reason: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_path_buf();
        match reason.kind() {
            ErrorKind::NotFound => Self::Missing { path },
            ErrorKind::NotADirectory | ErrorKind::IsADirectory => Self::InTheWay { path, reason },
            _ => Self::Unreadable { path, reason },
        }
    }

    /// The typed error of an SQLite error in this database.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, detail: source.to_string() },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::ReadOnly { path },
            Some(ErrorCode::SystemIoFailure) => Self::DiskError { path, detail: source.to_string() },
            _ => Self::Sqlite { path, source },
        }
    }

    /// Fills in the database's path where the error does not know it yet.
    pub(crate) fn at(self, database: &Path) -> Self {
        match self {
            Self::Sqlite { path, source } if path.as_os_str().is_empty() => Self::sqlite(database, source),
            Self::Corrupt { path, detail } if path.as_os_str().is_empty() => {
                Self::Corrupt { path: database.to_path_buf(), detail }
            }
            Self::TooLarge { path, table, found, unit, most } if path.as_os_str().is_empty() => {
                Self::TooLarge { path: database.to_path_buf(), table, found, unit, most }
            }
            other => other,
        }
    }

    /// A stored value that this version cannot make sense of.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::Corrupt { path: PathBuf::new(), detail: detail.into() }
    }

    /// Data that the store does not take.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }
}

/// Inside the crate the path is added later, by `StoreError::at`.
impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite { path: PathBuf::new(), source }
    }
}
