//! `data describe`: a dataset or corpus on a page, with what its rows hold once its files are there.

use clmbench_fetch::{Fetcher, Found};
use clmbench_protocol::{OptIn, ParameterInfo, SourceFile, SplitSpec, SubsetInfo, TaskInfo, TaskKind, split};
use serde::Serialize;

use super::{
    choice::Choice,
    fetch,
    prepare::{Preparer, recommended},
    split as own,
    statistics::{self, Contents},
    summary,
};
use crate::{
    arguments::{DescribeArguments, Fractions, Global, SplitArguments, SplitWay},
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
    /// That split with its seed and shares; none for a corpus and for a user's file.
    recommended: Option<SplitSpec>,
    /// Groups of molecules that are scored on their own too.
    subsets: &'a [SubsetInfo],
    parameters: &'a [ParameterInfo],
    /// What the user's own file must hold, for a source that reads such a file.
    user_file: Option<&'a str>,
    licence: &'a str,
    citation: &'a str,
    /// Terms that must be accepted before it is fetched.
    opt_in: Option<&'a OptIn>,
    files: Vec<SourceFile>,
    fetched: bool,
    /// Where each file is read from, once it is there.
    from: Vec<String>,
    /// What is to be said of the bytes of its files.
    remarks: Vec<String>,
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
    let found: Option<Vec<Found>> = files.iter().map(|file| fetcher.find(file)).collect();
    let fetched = found.is_some();
    let spec = spec(&arguments.way, &choice);
    if spec.algorithm == split::FILE {
        let hint = format!("`clmbench data split {} --split-file FILE` takes one", one_line(&arguments.name, 120));
        return Err(CliError::Usage { message: "data describe reads no file of a split".to_owned(), hint });
    }
    let info = match &choice {
        Choice::Dataset(offer) => Some(*offer),
        Choice::Corpus(_) => None,
    };
    interrupt::listen();
    let contents = match info.filter(|offer| fetched && offer.info.user_file.is_none()) {
        Some(offer) => {
            let found = found.as_deref().unwrap_or_default();
            Some(statistics::of(&Preparer::new()?.prepare(offer, &spec, found)?, &spec))
        }
        None => None,
    };
    let row = Row {
        kind: choice.kind(),
        name: choice.name(),
        doc: choice.doc(),
        tasks: info.map_or(&[], |offer| &offer.info.tasks),
        recommended_split: info.map_or("", |offer| &offer.info.recommended_split),
        recommended: info.filter(|offer| offer.info.user_file.is_none()).map(|offer| recommended(offer.info)),
        subsets: info.map_or(&[], |offer| &offer.info.subsets),
        parameters: info.map_or(&[], |offer| &offer.info.parameters),
        user_file: info.and_then(|offer| offer.info.user_file.as_deref()),
        licence: choice.licence(),
        citation: choice.citation(),
        opt_in: fetch::terms(&choice),
        files: files.iter().map(|file| file.file.clone()).collect(),
        fetched,
        from: found.iter().flatten().map(|found| found.place.to_string()).collect(),
        remarks: found.iter().flatten().filter_map(|found| found.remark.clone()).collect(),
        contents,
    };
    if arguments.json.json {
        return console.json("data-describe", &[row]);
    }
    console.print(&page(&row, console))
}

fn page(row: &Row<'_>, console: Console) -> String {
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
            split => match &row.recommended {
                Some(spec) => format!("{} recommended by its authors", described(spec)),
                None => format!("{split} recommended by its authors"),
            },
        },
    );
    for subset in row.subsets {
        say("subset", &format!("{}: {}", subset.name, subset.doc));
    }
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
        for url in &file.urls {
            let pin = match (&url.sha256, &url.md5) {
                (Some(pin), _) => format!(", SHA-256 {}...", short(pin)),
                (None, Some(pin)) => format!(", MD5 {pin}"),
                (None, None) => String::new(),
            };
            say(if file.wheel.is_some() { "or" } else { "at" }, &format!("{}{pin}", url.url));
        }
    }
    if row.files.len() > TASKS {
        let bytes = row.files.iter().map(SourceFile::bytes).sum();
        say("", &format!("and {} more files; {} in all", row.files.len() - TASKS, show_bytes(bytes)));
    }
    let mut from = row.from.clone();
    from.dedup();
    if !from.is_empty() {
        lines.push(wrapped("read from", &from.iter().take(TASKS).cloned().collect::<Vec<_>>().join(", "), width));
    }
    row.remarks.iter().take(TASKS).for_each(|remark| lines.push(wrapped("bytes", remark, width)));
    let mut text = lines.join("\n");
    match &row.contents {
        Some(contents) => text.push_str(&format!("\n\n{}", contents_page(row, contents, console))),
        None if !row.fetched => text.push_str(&format!("\n\nnot fetched; `clmbench data fetch {}` gets its files", row.name)),
        None => {}
    }
    text
}

/// The split that is named, else the one that the dataset recommends; seed and shares that are named go before the recommended ones.
fn spec(way: &SplitWay, choice: &Choice<'_>) -> SplitSpec {
    let Choice::Dataset(offer) = choice else { return way.spec(split::SCAFFOLD) };
    if way.split.is_some() || offer.info.user_file.is_some() {
        return way.spec(split::SCAFFOLD);
    }
    let of_its_own = recommended(offer.info);
    let named = way.spec(&of_its_own.algorithm);
    let fractions = if way.fractions == SplitWay::default().fractions { of_its_own.fractions } else { named.fractions };
    SplitSpec { seed: way.seed.or(of_its_own.seed), fractions, ..named }
}

/// Shares of a split, the test part's with them.
fn fractions(spec: &SplitSpec) -> Fractions {
    let (training, validation) = (spec.fractions.0.0, spec.fractions.1.0);
    Fractions { training, validation, test: (1e6 * (1.0 - training - validation)).round() / 1e6 }
}

/// `random, seed 0, 0.8 / 0.1 / 0.1`; a split that is given has no shares of its own.
fn described(spec: &SplitSpec) -> String {
    let seed = spec.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let Fractions { training, validation, test } = fractions(spec);
    let shares = if spec.algorithm == split::GIVEN { String::new() } else { format!(", {training} / {validation} / {test}") };
    format!("{}{seed}{shares}", spec.algorithm)
}

fn contents_page(row: &Row<'_>, contents: &Contents, console: Console) -> String {
    let width = console.style.width;
    let mut lines = vec![summary::heading(&row.name, &contents.split, fractions(&contents.split))];
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
    for check in contents.checks.iter().filter(|check| check.conflicting + check.leaked > 0).take(TASKS) {
        let (conflicting, leaked) = (check.conflicting, check.leaked);
        say(
            "labels",
            &format!(
                "{}: {conflicting} molecules with labels that differ; {leaked} labels of the test part known from another",
                check.task
            ),
        );
    }
    if contents.multi_fragment > 0 {
        say("salts", &format!("{} molecules of several parts (salts, mixtures), kept whole", contents.multi_fragment));
    }
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
