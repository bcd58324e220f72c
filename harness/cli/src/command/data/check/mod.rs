//! `data check`: every dataset prepared under its recommended split and by scaffolds, and what must be known before its numbers are believed.

mod against;
mod page;
mod row;

use clmbench_fetch::{AcceptedLicences, FetchError, Fetcher};

use self::{
    against::{Corpus, Tokens},
    row::{Row, Verdict},
};
use super::{
    choice::Choice,
    prepare::{Preparer, recommended},
    sources,
};
use crate::{
    arguments::{DataCheckArguments, Global, SplitWay},
    console::Console,
    error::CliError,
    interrupt, plugins,
};

/// Checks and prints one row a dataset, in the order of the plugins or of the names.
///
/// # Errors
/// [`CliError::Usage`] for an unknown name, a corpus or a source of the user's files; [`CliError::Molecules`] for a tokenizer or corpus that
/// cannot be read; [`CliError::Run`] without a worker; [`CliError::Interrupted`]. Once everything is printed: [`CliError::DataRefused`]
/// where a dataset was refused, else [`CliError::NoPlace`] and [`FetchError::NotAccepted`] for one that was named and cannot be had.
pub fn run(arguments: &DataCheckArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let choices = chosen(arguments, Choice::all(&discovery.plugins), |name| Choice::find(&discovery.plugins, name))?;
    let fetcher = Fetcher::from_environment()?;
    let accepted = AcceptedLicences::from_environment().and(&arguments.accept.accept_licence);
    interrupt::listen();
    let tokens = arguments.tokenizer.as_deref().map(Tokens::open).transpose()?;
    let corpus = arguments.corpus.as_deref().map(|what| Corpus::read(what, &fetcher, console)).transpose()?;
    let mut preparer = Preparer::new()?;
    let mut rows = Vec::new();
    let mut not_accepted = None;
    for choice in &choices {
        let offer = choice.dataset("has no labels to check", "`clmbench data describe FILE.csv`")?;
        console.note(&format!("checking {}", choice.name()));
        let mut row = Row::new(choice.name(), offer.info);
        let found = match sources::get(&fetcher, &choice.files(), &accepted, console) {
            Ok(found) => found,
            Err(CliError::Fetch(error)) => {
                row.not_there(&error);
                not_accepted = not_accepted.or(Some(error).filter(|error| matches!(error, FetchError::NotAccepted { .. })));
                rows.push(row);
                continue;
            }
            Err(error) => return Err(error),
        };
        row.read_from(&choice.files(), &found);
        let scaffold = SplitWay::default().spec(clmbench_protocol::split::SCAFFOLD);
        let mut splits = vec![recommended(offer.info)];
        if splits[0] != scaffold {
            splits.push(scaffold);
        }
        for (index, spec) in splits.iter().enumerate() {
            match preparer.prepare(offer, spec, &found) {
                Ok(dataset) => {
                    if index == 0 {
                        row.holds(&dataset, tokens.as_ref())?;
                    }
                    row.split(spec, &dataset, corpus.as_ref());
                }
                Err(CliError::NotPrepared { failure, .. }) => {
                    row.refused(&failure.message);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        row.judge();
        rows.push(row);
    }
    if arguments.json.json {
        console.json("data-check", &rows)?;
    } else {
        console.print(&page::text(&rows, console.style))?;
    }
    let named = |verdict: Verdict| -> Vec<String> {
        rows.iter().filter(|row| row.verdict == verdict).map(|row| row.name.clone()).collect()
    };
    let (refused, lost) = (named(Verdict::Refused), named(Verdict::NotReachable));
    if !refused.is_empty() {
        return Err(CliError::DataRefused { names: refused });
    }
    if arguments.all {
        return Ok(());
    }
    if !lost.is_empty() {
        return Err(CliError::NoPlace { names: lost });
    }
    not_accepted.map_or(Ok(()), |error| Err(error.into()))
}

fn chosen<'a>(
    arguments: &DataCheckArguments,
    all: Vec<Choice<'a>>,
    find: impl Fn(&str) -> Result<Choice<'a>, CliError>,
) -> Result<Vec<Choice<'a>>, CliError> {
    if arguments.all {
        let is_set = |choice: &Choice<'_>| matches!(choice, Choice::Dataset(offer) if offer.info.user_file.is_none());
        return Ok(all.into_iter().filter(is_set).collect());
    }
    let mut chosen: Vec<Choice<'a>> = Vec::new();
    for name in &arguments.names {
        let choice = find(name)?;
        choice.dataset("has no labels to check", "`clmbench data describe FILE.csv`")?;
        if !chosen.iter().any(|other| other.name() == choice.name()) {
            chosen.push(choice);
        }
    }
    Ok(chosen)
}
