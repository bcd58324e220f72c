//! A dataset of a plugin, prepared by a worker in a folder that goes away: the way to look into it without a suite.

use std::{collections::BTreeMap, path::PathBuf};

use clmbench_fetch::{AcceptedLicences, Fetcher, Found, Place, Wanted};
use clmbench_molecules::{PreparedDataset, table_split::TableSplit};
use clmbench_protocol::{
    CellOutput, CellReport, CellSpec, DatasetInfo, DatasetOutput, Failure, FailureKind, Number, SplitSpec, TokeniseDataset,
    TokenizerSpec, revision,
    split::{DEFAULT_FRACTIONS, has_seed, takes_seed},
};
use clmbench_runner::{executor::Limits, plugins::Offer};
use serde_json::Map;

use super::{
    choice::Choice,
    sources::{self, blames_a_file, doubt},
};
use crate::{
    arguments::{Global, SplitArguments},
    command::lone::{Ended, Files, Lone},
    console::Console,
    error::CliError,
    interrupt, plugins,
};

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

/// Prepares datasets one after the other.
pub struct Preparer {
    lone: Lone,
    /// The file of a split by file.
    pub split_file: Option<PathBuf>,
    /// A tokenizer of others, and its file; ours if none.
    pub tokenizer: Option<(TokenizerSpec, PathBuf)>,
}

impl Preparer {
    /// No worker is started yet.
    ///
    /// # Errors
    /// [`CliError::File`] without room for temporary files.
    pub fn new() -> Result<Self, CliError> {
        Ok(Self { lone: Lone::new(None, Limits::default())?, split_file: None, tokenizer: None })
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
        let (_, files) = self.compute(offer, split, found)?;
        Ok(PreparedDataset::open(&files.folder())?)
    }

    /// What there is to say of a dataset whose files, in their order, are there.
    ///
    /// # Errors
    /// As [`Preparer::prepare`].
    pub fn output(
        &mut self,
        offer: Offer<'_, DatasetInfo>,
        split: &SplitSpec,
        found: &[Found],
    ) -> Result<DatasetOutput, CliError> {
        match self.compute(offer, split, found)?.0.output {
            CellOutput::TokeniseDataset(output) => Ok(output),
            _ => {
                let failure = Failure::new(FailureKind::Protocol, "the worker answered with another kind of cell");
                Err(CliError::NotPrepared { name: offer.info.label(), failure })
            }
        }
    }

    fn compute(
        &mut self,
        offer: Offer<'_, DatasetInfo>,
        split: &SplitSpec,
        found: &[Found],
    ) -> Result<(CellReport, Files), CliError> {
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
        let mut tokenizer = TokenizerSpec::default();
        if let Some((spec, file)) = &self.tokenizer {
            tokenizer = spec.clone();
            if spec.digest.is_some() {
                inputs.insert("tokenizer".to_owned(), file.display().to_string());
            }
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
            tokenizer,
            split: split.clone(),
        });
        match self.lone.compute(spec, vec![offer.plugin.file()], inputs) {
            Ok(done) => Ok(done),
            Err(Ended::Failed(mut failure)) => {
                // A file of a wheel is the one that the plugin was written for.
                let theirs = |found: &(&Wanted, &Found)| !matches!(found.1.place, Place::Wheel { .. });
                let blamed = blames_a_file(&failure);
                for (wanted, found) in wanted.iter().zip(found).filter(theirs).filter(|_| blamed) {
                    failure.message.push_str(&format!("\n{}", doubt(wanted, found)));
                }
                Err(CliError::NotPrepared { name: info.label(), failure })
            }
            Err(Ended::Otherwise(error)) => Err(*error),
        }
    }
}
