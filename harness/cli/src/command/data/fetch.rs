//! `data fetch`: files into the cache, checked.

use clmbench_fetch::{AcceptedLicences, Fetcher, Found, Place, Wanted};
use clmbench_protocol::{OptIn, UrlFile};
use serde::Serialize;

use super::{
    choice::Choice,
    sources::{self, there},
};
use crate::{
    arguments::{FetchArguments, Global},
    console::{Console, one_line},
    error::CliError,
    interrupt, plugins,
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
    /// Where its files are from, in their order; none where they are not there.
    from: Vec<Place>,
    /// What is to be said of their bytes.
    remarks: Vec<String>,
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
    // What the cache holds stays until something else is admitted.
    let fetcher = Fetcher::from_environment()?;
    let fetcher = if arguments.again { fetcher.anew() } else { fetcher };
    interrupt::listen();
    // Terms are looked at before anything is fetched.
    if !arguments.all {
        for choice in &choices {
            let mut files = choice.files();
            files.retain(|file| fetcher.find(file).is_none());
            if let Some(terms) = files.iter().find_map(|file| file.terms_of_all_places()) {
                accepted.require(terms, &format!("dataset `{}`", choice.name()))?;
            }
        }
    }
    let (mut rows, mut lost) = (Vec::new(), Vec::new());
    for choice in &choices {
        let files = choice.files();
        let was_there = there(&fetcher, &files);
        let refused = files.iter().find_map(|file| file.terms_of_all_places()).filter(|terms| !accepted.accept(terms));
        let (state, found) = match refused.filter(|_| !was_there) {
            Some(terms) => (format!("left out: needs --accept-licence {}", terms.name), Vec::new()),
            None => match sources::get(&fetcher, &files, &accepted, console) {
                Ok(found) => (if was_there { "was there" } else { "fetched" }.to_owned(), found),
                // With --all the others are still fetched.
                Err(CliError::Fetch(error)) if arguments.all && error.leaves_other_places() => {
                    console.note(&format!("note: {error}"));
                    lost.push(choice.name());
                    ("left out: no place has it".to_owned(), Vec::new())
                }
                Err(error) => return Err(error),
            },
        };
        let sizes = found.iter().map(|found| found.path.metadata().map_or(0, |metadata| metadata.len()));
        let (licence, citation) = (choice.licence(), choice.citation());
        rows.push(Row {
            kind: choice.kind(),
            name: choice.name(),
            files: files.len(),
            bytes: sizes.sum(),
            state,
            remarks: remarks(&choice.name(), &files, &found, console),
            from: found.into_iter().map(|found| found.place).collect(),
            licence,
            citation,
        });
    }
    if arguments.json.json {
        console.json("data-fetch", &rows)?;
    } else {
        let page: Vec<String> = rows.iter().map(lines).collect();
        console.print(&page.join("\n"))?;
    }
    if lost.is_empty() { Ok(()) } else { Err(CliError::NoPlace { names: lost }) }
}

/// What is to be said of the bytes of its files: also that the content, which judges them, was not looked at yet.
fn remarks(name: &str, files: &[Wanted], found: &[Found], console: Console) -> Vec<String> {
    let unread = |(wanted, found): &(&Wanted, &Found)| {
        let pinned = |url: &UrlFile| url.md5.is_some() || url.sha256.is_some();
        let of_an_address = matches!(found.place, Place::Url { .. } | Place::Mirror { .. });
        wanted.content_judges() && of_an_address && (found.remark.is_some() || !wanted.file.urls.iter().all(pinned))
    };
    let mut remarks: Vec<String> = found.iter().filter_map(|found| found.remark.clone()).collect();
    for (wanted, _) in files.iter().zip(found).filter(unread) {
        let file = &wanted.file.name;
        let text = format!("the content of {file} is not checked yet: `clmbench data check {name}` does");
        console.note(&format!("note: {text}"));
        remarks.push(text);
    }
    remarks
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

/// The terms of a dataset.
pub fn terms<'a>(choice: &Choice<'a>) -> Option<&'a OptIn> {
    match choice {
        Choice::Dataset(offer) => offer.info.opt_in.as_ref(),
        Choice::Corpus(_) => None,
    }
}

fn lines(row: &Row<'_>) -> String {
    let files = counted(row.files, "file");
    let size = if row.from.is_empty() { String::new() } else { format!(", {}", show_bytes(row.bytes)) };
    let mut text = format!("{}  {} ({files}{size})", one_line(&row.name, 120), row.state);
    let mut from: Vec<String> = row.from.iter().map(Place::to_string).collect();
    from.dedup();
    let from = from.join(", ");
    for (word, said) in [("from", from.as_str()), ("licence", row.licence), ("citation", row.citation)] {
        if !said.is_empty() {
            text.push_str(&format!("\n  {word:<9} {}", one_line(said, 400)));
        }
    }
    text
}
