//! A plugin by its path.

use std::path::{Path, PathBuf};

use clmbench_runner::plugins::Card;

use crate::{arguments::Global, error::CliError, plugins};

/// A library, and the `plugin.toml` beside it.
pub struct Found {
    /// The library; absolute: for a bare file name the system's loader would search its own folders.
    pub library: PathBuf,
    /// The `plugin.toml`, if the path led to one.
    pub card: Option<Card>,
}

impl Found {
    /// As [`Found::at`]; or, where nothing has that path, the installed plugin of that name or that offers that name.
    ///
    /// # Errors
    /// [`CliError::Usage`] when neither is there.
    pub fn meant(path: &Path, global: &Global) -> Result<Self, CliError> {
        if path.exists() || path.is_absolute() {
            return Self::at(path);
        }
        let name = path.to_string_lossy();
        let discovery = plugins::find(global)?;
        let plugin = discovery.plugins.plugins().iter().find(|plugin| {
            let manifest = &plugin.manifest;
            manifest.name == name
                || manifest.metrics.iter().any(|info| info.id == name)
                || manifest.architectures.iter().any(|info| info.name == name)
                || manifest.datasets.iter().any(|info| info.source == name || format!("{}/{}", info.source, info.name) == name)
        });
        match plugin.and_then(|plugin| plugin.library.parent()) {
            Some(folder) => Self::at(folder),
            None => Self::at(path),
        }
    }

    /// From a plugin folder, a `plugin.toml` or a library.
    ///
    /// # Errors
    /// [`CliError::Usage`] when the path leads to no plugin.
    pub fn at(path: &Path) -> Result<Self, CliError> {
        let mut found = Self::named(path)?;
        found.library = found.library.canonicalize().map_err(|error| CliError::file(&found.library, error))?;
        Ok(found)
    }

    fn named(path: &Path) -> Result<Self, CliError> {
        let wrong = |message: String| {
            CliError::Usage {
            message,
            hint: "name a plugin folder (with plugin.toml and the library), its plugin.toml, a library, or what `clmbench plugin list` \
                   lists"
                .to_owned(),
        }
        };
        let card = if path.is_dir() { path.join(Card::FILE) } else { path.to_owned() };
        if card.file_name().is_none_or(|name| name != Card::FILE) {
            return match path.is_file() {
                true => Ok(Self { library: path.to_owned(), card: None }),
                false => Err(wrong(format!("there is nothing at {}", path.display()))),
            };
        }
        let text = std::fs::read_to_string(&card).map_err(|error| wrong(format!("{}: {error}", card.display())))?;
        let facts = Card::parse(&text).map_err(|reason| wrong(format!("{}: {reason}", card.display())))?;
        let library = card.with_file_name(&facts.library);
        if !library.is_file() {
            // A crate: where it was built and installed, that is meant.
            let installed = crate::places::user_plugins().ok().map(|folder| folder.join(&facts.name).join(&facts.library));
            if let Some(installed) = installed.filter(|file| file.is_file() && path.join("Cargo.toml").is_file()) {
                return Ok(Self { library: installed, card: Some(facts) });
            }
            let hint = format!(
                "a plugin crate is not a plugin yet: `clmbench plugin build {}` builds and installs it, and says where",
                path.display()
            );
            return Err(CliError::Usage { message: format!("there is no library at {}", library.display()), hint });
        }
        Ok(Self { library, card: Some(facts) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_lead_to_libraries() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Found::at(&folder.path().join("nothing.so")).is_err());
        assert!(Found::at(folder.path()).is_err());
        let card = "name = \"p\"\nversion = \"0.1.0\"\nlibrary = \"libp.so\"\n";
        std::fs::write(folder.path().join("plugin.toml"), card).unwrap();
        let Err(CliError::Usage { hint, .. }) = Found::at(folder.path()) else { panic!("no library was found") };
        assert!(hint.contains("plugin build"));
        std::fs::write(folder.path().join("libp.so"), "").unwrap();
        for path in [folder.path().to_owned(), folder.path().join("plugin.toml"), folder.path().join("libp.so")] {
            let found = Found::at(&path).unwrap();
            assert_eq!(found.library.file_name().unwrap(), "libp.so");
            assert!(found.library.is_absolute());
        }
    }
}
