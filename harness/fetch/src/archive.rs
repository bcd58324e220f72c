//! Reads wheels as zip files and believes nothing that they say: names, kinds and sizes of entries are bounded.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};
use zip::{ZipArchive, result::ZipError};

use crate::{FetchError, Phase, Progress, digest::hex, error::shown, place};

/// More entries than any wheel that we use.
const MOST_ENTRIES: usize = 100_000;

/// A wheel whose hash has been checked, opened as a zip file whose names have been checked.
pub(crate) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    name: String,
}

/// A file that was unpacked, relative to the target folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

impl Archive {
    /// Opens the file and checks every entry's name and kind.
    pub(crate) fn open(path: &Path) -> Result<Self, FetchError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = File::open(path).map_err(FetchError::io("open", path))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| not_a_zip(&name, &error))?;
        let mut archive = Self { zip, name };
        if archive.zip.len() > MOST_ENTRIES {
            return Err(FetchError::NotAZip {
                wheel: archive.name,
                detail: format!("{} entries are more than {MOST_ENTRIES}", archive.zip.len()),
            });
        }
        for index in 0..archive.zip.len() {
            let entry = archive.zip.by_index_raw(index).map_err(|error| not_a_zip(&archive.name, &error))?;
            let entry_name = entry.name().unwrap_or("\0".into());
            let why = unsafe_name(&entry_name).or(entry.is_symlink().then_some("is a symbolic link"));
            if let Some(why) = why {
                let entry = shown(&entry_name);
                return Err(FetchError::UnsafeEntry { wheel: archive.name, entry, why });
            }
        }
        Ok(archive)
    }

    /// Writes one entry of at most `limit` bytes to `path`; returns its SHA-256.
    pub(crate) fn entry(&mut self, entry: &str, limit: u64, path: &Path) -> Result<String, FetchError> {
        let index = self
            .zip
            .index_for_name(entry)
            .ok_or_else(|| FetchError::NoSuchEntry { wheel: self.name.clone(), entry: shown(entry) })?;
        let mut hash = Sha256::new();
        self.write(index, limit, path, &mut |bytes| hash.update(bytes))?;
        Ok(hex(&hash.finalize()))
    }

    /// Unpacks the entries that `keep` names, of at most `limit` bytes together, below `folder`.
    pub(crate) fn unpack(
        &mut self,
        keep: &dyn Fn(&str) -> bool,
        limit: u64,
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Unpacked>, FetchError> {
        let mut kept = Vec::new();
        let mut total: u64 = 0;
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index_raw(index).map_err(|error| not_a_zip(&self.name, &error))?;
            let name = entry.name().map_err(|error| not_a_zip(&self.name, &error))?.into_owned();
            if entry.is_file() && keep(&name) {
                total = total.saturating_add(entry.size());
                kept.push((index, name, entry.size()));
            }
        }
        if total > limit {
            return Err(FetchError::TooLarge { wheel: self.name.clone(), entry: "all entries".into(), bytes: total, limit });
        }
        let (mut unpacked, mut done, mut told) = (Vec::new(), 0, 0);
        for (index, name, bytes) in kept {
            let path = folder.join(&name);
            place::folder(path.parent().unwrap_or(folder))?;
            let wheel = self.name.clone();
            let written = self.write(index, bytes, &path, &mut |bytes| {
                done += bytes.len() as u64;
                if done - told > 8 << 20 {
                    told = done;
                    progress(Progress { phase: Phase::Unpacking, name: wheel.clone(), done, total });
                }
            })?;
            unpacked.push(Unpacked { path: name, bytes: written });
        }
        progress(Progress { phase: Phase::Unpacking, name: self.name.clone(), done, total: done });
        Ok(unpacked)
    }

    /// Writes an entry, never more than `limit` bytes of it; returns its size.
    fn write(&mut self, index: usize, limit: u64, path: &Path, seen: &mut dyn FnMut(&[u8])) -> Result<u64, FetchError> {
        let entry = self.zip.by_index(index).map_err(|error| not_a_zip(&self.name, &error))?;
        let name = shown(&entry.name().map_err(|error| not_a_zip(&self.name, &error))?);
        let too_large = |bytes| FetchError::TooLarge { wheel: self.name.clone(), entry: name.clone(), bytes, limit };
        if entry.size() > limit {
            return Err(too_large(entry.size()));
        }
        let write_error = |error| FetchError::io("write", path)(error);
        let mut file = BufWriter::with_capacity(1 << 17, File::create(path).map_err(write_error)?);
        // The size that an entry states need not be its real one: count what comes out.
        let mut entry = entry.take(limit.saturating_add(1));
        let (mut buffer, mut written) = (vec![0; 1 << 17], 0);
        loop {
            let count = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let detail = format!("entry `{name}`: {error}");
                    return Err(FetchError::NotAZip { wheel: self.name.clone(), detail });
                }
            };
            written += count as u64;
            if written > limit {
                return Err(too_large(written));
            }
            seen(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(write_error)?;
        }
        file.flush().map_err(write_error)?;
        Ok(written)
    }
}

/// Why a name must not become a path.
fn unsafe_name(name: &str) -> Option<&'static str> {
    let plain = name.strip_suffix('/').unwrap_or(name);
    if plain.is_empty() || name.len() > 1000 {
        Some("has no name or one of over 1000 bytes")
    } else if name.starts_with('/') || name.contains('\\') || name.as_bytes().get(1) == Some(&b':') {
        Some("has an absolute path or one of another system")
    } else if name.chars().any(char::is_control) {
        Some("has control characters in its name")
    } else if plain.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        Some("leads out of its folder")
    } else {
        None
    }
}

fn not_a_zip(wheel: &str, error: &ZipError) -> FetchError {
    FetchError::NotAZip { wheel: wheel.to_owned(), detail: error.to_string() }
}

/// Writes a zip file with these entries, for tests.
#[cfg(test)]
pub(crate) fn make(path: &Path, entries: &[(&str, &[u8])]) -> std::path::PathBuf {
    use zip::write::{SimpleFileOptions, ZipWriter};
    let write = || -> zip::result::ZipResult<()> {
        let mut zip = ZipWriter::new(File::create(path)?);
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default())?;
            zip.write_all(bytes)?;
        }
        zip.finish()?;
        Ok(())
    };
    assert!(write().is_ok(), "{}", path.display());
    path.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn entries_come_out_as_they_went_in() {
        let dir = temporary();
        let wheel = make(&dir.path().join("p.whl"), &[("p/a.csv", b"abc"), ("p/b/c.txt", b"text"), ("q/no", b"no")]);
        let mut archive = Archive::open(&wheel).unwrap();
        let hash = archive.entry("p/a.csv", 3, &dir.path().join("a")).unwrap();
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"abc");
        let files = archive.unpack(&|name| name.starts_with("p/"), 7, &dir.path().join("out"), &mut |_| ()).unwrap();
        assert_eq!(files.iter().map(|f| (f.path.as_str(), f.bytes)).collect::<Vec<_>>(), [("p/a.csv", 3), ("p/b/c.txt", 4)]);
        assert_eq!(fs::read(dir.path().join("out/p/b/c.txt")).unwrap(), b"text");
        assert!(!dir.path().join("out/q").exists());
        assert!(matches!(archive.entry("p/none", 9, &dir.path().join("n")), Err(FetchError::NoSuchEntry { .. })));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../out", "p/../../out", "/etc/passwd", "p//x", "./p", "C:x", "p\\..\\x", "a\nb", ".."] {
            let dir = temporary();
            let wheel = make(&dir.path().join("p.whl"), &[("fine", b""), (name, b"x")]);
            let error = Archive::open(&wheel).err();
            assert!(matches!(error, Some(FetchError::UnsafeEntry { .. })), "{name:?}: {error:?}");
        }
    }

    #[test]
    fn a_symbolic_link_is_refused() {
        let dir = temporary();
        let path = dir.path().join("p.whl");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        zip.add_symlink("p/link", "/etc", zip::write::SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let error = Archive::open(&path).err().unwrap();
        assert!(matches!(error, FetchError::UnsafeEntry { why: "is a symbolic link", .. }), "{error}");
    }

    #[test]
    fn an_entry_over_its_pin_is_refused() {
        let dir = temporary();
        let wheel = make(&dir.path().join("p.whl"), &[("p/a", &[0; 1000])]);
        let mut archive = Archive::open(&wheel).unwrap();
        assert!(matches!(archive.entry("p/a", 999, &dir.path().join("a")), Err(FetchError::TooLarge { limit: 999, .. })));
        let all = archive.unpack(&|_| true, 999, dir.path(), &mut |_| ());
        assert!(matches!(all, Err(FetchError::TooLarge { bytes: 1000, .. })));
    }

    #[test]
    fn a_bomb_that_lies_about_its_size_stops_at_the_pin() {
        let dir = temporary();
        let zeros = vec![0; 50 << 20];
        let path = make(&dir.path().join("p.whl"), &[("p/a", &zeros)]);
        let mut bytes = fs::read(&path).unwrap();
        assert!(bytes.len() < 1 << 20, "it is a bomb");
        // State 10 bytes instead, in the local header (offset 22) and in the central directory (offset 24).
        for (signature, offset) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
            let at = bytes.windows(4).rposition(|window| window == signature).unwrap() + offset;
            assert_eq!(bytes[at..at + 4], u32::to_le_bytes(50 << 20));
            bytes[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        let out = dir.path().join("a");
        let error = Archive::open(&path).and_then(|mut archive| archive.entry("p/a", 10, &out)).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. } | FetchError::NotAZip { .. }), "{error}");
        assert!(fs::metadata(&out).map_or(0, |metadata| metadata.len()) <= 10);
    }

    #[test]
    fn truncated_and_corrupt_wheels_are_refused() {
        let dir = temporary();
        let noise: Vec<u8> = (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        let path = make(&dir.path().join("p.whl"), &[("p/a", &noise), ("p/b", b"b")]);
        let whole = fs::read(&path).unwrap();
        for length in [0, 10, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = Archive::open(&path).err();
            assert!(matches!(error, Some(FetchError::NotAZip { .. })), "{length} bytes: {error:?}");
        }
        let mut corrupt = whole.clone();
        let middle = corrupt.len() / 3;
        corrupt[middle] ^= 0x55;
        fs::write(&path, corrupt).unwrap();
        let error = Archive::open(&path).and_then(|mut archive| archive.entry("p/a", 20_000, &dir.path().join("a")));
        assert!(matches!(error, Err(FetchError::NotAZip { .. })), "{error:?}");
    }
}
