//! `data fetch`: files into the cache, checked.

use clmbench_fetch::{AcceptedLicences, Fetcher};
use clmbench_protocol::{OptIn, SourceFile};
use serde::Serialize;

use super::choice::Choice;
use crate::{
    arguments::{FetchArguments, Global},
    console::{Console, one_line},
    error::CliError,
    interrupt, plugins,
    progress::FetchProgress,
    units::{counted, show_bytes},
};

/// A row of `data fetch --json`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: String,
    files: usize,
    bytes: u64,
    /// `fetched`, `was there`, or why not: terms that are not accepted (with `--all`).
    state: String,
    licence: &'a str,
    citation: &'a str,
}

/// Fetches and says what it cost and which terms hold.
///
/// # Errors
/// [`CliError::Usage`] for an unknown name, and for a source that has no files of its own; [`CliError::Fetch`], also where terms must be
/// accepted first.
pub fn run(arguments: &FetchArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let accepted = AcceptedLicences::from_environment().and(&arguments.accept.accept_licence);
    let choices = chosen(arguments, Choice::all(&discovery.plugins), |name| Choice::find(&discovery.plugins, name))?;
    let fetcher = Fetcher::from_environment()?;
    interrupt::listen();
    // Terms are looked at before anything is fetched.
    if !arguments.all {
        for choice in &choices {
            if let Some(terms) = terms(choice).filter(|_| !there(&fetcher, &choice.files())) {
                accepted.require(terms, &format!("dataset `{}`", choice.name()))?;
            }
        }
    }
    let mut rows = Vec::new();
    for choice in &choices {
        let files = choice.files();
        let refused = terms(choice).filter(|terms| !accepted.accept(terms));
        let state = match refused {
            _ if there(&fetcher, &files) => "was there".to_owned(),
            Some(terms) => format!("left out: needs --accept-licence {}", terms.name),
            None => {
                get(&fetcher, &files, console)?;
                "fetched".to_owned()
            }
        };
        let bytes = files.iter().map(|file| file.bytes()).sum();
        let (licence, citation) = (choice.licence(), choice.citation());
        rows.push(Row { kind: choice.kind(), name: choice.name(), files: files.len(), bytes, state, licence, citation });
    }
    if arguments.json.json {
        return console.json("data-fetch", &rows);
    }
    let page: Vec<String> = rows.iter().map(lines).collect();
    console.print(&page.join("\n"))
}

/// What is to be fetched; with `--all` everything that has files.
fn chosen<'a>(
    arguments: &FetchArguments,
    all: Vec<Choice<'a>>,
    find: impl Fn(&str) -> Result<Choice<'a>, CliError>,
) -> Result<Vec<Choice<'a>>, CliError> {
    if arguments.all {
        return Ok(all.into_iter().filter(|choice| !choice.files().is_empty()).collect());
    }
    let mut chosen: Vec<Choice<'a>> = Vec::new();
    for name in &arguments.names {
        let choice = find(name)?;
        if choice.files().is_empty() {
            let message = format!("{} has no files to fetch", choice.name());
            return Err(CliError::Usage { message, hint: "`clmbench data describe NAME` says what it reads".to_owned() });
        }
        if !chosen.iter().any(|other| other.name() == choice.name()) {
            chosen.push(choice);
        }
    }
    Ok(chosen)
}

/// The terms that must be accepted.
pub fn terms<'a>(choice: &Choice<'a>) -> Option<&'a OptIn> {
    match choice {
        Choice::Dataset(offer) => offer.info.opt_in.as_ref(),
        Choice::Corpus(_) => None,
    }
}

/// Whether every file is in the cache.
pub fn there(fetcher: &Fetcher, files: &[SourceFile]) -> bool {
    files.iter().all(|file| fetcher.cached_source_file(file).is_some())
}

/// Fetches what is missing.
///
/// # Errors
/// [`CliError::Fetch`], [`CliError::Interrupted`].
pub fn get(fetcher: &Fetcher, files: &[SourceFile], console: Console) -> Result<(), CliError> {
    let mut progress = FetchProgress::new(console);
    let mut get = || {
        for file in files {
            if interrupt::requested() {
                return Err(CliError::Interrupted);
            }
            fetcher.source_file(file, &mut |step| progress.step(&step))?;
        }
        Ok(())
    };
    let got = get();
    progress.close();
    got
}

fn lines(row: &Row<'_>) -> String {
    let files = counted(row.files, "file");
    let mut text = format!("{}  {} ({files}, {})", one_line(&row.name, 120), row.state, show_bytes(row.bytes));
    for (word, said) in [("licence", row.licence), ("citation", row.citation)] {
        if !said.is_empty() {
            text.push_str(&format!("\n  {word:<9} {}", one_line(said, 400)));
        }
    }
    text
}
