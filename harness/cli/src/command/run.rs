//! `run`: fetch, compute, fit, leaderboard.

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use clmbench_analysis::PredictorBoard;
use clmbench_fetch::{AcceptedLicences, Fetcher, Found, Wanted};
use clmbench_protocol::{Failure, FileRef};
use clmbench_runner::{
    LocalExecutor, LocalOptions, Plan, RunError, RunOptions, RunSummary,
    executor::{Limits, total_memory},
    plan::{self, Selection},
    run::SourceLookup,
};
use clmbench_store::{CellStatus, Store};
use serde::Serialize;

use super::{
    data, device, leaderboard, licences,
    plan::{Facts, Reader, select},
    summary::Summary,
};
use crate::{
    arguments::{Computing, Device, Global, RunArguments},
    console::Console,
    error::{CliError, Rerun},
    interrupt,
    progress::{FetchProgress, Progress},
    units::show_seconds,
    worker,
};

/// Least memory that a worker is given in bytes, 1.5 GiB: with libtorch and a small model it needs about 0.9.
const LEAST_MEMORY: u64 = 3 << 29;

/// Computes what is missing of the suite, fits it and prints the leaderboard.
///
/// # Errors
/// What `plan` says, [`CliError::Fetch`], [`CliError::Run`], [`CliError::Interrupted`], and [`CliError::CellsFailed`] once
/// everything else is done.
pub fn run(arguments: &RunArguments, global: &Global, console: Console) -> Result<(), CliError> {
    interrupt::listen();
    let reader = Reader::new(&arguments.suite, global, console)?;
    let Computed { mut store, summary, plan } = compute_suite(&reader, &arguments.only, &arguments.how, global, console, true)?;
    if !arguments.only.is_empty() {
        let left = store.cells(summary.suite_id)?.iter().filter(|cell| cell.status == CellStatus::Todo).count();
        console.note(&format!("left    {left} cells that --only does not name; `clmbench run` without it computes them"));
    }
    let (fits, statistics) = clmbench_analysis::fit_suite(&store, summary.suite_id)?;
    let before = leaderboard::before(&store, summary.suite_id)?;
    store.put_fits(summary.suite_id, &fits, &statistics)?;
    leaderboard::keep_previous(&store, summary.suite_id, before)?;
    show_board(&store, &summary, &plan, arguments.json.json, console)?;
    match failed(&summary, Rerun::Run) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// A suite whose cells are computed, as far as they could be.
pub struct Computed {
    /// The store, opened for writing.
    pub store: Store,
    /// What was done.
    pub summary: RunSummary,
    /// Its plan.
    pub plan: Plan,
}

/// The cells that failed, as an error that says how they are computed again; none if none did.
pub fn failed(summary: &RunSummary, again: Rerun) -> Option<CliError> {
    let failure = |(key, failure): &(String, Failure)| (key.clone(), failure.kind.word(), failure.message.clone());
    let failures: Vec<_> = summary.failures.iter().map(failure).collect();
    (!failures.is_empty()).then(|| CliError::CellsFailed { failures, refused: summary.refused - summary.lacking, again })
}

/// Computes what is missing of a suite, or of the cells that `patterns` name, with its plan before it if `shows_plan`; stops where [`interrupt`] says so.
///
/// # Errors
/// As [`run`], but for cells that failed.
pub fn compute_suite(
    reader: &Reader,
    patterns: &[String],
    how: &Computing,
    global: &Global,
    console: Console,
    shows_plan: bool,
) -> Result<Computed, CliError> {
    let start = Instant::now();
    let accepted = AcceptedLicences::from_environment().and(&how.accept_licence);
    let mut store = None;
    // Whatever else is wrong is said before anything is fetched.
    let mut plan = reader.plan_and_fetch(console, |plan| {
        let needed = plan.map_or(Ok(true), |plan| check(plan, patterns, &accepted))?;
        store = Some(Store::open_writer(&global.store)?);
        Ok(needed)
    })?;
    let only = select(&plan, patterns)?;
    let mut store = match store {
        Some(store) => store,
        None => Store::open_writer(&global.store)?,
    };
    let workers = how.workers.map_or_else(default_workers, usize::from);
    let mut facts = Facts::new(&plan, plan::survey(&plan, Some(&store), workers, None)?).accepting(&plan, &accepted);
    if shows_plan {
        console.note(&facts.page(console.style));
    }
    let mut todo = facts.todo();
    if only.is_some() {
        let survey = plan::survey(&plan, Some(&store), workers, only.as_ref())?;
        todo = survey.todo;
        let (all, done) = (survey.done + survey.todo, survey.done);
        console.note(&match shows_plan {
            true => format!("only    {all} of the cells: {done} done, {todo} to do; the others are left"),
            false => format!("{all} cells are wanted: {done} done, {todo} to do"),
        });
    }

    // A named device is asked for before anything is computed; `auto` only when there is something to compute.
    let device = match &how.device {
        Device::Auto if todo == 0 => "cpu".to_owned(),
        device => device::resolve(device, || worker::hello(&worker::path()))?,
    };
    if todo > 0 {
        console.note(&format!("device    {device}"));
    }
    let wanted = wanted(&plan, only.as_ref());
    if todo > 0 {
        licences::require(&plan, &wanted, &accepted)?;
    }
    let mut sources = fetch(if todo == 0 { &[] } else { &wanted }, &accepted, console)?;
    if settle(&mut plan, &mut sources)? {
        facts = Facts::new(&plan, plan::survey(&plan, Some(&store), workers, None)?).accepting(&plan, &accepted);
        todo = plan::survey(&plan, Some(&store), workers, only.as_ref())?.todo;
    }
    let options = Options { how, device, workers, accepted, only, todo };
    let summary = compute(&options, &plan, &facts, &sources, &mut store, console)?;
    say_doubtful(&plan, &summary, &sources, console);
    console.note(&said(&summary, start.elapsed()));
    Ok(Computed { store, summary, plan })
}

/// Checks a plan whose checkpoints of the hub are still missing: that patterns name cells, and that terms are accepted. Says whether a
/// cell to compute needs a checkpoint.
fn check(plan: &Plan, patterns: &[String], accepted: &AcceptedLicences) -> Result<bool, CliError> {
    let only = select(plan, patterns)?;
    if !plan.hub.is_empty() {
        licences::require(plan, &wanted(plan, only.as_ref()), accepted)?;
    }
    let computed = |index: usize| only.as_ref().is_none_or(|only| only.holds(index));
    Ok(plan.cells.iter().enumerate().any(|(index, cell)| cell.stage == "import" && computed(index)))
}

/// The source files that the cells to compute read.
fn wanted<'p>(plan: &'p Plan, only: Option<&Selection>) -> Vec<&'p Wanted> {
    match only {
        Some(only) => plan.sources_of(only),
        None => plan.sources.iter().collect(),
    }
}

/// Source files that are there, by what definitions say of them.
type Sources = HashMap<(String, String), Found>;

fn key(file: &FileRef) -> (String, String) {
    (file.name.clone(), file.sha256.clone())
}

/// Gets the source files that are not in the user's folder or in the cache yet.
fn fetch(wanted: &[&Wanted], accepted: &AcceptedLicences, console: Console) -> Result<Sources, CliError> {
    let mut sources = HashMap::new();
    if wanted.is_empty() {
        return Ok(sources);
    }
    let fetcher = Fetcher::from_environment()?;
    let mut progress = FetchProgress::new(console);
    for source in wanted {
        let found = fetcher.get(source, accepted, &mut |step| progress.step(&step));
        if interrupt::requested() {
            progress.close();
            return Err(CliError::Interrupted);
        }
        sources.insert(key(&source.reference), found?);
    }
    progress.close();
    for source in wanted {
        sources.get(&key(&source.reference)).iter().for_each(|found| data::say_place(source, found, console));
    }
    Ok(sources)
}

/// Files of which nothing was known until they were fetched go into the plan by their bytes; says whether there are any.
fn settle(plan: &mut Plan, sources: &mut Sources) -> Result<bool, CliError> {
    let mut any = false;
    for wanted in plan.unsettled() {
        if let Some(found) = sources.remove(&key(&wanted.reference)) {
            let settled = plan.settle(&wanted.reference, &found.path)?;
            sources.insert(key(&settled), found);
            any = true;
        }
    }
    Ok(any)
}

/// Names the files of datasets whose content was refused, and how to have them anew.
fn say_doubtful(plan: &Plan, summary: &RunSummary, sources: &Sources, console: Console) {
    for (cell, _) in summary.failures.iter().filter(|(_, failure)| data::blames_a_file(failure)) {
        for source in plan.sources_of_cell(cell) {
            if let Some(found) = sources.get(&key(&source.reference)) {
                console.note(&data::doubt(source, found));
            }
        }
    }
}

/// How to compute.
struct Options<'a> {
    how: &'a Computing,
    device: String,
    workers: usize,
    accepted: AcceptedLicences,
    only: Option<Selection>,
    /// Cells to compute.
    todo: usize,
}

fn compute(
    options: &Options<'_>,
    plan: &Plan,
    facts: &Facts,
    sources: &Sources,
    store: &mut Store,
    console: Console,
) -> Result<RunSummary, CliError> {
    let (how, workers) = (options.how, options.workers);
    let mut local = LocalOptions::new(worker::path(), store.root().join("logs"));
    local.workers = workers;
    local.isolate = how.isolate;
    let memory_bytes = how.memory_limit.or_else(|| usual_memory(workers));
    local.memory_bytes = memory_bytes;
    let mut limits = Limits { memory_bytes, ..Limits::default() };
    limits.time = how.time_limit.map(Duration::from_secs).or(limits.time);
    let run_options = RunOptions {
        limits,
        retry_failed: how.retry_failed,
        verify: how.verify,
        accept_digest: how.accept_digest,
        // Who says how many workers there are to be gets them.
        threads: how.workers.is_none().then(|| u32::try_from(LocalOptions::cores()).unwrap_or(u32::MAX)),
        only: options.only.clone(),
        device: options.device.clone(),
        plan_json: serde_json::to_string(facts).unwrap_or_else(|_| "{}".to_owned()),
    };
    // A finished cell whose files are damaged is computed again, which can need a source although nothing was to do.
    let lookup = |file: &FileRef| -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(found) = sources.get(&key(file)) {
            return Ok(found.path.clone());
        }
        let source = plan.sources.iter().find(|source| source.reference == *file);
        let source = source.ok_or("the plan names no such file")?;
        Ok(Fetcher::from_environment()?.get(source, &options.accepted, &mut |_| ())?.path)
    };
    let sources: &SourceLookup<'_> = &lookup;
    let mut executor = LocalExecutor::new(local);
    let mut progress = Progress::new(console, options.todo);
    let outcome = clmbench_runner::run(store, plan, sources, &mut executor, &run_options, &mut progress, interrupt::flag());
    progress.close();
    match outcome {
        Err(RunError::Interrupted(_)) => Err(CliError::Interrupted),
        other => Ok(other?),
    }
}

/// As many workers as there are cores, if the memory is enough for them.
pub fn default_workers() -> usize {
    workers_in(LocalOptions::cores(), total_memory())
}

fn workers_in(cores: usize, memory: Option<u64>) -> usize {
    let most = memory.map_or(usize::MAX, |total| usize::try_from(total / 5 * 4 / LEAST_MEMORY).unwrap_or(usize::MAX));
    cores.min(most).max(1)
}

/// Memory in bytes of each of so many workers, where nothing else is asked for.
pub fn usual_memory(workers: usize) -> Option<u64> {
    total_memory().map(|total| share_of_memory(total, workers))
}

/// A cell that eats the machine's memory must cost itself, not the machine.
fn share_of_memory(total: u64, workers: usize) -> u64 {
    (total / 5 * 4 / workers.max(1) as u64).max(LEAST_MEMORY)
}

fn said(summary: &RunSummary, took: Duration) -> String {
    let mut parts = vec![format!("{} computed", summary.computed)];
    let more = [
        (summary.skipped, "finished before"),
        (summary.adopted, "found complete on disk"),
        (summary.rebuilt, "computed again"),
        (summary.failed, "failed"),
        (summary.diverged, "diverged"),
        (summary.refused - summary.lacking, "refused, since they need such a one"),
        (summary.lacking, "refused, since a run or checkpoint lacks what they need"),
    ];
    parts.extend(more.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
    format!("cells: {}, in {}", parts.join(", "), show_seconds(took.as_secs_f64()))
}

/// The predictors' leaderboard, and whether the suite came out as its author expects. A suite of baselines alone has no fits, so it
/// ends with the leaderboard of models.
fn show_board(store: &Store, summary: &RunSummary, plan: &Plan, json: bool, console: Console) -> Result<(), CliError> {
    if plan.suite.models.is_empty() && plan.suite.checkpoints.is_empty() {
        return show_baselines(store, summary, json, console);
    }
    let board = clmbench_analysis::predictors(store, summary.suite_id)?;
    let ended = Summary::of(store, summary.suite_id)?;
    if json {
        console.whole_json(&WithSummary { board: &board, run: &ended })?;
    } else if board.rows.is_empty() {
        console.note("no fits: a fit needs a metric and a downstream score of finished runs");
    } else {
        console.print(&clmbench_report::predictor_table(&board, console.style))?;
    }
    show_expectation(&board, plan, json, console)?;
    console.note(&ended.text());
    Ok(())
}

/// The leaderboard of models of a suite that pretrains none.
fn show_baselines(store: &Store, summary: &RunSummary, json: bool, console: Console) -> Result<(), CliError> {
    let board = clmbench_analysis::models(store, summary.suite_id)?;
    let ended = Summary::of(store, summary.suite_id)?;
    if json {
        console.whole_json(&WithSummary { board: &board, run: &ended })?;
    } else {
        console.print(&clmbench_report::model_table(&board, console.style))?;
    }
    console.note(&ended.text());
    Ok(())
}

/// The leaderboard's own JSON form, and how the run ended.
#[derive(Serialize)]
struct WithSummary<'a, B> {
    #[serde(flatten)]
    board: &'a B,
    run: &'a Summary,
}

fn show_expectation(board: &PredictorBoard, plan: &Plan, json: bool, console: Console) -> Result<(), CliError> {
    let Some(expect) = &plan.suite.expect else { return Ok(()) };
    let found = clmbench_report::expectation_text(&clmbench_analysis::expectation(board, expect)?, console.style);
    if json {
        console.note(found.trim_end());
        return Ok(());
    }
    console.print(&found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_has_the_memory_it_needs() {
        let gib = |number: u64| number << 30;
        assert_eq!(workers_in(8, Some(gib(64))), 8);
        assert_eq!(workers_in(64, Some(gib(15))), 8, "12 GiB are for 8 workers");
        assert_eq!((workers_in(4, Some(gib(1))), workers_in(4, None)), (1, 4));
        assert_eq!(share_of_memory(gib(10), 2), gib(4));
        assert_eq!(share_of_memory(gib(2), 4), LEAST_MEMORY, "more workers were asked for than fit");
    }
}
