//! What a user names as a checkpoint of others: a folder of this machine, or a model of a hub, which is fetched.

use std::path::{Path, PathBuf};

use clmbench_checkpoint::{Folder, config_notes, model_type};
use clmbench_fetch::{
    FetchError, cache_dir,
    hub::{Hub, HubError, HubFile, HubFolder, HubPlace},
    sha256_file,
};
use clmbench_protocol::ArchitectureInfo;
use clmbench_runner::{
    nearest,
    plugins::{NoReader, Offer, PluginSet},
};

use crate::{
    console::{Console, one_line},
    error::CliError,
    interrupt,
    progress::FetchProgress,
};

/// Where a checkpoint comes from.
pub enum Source {
    /// A folder of this machine, by its whole path.
    Folder(PathBuf),
    /// A model of a hub, and the revision that was asked for.
    Hub(HubFolder, HubPlace),
}

/// A checkpoint of others, whose files are there.
pub struct Origin {
    /// Where it comes from.
    pub source: Source,
    /// Its files, by name.
    pub folder: Folder,
    /// The same with sizes and digests, sorted by name.
    pub files: Vec<HubFile>,
    /// The word by which its architecture is told.
    pub model_type: String,
    /// What a reader should know of the files, a sentence each.
    pub notes: Vec<String>,
}

impl Origin {
    /// Looks into the folder of that name, or fetches the model.
    ///
    /// # Errors
    /// [`CliError::Usage`] for what names neither, [`CliError::Fetch`], [`CliError::Checkpoint`], [`CliError::Interrupted`].
    pub fn find(text: &str, console: Console) -> Result<Self, CliError> {
        let path = Path::new(text);
        if path.is_dir() {
            let whole = std::path::absolute(path).map_err(|error| CliError::file(path, error))?;
            let folder = Folder::open(&whole)?;
            let files = hashed(&folder)?;
            return Self::of(Source::Folder(whole), folder, files);
        }
        if path.exists() {
            let hint = "name the folder that holds config.json, model.safetensors and the tokenizer".to_owned();
            return Err(CliError::Usage {
                message: format!("{} is a file, not a checkpoint's folder", one_line(text, 200)),
                hint,
            });
        }
        let place = match HubPlace::parse(text) {
            Ok(place) if !text.starts_with(['.', '/', '~']) => place,
            Err(error @ FetchError::Hub(HubError::BadRevision { .. })) => return Err(error.into()),
            _ => {
                let message = format!("there is no folder {}, and it names no model of a hub", one_line(text, 200));
                let hint =
                    "name a folder that is there, or owner/name@REVISION, such as sagawa/molscaletransfer-chemlm-0.06m@main"
                        .to_owned();
                return Err(CliError::Usage { message, hint });
            }
        };
        interrupt::listen();
        let hub = Hub::from_environment(&cache_dir()?)?.stopped_by(interrupt::flag());
        let mut progress = FetchProgress::new(console);
        let fetched = hub.fetch(&place, &mut |step| progress.step(&step));
        progress.close();
        if interrupt::requested() {
            return Err(CliError::Interrupted);
        }
        let fetched = fetched?;
        if place.commit().is_none() {
            console.note(&format!("{place} is commit {} now", fetched.commit));
        }
        let folder = Folder::open(&fetched.folder)?;
        let mut files = fetched.files.clone();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self::of(Source::Hub(fetched, place), folder, files)
    }

    fn of(source: Source, folder: Folder, files: Vec<HubFile>) -> Result<Self, CliError> {
        let config = folder.config()?;
        let model_type = model_type(&config)?;
        let mut notes = folder.notes();
        notes.extend(config_notes(&config));
        Ok(Self { source, folder, files, model_type, notes })
    }

    /// What messages call it.
    pub fn name(&self) -> String {
        match &self.source {
            Source::Folder(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            Source::Hub(folder, _) => folder.repo.clone(),
        }
    }

    /// The architecture that reads it: the one that knows its `model_type`, or the one that is asked for.
    ///
    /// # Errors
    /// [`CliError::Usage`] with what is known.
    pub fn reader<'a>(&self, asked: Option<&str>, plugins: &'a PluginSet) -> Result<Offer<'a, ArchitectureInfo>, CliError> {
        plugins.reader(asked, &self.model_type).map_err(|why| self.no_reader(asked.unwrap_or_default(), why))
    }

    /// Why there is no architecture for it, in the words of a command.
    fn no_reader(&self, asked: &str, why: NoReader) -> CliError {
        let (found, own, asked) = (&self.model_type, one_line(&self.name(), 80), one_line(asked, 80));
        let (message, hint) = match why {
            NoReader::NotOffered(why) => {
                (format!("no plugin offers architecture `{asked}`.{}", why.hint), "`clmbench model list` shows all".to_owned())
            }
            NoReader::ReadsNone { readers, .. } => {
                (format!("architecture {asked} reads no checkpoints of others"), format!("those that do: {}", or_none(&readers)))
            }
            NoReader::OtherModelType { known, .. } => (
                format!("architecture {asked} reads model_type {}, but {own} is `{found}`", known.join(" or ")),
                "leave --architecture out, or name the one that reads it".to_owned(),
            ),
            NoReader::Unknown { known } => {
                let near = nearest::nearest(found, known.iter().map(String::as_str));
                let near = near.map(|near| format!("`{near}` is near; ")).unwrap_or_default();
                (
                    format!("no plugin knows checkpoints of model_type `{found}`, as {own} is"),
                    format!(
                        "{near}known are {}; `clmbench plugin new architecture` begins a plugin for another",
                        or_none(&known)
                    ),
                )
            }
            NoReader::Several { architectures } => (
                format!("several architectures know model_type `{found}`: {}", architectures.join(", ")),
                format!("choose one: --architecture {}", architectures.first().map_or("", String::as_str)),
            ),
        };
        CliError::Usage { message, hint }
    }
}

fn or_none(words: &[String]) -> String {
    if words.is_empty() { "none (`clmbench plugin list` shows what is installed)".to_owned() } else { words.join(", ") }
}

/// Files of a folder with their digests.
fn hashed(folder: &Folder) -> Result<Vec<HubFile>, CliError> {
    let mut files = Vec::new();
    for (name, bytes) in folder.files() {
        let Some(path) = folder.path(name) else { continue };
        files.push(HubFile { name: name.to_owned(), bytes, sha256: sha256_file(path)? });
    }
    Ok(files)
}
