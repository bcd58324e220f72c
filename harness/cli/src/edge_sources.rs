//! A digest of the sources of the plugin edge: what a plugin is compiled with, and what its host must share.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

/// The parts of `harness` that are compiled into plugins.
pub const PARTS: [&str; 6] = ["api/Cargo.toml", "api/src", "protocol/Cargo.toml", "protocol/src", "sdk/Cargo.toml", "sdk/src"];

/// Digest of the sources below a `harness` folder, by relative path and content. (The hasher's keys are fixed; both sides of a
/// comparison are compiled together.)
///
/// # Errors
/// What cannot be read.
pub fn digest(harness: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for part in PARTS {
        list(&harness.join(part), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.strip_prefix(harness).unwrap_or(&file).hash(&mut hasher);
        fs::read(&file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        list(&entry?.path(), files)?;
    }
    Ok(())
}
