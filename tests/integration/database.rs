//! `db check`, `db vacuum`, `db merge`.

use std::fs;

use clmbench_store::{CellStatus, Store};
use rusqlite::Connection;
use serde_json::Value;

use crate::bench::{Answer, Bench, SMALL, SUITE, finish, wait_until};

/// State and what is wrong of one check.
fn check<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter().find(|row| row["check"] == name).unwrap()
}

fn count(answer: &Answer, kind: &str, state: &str) -> usize {
    answer.rows().iter().filter(|row| row["kind"] == kind && row["state"] == state).count()
}

#[test]
fn a_whole_store_is_said_to_be_whole() {
    let bench = Bench::new(SMALL);
    bench.clmbench(&["db", "check"]).code(5);
    assert!(!bench.store().exists(), "looking makes no store");
    bench.run();
    let text = bench.clmbench(&["db", "check"]).code(0).stdout;
    assert!(text.ends_with("the store is whole (--files hashes every file too)\n"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("ok ") || line.starts_with("the store")), "{text}");
    let rows = bench.clmbench(&["db", "check", "--files", "--json"]).code(0).rows();
    let names: Vec<&str> = rows.iter().map(|row| row["check"].as_str().unwrap()).collect();
    assert_eq!(names, ["pages", "references", "schema", "definitions", "results", "gate_baselines", "files", "fits"]);
    let cells = bench.count(CellStatus::Done) as u64;
    assert_eq!(
        (check(&rows, "definitions")["looked_at"].as_u64(), check(&rows, "results")["looked_at"].as_u64()),
        (Some(cells), Some(cells))
    );
}

#[test]
fn what_is_wrong_is_named_and_the_status_is_3() {
    let bench = Bench::new(SMALL);
    bench.run();
    let database = bench.store().join("store.sqlite");
    let (identity, file): (String, String) = Connection::open(&database)
        .unwrap()
        .query_row(
            "SELECT identity, files_json ->> '$[0].path' FROM cell WHERE stage = 'pretrain' AND files_json <> '[]' LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let path = bench.store().join("artifacts").join(&identity).join(&file);
    let mut bytes = fs::read(&path).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    bytes[0] ^= 1;
    fs::write(&path, &bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    bench.clmbench(&["db", "check"]).code(0);
    let answer = bench.clmbench(&["db", "check", "--files"]).code(3);
    assert!(
        answer.stdout.contains("are not those that were written") && answer.stdout.contains(&identity[..16]),
        "{}",
        answer.stdout
    );
    assert!(answer.stderr.contains("is not whole: 1 thing is wrong") && answer.stderr.contains("hint: "), "{}", answer.stderr);
    fs::remove_file(&path).unwrap();
    let rows = bench.clmbench(&["db", "check", "--json"]).code(3).rows();
    assert_eq!(check(&rows, "files")["wrong"][0]["name"], format!("{identity}/{file}"));

    // A definition that was changed is no longer that of its identity.
    let edit = "UPDATE cell SET spec_json = replace(spec_json, '\"seed\":', '\"seed\":1') WHERE stage = 'pretrain'";
    Connection::open(&database).unwrap().execute(edit, []).unwrap();
    let rows = bench.clmbench(&["db", "check", "--json"]).code(3).rows();
    assert_eq!(check(&rows, "definitions")["state"], "wrong");
    // Whole pages are gone: nothing can be said of the rest.
    let bytes = fs::read(&database).unwrap();
    fs::write(&database, &bytes[..4096]).unwrap();
    bench.clmbench(&["db", "check"]).code(5);
}

#[test]
fn a_vacuum_says_what_it_gave_back_and_waits_for_nobody() {
    let bench = Bench::new(SMALL);
    bench.clmbench(&["db", "vacuum"]).code(5);
    assert!(!bench.store().exists());
    bench.run();
    let cells = bench.cells();
    let room = "CREATE TABLE room AS SELECT zeroblob(4000000) AS x; DROP TABLE room; PRAGMA wal_checkpoint(TRUNCATE)";
    Connection::open(bench.store().join("store.sqlite")).unwrap().execute_batch(room).unwrap();
    let row = bench.clmbench(&["db", "vacuum", "--json"]).code(0).rows().remove(0);
    assert!(row["bytes_before"].as_u64() > Some(4_000_000) && row["bytes_after"].as_u64() < Some(2_000_000), "{row}");
    assert_eq!(bench.cells(), cells);
    let said = bench.clmbench(&["db", "vacuum"]).code(0).stdout;
    assert!(said.contains(" before, ") && said.contains(" now: "), "{said}");
    fs::write(bench.path("suite.toml"), SMALL.replace("seed = 7", "seed = 8")).unwrap();
    let run = bench.start(&["run", "suite.toml"], &[("FAKE_WORKER_DELAY_MS", "400")]);
    let begun = bench.begun().len();
    wait_until("the run begins", || bench.begun().len() > begun);
    let refused = bench.clmbench(&["db", "vacuum"]).code(5);
    assert!(refused.stderr.contains(&format!("process {}", run.id())), "{}", refused.stderr);
    finish(run).code(0);
}

#[test]
fn the_results_of_two_machines_become_those_of_one() {
    // One machine has half of the sizes, the other all of them, under another name.
    let (ours, theirs) = (Bench::new(&SUITE.replace("[\"a\", \"b\", \"c\", \"d\"]", "[\"a\", \"b\"]")), Bench::new(SUITE));
    ours.run();
    theirs.run();
    let other = theirs.store().display().to_string();
    let before = ours.cells();
    let dry = ours.clmbench(&["db", "merge", &other, "--dry-run", "--json"]).code(0);
    assert_eq!(ours.cells(), before);
    let text = ours.clmbench(&["db", "merge", &other, "--dry-run"]).code(0).stdout;
    assert!(text.ends_with("nothing was changed (--dry-run)\n") && text.contains("suite            1 new"), "{text}");
    let merged = ours.clmbench(&["db", "merge", &other, "--json"]).code(0);
    assert_eq!(dry.rows(), merged.rows());
    let shared = before.values().filter(|cell| theirs.cells().values().any(|other| other.1 == cell.1)).count();
    assert!(shared > 0 && count(&merged, "cell", "same") >= shared - 1, "{shared}");
    assert!(count(&merged, "cell", "new") > 0 && count(&merged, "files", "new") > 0 && count(&merged, "cell", "conflict") == 0);

    // The other suite is here as it is there, whole, and its leaderboard is the same; ours is the newest still.
    let store = Store::open_reader(&ours.store()).unwrap();
    let names: Vec<_> = store.suites().unwrap().into_iter().map(|suite| suite.name).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(ours.cells(), before);
    ours.check_artifacts();
    ours.clmbench(&["db", "check", "--files"]).code(0);
    // Fits were made anew from the same cells: running the other suite here computes nothing, and gives the same board.
    let begun = ours.begun().len();
    fs::write(ours.path("suite.toml"), SUITE).unwrap();
    ours.run();
    assert_eq!(ours.begun().len(), begun, "nothing is computed again");
    assert_eq!(ours.board(), theirs.board());

    let again = ours.clmbench(&["db", "merge", &other]).code(0).stdout;
    assert!(again.ends_with("there was nothing new\n"), "{again}");
}

#[test]
fn unlike_results_are_conflicts_with_both_digests_and_status_3() {
    let (ours, theirs) = (Bench::new(SMALL), Bench::new(SMALL));
    ours.run();
    theirs.run();
    // The other machine measured something else: its result and the digest of it.
    let connection = Connection::open(theirs.store().join("store.sqlite")).unwrap();
    let (identity, output, kept): (String, String, String) = connection
        .query_row("SELECT identity, output_json, output_digest FROM cell WHERE kind = 'measure' LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    let changed = output.replacen("\"molecules\":", "\"molecules\":1", 1);
    let digest = blake3::hash(changed.as_bytes()).to_hex().to_string();
    connection
        .execute("UPDATE cell SET output_json = ?1, output_digest = ?2 WHERE identity = ?3", [&changed, &digest, &identity])
        .unwrap();
    drop(connection);
    let before = ours.cells();
    let answer = ours.clmbench(&["db", "merge", &theirs.store().display().to_string(), "--json"]).code(3);
    let row = answer.rows().into_iter().find(|row| row["state"] == "conflict").unwrap();
    assert_eq!((&row["identity"], &row["ours"], &row["theirs"]), (&identity.into(), &kept.into(), &digest.clone().into()));
    let said = ours.clmbench(&["db", "merge", &theirs.store().join("store.sqlite").display().to_string()]).code(3);
    assert!(said.stdout.contains(&format!("theirs  {digest}")) && said.stdout.contains("(kept)"), "{}", said.stdout);
    assert!(said.stderr.contains("1 thing is in both stores with unlike contents"), "{}", said.stderr);
    assert_eq!(ours.cells(), before);
}

#[test]
fn what_is_no_store_is_not_taken() {
    let bench = Bench::new(SMALL);
    bench.run();
    let cells = bench.cells();
    fs::write(bench.path("text.sqlite"), "hello").unwrap();
    fs::create_dir(bench.path("empty")).unwrap();
    let other = Connection::open(bench.path("other.sqlite")).unwrap();
    other.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(other);
    for (path, words) in [
        ("text.sqlite", "damaged or not a database"),
        ("empty", "there is no store at"),
        ("absent", "there is no store at"),
        ("other.sqlite", "of another application"),
        ("store", "this store itself"),
    ] {
        for extra in [&[][..], &["--dry-run"]] {
            let answer = bench.clmbench(&[&["db", "merge", path], extra].concat()).code(5);
            assert!(answer.stderr.contains(words), "{path}: {}", answer.stderr);
        }
    }
    assert_eq!(bench.cells(), cells);
}
