//! `data list`.

use clmbench_fetch::{Fetcher, Found};
use clmbench_protocol::{DatasetInfo, TaskKind};
use serde::Serialize;

use super::{choice::Choice, sources};
use crate::{
    arguments::Global,
    console::{Console, one_line},
    error::CliError,
    plugins,
};

/// Columns that a licence needs to be worth showing.
const LICENCE: usize = 16;
/// Columns from which places and terms are shown.
const WIDE: usize = 100;

/// A row of `data list --json`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: String,
    source: &'a str,
    /// Names of the tasks; none for a corpus.
    tasks: Vec<&'a str>,
    /// `regression`, `classification`, both, or nothing for a corpus.
    task_type: String,
    recommended_split: &'a str,
    licence: &'a str,
    /// Whether every file is in the user's folder or in the cache; none where nothing is to fetch.
    fetched: Option<bool>,
    /// Where its files are, if they are there: `folder`, `wheel`, `url`, `mirror`.
    fetched_from: String,
    /// Where its first file can be had: packages of wheels, then addresses.
    places: Vec<String>,
    /// Names of groups of its molecules that are scored on their own too.
    subsets: Vec<&'a str>,
    /// Name of the terms that must be accepted before it is fetched.
    accept_licence: Option<&'a str>,
}

/// Prints the rows.
///
/// # Errors
/// [`CliError::NoWorker`], [`CliError::Fetch`] without a cache folder, [`CliError::Output`].
pub fn run(json: bool, global: &Global, console: Console) -> Result<(), CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let fetcher = Fetcher::from_environment()?;
    let choices = Choice::all(&discovery.plugins);
    let rows: Vec<Row<'_>> = choices.iter().map(|choice| row(choice, &fetcher)).collect();
    if json {
        return console.json("data", &rows);
    }
    let wide = console.style.width >= WIDE;
    let cells = |row: &Row<'_>| {
        let fetched = match (row.fetched, row.accept_licence) {
            (None, _) => "-".to_owned(),
            (Some(true), _) if !wide => "yes".to_owned(),
            (Some(true), _) => format!("yes, {}", row.fetched_from),
            (Some(false), Some(terms)) if wide => format!("no, terms: {terms}"),
            (Some(false), _) => "no".to_owned(),
        };
        let tasks = match row.tasks.len() {
            0 => "-".to_owned(),
            count => count.to_string(),
        };
        let places = kinds(&row.places);
        let kind = if row.kind == "corpus" { "corpus" } else { &row.task_type };
        let all = match wide {
            true => vec![row.kind, &row.name, &tasks, &row.task_type, row.recommended_split, &places, &fetched],
            false => vec![&row.name, &tasks, kind, row.recommended_split, &fetched],
        };
        all.into_iter().map(|text| one_line(text, 60)).collect::<Vec<_>>()
    };
    let mut lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let mut headers = match wide {
        true => vec!["kind", "name", "tasks", "type", "split", "places", "fetched"],
        false => vec!["name", "tasks", "type", "split", "fetched"],
    };
    let narrow = clmbench_report::table_in(&headers, &lines, console.style);
    let used = narrow.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let left = console.style.width.saturating_sub(used + 2);
    let licence = wide && left >= LICENCE;
    if licence {
        headers.push("licence");
        lines.iter_mut().zip(&rows).for_each(|(line, row)| line.push(one_line(row.licence, left)));
    }
    console.print(&clmbench_report::table_in(&headers, &lines, console.style))?;
    let licence = if licence { "" } else { " and the licence" };
    console.note(&format!(
        "split: what its authors recommend; suites split by scaffold unless they say another\n\
         `clmbench data describe NAME` says more{licence}; `clmbench data split FILE` splits a table of your own"
    ));
    Ok(())
}

fn row<'a>(choice: &'a Choice<'a>, fetcher: &Fetcher) -> Row<'a> {
    let files = choice.files();
    let found: Option<Vec<Found>> = files.iter().map(|file| fetcher.find(file)).collect();
    let fetched = (!files.is_empty()).then_some(found.is_some());
    let subsets = match choice {
        Choice::Dataset(offer) => offer.info.subsets.iter().map(|subset| subset.name.as_str()).collect(),
        Choice::Corpus(_) => Vec::new(),
    };
    let (source, tasks, task_type, split, terms) = match choice {
        Choice::Dataset(offer) => {
            let info = offer.info;
            let tasks = info.tasks.iter().map(|task| task.name.as_str()).collect();
            (info.source.as_str(), tasks, types(info), info.recommended_split.as_str(), info.opt_in.as_ref())
        }
        Choice::Corpus(_) => ("clmbench", Vec::new(), String::new(), "", None),
    };
    Row {
        kind: choice.kind(),
        name: choice.name(),
        source,
        tasks,
        task_type,
        recommended_split: split,
        licence: choice.licence(),
        fetched,
        fetched_from: sources::words(&found.unwrap_or_default()),
        places: files.first().map(sources::places).unwrap_or_default(),
        subsets,
        accept_licence: terms.map(|terms| terms.name.as_str()),
    }
}

/// The kinds of places in a word or two.
fn kinds(places: &[String]) -> String {
    let urls = places.iter().filter(|place| place.contains("://")).count();
    match (places.len() - urls, urls) {
        (0, 0) => "-".to_owned(),
        (0, _) => "url".to_owned(),
        (_, 0) => "wheel".to_owned(),
        _ => "wheel, url".to_owned(),
    }
}

/// The types of the tasks, each once.
fn types(info: &DatasetInfo) -> String {
    if info.user_file.is_some() {
        return "your own file".to_owned();
    }
    let has = |kind| info.tasks.iter().any(|task| task.kind == kind);
    let words = [(TaskKind::Regression, "regression"), (TaskKind::Classification, "classification")];
    words.into_iter().filter(|(kind, _)| has(*kind)).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}
