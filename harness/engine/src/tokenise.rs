//! Tokenise cells: a plugin parses the dataset's bytes; molecules does the chemistry.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clmbench_api::{SourceBytes, SplitTable};
use clmbench_molecules::{RawTable, prepare_corpus, prepare_dataset};
use clmbench_protocol::{CorpusOutput, DatasetOutput, DatasetRequest, Failure, FailureKind, TokeniseCorpus, TokeniseDataset};

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

/// Computes a dataset's tokenise cell.
///
/// # Errors
/// Unreadable or changed files, what the plugin refuses, what molecules refuses.
pub fn dataset(spec: &TokeniseDataset, plugin: &Plugin, files: &BTreeMap<String, PathBuf>, work: &Path) -> Result<DatasetOutput> {
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
        let content = std::fs::read(path).map_err(|error| io(path, "reading", &error))?;
        let found = clmbench_molecules::digest::sha256_hex(&content);
        if found != file.sha256 {
            let text =
                format!("{} has SHA-256 {found}, not {}; remove it and run again to fetch it anew", path.display(), file.sha256);
            return Err(Failure::new(FailureKind::CorruptFile, text));
        }
        bytes.push(SourceBytes { name: file.name.as_str().into(), bytes: content.into() });
    }
    let tasks = if info.user_file.is_some() { &spec.tasks } else { &info.tasks };
    let request = DatasetRequest {
        source: spec.source.clone(),
        name: spec.dataset.clone(),
        tasks: tasks.clone(),
        params: spec.params.clone(),
    };
    prepare_dataset(&read(plugin, request, &bytes)?, spec, work).or_fail()
}

/// What the plugin reads out of these files.
///
/// # Errors
/// What the plugin refuses; [`FailureKind::WrongShape`] where rows and tasks do not fit together.
pub fn read(plugin: &Plugin, request: DatasetRequest, files: &[SourceBytes]) -> Result<RawTable> {
    let json = serde_json::to_string(&request).map_err(|error| Failure::new(FailureKind::Protocol, error.to_string()))?;
    let SplitTable { table, parts } = plugin.module.read_dataset()(json.as_str().into(), files.into()).or_fail()?;
    let DatasetRequest { source, name, tasks, .. } = request;
    let (rows, width) = (table.smiles.len(), tasks.len());
    if rows > 0 && (table.tasks as usize != width || table.labels.len() != rows * width) {
        let text = format!("{source}/{name}: {} labels for {rows} molecules, but {width} tasks are declared", table.labels.len());
        return Err(Failure::new(FailureKind::WrongShape, text));
    }
    let labels: Vec<String> = table.labels.into_iter().map(String::from).collect();
    Ok(RawTable {
        smiles: table.smiles.into_iter().map(String::from).collect(),
        labels: labels.chunks(width.max(1)).map(<[String]>::to_vec).collect(),
        tasks,
        parts: parts.into_iter().map(String::from).collect(),
    })
}

/// Computes a corpus subset's tokenise cell.
///
/// # Errors
/// Unreadable or changed files, what molecules refuses.
pub fn corpus(
    spec: &TokeniseCorpus,
    files: &BTreeMap<String, PathBuf>,
    excluded: &[PathBuf],
    work: &Path,
    reporter: &Reporter,
) -> Result<CorpusOutput> {
    let mut progress = |done, total| reporter.report("tokenise", done, total, "molecules", String::new);
    prepare_corpus(spec, files, excluded, work, &mut progress).or_fail()
}
