//! `model export`: a checkpoint of a run as a folder of the Hugging Face layout, whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clmbench_checkpoint::{is_allowed, write_without};
use clmbench_protocol::{HubInfo, OutputFile};
use clmbench_store::Store;
use serde::Serialize;

use super::{
    card,
    chosen::{Kind, Run},
};
use crate::{
    arguments::{ExportModelArguments, Global},
    command::wrapped,
    console::{Console, one_line},
    error::CliError,
    units::show_bytes,
};

/// The weights of a run.
const WEIGHTS: &str = "model.safetensors";
/// Our own record, which no other program reads.
const RECORD: &str = "clmbench.json";
/// What says what it is.
const CARD: &str = "README.md";

/// The row of `model export --json`.
#[derive(Debug, Serialize)]
struct Row {
    run: String,
    identity: String,
    checkpoint: String,
    folder: String,
    architecture: String,
    /// Class of the `transformers` package that opens it; null if none does.
    transformers_class: Option<String>,
    /// Weights that were not written, since they are random: the checkpoint of others had none.
    left_out: Vec<String>,
    files: Vec<Written>,
}

#[derive(Debug, Serialize)]
struct Written {
    name: String,
    bytes: u64,
    blake3: String,
}

/// Writes the folder.
///
/// # Errors
/// [`CliError::Usage`] for an unknown run or checkpoint, and for a folder that must not be replaced; [`CliError::FileLost`];
/// [`CliError::File`]; [`CliError::Store`].
pub fn run(arguments: &ExportModelArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let run = Run::get(&store, &arguments.run, arguments.suite.as_deref())?;
    let checkpoint = run.checkpoint(arguments.checkpoint.as_deref())?;
    let target = Target::at(&arguments.out, arguments.force)?;
    let (info, ..) = run.info(&store)?;
    let hub = info.and_then(|info| info.hub);
    let random = match run.kind() {
        Some(Kind::Theirs(_, output)) if output.head_is_random => Some(head(&run, hub.as_ref())?),
        _ => None,
    };
    let class = hub.and_then(|hub| hub.class);
    let place = store.artifact_dir(&run.identity);
    let folder = format!("{}/", checkpoint.folder);
    let of_checkpoint = |file: &&OutputFile| {
        file.path.strip_prefix(&folder).is_some_and(|name| !name.contains('/') && name != RECORD && !name.is_empty())
    };
    let files: Vec<&OutputFile> = run.report.files.iter().filter(of_checkpoint).collect();
    let mut written = Vec::new();
    for file in files {
        let name = file.path[folder.len()..].to_owned();
        copy(&place.join(&file.path), &target.beside.join(&name), file, &run)?;
        written.push(Written { name, bytes: file.bytes, blake3: file.blake3.clone() });
    }
    let Some(weights) = written.iter_mut().find(|file| file.name == WEIGHTS) else {
        let file = format!("{folder}{WEIGHTS}");
        return Err(CliError::FileLost { run: run.detail.row.key.clone(), file, state: "missing" });
    };
    let mut left_out = Vec::new();
    if let Some(head) = random {
        left_out = without(&target.beside, &head)?;
        *weights = Written::of(&target.beside, WEIGHTS)?;
    }
    let text = card::text(&run, checkpoint, class.as_deref(), &run.given(&store)?, &left_out);
    let path = target.beside.join(CARD);
    write(&path, text.as_bytes()).map_err(|error| CliError::file(&path, error))?;
    written.push(Written {
        name: CARD.to_owned(),
        bytes: text.len() as u64,
        blake3: blake3::hash(text.as_bytes()).to_hex().to_string(),
    });
    written.sort_by(|a, b| a.name.cmp(&b.name));
    let architecture = run.architecture().map(|(name, _)| name.to_owned()).unwrap_or_default();
    let whole = target.finish()?;
    let row = Row {
        run: run.detail.row.key.clone(),
        identity: run.identity.clone(),
        checkpoint: checkpoint.folder.clone(),
        folder: whole.display().to_string(),
        architecture,
        transformers_class: class,
        left_out,
        files: written,
    };
    if arguments.json.json {
        return console.json("model-export", &[row]);
    }
    console.print(&page(&row, console))
}

fn page(row: &Row, console: Console) -> String {
    let width = console.style.width;
    let mut lines = vec![format!("{} of {} is in {}", row.checkpoint, one_line(&row.run, 200), one_line(&row.folder, 400))];
    for file in &row.files {
        lines.push(wrapped(" ", &format!("{}, {}", file.name, show_bytes(file.bytes)), width));
    }
    if !row.left_out.is_empty() {
        let text = format!("{}: random, since the checkpoint of others had none", card::listed(&row.left_out));
        lines.push(wrapped("left out", &text, width));
    }
    lines.push(match &row.transformers_class {
        Some(class) => format!("{} of transformers opens it; README.md says how", one_line(class, 80)),
        None => {
            format!("no class of transformers opens a {}; clmbench does, by [[checkpoint]] path", one_line(&row.architecture, 80))
        }
    });
    lines.join("\n")
}

/// Starts of the names of the weights that logits alone need.
fn head(run: &Run, hub: Option<&HubInfo>) -> Result<Vec<String>, CliError> {
    hub.map(|hub| hub.head.clone()).ok_or_else(|| CliError::Usage {
        message: format!(
            "the weights that logits need are random in {}, and no suite of the store says any more which they are",
            one_line(&run.detail.row.key, 200)
        ),
        hint: "`clmbench run` a suite with this checkpoint once more, so that the store knows its architecture".to_owned(),
    })
}

/// Takes these weights out of the file in a folder: who reads it is to find them missing, and not to take random ones for learnt ones.
fn without(folder: &Path, head: &[String]) -> Result<Vec<String>, CliError> {
    let (whole, path) = (folder.join(format!("{WEIGHTS}.whole")), folder.join(WEIGHTS));
    let file = |error| CliError::file(&path, error);
    fs::rename(&path, &whole).map_err(file)?;
    let left_out = write_without(&whole, &path, |name| head.iter().any(|start| name.starts_with(start.as_str())))?;
    fs::remove_file(&whole).map_err(file)?;
    Ok(left_out)
}

impl Written {
    /// A file as it is in a folder.
    fn of(folder: &Path, name: &str) -> Result<Self, CliError> {
        let path = folder.join(name);
        let file = |error| CliError::file(&path, error);
        let mut hash = blake3::Hasher::new();
        let bytes = io::copy(&mut File::open(&path).map_err(file)?, &mut hash).map_err(file)?;
        Ok(Self { name: name.to_owned(), bytes, blake3: hash.finalize().to_hex().to_string() })
    }
}

/// Copies a file whose bytes are as they were written.
fn copy(from: &Path, to: &Path, file: &OutputFile, run: &Run) -> Result<(), CliError> {
    let lost = |state| CliError::FileLost { run: run.detail.row.key.clone(), file: file.path.clone(), state };
    let mut source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(lost("missing")),
        Err(error) => return Err(CliError::file(from, error)),
    };
    let mut target = File::create_new(to).map_err(|error| CliError::file(to, error))?;
    let (mut hash, mut buffer) = (blake3::Hasher::new(), vec![0; 1 << 20]);
    loop {
        let count = source.read(&mut buffer).map_err(|error| CliError::file(from, error))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        target.write_all(&buffer[..count]).map_err(|error| CliError::file(to, error))?;
    }
    target.sync_all().map_err(|error| CliError::file(to, error))?;
    if hash.finalize().to_hex().as_str() == file.blake3 { Ok(()) } else { Err(lost("damaged")) }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The folder that appears when it is complete; until then its files are in another beside it, which is removed if it is dropped.
struct Target {
    whole: PathBuf,
    beside: PathBuf,
    done: bool,
}

impl Target {
    /// # Errors
    /// [`CliError::Usage`] for a folder that must not be replaced; [`CliError::File`].
    fn at(out: &Path, force: bool) -> Result<Self, CliError> {
        let whole = std::path::absolute(out).map_err(|error| CliError::file(out, error))?;
        let Some(name) = whole.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            let message = format!("--out {} names no folder that could be written", one_line(&out.display().to_string(), 200));
            return Err(CliError::Usage { message, hint: "name a new folder, such as --out exported".to_owned() });
        };
        refuse_foreign(&whole, force)?;
        let beside = whole.with_file_name(format!("{name}.partial-{}", std::process::id()));
        fs::create_dir(&beside).map_err(|error| CliError::file(&beside, error))?;
        Ok(Self { whole, beside, done: false })
    }

    /// Gives the folder its name.
    fn finish(mut self) -> Result<PathBuf, CliError> {
        let name = self.whole.file_name().unwrap_or_default().to_string_lossy();
        let old = self.whole.with_file_name(format!("{name}.old-{}", std::process::id()));
        let replaces = self.whole.exists();
        let file = |error| CliError::file(&self.whole, error);
        File::open(&self.beside).and_then(|folder| folder.sync_all()).map_err(file)?;
        if replaces {
            fs::rename(&self.whole, &old).map_err(file)?;
        }
        if let Err(error) = fs::rename(&self.beside, &self.whole) {
            if replaces {
                let _ = fs::rename(&old, &self.whole);
            }
            return Err(file(error));
        }
        self.done = true;
        if replaces {
            fs::remove_dir_all(&old).map_err(|error| CliError::file(&old, error))?;
        }
        Ok(self.whole.clone())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.done {
            // What is left half is not worth a second message.
            let _ = fs::remove_dir_all(&self.beside);
        }
    }
}

/// Only nothing, an empty folder, or (by force) an earlier export is replaced.
fn refuse_foreign(whole: &Path, force: bool) -> Result<(), CliError> {
    let shown = one_line(&whole.display().to_string(), 400);
    let refuse = |message: String, hint: &str| Err(CliError::Usage { message, hint: hint.to_owned() });
    match fs::symlink_metadata(whole) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CliError::file(whole, error)),
        Ok(metadata) if !metadata.is_dir() => return refuse(format!("{shown} is there and is no folder"), "name a new folder"),
        Ok(_) => {}
    }
    let entries = fs::read_dir(whole).map_err(|error| CliError::file(whole, error))?;
    let mut empty = true;
    for entry in entries {
        let entry = entry.map_err(|error| CliError::file(whole, error))?;
        empty = false;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = entry.file_type().is_ok_and(|kind| kind.is_file()) && (is_allowed(&name) || name == CARD);
        if !ours {
            let message = format!("{shown} holds `{}`, which no export wrote, and is left alone", one_line(&name, 120));
            return refuse(message, "name a new folder, or clear this one yourself");
        }
    }
    if empty || force {
        return Ok(());
    }
    refuse(format!("{shown} is not empty"), "--force replaces an earlier export; or name a new folder")
}
