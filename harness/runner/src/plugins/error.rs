//! Why a plugin could not be taken.

use std::path::PathBuf;

/// A plugin that was left out. Errors of all plugins are collected and shown together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}. {fix}", file.display())]
pub struct PluginLoadError {
    /// The folder, `plugin.toml` or library at fault.
    pub file: PathBuf,
    /// What is wrong, without a full stop.
    pub reason: String,
    /// What to do, a sentence.
    pub fix: String,
}

impl PluginLoadError {
    pub(super) fn new(file: impl Into<PathBuf>, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        let reason: String = reason.into();
        Self { file: file.into(), reason: reason.trim_end_matches('.').to_owned(), fix: fix.into() }
    }
}
