//! Corpora by name: from the catalogue of pinned files to the sources of a cell.

use clmbench_protocol::{CorpusSource, FileRef, Number, SourceFile, SourceFormat};

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

/// The corpus of this name in the catalogue of pinned files.
pub fn catalogue(name: &str) -> Option<Vec<CorpusPart>> {
    let files = clmbench_fetch::catalogue::corpus(name)?;
    let parts = files.into_iter().map(|file| CorpusPart {
        source: CorpusSource {
            file: file_ref(&file.source),
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

/// A source file as part of a cell: its name and the digest of its bytes, never where it came from.
pub fn file_ref(file: &SourceFile) -> FileRef {
    FileRef { name: file.name.clone(), sha256: file.sha256.clone() }
}
