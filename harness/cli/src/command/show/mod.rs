//! `show`: one cell, its inputs, its result and how it was computed.

mod files;
mod result;
mod transfer;

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use clmbench_store::{CellDetail, CellStatus, LeaseState, Store};
use serde::Serialize;

use self::files::OnDisk;
use super::{
    model::{Given, given},
    running,
};
use crate::{
    arguments::{Global, ShowArguments},
    console::{self, Console},
    error::CliError,
    units::{show_bytes, show_seconds},
};

/// Cells that need this one and are listed one by one.
const MOST_NEEDED: usize = 12;
/// Most bytes of a log that are printed, from its end.
const LONGEST_LOG: u64 = (1 << 20) + 4096; // a log that was cut to a MiB says so in its first line

/// The row of `show --json`.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    detail: &'a CellDetail,
    #[serde(flatten)]
    files: &'a OnDisk,
    /// What the suite says of a checkpoint of others; absent of other cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<&'a Given>,
    /// The log itself, with `--log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_text: Option<String>,
}

/// Prints the cell, or its log.
///
/// # Errors
/// [`CliError::Store`] when it is unknown or its start fits several; [`CliError::Usage`] when there is no log;
/// [`CliError::File`], [`CliError::Output`].
pub fn run(arguments: &ShowArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let lease = store.lease_state();
    let mut detail = store.find_cell(&arguments.cell)?;
    if detail.row.status == CellStatus::Running && !matches!(lease, LeaseState::Held(_)) {
        running::interrupt(&mut detail.row);
    }
    let files = OnDisk::of(&detail, &store, arguments.verify);
    let given = match (detail.row.stage.as_str(), &detail.row.identity) {
        ("import", Some(identity)) => Some(given(&store, detail.suite.as_deref(), identity)?),
        _ => None,
    };
    let log_text = if arguments.log { Some(log(&detail, &store)?) } else { None };
    match (arguments.json.json, log_text) {
        (true, log_text) => console.json("cell", &[Row { detail: &detail, files: &files, checkpoint: given.as_ref(), log_text }]),
        (false, Some(text)) if text.is_empty() => {
            console.note("the log is empty: worker and plugins printed nothing");
            Ok(())
        }
        (false, Some(text)) => console.print(&text),
        (false, None) => console.print(&page(&detail, given.as_ref(), &files)),
    }
}

/// The end of the cell's log.
fn log(detail: &CellDetail, store: &Store) -> Result<String, CliError> {
    let path = detail.row.identity.as_ref().map(|identity| store.log_path(identity));
    let Some(path) = path.filter(|path| path.is_file()) else {
        return Err(CliError::Usage {
            message: format!("cell {} has no log", console::one_line(&detail.row.key, 200)),
            hint: "a log is written when a cell is computed; `clmbench show CELL` says whether it was".to_owned(),
        });
    };
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(&path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LOG)))?;
        let mut bytes = Vec::new();
        file.take(LONGEST_LOG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| CliError::file(&path, error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn page(detail: &CellDetail, given: Option<&Given>, files: &OnDisk) -> String {
    let mut page = Page::default();
    heading(&mut page, detail, given);
    if let Some(output) = &detail.output {
        page.blank();
        result::result(&mut page, output);
    }
    files.lines(&mut page);
    if let Some(spec) = &detail.spec {
        page.blank();
        page.line("definition", &serde_json::to_string_pretty(spec).unwrap_or_default().replace('\n', &format!("\n{:14}", "")));
    }
    page.text
}

fn heading(page: &mut Page, detail: &CellDetail, given: Option<&Given>) {
    let row = &detail.row;
    page.line("cell", &row.key);
    if row.label != row.key {
        page.line("", &row.label);
    }
    page.line("identity", row.identity.as_deref().unwrap_or("known once the cells it needs are done"));
    if let Some(suite) = &detail.suite {
        page.line("suite", suite);
    }
    page.line("stage", &row.stage);
    page.line("status", row.status.word());
    if let Some(reason) = &row.reason {
        let kind = row.failure_kind.as_ref().map(|kind| format!("{kind}: ")).unwrap_or_default();
        page.line("reason", &format!("{kind}{reason}"));
    }
    if row.attempts > 1 {
        page.line("attempts", &row.attempts.to_string());
    }
    if let (Some(started), Some(finished)) = (&row.started, &row.finished) {
        let took = row.seconds.map(|seconds| format!(" ({})", show_seconds(seconds))).unwrap_or_default();
        page.line("computed", &format!("{started} to {finished}{took}"));
    }
    if let Some(seconds) = row.elapsed {
        page.line("running", &format!("for {}", show_seconds(seconds)));
    }
    let on = [
        row.device.clone(),
        row.libtorch.as_ref().map(|version| format!("libtorch {version}")),
        row.peak_rss_bytes.map(|bytes| format!("peak memory {}", show_bytes(bytes))),
    ];
    let on: Vec<String> = on.into_iter().flatten().collect();
    if !on.is_empty() {
        page.line("on", &on.join(", "));
    }
    if let Some(report) = &detail.report {
        page.line("build", &report.build);
    }
    if let Some(given) = given {
        told(page, given);
    }
    identified(page, detail);
    for (index, needed) in row.dependencies.iter().enumerate() {
        page.line(if index == 0 { "needs" } else { "" }, needed);
    }
    for (index, needs) in detail.needed_by.iter().take(MOST_NEEDED).enumerate() {
        page.line(if index == 0 { "needed by" } else { "" }, needs);
    }
    if detail.needed_by.len() > MOST_NEEDED {
        page.line("", &format!("and {} more; --json lists all", detail.needed_by.len() - MOST_NEEDED));
    }
}

/// Where a checkpoint of others comes from, and what its suite says of its training.
fn told(page: &mut Page, given: &Given) {
    if let Some(source) = &given.source {
        page.line("comes from", source);
    }
    let numbers = [(given.tokens, "tokens"), (given.molecules, "molecules")];
    let numbers: Vec<String> = numbers.iter().filter_map(|(number, of)| Some(format!("{} {of}", (*number)?))).collect();
    if !numbers.is_empty() {
        page.line("trained on", &format!("{}, as the suite says", numbers.join(" and ")));
    }
}

/// What tells it from other cells of its kind, beside digests and parameters, which the definition below has.
fn identified(page: &mut Page, detail: &CellDetail) {
    let Some(Ok(spec)) = detail.spec.as_ref().map(serde_json::to_value) else { return };
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(plugin) = spec.get("plugin") {
        let of = |key: &str| plugin.get(key).filter(|value| !value.is_null()).map(text);
        let digest = of("digest").map(|digest| format!(", file {}", digest.get(..12).unwrap_or(&digest))).unwrap_or_default();
        page.line("plugin", &format!("{} {}{digest}", of("name").unwrap_or_default(), of("version").unwrap_or_default()));
    }
    let parts = ["revision", "seed", "precision", "threads"];
    let known: Vec<String> = parts.iter().filter_map(|key| Some(format!("{key} {}", text(spec.get(*key)?)))).collect();
    if !known.is_empty() {
        page.line("computed by", &known.join(", "));
    }
}

/// Lines of `name  text`.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, name: &str, text: &str) {
        let text = text.trim_end();
        self.text.push_str(&format!("{name:<12}  {text}\n"));
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }
}
