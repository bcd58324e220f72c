//! Every way a command can end badly: what to say, what to do next, and the exit status. `main` is the one place that uses it.

use std::{
    io,
    path::{Path, PathBuf},
};

use clmbench_protocol::FailureKind;
use clmbench_runner::{RunError, executor::ExecutorError};

use crate::console::one_line;

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
    /// The gate: the candidate is worse.
    Worse = 10,
    /// The gate cannot tell.
    CannotTell = 11,
    /// A fault of clmbench itself.
    Fault = 70,
    /// Stopped by the user.
    Interrupted = 130,
}

/// The command that computes failed cells again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// `run` of the user's suite.
    Run,
    /// `gate`: the suite of a candidate is made by it, and is no file of the user's.
    Gate,
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
    /// Plugins that cannot be used; each is named.
    #[error("{} cannot be used:\n{}", if .0.len() == 1 { "a plugin" } else { "some plugins" }, listed(.0))]
    PluginsLeftOut(Vec<clmbench_runner::plugins::PluginLoadError>),
    /// Fits and boards.
    #[error(transparent)]
    Analysis(#[from] clmbench_analysis::AnalysisError),
    /// A suite that cannot be read.
    #[error(transparent)]
    Suite(#[from] clmbench_runner::suite::SuiteError),
    /// A suite that the plugins at hand cannot serve.
    #[error(transparent)]
    Plan(#[from] clmbench_runner::plan::PlanError),
    /// Checkpoints of the hub that a suite pins to no commit.
    #[error("{place}: {} not pinned to a commit:{}", unpinned(lines.len()), pinning(lines))]
    Unpinned {
        /// Where the first is written.
        place: clmbench_runner::suite::Place,
        /// Line of the table, repository, and what to write or to ask.
        lines: Vec<(usize, String, String)>,
        /// The next step.
        next: String,
    },
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(#[from] clmbench_fetch::FetchError),
    /// A table of molecules that cannot be read or split.
    #[error(transparent)]
    Molecules(#[from] clmbench_molecules::MoleculesError),
    /// A dataset that the worker could not prepare.
    #[error("{name} cannot be prepared: {}", failure.message)]
    NotPrepared {
        /// The dataset.
        name: String,
        /// Why.
        failure: clmbench_protocol::Failure,
    },
    /// A folder that is no checkpoint, or none that can be read.
    #[error(transparent)]
    Checkpoint(#[from] clmbench_checkpoint::CheckpointError),
    /// A checkpoint of others that the worker could not read.
    #[error("{} cannot be imported: {}", one_line(name, 200), failure.message)]
    NotImported {
        /// What was named.
        name: String,
        /// Why.
        failure: clmbench_protocol::Failure,
    },
    /// A file of a finished run is not as it was written.
    #[error("{} of run {} is {state}, so nothing is written", one_line(file, 200), one_line(run, 200))]
    FileLost {
        /// Key of the run.
        run: String,
        /// Path in the run's folder.
        file: String,
        /// `missing` or `damaged`.
        state: &'static str,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] clmbench_store::StoreError),
    /// `db check` found something wrong; it has been listed already.
    #[error("the store {} is not whole: {}", path.display(), if *wrong == 1 { "1 thing is wrong".to_owned() } else { format!("{wrong} things are wrong") })]
    StoreWrong {
        /// How many.
        wrong: usize,
        /// The store.
        path: PathBuf,
    },
    /// Both stores of a merge have the same thing with unlike contents; each has been listed already.
    #[error("{} in both stores with unlike contents, of which ours {} kept", if *count == 1 { "1 thing is".to_owned() } else { format!("{count} things are") }, if *count == 1 { "is" } else { "are" })]
    Conflicts {
        /// How many.
        count: usize,
    },
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
    #[error("{} does not build; cargo says why{}", path.display(), said(lines))]
    Build {
        /// The crate.
        path: PathBuf,
        /// Cargo's last lines, unless they have been shown already.
        lines: Vec<String>,
    },
    /// `doctor` found something that is needed to be missing or wrong.
    #[error("{0} of the things that clmbench needs are missing or wrong")]
    NotReady(usize),
    /// Cells of the suite failed.
    #[error("{} failed{}:{}", cells(failures.len()), because(*refused), each(failures))]
    CellsFailed {
        /// Key, typed reason and words of each.
        failures: Vec<(String, String, String)>,
        /// Cells that need one of them.
        refused: usize,
        /// How they are computed again.
        again: Rerun,
    },
    /// The run ended before its plan.
    #[error(transparent)]
    Run(#[from] clmbench_runner::RunError),
    /// The device is not there.
    #[error("device {device} cannot be used: {why}")]
    NoDevice {
        /// Which.
        device: String,
        /// Why.
        why: String,
    },
    /// Checks of a plugin failed; they have been listed already.
    #[error("{failed} of {checks} checks failed")]
    ChecksFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        checks: usize,
    },
    /// Files of datasets that no place has; each place was named already.
    #[error("{} cannot be had: {}", if names.len() == 1 { "a dataset" } else { "some datasets" }, one_line(&names.join(", "), 500))]
    NoPlace {
        /// The datasets.
        names: Vec<String>,
    },
    /// Datasets that were refused; each was named with its reason already.
    #[error("{} refused: {}", if names.len() == 1 { "a dataset was" } else { "some datasets were" }, one_line(&names.join(", "), 500))]
    DataRefused {
        /// The datasets.
        names: Vec<String>,
    },
    /// What was tried failed; each in one line.
    #[error("{failed} of {of} failed{}: {}", if *failed > 1 { "; the first" } else { "" }, one_line(first, 500))]
    TryFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        of: usize,
        /// What failed first, and why.
        first: String,
    },
    /// The libtorch that a plugin crate names cannot be built against.
    #[error("libtorch at {} (named by {from}) cannot be used: {why}", path.display())]
    NoLibtorch {
        /// Its folder.
        path: PathBuf,
        /// Who names it.
        from: &'static str,
        /// Why.
        why: String,
    },
    /// The gate's candidate is worse; everything was shown already.
    #[error("the candidate is worse: {reason}")]
    GateWorse {
        /// On what.
        reason: String,
    },
    /// The gate cannot tell; everything was shown already.
    #[error("cannot tell whether the candidate is worse: {reason}")]
    GateCannotTell {
        /// Why.
        reason: String,
        /// What would settle it.
        settle: Option<String>,
        /// Whether that counts as worse.
        fails: bool,
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
            Self::File { .. } | Self::Output(_) | Self::Tool { .. } | Self::SdkNotFound { .. } | Self::NoHome => {
                Exit::Environment
            }
            Self::Molecules(error) => molecules_exit(error),
            Self::Checkpoint(clmbench_checkpoint::CheckpointError::Io { .. }) => Exit::Environment,
            Self::Checkpoint(_) => Exit::Usage,
            Self::NotPrepared { failure, .. } | Self::NotImported { failure, .. } => match failure.kind {
                FailureKind::BadInput | FailureKind::Unsupported => Exit::Usage,
                _ => Exit::Environment,
            },
            Self::FileLost { .. } => Exit::Store,
            Self::Fetch(clmbench_fetch::FetchError::NotAccepted { .. }) => Exit::Usage,
            Self::Fetch(clmbench_fetch::FetchError::Hub(error)) if error.is_of_the_asker() => Exit::Usage,
            Self::Build { .. } | Self::NotReady(_) | Self::NoWorker { .. } | Self::Fetch(_) => Exit::Environment,
            Self::PluginsLeftOut(_) => Exit::Environment,
            Self::Analysis(clmbench_analysis::AnalysisError::Store(error)) => store_exit(error),
            Self::Analysis(_) => Exit::Store,
            Self::Suite(_) | Self::Plan(_) | Self::Unpinned { .. } => Exit::Usage,
            Self::Store(error) | Self::Run(RunError::Store(error)) => store_exit(error),
            Self::Run(RunError::Io { .. }) => Exit::Store,
            Self::Run(RunError::ChangedPlugin { .. }) => Exit::Environment,
            Self::Run(RunError::Interrupted(_)) => Exit::Interrupted,
            Self::Run(RunError::Identity(_) | RunError::Executor(ExecutorError::Panicked { .. })) => Exit::Fault,
            Self::Run(_) | Self::NoDevice { .. } | Self::NoLibtorch { .. } => Exit::Environment,
            Self::NoPlace { .. } => Exit::Environment,
            Self::CellsFailed { .. }
            | Self::ChecksFailed { .. }
            | Self::StoreWrong { .. }
            | Self::Conflicts { .. }
            | Self::TryFailed { .. }
            | Self::DataRefused { .. } => Exit::Failed,
            Self::GateWorse { .. } | Self::GateCannotTell { fails: true, .. } => Exit::Worse,
            Self::GateCannotTell { .. } => Exit::CannotTell,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// The next step, if the message does not say it already.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::Unpinned { next, .. } => Some(next.clone()),
            Self::NoWorker { .. } => Some(
                "build it with `cargo xtask build` in the checkout, or name it with CLMBENCH_WORKER; `clmbench doctor` says more"
                    .to_owned(),
            ),
            Self::Tool { .. } => Some("run `clmbench doctor` to see what is missing".to_owned()),
            Self::SdkNotFound { .. } => {
                Some("pass --sdk DIR (or set CLMBENCH_SDK) with harness/sdk of a clmbench checkout".to_owned())
            }
            Self::NoHome => Some("set HOME, or pass --dest DIR".to_owned()),
            Self::NotAPluginCrate { .. } => Some(
                "name the folder of a plugin crate; `clmbench plugin new metric NAME --out DIR` writes one (also dataset, architecture)"
                    .to_owned(),
            ),
            Self::Build { .. } => Some("nothing was installed; a plugin that was installed before stays as it was".to_owned()),
            Self::FileLost { .. } => Some("`clmbench run SUITE` of its suite computes what is missing or damaged again".to_owned()),
            Self::NotReady(_) => Some("follow the lines above; `cargo xtask setup` in the checkout does most of it".to_owned()),
            Self::CellsFailed { failures, again: Rerun::Gate, .. } if failures.iter().all(|(_, kind, _)| kind == "bad_input") => Some(
                "mend what the message names and give the same `clmbench gate` again: a changed candidate makes other cells, and what \
                 is finished stays. `clmbench show CELL` says more of one; `clmbench gate ... --retry-failed` tries the same again"
                    .to_owned(),
            ),
            Self::CellsFailed { again: Rerun::Gate, .. } => Some(
                "look at one with `clmbench show CELL` (--log prints what its worker said); the same `clmbench gate ...` with \
                 --retry-failed computes them again, and nothing that is finished"
                    .to_owned(),
            ),
            Self::CellsFailed { failures, .. } if failures.iter().all(|(_, kind, _)| kind == "bad_input") => Some(
                "mend what the message names and run again: changed data and suites make other cells, and what is finished stays. \
                 `clmbench show CELL` says more of one; `--retry-failed` tries the same again"
                    .to_owned(),
            ),
            Self::CellsFailed { .. } => Some(
                "look at one with `clmbench show CELL` (--log prints what its worker said); compute them again with `clmbench run SUITE \
                 --retry-failed`"
                    .to_owned(),
            ),
            Self::NoDevice { .. } => Some("run on the CPU (without --device), or see what `clmbench doctor` says".to_owned()),
            Self::TryFailed { .. } => Some("mend it, `clmbench plugin build`, and try again".to_owned()),
            Self::NoLibtorch { .. } => Some(
                "name libtorch 2.11.0 by LIBTORCH=DIR or in the crate's .cargo/config.toml; `cargo xtask setup` puts it into \
                 third_party/libtorch/torch of the checkout"
                    .to_owned(),
            ),
            Self::Interrupted => Some("run the same command again to go on".to_owned()),
            Self::NoPlace { .. } => Some(
                "the lines above say which places were asked and where to put a file of your own; the other datasets are not touched by it"
                    .to_owned(),
            ),
            Self::DataRefused { .. } => Some("the lines above say why; `clmbench data fetch NAME --again` fetches its files anew".to_owned()),
            Self::ChecksFailed { .. } => Some("mend what the FAILED lines say, `clmbench plugin build`, and check again".to_owned()),
            Self::StoreWrong { .. } => Some(
                "`clmbench run SUITE` computes missing and damaged files again and makes fits anew; what is wrong in the database itself is \
                 not mended: restore a copy of it, or move the store away and run again"
                    .to_owned(),
            ),
            Self::Conflicts { .. } => Some(
                "the lines above name them with both digests; two machines may round differently, so compute the suite on one, or keep two stores"
                    .to_owned(),
            ),
            Self::File { .. } | Self::Output(_) | Self::GateWorse { .. } => None,
            Self::GateCannotTell { settle, .. } => settle.clone(),
            // Most readers are outside the checkout: a path of theirs.
            Self::Suite(clmbench_runner::suite::SuiteError::Read { .. }) => crate::places::checkout()
                .map(|root| format!("a suite to start from is {}", root.join("benchmarks/suites/demo.toml").display())),
            Self::Suite(_)
            | Self::Molecules(_)
            | Self::NotPrepared { .. }
            | Self::NotImported { .. }
            | Self::Checkpoint(_)
            | Self::Plan(_)
            | Self::Fetch(_)
            | Self::Store(_)
            | Self::Analysis(_)
            | Self::PluginsLeftOut(_)
            | Self::Run(_) => None, // their messages end with the next step
        }
    }
}

/// A file that is not there, or holds something else, is the caller's mistake; one that the system does not give is not.
fn molecules_exit(error: &clmbench_molecules::MoleculesError) -> Exit {
    match error {
        clmbench_molecules::MoleculesError::Io { source, .. } if source.kind() != io::ErrorKind::NotFound => Exit::Environment,
        _ => Exit::Usage,
    }
}

/// A name that is not in the store is the caller's mistake; everything else is the store's state.
fn store_exit(error: &clmbench_store::StoreError) -> Exit {
    use clmbench_store::StoreError as E;
    match error {
        E::UnknownSuite { .. } | E::UnknownCell { .. } | E::AmbiguousCell { .. } => Exit::Usage,
        E::UnknownBaseline { .. } | E::BaselineExists { .. } => Exit::Usage,
        _ => Exit::Store,
    }
}

fn listed(errors: &[clmbench_runner::plugins::PluginLoadError]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}

fn cells(count: usize) -> String {
    crate::units::counted(count, "cell")
}

fn unpinned(count: usize) -> String {
    if count == 1 { "1 checkpoint is".to_owned() } else { format!("{count} checkpoints are") }
}

/// One line a checkpoint.
fn pinning(lines: &[(usize, String, String)]) -> String {
    lines.iter().map(|(line, repo, text)| format!("\n  line {line}, {}:  {}", one_line(repo, 200), one_line(text, 300))).collect()
}

fn because(refused: usize) -> String {
    if refused == 0 { String::new() } else { format!(", and {} that need it were not computed", cells(refused)) }
}

/// One line a failure: `key  kind: message`.
fn each(failures: &[(String, String, String)]) -> String {
    const MOST: usize = 20;
    let line = |(key, kind, message): &(String, String, String)| format!("\n  {key}  {kind}: {}", one_line(message, 400));
    let mut text: String = failures.iter().take(MOST).map(line).collect();
    if failures.len() > MOST {
        text.push_str(&format!("\n  and {} more; `clmbench status` lists them", failures.len() - MOST));
    }
    text
}

fn said(lines: &[String]) -> String {
    if lines.is_empty() { " above".to_owned() } else { format!(":\n{}", lines.join("\n")) }
}
