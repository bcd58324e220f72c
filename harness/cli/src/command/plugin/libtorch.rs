//! Which libtorch a plugin crate is built against, and whether it is the right one.

use std::path::{Path, PathBuf};

use crate::error::CliError;

/// libtorch's version, up to the build: plugins and worker share one.
const VERSION: &str = "2.11.0";

/// Finds the libtorch that cargo will be given: `LIBTORCH`, else what the crate's `.cargo/config.toml` names.
///
/// # Errors
/// [`CliError::NoLibtorch`] when there is none, or one of another version.
pub fn of_crate(dir: &Path, variable: Option<PathBuf>) -> Result<Option<PathBuf>, CliError> {
    let from = if variable.is_some() { "LIBTORCH" } else { ".cargo/config.toml" };
    let Some(folder) = variable.or_else(|| configured(dir)) else { return Ok(None) };
    let wrong = |why: String| CliError::NoLibtorch { path: folder.clone(), from, why };
    if !folder.join("lib/libtorch_cpu.so").is_file() {
        return Err(wrong("it has no lib/libtorch_cpu.so".to_owned()));
    }
    // Not every distribution says its version.
    if let Ok(version) = std::fs::read_to_string(folder.join("build-version")) {
        let version = version.trim();
        if version.split('+').next() != Some(VERSION) {
            return Err(wrong(format!("it is version {}", version.chars().take(40).collect::<String>())));
        }
    }
    Ok(Some(folder))
}

/// `LIBTORCH` under `[env]` in the `.cargo/config.toml` of the folder or of one above it.
fn configured(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find_map(|folder| {
        let text = std::fs::read_to_string(folder.join(".cargo/config.toml")).ok()?;
        let table: toml::Table = text.parse().ok()?;
        let value = table.get("env")?.get("LIBTORCH")?;
        let relative = value.get("relative").and_then(toml::Value::as_bool).unwrap_or(false);
        let path = PathBuf::from(value.as_str().or_else(|| value.get("value")?.as_str())?);
        Some(if relative { folder.join(path) } else { path })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn torch(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/libtorch_cpu.so"), "").unwrap();
        fs::write(folder.path().join("build-version"), version).unwrap();
        folder
    }

    #[test]
    fn the_variable_goes_before_the_configuration_and_versions_are_compared() {
        let good = torch("2.11.0+cpu\n");
        let other = torch("2.4.0+cpu\n");
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of_crate(dir.path(), None).unwrap(), None);
        fs::create_dir(dir.path().join(".cargo")).unwrap();
        let config = format!("[env]\nLIBTORCH = {:?}\n", other.path());
        fs::write(dir.path().join(".cargo/config.toml"), config).unwrap();
        let error = of_crate(dir.path(), None).unwrap_err().to_string();
        assert!(error.contains("version 2.4.0+cpu") && error.contains(".cargo/config.toml"), "{error}");
        assert_eq!(of_crate(dir.path(), Some(good.path().to_owned())).unwrap().as_deref(), Some(good.path()));
        let error = of_crate(dir.path(), Some(dir.path().to_owned())).unwrap_err().to_string();
        assert!(error.contains("no lib/libtorch_cpu.so") && error.contains("LIBTORCH"), "{error}");
    }
}
