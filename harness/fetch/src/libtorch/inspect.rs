//! Which libtorch a checkout or an executable would use, without loading it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::version_of;
use crate::catalogue::TORCH_VERSION;

/// Libraries that must be there.
const NEEDED: [&str; 2] = ["libc10.so", "libtorch_cpu.so"];

/// What [`inspect`] found; shown, it is one line with the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibtorchState {
    /// The needed version, with its libraries.
    Present {
        /// The folder that holds `lib`.
        path: PathBuf,
        /// Its version.
        version: String,
        /// Whether it has the CUDA libraries.
        cuda: bool,
    },
    /// Nothing, or not a whole libtorch.
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// Libraries that are not there.
        missing: Vec<String>,
    },
    /// Another version.
    WrongVersion {
        /// The folder that holds `lib`.
        path: PathBuf,
        /// Its version; empty if it does not tell.
        found: String,
        /// The needed one.
        wanted: String,
    },
}

impl LibtorchState {
    /// Whether workers and plugins can use it.
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::Present { .. })
    }

    /// What to do; `None` if all is well.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Present { .. } => None,
            Self::Missing { .. } => Some("run `cargo xtask setup` in the checkout (it may be run again at any time)"),
            Self::WrongVersion { .. } => Some(
                "unset LIBTORCH, or point it to a libtorch of the needed version, then run `cargo xtask setup` in the checkout",
            ),
        }
    }
}

impl fmt::Display for LibtorchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present { path, version, cuda } => {
                write!(f, "libtorch {version} ({}) in {}", if *cuda { "CUDA" } else { "CPU" }, path.display())?;
            }
            Self::Missing { path, missing } => write!(f, "no libtorch in {}: {} missing", path.display(), missing.join(", "))?,
            Self::WrongVersion { path, found, wanted } => {
                let found = if found.is_empty() { "of unknown version" } else { found };
                write!(f, "libtorch {found} in {}, but {wanted} is needed", path.display())?;
            }
        }
        self.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// Looks for `third_party/libtorch/torch` from a checkout, or from an executable of one (`target/<profile>/<name>` and
/// `target/<profile>/deps/<name>`, as the run paths of our binaries do). Takes under a millisecond.
pub fn inspect(checkout_or_exe: &Path) -> LibtorchState {
    let start = if checkout_or_exe.is_dir() { Some(checkout_or_exe) } else { checkout_or_exe.parent() };
    let folders = start.into_iter().flat_map(|folder| folder.ancestors().take(4));
    let mut places = folders.map(|folder| folder.join("third_party/libtorch/torch"));
    let first = start.unwrap_or(checkout_or_exe).join("third_party/libtorch/torch");
    let Some(path) = places.find(|path| path.join("lib").is_dir()) else {
        return LibtorchState::Missing { path: expected(checkout_or_exe, first), missing: NEEDED.map(String::from).into() };
    };
    let library = |name: &str| path.join("lib").join(name).is_file();
    let missing: Vec<String> = NEEDED.iter().filter(|name| !library(name)).map(|name| (*name).to_owned()).collect();
    if !missing.is_empty() {
        return LibtorchState::Missing { path, missing };
    }
    match version_of(&path) {
        Some(version) if version == TORCH_VERSION => LibtorchState::Present { cuda: library("libtorch_cuda.so"), path, version },
        other => LibtorchState::WrongVersion { path, found: other.unwrap_or_default(), wanted: TORCH_VERSION.into() },
    }
}

/// For an executable below `target`, the place in its checkout.
fn expected(checkout_or_exe: &Path, otherwise: PathBuf) -> PathBuf {
    let target = checkout_or_exe.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "target"));
    match target.and_then(Path::parent) {
        Some(checkout) => checkout.join("third_party/libtorch/torch"),
        None => otherwise,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn from_missing_to_present() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().join("target/release/clmbench");
        let torch = dir.path().join("third_party/libtorch/torch");
        let state = inspect(&exe);
        assert!(matches!(&state, LibtorchState::Missing { path, .. } if *path == torch), "{state}");
        assert!(state.to_string().contains("cargo xtask setup"));
        fs::create_dir_all(torch.join("lib")).unwrap();
        fs::create_dir_all(exe.parent().unwrap()).unwrap();
        fs::write(&exe, "").unwrap();
        fs::write(torch.join("lib/libc10.so"), "").unwrap();
        let state = inspect(&exe);
        assert!(matches!(&state, LibtorchState::Missing { missing, .. } if missing[..] == ["libtorch_cpu.so"]), "{state}");
        fs::write(torch.join("lib/libtorch_cpu.so"), "").unwrap();
        fs::write(torch.join("build-version"), "2.10.0+cpu").unwrap();
        let state = inspect(dir.path());
        assert!(matches!(&state, LibtorchState::WrongVersion { found, .. } if found == "2.10.0"), "{state}");
        fs::write(torch.join("build-version"), "2.11.0+cu130").unwrap();
        for start in [dir.path(), &exe, &dir.path().join("target/release/deps/test-0123")] {
            let state = inspect(start);
            assert_eq!(state, LibtorchState::Present { path: torch.clone(), version: "2.11.0".into(), cuda: false });
            assert!(state.is_usable() && state.advice().is_none());
        }
    }
}
