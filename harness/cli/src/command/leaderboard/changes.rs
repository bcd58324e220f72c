//! What is another in a leaderboard than in an earlier one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read as _,
    path::Path,
};

use serde_json::Value;

use super::listing::shown;
use crate::{console::Console, error::CliError};

/// Columns that name a row, and those whose change counts.
pub struct Watched {
    key: &'static [&'static str],
    columns: &'static [&'static str],
}

/// Of the leaderboard of predictors. A place moves with those of others and with `--sort`: by itself it is no change of a fit.
pub const PREDICTORS: Watched = Watched {
    key: &["metric", "dataset", "task", "protocol", "pool", "score"],
    columns: &["verdict", "reversed", "gain_verdict", "spearman", "gain", "p_value"],
};
/// Of the leaderboard of models.
pub const MODELS: Watched = Watched {
    key: &["dataset", "task", "protocol", "split_digest", "score", "kind", "label"],
    columns: &["rank", "value", "tied_with_best"],
};

/// Largest relative difference of numbers that count as the same: they go through decimal text.
const SAME: f64 = 1e-12;

/// A longer file is not read.
const LARGEST: u64 = 256 << 20;

/// The rows of an earlier `--json` output about a suite. Whether files of earlier versions, which do not say it, are of the suite cannot be
/// told, and is noted.
///
/// # Errors
/// [`CliError::Usage`]: the file is not one, is longer than [`LARGEST`] bytes, or is of another suite; [`CliError::File`]: it cannot be read.
pub fn read(file: &Path, schema: &str, suite: &str, console: Console) -> Result<Vec<Value>, CliError> {
    let refused = |what: String| CliError::Usage {
        message: format!("{}: {what}", file.display()),
        hint: format!("--since takes what `clmbench {} --json` printed", schema.replacen('-', " ", 1)),
    };
    let mut text = Vec::new();
    let opened = File::open(file).map_err(|error| CliError::file(file, error))?;
    opened.take(LARGEST + 1).read_to_end(&mut text).map_err(|error| CliError::file(file, error))?;
    if text.len() as u64 > LARGEST {
        return Err(refused(format!("longer than {LARGEST} bytes")));
    }
    let mut whole: Value = serde_json::from_slice(&text).map_err(|error| refused(format!("not JSON ({error})")))?;
    let found = whole["schema"].as_str().unwrap_or("none").to_owned();
    if !found.starts_with(&format!("clmbench/{schema}/")) {
        return Err(refused(format!("its schema is {found}, not clmbench/{schema}")));
    }
    let Value::Array(rows) = whole["rows"].take() else { return Err(refused("it has no rows".to_owned())) };
    let suites: BTreeSet<Option<&str>> = rows.iter().map(|row| row["suite"].as_str()).collect();
    if let Some(other) = suites.iter().flatten().find(|other| **other != suite) {
        return Err(CliError::Usage {
            message: format!("{} is a board of suite {other}, and this is one of suite {suite}", file.display()),
            hint: format!("compare boards of one suite: `--suite {other}`, or a file of {suite}"),
        });
    }
    if suites.contains(&None) {
        console.note(&format!("{} does not say of which suite it is, taken as of {suite}", file.display()));
    }
    Ok(rows)
}

/// Says of every row that is new or another what changed (`changed`), and notes how many of those that were asked for are gone.
pub fn mark(rows: &mut [Value], earlier: &[Value], watched: &Watched, is_asked_for: impl Fn(&Value) -> bool, console: Console) {
    let mut before: BTreeMap<Vec<String>, &Value> = earlier.iter().map(|row| (watched.key(row), row)).collect();
    for row in rows {
        let said = match before.remove(&watched.key(row)) {
            None => Some("new".to_owned()),
            Some(old) => watched.differences(old, row),
        };
        if let (Some(said), Some(object)) = (said, row.as_object_mut()) {
            object.insert("changed".to_owned(), Value::String(said));
        }
    }
    before.retain(|_, row| is_asked_for(row));
    if !before.is_empty() {
        let names: Vec<String> = before.keys().take(3).map(|key| key[..4].join(" ")).collect();
        let more = if before.len() > 3 { format!(" and {} more", before.len() - 3) } else { String::new() };
        console.note(&format!("gone since then: {}{more}", names.join("; ")));
    }
}

/// Whether any row is new, gone or another.
pub fn any(rows: &[Value], earlier: &[Value], watched: &Watched) -> bool {
    let before: BTreeMap<Vec<String>, &Value> = earlier.iter().map(|row| (watched.key(row), row)).collect();
    let same = |row: &Value| before.get(&watched.key(row)).is_some_and(|old| watched.differences(old, row).is_none());
    rows.len() != earlier.len() || !rows.iter().all(same)
}

impl Watched {
    fn key(&self, row: &Value) -> Vec<String> {
        self.key.iter().map(|name| row[*name].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// `verdict cannot_tell -> predicts; gain 0.100 -> 0.200`; none if nothing changed.
    fn differences(&self, old: &Value, new: &Value) -> Option<String> {
        let differ = |name: &&&str| {
            let (old, new) = (&old[**name], &new[**name]);
            match (old.as_f64(), new.as_f64()) {
                (Some(old), Some(new)) => (old - new).abs() > SAME * old.abs().max(new.abs()),
                _ => old != new,
            }
        };
        let found: Vec<String> = self
            .columns
            .iter()
            .filter(differ)
            .map(|name| format!("{name} {} -> {}", shown(&old[*name]), shown(&new[*name])))
            .collect();
        (!found.is_empty()).then(|| found.join("; "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn row(metric: &str, rank: u32, verdict: &str, spearman: Value) -> Value {
        json!({"metric": metric, "dataset": "d", "task": "t", "protocol": "probe", "pool": "p", "score": "rmse",
               "rank": rank, "verdict": verdict, "spearman": spearman, "n": rank})
    }

    fn console() -> Console {
        Console { quiet: true, style: clmbench_report::Style::new(80), live: false }
    }

    #[test]
    fn verdict_and_value_count_and_nothing_else() {
        let earlier = [
            row("a", 1, "predicts", json!(0.1 + 0.2)),
            row("b", 2, "cannot_tell", json!(0.5)),
            row("gone", 3, "cannot_tell", json!(0.1)),
        ];
        let mut rows =
            [row("a", 1, "predicts", json!(0.3)), row("b", 3, "predicts", json!(null)), row("new", 2, "refused", json!(null))];
        rows[0]["n"] = json!(99);
        assert!(any(&rows, &earlier, &PREDICTORS) && !any(&earlier, &earlier, &PREDICTORS));
        mark(&mut rows, &earlier, &PREDICTORS, |_| true, console());
        let said: Vec<Option<&str>> = rows.iter().map(|row| row.get("changed").and_then(Value::as_str)).collect();
        assert_eq!(said, [None, Some("verdict cannot_tell -> predicts; spearman 0.500 -> –"), Some("new")]);
    }

    #[test]
    fn other_files_are_refused_by_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("board.json");
        let said = |text: &str| {
            std::fs::write(&file, text).unwrap();
            match read(&file, "leaderboard-predictors", "demo", console()).unwrap_err() {
                CliError::Usage { message, hint } => format!("{message} / {hint}"),
                other => other.to_string(),
            }
        };
        assert!(said("{").contains("not JSON"));
        let other = said(r#"{"schema": "clmbench/leaderboard-models/2", "rows": []}"#);
        assert!(other.contains("leaderboard-models/2") && other.contains("`clmbench leaderboard predictors --json`"), "{other}");
        assert!(said(r#"{"schema": "clmbench/leaderboard-predictors/1"}"#).contains("no rows"));
        std::fs::write(&file, r#"{"schema": "clmbench/leaderboard-predictors/1", "rows": [{}]}"#).unwrap();
        assert_eq!(read(&file, "leaderboard-predictors", "demo", console()).unwrap().len(), 1, "of an earlier version");
        let other = said(r#"{"schema": "clmbench/leaderboard-predictors/1", "rows": [{"suite": "scaling"}]}"#);
        assert!(
            other.contains("is a board of suite scaling, and this is one of suite demo") && other.contains("`--suite scaling`"),
            "{other}"
        );
        File::create(&file).unwrap().set_len(LARGEST + 1).unwrap();
        let long = read(&file, "leaderboard-predictors", "demo", console()).unwrap_err();
        assert!(matches!(long, CliError::Usage { message, .. } if message.ends_with("longer than 268435456 bytes")));
        assert!(matches!(read(&folder.path().join("none"), "x", "demo", console()), Err(CliError::File { .. })));
    }
}
