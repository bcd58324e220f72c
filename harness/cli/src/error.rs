//! Every way a command can end badly: what to say, what to do next, and the exit status. `main` is the one place that uses it.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Exit statuses; documented in `clmbench --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Wrong arguments or a wrong suite.
    Usage = 2,
    /// Finished, but cells or checks failed.
    Failed = 3,
    /// Something is missing or broken on this machine.
    Environment = 4,
    /// The store cannot be used.
    Store = 5,
    /// A fault of clmbench itself.
    Fault = 70,
    /// Stopped by the user.
    Interrupted = 130,
}

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Arguments that cannot be meant.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// A file or folder of the user could not be used.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// A program could not be started.
    #[error("cannot start {tool}: {error}")]
    Tool {
        /// Its name.
        tool: String,
        /// Why.
        error: io::Error,
    },
    /// No sdk for `plugin new`.
    #[error("there is no clmbench sdk crate at {}", path.display())]
    SdkNotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The worker is not there.
    #[error("there is no worker at {}", path.display())]
    NoWorker {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A suite that cannot be read.
    #[error(transparent)]
    Suite(#[from] clmbench_runner::suite::SuiteError),
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(#[from] clmbench_fetch::FetchError),
    /// The store.
    #[error(transparent)]
    Store(#[from] clmbench_store::StoreError),
    /// Neither `XDG_DATA_HOME` nor `HOME`.
    #[error("there is no plugin folder: neither XDG_DATA_HOME nor HOME is set")]
    NoHome,
    /// A folder given to `plugin build` is not a plugin crate.
    #[error("{} is not a plugin crate: {message}", path.display())]
    NotAPluginCrate {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Cargo refused.
    #[error("{} does not build; the last lines of cargo:\n{}", path.display(), lines.join("\n"))]
    Build {
        /// The crate.
        path: PathBuf,
        /// Cargo's last lines.
        lines: Vec<String>,
    },
    /// `doctor` found something that is needed to be missing or wrong.
    #[error("{0} of the things that clmbench needs are missing or wrong")]
    NotReady(usize),
    /// Cells of the suite failed; they have been listed already.
    #[error("{failed} of {cells} cells failed")]
    CellsFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        cells: usize,
    },
    /// Checks of a plugin failed; they have been listed already.
    #[error("{failed} of {checks} checks failed")]
    ChecksFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        checks: usize,
    },
    /// Stopped by a signal.
    #[error("stopped; finished cells are kept")]
    Interrupted,
}

impl CliError {
    /// [`CliError::File`].
    pub fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }

    /// The exit status of this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::NotAPluginCrate { .. } => Exit::Usage,
            Self::File { .. } | Self::Output(_) | Self::Tool { .. } | Self::SdkNotFound { .. } | Self::NoHome => Exit::Environment,
            Self::Build { .. } | Self::NotReady(_) | Self::NoWorker { .. } | Self::Fetch(_) => Exit::Environment,
            Self::Suite(_) => Exit::Usage,
            Self::Store(error) => store_exit(error),
            Self::CellsFailed { .. } | Self::ChecksFailed { .. } => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// The next step, if the message does not say it already.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::NoWorker { .. } => {
                Some("build it with `cargo xtask build` in the checkout, or name it with CLMBENCH_WORKER; `clmbench doctor` says more".to_owned())
            }
            Self::Tool { .. } => Some("run `clmbench doctor` to see what is missing".to_owned()),
            Self::SdkNotFound { .. } => {
                Some("pass --sdk DIR (or set CLMBENCH_SDK) with harness/sdk of a clmbench checkout".to_owned())
            }
            Self::NoHome => Some("set HOME, or pass --dest DIR".to_owned()),
            Self::NotAPluginCrate { .. } => Some("write a new one with `clmbench plugin new metric NAME --out DIR`".to_owned()),
            Self::NotReady(_) => Some("follow the lines above; `cargo xtask setup` in the checkout does most of it".to_owned()),
            Self::CellsFailed { .. } => {
                Some("look at one with `clmbench show CELL`; compute them again with `clmbench run SUITE --retry-failed`".to_owned())
            }
            Self::Interrupted => Some("run the same command again to go on".to_owned()),
            Self::File { .. } | Self::Output(_) | Self::Build { .. } | Self::ChecksFailed { .. } => None,
            Self::Suite(_) | Self::Fetch(_) | Self::Store(_) => None, // their messages end with the next step
        }
    }
}

/// A name that is not in the store is the caller's mistake; everything else is the store's state.
fn store_exit(error: &clmbench_store::StoreError) -> Exit {
    use clmbench_store::StoreError as E;
    match error {
        E::UnknownSuite { .. } | E::UnknownCell { .. } | E::AmbiguousCell { .. } => Exit::Usage,
        _ => Exit::Store,
    }
}
