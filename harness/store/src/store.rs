//! The handle on a store: folders, lease, connection, and how transactions are made.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{
    StoreError, database,
    lease::{self, Lease, LeaseState},
    network,
};

/// A store folder: `store.sqlite`, the lock file `lease`, and the folders `artifacts`, `work` and `logs`.
///
/// One process writes at a time ([`Store::open_writer`] takes an exclusive lease that dies with the process); any number
/// may read meanwhile ([`Store::open_reader`]). Every writing call is one transaction.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    database: PathBuf,
    root: PathBuf,
    recovered: u64,
    // Last, so that the lease goes after the connection is closed.
    lease: Option<Lease>,
}

impl Store {
    /// Opens the store for writing: makes what is absent, takes the lease, brings the schema up to date, and sets cells
    /// that a dead process left `running` back to `todo` ([`Store::recovered`]).
    ///
    /// # Errors
    /// Among others [`StoreError::Leased`], [`StoreError::Newer`], [`StoreError::NetworkFileSystem`],
    /// [`StoreError::Invalid`] (a path that is not Unicode), [`StoreError::ReadOnly`], [`StoreError::DiskFull`], [`StoreError::Corrupt`], [`StoreError::Foreign`].
    pub fn open_writer(dir: &Path) -> Result<Self, StoreError> {
        make_folder(dir)?;
        let root = dir.canonicalize().map_err(|source| StoreError::io(dir, source))?;
        if root.to_str().is_none() {
            // Workers get paths as JSON, which holds only Unicode.
            let path = root.display();
            return Err(StoreError::invalid(format!("the path {path} is not Unicode. Choose another store with --store")));
        }
        network::refuse_network(&root)?;
        let lease = Lease::take(&root.join("lease"))?;
        for folder in ["artifacts", "work", "logs"] {
            make_folder(&root.join(folder))?;
        }
        let database = root.join("store.sqlite");
        let connection = database::open_writer(&database, lease.follows_a_crash())?;
        let mut store = Self { connection, database, root, recovered: 0, lease: Some(lease) };
        // The lease is ours, so whoever was computing them is dead.
        let recovered = store
            .write(|transaction| Ok(transaction.execute("UPDATE cell SET status = 'todo' WHERE status = 'running'", [])?))?;
        store.recovered = recovered as u64;
        Ok(store)
    }

    /// Opens the store for reading. Works while another process writes; calls that write are refused.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none yet, [`StoreError::Unreadable`], [`StoreError::Older`] if its schema must be brought up to date first,
    /// and those of [`Store::open_writer`] but for the lease.
    pub fn open_reader(dir: &Path) -> Result<Self, StoreError> {
        let root = dir.canonicalize().map_err(|reason| StoreError::looked_at(&dir.join("store.sqlite"), reason))?;
        network::refuse_network(&root)?;
        let database = root.join("store.sqlite");
        let connection = database::open_reader(&database)?;
        Ok(Self { connection, database, root, recovered: 0, lease: None })
    }

    /// Cells that a dead process had left `running` when this writer opened the store.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Whether a process writes to the store now, looked at without waiting and without writing.
    pub fn lease_state(&self) -> LeaseState {
        lease::look(&self.root.join("lease"))
    }

    /// Refuses to go on while another process writes to the store.
    ///
    /// # Errors
    /// [`StoreError::Leased`], which names the process.
    pub fn refuse_held(&self) -> Result<(), StoreError> {
        match self.lease_state() {
            LeaseState::Held(holder) if self.lease.is_none() => {
                let lease::Holder { pid, host, since } = holder;
                Err(StoreError::Leased { pid, host, since, path: self.root.join("lease") })
            }
            _ => Ok(()),
        }
    }

    /// The store folder (absolute).
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of a finished cell's files.
    pub fn artifact_dir(&self, identity: &str) -> PathBuf {
        self.root.join("artifacts").join(identity)
    }

    /// Folder in which a cell's files are made.
    pub fn work_dir(&self, identity: &str) -> PathBuf {
        self.root.join("work").join(identity)
    }

    /// Log of a cell.
    pub fn log_path(&self, identity: &str) -> PathBuf {
        self.root.join("logs").join(format!("{identity}.log"))
    }

    /// Runs `change` in one transaction, which is committed if it returns Ok and else undone.
    pub(crate) fn write<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.lease.is_none() {
            return Err(StoreError::OpenedForReading { path: self.database.clone() });
        }
        let connection = &mut self.connection;
        (|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })()
        .map_err(|error: StoreError| error.at(&self.database))
    }

    /// Gives the room of removed rows back to the disk. A courtesy: a reader that is looking, or a full disk, prevents it.
    pub(crate) fn give_back_room(&mut self) {
        let _ = self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
    }

    /// [`Store::give_back_room`], where it is what was asked for.
    pub(crate) fn pack(&mut self) -> Result<(), StoreError> {
        let pack = "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
        self.connection.execute_batch(pack).map_err(|error| StoreError::from(error).at(&self.database))
    }

    /// Bytes of the database with its log.
    pub(crate) fn database_bytes(&self) -> u64 {
        let bytes = |path: PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        bytes(self.database.clone()) + bytes(database::beside(&self.database, "-wal"))
    }

    /// Runs `query` on one snapshot.
    pub(crate) fn read<T>(&self, query: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        (|| {
            let snapshot = self.connection.unchecked_transaction()?;
            query(&snapshot)
        })()
        .map_err(|error: StoreError| error.at(&self.database))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.lease.is_some() {
            // A writer that ends in order leaves no cell marked as running. If this fails, the next writer does it.
            let _ = self.connection.execute("UPDATE cell SET status = 'todo' WHERE status = 'running'", []);
        }
    }
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(|source| StoreError::io(folder, source))
}
