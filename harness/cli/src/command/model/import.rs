//! `model import`: a checkpoint of others, fetched, judged and read by the architecture that knows it.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clmbench_fetch::cache_dir;
use clmbench_protocol::{
    ArchitectureInfo, CellOutput, CellSpec, Failure, FailureKind, FileRef, Import, ImportOutput, TokenizerSpec, revision,
};
use clmbench_runner::{
    executor::Limits,
    plugins::{Offer, PluginSet},
};

use super::{
    coverage,
    facts::{self, Facts, Reader},
    origin::{Origin, Source},
    page,
};
use crate::{
    arguments::{Global, ImportArguments, Reading},
    command::lone::{Ended, Files, Lone},
    console::Console,
    error::CliError,
    interrupt, plugins,
};

/// Longest time for reading a checkpoint.
const LIMIT: Duration = Duration::from_secs(1800);
/// Most threads of libtorch.
const THREADS: usize = 4;

/// Imports and says what it is.
///
/// # Errors
/// What [`read`] says; [`CliError::Output`].
pub fn run(arguments: &ImportArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let facts = read(&arguments.what, &arguments.reading, &[], &discovery.plugins, console)?;
    if arguments.json.json {
        return console.json("model-import", &[facts]);
    }
    console.print(&page::of(&facts, console))?;
    console.note("`clmbench model describe` with --dataset SOURCE/NAME says how much of a dataset its vocabulary covers");
    Ok(())
}

/// Reads a checkpoint of others, and tries its tokenizer on datasets.
///
/// # Errors
/// What [`Origin::find`] and [`Origin::reader`] say; [`CliError::NotImported`] with what the worker says; what [`coverage::of`] says.
pub fn read(
    what: &str,
    reading: &Reading,
    datasets: &[String],
    plugins: &PluginSet,
    console: Console,
) -> Result<Facts, CliError> {
    let origin = Origin::find(what, console)?;
    let offer = origin.reader(reading.architecture.as_deref(), plugins)?;
    interrupt::listen();
    console.note(&format!("reading {} as {}", origin.name(), offer.info.name));
    let Imported { output, files, lone: _lone } = compute(&origin, offer, reading)?;
    let folder = files.folder().join(&output.checkpoint.folder);
    let tokenizer = TokenizerSpec {
        kind: "file".to_owned(),
        max_tokens: output.max_tokens,
        digest: Some(output.tokenizer_digest.clone()),
        special: Some(output.special.clone()),
    };
    let coverage = coverage::of(datasets, (tokenizer, folder.join("tokenizer.json")), plugins, console)?;
    let manifest = &offer.plugin.manifest;
    let mut notes = origin.notes.clone();
    notes.extend(output.notes.iter().filter(|note| !origin.notes.contains(note)).cloned());
    let reader = Reader {
        plugin: manifest.name.clone(),
        version: manifest.version.clone(),
        class: offer.info.hub.as_ref().and_then(|hub| hub.class.clone()),
    };
    let facts = Facts::of_import(origin.name(), &output, reader, &folder, source(&origin));
    Ok(Facts { notes, suite_table: Some(suite_table(&origin, reading)), coverage, ..facts })
}

/// What a worker read. Its files lie in a folder of the cache, which has room for them, until they are dropped.
struct Imported {
    output: ImportOutput,
    files: Files,
    /// Holds the folder of the files.
    lone: Lone,
}

/// Has a worker read it.
fn compute(origin: &Origin, offer: Offer<'_, ArchitectureInfo>, reading: &Reading) -> Result<Imported, CliError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let spec = CellSpec::Import(Import {
        revision: revision::IMPORT,
        plugin: offer.plugin.reference(),
        architecture: offer.info.name.clone(),
        files: origin.files.iter().map(|file| FileRef { name: file.name.clone(), sha256: file.sha256.clone() }).collect(),
        max_tokens: reading.max_tokens,
        control: None,
        threads: threads as u32,
    });
    let path = |name: &str| origin.folder.path(name).map(|path| path.display().to_string()).unwrap_or_default();
    let inputs: BTreeMap<String, String> =
        origin.files.iter().map(|file| (format!("file:{}", file.name), path(&file.name))).collect();
    let work: PathBuf = cache_dir()?.join("work");
    let failed = |failure: Failure| CliError::NotImported { name: origin.name(), failure };
    let mut lone = Lone::new(Some(&work), Limits { time: Some(LIMIT), memory_bytes: None })?;
    match lone.compute(spec, vec![offer.plugin.file()], inputs) {
        Ok((report, files)) => match report.output {
            CellOutput::Import(output) => Ok(Imported { output, files, lone }),
            _ => Err(failed(Failure::new(FailureKind::Protocol, "the worker answered with another kind of cell"))),
        },
        Err(Ended::Failed(failure)) => Err(failed(failure)),
        Err(Ended::Otherwise(error)) => Err(*error),
    }
}

fn source(origin: &Origin) -> facts::Origin {
    let (model_type, files) = (origin.model_type.clone(), origin.files.clone());
    match &origin.source {
        Source::Folder(path) => facts::Origin::Folder { path: path.display().to_string(), model_type, files },
        Source::Hub(folder, asked) => facts::Origin::Hub {
            repo: folder.repo.clone(),
            revision: asked.revision.clone(),
            commit: folder.commit.clone(),
            address: folder.address.clone(),
            fetched: folder.date.clone(),
            model_type,
            files,
        },
    }
}

/// The lines that a suite needs for it.
fn suite_table(origin: &Origin, reading: &Reading) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut lines = vec!["[[checkpoint]]".to_owned()];
    match &origin.source {
        Source::Folder(path) => lines.push(format!("path = {}", quoted(&path.display().to_string()))),
        Source::Hub(folder, _) => {
            lines.push(format!("hub = {}", quoted(&folder.repo)));
            lines.push(format!("revision = {}", quoted(&folder.commit)));
        }
    }
    if let Some(architecture) = &reading.architecture {
        lines.push(format!("architecture = {}", quoted(architecture)));
    }
    if reading.max_tokens != TokenizerSpec::default().max_tokens {
        lines.push(format!("max_tokens = {}", reading.max_tokens));
    }
    lines.join("\n")
}
