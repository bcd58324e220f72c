//! `data describe`: a dataset or corpus on a page, with what its rows hold once its files are there.

use clmbench_fetch::Fetcher;
use clmbench_protocol::{OptIn, ParameterInfo, SourceFile, TaskInfo, TaskKind, split};
use serde::Serialize;

use super::{
    choice::Choice,
    fetch,
    prepare::prepare,
    split as own,
    statistics::{self, Contents},
    summary,
};
use crate::{
    arguments::{DescribeArguments, Global, SplitArguments},
    command::wrapped,
    console::{Console, one_line},
    error::CliError,
    interrupt, plugins,
    units::show_bytes,
};

/// Tasks whose labels are shown; `--json` has all.
const TASKS: usize = 12;

/// The row of `data describe --json`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: String,
    doc: &'a str,
    tasks: &'a [TaskInfo],
    recommended_split: &'a str,
    parameters: &'a [ParameterInfo],
    /// What the user's own file must hold, for a source that reads such a file.
    user_file: Option<&'a str>,
    licence: &'a str,
    citation: &'a str,
    /// Terms that must be accepted before it is fetched.
    opt_in: Option<&'a OptIn>,
    files: Vec<SourceFile>,
    fetched: bool,
    /// What the rows hold; none for a corpus, and before its files are fetched.
    contents: Option<Contents>,
}

/// Describes.
///
/// # Errors
/// [`CliError::Usage`] for an unknown name; what [`prepare`] says.
pub fn run(arguments: &DescribeArguments, global: &Global, console: Console) -> Result<(), CliError> {
    if own::is_file(&arguments.name) {
        return own::run(&SplitArguments::of_file(arguments), global, console);
    }
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    let choice = Choice::find(&discovery.plugins, &arguments.name)?;
    let fetcher = Fetcher::from_environment()?;
    let files = choice.files();
    let fetched = fetch::there(&fetcher, &files);
    let spec = arguments.way.spec(split::SCAFFOLD);
    let info = match &choice {
        Choice::Dataset(offer) => Some(*offer),
        Choice::Corpus(_) => None,
    };
    interrupt::listen();
    let contents = match info.filter(|offer| fetched && offer.info.user_file.is_none()) {
        Some(offer) => Some(statistics::of(&prepare(offer, &spec, &fetcher)?, &spec)),
        None => None,
    };
    let row = Row {
        kind: choice.kind(),
        name: choice.name(),
        doc: choice.doc(),
        tasks: info.map_or(&[], |offer| &offer.info.tasks),
        recommended_split: info.map_or("", |offer| &offer.info.recommended_split),
        parameters: info.map_or(&[], |offer| &offer.info.parameters),
        user_file: info.and_then(|offer| offer.info.user_file.as_deref()),
        licence: choice.licence(),
        citation: choice.citation(),
        opt_in: fetch::terms(&choice),
        files,
        fetched,
        contents,
    };
    if arguments.json.json {
        return console.json("data-describe", &[row]);
    }
    console.print(&page(&row, arguments, console))
}

fn page(row: &Row<'_>, arguments: &DescribeArguments, console: Console) -> String {
    let width = console.style.width;
    let mut lines = vec![format!("{} ({})", one_line(&row.name, 120), row.kind)];
    lines.push(wrapped("", row.doc, width));
    let mut say = |word: &str, text: &str| {
        if !text.is_empty() {
            lines.push(wrapped(word, text, width));
        }
    };
    say("reads", row.user_file.unwrap_or_default());
    for parameter in row.parameters {
        say("parameter", &format!("{} = {}: {}", parameter.name, parameter.default, parameter.doc));
    }
    for task in row.tasks.iter().take(TASKS) {
        let kind = if task.kind == TaskKind::Regression { "regression" } else { "classification" };
        let unit = if task.unit.is_empty() { String::new() } else { format!(" [{}]", task.unit) };
        say("task", &format!("{}{unit}, {kind}, scored by {}", task.name, task.score));
    }
    if row.tasks.len() > TASKS {
        say("", &format!("and {} more tasks; --json has all", row.tasks.len() - TASKS));
    }
    say(
        "split",
        &match row.recommended_split {
            "" => String::new(),
            split if row.user_file.is_some() => format!("{split} where a suite names none"),
            split => format!("{split} recommended by its authors"),
        },
    );
    say("licence", row.licence);
    say("citation", row.citation);
    if let Some(terms) = row.opt_in {
        say("terms", &format!("`{}`: {} Fetched with --accept-licence {}.", terms.name, terms.terms, terms.name));
    }
    for file in row.files.iter().take(TASKS) {
        let text = match &file.wheel {
            Some(entry) => {
                let digest = entry.sha256.get(..16).unwrap_or(&entry.sha256);
                format!("{} of {} {}, {}, SHA-256 {digest}...", file.name, entry.package, entry.version, show_bytes(entry.bytes))
            }
            None => file.name.clone(),
        };
        say("file", &text);
    }
    if row.files.len() > TASKS {
        let bytes = row.files.iter().map(SourceFile::bytes).sum();
        say("", &format!("and {} more files; {} in all", row.files.len() - TASKS, show_bytes(bytes)));
    }
    let mut text = lines.join("\n");
    match &row.contents {
        Some(contents) => text.push_str(&format!("\n\n{}", contents_page(row, contents, arguments, console))),
        None if !row.fetched => text.push_str(&format!("\n\nnot fetched; `clmbench data fetch {}` gets its files", row.name)),
        None => {}
    }
    text
}

fn contents_page(row: &Row<'_>, contents: &Contents, arguments: &DescribeArguments, console: Console) -> String {
    let width = console.style.width;
    let mut lines = vec![summary::heading(&row.name, &contents.split, arguments.way.fractions)];
    let shown = row.tasks.iter().take(TASKS).map(|task| task.name.as_str()).collect::<Vec<_>>();
    let cells = contents.labels.iter().filter(|labels| shown.contains(&labels.task.as_str())).map(|labels| {
        let molecules = (labels.labels + labels.missing).to_string();
        let held = match (labels.positives, labels.mean, labels.sd) {
            (Some(positives), ..) => {
                let share = 100.0 * positives as f64 / labels.labels.max(1) as f64;
                format!("{positives} positive ({share:.1} %)")
            }
            (None, Some(mean), Some(sd)) => format!("mean {:.4}, sd {:.4}", mean.0, sd.0),
            _ => String::new(),
        };
        vec![one_line(&labels.task, 40), labels.part.to_owned(), molecules, labels.missing.to_string(), held]
    });
    let table: Vec<Vec<String>> = cells.collect();
    let headers = ["task", "part", "molecules", "no label", "labels"];
    lines.push(clmbench_report::table_in(&headers, &table, console.style).trim_end().to_owned());
    let mut say = |word: &str, text: &str| lines.push(wrapped(word, text, width));
    let invalid: Vec<String> =
        contents.invalid.iter().take(3).map(|(row, reason)| format!("row {row}: {}", one_line(reason, 80))).collect();
    let more = if contents.invalid.len() > 3 { format!("; and {} more", contents.invalid.len() - 3) } else { String::new() };
    say(
        "rows",
        &match contents.invalid.len() {
            0 => format!("{}, every one a valid molecule", contents.rows),
            count => format!("{}, of which {count} hold no valid molecule ({}{more})", contents.rows, invalid.join("; ")),
        },
    );
    say("repeated", &summary::repeats(contents.duplicate_groups, contents.leaked));
    say(
        "cut",
        &format!(
            "{} molecules longer than a model reads; {} with a token outside the vocabulary",
            contents.truncated, contents.unknown_token_molecules
        ),
    );
    for long in &contents.longest {
        say("longest", &format!("row {}, {} characters: {}", long.row, long.characters, one_line(&long.smiles, 50)));
    }
    say("digests", &format!("split {}, data {}", short(&contents.split_digest), short(&contents.data_digest)));
    lines.join("\n")
}

fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}
