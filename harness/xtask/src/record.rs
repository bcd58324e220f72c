//! Records a run of a suite as text: `results/<date>-<suite>/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

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
pub fn record(checkout: &Path, executable: &Path, store: &Path, suite: &Path, took: &str) -> Result<PathBuf, XtaskError> {
    let stem = suite.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let environment = environment(checkout);
    let date = environment.split(", ").find(|part| part.len() == 10 && part.starts_with("20")).unwrap_or("undated").to_owned();
    let folder = checkout.join("results").join(format!("{date}-{stem}"));
    fs::create_dir_all(&folder).map_err(XtaskError::io("create", &folder))?;
    let write =
        |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).map_err(XtaskError::io("write", folder.join(name)));
    write("suite.toml", &fs::read(checkout.join(suite)).map_err(XtaskError::io("read", suite))?)?;
    for (name, words) in PARTS {
        let mut command = Command::new(executable);
        command.current_dir(checkout).args(words).arg("--store").arg(store).env("COLUMNS", "120").stderr(Stdio::inherit());
        let output = command.output().map_err(XtaskError::io("start", executable))?;
        if !output.status.success() {
            let code = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255);
            return Err(XtaskError::Child { command: format!("clmbench {}", words.join(" ")), code });
        }
        write(name, &output.stdout)?;
    }
    let text = format!("{environment}\nlibtorch {}; {took}\n", clmbench_fetch::catalogue::TORCH_VERSION);
    write("environment.txt", text.as_bytes())?;
    Ok(folder)
}
