//! Where things are kept, and how a file or folder gets there so that no half-written one is ever seen.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use crate::{FetchError, Phase, Progress};

/// The cache folder: `$CLMBENCH_CACHE`, else `$XDG_CACHE_HOME/clmbench`, else `~/.cache/clmbench`. Not created here.
///
/// # Errors
/// [`FetchError::NoCacheFolder`] if none of the three variables is set.
pub fn cache_dir() -> Result<PathBuf, FetchError> {
    let cache = choose(env::var_os("CLMBENCH_CACHE"), env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))?;
    std::path::absolute(&cache).map_err(FetchError::io("find", &cache))
}

fn choose(own: Option<OsString>, xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, FetchError> {
    let set = |value: Option<OsString>| value.filter(|text| !text.is_empty()).map(PathBuf::from);
    // The XDG rule: a relative path in XDG_CACHE_HOME is to be ignored.
    set(own)
        .or_else(|| set(xdg).filter(|path| path.is_absolute()).map(|path| path.join("clmbench")))
        .or_else(|| set(home).map(|path| path.join(".cache/clmbench")))
        .ok_or(FetchError::NoCacheFolder)
}

/// Creates the folder and its parents.
pub(crate) fn folder(path: &Path) -> Result<(), FetchError> {
    fs::create_dir_all(path).map_err(FetchError::io("create", path))
}

/// The path with `.<suffix>` appended to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// Flushes a finished file to the disk and gives it its name.
pub(crate) fn publish(temporary: &Path, path: &Path) -> Result<(), FetchError> {
    File::open(temporary).and_then(|file| file.sync_all()).map_err(FetchError::io("flush", temporary))?;
    rename(temporary, path)
}

/// Renames a file or folder and flushes the folder that holds it.
pub(crate) fn rename(temporary: &Path, path: &Path) -> Result<(), FetchError> {
    fs::rename(temporary, path).map_err(FetchError::io("rename to", path))?;
    match path.parent() {
        Some(parent) => File::open(parent).and_then(|file| file.sync_all()).map_err(FetchError::io("flush", parent)),
        None => Ok(()),
    }
}

/// Writes a small file beside, flushes it and renames it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    let temporary = beside(path, &format!("partial-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(FetchError::io("write", &temporary))?;
    rename(&temporary, path)
}

/// Removes a file or a whole folder if it is there. A link is removed, never what it points to.
pub(crate) fn remove(path: &Path) -> Result<(), FetchError> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FetchError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// An exclusive lock between processes, held until dropped. The lock file itself stays, so that nobody locks a removed one.
pub(crate) struct Lock(#[allow(dead_code, reason = "closing the file gives the lock back")] File);

impl Lock {
    /// Locks `<path>.lock`; says so once if another process holds it, and waits.
    pub(crate) fn take(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Self, FetchError> {
        let path = beside(path, "lock");
        let file = File::options().create(true).append(true).open(&path).map_err(FetchError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => return Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                progress(Progress { phase: Phase::Waiting, name, done: 0, total: 0 });
            }
            Err(TryLockError::Error(error)) => return Err(FetchError::io("lock", &path)(error)),
        }
        file.lock().map_err(FetchError::io("lock", &path))?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_cache_folder_is_the_first_that_is_set() {
        let text = |s: &str| Some(OsString::from(s));
        assert_eq!(choose(text("/a"), text("/b"), text("/c")).unwrap(), Path::new("/a"));
        assert_eq!(choose(text(""), text("/b"), text("/c")).unwrap(), Path::new("/b/clmbench"));
        assert_eq!(choose(None, text("relative"), text("/c")).unwrap(), Path::new("/c/.cache/clmbench"));
        assert!(matches!(choose(None, None, None), Err(FetchError::NoCacheFolder)));
    }

    #[test]
    fn removing_a_link_leaves_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::create_dir(&target).unwrap();
        fs::write(target.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        remove(&link).unwrap();
        remove(&link).unwrap();
        assert!(target.join("kept").exists() && !link.exists());
    }

    #[test]
    fn a_second_taker_waits_for_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("thing");
        let first = Lock::take(&path, &mut |_| ()).unwrap();
        let (said, heard) = std::sync::mpsc::channel();
        let waiter = std::thread::spawn({
            let path = path.clone();
            move || Lock::take(&path, &mut |progress| said.send(progress.phase).unwrap()).map(|_| std::time::Instant::now())
        });
        assert_eq!(heard.recv().unwrap(), Phase::Waiting);
        let released = std::time::Instant::now();
        drop(first);
        assert!(waiter.join().unwrap().unwrap() >= released);
    }
}
