//! Data files from addresses: kept by address in the cache, with a record of what was fetched, so that later damage is seen.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use clmbench_protocol::UrlFile;
use serde::{Deserialize, Serialize};

use crate::{
    FetchError, Fetcher, Found, Place, Progress, Wanted, address,
    digest::Digests,
    error::shown,
    http::{self, Order, Undelivered},
    mirror::Mirror,
    place::{self, Lock, beside},
    source::UNKNOWN,
};

/// What was fetched, beside the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    place: Taken,
    digests: Digests,
}

/// Where it was taken from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Taken {
    Address(String),
    Mirror(String),
}

impl Taken {
    fn place(&self) -> Place {
        match self {
            Self::Address(url) => Place::Url { url: url.clone() },
            Self::Mirror(at) => Place::Mirror { at: at.clone() },
        }
    }
}

impl Fetcher {
    /// `data/url/<16 hex digits of the address's BLAKE3>/<file name>`.
    pub(crate) fn url_path(&self, url: &UrlFile) -> PathBuf {
        let digest = blake3::hash(url.url.as_bytes()).to_hex();
        self.cache().join("data/url").join(&digest[..16]).join(address::file_name(&url.url))
    }

    /// The file in the cache, if it is as it was fetched and still what is wanted.
    pub(crate) fn cached_url(&self, wanted: &Wanted, url: &UrlFile) -> Option<Found> {
        if self.is_anew() {
            return None;
        }
        let path = self.url_path(url);
        let record: Record = serde_json::from_slice(&fs::read(beside(&path, "json")).ok()?).ok()?;
        let found = Digests::of(&path).ok()?;
        if found != record.digests {
            return None;
        }
        let remark = judge(wanted, url, &found).ok()?;
        Some(Found { path, place: record.place.place(), remark, passed_over: Vec::new() })
    }

    pub(crate) fn forget_url(&self, url: &UrlFile) -> Result<(), FetchError> {
        let path = self.url_path(url);
        [beside(&path, "json"), beside(&path, "partial"), path].iter().try_for_each(|path| place::remove(path))
    }

    /// Downloads the file from its address, or takes the one of its name from the mirror.
    pub(crate) fn take_from_url(
        &self,
        wanted: &Wanted,
        url: &UrlFile,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Found, FetchError> {
        let path = self.url_path(url);
        let folder = path.parent().unwrap_or(self.cache());
        if self.is_offline() && !matches!(self.mirror(), Some(Mirror::Folder(_))) {
            return Err(FetchError::OfflineFile { file: shown(address::file_name(&url.url)) });
        }
        place::folder(folder)?;
        let _lock = Lock::take(&path, progress)?;
        if let Some(found) = self.cached_url(wanted, url) {
            return Ok(found);
        }
        let partial = beside(&path, "partial");
        if self.is_anew() {
            place::remove(&partial)?;
        }
        let pinned = url.md5.is_some() || url.sha256.is_some();
        let mut doubtful = self.bring(url, pinned, &partial, progress)?;
        loop {
            match admit(wanted, url, &partial) {
                // Other bytes than the pinned ones are taken from one whole answer alone.
                Ok((_, Some(_))) if pinned && std::mem::take(&mut doubtful) => {
                    place::remove(&partial)?;
                    self.bring(url, false, &partial, progress)?;
                }
                Ok((digests, remark)) => {
                    let place = self.taken(url);
                    // The record last: a file without one is fetched again.
                    place::remove(&beside(&path, "json"))?;
                    place::publish(&partial, &path)?;
                    let found = Found { path: path.clone(), place: place.place(), remark, passed_over: Vec::new() };
                    let record = serde_json::to_vec(&Record { place, digests }).unwrap_or_default();
                    place::write_whole(&beside(&path, "json"), &record)?;
                    return Ok(found);
                }
                Err(error) => {
                    place::remove(&partial)?;
                    // A part may have come from another file, or be missing; from the beginning, once.
                    if !std::mem::take(&mut doubtful) {
                        return Err(error);
                    }
                    self.bring(url, pinned, &partial, progress)?;
                }
            }
        }
    }

    /// Where an address is really asked for: there, or at the mirror.
    pub(crate) fn place_of(&self, url: &UrlFile) -> Place {
        self.taken(url).place()
    }

    fn taken(&self, url: &UrlFile) -> Taken {
        let name = address::file_name(&url.url);
        match self.mirror() {
            Some(Mirror::Folder(folder)) => Taken::Mirror(folder.join(name).display().to_string()),
            Some(Mirror::Url(base)) => Taken::Mirror(address::public(&format!("{base}/{name}"))),
            None => Taken::Address(address::public(&url.url)),
        }
    }

    /// Brings the bytes to `partial`, whose digest judges them or not; says whether the whole is doubtful ([`http::download`]).
    fn bring(&self, url: &UrlFile, judged: bool, partial: &Path, progress: &mut dyn FnMut(Progress)) -> Result<bool, FetchError> {
        let name = address::file_name(&url.url);
        let from = match self.mirror() {
            Some(Mirror::Folder(folder)) => {
                let from = folder.join(name);
                copy(&from, partial, url.bytes)?;
                return Ok(false);
            }
            Some(Mirror::Url(base)) => format!("{base}/{name}"),
            None => url.url.clone(),
        };
        let undelivered = |detail| FetchError::Undelivered { url: address::public(&from), detail };
        let server = address::server(&from);
        if let Some(detail) = self.was_silent(&server) {
            return Err(undelivered(detail));
        }
        let order = Order {
            url: &from,
            partial,
            bytes: 0,
            most: Some(url.bytes),
            judged,
            any_beginning: false,
            token: None,
            stop: None,
            patience: self.patience(),
        };
        http::download(order, progress).map_err(|why| match why {
            Undelivered::Unreachable(detail) => {
                self.remember_silent(&server, &detail);
                undelivered(detail)
            }
            Undelivered::Refused(detail) | Undelivered::Denied(detail) => undelivered(detail),
            Undelivered::File(error) => error,
        })
    }
}

/// Copies from a mirror folder what is not too large.
fn copy(from: &Path, partial: &Path, most: u64) -> Result<(), FetchError> {
    let refused = |detail: String| Err(FetchError::Undelivered { url: from.display().to_string(), detail });
    match from.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() > most => {
            refused(format!("it has {} bytes, but at most {most} are allowed", metadata.len()))
        }
        Ok(metadata) if metadata.is_file() => {
            fs::copy(from, partial).map(|_| ()).map_err(FetchError::io("copy from the mirror to", partial))
        }
        _ => refused("there is no such file".to_owned()),
    }
}

/// Looks at a file that was brought whole: no web page, no gzip that ends early, no digest but the pinned one unless the content judges.
fn admit(wanted: &Wanted, url: &UrlFile, partial: &Path) -> Result<(Digests, Option<String>), FetchError> {
    let io = |error| FetchError::io("read", partial)(error);
    let refused = |detail: String| FetchError::Undelivered { url: address::public(&url.url), detail };
    let mut first = Vec::new();
    File::open(partial).map_err(io)?.take(512).read_to_end(&mut first).map_err(io)?;
    if first.is_empty() {
        return Err(refused("the file is empty".to_owned()));
    }
    if http::is_page(&first) {
        return Err(refused("it is a web page, not the file".to_owned()));
    }
    if first.starts_with(&[0x1f, 0x8b]) {
        whole_gzip(partial, MOST_UNPACKED).map_err(refused)?;
    }
    let digests = Digests::of(partial)?;
    let remark = judge(wanted, url, &digests)?;
    Ok((digests, remark))
}

/// More bytes than any table that is read here unpacks to: what the worker takes (`clmbench_molecules::gzip::MAX_BYTES`).
const MOST_UNPACKED: u64 = 1 << 30;

/// That a gzip file can be read to its end, and does not unpack to more than `most` bytes.
fn whole_gzip(path: &Path, most: u64) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut unpacked = flate2::read::MultiGzDecoder::new(std::io::BufReader::new(file)).take(most + 1);
    match std::io::copy(&mut unpacked, &mut std::io::sink()) {
        Ok(bytes) if bytes > most => Err(format!("it unpacks to more than {most} bytes")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err("its gzip ends early: it was cut off, and is discarded".to_owned())
        }
        Err(error) => Err(format!("its gzip is damaged ({error})")),
    }
}

/// Compares with the pins. Other bytes are taken where the content judges.
fn judge(wanted: &Wanted, url: &UrlFile, found: &Digests) -> Result<Option<String>, FetchError> {
    let what = || format!("`{}`", address::public(&url.url));
    let wrong = match (&url.sha256, &url.md5) {
        (Some(pin), _) if *pin != found.sha256 => {
            FetchError::WrongHash { what: what(), expected: pin.clone(), found: found.sha256.clone() }
        }
        (_, Some(pin)) if *pin != found.md5 => {
            FetchError::WrongMd5 { what: what(), expected: pin.clone(), found: found.md5.clone() }
        }
        (None, None) if !wanted.content_judges() => return Ok(Some(UNKNOWN.to_owned())),
        _ => return Ok(None),
    };
    if wanted.content_judges() {
        return Ok(Some(format!("its bytes are not the pinned ones ({}); its content judges", wrong.reason())));
    }
    Err(wrong)
}

#[cfg(test)]
#[path = "url_file_tests.rs"]
mod tests;
