//! Which architecture reads a checkpoint of others.

use clmbench_protocol::ArchitectureInfo;

use super::{NotOffered, Offer, PluginSet};

/// Why there is no one architecture for a checkpoint of others. Who asks says it in the words of a suite or of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReader {
    /// The architecture that is asked for is not there.
    NotOffered(NotOffered),
    /// The architecture that is asked for reads no checkpoints of others.
    ReadsNone {
        /// Its name.
        architecture: String,
        /// Architectures that do.
        readers: Vec<String>,
    },
    /// The architecture that is asked for reads others.
    OtherModelType {
        /// Its name.
        architecture: String,
        /// Words of `model_type` that it reads.
        known: Vec<String>,
    },
    /// No architecture reads it.
    Unknown {
        /// Words of `model_type` that are read, sorted.
        known: Vec<String>,
    },
    /// Several do.
    Several {
        /// Their names.
        architectures: Vec<String>,
    },
}

impl PluginSet {
    /// Architectures that read checkpoints of others.
    fn readers(&self) -> impl Iterator<Item = Offer<'_, ArchitectureInfo>> {
        self.architectures().filter(|offer| offer.info.hub.is_some())
    }

    /// The architecture of this name, which reads checkpoints of others.
    ///
    /// # Errors
    /// [`NoReader::NotOffered`], [`NoReader::ReadsNone`].
    pub fn named_reader(&self, name: &str) -> Result<Offer<'_, ArchitectureInfo>, NoReader> {
        let offer = self.architecture(name).map_err(NoReader::NotOffered)?;
        if offer.info.hub.is_some() {
            return Ok(offer);
        }
        let readers = self.readers().map(|offer| offer.info.name.clone()).collect();
        Err(NoReader::ReadsNone { architecture: name.to_owned(), readers })
    }

    /// The architecture that reads checkpoints of this `model_type`: the one that is asked for, else the only one that does.
    ///
    /// # Errors
    /// [`NoReader`].
    pub fn reader(&self, asked: Option<&str>, model_type: &str) -> Result<Offer<'_, ArchitectureInfo>, NoReader> {
        let words = |offer: &Offer<'_, ArchitectureInfo>| -> Vec<String> {
            offer.info.hub.iter().flat_map(|hub| hub.model_types.clone()).collect()
        };
        let reads = |offer: &Offer<'_, ArchitectureInfo>| words(offer).iter().any(|word| word == model_type);
        if let Some(name) = asked {
            let offer = self.named_reader(name)?;
            if reads(&offer) {
                return Ok(offer);
            }
            return Err(NoReader::OtherModelType { architecture: name.to_owned(), known: words(&offer) });
        }
        let fitting: Vec<_> = self.readers().filter(reads).collect();
        match fitting.as_slice() {
            [only] => Ok(*only),
            [] => {
                let mut known: Vec<String> = self.readers().flat_map(|offer| words(&offer)).collect();
                known.sort_unstable();
                known.dedup();
                Err(NoReader::Unknown { known })
            }
            several => Err(NoReader::Several { architectures: several.iter().map(|offer| offer.info.name.clone()).collect() }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::{HubInfo, Objective, PluginManifest};

    use super::*;
    use crate::plugins::Plugin;

    fn set() -> PluginSet {
        let architecture = |name: &str, words: Option<&[&str]>| ArchitectureInfo {
            name: name.into(),
            doc: String::new(),
            objective: Objective::MaskedLm,
            parameters: Vec::new(),
            presets: Vec::new(),
            hub: words.map(|words| HubInfo {
                model_types: words.iter().map(|word| (*word).to_owned()).collect(),
                ..HubInfo::default()
            }),
        };
        let architectures = vec![
            architecture("bert", Some(&["bert", "distilbert"])),
            architecture("own", None),
            architecture("twin", Some(&["bert", "twin"])),
        ];
        let manifest = PluginManifest { architectures, ..manifest() };
        PluginSet::new(vec![Plugin { manifest, library: "x.so".into(), digest: "0".repeat(64) }]).0
    }

    fn manifest() -> PluginManifest {
        serde_json::from_value(serde_json::json!({"name": "x", "version": "1.0.0", "api": [4, 0], "libtorch": "2.11.0"})).unwrap()
    }

    #[test]
    fn the_one_that_reads_it_is_found_and_every_other_case_is_told() {
        let set = set();
        let found = |asked, word| set.reader(asked, word).map(|offer| offer.info.name.clone());
        assert_eq!(found(None, "distilbert").unwrap(), "bert");
        assert_eq!(found(Some("twin"), "bert").unwrap(), "twin");
        let names = |list: &[&str]| -> Vec<String> { list.iter().map(|name| (*name).to_owned()).collect() };
        assert_eq!(found(None, "bert"), Err(NoReader::Several { architectures: names(&["bert", "twin"]) }));
        assert_eq!(found(None, "own"), Err(NoReader::Unknown { known: names(&["bert", "distilbert", "twin"]) }));
        let other = NoReader::OtherModelType { architecture: "twin".into(), known: names(&["bert", "twin"]) };
        assert_eq!(found(Some("twin"), "distilbert"), Err(other));
        let none = NoReader::ReadsNone { architecture: "own".into(), readers: names(&["bert", "twin"]) };
        assert_eq!(found(Some("own"), "bert"), Err(none));
        assert!(matches!(found(Some("brt"), "bert"), Err(NoReader::NotOffered(_))));
    }
}
