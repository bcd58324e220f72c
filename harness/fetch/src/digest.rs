//! SHA-256 and MD5 of files.

use std::{
    fs::File,
    io::Read,
    path::Path,
    time::{Duration, Instant},
};

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{FetchError, Phase, Progress};

/// SHA-256 of a file's bytes, as 64 lower-case hex digits.
///
/// # Errors
/// [`FetchError::Io`] if the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, FetchError> {
    sha256_file_with(path, &mut |_| ())
}

/// [`sha256_file`] with progress.
pub(crate) fn sha256_file_with(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<String, FetchError> {
    let io = |error| FetchError::io("read", path)(error);
    let mut file = File::open(path).map_err(io)?;
    let total = file.metadata().map_err(io)?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy().trim_end_matches(".partial").to_owned();
    let (mut hash, mut buffer, mut done, mut told) = (Sha256::new(), vec![0; 1 << 20], 0, Instant::now());
    loop {
        let count = file.read(&mut buffer).map_err(io)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        done += count as u64;
        if told.elapsed() > Duration::from_millis(200) {
            told = Instant::now();
            progress(Progress { phase: Phase::Checking, name: name.clone(), done, total });
        }
    }
    progress(Progress { phase: Phase::Checking, name, done, total: done });
    Ok(hex(&hash.finalize()))
}

/// The digests by which publishers pin a file, as lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digests {
    pub sha256: String,
    pub md5: String,
}

impl Digests {
    /// Those of a file.
    pub(crate) fn of(path: &Path) -> Result<Self, FetchError> {
        let io = |error| FetchError::io("read", path)(error);
        let mut file = File::open(path).map_err(io)?;
        let (mut sha256, mut md5, mut buffer) = (Sha256::new(), Md5::new(), vec![0; 1 << 20]);
        loop {
            let count = file.read(&mut buffer).map_err(io)?;
            if count == 0 {
                return Ok(Self { sha256: hex(&sha256.finalize()), md5: hex(&md5.finalize()) });
            }
            sha256.update(&buffer[..count]);
            md5.update(&buffer[..count]);
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the text is a SHA-256 as we write it.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn known_digest() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_file(file.path()).unwrap(), known);
        // RFC 1321, appendix A.5.
        assert_eq!(Digests::of(file.path()).unwrap().md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(Digests::of(file.path()).unwrap().sha256, known);
        assert!(is_sha256(known) && !is_sha256(&known.to_uppercase()) && !is_sha256("abc"));
    }
}
