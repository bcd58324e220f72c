//! `[[dataset]]` tables: labelled molecules of a source, or of a file of the user's, and how they are split.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use clmbench_protocol::{TaskInfo, TaskKind, split as words};
use serde_json::{Map, Value};

use super::{
    Place, SuiteError,
    parse::{LARGEST, check_name},
    reader::{Item, Section},
};
use crate::nearest::hint;

/// Keys of `[[dataset]]`.
pub(super) const KEYS: [&str; 12] =
    ["source", "names", "path", "targets", "task", "unit", "score", "params", "split", "split_seed", "split_file", "fractions"];
/// Keys of one of its `targets`.
pub(super) const TARGET_KEYS: [&str; 4] = ["column", "task", "unit", "score"];
/// Keys that only a file of the user's has.
const FILE_KEYS: [&str; 4] = ["targets", "task", "unit", "score"];
/// Longest name of a column.
const LONGEST_COLUMN: usize = 200;

const NAMES: &str = "names = [\"freesolv\"]";
const PATH: &str = "path = \"own.csv\"";
const TARGETS: &str = "targets = [\"solubility\"]";

/// A `[[dataset]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetEntry {
    /// Source, such as `moleculenet`.
    pub source: String,
    /// Names, such as `freesolv`; one for a file of the user's.
    pub names: Vec<String>,
    /// The user's file, for a source that reads one.
    pub file: Option<OwnFile>,
    /// Parameters of the source that differ from its defaults.
    pub params: Map<String, Value>,
    /// How it is split.
    pub split: SplitEntry,
    /// Where it is written.
    pub place: Place,
}

/// A file of the user's with labelled molecules.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnFile {
    /// Its path as written in the suite; relative to the suite file.
    pub written: String,
    /// Its tasks, named by their columns.
    pub tasks: Vec<TaskInfo>,
    /// Where the path is written.
    pub place: Place,
}

impl OwnFile {
    /// Its path on this machine; `suite` is the suite's own path.
    pub fn path(&self, suite: &Path) -> PathBuf {
        suite.parent().unwrap_or(Path::new("")).join(&self.written)
    }
}

/// How a suite wants a dataset split. What it leaves open follows when it is planned.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitEntry {
    /// One of [`words::ALGORITHMS`], or [`words::RECOMMENDED`].
    pub algorithm: String,
    /// Seed, if one is written.
    pub seed: Option<u64>,
    /// Shares of training and validation, if they are written.
    pub fractions: Option<(f64, f64)>,
    /// The file of a split by file.
    pub file: Option<SplitFile>,
    /// Where the split is written; the table where it is not.
    pub place: Place,
}

impl SplitEntry {
    /// Whether both say the same, wherever they are written.
    fn is_same(&self, other: &Self) -> bool {
        let written = |entry: &Self| entry.file.as_ref().map(|file| file.written.clone());
        (&self.algorithm, self.seed, self.fractions, written(self))
            == (&other.algorithm, other.seed, other.fractions, written(other))
    }
}

/// A file that says which part each row of a dataset is in.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitFile {
    /// Its path as written in the suite; relative to the suite file.
    pub written: String,
    /// Where it is written.
    pub place: Place,
}

impl SplitFile {
    /// Its path on this machine; `suite` is the suite's own path.
    pub fn path(&self, suite: &Path) -> PathBuf {
        suite.parent().unwrap_or(Path::new("")).join(&self.written)
    }
}

/// Reads a `[[dataset]]` table.
pub(super) fn dataset(section: &Section<'_>) -> Result<DatasetEntry, SuiteError> {
    let source = section.string("source", "moleculenet")?.ok_or_else(|| section.missing("source", "source = \"moleculenet\""))?;
    let file = own_file(section)?;
    Ok(DatasetEntry {
        source,
        names: names(section, file.as_ref())?,
        file,
        params: section.values("params", "params = { smiles = \"SMILES\" }")?.unwrap_or_default(),
        split: split(section)?,
        place: section.place.clone(),
    })
}

/// Refuses a dataset that is named twice.
pub(super) fn different(datasets: &[DatasetEntry]) -> Result<(), SuiteError> {
    let mut seen: HashMap<String, &DatasetEntry> = HashMap::new();
    for entry in datasets {
        for name in &entry.names {
            let name = format!("{}/{name}", entry.source);
            if let Some(first) = seen.get(&name) {
                let (place, line) = (entry.place.clone(), first.place.line);
                return Err(match (entry.split.is_same(&first.split), entry.file.is_some()) {
                    (true, _) => SuiteError::Duplicate { place, first: line, what: format!("dataset `{name}`") },
                    (false, true) => {
                        SuiteError::SecondSplit { place, first: line, name, next: "give the second another name with `names`" }
                    }
                    (false, false) => {
                        let next = "write a second suite for the other; both keep their results in one store";
                        SuiteError::SecondSplit { place, first: line, name, next }
                    }
                });
            }
            seen.insert(name, entry);
        }
    }
    Ok(())
}

fn names(section: &Section<'_>, file: Option<&OwnFile>) -> Result<Vec<String>, SuiteError> {
    let names = section.strings("names", NAMES)?;
    let Some(file) = file else {
        return names.ok_or_else(|| section.missing("names", &format!("{NAMES}` or, for a file of your own, `{PATH}")));
    };
    let name = match names.as_deref() {
        None => stem(&file.written).ok_or_else(|| section.missing("names", "names = [\"own\"]"))?,
        Some([name]) => name.clone(),
        Some(_) => {
            return Err(section.value_error("names", "a file is one dataset: write one name, and one table for each file."));
        }
    };
    check_name(section, "names", &name)?;
    Ok(vec![name])
}

/// Name of a file without its endings, if it may be the name of a dataset.
fn stem(written: &str) -> Option<String> {
    let name = Path::new(written).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let fits = !stem.is_empty() && stem.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    fits.then(|| stem.to_owned())
}

fn own_file(section: &Section<'_>) -> Result<Option<OwnFile>, SuiteError> {
    let Some(written) = section.string("path", "own.csv")? else {
        return match FILE_KEYS.into_iter().find(|key| section.has(key)) {
            Some(key) => {
                Err(section.value_error(key, format!("belongs to a file of your own; name it with `{PATH}`, or remove the key.")))
            }
            None => Ok(None),
        };
    };
    Ok(Some(OwnFile { written, tasks: tasks(section)?, place: section.place_of("path") }))
}

fn tasks(section: &Section<'_>) -> Result<Vec<TaskInfo>, SuiteError> {
    let items = section.items("targets", &TARGET_KEYS, TARGETS)?;
    if items.is_empty() {
        return Err(section.missing("targets", TARGETS));
    }
    let (usual, shared_unit) = (kind(section)?, section.string("unit", "mol/L")?);
    let mut tasks: Vec<TaskInfo> = Vec::new();
    for item in &items {
        let table = match item {
            Item::Table(table) => Some(table),
            Item::Text(_) => None,
        };
        let column = match item {
            Item::Text(text) => text.clone(),
            Item::Table(table) => {
                table.string("column", "solubility")?.ok_or_else(|| table.missing("column", "column = \"solubility\""))?
            }
        };
        let column = checked_column(section, item, column.trim())?;
        if tasks.iter().any(|earlier| earlier.name == column) {
            return Err(section.value_error("targets", format!("`{column}` is written twice; remove one.")));
        }
        let own_kind = table.map(kind).transpose()?.flatten();
        let kind =
            own_kind.or(usual).ok_or_else(|| section.missing("task", "task = \"regression\"` or `task = \"classification\""))?;
        let own_unit = table.map(|table| table.string("unit", "mol/L")).transpose()?.flatten();
        if let (Some(table), Some(_), TaskKind::Classification) = (table, &own_unit, kind) {
            return Err(table.value_error("unit", "classes have no unit; remove the key, or write `task = \"regression\"`."));
        }
        let unit = own_unit.or_else(|| shared_unit.clone()).filter(|_| kind == TaskKind::Regression).unwrap_or_default();
        let score = match table {
            Some(table) if table.has("score") => score(table, kind, &column)?,
            _ => score(section, kind, &column)?,
        };
        tasks.push(TaskInfo { name: column, kind, unit, score });
    }
    if shared_unit.is_some() && tasks.iter().all(|task| task.kind == TaskKind::Classification) {
        return Err(section.value_error("unit", "classes have no unit; remove the key, or write `task = \"regression\"`."));
    }
    Ok(tasks)
}

fn checked_column(section: &Section<'_>, item: &Item<'_>, column: &str) -> Result<String, SuiteError> {
    let message = if column.is_empty() {
        format!("the name of a column is empty; write, for example, `{TARGETS}`.")
    } else if column.chars().count() > LONGEST_COLUMN || column.chars().any(char::is_control) {
        format!(
            "`{}` is no name of a column: it has control characters, or over {LONGEST_COLUMN} letters.",
            column.escape_debug()
        )
    } else {
        return Ok(column.to_owned());
    };
    Err(match item {
        Item::Table(table) => table.value_error("column", message),
        Item::Text(_) => section.value_error("targets", message),
    })
}

fn kind(section: &Section<'_>) -> Result<Option<TaskKind>, SuiteError> {
    match section.string("task", "regression")?.as_deref() {
        None => Ok(None),
        Some("regression") => Ok(Some(TaskKind::Regression)),
        Some("classification") => Ok(Some(TaskKind::Classification)),
        Some(other) => {
            let known = hint(other, &["regression", "classification"]);
            Err(section.value_error("task", format!("`{}` is no kind of task.{known}", other.escape_debug())))
        }
    }
}

/// The score that a table names for a task of this kind, or the usual one.
fn score(section: &Section<'_>, kind: TaskKind, column: &str) -> Result<String, SuiteError> {
    let known = kind.scores();
    let Some(word) = section.string("score", known[0])? else { return Ok(known[0].to_owned()) };
    if known.contains(&word.as_str()) {
        return Ok(word);
    }
    let all: Vec<String> = known.iter().map(|score| format!("`{score}`")).collect();
    let message =
        format!("`{}` is no score of `{column}`, which is a {} task: {}.", word.escape_debug(), kind.word(), all.join(", "));
    Err(section.value_error("score", message))
}

fn split(section: &Section<'_>) -> Result<SplitEntry, SuiteError> {
    let file = section.string("split_file", "own_split.csv")?;
    let usual = if file.is_some() { words::FILE } else { words::SCAFFOLD };
    let algorithm = section.string("split", words::SCAFFOLD)?.unwrap_or_else(|| usual.into());
    let known: Vec<&str> = words::ALGORITHMS.into_iter().chain([words::RECOMMENDED]).collect();
    if !known.contains(&algorithm.as_str()) {
        let known = hint(&algorithm, &known);
        return Err(section.value_error("split", format!("`{}` is not a split.{known}", algorithm.escape_debug())));
    }
    if algorithm == words::FILE && file.is_none() {
        return Err(section.missing("split_file", "split_file = \"own_split.csv\""));
    }
    if file.is_some() && algorithm != words::FILE {
        let message = format!("is read only under `split = \"file\"`, but the split is `{algorithm}`. Remove one of the two.");
        return Err(section.value_error("split_file", message));
    }
    let seed = section.integer("split_seed", 0, LARGEST, "0")?;
    if seed.is_some() && !words::takes_seed(&algorithm) && algorithm != words::RECOMMENDED {
        let message = format!("the split `{algorithm}` has no seed, it is always the same. Remove the key.");
        return Err(section.value_error("split_seed", message));
    }
    let fractions = fractions(section)?;
    if fractions.is_some() && algorithm == words::FILE {
        return Err(section.value_error("fractions", "a split by file says itself which part each row is in. Remove the key."));
    }
    let file = file.map(|written| SplitFile { written, place: section.place_of("split_file") });
    Ok(SplitEntry { algorithm, seed, fractions, file, place: section.place_of("split") })
}

/// Shares for training and validation.
fn fractions(section: &Section<'_>) -> Result<Option<(f64, f64)>, SuiteError> {
    let Some(numbers) = section.numbers("fractions", "fractions = [0.8, 0.1, 0.1]")? else { return Ok(None) };
    let wrong = |message: String| Err(section.value_error("fractions", message));
    let Ok(three) = <[f64; 3]>::try_from(numbers.as_slice()) else {
        return wrong(format!("{} numbers are written; three are wanted, for training, validation and testing.", numbers.len()));
    };
    if let Some(share) = three.iter().find(|share| **share <= 0.0 || **share >= 1.0) {
        return wrong(format!("{share} is not between 0 and 1; no part may be empty."));
    }
    let sum: f64 = three.iter().sum();
    if (sum - 1.0).abs() > 1e-9 {
        return wrong(format!("{} + {} + {} is {sum}, not 1.", three[0], three[1], three[2]));
    }
    Ok(Some((three[0], three[1])))
}
