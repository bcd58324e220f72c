//! What a fetch tells its caller while it works.

/// How far one step is. Sent a few times a second at most, and once at the end of each step with `done == total`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// File it is done to.
    pub name: String,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all; 0 if unknown.
    pub total: u64,
}

/// A step of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Another process fetches the same file.
    Waiting,
    /// All that is to be fetched is known; its files follow one by one.
    Fetching,
    /// Bytes arrive.
    Downloading,
    /// The SHA-256 is computed.
    Checking,
    /// Entries are unzipped.
    Unpacking,
}

impl Phase {
    /// The word shown to users.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for",
            Self::Fetching => "fetching",
            Self::Downloading => "downloading",
            Self::Checking => "checking",
            Self::Unpacking => "unpacking",
        }
    }
}
