//! A mirror: a folder, or the base of a URL, that holds wheels and data files by name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    FetchError, Progress, address,
    http::{self, Order, Undelivered},
};

/// Where files are taken from instead of pip and their own addresses.
#[derive(Debug, Clone)]
pub(crate) enum Mirror {
    /// A folder.
    Folder(PathBuf),
    /// A URL without the last slash.
    Url(String),
}

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

/// [`http::download`] from the mirror.
pub(crate) fn download(order: Order<'_>, progress: &mut dyn FnMut(Progress)) -> Result<bool, FetchError> {
    http::download(order, progress).map_err(|why| match why {
        Undelivered::Unreachable(detail) | Undelivered::Refused(detail) | Undelivered::Denied(detail) => {
            FetchError::Mirror { what: address::public(order.url), detail }
        }
        Undelivered::File(error) => error,
    })
}
