//! `baseline`: what candidates are compared with, frozen in the store or in a file.

mod judgements;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clmbench_analysis::gate::{
    BASELINE_SCHEMA, GateBaseline, LeftOut, MarginSource, SuiteRecord, choose, freeze, margins, one_model as same_model,
};
use clmbench_report::table_in;
use clmbench_runner::nearest::nearest;
use clmbench_store::{GateBaselineRow, RunRow, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    arguments::{Baseline, Global, ListBaselines, RemoveBaseline, SaveBaseline, ShowBaseline},
    console::{Console, one_line},
    error::CliError,
    units::counted,
};

/// Name and version of the JSON form of a file.
const FILE_SCHEMA: &str = "clmbench/gate-baseline-file/1";
/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// `baseline ...`.
///
/// # Errors
/// Whatever the command says.
pub fn run(of: &Baseline, global: &Global, console: Console) -> Result<(), CliError> {
    match of {
        Baseline::Save(arguments) => save(arguments, global, console),
        Baseline::List(arguments) => list(arguments, global, console),
        Baseline::Judgements(arguments) => judgements::run(arguments, global, console),
        Baseline::Show(arguments) => show(arguments, global, console),
        Baseline::Remove(arguments) => remove(arguments, global, console),
    }
}

/// A gate baseline with its name and digest.
pub struct Named {
    /// Name.
    pub name: String,
    /// When it was stored.
    pub created: String,
    /// BLAKE3 of the content.
    pub digest: String,
    /// What it holds.
    pub content: GateBaseline,
}

/// A file that holds a gate baseline.
#[derive(Debug, Serialize, Deserialize)]
struct InFile {
    schema: String,
    name: String,
    created: String,
    digest: String,
    content: GateBaseline,
}

impl Named {
    /// The one of this file, if there is one; else that of the store.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a name that neither knows, with the nearest, and for a file that is none or was changed; [`CliError::File`],
    /// [`CliError::Store`].
    pub fn find(text: &str, global: &Global) -> Result<Self, CliError> {
        let path = Path::new(text);
        if path.is_file() {
            return Self::read(path);
        }
        let looks_like_a_file = text.contains('/') || text.ends_with(".json");
        let store = match Store::open_reader(&global.store) {
            Ok(store) => store,
            Err(StoreError::Missing { .. } | StoreError::Older { .. }) => return Err(unknown(text, &[], looks_like_a_file)),
            Err(error) => return Err(error.into()),
        };
        match store.gate_baseline(text) {
            Ok(row) => Self::of(row),
            Err(StoreError::UnknownBaseline { .. }) => {
                let known: Vec<String> = store.gate_baselines()?.into_iter().map(|row| row.name).collect();
                Err(unknown(text, &known, looks_like_a_file))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A stored one.
    ///
    /// # Errors
    /// [`CliError::Usage`] for the form of another version.
    pub fn of(row: GateBaselineRow) -> Result<Self, CliError> {
        let content = serde_json::from_str(&row.content_json).map_err(|error| unreadable(&row.name, &error))?;
        Ok(Self { name: row.name, created: row.created, digest: row.digest, content }).and_then(Self::checked)
    }

    fn read(path: &Path) -> Result<Self, CliError> {
        let shown = one_line(&path.display().to_string(), 300);
        let file = |error| CliError::file(path, error);
        if fs::metadata(path).map_err(file)?.len() > LARGEST {
            return Err(refuse(format!("{shown} is no gate baseline: it is larger than 1 GiB"), SAVED_BY));
        }
        let text = fs::read_to_string(path).map_err(file)?;
        let found: InFile = serde_json::from_str(&text).map_err(|error| unreadable(&shown, &error))?;
        if found.schema != FILE_SCHEMA {
            let message = format!("{shown} is of the form `{}`, not {FILE_SCHEMA}", one_line(&found.schema, 80));
            return Err(refuse(message, SAVED_BY));
        }
        if digest(&found.content)? != found.digest {
            let message = format!("{shown} is not as it was saved: its content has another digest");
            return Err(refuse(message, "copy it again, or save it anew with `clmbench baseline save NAME --out FILE`"));
        }
        let InFile { name, created, digest, content, .. } = found;
        Self { name, created, digest, content }.checked()
    }

    fn checked(self) -> Result<Self, CliError> {
        if self.content.schema == BASELINE_SCHEMA && self.content.margins.len() == self.content.side.tasks.len() {
            return Ok(self);
        }
        let message = format!(
            "gate baseline {} is of the form `{}`, not {BASELINE_SCHEMA}",
            one_line(&self.name, 100),
            one_line(&self.content.schema, 80)
        );
        Err(refuse(message, SAVED_BY))
    }
}

const SAVED_BY: &str = "`clmbench baseline save NAME --out FILE` of this version writes one";

fn refuse(message: String, hint: &str) -> CliError {
    CliError::Usage { message, hint: hint.to_owned() }
}

fn unreadable(what: &str, error: &serde_json::Error) -> CliError {
    refuse(format!("{} is no gate baseline: {}", one_line(what, 300), one_line(&error.to_string(), 200)), SAVED_BY)
}

fn unknown(text: &str, known: &[String], looks_like_a_file: bool) -> CliError {
    let shown = one_line(text, 200);
    let near = nearest(text, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? "));
    let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    let what =
        if looks_like_a_file { "file, and the store has no gate baseline of that name" } else { "gate baseline in the store" };
    CliError::Usage {
        message: format!("there is no such {what}: `{shown}`"),
        hint: format!("{}{known}; `clmbench baseline save NAME` stores one", near.unwrap_or_default()),
    }
}

/// BLAKE3 of a content as it is written (object keys sorted).
fn digest(content: &GateBaseline) -> Result<String, CliError> {
    Ok(blake3::hash(written(content)?.as_bytes()).to_hex().to_string())
}

fn written(content: &GateBaseline) -> Result<String, CliError> {
    serde_json::to_string(content).map_err(|error| CliError::Output(error.into()))
}

/// The row of `baseline save --json` and `baseline list --json`.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    created: String,
    digest: String,
    suite: String,
    runs: Vec<String>,
    tasks: usize,
    bytes: usize,
}

impl Row {
    fn of(named: &Named, bytes: usize) -> Self {
        Self {
            name: named.name.clone(),
            created: named.created.clone(),
            digest: named.digest.clone(),
            suite: named.content.suite.name.clone(),
            runs: named.content.side.runs.iter().map(|run| run.label.clone()).collect(),
            tasks: named.content.side.tasks.len(),
            bytes,
        }
    }
}

fn save(arguments: &SaveBaseline, global: &Global, console: Console) -> Result<(), CliError> {
    // Everything else is said before the store is held.
    Store::open_reader(&global.store)?;
    let mut store = Store::open_writer(&global.store)?;
    let suite = store.suite(arguments.suite.as_deref())?;
    let runs = store.runs(suite.id)?;
    let chosen = one_model(&runs, &arguments.model, &suite.name)?;
    let (side, left_out) = freeze(&store, suite.id, &chosen)?;
    if let Err(reason) = same_model(&side.runs) {
        let message = format!("these runs are not pretraining seeds of one model: {}", one_line(&reason, 300));
        return Err(refuse(message, "name one checkpoint of each seed with --model, or a single run"));
    }
    if side.tasks.is_empty() {
        let why = left_out.first().map(|left| format!(": {}", said(left))).unwrap_or_default();
        let message = format!("suite {} has no finished scores of these runs{}", suite.name, one_line(&why, 300));
        return Err(refuse(message, "`clmbench run SUITE` computes them"));
    }
    let margins = margins(&side.tasks, &arguments.margin, &suite.margins()?)
        .map_err(|error| refuse(error.to_string(), "see `clmbench baseline save --help`"))?;
    let content = GateBaseline {
        schema: BASELINE_SCHEMA.to_owned(),
        generated_by: clmbench_analysis::GENERATED_BY.to_owned(),
        suite: SuiteRecord { name: suite.name, digest: suite.digest, toml: suite.toml },
        margins,
        side,
    };
    let row = store.put_gate_baseline(&arguments.name, &written(&content)?, arguments.replace)?;
    let bytes = row.content_json.len();
    let named = Named::of(row)?;
    if let Some(path) = &arguments.out {
        write(path, &named)?;
    }
    for left in &left_out {
        console.note(&format!("left out  {}", one_line(&said(left), 300)));
    }
    if arguments.json.json {
        return console.json("baseline-save", &[Row::of(&named, bytes)]);
    }
    let side = &named.content.side;
    let out = arguments.out.as_ref().map(|path| format!(", also in {}", one_line(&path.display().to_string(), 300)));
    console.print(&format!(
        "gate baseline {}: {} of {} in suite {}, frozen{}",
        named.name,
        counted(side.tasks.len(), "task"),
        counted(side.runs.len(), "run"),
        named.content.suite.name,
        out.unwrap_or_default()
    ))
}

fn said(left: &LeftOut) -> String {
    format!("{} {} ({}): {}", left.dataset, left.task, left.protocol, left.reason)
}

fn write(path: &Path, named: &Named) -> Result<(), CliError> {
    let file = InFile {
        schema: FILE_SCHEMA.to_owned(),
        name: named.name.clone(),
        created: named.created.clone(),
        digest: named.digest.clone(),
        content: named.content.clone(),
    };
    let text = serde_json::to_string(&file).map_err(|error| CliError::Output(error.into()))?;
    replace(path, &text)
}

/// Writes a file beside its place and gives it its name, so that a reader finds the old or the new one.
///
/// # Errors
/// [`CliError::File`].
pub fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".partial-{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let done = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    done.map_err(|error| {
        let _ = fs::remove_file(&beside);
        CliError::file(path, error)
    })
}

/// The runs of one model: those that the labels name, or all if the suite has one model.
///
/// # Errors
/// [`CliError::Usage`] for an unknown label, and for runs that differ by more than the pretraining seed.
fn one_model<'a>(runs: &'a [RunRow], labels: &[String], suite: &str) -> Result<Vec<&'a RunRow>, CliError> {
    let chosen = choose(runs, labels).map_err(|(label, known)| {
        let near = nearest(&label, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? "));
        CliError::Usage {
            message: format!("suite {suite} has no run called `{}`", one_line(&label, 200)),
            hint: format!("{}it has {}", near.unwrap_or_default(), some(&known)),
        }
    })?;
    let Some(first) = chosen.first() else {
        let hint = "a gate baseline is of runs, or of checkpoints of others, that were transferred";
        return Err(refuse(format!("suite {suite} has no runs"), hint));
    };
    // Of checkpoints of others nothing is known that would contradict who names them together.
    let alike =
        |run: &&RunRow| run.configuration == first.configuration || (run.imported && first.imported && !labels.is_empty());
    if !chosen.iter().all(alike) {
        let names: Vec<String> = chosen.iter().map(|run| run.label.clone()).collect();
        return Err(CliError::Usage {
            message: "a gate baseline is of one model, and these runs differ by more than the pretraining seed".to_owned(),
            hint: format!("choose with --model among {}", some(&names)),
        });
    }
    Ok(chosen)
}

fn some(names: &[String]) -> String {
    const MOST: usize = 8;
    match names {
        [] => "none".to_owned(),
        names if names.len() <= MOST => names.join(", "),
        names => format!("{} and {} more", names[..MOST].join(", "), names.len() - MOST),
    }
}

fn list(arguments: &ListBaselines, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let mut rows = Vec::new();
    for row in store.gate_baselines()? {
        let bytes = row.content_json.len();
        rows.push(Row::of(&Named::of(row)?, bytes));
    }
    if arguments.json.json {
        return console.json("baseline-list", &rows);
    }
    if rows.is_empty() {
        console.note("the store has no gate baselines: `clmbench baseline save NAME` freezes one");
        return Ok(());
    }
    let cells = rows.iter().map(|row| {
        let runs = row.runs.first().map_or_else(String::new, |first| match row.runs.len() {
            1 => first.clone(),
            count => format!("{first} and {} more", count - 1),
        });
        vec![row.name.clone(), row.suite.clone(), runs, row.tasks.to_string(), row.created.clone()]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    console.print(&table_in(&["name", "suite", "of", "tasks", "saved"], &cells, console.style))
}

/// The row of `baseline show --json`: a task.
#[derive(Debug, Serialize)]
struct TaskRow {
    dataset: String,
    task: String,
    protocol: String,
    score: String,
    unit: String,
    value: f64,
    margin: f64,
    margin_from: String,
    /// `option`, `suite` or `default`.
    margin_source: MarginSource,
    n_test: usize,
    runs: usize,
    transfer_seeds: usize,
    split_digest: String,
    content_digest: String,
}

fn show(arguments: &ShowBaseline, global: &Global, console: Console) -> Result<(), CliError> {
    let named = Named::find(&arguments.name, global)?;
    let side = &named.content.side;
    let rows: Vec<TaskRow> = side
        .tasks
        .iter()
        .zip(&named.content.margins)
        .map(|(task, margin)| {
            let of_run = |seeds: &Vec<clmbench_analysis::gate::SeedRecord>| {
                seeds.iter().map(|seed| seed.score.0).sum::<f64>() / seeds.len() as f64
            };
            TaskRow {
                dataset: task.dataset.clone(),
                task: task.task.clone(),
                protocol: task.protocol.clone(),
                score: task.score.clone(),
                unit: task.unit.clone(),
                value: task.runs.iter().map(of_run).sum::<f64>() / task.runs.len() as f64,
                margin: margin.value,
                margin_from: margin.from.clone(),
                margin_source: margin.source(),
                n_test: task.rows.len(),
                runs: task.runs.len(),
                transfer_seeds: task.runs.iter().map(Vec::len).min().unwrap_or(0),
                split_digest: task.split_digest.clone(),
                content_digest: task.content_digest.clone(),
            }
        })
        .collect();
    if arguments.json.json {
        return console.json("baseline-show", &rows);
    }
    let runs: Vec<String> = side.runs.iter().map(|run| run.label.clone()).collect();
    let mut text = format!(
        "gate baseline {}, saved {}, digest {}\nof {} in suite {}\n",
        named.name,
        named.created,
        named.digest.chars().take(12).collect::<String>(),
        some(&runs),
        named.content.suite.name
    );
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.dataset.clone(),
                row.task.clone(),
                row.protocol.clone(),
                row.score.clone(),
                format!("{:.4}", row.value),
                format!("{:.4}", row.margin),
                row.margin_source.word().to_owned(),
                row.n_test.to_string(),
                row.transfer_seeds.to_string(),
            ]
        })
        .collect();
    let headers = ["dataset", "task", "protocol", "score", "value", "margin", "from", "tested", "seeds"];
    text.push_str(&table_in(&headers, &cells, console.style));
    let mut written: Vec<&str> =
        rows.iter().filter(|row| row.margin_source != MarginSource::Default).map(|row| row.margin_from.as_str()).collect();
    written.sort_unstable();
    written.dedup();
    if !written.is_empty() {
        text.push_str(&super::wrapped("margins", &written.join(", "), console.style.width));
        text.push('\n');
    }
    let mut metrics: Vec<&str> = side.metrics.iter().map(|metric| metric.metric.as_str()).collect();
    metrics.dedup();
    if !metrics.is_empty() {
        text.push_str(&super::wrapped("metrics", &metrics.join(", "), console.style.width));
        text.push('\n');
    }
    console.print(&text)
}

fn remove(arguments: &RemoveBaseline, global: &Global, console: Console) -> Result<(), CliError> {
    // A name that is not there is told with the nearest.
    let reader = Store::open_reader(&global.store)?;
    let known: Vec<String> = reader.gate_baselines()?.into_iter().map(|row| row.name).collect();
    if !known.contains(&arguments.name) {
        return Err(unknown(&arguments.name, &known, false));
    }
    drop(reader);
    Store::open_writer(&global.store)?.remove_gate_baseline(&arguments.name)?;
    console.print(&format!("gate baseline {} is removed", arguments.name))
}
