//! What a hub says that a model consists of: read with bounds, judged name by name, and what is taken of it.

use std::collections::BTreeSet;

use clmbench_protocol::checkpoint_files::{self, Unread, is_allowed, is_shard, unread};
use serde::Deserialize;

use super::{Hub, HubError, HubPlace, is_commit};
use crate::{FetchError, address, digest::is_sha256, error::shown, http};

/// Largest answer that describes a model at a revision; some carry all its files.
const MOST_MODEL: u64 = 16 << 20;
/// Largest page of a listing.
const MOST_PAGE: u64 = 8 << 20;
/// Pages of a listing that are read.
const MOST_PAGES: usize = 20;
/// Largest whole.
pub(super) const MOST_BYTES: u64 = 20_000_000_000;
/// The weights in one file.
const WHOLE: &str = "model.safetensors";

/// How the bytes of a listed file are proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// SHA-256 of large files.
    Sha256(String),
    /// SHA-1 of a git blob: `blob <bytes>\0` and the bytes.
    GitSha1(String),
}

/// A file that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub name: String,
    pub bytes: u64,
    pub proof: Proof,
}

#[derive(Deserialize)]
struct Model {
    sha: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

/// The commit that a revision is now.
pub(super) fn commit(hub: &Hub, place: &HubPlace) -> Result<String, FetchError> {
    let url = hub.endpoint.revision(&place.repo, &place.revision);
    let bytes = ask(hub, place, &url, MOST_MODEL)?.bytes;
    let bad = |detail: String| HubError::BadListing { url: address::public(&url), detail };
    let model: Model = serde_json::from_slice(&bytes).map_err(|error| bad(shown(&error.to_string())))?;
    if !is_commit(&model.sha) {
        return Err(bad(format!("its commit is `{}`", shown(&model.sha))).into());
    }
    match place.commit() {
        Some(asked) if asked != model.sha => Err(bad(format!("asked for commit {asked}, it tells {}", model.sha)).into()),
        _ => Ok(model.sha),
    }
}

/// The files to take, smallest first, judged: nothing has been downloaded yet.
pub(super) fn files(hub: &Hub, place: &HubPlace, commit: &str) -> Result<Vec<Listed>, FetchError> {
    let mut entries = Vec::new();
    let mut url = hub.endpoint.tree(&place.repo, commit);
    for page in 1.. {
        let bad = |detail: String| HubError::BadListing { url: address::public(&url), detail };
        if page > MOST_PAGES {
            return Err(bad(format!("it has more than {MOST_PAGES} pages")).into());
        }
        let answer = ask(hub, place, &url, MOST_PAGE)?;
        let more: Vec<Entry> = serde_json::from_slice(&answer.bytes).map_err(|error| bad(shown(&error.to_string())))?;
        entries.extend(more);
        match next(&answer.link) {
            Some(next) if address::same_server(&url, next) => url = next.to_owned(),
            Some(next) => return Err(bad(format!("it goes on at `{}`, which is another server", address::public(next))).into()),
            None => break,
        }
    }
    choose(entries, place, commit, &hub.endpoint.base)
}

/// The address of the next page in a `Link` header (RFC 8288).
fn next(link: &str) -> Option<&str> {
    let of_next = |part: &&str| part.split(';').skip(1).any(|parameter| parameter.trim() == "rel=\"next\"");
    link.split(',').find(of_next)?.split(';').next()?.trim().strip_prefix('<')?.strip_suffix('>')
}

fn ask(hub: &Hub, place: &HubPlace, url: &str, most: u64) -> Result<http::Answer, FetchError> {
    let answer = http::small(url, most, hub.endpoint.token.as_ref(), hub.patience());
    let answer = answer.map_err(|why| hub.undelivered(place, url, why))?;
    let (repo, endpoint) = (place.repo.clone(), hub.endpoint.base.clone());
    let error = match (answer.status, answer.code.as_str()) {
        (200, _) => return Ok(answer),
        (_, "GatedRepo") => hub.gated(place, format!("status {}", answer.status)),
        (_, "RevisionNotFound") => HubError::NoRevision { repo, revision: place.revision.clone(), endpoint },
        // A hub does not tell strangers whether a private model is there: 401 as well.
        (_, "RepoNotFound") | (401 | 404, _) => HubError::NoModel { repo, endpoint },
        (403, _) => hub.gated(place, "status 403".to_owned()),
        (status, _) => HubError::Undelivered { url: address::public(url), detail: format!("status {status}") },
    };
    Err(error.into())
}

/// Judges every name, and takes what a checkpoint is read from.
fn choose(entries: Vec<Entry>, place: &HubPlace, commit: &str, endpoint: &str) -> Result<Vec<Listed>, FetchError> {
    let repo = || place.repo.clone();
    let mut names = BTreeSet::new();
    for entry in &entries {
        let why = match entry.kind.as_str() {
            "file" | "directory" => unsafe_name(&entry.path),
            _ => Some("is neither a file nor a folder"),
        };
        let why = why.or_else(|| (!names.insert(entry.path.clone())).then_some("is listed twice"));
        if let Some(why) = why {
            return Err(HubError::UnsafeName { repo: repo(), name: shown(&entry.path), why }.into());
        }
    }
    let is_file = |name: &str| entries.iter().any(|entry| entry.kind == "file" && entry.path == name);
    let whole = is_file(WHOLE);
    let mut taken = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == "file") {
        // Of weights in one file and in parts, the one file is read.
        let second = whole && (is_shard(&entry.path) || entry.path.ends_with(".index.json"));
        if is_allowed(&entry.path) && !second {
            taken.push(listed(entry, place)?);
        }
    }
    if !taken.iter().any(|file| file.name.ends_with(".safetensors")) {
        let plain = |entry: &&Entry| entry.kind == "file" && !entry.path.contains('/');
        let other = |entry: &Entry| Some((unread(&entry.path)?, entry.path.clone()));
        let other = entries.iter().filter(plain).filter_map(other).min();
        let (commit, endpoint) = (commit.to_owned(), endpoint.to_owned());
        return Err(match other {
            Some((Unread::Pickle, file)) => HubError::Pickle { repo: repo(), commit, file: shown(&file), endpoint },
            Some((form, file)) => HubError::Unread { repo: repo(), commit, file: shown(&file), form },
            None => HubError::Lacks { repo: repo(), commit, file: "weights (model.safetensors)" },
        }
        .into());
    }
    if !taken.iter().any(|file| file.name == "config.json") {
        return Err(HubError::Lacks { repo: repo(), commit: commit.to_owned(), file: "config.json" }.into());
    }
    let bytes = taken.iter().fold(0u64, |sum, file| sum.saturating_add(file.bytes));
    if bytes > MOST_BYTES {
        return Err(HubError::TooLarge { repo: repo(), what: "the whole".to_owned(), bytes, most: MOST_BYTES }.into());
    }
    taken.sort_by(|a, b| (a.bytes, &a.name).cmp(&(b.bytes, &b.name)));
    Ok(taken)
}

/// A file that is taken, with the digest that its bytes must have.
fn listed(entry: &Entry, place: &HubPlace) -> Result<Listed, FetchError> {
    let refused = |why| Err(HubError::UnsafeName { repo: place.repo.clone(), name: shown(&entry.path), why }.into());
    let (proof, bytes) = match &entry.lfs {
        Some(lfs) if !is_sha256(&lfs.oid) => return refused("has no SHA-256"),
        Some(lfs) if lfs.size != entry.size => return refused("is listed with two sizes"),
        Some(lfs) => (Proof::Sha256(lfs.oid.clone()), lfs.size),
        None if !is_commit(&entry.oid) => return refused("has no digest"),
        None => (Proof::GitSha1(entry.oid.clone()), entry.size),
    };
    let most = checkpoint_files::limit(&entry.path).unwrap_or(MOST_BYTES);
    if bytes > most {
        return Err(HubError::TooLarge { repo: place.repo.clone(), what: entry.path.clone(), bytes, most }.into());
    }
    Ok(Listed { name: entry.path.clone(), bytes, proof })
}

/// Why a name is not of a file below the model's folder.
fn unsafe_name(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > 1024 {
        return Some("is no name of a file");
    }
    if path.chars().any(clmbench_protocol::is_unsafe_to_show) {
        return Some("holds characters that cannot be shown");
    }
    if path.contains('\\') {
        return Some("holds a backslash");
    }
    if path.starts_with('/') {
        return Some("is an absolute path");
    }
    path.split('/').any(|part| part.is_empty() || part == "." || part == "..").then_some("leads out of its folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_a_link_header() {
        let link = "<https://a.org/x?cursor=1,2>; rel=\"prev\", <https://a.org/x?cursor=abc>; rel=\"next\"";
        assert_eq!(next("<https://a.org/tree/c?cursor=abc%3D>; rel=\"next\""), Some("https://a.org/tree/c?cursor=abc%3D"));
        assert_eq!(next(link), Some("https://a.org/x?cursor=abc"));
        assert_eq!((next(""), next("<x>; rel=\"last\""), next("x; rel=\"next\"")), (None, None, None));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        assert_eq!(unsafe_name("onnx/model.onnx"), None);
        for (name, why) in [
            ("../x", "leads out of its folder"),
            ("a/../../x", "leads out of its folder"),
            ("a//b", "leads out of its folder"),
            ("/etc/passwd", "is an absolute path"),
            ("a\\b", "holds a backslash"),
            ("a\nb", "holds characters that cannot be shown"),
            ("", "is no name of a file"),
        ] {
            assert_eq!(unsafe_name(name), Some(why), "{name}");
        }
    }
}
