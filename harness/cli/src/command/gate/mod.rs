//! `gate`: a candidate against a gate baseline, told by the exit status.

mod candidate;
mod speed;
mod suite;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clmbench_analysis::gate::{Asked, GateReport, LeftOut, SideRecord, SpeedAsked, choose, freeze, judge};
use clmbench_protocol::{CellSpec, Failure};
use clmbench_report::{gate_junit, gate_markdown, gate_table};
use clmbench_runner::{RunSummary, Suite};
use clmbench_stats::gate::GateVerdict;
use clmbench_store::Store;

use self::{
    candidate::{Candidate, Found},
    suite::CandidateSuite,
};
use super::{
    baseline::{Named, replace},
    plan::Reader,
    run::{Computed, compute_suite, failed},
};
use crate::{
    arguments::{GateArguments, Global, Inconclusive},
    console::{Console, one_line},
    error::{CliError, Rerun},
    interrupt,
};

/// Computes what is missing of the candidate, judges, writes what was asked for, and stores the judgement.
///
/// # Errors
/// [`CliError::GateWorse`], [`CliError::GateCannotTell`]; [`CliError::CellsFailed`] where cells failed and the candidate is not worse
/// elsewhere; those of `run`; [`CliError::Usage`] for a baseline or a candidate that is none.
pub fn run(arguments: &GateArguments, global: &Global, console: Console) -> Result<(), CliError> {
    interrupt::listen();
    for path in arguments.junit.iter().chain(&arguments.markdown) {
        writable(path)?;
    }
    let baseline = Named::find(&arguments.baseline, global)?;
    let Side { mut store, side, left_out, failures } = side(&baseline, arguments, global, console)?;
    let speed = match arguments.speed {
        None => None,
        Some(share) => {
            let measured = speed::measure(&store, &baseline.content.side, &side, global, console)?;
            Some(SpeedAsked { share, measured })
        }
    };
    let asked = Asked {
        baseline: baseline.name.clone(),
        baseline_digest: baseline.digest.clone(),
        candidate: one_line(&arguments.candidate.join(", "), 300),
        metrics: arguments.metric.clone(),
        speed,
        notes: notes(&baseline, &side),
    };
    let report = judge(&baseline.content, &side, &left_out, &asked);
    let text = serde_json::to_string(&report).map_err(|error| CliError::Output(error.into()))?;
    store.put_gate_judgement(&baseline.name, &baseline.digest, &asked.candidate, report.overall.verdict.word(), &text)?;
    drop(store);
    let said = failures.as_ref().map(|failures| one_line(&failures.to_string(), 500));
    let junit = || gate_junit(&report, arguments.inconclusive == Some(Inconclusive::Fail), said.as_deref());
    let written = [
        arguments.junit.as_ref().map(|path| replace(path, &junit())),
        arguments.markdown.as_ref().map(|path| replace(path, &gate_markdown(&report))),
    ];
    if arguments.json.json {
        console.whole_json(&report)?;
    } else {
        console.print(&gate_table(&report, console.style))?;
    }
    let written: Result<Vec<()>, CliError> = written.into_iter().flatten().collect();
    match (exit(&report, arguments.inconclusive, failures), written) {
        (verdict, Ok(_)) => verdict,
        (Ok(()), Err(file)) => Err(file),
        // The verdict stays the status; the file is told of beside it.
        (Err(verdict), Err(file)) => {
            console.note(&format!("error: {file}"));
            Err(verdict)
        }
    }
}

/// That a file can be written there, before hours are spent on what it is to hold.
fn writable(path: &Path) -> Result<(), CliError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".partial-{}", std::process::id()));
    let beside = PathBuf::from(beside);
    if path.is_dir() {
        return Err(CliError::file(path, io::ErrorKind::IsADirectory.into()));
    }
    fs::write(&beside, "").and_then(|()| fs::remove_file(&beside)).map_err(|error| CliError::file(path, error))
}

fn exit(report: &GateReport, inconclusive: Option<Inconclusive>, failures: Option<CliError>) -> Result<(), CliError> {
    let overall = &report.overall;
    let reason = one_line(&overall.reason, 500);
    match (overall.verdict, failures) {
        (GateVerdict::Worse, _) => Err(CliError::GateWorse { reason }),
        (_, Some(failures)) => Err(failures),
        (GateVerdict::NotWorse, None) => Ok(()),
        (GateVerdict::CannotTell, None) if inconclusive == Some(Inconclusive::Pass) => Ok(()),
        (GateVerdict::CannotTell, None) => {
            let fails = inconclusive == Some(Inconclusive::Fail);
            Err(CliError::GateCannotTell { reason, settle: overall.settle.clone(), fails })
        }
    }
}

/// What was measured of a candidate.
struct Side {
    store: Store,
    side: SideRecord,
    left_out: Vec<LeftOut>,
    /// Cells that failed.
    failures: Option<CliError>,
}

/// Reads what the store has of the candidate, and computes the rest.
fn side(baseline: &Named, arguments: &GateArguments, global: &Global, console: Console) -> Result<Side, CliError> {
    let found = Found::of(&arguments.candidate, global)?;
    if let Some((suite_id, labels)) = found.stored()
        && arguments.seeds.is_none()
    {
        let store = Store::open_writer(&global.store)?;
        let runs = store.runs(suite_id)?;
        let chosen = choose(&runs, &labels).unwrap_or_default();
        let (side, left_out) = freeze(&store, suite_id, &chosen)?;
        if suite::is_complete(&baseline.content.side, &side, arguments) {
            return Ok(Side { store, side, left_out, failures: None });
        }
    }
    let folder = arguments.suite_folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let folder = std::path::absolute(&folder).map_err(|error| CliError::file(&folder, error))?;
    let wanted = CandidateSuite::of(baseline, &found.candidates, arguments)?;
    let file = folder.join(format!("{}.toml", wanted.name));
    let suite = Suite::parse(&file.display().to_string(), &wanted.toml)?;
    let reader = Reader::of(suite, global, console)?;
    let newest = newest(global);
    let computed = compute_suite(&reader, &wanted.patterns, &arguments.how, global, console, false);
    let Computed { mut store, summary, .. } = match computed {
        Ok(computed) => computed,
        Err(error) => {
            // Commands that mean the newest suite mean the user's.
            if let Some(newest) = newest
                && let Ok(mut store) = Store::open_writer(&global.store)
            {
                store.make_newest(newest)?;
            }
            return Err(error);
        }
    };
    if let Some(newest) = newest {
        store.make_newest(newest)?;
    }
    let runs = store.runs(summary.suite_id)?;
    let mut left_out = failed_cells(&store, &summary)?;
    let side = match choose(&runs, &wanted.labels) {
        Ok(chosen) if chosen.len() == wanted.labels.len() => {
            let (side, more) = freeze(&store, summary.suite_id, &chosen)?;
            left_out.extend(more);
            side
        }
        _ => SideRecord::default(),
    };
    Ok(Side { store, side, left_out, failures: failed(&summary, Rerun::Gate) })
}

/// The suite that is the newest of the store now.
fn newest(global: &Global) -> Option<i64> {
    Store::open_reader(&global.store).ok()?.suite(None).ok().map(|suite| suite.id)
}

/// Failed cells as reasons: of a transfer for its tasks, of anything else for all.
fn failed_cells(store: &Store, summary: &RunSummary) -> Result<Vec<LeftOut>, CliError> {
    let mut reasons = Vec::new();
    for (key, failure) in &summary.failures {
        let reason = said(key, failure);
        let spec = store.find_cell(key).ok().and_then(|detail| detail.spec);
        let (dataset, protocol) = match spec {
            Some(CellSpec::Transfer(spec)) => (spec.dataset.clone(), spec.protocol.word().to_owned()),
            _ => (String::new(), String::new()),
        };
        reasons.push(LeftOut { dataset, task: String::new(), protocol, reason });
    }
    Ok(reasons)
}

fn said(key: &str, failure: &Failure) -> String {
    one_line(&format!("cell {key} failed: {}", failure.message), 300)
}

fn notes(baseline: &Named, side: &SideRecord) -> Vec<String> {
    let mut notes = Vec::new();
    let weights: Vec<&String> = baseline.content.side.runs.iter().map(|run| &run.weights_digest).collect();
    if side.runs.iter().any(|run| weights.contains(&&run.weights_digest)) {
        notes.push("the candidate has the weights of the gate baseline".to_owned());
    }
    if baseline.content.generated_by != clmbench_analysis::GENERATED_BY {
        notes.push(format!("the gate baseline was saved by {}", one_line(&baseline.content.generated_by, 80)));
    }
    notes
}

/// A path as a suite may write it.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::file(path, error))
}

impl Candidate {
    /// The keys of its `[[checkpoint]]` table that say where it is.
    fn table(&self) -> Result<Vec<(&'static str, String)>, CliError> {
        Ok(match self {
            Self::Folder(path) => vec![("path", absolute(path)?.display().to_string())],
            Self::Hub { repo, commit } => vec![("hub", repo.clone()), ("revision", commit.clone())],
        })
    }
}
