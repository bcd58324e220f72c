//! The exclusive lease of the one writer: a lock file that is locked as long as its process lives.
//!
//! The lock is `flock` on the open file, so the kernel takes it away when the process ends in whatever way. The text in
//! the file only tells others who holds it; it is emptied in order by [`Lease::drop`], so that a text left behind by a
//! process that was killed says that the last writer did not end in order.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{StoreError, clock};

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// Host.
    pub host: String,
    /// When it took the lease.
    pub since: String,
}

/// How the lease of a store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// Nobody writes, and the last who did ended in order.
    Free,
    /// This process writes.
    Held(Holder),
    /// Nobody writes, but the last who did was killed or crashed.
    Abandoned(Holder),
}

/// Looks at a lock file without waiting and without writing. (It is locked for reading for a moment; who wants to write
/// tries more than once.)
pub(crate) fn look(path: &Path) -> LeaseState {
    let unknown = || Holder { pid: 0, host: "an unknown host".into(), since: "an unknown time".into() };
    let Ok(file) = File::open(path) else { return LeaseState::Free };
    match file.try_lock_shared() {
        // A lock that cannot be asked about is not known to be held.
        Ok(()) | Err(TryLockError::Error(_)) => match (read(path), file.metadata().map_or(0, |metadata| metadata.len())) {
            (_, 0) => LeaseState::Free,
            (holder, _) => LeaseState::Abandoned(holder.unwrap_or_else(unknown)),
        },
        Err(TryLockError::WouldBlock) => LeaseState::Held(holder_of(path).unwrap_or_else(unknown)),
    }
}

/// A held lease.
#[derive(Debug)]
pub(crate) struct Lease {
    file: File,
    unclean: bool,
}

impl Lease {
    /// Takes the lease.
    ///
    /// # Errors
    /// [`StoreError::Leased`] if another handle holds it, or an error of the file.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| StoreError::io(path, source))?;
        lock(&file, path)?;
        let holder = Holder { pid: std::process::id(), host: host(), since: clock::now() };
        let unclean = (|| {
            let unclean = file.metadata()?.len() > 0;
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(serde_json::to_string(&holder)?.as_bytes())?;
            std::io::Result::Ok(unclean)
        })()
        .map_err(|source| StoreError::io(path, source))?;
        Ok(Self { file, unclean })
    }

    /// Whether the last writer was killed or crashed.
    pub fn follows_a_crash(&self) -> bool {
        self.unclean
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The lock goes with the file in any case; a text left behind only costs a check of the database.
        let _ = self.file.set_len(0);
        // Not left to the closing of the file: a child that is just being started may share it for a moment.
        let _ = self.file.unlock();
    }
}

/// Locks the file; a few tries, since the children of a holder that was killed keep the lock until they have started.
fn lock(file: &File, path: &Path) -> Result<(), StoreError> {
    for tries in 0.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries < 10 => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::WouldBlock) => return Err(leased(path)),
            Err(TryLockError::Error(source)) => return Err(StoreError::io(path, source)),
        }
    }
    Ok(())
}

/// The error that names the holder.
fn leased(path: &Path) -> StoreError {
    let Holder { pid, host, since } =
        holder_of(path).unwrap_or(Holder { pid: 0, host: "an unknown host".into(), since: "an unknown time".into() });
    StoreError::Leased { pid, host, since, path: PathBuf::from(path) }
}

/// Who holds a lock that is held. The text may be just being written, so a few looks are taken.
fn holder_of(path: &Path) -> Option<Holder> {
    for _ in 0..20 {
        let holder = read(path);
        if holder.is_some() {
            return holder;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

fn read(path: &Path) -> Option<Holder> {
    let mut text = String::new();
    File::open(path).ok()?.take(4_096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "an unknown host".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_handle_is_told_who_holds_it_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lease");
        let lease = Lease::take(&path).unwrap();
        assert!(!lease.follows_a_crash());
        let text = std::fs::read_to_string(&path).unwrap();
        let StoreError::Leased { pid, host, since, path: named } = Lease::take(&path).unwrap_err() else {
            panic!("not leased");
        };
        assert_eq!((pid, &named), (std::process::id(), &path));
        assert!(text.contains(&host) && text.contains(&since), "{text}");
        drop(lease);
        assert!(!Lease::take(&path).unwrap().follows_a_crash());
    }

    #[test]
    fn a_look_tells_held_free_and_abandoned_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lease");
        assert_eq!(look(&path), LeaseState::Free);
        let lease = Lease::take(&path).unwrap();
        let own = |state: LeaseState| matches!(state, LeaseState::Held(holder) if holder.pid == std::process::id());
        assert!(own(look(&path)) && own(look(&path)), "looking takes nothing away");
        drop(lease);
        assert_eq!(look(&path), LeaseState::Free);
        std::fs::write(&path, "{\"pid\":7,\"host\":\"h\",\"since\":\"x\"}").unwrap();
        assert!(matches!(look(&path), LeaseState::Abandoned(holder) if holder.pid == 7 && holder.host == "h"));
        std::fs::write(&path, "{\"pid\":").unwrap();
        assert!(matches!(look(&path), LeaseState::Abandoned(holder) if holder.pid == 0));
    }

    #[test]
    fn a_text_left_behind_tells_of_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lease");
        std::fs::write(&path, "{\"pid\":1,\"host\":\"a much longer name than ours will ever be\",\"since\":\"x\"} and more")
            .unwrap();
        let lease = Lease::take(&path).unwrap();
        assert!(lease.follows_a_crash());
        assert_eq!(read(&path).unwrap().pid, std::process::id());
    }
}
