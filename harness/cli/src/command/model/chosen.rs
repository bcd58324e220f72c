//! Which run of the store is meant, and its checkpoints.

use std::path::PathBuf;

use clmbench_protocol::{
    ArchitectureInfo, CellOutput, CellReport, CellSpec, CheckpointOutput, ImportOutput, Objective, Pretrain, PretrainOutput,
};
use clmbench_runner::nearest::nearest;
use clmbench_store::{CellDetail, CellRow, Store, StoreError};

use serde::Serialize;

use crate::{console::one_line, error::CliError};

/// Stages whose cells have checkpoints.
const STAGES: [&str; 2] = ["pretrain", "import"];

/// A finished run of the store.
pub struct Run {
    /// Its cell.
    pub detail: CellDetail,
    /// Its identity.
    pub identity: String,
    /// Its result with files.
    pub report: CellReport,
}

/// What a suite says of a checkpoint of others, as far as it does.
#[derive(Debug, Default, Serialize)]
pub struct Given {
    /// Where it comes from: `hub:owner/name@commit`, or `folder:` and the folder's name.
    pub source: Option<String>,
    /// Tokens that it was trained on.
    pub tokens: Option<u64>,
    /// Molecules that it was trained on.
    pub molecules: Option<u64>,
}

/// What a run was.
pub enum Kind<'a> {
    /// Pretrained here.
    Ours(&'a Pretrain, &'a PretrainOutput),
    /// A checkpoint of others.
    Theirs(&'a clmbench_protocol::Import, &'a ImportOutput),
}

impl Run {
    /// The run of this key, label or start of an identity; none where nothing of the store is called so.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a cell that is no run or is not finished; [`CliError::Store`], also for an unknown suite and for a start that
    /// fits several cells.
    pub fn find(store: &Store, text: &str, suite: Option<&str>) -> Result<Option<Self>, CliError> {
        let Some(detail) = detail(store, text, suite)? else { return Ok(None) };
        let key = one_line(&detail.row.key, 200);
        if !STAGES.contains(&detail.row.stage.as_str()) {
            let message = format!("cell {key} is of the stage {}, which has no checkpoints", detail.row.stage);
            let hint = "name a cell of the stages pretrain or import; `clmbench status --cells` lists them".to_owned();
            return Err(CliError::Usage { message, hint });
        }
        let (Some(identity), Some(report)) = (detail.row.identity.clone(), detail.report.clone()) else {
            let message = format!("run {key} is not finished: it is {}", detail.row.status.word());
            return Err(CliError::Usage { message, hint: "`clmbench run SUITE` computes it".to_owned() });
        };
        Ok(Some(Self { detail, identity, report }))
    }

    /// [`Run::find`], where there must be one.
    ///
    /// # Errors
    /// Also [`CliError::Usage`] with the nearest key.
    pub fn get(store: &Store, text: &str, suite: Option<&str>) -> Result<Self, CliError> {
        if let Some(found) = Self::find(store, text, suite)? {
            return Ok(found);
        }
        let suite = store.suite(suite)?;
        let cells = store.cells(suite.id)?;
        let keys: Vec<&str> = cells.iter().filter(|cell| is_run(cell)).map(|cell| cell.key.as_str()).collect();
        let hint = match nearest(text, keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? `clmbench status --cells` lists all"),
            None => format!("suite {} has {}", suite.name, some(&keys)),
        };
        Err(CliError::Usage { message: format!("no run of the store is called `{}`", one_line(text, 200)), hint })
    }

    /// What it was.
    pub fn kind(&self) -> Option<Kind<'_>> {
        match (&self.detail.spec, &self.report.output) {
            (Some(CellSpec::Pretrain(spec)), CellOutput::Pretrain(output)) => Some(Kind::Ours(spec, output)),
            (Some(CellSpec::Import(spec)), CellOutput::Import(output)) => Some(Kind::Theirs(spec, output)),
            _ => None,
        }
    }

    /// Its checkpoints, the first first.
    pub fn checkpoints(&self) -> Vec<&CheckpointOutput> {
        match self.kind() {
            Some(Kind::Ours(_, output)) => output.checkpoints.iter().collect(),
            Some(Kind::Theirs(_, output)) => vec![&output.checkpoint],
            None => Vec::new(),
        }
    }

    /// The checkpoint of that folder, or the last.
    ///
    /// # Errors
    /// [`CliError::Usage`] with those that there are.
    pub fn checkpoint(&self, folder: Option<&str>) -> Result<&CheckpointOutput, CliError> {
        let all = self.checkpoints();
        let found = match folder {
            Some(folder) => all.iter().find(|checkpoint| checkpoint.folder == folder),
            None => all.iter().find(|checkpoint| checkpoint.last).or(all.last()),
        };
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|checkpoint| checkpoint.folder.as_str()).collect();
            let what = folder.map_or_else(|| "checkpoint".to_owned(), |folder| format!("checkpoint `{}`", one_line(folder, 80)));
            CliError::Usage {
                message: format!("run {} has no {what}", one_line(&self.detail.row.key, 200)),
                hint: format!("it has {}", some(&names)),
            }
        })
    }

    /// Name of its architecture, and its objective.
    pub fn architecture(&self) -> Option<(&str, Objective)> {
        self.kind().map(|kind| match kind {
            Kind::Ours(spec, _) => (spec.architecture.as_str(), spec.objective),
            Kind::Theirs(_, output) => (output.architecture.as_str(), output.objective),
        })
    }

    /// What its newest suite says of a checkpoint of others.
    ///
    /// # Errors
    /// [`CliError::Store`].
    pub fn given(&self, store: &Store) -> Result<Given, CliError> {
        given(store, self.detail.suite.as_deref(), &self.identity)
    }

    /// What the store knows of its architecture, and of the plugin that has it: name and version.
    ///
    /// # Errors
    /// [`CliError::Store`].
    pub fn info(&self, store: &Store) -> Result<(Option<ArchitectureInfo>, String, String), CliError> {
        let reference = match self.kind() {
            Some(Kind::Ours(spec, _)) => &spec.plugin,
            Some(Kind::Theirs(spec, _)) => &spec.plugin,
            None => return Ok((None, String::new(), String::new())),
        };
        let manifests = match &self.detail.suite {
            Some(name) => store.suite_plugins(store.suite(Some(name))?.id)?,
            None => Vec::new(),
        };
        let name = self.architecture().map(|(name, _)| name.to_owned()).unwrap_or_default();
        let mut fitting =
            manifests.into_iter().filter(|manifest| manifest.name == reference.name && manifest.version == reference.version);
        let info = fitting.find_map(|manifest| manifest.architectures.into_iter().find(|info| info.name == name));
        Ok((info, reference.name.clone(), reference.version.clone()))
    }
}

/// Folder of the last checkpoint of a run, by its identity; none if it has no checkpoint.
///
/// # Errors
/// As [`Run::find`].
pub fn last_checkpoint(store: &Store, identity: &str) -> Result<Option<PathBuf>, CliError> {
    let Some(run) = Run::find(store, identity, None)? else { return Ok(None) };
    let checkpoints = run.checkpoints();
    let last = checkpoints.iter().find(|checkpoint| checkpoint.last).or(checkpoints.last());
    Ok(last.map(|checkpoint| store.artifact_dir(identity).join(&checkpoint.folder)))
}

/// What a suite says of a checkpoint of others; nothing of a run of our own.
///
/// # Errors
/// [`CliError::Store`].
pub fn given(store: &Store, suite: Option<&str>, identity: &str) -> Result<Given, CliError> {
    let Some(name) = suite else { return Ok(Given::default()) };
    let runs = store.runs(store.suite(Some(name))?.id)?;
    let row = runs.into_iter().find(|row| row.run == identity && row.imported);
    Ok(row.map_or_else(Given::default, |row| Given { source: row.source, tokens: row.tokens, molecules: row.corpus_molecules }))
}

fn is_run(cell: &CellRow) -> bool {
    STAGES.contains(&cell.stage.as_str())
}

/// The cell that is meant: in one suite by key, label or start of the identity; else in the newest suite that has it.
fn detail(store: &Store, text: &str, suite: Option<&str>) -> Result<Option<CellDetail>, CliError> {
    let of_suite = |id: i64| -> Result<Option<CellRow>, CliError> {
        let cells = store.cells(id)?;
        let exact = cells.iter().find(|cell| cell.key == text || (is_run(cell) && cell.label == text));
        let begins =
            |cell: &&CellRow| text.len() >= 4 && cell.identity.as_ref().is_some_and(|identity| identity.starts_with(text));
        Ok(exact.or_else(|| cells.iter().filter(|cell| is_run(cell)).find(begins)).cloned())
    };
    let Some(name) = suite else {
        return match store.find_cell(text) {
            Ok(detail) => Ok(Some(detail)),
            Err(StoreError::UnknownCell { .. }) => match store.suite(None) {
                Ok(newest) => {
                    let row = of_suite(newest.id)?;
                    row.map(|row| found(store, row)).transpose()
                }
                Err(StoreError::UnknownSuite { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        };
    };
    let row = of_suite(store.suite(Some(name))?.id)?;
    row.map(|row| found(store, row)).transpose()
}

/// All of a cell of a suite; a key may be another cell's in another suite, so its identity is asked for where it is known.
fn found(store: &Store, row: CellRow) -> Result<CellDetail, CliError> {
    let mut detail = store.find_cell(row.identity.as_deref().unwrap_or(&row.key))?;
    detail.row.key = row.key;
    detail.row.label = row.label;
    Ok(detail)
}

fn some(names: &[&str]) -> String {
    const MOST: usize = 8;
    match names {
        [] => "none".to_owned(),
        names if names.len() <= MOST => names.join(", "),
        names => format!("{} and {} more", names[..MOST].join(", "), names.len() - MOST),
    }
}
