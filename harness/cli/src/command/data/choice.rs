//! Which dataset or corpus a name means.

use std::path::Path;

use clmbench_fetch::{Wanted, catalogue};
use clmbench_protocol::DatasetInfo;
use clmbench_runner::{
    nearest::nearest,
    plugins::{Offer, PluginSet},
};

use crate::error::CliError;

/// Something that `data` can describe and fetch.
#[derive(Debug, Clone)]
pub enum Choice<'a> {
    /// A dataset of a plugin.
    Dataset(Offer<'a, DatasetInfo>),
    /// A corpus of the catalogue.
    Corpus(&'static str),
}

impl<'a> Choice<'a> {
    /// Everything there is: datasets in the order of their plugins, then corpora.
    pub fn all(plugins: &'a PluginSet) -> Vec<Self> {
        plugins.datasets().map(Choice::Dataset).chain(catalogue::CORPORA.map(Choice::Corpus)).collect()
    }

    /// The one of this name: `source/name`, or the name alone where only one has it.
    ///
    /// # Errors
    /// [`CliError::Usage`] with the nearest name, or those that share the name.
    pub fn find(plugins: &'a PluginSet, name: &str) -> Result<Self, CliError> {
        let all = Self::all(plugins);
        if let Some(exact) = all.iter().find(|choice| choice.name() == name) {
            return Ok(exact.clone());
        }
        let short: Vec<&Self> = all.iter().filter(|choice| choice.short() == name).collect();
        match short[..] {
            [one] => Ok(one.clone()),
            [] => {
                let names: Vec<String> = all.iter().map(Self::name).collect();
                let shorts: Vec<&str> = all.iter().map(Self::short).collect();
                let near = nearest(name, names.iter().map(String::as_str).chain(shorts.iter().copied()));
                let near = near.map(|near| match shorts.iter().position(|short| *short == near) {
                    Some(place) => names[place].clone(),
                    None => near,
                });
                if let Some(error) = absent_file(name) {
                    return Err(error);
                }
                Err(CliError::Usage {
                    message: format!("there is no dataset or corpus `{name}`"),
                    hint: match near {
                        Some(near) => format!("did you mean `{near}`? `clmbench data list` shows all"),
                        None => "`clmbench data list` shows all; a table of your own is named by its file".to_owned(),
                    },
                })
            }
            _ => {
                let names: Vec<String> = short.iter().map(|choice| format!("`{}`", choice.name())).collect();
                let hint = format!("name the source too: {}", names.join(" or "));
                Err(CliError::Usage { message: format!("more than one source has a dataset `{name}`"), hint })
            }
        }
    }

    /// The dataset, for a command that works on datasets alone; `without` is what a corpus lacks, `file` what to write for one's own file.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a corpus, and for a source that reads files of the user's.
    pub fn dataset(&self, without: &str, file: &str) -> Result<Offer<'a, DatasetInfo>, CliError> {
        let wrong = |what: String, hint: String| Err(CliError::Usage { message: format!("{} is {what}", self.name()), hint });
        match self {
            Self::Corpus(_) => {
                wrong(format!("a corpus, which {without}"), "name a dataset; `clmbench data list` shows all".to_owned())
            }
            Self::Dataset(offer) if offer.info.user_file.is_some() => {
                wrong("a source of your own files".to_owned(), format!("name the file: {file}"))
            }
            Self::Dataset(offer) => Ok(*offer),
        }
    }

    /// `source/name` of a dataset, the name of a corpus.
    pub fn name(&self) -> String {
        match self {
            Self::Dataset(offer) => offer.info.label(),
            Self::Corpus(name) => (*name).to_owned(),
        }
    }

    /// The name without the source.
    fn short(&self) -> &str {
        match self {
            Self::Dataset(offer) if offer.info.user_file.is_some() => &offer.info.source,
            Self::Dataset(offer) => &offer.info.name,
            Self::Corpus(name) => name,
        }
    }

    /// The files it is read from.
    pub fn files(&self) -> Vec<Wanted> {
        match self {
            Self::Dataset(offer) => Wanted::of_dataset(offer.info),
            Self::Corpus(name) => {
                let files = catalogue::corpus(name).into_iter().flatten();
                files.map(|file| Wanted::of_corpus(name, &file.source)).collect()
            }
        }
    }

    /// `dataset` or `corpus`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "dataset",
            Self::Corpus(_) => "corpus",
        }
    }

    /// Licence of the data.
    pub fn licence(&self) -> &str {
        match self {
            Self::Dataset(offer) => &offer.info.licence,
            Self::Corpus(name) => catalogue::about(name).map_or("", |about| about.licence),
        }
    }

    /// Citation of the data.
    pub fn citation(&self) -> &str {
        match self {
            Self::Dataset(offer) => &offer.info.citation,
            Self::Corpus(name) => catalogue::about(name).map_or("", |about| about.citation),
        }
    }

    /// What it is.
    pub fn doc(&self) -> &str {
        match self {
            Self::Dataset(offer) => &offer.info.doc,
            Self::Corpus(name) => catalogue::about(name).map_or("", |about| about.doc),
        }
    }
}

/// What looks like a table of the user's own, but is no file: named as such, with the file of its folder that is nearest.
pub fn absent_file(name: &str) -> Option<CliError> {
    let path = Path::new(name);
    let looks = name.starts_with(['.', '/']) || path.extension().is_some();
    if !looks || path.exists() {
        return None;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let near = path.file_name().and_then(|file| nearest(&file.to_string_lossy(), names.iter().map(String::as_str)));
    Some(CliError::Usage {
        message: format!("there is no file `{name}`, and no dataset or corpus of that name"),
        hint: match near {
            Some(near) => format!("did you mean `{}`?", path.with_file_name(near).display()),
            None => "paths are relative to the folder you are in; `clmbench data list` shows the datasets".to_owned(),
        },
    })
}
