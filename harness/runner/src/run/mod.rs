//! Running a plan: the caller's thread walks the graph, hands cells to an executor and is the only writer of the store.
//!
//! A finished cell is moved from `work/<identity>` to `artifacts/<identity>` in one rename, with its report in
//! `cell.json`, and then recorded. A crash between the two leaves a folder that the next run adopts once its digests
//! agree; a crash before leaves an unfinished folder that the cell is resumed in.

mod artifacts;
mod files;
mod observer;
mod remaining;
mod walk;

use std::{path::PathBuf, sync::atomic::AtomicBool};

use clmbench_protocol::{Failure, FileRef};
use clmbench_store::{NewCell, NewSuite, Store, StoreError};

pub use files::{FileState, file_state};
pub use observer::{Counts, Observer, RunEvent, Silent};

use crate::{
    executor::{Executor, ExecutorError, Limits},
    identity::IdentityError,
    plan::{Plan, Selection},
};

/// Finds a source file, checked, on this machine.
pub type SourceLookup<'a> = dyn Fn(&FileRef) -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> + 'a;

/// How to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// Limits of each cell.
    pub limits: Limits,
    /// Whether cells that failed in an earlier run are computed again. (One whose worker was killed by somebody else is
    /// computed again in any case.)
    pub retry_failed: bool,
    /// Whether files of finished cells that are needed are checked by their digests, not only by their sizes.
    pub verify: bool,
    /// Whether a plugin of a release version may differ from the one that this store has seen under that version.
    pub accept_digest: bool,
    /// Most libtorch threads of all cells that are computed at once; a cell that has more is computed alone. None = only
    /// the executor's slots count.
    pub threads: Option<u32>,
    /// The cells to compute; none = all. The others keep their states and are in no count.
    pub only: Option<Selection>,
    /// Device, `cpu` or `cuda:0`.
    pub device: String,
    /// What `plan` said, as JSON, to be kept with the suite.
    pub plan_json: String,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            retry_failed: false,
            verify: false,
            accept_digest: false,
            threads: None,
            only: None,
            device: "cpu".into(),
            plan_json: "{}".into(),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunSummary {
    /// Number of the suite in the store.
    pub suite_id: i64,
    /// Cells computed now.
    pub computed: usize,
    /// Cells whose files a crash had left complete, recorded now.
    pub adopted: usize,
    /// Cells that were finished before.
    pub skipped: usize,
    /// Cells that failed, now or in an earlier run.
    pub failed: usize,
    /// Cells that need one that failed, diverged or was refused, or that a checkpoint of others or a run lacks something for.
    pub refused: usize,
    /// Those of the refused whose metric found that a checkpoint of others or a run lacks what it needs.
    pub lacking: usize,
    /// Cells that do not apply.
    pub not_applicable: usize,
    /// Finished cells whose files were missing or damaged and were computed again.
    pub rebuilt: usize,
    /// Runs among the finished cells that diverged.
    pub diverged: usize,
    /// Key and reason of every failed cell.
    pub failures: Vec<(String, Failure)>,
}

impl RunSummary {
    /// Finished cells.
    pub fn done(&self) -> usize {
        self.computed + self.adopted + self.skipped
    }
}

/// Why a run ended before its plan.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No worker can be had.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// A source file is not at hand.
    #[error("the source file {name} is not at hand: {source}")]
    Source {
        /// Name of the file.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A plugin changed under its version, so finished cells may come from other code than new ones.
    #[error(
        "plugin {name} {version} is another file than the one this store has results of (BLAKE3 {found}, known: {known}). \
         Bump its version so that its cells are computed again, pass --accept-digest if its values are the same, or choose \
         another store with --store."
    )]
    ChangedPlugin {
        /// Crate name.
        name: String,
        /// Crate version.
        version: String,
        /// Digest of the library now.
        found: String,
        /// Digests in the store.
        known: String,
    },
    /// A folder of the store cannot be written.
    #[error("{} cannot be written ({source}). Free some space, allow writing to it, or choose another store with --store.", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A defect of ours.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The user stopped it. Unfinished cells are computed by the next run.
    #[error("interrupted; `clmbench run` goes on where it stopped")]
    Interrupted(RunSummary),
}

/// Records the suite, its plugins and its cells; returns the suite's number. [`run`] calls it.
///
/// # Errors
/// The store.
pub fn register(store: &mut Store, plan: &Plan, plan_json: &str) -> Result<i64, StoreError> {
    for plugin in &plan.plugins {
        store.put_plugin(&plugin.manifest, &plugin.digest, &plugin.library.display().to_string())?;
    }
    let suite = &plan.suite;
    let suite_id = store.put_suite(&NewSuite {
        name: suite.name.clone(),
        digest: suite.digest.clone(),
        toml: suite.toml.clone(),
        expect: suite.expect.clone(),
        useful_effect: suite.useful_effect,
        plan_json: plan_json.to_owned(),
    })?;
    let cells: Vec<NewCell> = plan
        .cells
        .iter()
        .map(|cell| NewCell {
            key: cell.key.clone(),
            stage: cell.stage.to_owned(),
            label: cell.label.clone(),
            dependencies: cell.needs.iter().map(|need| plan.cells[*need].key.clone()).collect(),
            source: cell.provenance().map(|origin| origin.source.clone()),
            tokens: cell.provenance().and_then(|origin| origin.tokens),
            molecules: cell.provenance().and_then(|origin| origin.molecules),
        })
        .collect();
    store.put_cells(suite_id, &cells)?;
    Ok(suite_id)
}

/// A release version stands for one file. (A pre-release is identified by its digest, so it may change freely.)
///
/// # Errors
/// [`RunError::ChangedPlugin`] where a plugin of the plan is another file than the one that this store has results of.
pub fn refuse_changed_plugins(store: &Store, plan: &Plan) -> Result<(), RunError> {
    for plugin in plan.plugins.iter().filter(|plugin| plugin.reference().digest.is_none()) {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        let known = store.plugin_digests(name, version)?;
        if !known.is_empty() && !known.contains(&plugin.digest) {
            let (found, known) = (plugin.digest.clone(), known.join(", "));
            return Err(RunError::ChangedPlugin { name: name.clone(), version: version.clone(), found, known });
        }
    }
    Ok(())
}

/// Computes what is left of a plan. Cells that fail cost themselves and those that need them; the run goes on.
///
/// `sources` gives the path of a source file whose digest has been checked. `cancel` is looked at several times a
/// second; once it is true, workers are killed and the run ends with [`RunError::Interrupted`].
///
/// # Errors
/// [`RunError`]. What was finished before stays finished.
pub fn run(
    store: &mut Store,
    plan: &Plan,
    sources: &SourceLookup<'_>,
    executor: &mut dyn Executor,
    options: &RunOptions,
    observer: &mut dyn Observer,
    cancel: &AtomicBool,
) -> Result<RunSummary, RunError> {
    if !options.accept_digest {
        refuse_changed_plugins(store, plan)?;
    }
    let suite_id = register(store, plan, &options.plan_json)?;
    walk::Walk::new(store, suite_id, plan, sources, executor, options, observer, cancel).run()
}
