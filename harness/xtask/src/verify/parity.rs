//! Hidden states, logits and gradients beside the `transformers` package, in both directions: folders that it saved through our import,
//! and checkpoints of ours, exported, opened by it (`benchmarks/perf/peers/parity.py`).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, environment},
    cargo::{self, run, run_cargo},
    error::XtaskError,
    plugins,
};

mod table;

use table::Row;

/// Relative difference allowed.
const ALLOWED: f64 = 1e-5;
/// Tokens of the checkpoints that are exported.
const TOKENS: u64 = 20_000;

/// Arguments of `verify parity`.
#[derive(Debug, Args)]
pub struct ParityArguments {
    /// A Python with torch and transformers (benchmarks/perf/peers/README.md).
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    peer: PathBuf,
    /// Only this architecture; its table is not written.
    #[arg(long, value_name = "NAME", conflicts_with = "write")]
    only: Option<String>,
    /// Also write the tables to benchmarks/PARITY.md.
    #[arg(long)]
    write: bool,
}

/// What the script says of a case.
#[derive(Debug, Clone, Deserialize)]
struct Case {
    /// File of tensors.
    case: PathBuf,
    /// Name of the folder, such as `bert-wide`.
    name: String,
    /// Architecture, where the script chose it.
    #[serde(default)]
    family: String,
    /// What is particular about the folder.
    #[serde(default)]
    said: String,
    /// Tokens of each sequence.
    lengths: Vec<u64>,
    /// Differences of the peer's own float32 from its float64: hidden states, logits, gradients.
    error: [f64; 3],
    /// The folder.
    #[serde(default)]
    folder: PathBuf,
    /// Class that opened an exported folder.
    #[serde(default)]
    opened_by: String,
}

/// What the example says of a case in one attention mode.
#[derive(Debug, Deserialize)]
struct Line {
    case: PathBuf,
    differences: Differences,
}

#[derive(Debug, Clone, Deserialize)]
struct Differences {
    hidden: Option<f64>,
    head: Option<Head>,
}

#[derive(Debug, Clone, Deserialize)]
struct Head {
    logits: Option<f64>,
    loss: Option<f64>,
    gradient: Option<f64>,
    furthest: String,
}

/// An installed architecture.
struct Installed {
    plugin: String,
    library: PathBuf,
    info: Value,
}

/// Compares in both directions.
pub fn run_parity(arguments: &ParityArguments) -> Result<(), XtaskError> {
    let bench = Bench::new("verify-parity", false)?;
    run_cargo(&bench.checkout, &["build", "--release", "--locked", "-p", "clmbench-engine", "--example", "parity"])?;
    let release = cargo::metadata(&bench.checkout, false)?.target_directory.join("release");
    let mut installed = architectures(&release)?;
    if let Some(only) = &arguments.only {
        installed.retain(|name, _| name == only);
    }
    if installed.is_empty() {
        return Err(XtaskError::Check("no architecture to compare is installed; `cargo xtask build` installs them".into()));
    }
    let folder = bench.store("references");
    let script = Script { python: &arguments.peer, path: bench.checkout.join("benchmarks/perf/peers/parity.py") };
    let folder_text = folder.to_string_lossy().into_owned();
    let cases = script.cases(&["folders", &folder_text])?;
    if let Some(case) = cases.iter().find(|case| arguments.only.is_none() && !installed.contains_key(&case.family)) {
        return Err(XtaskError::Check(format!("`{}` is not installed; `cargo xtask build` installs it", case.family)));
    }
    let cases: Vec<Case> = cases.into_iter().filter(|case| installed.contains_key(&case.family)).collect();
    let imported = compare(&bench, &release, "imported", &cases, &installed, true)?;
    let own = exported(&bench, &release, &script, &folder_text, &installed)?;
    let versions = script.words(&["versions"])?;
    let text = format!(
        "# Parity\n\nMade by `cargo xtask verify parity --peer PYTHON --write` on {}; {}.\n\n{}",
        environment(&bench.checkout),
        versions.trim(),
        table::page(&imported, &own)
    );
    println!("\n{text}");
    for (name, rows) in installed.keys().flat_map(|name| [(name, &imported), (name, &own)]) {
        if rows.iter().all(|row| row.case.family != *name) {
            return Err(XtaskError::Check(format!("`{name}` was not compared in both directions")));
        }
    }
    let broken: Vec<String> = imported.iter().chain(&own).filter(|row| !row.agrees()).map(Row::name).collect();
    if !broken.is_empty() {
        return Err(XtaskError::Check(format!("beyond {ALLOWED:.0e} or missing: {}", broken.join(", "))));
    }
    if arguments.write {
        let path = bench.checkout.join("benchmarks/PARITY.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

/// The installed architectures by name.
fn architectures(release: &Path) -> Result<BTreeMap<String, Installed>, XtaskError> {
    let mut found = BTreeMap::new();
    for library in plugins::installed(release, plugins::PLUGINS)? {
        let worker = release.join("clmbench-worker");
        let output = Command::new(&worker).arg("--describe").arg(&library).output().map_err(XtaskError::io("start", &worker))?;
        let said: Value = serde_json::from_slice(&output.stdout)?;
        if let Some(message) = said.pointer("/error/message").and_then(Value::as_str) {
            return Err(XtaskError::Check(format!("{message}; `cargo xtask build` rebuilds it")));
        }
        let plugin = said.pointer("/ok/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        for info in said.pointer("/ok/architectures").and_then(Value::as_array).into_iter().flatten() {
            let name = info["name"].as_str().unwrap_or_default().to_owned();
            if info["hub"].is_object() {
                let (plugin, library) = (plugin.clone(), library.clone());
                found.insert(name, Installed { plugin, library, info: info.clone() });
            }
        }
    }
    Ok(found)
}

/// `parity.py` and the Python that runs it.
struct Script<'a> {
    python: &'a Path,
    path: PathBuf,
}

impl Script<'_> {
    fn words(&self, words: &[&str]) -> Result<String, XtaskError> {
        let output = Command::new(self.python).arg(&self.path).args(words).stderr(Stdio::inherit()).output();
        let output = output.map_err(XtaskError::io("start", self.python))?;
        if !output.status.success() {
            let text = "parity.py failed; benchmarks/perf/peers/README.md says what it needs";
            return Err(XtaskError::Check(text.into()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn cases(&self, words: &[&str]) -> Result<Vec<Case>, XtaskError> {
        let lines = self.words(words)?;
        Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }
}

/// What our side computes on each case, imported from its folder or as a run left it.
fn compare(
    bench: &Bench,
    release: &Path,
    name: &str,
    cases: &[Case],
    installed: &BTreeMap<String, Installed>,
    import: bool,
) -> Result<Vec<Row>, XtaskError> {
    let jobs = cases.iter().filter_map(|case| {
        let Installed { plugin, library, info } = installed.get(&case.family)?;
        let job = json!({ "folder": case.folder, "import": import, "plugin": plugin, "library": library, "architecture": info,
            "case": case.case });
        Some(format!("{job}\n"))
    });
    let path = bench.store(&format!("{name}.jsonl"));
    fs::write(&path, jobs.collect::<String>()).map_err(XtaskError::io("write", &path))?;
    let program = release.join("examples/parity");
    let output = Command::new(&program).arg(&path).arg(bench.store(name)).stderr(Stdio::inherit()).output();
    let output = output.map_err(XtaskError::io("start", &program))?;
    if !output.status.success() {
        return Err(XtaskError::Check("our side of the comparison failed".into()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Line> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of = |case: &Case| lines.iter().filter(|line| line.case == case.case).map(|line| line.differences.clone()).collect();
    Ok(cases.iter().map(|case| Row { case: case.clone(), modes: of(case) }).collect())
}

/// Trains each architecture's smallest preset for a moment, exports it and lets the script open it.
fn exported(
    bench: &Bench,
    release: &Path,
    script: &Script<'_>,
    out: &str,
    installed: &BTreeMap<String, Installed>,
) -> Result<Vec<Row>, XtaskError> {
    let mut suite =
        "schema = 1\n[suite]\nname = \"parity\"\nseed = 1\n[[corpus]]\nname = \"mixed\"\nsizes = [1_000]\n".to_owned();
    for (name, Installed { info, .. }) in installed {
        let preset = info.pointer("/presets/0/name").and_then(Value::as_str).unwrap_or_default();
        suite += &format!("[[model]]\narchitecture = {name:?}\npresets = [{preset:?}]\ntokens = {TOKENS}\nbatch = 32\n");
    }
    suite += "[[metric]]\nid = \"trivial/parameters\"\n";
    bench.run("own", &suite, None)?;
    let place = bench.store("exported");
    fs::create_dir_all(&place).map_err(XtaskError::io("create", &place))?;
    let (mut folders, mut families) = (Vec::new(), BTreeMap::new());
    for cell in bench.cells("own", |key| key.starts_with("pretrain/"))? {
        if cell.status != "done" {
            return Err(XtaskError::Cell { key: cell.key, status: cell.status });
        }
        let family = cell.defined("/architecture");
        let target = place.join(&family);
        let mut command = Command::new(release.join("clmbench"));
        command.current_dir(&bench.checkout).arg("--store").arg(bench.store("own"));
        command.args(["--quiet", "model", "export", &cell.key, "--out"]).arg(&target).stdout(Stdio::null());
        run(command)?;
        folders.push(target.to_string_lossy().into_owned());
        let inside = cell.output.pointer("/checkpoints/0/folder").and_then(Value::as_str).unwrap_or("checkpoint-1");
        families.insert(family, bench.store("own").join("artifacts").join(cell.identity.unwrap_or_default()).join(inside));
    }
    let words: Vec<&str> = ["exported", out].into_iter().chain(folders.iter().map(String::as_str)).collect();
    let mut cases = script.cases(&words)?;
    for case in &mut cases {
        case.family = case.name.clone();
        case.folder = families.get(&case.family).cloned().unwrap_or_default();
    }
    compare(bench, release, "own", &cases, installed, false)
}
