//! The local executor against workers that misbehave in every way we could think of.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use clmbench_protocol::{CellReport, Failure, FailureKind};
use clmbench_runner::{
    Executor, LocalExecutor, LocalOptions,
    executor::{ExecutorError, Job, Limits, Update},
};

use super::support::fake_worker::{path, request};

fn options(folder: &Path) -> LocalOptions {
    LocalOptions::new(path(), folder.join("logs"))
}

fn job(ticket: u64, folder: &Path, mischief: &str) -> Job {
    Job { ticket, request: request(folder, mischief), limits: Limits::default() }
}

/// Hands over a job and waits for its end; progress is counted.
fn end(executor: &mut LocalExecutor, job: Job) -> (Result<Box<CellReport>, Failure>, usize) {
    let ticket = job.ticket;
    executor.submit(job);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut progress = 0;
    while Instant::now() < deadline {
        match executor.next(Duration::from_millis(100)) {
            Some(Update::Ended { ticket: found, outcome }) => {
                assert_eq!(found, ticket);
                return (outcome, progress);
            }
            Some(Update::Progress { stage, .. }) => {
                assert_eq!(stage, "fake");
                progress += 1;
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
    panic!("no end in 30 s");
}

#[test]
fn a_worker_computes_one_cell_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(options(folder.path()));
    for ticket in 0..3 {
        let (outcome, progress) = end(&mut executor, job(ticket, folder.path(), "fine"));
        assert_eq!(outcome.unwrap().build, "fake");
        assert_eq!(progress, 1);
    }
}

#[test]
fn each_mischief_costs_one_cell_with_a_readable_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(options(folder.path()));
    let cases = [
        ("abort", FailureKind::Abort, "The worker was killed by SIGABRT during `fake`. Last line of its log: about to abort"),
        ("oom", FailureKind::MemoryLimit, "for want of memory"),
        ("segfault", FailureKind::Segfault, "SIGSEGV"),
        ("exit", FailureKind::Died, "exited with status 7"),
        ("garbage", FailureKind::Protocol, "\"not json\""),
        ("failed", FailureKind::NonFinite, "the value is NaN"),
    ];
    for (ticket, (mischief, kind, words)) in cases.into_iter().enumerate() {
        let failure = end(&mut executor, job(ticket as u64, folder.path(), mischief)).0.unwrap_err();
        assert_eq!(failure.kind, kind, "{mischief}: {failure}");
        assert!(failure.message.contains(words), "{mischief}: {failure}");
        let (outcome, _) = end(&mut executor, job(100 + ticket as u64, folder.path(), "fine"));
        assert!(outcome.is_ok(), "after {mischief}: {outcome:?}");
    }
}

#[test]
fn a_hang_is_stopped_with_all_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(options(folder.path()));
    let mut hang = job(1, folder.path(), "hang");
    hang.limits.time = Some(Duration::from_millis(1500));
    let start = Instant::now();
    let place = folder.path().canonicalize().unwrap();
    let seen = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            (0..60).any(|_| {
                std::thread::sleep(Duration::from_millis(25));
                sleepers(&place) == 1
            })
        });
        (end(&mut executor, hang).0.unwrap_err(), watch.join().unwrap())
    });
    let (failure, started) = seen;
    assert!(started, "the worker's child was there");
    assert_eq!(failure.kind, FailureKind::TimeLimit, "{failure}");
    assert!(failure.message.contains("the time limit of a cell") && failure.message.ends_with("hanging"), "{failure}");
    assert!(start.elapsed() < Duration::from_secs(10));
    // A process that was killed is there until the system comes to it; one that was not sleeps for days.
    let patience = Instant::now();
    while sleepers(&place) > 0 {
        assert!(patience.elapsed() < Duration::from_secs(10), "a child of the worker is left");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Processes that run `sleep 987654`, as only the hanging fake worker starts them.
fn sleepers(folder: &Path) -> usize {
    let in_folder = |process: &Path| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder);
    let sleeps = |process: &Path| fs::read(process.join("cmdline")).is_ok_and(|command| command == b"sleep\0987654\0");
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .filter(|entry| sleeps(&entry.path()) && in_folder(&entry.path()))
        .count()
}

#[test]
fn a_hoarder_is_stopped_at_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(options(folder.path()));
    let mut hoard = job(1, folder.path(), "hoard");
    hoard.limits.memory_bytes = Some(200 << 20);
    let failure = end(&mut executor, hoard).0.unwrap_err();
    assert_eq!(failure.kind, FailureKind::MemoryLimit, "{failure}");
    assert!(failure.message.contains("the limit is 200 MiB"), "{failure}");
}

#[test]
fn a_flood_of_progress_is_thinned() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(options(folder.path()));
    let start = Instant::now();
    let (outcome, progress) = end(&mut executor, job(1, folder.path(), "flood"));
    assert!(outcome.is_ok());
    let allowed = 2 + start.elapsed().as_millis() as usize / 100;
    assert!(progress <= allowed, "{progress} of 20,000 came through, {allowed} allowed");
}

/// The process of a worker, told by its log having been opened anew: `logs/worker-0.log` is made at each start.
fn starts(folder: &Path) -> std::time::SystemTime {
    fs::metadata(folder.join("logs/worker-0.log")).unwrap().modified().unwrap()
}

#[test]
fn workers_are_kept_unless_they_grow_or_are_isolated() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(options(folder.path()));
    let fine = |executor: &mut LocalExecutor, mischief: &str| {
        assert!(end(executor, job(1, folder.path(), mischief)).0.is_ok());
        starts(folder.path())
    };
    let first = fine(&mut executor, "fine");
    assert_eq!(fine(&mut executor, "fine"), first, "kept");
    assert_eq!(fine(&mut executor, "grow"), first, "it grows during this cell");
    assert_ne!(fine(&mut executor, "fine"), first, "replaced");
    drop(executor);

    let mut isolated = LocalExecutor::new(LocalOptions { isolate: true, ..options(folder.path()) });
    let first = fine(&mut isolated, "fine");
    assert_ne!(fine(&mut isolated, "fine"), first);
}

#[test]
fn a_worker_that_died_while_it_was_idle_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(options(folder.path()));
    for ticket in [0, 2] {
        assert!(end(&mut executor, job(ticket, folder.path(), "leave")).0.is_ok(), "it ends once this is done");
        std::thread::sleep(Duration::from_millis(500));
        assert!(end(&mut executor, job(ticket + 1, folder.path(), "fine")).0.is_ok());
    }
}

#[test]
fn stopping_gives_every_job_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut executor = LocalExecutor::new(LocalOptions { workers: 2, ..options(folder.path()) });
    for ticket in 0..3 {
        executor.submit(job(ticket, folder.path(), "hang"));
    }
    std::thread::sleep(Duration::from_millis(700));
    executor.stop();
    let mut stopped = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while stopped.len() < 3 && Instant::now() < deadline {
        if let Some(Update::Stopped { ticket }) = executor.next(Duration::from_millis(100)) {
            stopped.push(ticket);
        }
    }
    stopped.sort_unstable();
    assert_eq!(stopped, [0, 1, 2]);
}

/// A script around the fake worker that sets a variable.
fn greeting(folder: &Path, word: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let script = folder.join(format!("worker-{word}"));
    fs::write(&script, format!("#!/bin/sh\nFAKE_GREETING={word} exec {:?} \"$@\"\n", path().display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

fn broken(folder: &Path, worker: impl Into<std::path::PathBuf>) -> ExecutorError {
    let mut executor = LocalExecutor::new(LocalOptions { worker: worker.into(), ..options(folder) });
    executor.submit(job(5, folder, "fine"));
    for _ in 0..100 {
        match executor.next(Duration::from_millis(100)) {
            Some(Update::Broken { ticket: 5, error }) => return error,
            None => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing in 10 s");
}

#[test]
fn a_worker_that_cannot_serve_is_the_environments_fault() {
    let folder = tempfile::tempdir().unwrap();
    let error = broken(folder.path(), "/no/such/worker");
    assert!(matches!(&error, ExecutorError::Spawn { .. }) && error.to_string().contains("CLMBENCH_WORKER"), "{error}");
    let error = broken(folder.path(), greeting(folder.path(), "old"));
    assert!(error.to_string().contains("(build fake) speaks protocol 99, but this clmbench speaks 1"), "{error}");
    let error = broken(folder.path(), greeting(folder.path(), "garbage"));
    assert!(error.to_string().contains("its first line is no greeting but \"hello there\""), "{error}");
    let error = broken(folder.path(), greeting(folder.path(), "exit"));
    assert!(error.to_string().contains("exited with status 127; it last said: libtorch_cpu.so"), "{error}");
}
