//! Corpora: from the catalogue of pinned files and the user's own files to the sources of a cell.

use std::path::{Path, PathBuf};

use clmbench_fetch::Wanted;
use clmbench_protocol::{CorpusSource, FileRef, Number, SourceFile, SourceFormat};

use crate::{
    nearest::hint,
    plan::PlanError,
    suite::{CorpusEntry, CorpusPartEntry, Origin},
};

/// A source of a corpus, and the file it must be fetched from.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusPart {
    /// The file to fetch.
    pub file: SourceFile,
    /// The source as part of a cell.
    pub source: CorpusSource,
}

/// Finds a corpus by name. [`catalogue`] is the one in use; tests bring their own.
pub type CorpusLookup<'a> = dyn Fn(&str) -> Option<Vec<CorpusPart>> + 'a;

/// A file of the user's, which is not fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of its bytes when the plan was made; of a file in the hub's cache, the one it was fetched with.
    pub sha256: String,
    /// Whether it lies in the hub's cache.
    pub cached: bool,
}

/// The corpus of this name in the catalogue of pinned files.
pub fn catalogue(name: &str) -> Option<Vec<CorpusPart>> {
    let files = clmbench_fetch::catalogue::corpus(name)?;
    let parts = files.into_iter().map(|file| CorpusPart {
        source: CorpusSource {
            file: FileRef::of(&file.source, None),
            format: SourceFormat::Csv,
            column: file.column,
            only: file.only,
            group: file.group,
            weight: Number(file.weight),
        },
        file: file.source,
    });
    Some(parts.collect())
}

/// Everything a corpus is drawn from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The sources as part of a cell.
    pub sources: Vec<CorpusSource>,
    /// Files to fetch.
    pub fetched: Vec<Wanted>,
    /// Files that are there.
    pub local: Vec<LocalFile>,
}

/// The sources of a suite's corpus. Weights of parts are made to sum to 1; the groups of a part of the catalogue share its
/// weight as they would alone. Paths are relative to the suite file; own files are hashed here.
///
/// # Errors
/// An unknown name; a file that cannot be read; two files with one name.
pub(crate) fn sources(suite: &Path, entry: &CorpusEntry, lookup: &CorpusLookup<'_>) -> Result<Sources, PlanError> {
    let all: f64 = entry.parts.iter().map(|part| part.weight).sum();
    let mut found = Sources::default();
    for part in &entry.parts {
        let share = part.weight / all;
        let mut sources = match &part.origin {
            Origin::Catalogue(name) => {
                let files = lookup(name).ok_or_else(|| PlanError::UnknownCorpus {
                    place: part.place.clone(),
                    name: name.clone(),
                    hint: hint(name, &clmbench_fetch::catalogue::CORPORA),
                })?;
                found.fetched.extend(files.iter().map(|file| Wanted::of_corpus(name, &file.file)));
                files.into_iter().map(|file| file.source).collect()
            }
            Origin::File { format, column, .. } => {
                let file = own_file(suite, part)?;
                let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let source = CorpusSource {
                    file: FileRef { name: name.clone(), sha256: file.sha256.clone() },
                    format: *format,
                    column: column.clone(),
                    only: None,
                    group: name,
                    weight: Number(1.0),
                };
                found.local.push(file);
                vec![source]
            }
        };
        if entry.parts.len() > 1 {
            for source in &mut sources {
                if let Origin::Catalogue(name) = &part.origin {
                    source.group = format!("{name}/{}", source.group);
                }
                source.weight = Number(source.weight.0 * share);
            }
        }
        for source in &sources {
            let other =
                |earlier: &&CorpusSource| earlier.file.name == source.file.name && earlier.file.sha256 != source.file.sha256;
            if found.sources.iter().any(|earlier| other(&earlier)) {
                return Err(PlanError::SourceName { place: part.place.clone(), name: source.file.name.clone() });
            }
        }
        found.sources.extend(sources);
    }
    Ok(found)
}

fn own_file(suite: &Path, part: &CorpusPartEntry) -> Result<LocalFile, PlanError> {
    let path = part.origin.path(suite).unwrap_or_default();
    hashed(&path).map_err(|reason| PlanError::CorpusFile { place: part.place.clone(), path: path.display().to_string(), reason })
}

/// A file of the user's with the digest that it has now.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn hashed(path: &Path) -> Result<LocalFile, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".into());
    }
    let sha256 = clmbench_fetch::sha256_file(path).map_err(|error| error.to_string())?;
    Ok(LocalFile { path: std::path::absolute(path).map_err(|error| error.to_string())?, sha256, cached: false })
}
