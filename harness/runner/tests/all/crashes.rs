//! The host killed at each named point: nothing finished is lost, nothing is computed twice that need not be.

use std::{path::Path, process::Command};

use clmbench_protocol::CellOutput;
use clmbench_runner::{Plan, RunOptions};
use clmbench_store::{CellStatus, Store};

use super::{
    run::{Diary, go, ledger},
    support::offers::{planned, small},
};

/// A host in a process of its own, to be killed.
#[test]
fn host() {
    let Some(folder) = std::env::var_os("CRASH_STORE") else { return };
    let mut store = Store::open_writer(Path::new(&folder)).unwrap();
    go(&mut store, &planned(&small("")), &RunOptions::default(), &mut Diary::default()).unwrap();
}

/// Starts a host that dies at the point.
fn crash(folder: &Path, point: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::host", "--nocapture"])
        .env("CRASH_STORE", folder)
        .env("CLMBENCH_FAULT", point)
        .output()
        .unwrap()
        .status;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{point}: {status}");
}

fn outputs(store: &Store, plan: &Plan) -> Vec<(String, CellOutput)> {
    let cell = |key: &str| {
        let detail = store.find_cell(key).unwrap();
        (detail.row.identity.unwrap(), detail.output.unwrap())
    };
    plan.cells.iter().map(|planned| cell(&planned.key)).collect()
}

#[test]
fn a_killed_host_goes_on_where_it_was() {
    let plan = planned(&small(""));
    let clean = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(clean.path()).unwrap();
    go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    let expected = outputs(&store, &plan);

    // Before the rename a cell is computed again; after it, its folder is adopted. The suite begins with one cell
    // that all others need, so exactly one is in flight at the first time a point is reached.
    for (point, adopted, first_computed) in
        [("at_spawn", 0, 1), ("before_rename", 0, 2), ("after_rename", 1, 1), ("inside_commit", 1, 1)]
    {
        let folder = tempfile::tempdir().unwrap();
        crash(folder.path(), point);
        let mut store = Store::open_writer(folder.path()).unwrap();
        let mut diary = Diary::default();
        let summary = go(&mut store, &plan, &RunOptions::default(), &mut diary).unwrap();
        assert_eq!((summary.adopted, summary.failed), (adopted, 0), "{point}: {:#?}", diary.lines);
        assert_eq!(summary.done(), plan.cells.len(), "{point}");
        assert_eq!(outputs(&store, &plan), expected, "{point}");
        let times = ledger(folder.path());
        assert_eq!(times[&expected[0].0], first_computed, "{point}");
        assert_eq!(times.values().sum::<usize>(), plan.cells.len() - 1 + first_computed, "{point}");
        assert!(store.cells(summary.suite_id).unwrap().iter().all(|row| row.status == CellStatus::Done), "{point}");
    }
}

#[test]
fn a_damaged_leftover_is_not_adopted() {
    let plan = planned(&small(""));
    let folder = tempfile::tempdir().unwrap();
    crash(folder.path(), "after_rename");
    let left = std::fs::read_dir(folder.path().join("artifacts")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(left.join("result.txt"), "something else of another length").unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let summary = go(&mut store, &plan, &RunOptions::default(), &mut Diary::default()).unwrap();
    assert_eq!((summary.adopted, summary.computed), (0, plan.cells.len()));
}
