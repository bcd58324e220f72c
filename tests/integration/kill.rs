//! Ctrl-C and SIGKILL at the worst and at random moments: no finished cell is lost, `run` goes on, and the values are
//! those of a run that was never disturbed.

use std::{
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use clmbench_protocol::fault;
use clmbench_store::{CellStatus, Store};
use serde_json::Value;

use crate::bench::{Bench, Cells, SUITE, finish, wait_until};

/// Cells and leaderboard of an undisturbed run.
fn undisturbed() -> &'static (Cells, Vec<Value>) {
    static RESULT: OnceLock<(Cells, Vec<Value>)> = OnceLock::new();
    RESULT.get_or_init(|| {
        let bench = Bench::new(SUITE);
        bench.run();
        (bench.cells(), bench.board())
    })
}

/// Finished cells.
fn done(cells: &Cells) -> Cells {
    cells.iter().filter(|(_, cell)| cell.0 == CellStatus::Done).map(|(key, cell)| (key.clone(), cell.clone())).collect()
}

/// Asserts that what was finished before still is, with the same results and whole files.
#[track_caller]
fn nothing_is_lost(bench: &Bench, before: &Cells) -> Cells {
    let after = done(&bench.cells());
    for (key, cell) in before {
        assert_eq!(after.get(key), Some(cell), "{key}");
    }
    bench.check_artifacts();
    after
}

/// Runs the suite to its end and compares everything.
#[track_caller]
fn goes_on_to_the_same_end(bench: &Bench) {
    bench.clmbench(&["run", "suite.toml"]).code(0);
    let (cells, board) = undisturbed();
    assert_eq!(&bench.cells(), cells);
    assert_eq!(&bench.board(), board);
    bench.check_artifacts();
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().unwrap().success());
}

/// Starts a run and waits until this many cells are done.
fn started(bench: &Bench, cells: usize) -> std::process::Child {
    let child = bench.start(&["run", "suite.toml", "--workers", "2"], &[("FAKE_WORKER_DELAY_MS", "40")]);
    wait_until("cells are done", || bench.count(CellStatus::Done) >= cells);
    child
}

#[test]
fn ctrl_c_stops_in_order() {
    for name in ["INT", "TERM"] {
        let bench = Bench::new(SUITE);
        let child = started(&bench, 5);
        let stopped = Instant::now();
        signal(name, child.id());
        let answer = finish(child).code(130);
        assert!(stopped.elapsed() < Duration::from_secs(20));
        assert!(answer.stderr.contains("run the same command again"), "{}", answer.stderr);
        let cells = bench.cells();
        assert!(cells.values().all(|cell| matches!(cell.0, CellStatus::Done | CellStatus::Todo)), "nothing is left running");
        assert!(done(&cells).len() >= 5 && done(&cells).len() < cells.len());
        assert_eq!(Store::open_writer(&bench.store()).unwrap().recovered(), 0);
        goes_on_to_the_same_end(&bench);
    }
}

#[test]
fn workers_die_with_their_parent() {
    let bench = Bench::new(SUITE);
    let mut child = started(&bench, 2);
    child.kill().unwrap();
    finish(child).killed();
    let marker = bench.path("count");
    wait_until("the workers are gone", || {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        !processes.into_iter().any(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            let own = marker.to_str().unwrap().as_bytes();
            environment.windows(own.len()).any(|window| window == own)
        })
    });
}

#[test]
fn killed_at_each_named_point() {
    for point in fault::POINTS {
        let bench = Bench::new(SUITE);
        let mut before = Cells::new();
        if point != "during_migration" {
            // In the middle of a suite, not only at its start.
            let mut child = started(&bench, 6);
            child.kill().unwrap();
            finish(child).killed();
            before = nothing_is_lost(&bench, &before);
            assert!(before.len() >= 6);
        }
        let answer = bench.with(&["run", "suite.toml"], &[(fault::VARIABLE, point)]);
        if point == "mid_checkpoint" {
            // The worker dies here, not its parent: the cells fail after a second try, and everything else goes on.
            let answer = answer.code(3);
            assert!(answer.stderr.contains("died"), "{}", answer.stderr);
        } else {
            answer.killed();
        }
        nothing_is_lost(&bench, &before);
        goes_on_to_the_same_end(&bench);
    }
}

#[test]
fn killed_at_20_random_moments() {
    let mut bench = Bench::new(SUITE);
    let mut before = Cells::new();
    // A fixed sequence (Knuth's MMIX generator); where it hits varies with the machine.
    let mut state = 20_u64;
    let mut kills = 0;
    for attempt in 0.. {
        if kills == 20 {
            break;
        }
        assert!(attempt < 60, "only {kills} kills hit a running process");
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = 20 + (state >> 33) % 400;
        let mut child = bench.start(&["run", "suite.toml", "--workers", "2"], &[("FAKE_WORKER_DELAY_MS", "60")]);
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        let answer = finish(child);
        if answer.status.code() == Some(0) {
            // It was done before the kill: the next ones hit a run of an empty store.
            goes_on_to_the_same_end(&bench);
            (bench, before) = (Bench::new(SUITE), Cells::new());
            continue;
        }
        answer.killed();
        kills += 1;
        before = nothing_is_lost(&bench, &before);
    }
    goes_on_to_the_same_end(&bench);
}

#[test]
fn a_killed_worker_costs_no_cell() {
    let bench = Bench::new(SUITE);
    let mut child = started(&bench, 3);
    let worker = wait_for_worker(child.id());
    signal("KILL", worker);
    let status = child.try_wait().unwrap();
    assert!(status.is_none(), "the parent goes on");
    finish(child).code(0);
    goes_on_to_the_same_end(&bench);
}

/// A worker of this process that is computing a cell.
fn wait_for_worker(parent: u32) -> u32 {
    let mut found = None;
    wait_until("a worker is there", || {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let tasks =
            std::fs::read_dir(format!("/proc/{parent}/task")).map(|tasks| tasks.filter_map(Result::ok).collect::<Vec<_>>());
        let of_threads = tasks
            .unwrap_or_default()
            .into_iter()
            .map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
        found = of_threads.chain([children]).find_map(|list| list.split_whitespace().next().and_then(|word| word.parse().ok()));
        found.is_some()
    });
    found.unwrap()
}
