//! What can go wrong, and the exit status it gives.

use std::path::PathBuf;

/// Why a command of xtask failed.
#[derive(Debug, thiserror::Error)]
pub enum XtaskError {
    /// Fetching, checking or linking failed.
    #[error(transparent)]
    Fetch(#[from] clmbench_fetch::FetchError),
    /// A tool is not installed.
    #[error("{tool} is missing: {advice}")]
    Tool {
        /// What is missing.
        tool: &'static str,
        /// How to get it.
        advice: &'static str,
    },
    /// A command ended with an error; it has said why.
    #[error("`{command}` failed (exit status {code})")]
    Child {
        /// The command line.
        command: String,
        /// Its exit status.
        code: u8,
    },
    /// A command was ended by a signal.
    #[error("`{command}` was ended by signal {signal}")]
    Signal {
        /// The command line.
        command: String,
        /// The signal.
        signal: i32,
    },
    /// Reading or writing failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// File, folder or program.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A command printed something unexpected where JSON was asked for.
    #[error("cannot read the JSON that a command printed: {0}")]
    Json(#[from] serde_json::Error),
    /// This is not the repository.
    #[error("{} is not below a checkout of clmbench; run `cargo xtask` inside one", .0.display())]
    NoCheckout(PathBuf),
    /// Something that should have been built or written is not there.
    #[error("{} is missing: {advice}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },
    /// A cell that a table needs has no result.
    #[error("`{key}` ended as {status}; `clmbench show` on it says why")]
    Cell {
        /// Its key.
        key: String,
        /// Its status.
        status: String,
    },
    /// A check of `verify` does not hold; the table above says which.
    #[error("{0}")]
    Check(String),
    /// House rules are broken; the offences have been listed.
    #[error("{0} offences against the house rules; each line above names one")]
    Tidy(usize),
}

impl XtaskError {
    /// As the help says.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Tidy(_) | Self::Check(_) => 1,
            Self::Child { code, .. } => *code,
            // As shells do; 130 is Ctrl-C.
            Self::Signal { signal, .. } => u8::try_from(128 + signal).unwrap_or(255),
            _ => 4,
        }
    }

    /// Turns the system's error into ours.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
