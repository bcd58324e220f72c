//! `show`: one cell, its inputs, its result and how it was computed.

mod result;
mod transfer;

use clmbench_store::{CellDetail, Store};

use crate::{
    arguments::{Global, ShowArguments},
    console::{self, Console},
    error::CliError,
    units::{show_bytes, show_seconds},
};

/// Files that are listed one by one.
const MOST_FILES: usize = 12;

/// Prints the cell.
///
/// # Errors
/// [`CliError::Store`] when it is unknown or its start fits several; [`CliError::Output`].
pub fn run(arguments: &ShowArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let detail = store.find_cell(&arguments.cell)?;
    if arguments.json.json {
        return console.json("cell", &[detail]);
    }
    console.print(&console::plain(&page(&detail, &store)))
}

fn page(detail: &CellDetail, store: &Store) -> String {
    let mut page = Page::default();
    heading(&mut page, detail);
    if let Some(output) = &detail.output {
        page.blank();
        result::result(&mut page, output);
    }
    if let (Some(identity), Some(report)) = (&detail.row.identity, &detail.report) {
        page.blank();
        page.line("folder", &store.artifact_dir(identity).display().to_string());
        for file in report.files.iter().take(MOST_FILES) {
            page.line("", &format!("{:>10}  {}", show_bytes(file.bytes), file.path));
        }
        if report.files.len() > MOST_FILES {
            page.line("", &format!("and {} more", report.files.len() - MOST_FILES));
        }
        page.line("build", &report.build);
    }
    if let Some(identity) = &detail.row.identity {
        let log = store.log_path(identity);
        if log.is_file() {
            page.line("log", &log.display().to_string());
        }
    }
    if let Some(spec) = &detail.spec {
        page.blank();
        page.line("definition", &serde_json::to_string_pretty(spec).unwrap_or_default().replace('\n', &format!("\n{:14}", "")));
    }
    page.text
}

fn heading(page: &mut Page, detail: &CellDetail) {
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
    let on = [
        row.device.clone(),
        row.libtorch.as_ref().map(|version| format!("libtorch {version}")),
        row.peak_rss_bytes.map(|bytes| format!("peak memory {}", show_bytes(bytes))),
    ];
    let on: Vec<String> = on.into_iter().flatten().collect();
    if !on.is_empty() {
        page.line("on", &on.join(", "));
    }
    for (index, needed) in row.dependencies.iter().enumerate() {
        page.line(if index == 0 { "needs" } else { "" }, needed);
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
