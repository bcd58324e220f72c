//! Where things are: the checkout this binary was built from, its sdk, the user's plugin folder.

use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The folder of this crate when it was compiled; the checkout may have moved or gone since.
const BUILT_IN: &str = env!("CARGO_MANIFEST_DIR");

/// The toolchain file of the checkout, as of compilation.
const TOOLCHAIN_FILE: &str = include_str!("../../../rust-toolchain.toml");

/// The checkout this binary was built from, if it is still there.
pub fn checkout() -> Option<PathBuf> {
    let root = Path::new(BUILT_IN).parent()?.parent()?;
    is_checkout(root).then(|| root.to_owned())
}

/// The checkout that an sdk folder lies in, if it lies in one.
pub fn checkout_of(sdk: &Path) -> Option<PathBuf> {
    let root = sdk.parent()?.parent()?;
    is_checkout(root).then(|| root.to_owned())
}

fn is_checkout(root: &Path) -> bool {
    root.join("Cargo.lock").is_file() && root.join("harness/sdk/Cargo.toml").is_file()
}

/// The sdk to write into a plugin's `Cargo.toml`: the one asked for, else that of the checkout. Absolute.
///
/// # Errors
/// [`CliError::SdkNotFound`] when there is none.
pub fn sdk(wanted: Option<&Path>) -> Result<PathBuf, CliError> {
    let built_in = || Path::new(BUILT_IN).with_file_name("sdk");
    let folder = wanted.map_or_else(built_in, Path::to_owned);
    let missing = || CliError::SdkNotFound { path: folder.clone() };
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).map_err(|_| missing())?;
    let table: toml::Table = manifest.parse().map_err(|_| missing())?;
    let name = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    if name == Some("clmbench-sdk") { folder.canonicalize().map_err(|_| missing()) } else { Err(missing()) }
}

/// The Rust version the checkout asks for, such as `1.95.0`.
pub fn wanted_rust() -> &'static str {
    let after = TOOLCHAIN_FILE.split("channel").nth(1).unwrap_or_default();
    after.split('"').nth(1).unwrap_or("1.95.0")
}

/// The text of the checkout's `rust-toolchain.toml`, as of compilation.
pub fn toolchain_file() -> &'static str {
    TOOLCHAIN_FILE
}

/// The user's own plugin folder: `$XDG_DATA_HOME/clmbench/plugins`, else `~/.local/share/clmbench/plugins`.
///
/// # Errors
/// [`CliError::NoHome`] when neither variable is set.
pub fn user_plugins() -> Result<PathBuf, CliError> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("clmbench/plugins")).ok_or(CliError::NoHome)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_toolchain_version_is_read() {
        let parts: Vec<u32> = wanted_rust().split('.').map(|part| part.parse().unwrap()).collect();
        assert_eq!(parts.len(), 3);
        assert!(parts[1] >= 95);
    }

    #[test]
    fn an_sdk_is_known_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(sdk(Some(folder.path())), Err(CliError::SdkNotFound { .. })));
        std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"other\"\n").unwrap();
        assert!(matches!(sdk(Some(folder.path())), Err(CliError::SdkNotFound { .. })));
        std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"clmbench-sdk\"\n").unwrap();
        assert_eq!(sdk(Some(folder.path())).unwrap(), folder.path().canonicalize().unwrap());
        assert_eq!(checkout_of(&folder.path().join("harness/sdk")), None);
    }
}
