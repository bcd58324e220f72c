//! Digests of files, listings of folders, and writing a file so that it is there whole or not at all.

use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    path::Path,
};

use clmbench_protocol::OutputFile;
use sha2::{Digest, Sha256};

use crate::error::MoleculesError;

/// BLAKE3 of bytes, lower-case hex.
pub fn blake3_hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// SHA-256 of bytes, lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// BLAKE3 of a file, read in pieces, lower-case hex.
///
/// # Errors
/// [`MoleculesError::Io`] if it cannot be read.
pub fn blake3_file(path: &Path) -> Result<String, MoleculesError> {
    let mut hasher = blake3::Hasher::new();
    read_pieces(path, |piece| {
        hasher.update(piece);
    })?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// SHA-256 of a file, read in pieces, lower-case hex.
///
/// # Errors
/// [`MoleculesError::Io`] if it cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, MoleculesError> {
    let mut hasher = Sha256::new();
    read_pieces(path, |piece| hasher.update(piece))?;
    Ok(hex(&hasher.finalize()))
}

/// Every file in a folder and its subfolders, in the order of their paths. Links are left out.
///
/// # Errors
/// [`MoleculesError::Io`] if something cannot be read.
pub fn list_files(folder: &Path) -> Result<Vec<OutputFile>, MoleculesError> {
    let mut files = Vec::new();
    walk(folder, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Writes a file beside its place, brings it to the disk and moves it into place.
///
/// # Errors
/// [`MoleculesError::Io`] if any of it fails; an earlier file of that name is then still whole.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<(), MoleculesError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let beside = Path::new(&beside);
    let file = File::create(beside).map_err(MoleculesError::io("create", beside))?;
    let mut writer = BufWriter::with_capacity(1 << 16, file);
    write(&mut writer).map_err(MoleculesError::io("write", beside))?;
    let file = writer.into_inner().map_err(|error| MoleculesError::io("write", beside)(error.into_error()))?;
    file.sync_all().map_err(MoleculesError::io("sync", beside))?;
    drop(file);
    std::fs::rename(beside, path).map_err(MoleculesError::io("move into place", path))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            File::open(parent).and_then(|folder| folder.sync_all()).map_err(MoleculesError::io("sync", parent))
        }
        _ => Ok(()),
    }
}

/// [`write_whole`] of bytes at hand.
///
/// # Errors
/// See [`write_whole`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), MoleculesError> {
    write_whole(path, |writer| writer.write_all(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_pieces(path: &Path, mut each: impl FnMut(&[u8])) -> Result<(), MoleculesError> {
    let mut file = File::open(path).map_err(MoleculesError::io("open", path))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => each(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(MoleculesError::io("read", path)(error)),
        }
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<OutputFile>) -> Result<(), MoleculesError> {
    for entry in std::fs::read_dir(folder).map_err(MoleculesError::io("list", folder))? {
        let entry = entry.map_err(MoleculesError::io("list", folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(MoleculesError::io("look at", &path))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            walk(&path, &format!("{name}/"), files)?;
        } else if kind.is_file() {
            let bytes = entry.metadata().map_err(MoleculesError::io("look at", &path))?.len();
            files.push(OutputFile { path: name, blake3: blake3_file(&path)?, bytes });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        // FIPS 180-2 appendix B.1; BLAKE3 test vector of the empty input.
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(blake3_hex(b""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    }

    #[test]
    fn a_folder_is_listed_in_order_with_digests() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        let large = vec![7_u8; 200_000];
        write_bytes(&folder.path().join("b/two"), &large).unwrap();
        write_bytes(&folder.path().join("a"), b"abc").unwrap();
        let files = list_files(folder.path()).unwrap();
        assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a", "b/two"]);
        assert_eq!(files[1].blake3, blake3_hex(&large));
        assert_eq!((files[0].bytes, files[1].bytes), (3, 200_000));
        assert_eq!(sha256_file(&folder.path().join("a")).unwrap(), sha256_hex(b"abc"));
    }

    #[test]
    fn a_failed_write_leaves_the_earlier_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_bytes(&path, b"first").unwrap();
        let failed = write_whole(&path, |writer| {
            writer.write_all(b"sec")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(matches!(failed, Err(MoleculesError::Io { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
    }
}
