//! Plugins: where they lie, what they offer, and what to ask a worker to load. Only a worker ever opens one.

mod card;
mod describe;
mod discover;
mod error;
mod reader;

use std::path::PathBuf;

use clmbench_protocol::{ArchitectureInfo, DatasetInfo, MetricInfo, PluginFile, PluginManifest, PluginRef};

pub use card::Card;
pub(crate) use describe::blake3_file;
pub use describe::{DESCRIBE_SECONDS, Describer};
pub use discover::{Discovery, PluginFolders, discover};
pub use error::PluginLoadError;
pub use reader::NoReader;

use crate::nearest::hint;

/// A plugin whose manifest is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// What it offers.
    pub manifest: PluginManifest,
    /// Its library.
    pub library: PathBuf,
    /// BLAKE3 of the library, lower-case hex.
    pub digest: String,
}

impl Plugin {
    /// The plugin as part of a cell's identity: name and version, and for pre-release versions also the library's
    /// digest, so that every rebuild of a plugin under development is another plugin.
    pub fn reference(&self) -> PluginRef {
        PluginRef {
            name: self.manifest.name.clone(),
            version: self.manifest.version.clone(),
            digest: is_pre_release(&self.manifest.version).then(|| self.digest.clone()),
        }
    }

    /// The plugin as a worker is asked to load it.
    pub fn file(&self) -> PluginFile {
        PluginFile { name: self.manifest.name.clone(), path: self.library.display().to_string(), digest: self.digest.clone() }
    }
}

/// Whether a semantic version is a pre-release: a `-` before any build metadata (`+...`).
pub fn is_pre_release(version: &str) -> bool {
    version.split('+').next().is_some_and(|core| core.contains('-'))
}

/// Something a plugin offers, with the plugin.
#[derive(Debug)]
pub struct Offer<'a, T> {
    /// What is offered.
    pub info: &'a T,
    /// Who offers it.
    pub plugin: &'a Plugin,
}

impl<T> Clone for Offer<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Offer<'_, T> {}

/// No plugin offers this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no plugin offers {kind} `{name}`.{hint} `clmbench plugin list` shows all; `--plugins DIR` adds a folder, `clmbench plugin build DIR` installs a plugin of yours."
)]
pub struct NotOffered {
    /// `architecture`, `dataset`, `dataset source` or `metric`.
    pub kind: &'static str,
    /// The name asked for.
    pub name: String,
    /// Nearest name, or the known names; starts with a space.
    pub hint: String,
}

/// All plugins of a process. Each name of an architecture, dataset or metric is offered once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginSet {
    plugins: Vec<Plugin>,
}

impl PluginSet {
    /// A set of plugins, and an error for each that offers what an earlier one offers; such ones are left out.
    pub fn new(plugins: Vec<Plugin>) -> (Self, Vec<PluginLoadError>) {
        let mut set = Self::default();
        let mut errors = Vec::new();
        for plugin in plugins {
            match set.clash(&plugin) {
                Some(clash) => errors.push(clash),
                None => set.plugins.push(plugin),
            }
        }
        (set, errors)
    }

    fn clash(&self, plugin: &Plugin) -> Option<PluginLoadError> {
        let new = &plugin.manifest;
        let other = self.plugins.iter().find(|earlier| earlier.manifest.name == new.name);
        let architectures =
            new.architectures.iter().map(|info| (format!("architecture `{}`", info.name), self.find_architecture(&info.name)));
        let datasets = new
            .datasets
            .iter()
            .map(|info| (format!("dataset `{}/{}`", info.source, info.name), self.find_dataset(&info.source, &info.name)));
        let metrics = new.metrics.iter().map(|info| (format!("metric `{}`", info.id), self.find_metric(&info.id)));
        let clash = other.map(|earlier| (format!("plugin `{}`", new.name), earlier)).or_else(|| {
            architectures.chain(datasets).chain(metrics).find_map(|(what, earlier)| earlier.map(|earlier| (what, earlier)))
        });
        clash.map(|(what, earlier)| PluginLoadError {
            file: plugin.library.clone(),
            reason: format!(
                "{what} of {} {} is already offered by {} {} in {}",
                new.name,
                new.version,
                earlier.manifest.name,
                earlier.manifest.version,
                earlier.library.display()
            ),
            fix: "Remove one of the two folders, or rename what it offers.".into(),
        })
    }

    fn find_architecture(&self, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.manifest.architectures.iter().any(|info| info.name == name))
    }

    fn find_dataset(&self, source: &str, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.manifest.datasets.iter().any(|info| info.serves(source, name)))
    }

    fn find_metric(&self, id: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.manifest.metrics.iter().any(|info| info.id == id))
    }

    /// The plugins, in the order in which they were found.
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// Every architecture.
    pub fn architectures(&self) -> impl Iterator<Item = Offer<'_, ArchitectureInfo>> {
        self.plugins.iter().flat_map(|plugin| plugin.manifest.architectures.iter().map(move |info| Offer { info, plugin }))
    }

    /// Every dataset.
    pub fn datasets(&self) -> impl Iterator<Item = Offer<'_, DatasetInfo>> {
        self.plugins.iter().flat_map(|plugin| plugin.manifest.datasets.iter().map(move |info| Offer { info, plugin }))
    }

    /// Every metric.
    pub fn metrics(&self) -> impl Iterator<Item = Offer<'_, MetricInfo>> {
        self.plugins.iter().flat_map(|plugin| plugin.manifest.metrics.iter().map(move |info| Offer { info, plugin }))
    }

    /// The architecture of this name.
    ///
    /// # Errors
    /// [`NotOffered`] with the nearest name.
    pub fn architecture(&self, name: &str) -> Result<Offer<'_, ArchitectureInfo>, NotOffered> {
        self.architectures().find(|offer| offer.info.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.architectures().map(|offer| offer.info.name.as_str()).collect();
            NotOffered { kind: "architecture", name: name.to_owned(), hint: hint(name, &known) }
        })
    }

    /// The dataset of this source and name; a source that reads the user's own file has one of every name.
    ///
    /// # Errors
    /// [`NotOffered`] with the nearest name.
    pub fn dataset(&self, source: &str, name: &str) -> Result<Offer<'_, DatasetInfo>, NotOffered> {
        self.datasets().find(|offer| offer.info.serves(source, name)).ok_or_else(|| {
            let known: Vec<String> = self.datasets().map(|offer| format!("{}/{}", offer.info.source, offer.info.name)).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let name = format!("{source}/{name}");
            NotOffered { kind: "dataset", hint: hint(&name, &known), name }
        })
    }

    /// The source of this name, as one of its datasets.
    ///
    /// # Errors
    /// [`NotOffered`] with the nearest name.
    pub fn dataset_source(&self, source: &str) -> Result<Offer<'_, DatasetInfo>, NotOffered> {
        self.datasets().find(|offer| offer.info.source == source).ok_or_else(|| {
            let mut known: Vec<&str> = self.datasets().map(|offer| offer.info.source.as_str()).collect();
            known.dedup();
            NotOffered { kind: "dataset source", name: source.to_owned(), hint: hint(source, &known) }
        })
    }

    /// The metric of this id.
    ///
    /// # Errors
    /// [`NotOffered`] with the nearest id.
    pub fn metric(&self, id: &str) -> Result<Offer<'_, MetricInfo>, NotOffered> {
        self.metrics().find(|offer| offer.info.id == id).ok_or_else(|| {
            let known: Vec<&str> = self.metrics().map(|offer| offer.info.id.as_str()).collect();
            NotOffered { kind: "metric", name: id.to_owned(), hint: hint(id, &known) }
        })
    }
}
