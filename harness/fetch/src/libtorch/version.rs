//! The version of a libtorch folder, read without loading it.

use std::{fs, path::Path};

/// Headers that state the version, newest layout first; a pip-installed torch has no `build-version`.
const HEADERS: [&str; 3] =
    ["include/torch/headeronly/version.h", "include/torch/csrc/api/include/torch/version.h", "torch/version.h"];

/// The version of the libtorch in this folder (the one that holds `lib` and `include`), such as `2.11.0`, without the
/// build's suffix; `None` if it does not tell.
pub fn version_of(libtorch: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(libtorch.join("build-version")) {
        let version = text.trim().split('+').next().unwrap_or_default();
        return (!version.is_empty()).then(|| version.to_owned());
    }
    HEADERS.iter().find_map(|header| from_header(&fs::read_to_string(libtorch.join(header)).ok()?))
}

fn from_header(text: &str) -> Option<String> {
    let part = |name: &str| {
        text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("#define") && words.next() == Some(name)).then(|| words.next()?.parse::<u32>().ok())?
        })
    };
    let [major, minor, patch] = ["TORCH_VERSION_MAJOR", "TORCH_VERSION_MINOR", "TORCH_VERSION_PATCH"].map(part);
    Some(format!("{}.{}.{}", major?, minor?, patch?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn from_file_and_header() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(version_of(dir.path()), None);
        let header = dir.path().join(HEADERS[1]);
        fs::create_dir_all(header.parent().unwrap()).unwrap();
        fs::write(&header, "#include <torch/headeronly/version.h>\n").unwrap();
        assert_eq!(version_of(dir.path()), None);
        let text =
            "#pragma once\n/// x\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 1\n";
        fs::write(&header, text).unwrap();
        assert_eq!(version_of(dir.path()).as_deref(), Some("2.9.1"));
        fs::write(dir.path().join("build-version"), "2.11.0+cu130\n").unwrap();
        assert_eq!(version_of(dir.path()).as_deref(), Some("2.11.0"));
    }
}
