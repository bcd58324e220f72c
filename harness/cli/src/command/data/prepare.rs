//! A dataset of a plugin, prepared by a worker in a folder that goes away: the way to look into it without a suite.

use std::{collections::BTreeMap, time::Duration};

use clmbench_fetch::{AcceptedLicences, Fetcher};
use clmbench_molecules::{PreparedDataset, table_split::TableSplit};
use clmbench_protocol::{CellSpec, DatasetInfo, RunRequest, SplitSpec, TokeniseDataset, TokenizerSpec, revision};
use clmbench_runner::{
    Executor, LocalExecutor, LocalOptions, RunError,
    corpora::file_ref,
    executor::{Job, Limits, Update},
    identity,
    plugins::Offer,
};
use serde_json::Map;

use super::{choice::Choice, fetch};
use crate::{
    arguments::{Global, SplitArguments},
    console::Console,
    error::CliError,
    interrupt, plugins, worker,
};

/// How often a stop is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// The split of a dataset, whose files are fetched if they are not there.
///
/// # Errors
/// [`CliError::Usage`] for an unknown name, a corpus, or a source that reads files of the user's; [`CliError::Fetch`], also where terms must
/// be accepted; what [`prepare`] says.
pub fn by_name(arguments: &SplitArguments, spec: &SplitSpec, global: &Global, console: Console) -> Result<TableSplit, CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let choice = Choice::find(&discovery.plugins, &arguments.what)?;
    let wrong =
        |what: &str, hint: &str| Err(CliError::Usage { message: format!("{} is {what}", choice.name()), hint: hint.to_owned() });
    let Choice::Dataset(offer) = &choice else {
        return wrong("a corpus, which has no split", "name a dataset; `clmbench data list` shows all");
    };
    if offer.info.user_file.is_some() {
        return wrong("a source of your own files", "name the file: `clmbench data split FILE.csv`");
    }
    interrupt::listen();
    let fetcher = Fetcher::from_environment()?;
    let accepted = AcceptedLicences::from_environment().and(&arguments.accept.accept_licence);
    if let Some(terms) = offer.info.opt_in.as_ref().filter(|_| !fetch::there(&fetcher, &offer.info.files)) {
        accepted.require(terms, &format!("dataset `{}`", choice.name()))?;
    }
    fetch::get(&fetcher, &offer.info.files, console)?;
    Ok(TableSplit::of(&prepare(*offer, spec, &fetcher)?))
}

/// Prepares a dataset whose files are in the cache.
///
/// # Errors
/// [`CliError::Fetch`] for a file that is not there, [`CliError::NotPrepared`] with what the worker says, [`CliError::Run`] without a worker,
/// [`CliError::Interrupted`].
pub fn prepare(offer: Offer<'_, DatasetInfo>, split: &SplitSpec, fetcher: &Fetcher) -> Result<PreparedDataset, CliError> {
    let folder = tempfile::tempdir().map_err(|error| CliError::file(&std::env::temp_dir(), error))?;
    let info = offer.info;
    let mut inputs = BTreeMap::new();
    for file in &info.files {
        let path = fetcher.source_file(file, &mut |_| ())?;
        inputs.insert(format!("source:{}", file.name), path.display().to_string());
    }
    let spec = CellSpec::TokeniseDataset(TokeniseDataset {
        revision: revision::TOKENISE,
        plugin: offer.plugin.reference(),
        source: info.source.clone(),
        dataset: info.name.clone(),
        files: info.files.iter().map(file_ref).collect(),
        sha256_csv: info.sha256_csv.clone(),
        tasks: Vec::new(),
        params: info
            .parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.default.clone()))
            .collect::<Map<_, _>>(),
        tokenizer: TokenizerSpec::default(),
        split: split.clone(),
    });
    let request = RunRequest {
        identity: identity(&spec).map_err(RunError::from)?,
        spec,
        plugins: vec![offer.plugin.file()],
        inputs,
        work_dir: folder.path().join("dataset").display().to_string(),
        log: folder.path().join("cell.log").display().to_string(),
        device: "cpu".to_owned(),
    };
    std::fs::create_dir(&request.work_dir).map_err(|error| CliError::file(folder.path(), error))?;
    let name = format!("{}/{}", info.source, info.name);
    compute(request, folder.path(), &name)?;
    Ok(PreparedDataset::open(&folder.path().join("dataset"))?)
}

/// Has the cell computed.
fn compute(request: RunRequest, folder: &std::path::Path, name: &str) -> Result<(), CliError> {
    let mut executor = LocalExecutor::new(LocalOptions::new(worker::path(), folder.join("logs")));
    executor.submit(Job { ticket: 0, request, limits: Limits::default() });
    loop {
        match executor.next(LOOK) {
            Some(Update::Ended { outcome: Ok(_), .. }) => return Ok(()),
            Some(Update::Ended { outcome: Err(failure), .. }) => {
                return Err(CliError::NotPrepared { name: name.to_owned(), failure });
            }
            Some(Update::Broken { error, .. }) => return Err(RunError::Executor(error).into()),
            Some(Update::Stopped { .. }) => return Err(CliError::Interrupted),
            Some(Update::Progress { .. }) | None => {}
        }
        if interrupt::requested() {
            executor.stop();
        }
    }
}
