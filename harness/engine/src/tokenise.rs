//! Tokenise cells: a plugin parses the dataset's bytes; molecules does the chemistry.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clmbench_api::{SourceBytes, SplitTable};
use clmbench_molecules::{Encoder, RawTable, digest, gzip, prepare_corpus_with, prepare_dataset_with, split};
use clmbench_protocol::{
    CorpusOutput, DatasetInfo, DatasetOutput, DatasetRequest, Failure, FailureKind, FileRef, TokeniseCorpus, TokeniseDataset,
    split as words,
};

use crate::{
    failure::{OrFail, Result, io},
    loader::Plugin,
    report::Reporter,
};

/// The paths of the cell's source files by name.
///
/// # Errors
/// [`FailureKind::Protocol`] when the host left one out.
pub fn sources<'a>(names: impl Iterator<Item = &'a str>, inputs: &BTreeMap<String, String>) -> Result<BTreeMap<String, PathBuf>> {
    let find = |name: &str| {
        let path = inputs.get(&format!("source:{name}"));
        let path =
            path.ok_or_else(|| Failure::new(FailureKind::Protocol, format!("the host gave no path for source file `{name}`")))?;
        Ok((name.to_owned(), PathBuf::from(path)))
    };
    names.map(find).collect()
}

/// Files of a dataset's tokenise cell beside those of its source.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The file of a split by file.
    pub split: Option<&'a Path>,
    /// The `tokenizer.json` of a tokenizer of kind `file`.
    pub tokenizer: Option<&'a Path>,
}

/// Computes a dataset's tokenise cell.
///
/// # Errors
/// Unreadable or changed files, what the plugin refuses, what molecules refuses.
pub fn dataset(
    spec: &TokeniseDataset,
    plugin: &Plugin,
    files: &BTreeMap<String, PathBuf>,
    beside: Beside<'_>,
    work: &Path,
) -> Result<DatasetOutput> {
    let tokenizer = Encoder::new(&spec.tokenizer, beside.tokenizer).or_fail()?;
    let info = plugin.manifest.datasets.iter().find(|info| info.serves(&spec.source, &spec.dataset));
    let info = info.ok_or_else(|| {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        Failure::new(
            FailureKind::Protocol,
            format!("plugin {name} {version} exports no dataset {}/{}", spec.source, spec.dataset),
        )
    })?;
    let mut bytes = Vec::new();
    for file in &spec.files {
        let path =
            files.get(&file.name).ok_or_else(|| Failure::new(FailureKind::Protocol, format!("no path for `{}`", file.name)))?;
        let content = checked(path, file)?;
        // The user's own file is unpacked by its plugin, whose errors name it as the user does.
        let content = if info.user_file.is_some() { content } else { plain(path, content)? };
        bytes.push(SourceBytes { name: file.name.as_str().into(), bytes: content.into() });
    }
    let tasks = if info.user_file.is_some() { &spec.tasks } else { &info.tasks };
    let request = DatasetRequest {
        source: spec.source.clone(),
        name: spec.dataset.clone(),
        tasks: tasks.clone(),
        params: spec.params.clone(),
    };
    let mut table = read(plugin, info, request, &bytes)?;
    if spec.split.algorithm == words::FILE {
        table.parts = by_file(spec, beside.split, &table.smiles)?;
    }
    prepare_dataset_with(&table, spec, &tokenizer, work).or_fail()
}

/// The part of each row as the file of the split gives it.
fn by_file(spec: &TokeniseDataset, path: Option<&Path>, smiles: &[String]) -> Result<Vec<String>> {
    let (Some(path), Some(file)) = (path, &spec.split.file) else {
        let text = format!("{}/{} is split by a file, but none was handed over", spec.source, spec.dataset);
        return Err(Failure::new(FailureKind::Protocol, text));
    };
    checked(path, file)?;
    split::file::read(path, &file.name, smiles).or_fail()
}

/// The bytes of a file, whose hash is right where one is known. Where none is, the content of the dataset is what accepts them.
fn checked(path: &Path, file: &FileRef) -> Result<Vec<u8>> {
    let bytes = std::fs::metadata(path).map_err(|error| io(path, "reading", &error))?.len();
    if bytes > gzip::MAX_BYTES {
        let text = format!("{} has {bytes} bytes; at most {} are read", path.display(), gzip::MAX_BYTES);
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    let content = std::fs::read(path).map_err(|error| io(path, "reading", &error))?;
    if let Some(wanted) = file.bytes_sha256() {
        let found = digest::sha256_hex(&content);
        if found != wanted {
            let text = format!("{} has SHA-256 {found}, not {wanted}; remove it and run again to fetch it anew", path.display());
            return Err(Failure::new(FailureKind::CorruptFile, text));
        }
    }
    Ok(content)
}

/// The bytes of a file without its gzip.
///
/// # Errors
/// [`FailureKind::CorruptFile`] for a damaged file, or one that holds more than [`gzip::MAX_BYTES`].
pub fn plain(path: &Path, content: Vec<u8>) -> Result<Vec<u8>> {
    gzip::unpacked(&path.display().to_string(), content, gzip::MAX_BYTES).or_fail()
}

/// What the plugin reads out of these files: a label for every task of the request and every subset of the dataset.
///
/// # Errors
/// What the plugin refuses; [`FailureKind::WrongShape`] where rows and tasks do not fit together.
pub fn read(plugin: &Plugin, info: &DatasetInfo, request: DatasetRequest, files: &[SourceBytes]) -> Result<RawTable> {
    let json = serde_json::to_string(&request).map_err(|error| Failure::new(FailureKind::Protocol, error.to_string()))?;
    let SplitTable { table, parts } = plugin.module.read_dataset()(json.as_str().into(), files.into()).or_fail()?;
    let DatasetRequest { source, name, tasks, .. } = request;
    let (rows, width) = (table.smiles.len(), tasks.len() + info.subsets.len());
    if rows > 0 && (table.tasks as usize != width || table.labels.len() != rows * width) {
        let (found, declared) = (table.labels.len(), tasks.len());
        let subsets = if info.subsets.is_empty() { String::new() } else { format!(" and {} subsets", info.subsets.len()) };
        let text = format!("{source}/{name}: {found} labels for {rows} molecules, but {declared} tasks{subsets} are declared");
        return Err(Failure::new(FailureKind::WrongShape, text));
    }
    let labels: Vec<String> = table.labels.into_iter().map(String::from).collect();
    Ok(RawTable {
        smiles: table.smiles.into_iter().map(String::from).collect(),
        labels: labels.chunks(width.max(1)).map(<[String]>::to_vec).collect(),
        tasks,
        subsets: info.subsets.iter().map(|subset| subset.name.clone()).collect(),
        parts: parts.into_iter().map(String::from).collect(),
    })
}

/// Computes a corpus subset's tokenise cell; `tokenizer` is the `tokenizer.json` of a tokenizer of kind `file`.
///
/// # Errors
/// Unreadable or changed files, what molecules refuses.
pub fn corpus(
    spec: &TokeniseCorpus,
    files: &BTreeMap<String, PathBuf>,
    excluded: &[PathBuf],
    (tokenizer, work): (Option<&Path>, &Path),
    reporter: &Reporter,
) -> Result<CorpusOutput> {
    let tokenizer = Encoder::new(&spec.tokenizer, tokenizer).or_fail()?;
    let mut progress = |done, total| reporter.report("tokenise", done, total, "molecules", String::new);
    prepare_corpus_with(spec, &tokenizer, (files, excluded), work, &mut progress).or_fail()
}
