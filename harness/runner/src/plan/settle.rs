//! Files of which nothing is declared: the bytes that were found go into the definitions, so that another file is another cell.

use std::path::Path;

use clmbench_fetch::{FetchError, Wanted, sha256_file};
use clmbench_protocol::FileRef;

use super::Plan;

/// Whether neither the content nor the bytes of a file are known before it is found.
pub(super) fn is_unsettled(file: &FileRef) -> bool {
    file.bytes_sha256().is_none() && !file.sha256.starts_with("content:")
}

impl Plan {
    /// The files of which nothing is declared and that were not found yet, each once.
    pub fn unsettled(&self) -> Vec<Wanted> {
        self.sources.iter().filter(|source| is_unsettled(&source.reference)).cloned().collect()
    }

    /// Names a file of [`Plan::unsettled`] by the bytes that were found, wherever it is read; returns what definitions now say of it. The
    /// cells that read it have identities of these bytes from then on, and the worker refuses others.
    ///
    /// # Errors
    /// [`FetchError::Io`] for a file that cannot be read.
    pub fn settle(&mut self, file: &FileRef, path: &Path) -> Result<FileRef, FetchError> {
        let settled = FileRef { name: file.name.clone(), sha256: sha256_file(path)? };
        let wanted = self.sources.iter_mut().chain(self.terms.iter_mut().flat_map(|terms| &mut terms.files));
        let declared = wanted.map(|wanted| &mut wanted.reference);
        let read = self.cells.iter_mut().flat_map(|cell| cell.draft.files());
        declared.chain(read).filter(|reference| **reference == *file).for_each(|reference| reference.clone_from(&settled));
        Ok(settled)
    }
}
