//! Models of a hub that speaks as huggingface.co does: fetched into the cache, proved by the digests that the hub lists, never asked for twice.
//!
//! | request | for |
//! |---|---|
//! | `GET /api/models/<repo>/revision/<revision>` | the commit that a branch or tag is now |
//! | `GET /api/models/<repo>/tree/<commit>` | names, sizes and digests of its files (paged by `Link`) |
//! | `GET /<repo>/resolve/<commit>/<name>` | a file, resumed by `Range` |
//!
//! Only files that a checkpoint is read from are taken ([`clmbench_protocol::checkpoint_files`]), from the top folder alone, at most 20 GB. Large files have a SHA-256 in
//! the listing, small ones the SHA-1 of their git blob. No pickle is downloaded, and nothing of a model is ever run. A folder appears in the
//! cache under its name, `hub/<owner>--<name>/<commit>`, when all of it is there and proved. Redirects lead to https alone (from this machine:
//! to this machine), and the token of `HF_TOKEN` to the hub's own server alone.

mod endpoint;
mod error;
mod listing;
mod name;
mod record;
mod take;

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use serde::{Deserialize, Serialize};

pub use endpoint::Token;
pub use error::HubError;
pub use name::{HubPlace, is_commit};

use crate::{
    FetchError, Fetcher, Phase, Progress, address,
    http::{Patience, Undelivered},
    place::{self, Lock, beside},
};
use endpoint::Endpoint;

/// A file of a model in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubFile {
    /// Plain name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
}

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFolder {
    /// Where it lies.
    pub folder: PathBuf,
    /// `owner/name`.
    pub repo: String,
    /// 40 hex digits.
    pub commit: String,
    /// What a checkpoint is read from, smallest first.
    pub files: Vec<HubFile>,
    /// The hub that it was fetched from; none where somebody placed the files by hand, so that no hub vouches for them.
    pub address: Option<String>,
    /// The day of the fetch (UTC).
    pub date: Option<String>,
}

impl HubFolder {
    /// All its bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Fetches a model into `cache`, from the hub and under the limits that the environment names. Makes no request where the revision is a commit
/// that is there already.
///
/// # Errors
/// [`FetchError::Hub`] with everything that a name, a hub or a file can be wrong by; [`FetchError::Io`] of our own disk.
pub fn fetch(place: &HubPlace, cache: &Path, progress: &mut dyn FnMut(Progress)) -> Result<HubFolder, FetchError> {
    Hub::from_environment(cache)?.fetch(place, progress)
}

/// The model at a commit in the cache, without a request: whole by names and sizes, and by SHA-256 where a file was written since the fetch.
/// Also what was placed there by hand ([`HubFolder::address`] is none then).
pub fn cached(repo: &str, commit: &str, cache: &Path) -> Option<HubFolder> {
    let place = HubPlace::new(repo, commit).ok()?;
    record::read(&folder(cache, &place, commit), &place, commit)
}

/// Where the model at a commit is kept in the cache.
fn folder(cache: &Path, place: &HubPlace, commit: &str) -> PathBuf {
    cache.join("hub").join(place.folder_name()).join(commit)
}

/// A hub and a cache.
#[derive(Debug, Clone)]
pub struct Hub {
    endpoint: Endpoint,
    /// Cache, patience and whether it is offline.
    fetcher: Fetcher,
    stop: Option<&'static AtomicBool>,
}

impl Hub {
    /// As `HF_ENDPOINT`, `HF_TOKEN`, `CLMBENCH_OFFLINE` and `CLMBENCH_PATIENCE` say.
    ///
    /// # Errors
    /// [`HubError::BadEndpoint`], [`HubError::BadToken`]; what [`Fetcher::from_environment`] says.
    pub fn from_environment(cache: &Path) -> Result<Self, FetchError> {
        let fetcher = Fetcher::from_environment()?.with_cache(cache);
        Ok(Self { endpoint: Endpoint::from_environment()?, fetcher, stop: None })
    }

    /// The hub at an address, with the cache, patience and connection of a fetcher.
    ///
    /// # Errors
    /// [`HubError::BadEndpoint`].
    pub fn new(fetcher: Fetcher, endpoint: &str, token: Option<Token>) -> Result<Self, FetchError> {
        Ok(Self { endpoint: Endpoint::new(endpoint, token)?, fetcher, stop: None })
    }

    /// Ends a download once the flag is true; what came of it is kept, and gone on with by the next fetch.
    #[must_use]
    pub fn stopped_by(mut self, flag: &'static AtomicBool) -> Self {
        self.stop = Some(flag);
        self
    }

    /// See [`fetch`].
    ///
    /// # Errors
    /// See [`fetch`].
    pub fn fetch(&self, place: &HubPlace, progress: &mut dyn FnMut(Progress)) -> Result<HubFolder, FetchError> {
        if let Some(found) = place.commit().and_then(|commit| cached(&place.repo, commit, self.fetcher.cache())) {
            return Ok(found);
        }
        if self.fetcher.is_offline() {
            let next = "run once without --offline (and without CLMBENCH_OFFLINE)";
            return Err(self.out_of_reach(place, "downloads are switched off".to_owned(), next).into());
        }
        let commit = listing::commit(self, place)?;
        let place = &HubPlace::new(&place.repo, &commit)?;
        let target = folder(self.fetcher.cache(), place, &commit);
        place::folder(target.parent().unwrap_or(&target))?;
        let _lock = Lock::take(&target, progress)?;
        if let Some(found) = cached(&place.repo, &commit, self.fetcher.cache()) {
            return Ok(found);
        }
        let files = listing::files(self, place, &commit)?;
        let total = files.iter().map(|file| file.bytes).sum();
        progress(Progress { phase: Phase::Fetching, name: format!("{} at {}", place.repo, &commit[..12]), done: 0, total });
        let work = beside(&target, "partial");
        let taken = take::all(self, place, &commit, &files, &work, progress)?;
        let mut found = HubFolder {
            folder: work.clone(),
            repo: place.repo.clone(),
            commit,
            files: taken,
            address: Some(address::public(&self.endpoint.base)),
            date: Some(record::today()),
        };
        record::write(&found)?;
        // What is there now is damaged, or it had been found above.
        place::remove(&target)?;
        place::rename(&work, &target)?;
        found.folder = target;
        Ok(found)
    }

    /// The commit that a revision is now; nothing is fetched.
    ///
    /// # Errors
    /// As [`fetch`].
    pub fn commit(&self, place: &HubPlace) -> Result<String, FetchError> {
        if let Some(commit) = place.commit() {
            return Ok(commit.to_owned());
        }
        if self.fetcher.is_offline() {
            let next = "run once without --offline (and without CLMBENCH_OFFLINE)";
            return Err(self.out_of_reach(place, "downloads are switched off".to_owned(), next).into());
        }
        listing::commit(self, place)
    }

    fn patience(&self) -> Patience {
        self.fetcher.patience()
    }

    fn gated(&self, place: &HubPlace, detail: String) -> HubError {
        let endpoint = self.endpoint.base.clone();
        HubError::Gated { repo: place.repo.clone(), endpoint, detail, with_token: self.endpoint.token.is_some() }
    }

    fn out_of_reach(&self, place: &HubPlace, why: String, next: &str) -> HubError {
        let commit = place.commit().unwrap_or("COMMIT");
        let folder = folder(self.fetcher.cache(), place, commit);
        HubError::OutOfReach { repo: place.repo.clone(), revision: place.revision.clone(), why, next: next.to_owned(), folder }
    }

    fn undelivered(&self, place: &HubPlace, url: &str, why: Undelivered) -> FetchError {
        let url = address::public(url);
        match why {
            Undelivered::Unreachable(detail) => {
                let why = format!("{} cannot be asked ({detail})", self.endpoint.base);
                let next = "run this again with a network (HF_ENDPOINT names another hub)";
                self.out_of_reach(place, why, next).into()
            }
            Undelivered::Refused(detail) => HubError::Undelivered { url, detail }.into(),
            Undelivered::Denied(detail) => self.gated(place, detail).into(),
            Undelivered::File(error) => error,
        }
    }
}

#[cfg(test)]
mod loopback;
#[cfg(test)]
mod tests;
