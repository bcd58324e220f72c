//! A dataset of a plugin, prepared by a worker in a folder that goes away: the way to look into it without a suite.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clmbench_fetch::{AcceptedLicences, Fetcher, Found, Place, Wanted};
use clmbench_molecules::{PreparedDataset, table_split::TableSplit};
use clmbench_protocol::{
    CellSpec, DatasetInfo, Number, RunRequest, SplitSpec, TokeniseDataset, TokenizerSpec, revision,
    split::{DEFAULT_FRACTIONS, has_seed, takes_seed},
};
use clmbench_runner::{
    Executor, LocalExecutor, LocalOptions, RunError,
    executor::{Job, Limits, Update},
    identity,
    plugins::Offer,
};
use serde_json::Map;

use super::{
    choice::Choice,
    sources::{self, blames_a_file, doubt},
};
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
/// be accepted; what [`Preparer::prepare`] says.
pub fn by_name(arguments: &SplitArguments, spec: &SplitSpec, global: &Global, console: Console) -> Result<TableSplit, CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let choice = Choice::find(&discovery.plugins, &arguments.what)?;
    let offer = choice.dataset("has no split", "`clmbench data split FILE.csv`")?;
    interrupt::listen();
    let fetcher = Fetcher::from_environment()?;
    let accepted = AcceptedLicences::from_environment().and(&arguments.accept.accept_licence);
    let found = sources::get(&fetcher, &choice.files(), &accepted, console)?;
    let mut preparer = Preparer::new()?;
    preparer.split_file.clone_from(&arguments.split_file);
    Ok(TableSplit::of(&preparer.prepare(offer, spec, &found)?))
}

/// The split that a dataset recommends, with its seed and shares.
pub fn recommended(info: &DatasetInfo) -> SplitSpec {
    let (training, validation) = info.recommended_fractions.unwrap_or(DEFAULT_FRACTIONS);
    SplitSpec {
        algorithm: info.recommended_split.clone(),
        seed: info
            .recommended_seed
            .filter(|_| takes_seed(&info.recommended_split))
            .or_else(|| has_seed(&info.recommended_split).then_some(0)),
        fractions: (Number(training), Number(validation)),
        file: None,
    }
}

/// A worker and a folder that goes away.
pub struct Preparer {
    folder: tempfile::TempDir,
    executor: LocalExecutor,
    count: u64,
    /// The file of a split by file.
    pub split_file: Option<PathBuf>,
}

impl Preparer {
    /// No worker is started yet.
    ///
    /// # Errors
    /// [`CliError::File`] without room for temporary files.
    pub fn new() -> Result<Self, CliError> {
        let folder = tempfile::tempdir().map_err(|error| CliError::file(&std::env::temp_dir(), error))?;
        let mut options = LocalOptions::new(worker::path(), folder.path().join("logs"));
        options.workers = 1;
        Ok(Self { executor: LocalExecutor::new(options), folder, count: 0, split_file: None })
    }

    /// Prepares a dataset whose files, in their order, are there.
    ///
    /// # Errors
    /// [`CliError::NotPrepared`] with what the worker says, [`CliError::Run`] without a worker, [`CliError::Interrupted`].
    pub fn prepare(
        &mut self,
        offer: Offer<'_, DatasetInfo>,
        split: &SplitSpec,
        found: &[Found],
    ) -> Result<PreparedDataset, CliError> {
        let info = offer.info;
        let wanted = Wanted::of_dataset(info);
        let mut inputs: BTreeMap<String, String> = wanted
            .iter()
            .zip(found)
            .map(|(file, found)| (format!("source:{}", file.file.name), found.path.display().to_string()))
            .collect();
        if let Some(path) = &self.split_file {
            inputs.insert("split".to_owned(), std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string());
        }
        let spec = CellSpec::TokeniseDataset(TokeniseDataset {
            revision: revision::TOKENISE,
            plugin: offer.plugin.reference(),
            source: info.source.clone(),
            dataset: info.name.clone(),
            files: wanted.iter().map(|file| file.reference.clone()).collect(),
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
        self.count += 1;
        let folder = self.folder.path().join(self.count.to_string());
        let request = RunRequest {
            identity: identity(&spec).map_err(RunError::from)?,
            spec,
            plugins: vec![offer.plugin.file()],
            inputs,
            work_dir: folder.join("dataset").display().to_string(),
            log: folder.join("cell.log").display().to_string(),
            device: "cpu".to_owned(),
        };
        std::fs::create_dir_all(&request.work_dir).map_err(|error| CliError::file(&folder, error))?;
        let prepared = self.compute(request, &info.label()).and_then(|()| Ok(PreparedDataset::open(&folder.join("dataset"))?));
        let removed = std::fs::remove_dir_all(&folder).map_err(|error| CliError::file(&folder, error));
        match prepared {
            Ok(prepared) => removed.map(|()| prepared),
            Err(CliError::NotPrepared { name, mut failure }) => {
                // A file of a wheel is the one that the plugin was written for.
                let theirs = |found: &(&Wanted, &Found)| !matches!(found.1.place, Place::Wheel { .. });
                let blamed = blames_a_file(&failure);
                for (wanted, found) in wanted.iter().zip(found).filter(theirs).filter(|_| blamed) {
                    failure.message.push_str(&format!("\n{}", doubt(wanted, found)));
                }
                Err(CliError::NotPrepared { name, failure })
            }
            Err(error) => Err(error),
        }
    }

    /// Has the cell computed.
    fn compute(&mut self, request: RunRequest, name: &str) -> Result<(), CliError> {
        let ticket = self.count;
        self.executor.submit(Job { ticket, request, limits: Limits::default() });
        loop {
            match self.executor.next(LOOK) {
                Some(Update::Ended { outcome: Ok(_), .. }) => return Ok(()),
                Some(Update::Ended { outcome: Err(failure), .. }) => {
                    return Err(CliError::NotPrepared { name: name.to_owned(), failure });
                }
                Some(Update::Broken { error, .. }) => return Err(RunError::Executor(error).into()),
                Some(Update::Stopped { .. }) => return Err(CliError::Interrupted),
                Some(Update::Progress { .. }) | None => {}
            }
            if interrupt::requested() {
                self.executor.stop();
            }
        }
    }
}
