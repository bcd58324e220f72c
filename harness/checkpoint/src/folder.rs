//! The files of a checkpoint's folder, and its `config.json`.

use std::{
    collections::BTreeMap,
    fs::{self, File, FileType},
    io::Read,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use clmbench_protocol::checkpoint_files::{self as names, Unread};
use serde_json::{Map, Value};

use crate::{
    error::{CheckpointError, shown},
    json,
};

/// Most entries of a folder that are looked at.
const MOST_ENTRIES: usize = 100_000;

/// A checkpoint's files, by name. Only names that [`crate::is_allowed`] takes; each a regular file, perhaps through a link (the cache of
/// Hugging Face has such), within its limit of size.
#[derive(Debug, Clone)]
pub struct Folder {
    shown: String,
    files: BTreeMap<String, (PathBuf, u64)>,
    /// Weights in a form that is not read, pickle first.
    left: Vec<(Unread, String)>,
}

impl Folder {
    /// The files of a folder that are taken. Reads names and sizes only.
    ///
    /// # Errors
    /// [`CheckpointError::NoFolder`]; [`CheckpointError::Unread`] if its weights are in another form only; [`CheckpointError::Missing`] without weights or
    /// `config.json`; [`CheckpointError::NotAFile`] and [`CheckpointError::TooLarge`] for a file of a right name that is not one.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        if !fs::metadata(folder).map_err(CheckpointError::io("open", folder))?.is_dir() {
            return Err(CheckpointError::NoFolder(folder.to_owned()));
        }
        let mut taken = BTreeMap::new();
        let mut left = Vec::new();
        for entry in fs::read_dir(folder).map_err(CheckpointError::io("read", folder))?.take(MOST_ENTRIES) {
            let entry = entry.map_err(CheckpointError::io("read", folder))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if names::is_allowed(&name) {
                taken.insert(name, entry.path());
            } else if let Some(form) = names::unread(&name) {
                left.push((form, name));
            }
        }
        left.sort();
        let shown =
            folder.file_name().map_or_else(|| "the folder".into(), |name| format!("`{}`", shown(&name.to_string_lossy())));
        Self::with(taken, left, shown)
    }

    /// The same of files that lie elsewhere, by the names they have in their folder.
    ///
    /// # Errors
    /// As [`Self::open`]; [`CheckpointError::Name`] for a name that is not taken.
    pub fn of(files: BTreeMap<String, PathBuf>) -> Result<Self, CheckpointError> {
        if let Some(name) = files.keys().find(|name| !names::is_allowed(name)) {
            return Err(CheckpointError::Name { file: shown(name) });
        }
        Self::with(files, Vec::new(), "the checkpoint".into())
    }

    fn with(taken: BTreeMap<String, PathBuf>, left: Vec<(Unread, String)>, shown: String) -> Result<Self, CheckpointError> {
        let mut files = BTreeMap::new();
        for (name, path) in taken {
            let bytes = size(&name, &path)?;
            if let Some(limit) = names::limit(&name).filter(|limit| bytes > *limit) {
                return Err(CheckpointError::TooLarge { file: name, bytes, limit });
            }
            files.insert(name, (path, bytes));
        }
        let folder = Self { shown, files, left };
        if !folder.has("model.safetensors") && !folder.has("model.safetensors.index.json") {
            if let Some((form, file)) = folder.left.first() {
                return Err(CheckpointError::Unread { file: crate::error::shown(file), form: *form });
            }
            if !folder.files.keys().any(|name| names::is_shard(name)) {
                return Err(folder
                    .missing("model.safetensors", "save the model there with `save_pretrained(..., safe_serialization=True)`"));
            }
        }
        if !folder.has("config.json") {
            return Err(folder.missing("config.json", "it says what the model is: copy it from where the weights come from"));
        }
        Ok(folder)
    }

    /// Names and sizes in bytes of the files that are taken, sorted by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files.iter().map(|(name, (_, bytes))| (name.as_str(), *bytes))
    }

    /// Where a file lies, if it is there.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.files.get(name).map(|(path, _)| path.as_path())
    }

    /// `config.json`. Fields are for the architecture to judge; code that it names (`auto_map`) is never run, [`config_notes`] says so.
    ///
    /// # Errors
    /// [`CheckpointError::Json`] if it is no JSON object, [`CheckpointError::Io`] if it cannot be read.
    pub fn config(&self) -> Result<Map<String, Value>, CheckpointError> {
        self.object("config.json")?
            .ok_or_else(|| self.missing("config.json", "it says what the model is: copy it from where the weights come from"))
    }

    /// What a reader should know about the files, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((_, file)) = self.left.first() {
            let more = if self.left.len() > 1 { format!(" and {} more", self.left.len() - 1) } else { String::new() };
            notes.push(format!("`{}`{more} beside the safetensors file is not read", shown(file)));
        }
        if self.has("model.safetensors") && self.has("model.safetensors.index.json") {
            notes.push("`model.safetensors` is read; the index and shards beside it are not".into());
        }
        notes
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(crate) fn missing(&self, file: &'static str, next: &'static str) -> CheckpointError {
        CheckpointError::Missing { folder: self.shown.clone(), file, next }
    }

    /// A JSON file, if it is there.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Map<String, Value>>, CheckpointError> {
        self.bytes(name)?.map(|bytes| json::object(name, &bytes)).transpose()
    }

    /// Bytes of a text file, if it is there; never more than its limit, also where it has grown since.
    pub(crate) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        let Some((path, size)) = self.files.get(name) else { return Ok(None) };
        let limit = names::limit(name).unwrap_or(u64::MAX - 1);
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(CheckpointError::io("open", path))?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(CheckpointError::io("read", path))?;
        if bytes.len() as u64 > limit {
            return Err(CheckpointError::TooLarge { file: name.into(), bytes: (*size).max(bytes.len() as u64), limit });
        }
        Ok(Some(bytes))
    }
}

/// Size of a regular file.
fn size(name: &str, path: &Path) -> Result<u64, CheckpointError> {
    let refuse = |what| CheckpointError::NotAFile { file: shown(name), what };
    let metadata = match fs::metadata(path) {
        Err(_) if path.is_symlink() => return Err(refuse("a link that leads nowhere")),
        other => other.map_err(CheckpointError::io("open", path))?,
    };
    if metadata.is_file() { Ok(metadata.len()) } else { Err(refuse(word(metadata.file_type()))) }
}

fn word(kind: FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "no file",
    }
}

/// The word by which an architecture is told: `model_type` of a `config.json`.
///
/// # Errors
/// [`CheckpointError::Field`] if it is absent or no such word.
pub fn model_type(config: &Map<String, Value>) -> Result<String, CheckpointError> {
    let plain = |word: &&str| {
        (1..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    match config.get("model_type") {
        Some(Value::String(word)) if plain(&word.as_str()) => Ok(word.clone()),
        other => Err(CheckpointError::Field {
            file: "config.json".into(),
            field: "model_type".into(),
            is: other.map_or_else(|| "absent".into(), json::kind),
            needed: "a word such as \"bert\", which tells the architecture",
        }),
    }
}

/// What a reader should know about a configuration, a sentence each.
pub fn config_notes(config: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    if config.get("auto_map").is_some_and(|value| !value.is_null()) {
        notes.push("`config.json` names code of its own (`auto_map`), which is never run; the architecture of the same `model_type` is used".into());
    }
    notes
}

#[cfg(test)]
mod tests;
