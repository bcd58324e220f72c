//! Files that a command writes: beside their place, flushed to the disk, then renamed, so that a file is there whole or not.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::error::CliError;

/// Where a command writes.
pub type Sink<'a> = BufWriter<Box<dyn Write + 'a>>;

/// Runs `write` on standard output, or on a file that appears at `path` when it is complete.
///
/// # Errors
/// That of `write`; [`CliError::File`] names the file that cannot be written.
pub fn write_to(path: Option<&Path>, write: impl FnOnce(&mut Sink<'_>) -> Result<(), CliError>) -> Result<(), CliError> {
    let Some(path) = path else {
        let mut out: Sink<'_> = BufWriter::new(Box::new(io::stdout().lock()));
        return write(&mut out).and_then(|()| out.flush().map_err(CliError::Output));
    };
    let of_file = |error| CliError::file(path, error);
    let beside = beside(path);
    let file = File::create(&beside).map_err(|error| match path.parent() {
        Some(folder) if error.kind() == io::ErrorKind::NotFound && !folder.as_os_str().is_empty() => {
            let words = format!("there is no folder {}; make it first (mkdir -p)", folder.display());
            of_file(io::Error::new(io::ErrorKind::NotFound, words))
        }
        _ => of_file(error),
    })?;
    let written = file.try_clone().map_err(of_file).and_then(|clone| {
        let mut out: Sink<'_> = BufWriter::new(Box::new(clone));
        // An error of writing is one of this file, not of standard output.
        let named = |error| match error {
            CliError::Output(error) => of_file(error),
            other => other,
        };
        write(&mut out).map_err(named)?;
        out.flush().and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&beside, path)).map_err(of_file)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// A name in the same folder that no other process uses.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        write_to(Some(&path), |out| out.write_all(b"whole").map_err(CliError::Output)).unwrap();
        let failed = write_to(Some(&path), |out| {
            out.write_all(b"half").map_err(CliError::Output)?;
            Err(CliError::Output(io::Error::other("no space")))
        });
        let said = failed.unwrap_err().to_string();
        assert!(said.contains("out.csv") && said.contains("no space"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let said = write_to(Some(&folder.path().join("no/x")), |_| Ok(())).unwrap_err().to_string();
        assert!(said.ends_with("/no; make it first (mkdir -p)"), "{said}");
    }
}
