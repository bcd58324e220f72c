//! What names a model of a hub: `owner/name`, and a revision of it.

use std::fmt;

use super::HubError;
use crate::{FetchError, error::shown};

/// The revision that is meant where none is written.
const DEFAULT: &str = "main";
/// Longest owner, name or revision.
const LONGEST: usize = 96;

/// A model of a hub at a revision; both are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubPlace {
    /// `owner/name`.
    pub repo: String,
    /// A commit (40 hex digits), a branch or a tag.
    pub revision: String,
}

impl HubPlace {
    /// The model `repo` (`owner/name`) at a revision.
    ///
    /// # Errors
    /// [`HubError::BadName`] and [`HubError::BadRevision`] for what no hub has, such as `..`.
    pub fn new(repo: &str, revision: &str) -> Result<Self, FetchError> {
        if let Some(why) = wrong(repo) {
            return Err(HubError::BadName { text: shown(repo), why }.into());
        }
        let letters = revision.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
        let parts = revision.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(".."));
        if !letters || !parts || revision.len() > LONGEST {
            return Err(HubError::BadRevision { repo: repo.to_owned(), revision: shown(revision) }.into());
        }
        Ok(Self { repo: repo.to_owned(), revision: revision.to_owned() })
    }

    /// The model of `owner/name` or `owner/name@REVISION`; without one, `main`.
    ///
    /// # Errors
    /// As [`HubPlace::new`].
    pub fn parse(text: &str) -> Result<Self, FetchError> {
        match text.split_once('@') {
            Some((repo, revision)) => Self::new(repo, revision),
            None => Self::new(text, DEFAULT),
        }
    }

    /// The revision where it is a commit, which never changes.
    pub fn commit(&self) -> Option<&str> {
        Some(self.revision.as_str()).filter(|text| is_commit(text))
    }

    /// `<owner>--<name>`, the folder of the model in the cache.
    pub(super) fn folder_name(&self) -> String {
        self.repo.replace('/', "--")
    }
}

impl fmt::Display for HubPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.repo, self.revision)
    }
}

/// Whether the text is a commit as hubs write it: 40 hex digits in lower case.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Why a text is not `owner/name`. A hub has neither `--` nor `..` in names, so that [`HubPlace::folder_name`] is of one model alone.
fn wrong(repo: &str) -> Option<&'static str> {
    let Some((owner, name)) = repo.split_once('/') else { return Some("the owner is missing") };
    if name.contains('/') {
        return Some("it has more than one `/`");
    }
    for part in [owner, name] {
        if part.is_empty() || part.len() > LONGEST {
            return Some("owner and name have 1 to 96 characters");
        }
        if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Some("owner and name have only letters, digits and . _ -");
        }
        if part.contains("..") || part.contains("--") || part.starts_with(['.', '-']) || part.ends_with(['.', '-']) {
            return Some("owner and name have no `..` and no `--`, and neither begin nor end with `.` or `-`");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read_and_tricks_are_not() {
        let place = HubPlace::parse("sagawa/molscaletransfer-chemlm-0.06m").unwrap();
        assert_eq!((place.to_string().as_str(), place.commit()), ("sagawa/molscaletransfer-chemlm-0.06m@main", None));
        assert_eq!(HubPlace::parse("a/b@refs/pr/1").unwrap().revision, "refs/pr/1");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(HubPlace::new("a_1/B.b", commit).unwrap().commit(), Some(commit));
        for (text, why) in [
            ("bert-base-uncased", "the owner is missing"),
            ("a/b/c", "it has more than one `/`"),
            ("../b", "owner and name have no `..` and no `--`, and neither begin nor end with `.` or `-`"),
            ("a--b/c", "owner and name have no `..` and no `--`, and neither begin nor end with `.` or `-`"),
            ("a/", "owner and name have 1 to 96 characters"),
            ("a/b\u{1b}[2J", "owner and name have only letters, digits and . _ -"),
            ("a/b?x=1", "owner and name have only letters, digits and . _ -"),
        ] {
            let said = HubPlace::parse(text).unwrap_err().to_string();
            assert!(said.contains(&format!("names no model of a hub: {why}; write owner/name")), "{text}: {said}");
            assert!(!said.contains('\u{1b}'));
        }
        for revision in ["", "../x", "a//b", "a b", "a\nb", ".git", "x?y", "a/../b"] {
            let said = HubPlace::new("a/b", revision).unwrap_err().to_string();
            assert!(said.contains("is no revision of a/b: write a commit"), "{revision}: {said}");
        }
    }
}
