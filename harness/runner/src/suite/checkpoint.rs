//! `[[checkpoint]]` tables: checkpoints of others, from a folder or from the hub.

use std::path::{Path, PathBuf};

use clmbench_fetch::{
    FetchError,
    hub::{HubError, HubPlace, is_commit},
};

use super::{
    Place, SuiteError,
    parse::{LARGEST, check_name},
    reader::Section,
};

/// Keys of `[[checkpoint]]`.
pub(super) const KEYS: [&str; 8] = ["path", "hub", "revision", "name", "architecture", "max_tokens", "tokens", "molecules"];
/// What stands for a commit that is still to be looked up.
pub const UNPINNED: &str = "unpinned";
/// Longest sequence in tokens when the suite is silent: that of our own tokenizer.
const MAX_TOKENS: u32 = 128;

/// A `[[checkpoint]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointEntry {
    /// Where it comes from.
    pub origin: CheckpointOrigin,
    /// Name, part of keys.
    pub name: String,
    /// Architecture; none = the one that reads the `model_type` of its `config.json`.
    pub architecture: Option<String>,
    /// Longest sequence in tokens; the model's own limit goes first.
    pub max_tokens: u32,
    /// Tokens that it was trained on, if the user knows.
    pub tokens: Option<u64>,
    /// Molecules that it was trained on, if the user knows.
    pub molecules: Option<u64>,
    /// Where it is written.
    pub place: Place,
}

/// Where a checkpoint comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointOrigin {
    /// A folder, as written in the suite; relative to the suite file.
    Folder(String),
    /// A repository of the hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// The commit, 40 hexadecimal digits; none where the suite says `unpinned`: it plans, but does not run.
        commit: Option<String>,
    },
}

impl CheckpointOrigin {
    /// The folder on this machine, for one of the user's; `suite` is the suite's own path.
    pub fn path(&self, suite: &Path) -> Option<PathBuf> {
        match self {
            Self::Folder(written) => Some(suite.parent().unwrap_or(Path::new("")).join(written)),
            Self::Hub { .. } => None,
        }
    }

    /// What tables and exports say: `hub:owner/name@commit`, or `folder:` and the folder's name without where it lies.
    pub fn source(&self) -> String {
        match self {
            Self::Folder(written) => format!("folder:{}", last_part(written)),
            Self::Hub { repo, commit } => format!("hub:{repo}@{}", commit.as_deref().unwrap_or(UNPINNED)),
        }
    }
}

/// Reads a `[[checkpoint]]` table.
pub(super) fn checkpoint(section: &Section<'_>) -> Result<CheckpointEntry, SuiteError> {
    let origin = origin(section)?;
    let name = match section.string("name", "chemberta")? {
        Some(name) => name,
        None => default_name(section, &origin)?,
    };
    check_name(section, "name", &name)?;
    let longest = section.integer("max_tokens", 2, 100_000, "128")?.and_then(|number| u32::try_from(number).ok());
    Ok(CheckpointEntry {
        origin,
        name,
        architecture: section.string("architecture", "bert")?,
        max_tokens: longest.unwrap_or(MAX_TOKENS),
        tokens: section.integer("tokens", 1, LARGEST, "1_000_000_000")?,
        molecules: section.integer("molecules", 1, LARGEST, "10_000_000")?,
        place: section.place.clone(),
    })
}

fn origin(section: &Section<'_>) -> Result<CheckpointOrigin, SuiteError> {
    match (section.string("path", "chemberta")?, section.string("hub", "owner/name")?) {
        (Some(_), Some(_)) => Err(section.value_error("hub", "stands beside `path`; keep one of the two.")),
        (None, None) => {
            let example = "path = \"folder\"` or `hub = \"owner/name\", revision = \"<commit>\"";
            Err(section.missing("path", example))
        }
        (Some(_), None) if section.has("revision") => {
            Err(section.value_error("revision", "belongs to `hub`; a folder has none. Remove the key."))
        }
        (Some(path), None) => Ok(CheckpointOrigin::Folder(path)),
        (None, Some(repo)) => {
            // What cannot be fetched is refused here already, with file and line.
            HubPlace::new(&repo, UNPINNED).map_err(|error| {
                let why = match &error {
                    FetchError::Hub(HubError::BadName { why, .. }) => (*why).to_owned(),
                    other => other.to_string(),
                };
                section.value_error("hub", format!("`{}` names no model of a hub: {why}.", repo.escape_debug()))
            })?;
            let commit = commit(section, &repo)?;
            Ok(CheckpointOrigin::Hub { repo, commit })
        }
    }
}

/// The commit that is written; none for `unpinned`.
fn commit(section: &Section<'_>, repo: &str) -> Result<Option<String>, SuiteError> {
    let find = format!("`clmbench model import {repo}@main` says which it is now");
    let Some(written) = section.string("revision", "<40 hexadecimal digits>")? else {
        let message = format!(
            "is not written. A suite pins the commit, since branches move: {find}. Until then write `revision = \"{UNPINNED}\"`: \
             the suite plans, but does not run."
        );
        return Err(section.value_error("revision", message));
    };
    if written == UNPINNED {
        return Ok(None);
    }
    let commit = written.to_ascii_lowercase();
    if is_commit(&commit) {
        return Ok(Some(commit));
    }
    let message = format!(
        "`{}` is no commit (40 hexadecimal digits). Branches and tags move, so that the suite would not say what it measured: {find}.",
        written.escape_debug()
    );
    Err(section.value_error("revision", message))
}

/// The folder's or the repository's name, where it can be part of keys.
fn default_name(section: &Section<'_>, origin: &CheckpointOrigin) -> Result<String, SuiteError> {
    let name = match origin {
        CheckpointOrigin::Folder(written) => last_part(written),
        CheckpointOrigin::Hub { repo, .. } => repo.split('/').next_back().unwrap_or_default().to_owned(),
    };
    let fits = !name.is_empty() && name.len() <= 64 && !name.starts_with('.');
    let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    if fits && plain { Ok(name) } else { Err(section.missing("name", "name = \"mine\"")) }
}

/// The last part of a path; empty for `..` and `/`.
fn last_part(path: &str) -> String {
    Path::new(path).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::suite::Suite;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn read(table: &str) -> Result<CheckpointEntry, String> {
        let text = format!(
            "schema = 1\n[suite]\nname = \"s\"\n[[dataset]]\nsource = \"moleculenet\"\nnames = [\"freesolv\"]\n[[checkpoint]]\n{table}\n"
        );
        let mut suite = Suite::parse("sets/s.toml", &text).map_err(|error| error.to_string())?;
        Ok(suite.checkpoints.remove(0))
    }

    #[test]
    fn a_folder_and_a_pinned_repository_are_read() {
        let folder = read("path = \"../models/chemberta\"").unwrap();
        assert_eq!((folder.name.as_str(), folder.max_tokens, folder.tokens), ("chemberta", 128, None));
        assert_eq!(folder.origin.path(Path::new("sets/s.toml")).unwrap(), Path::new("sets/../models/chemberta"));
        assert_eq!(folder.origin.source(), "folder:chemberta", "not where it lies");
        let upper = COMMIT.to_ascii_uppercase();
        let hub =
            read(&format!("hub = \"a/b-1.0\"\nrevision = \"{upper}\"\nname = \"x\"\ntokens = 5\nmolecules = 7\nmax_tokens = 64"))
                .unwrap();
        assert_eq!(hub.origin.source(), format!("hub:a/b-1.0@{COMMIT}"));
        assert_eq!((hub.name.as_str(), hub.tokens, hub.molecules, hub.max_tokens), ("x", Some(5), Some(7), 64));
        let open = read("hub = \"a/b\"\nrevision = \"unpinned\"\narchitecture = \"bert\"").unwrap();
        assert_eq!(open.origin, CheckpointOrigin::Hub { repo: "a/b".into(), commit: None });
        assert_eq!((open.name.as_str(), open.architecture.as_deref()), ("b", Some("bert")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let pinned = format!("hub = \"a/b\"\nrevision = \"{COMMIT}\"\n");
        for (table, expected) in [
            (
                "name = \"x\"".to_owned(),
                "sets/s.toml:7: [[checkpoint]] lacks `path`. Add, for example, `path = \"folder\"` or `hub = \"owner/name\", \
                 revision = \"<commit>\"`.",
            ),
            (
                "path = \"x\"\nrevision = \"main\"".to_owned(),
                "sets/s.toml:9: `revision` in [[checkpoint]]: belongs to `hub`; a folder has none. Remove the key.",
            ),
            (
                format!("{pinned}path = \"x\""),
                "sets/s.toml:8: `hub` in [[checkpoint]]: stands beside `path`; keep one of the two.",
            ),
            (
                "hub = \"a/b\"\nrevision = \"main\"".to_owned(),
                "sets/s.toml:9: `revision` in [[checkpoint]]: `main` is no commit (40 hexadecimal digits). Branches and tags move, \
                 so that the suite would not say what it measured: `clmbench model import a/b@main` says which it is now.",
            ),
            (
                "hub = \"a/b\"".to_owned(),
                "sets/s.toml:7: `revision` in [[checkpoint]]: is not written. A suite pins the commit, since branches move: \
                 `clmbench model import a/b@main` says which it is now. Until then write `revision = \"unpinned\"`: the suite \
                 plans, but does not run.",
            ),
            (
                "hub = \"../b\"\nrevision = \"main\"".to_owned(),
                "sets/s.toml:8: `hub` in [[checkpoint]]: `../b` names no model of a hub: owner and name have no `..` and no `--`, and neither \
                 begin nor end with `.` or `-`.",
            ),
            (
                "hub = \"a--b/c\"\nrevision = \"unpinned\"".to_owned(),
                "sets/s.toml:8: `hub` in [[checkpoint]]: `a--b/c` names no model of a hub: owner and name have no `..` and no `--`, and \
                 neither begin nor end with `.` or `-`.",
            ),
            ("path = \"..\"".to_owned(), "sets/s.toml:7: [[checkpoint]] lacks `name`. Add, for example, `name = \"mine\"`."),
            (
                "path = \"x\"\nmax_tokens = 1".to_owned(),
                "sets/s.toml:9: `max_tokens` in [[checkpoint]]: 1 is outside 2 to 100000.",
            ),
        ] {
            assert_eq!(read(&table).unwrap_err(), expected, "{table}");
        }
    }
}
