//! Datasets of a suite: found among the plugins, own files hashed, parameters filled in.

use std::path::Path;

use clmbench_protocol::{
    DatasetInfo, FileRef, PluginFile, SPLIT_COLUMN, TaskInfo, TokeniseDataset, TokenizerSpec, USER_FILE, revision, split as words,
};
use serde_json::{Map, Value};

use super::{PlanError, params::fill, split::split_of};
use crate::{
    corpora::{LocalFile, hashed},
    plugins::PluginSet,
    suite::{DatasetEntry, OwnFile, Suite},
};

/// A dataset of a suite.
pub(super) struct Dataset<'a> {
    pub spec: TokeniseDataset,
    /// What the plugin declares.
    pub info: &'a DatasetInfo,
    pub plugin: PluginFile,
    /// Its tasks: those that the plugin declares, or those that the suite names for a file of the user's.
    pub tasks: Vec<TaskInfo>,
    /// The user's files: of the molecules, of the split.
    pub local: Vec<LocalFile>,
}

/// The dataset of this name in a `[[dataset]]` table.
///
/// # Errors
/// What no plugin offers; a file that is missing, not wanted or not readable; parameters that the source does not have.
pub(super) fn dataset_of<'a>(
    suite: &Suite,
    entry: &DatasetEntry,
    name: &str,
    plugins: &'a PluginSet,
) -> Result<Dataset<'a>, PlanError> {
    let not_offered = |source| PlanError::NotOffered { place: entry.place.clone(), source };
    if let Some(file) = &entry.file {
        takes_file(entry, file, plugins)?;
    }
    let offer = plugins.dataset(&entry.source, name).map_err(not_offered)?;
    let info = offer.info;
    let local = match (&entry.file, &info.user_file) {
        (None, Some(wanted)) => {
            let wanted = wanted.trim_end_matches('.').to_owned();
            return Err(PlanError::NeedsFile { place: entry.place.clone(), found: entry.source.clone(), wanted });
        }
        (Some(file), _) => Some(own_file(suite, file)?),
        (None, None) => None,
    };
    let owner = match &info.user_file {
        Some(_) => format!("source `{}`", entry.source),
        None => format!("dataset `{}/{name}`", entry.source),
    };
    let params = fill(&owner, &info.parameters, &entry.params, &entry.place)?;
    let (split, split_file) = split_of(suite, entry, name, info)?;
    split_column(entry, &split.algorithm, &params)?;
    let own = entry.file.as_ref().map(|file| file.tasks.clone());
    let files = match &local {
        Some(file) => vec![FileRef { name: USER_FILE.into(), sha256: file.sha256.clone() }],
        None => info.files.iter().map(|file| FileRef::of(file, info.sha256_csv.as_deref())).collect(),
    };
    let spec = TokeniseDataset {
        revision: revision::TOKENISE,
        plugin: offer.plugin.reference(),
        source: entry.source.clone(),
        dataset: name.to_owned(),
        files,
        sha256_csv: info.sha256_csv.clone(),
        tasks: own.clone().unwrap_or_default(),
        params,
        tokenizer: TokenizerSpec::default(),
        split,
    };
    let local = local.into_iter().chain(split_file).collect();
    Ok(Dataset { spec, info, plugin: offer.plugin.file(), tasks: own.unwrap_or_else(|| info.tasks.clone()), local })
}

/// That the source of a table with a file reads such files.
fn takes_file(entry: &DatasetEntry, file: &OwnFile, plugins: &PluginSet) -> Result<(), PlanError> {
    plugins.dataset_source(&entry.source).map_err(|source| PlanError::NotOffered { place: entry.place.clone(), source })?;
    let mut readers: Vec<String> =
        plugins.datasets().filter(|offer| offer.info.user_file.is_some()).map(|offer| offer.info.source.clone()).collect();
    if readers.contains(&entry.source) {
        return Ok(());
    }
    readers.sort();
    Err(PlanError::TakesNoFile { place: file.place.clone(), found: entry.source.clone(), readers })
}

fn own_file(suite: &Suite, file: &OwnFile) -> Result<LocalFile, PlanError> {
    let path = file.path(Path::new(&suite.file));
    hashed(&path).map_err(|reason| PlanError::DatasetFile { place: file.place.clone(), path: path.display().to_string(), reason })
}

/// A column of parts and the split `given` go together; one without the other would be another split than was meant.
fn split_column(entry: &DatasetEntry, split: &str, params: &Map<String, Value>) -> Result<(), PlanError> {
    let Some(column) = params.get(SPLIT_COLUMN).and_then(Value::as_str) else { return Ok(()) };
    let place = entry.place.clone();
    match (column.is_empty(), split == words::GIVEN) {
        (false, false) => Err(PlanError::UnreadSplit { place, parameter: SPLIT_COLUMN, split: split.to_owned() }),
        (true, true) => Err(PlanError::NoSplitColumn { place, parameter: SPLIT_COLUMN }),
        _ => Ok(()),
    }
}
