//! Processes that are killed at named points and at odd moments. The test executable runs itself again as the victim.

use std::{
    io::BufRead as _,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use clmbench_store::{CellStatus, Store, StoreError};
use tempfile::tempdir;

use crate::made_up::{cell, pretrain_output, pretrain_spec, report, suite};

const FOLDER: &str = "CLMBENCH_STORE_TEST_FOLDER";
const CELLS: u64 = 2_000;

/// Not a test of its own: what the victims run. Without the variable it does nothing.
#[test]
fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut store = Store::open_writer(Path::new(&folder)).unwrap();
    let suite_id = store.put_suite(&suite("s")).unwrap();
    let keys: Vec<String> = (0..CELLS).map(|number| format!("run-{number}")).collect();
    let cells: Vec<_> = keys.iter().map(|key| cell(key, "pretrain", &[])).collect();
    store.put_cells(suite_id, &cells).unwrap();
    for (number, key) in (0..).zip(&keys) {
        if store.bind(suite_id, key, key, &pretrain_spec(1, 50, number)).unwrap().is_some() {
            continue;
        }
        store.start(key).unwrap();
        // Written past the test harness's capture, so that the parent sees it.
        use std::io::Write as _;
        writeln!(std::io::stderr(), "started {number}").unwrap();
        store.finish(key, &report(pretrain_output(1, 50, key, false))).unwrap();
        writeln!(std::io::stderr(), "finished {number}").unwrap();
    }
    // A machine so fast that all is done: the victim still waits for its end, which comes at once.
    std::thread::sleep(std::time::Duration::from_secs(60));
}

fn start_victim(folder: &Path, fault: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::victim", "--nocapture"]).env(FOLDER, folder).env_remove("CLMBENCH_FAULT");
    if let Some(fault) = fault {
        command.env("CLMBENCH_FAULT", fault);
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The lines up to the end of the victim's output, and that it died by SIGKILL.
fn await_death(mut victim: Child) -> Vec<String> {
    let output = std::io::BufReader::new(victim.stderr.take().unwrap());
    let lines: Vec<String> = output.lines().map_while(Result::ok).collect();
    assert_eq!(victim.wait().unwrap().signal(), Some(9), "{lines:?}");
    lines
}

fn finished(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("finished ")).count()
}

/// Cells by status, after checking that done cells have all their rows and no other cell has any.
fn check(folder: &Path) -> (Store, usize, usize) {
    let store = Store::open_writer(folder).unwrap();
    let suite_id = store.suite(None).unwrap().id;
    let cells = store.cells(suite_id).unwrap();
    let done: Vec<_> = cells.iter().filter(|cell| cell.status == CellStatus::Done).map(|cell| cell.key.clone()).collect();
    let todo = cells.iter().filter(|cell| cell.status == CellStatus::Todo).count();
    assert_eq!(done.len() + todo, cells.len(), "nothing is left running");
    let runs = store.runs(suite_id).unwrap();
    assert_eq!(runs.iter().map(|run| run.run.clone()).collect::<Vec<_>>(), done);
    assert!(runs.iter().all(|run| run.n_checkpoints == 2 && run.last_weights == format!("{}-4", run.run)));
    for key in &done {
        assert_eq!(store.report(key).unwrap().unwrap(), report(pretrain_output(1, 50, key, false)));
    }
    let done = done.len();
    (store, done, todo)
}

#[test]
fn killed_inside_the_commit_of_a_cell() {
    let folder = tempdir().unwrap();
    let lines = await_death(start_victim(folder.path(), Some("inside_commit")));
    assert_eq!(finished(&lines), 0);
    let (store, done, _) = check(folder.path());
    assert_eq!((done, store.recovered()), (0, 1), "the cell is as if it had never been finished");
    let row = store.find_cell("run-0").unwrap().row;
    assert_eq!((row.status, row.attempts), (CellStatus::Todo, 1));
}

#[test]
fn killed_during_the_migration() {
    let folder = tempdir().unwrap();
    for _ in 0..2 {
        await_death(start_victim(folder.path(), Some("during_migration")));
        assert!(matches!(Store::open_reader(folder.path()), Err(StoreError::Missing { .. })));
    }
    let store = Store::open_writer(folder.path()).unwrap();
    assert!(store.suites().unwrap().is_empty());
    assert_eq!(store.recovered(), 0);
}

#[test]
fn killed_at_odd_moments() {
    let folder = tempdir().unwrap();
    let (mut said, mut stored) = (0, 0);
    // More time for each, until one comes to finish cells, however busy the machine is.
    for kills in 1.. {
        if kills > 8 && stored > 0 || kills > 60 {
            break;
        }
        let mut victim = start_victim(folder.path(), None);
        std::thread::sleep(std::time::Duration::from_millis(40 + 37 * kills));
        let second = Store::open_writer(folder.path()).map(|_| ());
        victim.kill().unwrap();
        let lines = await_death(victim);
        if let Err(error) = second {
            assert!(matches!(error, StoreError::Leased { .. }), "{error}");
        }
        said += finished(&lines);
        if !Store::open_reader(folder.path()).is_ok_and(|store| store.suite(None).is_ok()) {
            assert_eq!(said, 0);
            continue;
        }
        stored = check(folder.path()).1;
        assert!(stored >= said, "{stored} cells are done, but {said} were said to be");
    }
    assert!(stored > 0, "no victim came to finish a cell");
}

#[test]
fn the_lease_dies_with_its_process() {
    let folder = tempdir().unwrap();
    let mut victim = start_victim(folder.path(), None);
    let mut lines = std::io::BufReader::new(victim.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "finished 0")));
    let error = Store::open_writer(folder.path()).unwrap_err();
    assert!(matches!(&error, StoreError::Leased { pid, .. } if *pid == victim.id()), "{error}");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let (store, done, _) = check(folder.path());
    assert!(done >= 1);
    assert!(store.recovered() <= 1);
}
