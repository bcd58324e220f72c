//! Records a run of a suite as text: `results/<date>-<suite>/`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::{bench::environment, error::XtaskError};

/// Tables, rows and the page that are recorded: file name and command.
const PARTS: [(&str, &[&str]); 7] = [
    ("predictors.txt", &["leaderboard", "predictors"]),
    ("models.txt", &["leaderboard", "models"]),
    ("fits.csv", &["export", "fits"]),
    ("statistics.csv", &["export", "statistics"]),
    ("models.csv", &["export", "models"]),
    ("cells.csv", &["export", "cells"]),
    ("report.html", &["report", "--out", "-"]),
];

/// Writes the suite, the leaderboards, fits, statistics, scores and cells as rows, the report, and what they were computed on.
pub fn record(checkout: &Path, executable: &Path, store: &Path, suite: &Path) -> Result<PathBuf, XtaskError> {
    let stem = suite.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let environment = environment(checkout);
    let date = environment.split(", ").find(|part| part.len() == 10 && part.starts_with("20")).unwrap_or("undated").to_owned();
    let folder = checkout.join("results").join(format!("{date}-{stem}"));
    fs::create_dir_all(&folder).map_err(XtaskError::io("create", &folder))?;
    let write =
        |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).map_err(XtaskError::io("write", folder.join(name)));
    write("suite.toml", &fs::read(checkout.join(suite)).map_err(XtaskError::io("read", suite))?)?;
    let printed = |words: &[&str]| {
        let mut command = Command::new(executable);
        command.current_dir(checkout).args(words).arg("--store").arg(store).env("COLUMNS", "120").stderr(Stdio::inherit());
        let output = command.output().map_err(XtaskError::io("start", executable))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let code = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255);
        Err(XtaskError::Child { command: format!("clmbench {}", words.join(" ")), code })
    };
    for (name, words) in PARTS {
        write(name, &printed(words)?)?;
    }
    let cells: Cells = serde_json::from_slice(&printed(&["export", "cells", "--json"])?)?;
    let text = format!("Fits, tables and page: {environment}\n{}", computed(&cells.rows));
    write("environment.txt", text.as_bytes())?;
    Ok(folder)
}

/// `export cells` as JSON.
#[derive(Debug, Deserialize)]
struct Cells {
    rows: Vec<Cell>,
}

/// What is asked of a row of `export cells`.
#[derive(Debug, Deserialize)]
struct Cell {
    status: String,
    seconds: Option<f64>,
    started: Option<String>,
    finished: Option<String>,
    device: Option<String>,
    libtorch: Option<String>,
    build: Option<String>,
}

/// A line for each worker that computed cells: how many, between when, for how long, with what.
fn computed(cells: &[Cell]) -> String {
    let mut by_worker: BTreeMap<[&str; 3], Vec<&Cell>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| matches!(cell.status.as_str(), "done" | "diverged")) {
        let worker = [&cell.build, &cell.libtorch, &cell.device].map(|text| text.as_deref().unwrap_or("unknown"));
        by_worker.entry(worker).or_default().push(cell);
    }
    let mut text = String::new();
    for ([build, libtorch, device], cells) in by_worker {
        let first = cells.iter().filter_map(|cell| cell.started.as_deref()).min().unwrap_or("unknown");
        let last = cells.iter().filter_map(|cell| cell.finished.as_deref()).max().unwrap_or("unknown");
        let seconds: f64 = cells.iter().filter_map(|cell| cell.seconds).sum();
        text.push_str(&format!(
            "Cells: {} by worker {build}, libtorch {libtorch}, {device}, from {first} to {last}, {seconds:.0} s of workers\n",
            cells.len()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_has_its_line_and_cells_without_one_are_not_counted() {
        let json = r#"{"schema": "x", "rows": [
            {"key": "a", "status": "done", "seconds": 1.5, "started": "2026-01-02T10", "finished": "2026-01-02T11",
             "device": "cpu", "libtorch": "2.11.0", "build": "0.1.0 aa"},
            {"key": "b", "status": "done", "seconds": 2.5, "started": "2026-01-02T09", "finished": "2026-01-02T10",
             "device": "cpu", "libtorch": "2.11.0", "build": "0.1.0 aa"},
            {"key": "c", "status": "diverged", "seconds": 1.0, "started": "2026-01-03T09", "finished": "2026-01-03T10",
             "device": "cpu", "libtorch": "2.11.0", "build": "0.1.0 bb"},
            {"key": "d", "status": "refused", "seconds": null, "started": null, "finished": null,
             "device": null, "libtorch": null, "build": null}]}"#;
        let cells: Cells = serde_json::from_str(json).expect("rows");
        assert_eq!(
            computed(&cells.rows),
            "Cells: 2 by worker 0.1.0 aa, libtorch 2.11.0, cpu, from 2026-01-02T09 to 2026-01-02T11, 4 s of workers\n\
             Cells: 1 by worker 0.1.0 bb, libtorch 2.11.0, cpu, from 2026-01-03T09 to 2026-01-03T10, 1 s of workers\n"
        );
    }
}
