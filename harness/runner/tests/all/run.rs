//! Whole runs on the fake worker.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use clmbench_protocol::{CellSpec, FailureKind, SourceFormat};
use clmbench_runner::{
    LocalExecutor, LocalOptions, Observer, Plan, RunError, RunOptions, RunSummary,
    plan::{self, survey},
    run::{self, Counts, RunEvent},
};
use clmbench_store::{CellStatus, Store};

use super::support::{
    fake_worker::{IRREPRODUCIBLE_BATCH, LEDGER, path},
    offers::{corpora, planned, plugins, small},
};

pub fn executor(store: &Path, workers: usize) -> LocalExecutor {
    LocalExecutor::new(LocalOptions { workers, ..LocalOptions::new(path(), store.join("logs")) })
}

/// What happened, as `event key` lines, and the last counts.
#[derive(Default)]
pub struct Diary {
    pub lines: Vec<String>,
    pub counts: Counts,
}

impl Observer for Diary {
    fn event(&mut self, event: &RunEvent<'_>, counts: &Counts) {
        self.counts = *counts;
        let sum = counts.done + counts.failed + counts.refused + counts.running + counts.todo;
        assert!(sum == counts.total || counts.running == 0, "{counts:?}");
        self.lines.push(match event {
            RunEvent::Started { key } => format!("started {key}"),
            RunEvent::Progress { .. } => return,
            RunEvent::Finished { key, .. } => format!("finished {key}"),
            RunEvent::Adopted { key } => format!("adopted {key}"),
            RunEvent::Skipped { key } => format!("skipped {key}"),
            RunEvent::Rebuilding { key, reason } => format!("rebuilding {key}: {reason}"),
            RunEvent::Retrying { key, failure } => format!("retrying {key}: {failure}"),
            RunEvent::Failed { key, failure, earlier } => format!("failed {key}: {failure} ({earlier})"),
            RunEvent::Refused { key, reason } => format!("refused {key}: {reason}"),
            RunEvent::NotApplicable { key, reason } => format!("not applicable {key}: {reason}"),
        });
    }
}

impl Diary {
    pub fn count(&self, start: &str) -> usize {
        self.lines.iter().filter(|line| line.starts_with(start)).count()
    }
}

pub fn go(store: &mut Store, plan: &Plan, options: &RunOptions, diary: &mut Diary) -> Result<RunSummary, RunError> {
    let mut executor = executor(store.root(), 2);
    let source = store.root().join("source.csv");
    fs::write(&source, "x").unwrap();
    run::run(store, plan, &|_| Ok(source.clone()), &mut executor, options, diary, &AtomicBool::new(false))
}

pub fn run_with(store: &mut Store, plan: &Plan, executor: &mut LocalExecutor) -> Result<RunSummary, RunError> {
    let source = store.root().join("source.csv");
    fs::write(&source, "x").unwrap();
    let cancel = AtomicBool::new(false);
    run::run(store, plan, &|_| Ok(source.clone()), executor, &RunOptions::default(), &mut Diary::default(), &cancel)
}

/// How often each identity was computed.
pub fn ledger(root: &Path) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in fs::read_to_string(root.join(LEDGER)).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn a_second_run_computes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(&small(""));
    let mut store = Store::open_writer(folder.path()).unwrap();
    let before = survey(&plan, Some(&store), 2, None).unwrap();
    assert_eq!((before.done, before.todo, before.seconds), (0, plan.cells.len(), None));

    let mut diary = Diary::default();
    let summary = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
    assert_eq!((summary.computed, summary.skipped, summary.failed), (plan.cells.len(), 0, 0), "{:#?}", diary.lines);
    assert_eq!((diary.counts.done, diary.counts.todo, diary.counts.running), (plan.cells.len(), 0, 0));
    assert_eq!(ledger(folder.path()).len(), plan.cells.len());
    assert!(ledger(folder.path()).values().all(|times| *times == 1));
    let rows = store.cells(summary.suite_id).unwrap();
    assert!(rows.iter().all(|row| row.status == CellStatus::Done && row.attempts == 1));
    for row in &rows {
        let identity = row.identity.as_deref().unwrap();
        assert!(store.artifact_dir(identity).join("cell.json").is_file());
        assert!(!store.work_dir(identity).exists());
    }
    let controls = store.runs(summary.suite_id).unwrap().into_iter().filter(|run| run.control).count();
    assert_eq!(controls, 2);

    let after = survey(&plan, Some(&store), 2, None).unwrap();
    assert_eq!((after.done, after.todo, after.seconds, after.disk_bytes), (plan.cells.len(), 0, Some(0.0), Some(0)));
    let mut diary = Diary::default();
    let again = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
    assert_eq!((again.computed, again.skipped), (0, plan.cells.len()));
    assert_eq!(diary.count("started"), 0);
    assert_eq!(again.suite_id, summary.suite_id);
}

#[test]
fn past_cells_teach_what_a_larger_suite_takes() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    go(&mut store, &planned(&small("")), &RunOptions::default(), &mut Diary::default()).unwrap();
    let larger = planned(&small("").replacen("sizes = [500]", "sizes = [500, 600]", 1));
    let survey = survey(&larger, Some(&store), 1, None).unwrap();
    assert!(survey.done > 0 && survey.todo > 0, "{survey:?}");
    assert!(survey.seconds.unwrap() > 0.0 && survey.disk_bytes.unwrap() > 0, "{survey:?}");
}

#[test]
fn what_each_metric_costs_is_told_by_class_and_then_by_past_cells() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let more = "[[metric]]\nid = \"hessian/trace_fisher\"\nparams = { molecules = 8 }\n[[metric]]\nid = \"scope/pair\"\n";
    let plan = planned(&small(more));
    let costs = |plan: &Plan, store: &Store| {
        let rows = survey(plan, Some(store), 1, None).unwrap().metrics;
        let row = |cost: plan::MetricCost| (cost.metric, cost.cells, cost.by_class, cost.spent.map(|spent| spent.cells));
        rows.into_iter().map(row).collect::<Vec<_>>()
    };
    let row = |metric: &str, cells, by_class, spent| (metric.to_owned(), cells, by_class, spent);
    let before = [
        row("loss/mlm_loss", 4, 1.0, None),
        row("trivial/flops", 4, 0.0, None),
        row("hessian/trace_fisher", 4, 100.0, None),
        row("scope/pair", 0, 100.0, None),
    ];
    assert_eq!(costs(&plan, &store), before);
    go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    // Other parameters, another budget or a second setting spend otherwise: only the same are told by the past.
    let other = format!("{}[[metric]]\nid = \"loss/mlm_loss\"\nbudget = \"quick\"\n", small(&more.replacen("= 8", "= 9", 1)));
    let after = [
        row("loss/mlm_loss@standard", 4, 1.0, Some(4)),
        row("trivial/flops", 4, 0.0, Some(4)),
        row("hessian/trace_fisher", 4, 100.0, None),
        row("loss/mlm_loss@quick", 4, 1.0, None),
        row("scope/pair", 0, 100.0, None),
    ];
    assert_eq!(costs(&planned(&other), &store), after);
    let metrics = survey(&plan, Some(&store), 1, None).unwrap().metrics;
    let (loss, pair) = (&metrics[0], &metrics[3]);
    // The fake worker says 0.3 of every measurement.
    let spent = loss.spent.unwrap();
    assert!((spent.mean - 0.3).abs() < 1e-12 && spent.largest == 0.3 && (loss.gradient_equivalents - 1.2).abs() < 1e-12);
    assert_eq!((pair.not_applicable, pair.reasons.len(), pair.gradient_equivalents), (2, 1, 0.0));
}

#[test]
fn what_a_run_lacks_for_a_metric_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let plan = planned(&small("[[metric]]\nid = \"hostile/unsupported_run\"\n[[metric]]\nid = \"hostile/unsupported\"\n"));
    for started in [6, 0] {
        let mut diary = Diary::default();
        let summary = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
        let told = diary.lines.iter().filter(|line| line.starts_with("started measure") && line.contains("hostile")).count();
        assert_eq!(
            (summary.failed, summary.lacking, told),
            (4, 2, started),
            "4 checkpoints of 2 runs; of a checkpoint it is a failure"
        );
    }
    let rows = store.cells(store.suite(None).unwrap().id).unwrap();
    let run = rows.iter().find(|row| row.key.ends_with("hostile.unsupported_run")).unwrap();
    assert_eq!((run.status, run.reason.as_deref()), (CellStatus::Refused, Some("a path needs 3 checkpoints")));
}

#[test]
fn a_failure_costs_its_cell_and_what_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let plan = planned(&small("[[metric]]\nid = \"hostile/abort\"\n"));
    let summary = go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    assert_eq!((summary.failed, summary.refused, summary.computed), (4, 0, plan.cells.len() - 4));
    assert!(summary.failures.iter().all(|(key, failure)| key.contains("hostile.abort") && failure.kind == FailureKind::Abort));
    let row = store.find_cell(&summary.failures[0].0).unwrap().row;
    assert_eq!((row.status, row.failure_kind.as_deref(), row.attempts), (CellStatus::Failed, Some("abort"), 1));

    let mut diary = Diary::default();
    let again = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
    assert_eq!((again.failed, again.computed, diary.count("started")), (4, 0, 0), "not tried again unasked");
    let retry = RunOptions { retry_failed: true, ..RunOptions::default() };
    let mut diary = Diary::default();
    assert_eq!(go(&mut store, &plan, &retry, &mut diary).unwrap().failed, 4);
    assert_eq!(diary.count("started"), 4);
    assert_eq!(store.find_cell(&summary.failures[0].0).unwrap().row.attempts, 2);
}

#[test]
fn a_cell_whose_worker_was_killed_from_outside_is_tried_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let plan = planned(&small("[[metric]]\nid = \"hostile/killed_once\"\n"));
    let mut diary = Diary::default();
    let summary = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
    assert_eq!((summary.failed, summary.computed), (0, plan.cells.len()), "{:#?}", diary.lines);
    assert_eq!((diary.count("retrying"), diary.counts.todo), (4, 0), "{:#?}", diary.lines);
    let row = store.find_cell("measure/bert-0.06M/mixed-500/seed0/checkpoint-1/hostile.killed_once").unwrap().row;
    assert_eq!((row.status, row.attempts), (CellStatus::Done, 2));

    // One that kills itself every time ends as failed, and the next run looks again without being asked.
    let plan = planned(&small("[[metric]]\nid = \"hostile/killed\"\n"));
    for attempts in [2, 4] {
        let mut diary = Diary::default();
        let summary = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
        assert_eq!((summary.failed, diary.count("retrying"), diary.count("started")), (4, 4, 8), "{:#?}", diary.lines);
        assert!(summary.failures.iter().all(|(_, failure)| failure.kind == FailureKind::Died));
        let row = store.find_cell(&summary.failures[0].0).unwrap().row;
        assert_eq!((row.status, row.failure_kind.as_deref(), row.attempts), (CellStatus::Failed, Some("died"), attempts));
    }
}

#[test]
fn cells_of_several_threads_take_several_places() {
    struct Most(HashMap<String, u32>, HashMap<String, u32>, u32);
    impl Observer for Most {
        fn event(&mut self, event: &RunEvent<'_>, _: &Counts) {
            match event {
                RunEvent::Started { key } => drop(self.1.insert((*key).to_owned(), self.0[*key])),
                RunEvent::Finished { key, .. } => drop(self.1.remove(*key)),
                _ => {}
            }
            self.2 = self.2.max(self.1.values().sum());
        }
    }
    // 12 x 8 x 512^2 is above 3,000,000: two threads.
    let plan = planned(&small("").replacen("\"0.83M\"", "\"25.75M\"", 1));
    assert_eq!(plan.cells.iter().map(|cell| cell.threads).max(), Some(2));
    for (limit, expected) in [(Some(1), 2), (Some(3), 3), (None, 5)] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open_writer(folder.path()).unwrap();
        let threads = plan.cells.iter().map(|cell| (cell.key.clone(), cell.threads)).collect();
        let mut most = Most(threads, HashMap::new(), 0);
        let mut local = executor(folder.path(), 4);
        let source = folder.path().join("source.csv");
        fs::write(&source, "x").unwrap();
        let options = RunOptions { threads: limit, ..RunOptions::default() };
        let cancel = AtomicBool::new(false);
        let summary = run::run(&mut store, &plan, &|_| Ok(source.clone()), &mut local, &options, &mut most, &cancel).unwrap();
        assert_eq!(summary.computed, plan.cells.len());
        assert!(if limit.is_some() { most.2 == expected } else { most.2 >= expected }, "{limit:?}: {}", most.2);
    }
}

#[test]
fn a_diverged_run_is_kept_and_nothing_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let plan = planned(&small("").replacen("tokens = 1000", "tokens = 1000\nlr = 5.0", 1));
    let mut diary = Diary::default();
    let summary = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
    // Of each of 2 runs: 2 embeddings, 2 transfers, 4 values. The controls are not trained and do not diverge.
    assert_eq!((summary.diverged, summary.refused, summary.failed), (2, 16, 0), "{:#?}", diary.lines);
    let key = "measure/bert-0.06M/mixed-500/seed0/checkpoint-1/trivial.flops";
    let row = store.find_cell(key).unwrap().row;
    assert_eq!(row.status, CellStatus::Refused);
    assert_eq!(row.reason.as_deref(), Some("needs `pretrain/bert-0.06M/mixed-500/seed0`, which diverged"));
    let key = "transfer/bert-0.06M/mixed-500/seed0/checkpoint-1/freesolv/probe";
    let reason = store.find_cell(key).unwrap().row.reason.unwrap();
    assert_eq!(reason, "needs `embed/bert-0.06M/mixed-500/seed0/checkpoint-1/freesolv`, which was refused");
}

#[test]
fn damaged_files_are_rebuilt_when_something_needs_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let plan = planned(&small(""));
    go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    let place = |key: &str| -> PathBuf { store.artifact_dir(&store.find_cell(key).unwrap().row.identity.unwrap()) };
    let run = place("pretrain/bert-0.06M/mixed-500/seed0");
    let (corpus, other) = (place("tokenise/mixed-500"), place("pretrain/bert-0.83M/mixed-500/seed0"));
    fs::remove_dir_all(&corpus).unwrap();
    // The same size and another byte: found because the file is newer than the report.
    let weights = run.join("checkpoint-2/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[0] ^= 1;
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(&weights, bytes).unwrap();

    // Nothing is left to compute, so nothing is needed.
    let again = go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    assert_eq!((again.rebuilt, again.computed), (0, 0));

    // Further cells need the run, and the run needs the corpus.
    let more = planned(&small("[[metric]]\nid = \"trivial/tokens\"\n"));
    let mut diary = Diary::default();
    let summary = go(&mut store, &more, &RunOptions::default(), &mut diary).unwrap();
    assert_eq!((summary.computed, summary.rebuilt, summary.failed), (4, 2, 0), "{:#?}", diary.lines);
    assert_eq!((diary.counts.done, diary.counts.todo), (more.cells.len(), 0));
    let said = diary.lines.iter().find(|line| line.starts_with("rebuilding pretrain")).unwrap();
    assert!(said.ends_with("the bytes of checkpoint-2/model.safetensors are not those that were written"), "{said}");
    assert!(corpus.join("cell.json").is_file() && run.join("cell.json").is_file());
    let times = ledger(folder.path());
    assert_eq!(times[other.file_name().unwrap().to_str().unwrap()], 1, "the intact run was left alone");
    assert_eq!(times[run.file_name().unwrap().to_str().unwrap()], 2);
}

#[test]
fn a_silent_change_is_found_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let plan = planned(&small(""));
    go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    let run = store.artifact_dir(&store.find_cell("pretrain/bert-0.06M/mixed-500/seed0").unwrap().row.identity.unwrap());
    let weights = run.join("checkpoint-1/model.safetensors");
    let modified = fs::metadata(&weights).unwrap().modified().unwrap();
    let mut bytes = fs::read(&weights).unwrap();
    bytes[0] ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::File::options().write(true).open(&weights).unwrap().set_modified(modified).unwrap();
    let more = planned(&small("[[metric]]\nid = \"trivial/tokens\"\n"));
    let verify = RunOptions { verify: true, ..RunOptions::default() };
    assert_eq!(go(&mut store, &more, &verify, &mut Diary::default()).unwrap().rebuilt, 1);
}

#[test]
fn damage_that_a_worker_finds_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    go(&mut store, &planned(&small("")), &RunOptions::default(), &mut Diary::default()).unwrap();
    let run = store.artifact_dir(&store.find_cell("pretrain/bert-0.06M/mixed-500/seed0").unwrap().row.identity.unwrap());
    let weights = run.join("checkpoint-1/model.safetensors");
    let (whole, modified) = (fs::read(&weights).unwrap(), fs::metadata(&weights).unwrap().modified().unwrap());
    let mut bytes = whole.clone();
    bytes[0] ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::File::options().write(true).open(&weights).unwrap().set_modified(modified).unwrap();
    let more = planned(&small("[[metric]]\nid = \"trivial/tokens\"\n"));
    let mut diary = Diary::default();
    let summary = go(&mut store, &more, &RunOptions::default(), &mut diary).unwrap();
    assert_eq!((summary.failed, summary.rebuilt, summary.computed), (0, 1, 4), "{:#?}", diary.lines);
    assert_eq!((diary.count("retrying measure"), diary.count("rebuilding pretrain")), (1, 1), "{:#?}", diary.lines);
    assert_eq!(fs::read(&weights).unwrap(), whole);
}

#[test]
fn another_result_replaces_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let text = |more: &str| small(more).replacen("tokens = 1000", &format!("tokens = 1000\nbatch = {IRREPRODUCIBLE_BATCH}"), 1);
    go(&mut store, &planned(&text("")), &RunOptions::default(), &mut Diary::default()).unwrap();
    let key = "pretrain/bert-0.06M/mixed-500/seed0";
    let identity = store.find_cell(key).unwrap().row.identity.unwrap();
    let place = store.artifact_dir(&identity);
    fs::remove_file(place.join("checkpoint-1/model.safetensors")).unwrap();
    let before = fs::read(place.join("cell.json")).unwrap();

    let more = planned(&text("[[metric]]\nid = \"trivial/tokens\"\n"));
    let summary = go(&mut store, &more, &RunOptions::default(), &mut Diary::default()).unwrap();
    let (failed, failure) = &summary.failures[0];
    assert_eq!((summary.failures.len(), failed.as_str(), failure.kind), (1, key, FailureKind::CorruptFile));
    assert!(failure.message.contains("epochs"), "{failure}");
    assert_eq!(fs::read(place.join("cell.json")).unwrap(), before);
    assert!(place.join("checkpoint-2/model.safetensors").is_file(), "what was whole stays");
    assert!(!store.work_dir(&identity).exists());
    assert_eq!(store.find_cell(key).unwrap().row.status, CellStatus::Done);
}

#[test]
fn the_same_cell_under_two_keys_is_computed_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    // Two budgets of one model have one and the same control.
    let plan = planned(&small("[[model]]\narchitecture = \"bert\"\npresets = [\"0.06M\"]\ntokens = 9\n"));
    let summary = go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    let times = ledger(folder.path());
    assert!(times.values().all(|times| *times == 1));
    assert_eq!(summary.done(), plan.cells.len());
    assert_eq!(plan.cells.len() - times.len(), 3, "control, its embedding and its transfer");
}

#[test]
fn cancelling_stops_at_once_and_the_next_run_goes_on() {
    struct Cancel<'a>(&'a AtomicBool, usize);
    impl Observer for Cancel<'_> {
        fn event(&mut self, event: &RunEvent<'_>, _: &Counts) {
            if matches!(event, RunEvent::Finished { .. }) {
                self.1 += 1;
                self.0.store(self.1 >= 3, Ordering::SeqCst);
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(&small(""));
    let mut store = Store::open_writer(folder.path()).unwrap();
    let cancel = AtomicBool::new(false);
    let source = folder.path().join("source.csv");
    fs::write(&source, "x").unwrap();
    let mut local = executor(folder.path(), 1);
    let stopped = run::run(
        &mut store,
        &plan,
        &|_| Ok(source.clone()),
        &mut local,
        &RunOptions::default(),
        &mut Cancel(&cancel, 0),
        &cancel,
    );
    let Err(RunError::Interrupted(summary)) = stopped else { panic!("{stopped:?}") };
    assert!((3..plan.cells.len()).contains(&summary.computed), "{summary:?}");
    drop((local, store));
    let reader = Store::open_reader(folder.path()).unwrap();
    let rows = reader.cells(summary.suite_id).unwrap();
    assert!(rows.iter().all(|row| matches!(row.status, CellStatus::Done | CellStatus::Todo)), "{rows:?}");
    drop(reader);
    let mut store = Store::open_writer(folder.path()).unwrap();
    let rest = go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    assert_eq!((rest.skipped, rest.done(), rest.failed), (summary.computed, plan.cells.len(), 0));
}

#[test]
fn a_missing_source_or_worker_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(&small(""));
    let mut store = Store::open_writer(folder.path()).unwrap();
    let mut local = executor(folder.path(), 1);
    let (options, cancel) = (RunOptions::default(), AtomicBool::new(false));
    let none = |_: &clmbench_protocol::FileRef| Err("not in the cache; run `cargo xtask setup`".into());
    let error = run::run(&mut store, &plan, &none, &mut local, &options, &mut Diary::default(), &cancel).unwrap_err();
    assert!(error.to_string().contains("freesolv.csv is not at hand: not in the cache"), "{error}");

    let mut local = LocalExecutor::new(LocalOptions::new("/no/such/worker", folder.path().join("logs")));
    let source = |_: &clmbench_protocol::FileRef| Ok(PathBuf::from("/dev/null"));
    let error = run::run(&mut store, &plan, &source, &mut local, &options, &mut Diary::default(), &cancel).unwrap_err();
    assert!(matches!(error, RunError::Executor(_)), "{error}");
}

#[test]
fn own_files_are_read_where_they_lie_unless_they_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, own) = (folder.path().join("suite.toml"), folder.path().join("own.smi"));
    let mixture = "name = \"m\"\nparts = [{ name = \"mixed\", weight = 3 }, { path = \"own.smi\", weight = 1 }]";
    std::fs::write(&file, small("").replacen("name = \"mixed\"", mixture, 1)).unwrap();
    let suite = clmbench_runner::Suite::read(&file).unwrap();
    std::fs::write(&own, "CCO\n").unwrap();
    let build = || plan::build(&suite, &plugins(), &corpora, &crate::support::offers::no_hub).unwrap();
    let plan = build();
    std::fs::write(&own, "CCN\n").unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let (options, cancel) = (RunOptions::default(), AtomicBool::new(false));
    // Only files that are fetched are asked for.
    let source = |file: &clmbench_protocol::FileRef| {
        assert_ne!(file.name, "own.smi");
        Ok(PathBuf::from("/dev/null"))
    };
    let mut local = executor(folder.path(), 2);
    let error = run::run(&mut store, &plan, &source, &mut local, &options, &mut Diary::default(), &cancel).unwrap_err();
    assert!(error.to_string().contains("own.smi was changed since the plan was made"), "{error}");

    let plan = build();
    let summary = run::run(&mut store, &plan, &source, &mut local, &options, &mut Diary::default(), &cancel).unwrap();
    assert_eq!((summary.failed, summary.refused), (0, 0));
    let Some(CellSpec::TokeniseCorpus(spec)) = store.find_cell("tokenise/m-500").unwrap().spec else { panic!("no corpus") };
    let sources: Vec<_> = spec.sources.iter().map(|source| (source.group.as_str(), source.weight.0, source.format)).collect();
    assert_eq!(sources, [("mixed/moses", 0.75, SourceFormat::Csv), ("own.smi", 0.25, SourceFormat::Lines)]);
}
