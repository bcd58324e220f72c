//! Runs suites of its own through the built `clmbench`, from an empty store, and reads the cells back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    cargo::{self, run},
    error::XtaskError,
};

/// A folder below `target/bench` with suites and their stores.
#[derive(Debug)]
pub struct Bench {
    /// Root of the repository.
    pub checkout: PathBuf,
    executable: PathBuf,
    folder: PathBuf,
    go_on: bool,
}

/// A cell as `clmbench show --json` prints it.
#[derive(Debug, Clone, Deserialize)]
pub struct Cell {
    /// Its key, such as `pretrain/bert-0.83M/mixed-20000/seed0`.
    pub key: String,
    /// Its identity, once known.
    #[serde(default)]
    pub identity: Option<String>,
    /// `tokenise`, `pretrain`, `embed`, `measure` or `transfer`.
    pub stage: String,
    /// `done`, `failed`, `diverged`, ...
    pub status: String,
    /// Wall time.
    pub seconds: Option<f64>,
    /// Its definition.
    #[serde(default)]
    pub spec: Value,
    /// Its result.
    #[serde(default)]
    pub output: Value,
}

impl Cell {
    /// A number of the result by its JSON pointer, such as `/checkpoints/0/tokens`.
    pub fn number(&self, pointer: &str) -> Option<f64> {
        self.output.pointer(pointer).and_then(Value::as_f64)
    }

    /// A word or number of the definition by its JSON pointer, without quotes.
    pub fn defined(&self, pointer: &str) -> String {
        match self.spec.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "?".into(),
        }
    }

    /// Value and standard error of a metric's primary value.
    pub fn primary(&self) -> Option<(f64, f64)> {
        let values = self.output.pointer("/values")?.as_array()?;
        let primary = values.iter().find(|value| value.pointer("/primary") == Some(&Value::Bool(true)))?;
        Some((primary.pointer("/value")?.as_f64()?, primary.pointer("/std_error")?.as_f64()?))
    }
}

#[derive(Debug, Deserialize)]
struct Rows<T> {
    rows: Vec<T>,
}

impl Bench {
    /// An empty folder of this name; what an earlier run left there is removed, unless it is to be gone on with.
    pub fn new(name: &str, go_on: bool) -> Result<Self, XtaskError> {
        let checkout = cargo::checkout()?;
        let target = cargo::metadata(&checkout, false)?.target_directory;
        let folder = target.join("bench").join(name);
        if folder.exists() && !go_on {
            fs::remove_dir_all(&folder).map_err(XtaskError::io("remove", &folder))?;
        }
        fs::create_dir_all(&folder).map_err(XtaskError::io("create", &folder))?;
        Ok(Self { checkout, executable: target.join("release/clmbench"), folder, go_on })
    }

    /// Store of a suite.
    pub fn store(&self, suite: &str) -> PathBuf {
        self.folder.join(suite)
    }

    /// Runs a suite given as text; failed cells are no error here, their rows say so.
    pub fn run(&self, suite: &str, text: &str, workers: Option<u32>) -> Result<(), XtaskError> {
        let file = self.folder.join(format!("{suite}.toml"));
        fs::write(&file, text).map_err(XtaskError::io("write", &file))?;
        let mut command = self.command(suite);
        command.arg("--quiet").arg("run").arg(&file).stdout(Stdio::null());
        if self.go_on {
            // Cells of an earlier build are asked for.
            command.arg("--accept-digest");
        }
        if let Some(workers) = workers {
            command.args(["--workers", &workers.to_string()]);
        }
        match run(command) {
            Err(XtaskError::Child { code: 3, .. }) => Ok(()),
            other => other,
        }
    }

    /// Cells of a suite that `wanted` takes by key, whole, in the order of the plan.
    pub fn cells(&self, suite: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Cell>, XtaskError> {
        let all: Rows<Cell> = self.json(suite, &["status"])?;
        let chosen = all.rows.into_iter().filter(|cell| wanted(&cell.key));
        let whole = chosen.map(|cell| {
            let mut found: Rows<Cell> = self.json(suite, &["show", &cell.key])?;
            Ok(found.rows.pop().unwrap_or(cell))
        });
        whole.collect()
    }

    /// What the installed plugins offer, as `clmbench plugin list --json` prints it.
    pub fn plugins(&self) -> Result<Vec<Value>, XtaskError> {
        Ok(self.json("none", &["plugin", "list"])?.rows)
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, suite: &str, words: &[&str]) -> Result<Rows<T>, XtaskError> {
        let mut command = self.command(suite);
        let output = command.args(words).arg("--json").stderr(Stdio::inherit()).output();
        let output = output.map_err(XtaskError::io("start", &self.executable))?;
        if !output.status.success() {
            let code = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255);
            return Err(XtaskError::Child { command: format!("clmbench {}", words.join(" ")), code });
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn command(&self, suite: &str) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.checkout).arg("--store").arg(self.store(suite));
        command
    }
}

/// What a measured table was made on: processor, cores, date, revision of the code. One line of Markdown.
pub fn environment(checkout: &Path) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let has = |flag: &str| {
        cpu.lines().find(|line| line.starts_with("flags")).is_some_and(|line| line.split_whitespace().any(|word| word == flag))
    };
    let flags = [("avx512f", "AVX-512"), ("avx512_bf16", "AVX512-BF16"), ("amx_bf16", "AMX-BF16")];
    let flags: Vec<&str> = flags.iter().filter(|(flag, _)| has(flag)).map(|(_, name)| *name).collect();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let first = |words: &[&str]| {
        let output = Command::new(words[0]).args(&words[1..]).current_dir(checkout).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|text| !text.is_empty())
    };
    let date = first(&["date", "-u", "+%Y-%m-%d"]).unwrap_or_else(|| "unknown date".into());
    format!(
        "{model} ({}), {cores} cores, {date}, {}",
        if flags.is_empty() { "no AVX-512".into() } else { flags.join(", ") },
        revision(checkout)
    )
}

/// The commit of a checkout, if others can find it: one that a branch of the remote holds, with nothing changed since.
fn revision(checkout: &Path) -> String {
    let git = |words: &[&str]| {
        let output =
            Command::new("git").args(words).current_dir(checkout).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(head) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown revision".into() };
    if git(&["branch", "--remotes", "--contains", "HEAD"]).is_none_or(|branches| branches.is_empty()) {
        return "a revision that is not published".into();
    }
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => format!("revision {head}"),
        _ => format!("revision {head} with changes"),
    }
}

/// Median of some numbers; NaN for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// Rows of a Markdown table, columns as wide as their widest cell; numbers to the right.
pub fn markdown(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let right: Vec<bool> = (0..header.len())
        .map(|column| {
            let numeric = |cell: &String| cell.starts_with(|letter: char| letter.is_ascii_digit() || "-–".contains(letter));
            !rows.is_empty() && rows.iter().filter_map(|row| row.get(column)).all(numeric)
        })
        .collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let space = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            if right[column] { format!("{space}{cell}") } else { format!("{cell}{space}") }
        });
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().zip(&right).map(
        |(width, right)| {
            if *right { format!("{}:", "-".repeat(width - 1)) } else { "-".repeat(*width) }
        },
    );
    let mut text = line(header.iter().map(|name| (*name).to_owned()).collect());
    text += &line(rule.collect());
    for row in rows {
        text += &line(row.clone());
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_revision_is_named_only_where_others_can_find_it() {
        let folder = tempfile::tempdir().unwrap();
        let git = |words: &[&str]| {
            let named = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
            let output = Command::new("git").args(named).args(words).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{words:?}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        assert_eq!(revision(folder.path()), "unknown revision");
        git(&["init"]);
        fs::write(folder.path().join("a"), "1").unwrap();
        git(&["add", "a"]);
        git(&["commit", "-m", "a"]);
        assert_eq!(revision(folder.path()), "a revision that is not published");
        git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        let head = git(&["rev-parse", "--short", "HEAD"]);
        assert_eq!(revision(folder.path()), format!("revision {head}"));
        fs::write(folder.path().join("a"), "2").unwrap();
        assert_eq!(revision(folder.path()), format!("revision {head} with changes"));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_table_lines_up() {
        let text = markdown(&["model", "n"], &[vec!["a".into(), "10".into()], vec!["long one".into(), "9".into()]]);
        assert_eq!(text, "| model    |   n |\n| -------- | --: |\n| a        |  10 |\n| long one |   9 |\n");
    }

    #[test]
    fn primary_values_are_found() {
        let output = serde_json::json!({"values": [{"primary": false, "value": 1.0, "std_error": 0.5},
                                                   {"primary": true, "value": 2.0, "std_error": 0.25}]});
        let cell = Cell {
            key: "k".into(),
            identity: None,
            stage: "measure".into(),
            status: "done".into(),
            seconds: None,
            spec: Value::Null,
            output,
        };
        assert_eq!(cell.primary(), Some((2.0, 0.25)));
        assert_eq!(cell.number("/values/0/value"), Some(1.0));
    }
}
