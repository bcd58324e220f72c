//! A store that cannot be used: exit status 5, the file's name and the next step.

use std::fs;

use clmbench_store::Store;

use crate::bench::{Bench, SMALL, finish, wait_until};

#[test]
fn a_second_run_is_told_who_holds_the_store() {
    let bench = Bench::new(SMALL);
    let first = bench.start(&["run", "suite.toml"], &[("FAKE_WORKER_DELAY_MS", "400")]);
    wait_until("the first run begins", || !bench.begun().is_empty());
    let second = bench.clmbench(&["run", "suite.toml"]).code(5);
    assert!(second.stderr.contains(&format!("process {}", first.id())), "{}", second.stderr);
    assert!(second.stderr.contains("--store"), "{}", second.stderr);
    // Looking is allowed meanwhile.
    bench.clmbench(&["status"]).code(0);
    bench.clmbench(&["leaderboard", "predictors"]).code(0);
    finish(first).code(0);
    bench.run();
}

#[test]
fn a_damaged_newer_or_foreign_database_is_refused_by_name() {
    let bench = Bench::new(SMALL);
    let database = bench.store().join("store.sqlite");
    drop(Store::open_writer(&bench.store()).unwrap());
    let empty = fs::read(&database).unwrap();

    let mut newer = empty.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes()); // user_version in SQLite's header
    let mut foreign = empty;
    foreign[68..72].copy_from_slice(&7_u32.to_be_bytes()); // application_id
    for (bytes, expected) in
        [(b"not a database, but a text".to_vec(), "damaged"), (newer, "schema 99"), (foreign, "another application")]
    {
        fs::write(&database, &bytes).unwrap();
        for arguments in [&["run", "suite.toml"][..], &["status"], &["leaderboard", "predictors"]] {
            let answer = bench.clmbench(arguments).code(5);
            assert!(
                answer.stderr.contains(expected) && answer.stderr.contains("store.sqlite"),
                "{arguments:?}: {}",
                answer.stderr
            );
        }
        assert_eq!(fs::read(&database).unwrap(), bytes, "left as it is");
    }
}

#[test]
fn no_store_and_unknown_names_are_told_apart() {
    let bench = Bench::new(SMALL);
    let answer = bench.clmbench(&["status"]).code(5);
    assert!(answer.stderr.contains("clmbench run"), "{}", answer.stderr);
    bench.run();
    for arguments in
        [&["status", "--suite", "absent"][..], &["show", "no-such-cell"], &["leaderboard", "models", "--suite", "absent"]]
    {
        let answer = bench.clmbench(arguments).code(2);
        assert!(answer.stdout.is_empty() && !answer.stderr.is_empty());
    }
}
