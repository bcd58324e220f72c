//! A mirror: a folder, or the base of a URL, that holds wheels by file name. Downloads resume where they stopped.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ureq::{Agent, http::StatusCode};

use crate::{FetchError, Phase, Progress};

/// Where wheels are taken from instead of pip.
#[derive(Debug, Clone)]
pub(crate) enum Mirror {
    /// A folder.
    Folder(PathBuf),
    /// A URL without the last slash.
    Url(String),
}

/// Connections in a row that may bring nothing before we give up.
const FRUITLESS: u32 = 4;

impl Mirror {
    /// `http://` and `https://` are URLs, everything else is a folder (also as `file://`).
    pub(crate) fn new(text: &str) -> Self {
        if text.starts_with("http://") || text.starts_with("https://") {
            Self::Url(text.trim_end_matches('/').to_owned())
        } else {
            Self::Folder(text.strip_prefix("file://").unwrap_or(text).into())
        }
    }
}

/// Copies from a mirror folder.
pub(crate) fn copy(from: &Path, partial: &Path) -> Result<(), FetchError> {
    if !from.is_file() {
        let detail = "there is no such file".to_owned();
        return Err(FetchError::Mirror { what: from.display().to_string(), detail });
    }
    fs::copy(from, partial).map(|_| ()).map_err(FetchError::io("copy from the mirror to", partial))
}

/// Downloads to `partial`, going on where an earlier attempt stopped; retries as long as bytes keep coming. Says whether
/// the first bytes were already there.
pub(crate) fn download(url: &str, partial: &Path, bytes: u64, progress: &mut dyn FnMut(Progress)) -> Result<bool, FetchError> {
    let agent = agent(url);
    let length = || partial.metadata().map_or(0, |metadata| metadata.len());
    let resumed = length() > 0;
    let mut fruitless = 0;
    loop {
        let before = length();
        let detail = match attempt(&agent, url, partial, bytes, progress) {
            Ok(()) => return Ok(resumed),
            Err(Stop::File(error)) => return Err(error),
            Err(Stop::Final(detail)) => return Err(FetchError::Mirror { what: url.to_owned(), detail }),
            Err(Stop::Retry(detail)) => detail,
        };
        fruitless = if length() > before { 0 } else { fruitless + 1 };
        if fruitless == FRUITLESS {
            return Err(FetchError::Mirror { what: url.to_owned(), detail });
        }
        std::thread::sleep(Duration::from_millis(200 << fruitless));
    }
}

/// Why one connection ended without the whole file.
enum Stop {
    /// Another connection may bring more.
    Retry(String),
    /// Another connection will not help.
    Final(String),
    /// Our own disk failed.
    File(FetchError),
}

fn agent(url: &str) -> Agent {
    let local = ["http://127.", "http://localhost", "http://[::1]"].iter().any(|start| url.starts_with(start));
    let mut config = Agent::config_builder()
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .http_status_as_error(false);
    if local {
        config = config.proxy(None);
    }
    config.build().into()
}

fn attempt(agent: &Agent, url: &str, partial: &Path, bytes: u64, progress: &mut dyn FnMut(Progress)) -> Result<(), Stop> {
    let file_error = |error: io::Error| Stop::File(FetchError::io("write", partial)(error));
    let mut have = partial.metadata().map_or(0, |metadata| metadata.len());
    let mut request = agent.get(url).header("accept-encoding", "identity");
    if have > 0 {
        request = request.header("range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|error| Stop::Retry(error.to_string()))?;
    let status = response.status();
    match status {
        StatusCode::PARTIAL_CONTENT => {
            let range = response.headers().get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !range.starts_with(&format!("bytes {have}-")) {
                fs::remove_file(partial).map_err(file_error)?;
                return Err(Stop::Retry(format!("asked for bytes from {have}, got `{}`", crate::error::shown(range))));
            }
        }
        StatusCode::OK => have = 0,
        // Nothing is left to get (or the partial file is too long): the hash decides.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => return Ok(()),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Stop::Retry(format!("status {status}")));
        }
        _ => return Err(Stop::Final(format!("status {status}"))),
    }
    let expected: Option<u64> =
        response.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok()).map(|rest: u64| have + rest);
    let mut file =
        File::options().create(true).write(true).append(have > 0).truncate(have == 0).open(partial).map_err(file_error)?;
    let name = url.rsplit('/').next().unwrap_or(url);
    let total = expected.unwrap_or(bytes);
    let mut body = response.into_body().into_reader();
    let (mut buffer, mut told) = (vec![0; 1 << 17], Instant::now());
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(Stop::Retry(error.to_string())),
        };
        file.write_all(&buffer[..count]).map_err(file_error)?;
        have += count as u64;
        if told.elapsed() > Duration::from_millis(200) {
            told = Instant::now();
            progress(Progress { phase: Phase::Downloading, name: name.to_owned(), done: have, total });
        }
    }
    match expected {
        Some(expected) if have < expected => Err(Stop::Retry(format!("the connection ended after {have} of {expected} bytes"))),
        _ => {
            progress(Progress { phase: Phase::Downloading, name: name.to_owned(), done: have, total: have });
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
