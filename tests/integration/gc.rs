//! `gc`: what no suite refers to goes, whatever a suite refers to stays, and a kill at the worst moment costs nothing.

use std::{collections::BTreeSet, fs};

use clmbench_protocol::fault;
use clmbench_store::Store;
use serde_json::Value;

use crate::bench::{Answer, Bench, SMALL, finish, wait_until};

/// A second suite that shares all of the small one's cells but has one more metric.
fn larger() -> String {
    let more = SMALL.replace("name = \"small\"", "name = \"larger\"");
    more.replace("id = \"fake/noise\"", "id = \"fake/noise\"\n[[metric]]\nid = \"fake/loss\"")
}

/// A bench with both suites computed.
fn both() -> Bench {
    let bench = Bench::new(SMALL);
    bench.run();
    fs::write(bench.path("larger.toml"), larger()).unwrap();
    bench.clmbench(&["run", "larger.toml"]).code(0);
    bench
}

fn names(rows: &[Value], kind: &str) -> Vec<String> {
    rows.iter().filter(|row| row["kind"] == kind).map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// Identities with an artifact folder.
fn folders(bench: &Bench) -> BTreeSet<String> {
    let entries = fs::read_dir(bench.store().join("artifacts")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Identities of the cells of the newest suite.
fn identities(bench: &Bench) -> BTreeSet<String> {
    bench.cells().into_values().filter_map(|cell| cell.1).collect()
}

/// `PRAGMA integrity_check` and `foreign_key_check`, by opening as after a crash.
fn is_whole(bench: &Bench) {
    drop(Store::open_writer(&bench.store()).unwrap());
    bench.check_artifacts();
}

#[test]
fn a_clean_store_keeps_everything() {
    let bench = Bench::new(SMALL);
    bench.run();
    let (cells, before) = (bench.cells(), folders(&bench));
    let answer = bench.clmbench(&["gc", "--json"]).code(0);
    let rows = answer.rows();
    // Worker logs are of workers that are gone.
    assert!(rows.iter().all(|row| row["kind"] == "log" && row["name"].as_str().unwrap().starts_with("worker-")), "{rows:?}");
    assert_eq!(bench.clmbench(&["gc"]).code(0).stdout, "nothing to remove: every file of the store belongs to a suite\n");
    assert_eq!((bench.cells(), folders(&bench)), (cells, before));
    assert_eq!(bench.clmbench(&["gc", "--json"]).code(0).rows().len(), 0);
}

#[test]
fn a_forgotten_suite_takes_only_what_is_its_own() {
    let bench = both();
    fs::write(bench.path("suite.toml"), larger()).unwrap();
    let begun = bench.begun().len();
    let dry = bench.clmbench(&["gc", "--dry-run", "--forget-suite", "larger", "--json"]).code(0).rows();
    assert_eq!((names(&dry, "suite"), names(&dry, "cell").len()), (vec!["larger".to_owned()], 1), "{dry:?}");
    assert_eq!(names(&dry, "artifacts"), names(&dry, "cell"));
    assert!(dry.iter().all(|row| row["removed"] == false));
    let text = bench.clmbench(&["gc", "--dry-run", "--forget-suite", "larger"]).code(0).stdout;
    assert!(text.ends_with("`clmbench gc --forget-suite larger` does\n"), "{text}");
    assert!(folders(&bench).contains(&names(&dry, "cell")[0]), "a dry run removes nothing");

    let rows = bench.clmbench(&["gc", "--forget-suite", "larger", "--json"]).code(0).rows();
    let gone = names(&rows, "cell").remove(0);
    assert!(rows.iter().all(|row| row["removed"] == true));
    assert!(!folders(&bench).contains(&gone) && !bench.store().join("logs").join(format!("{gone}.log")).exists());
    bench.clmbench(&["show", &gone]).code(2);
    bench.clmbench(&["status", "--suite", "larger"]).code(2);
    let small = bench.clmbench(&["status", "--suite", "small", "--json"]).code(0).rows();
    assert!(small.iter().all(|row| row["status"] == "done"), "the other suite is whole");
    is_whole(&bench);

    // What is needed again is computed again, and nothing else.
    bench.run();
    assert_eq!(bench.begun().len(), begun + 1);
    assert!(folders(&bench).contains(&gone), "the same definition, the same identity");
}

#[test]
fn an_edited_suite_leaves_its_earlier_version_until_it_is_forgotten() {
    let bench = Bench::new(SMALL);
    bench.run();
    let old = identities(&bench);
    fs::write(bench.path("suite.toml"), SMALL.replace("seed = 7", "seed = 8")).unwrap();
    bench.run();
    assert_eq!(names(&bench.clmbench(&["gc", "--json"]).code(0).rows(), "cell").len(), 0, "both versions are stored");
    let unknown = bench.clmbench(&["gc", "--forget-suite", "smal"]).code(2);
    assert!(unknown.stderr.contains("`smal`") && unknown.stderr.contains("`small`"), "{}", unknown.stderr);
    let rows = bench.clmbench(&["gc", "--forget-suite", "small", "--json"]).code(0).rows();
    assert_eq!(names(&rows, "suite"), ["small", "small"]);
    assert!(old.is_subset(&names(&rows, "cell").into_iter().collect()));
    assert!(folders(&bench).is_empty() && fs::read_dir(bench.store().join("logs")).unwrap().count() == 0);
    is_whole(&bench);
    bench.clmbench(&["status"]).code(2);
    bench.run();
}

#[test]
fn strays_go_and_what_a_run_goes_on_from_stays() {
    let bench = Bench::new(SMALL);
    let stopped =
        bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "die"), ("FAKE_WORKER_ON", "\"kind\":\"pretrain\"")]);
    stopped.code(3);
    let store = bench.store();
    let cells = bench.cells();
    let identity = |start: &str| cells.iter().find(|(key, _)| key.starts_with(start)).unwrap().1.1.clone().unwrap();
    let (run, tokens) = (identity("pretrain/"), identity("tokenise/"));
    let write = |path: &str| {
        let path = store.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "stray").unwrap();
    };
    let kept = format!("work/{run}/state/newest.json");
    write(&kept);
    write(&format!("work/{tokens}/half"));
    write("work/0123/half");
    write(&format!("artifacts/{tokens}/state/old"));
    write("artifacts/4567/cell.json");
    write("logs/89ab.log");
    let rows = bench.clmbench(&["gc", "--json"]).code(0).rows();
    assert_eq!(names(&rows, "work").into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["0123".to_owned(), tokens.clone()]));
    assert_eq!(names(&rows, "leftover"), [format!("{tokens}/state")]);
    assert_eq!(names(&rows, "artifacts"), ["4567"]);
    assert!(names(&rows, "log").contains(&"89ab.log".to_owned()));
    assert!(store.join(kept).exists(), "a pretraining goes on from its state");
    assert!(store.join("logs").join(format!("{run}.log")).exists(), "the log of a failed cell stays");
    is_whole(&bench);
    bench.clmbench(&["run", "suite.toml", "--retry-failed"]).code(0);
}

#[test]
fn never_beside_a_run() {
    let bench = Bench::new(SMALL);
    let child = bench.start(&["run", "suite.toml"], &[("FAKE_WORKER_DELAY_MS", "500")]);
    wait_until("the run begins", || !bench.begun().is_empty());
    for arguments in [&["gc"][..], &["gc", "--dry-run"], &["gc", "--forget-suite", "small"]] {
        let answer: Answer = bench.clmbench(arguments).code(5);
        assert!(answer.stderr.contains(&format!("process {}", child.id())), "{}", answer.stderr);
        assert!(answer.stdout.is_empty());
    }
    finish(child).code(0);
}

#[test]
fn no_store_is_made_to_be_cleaned() {
    let bench = Bench::new(SMALL);
    for arguments in [&["gc"][..], &["gc", "--dry-run"]] {
        let answer = bench.clmbench(arguments).code(5);
        assert!(answer.stderr.contains("there is no store at"), "{}", answer.stderr);
    }
    assert!(!bench.store().exists());
}

#[test]
fn killed_at_each_named_point_nothing_that_is_needed_is_lost() {
    for point in fault::GC_POINTS {
        let bench = both();
        fs::create_dir_all(bench.store().join("work/0123")).unwrap();
        let small = bench.clmbench(&["leaderboard", "models", "--suite", "small", "--json"]).code(0).rows();
        bench.with(&["gc", "--forget-suite", "larger"], &[(fault::VARIABLE, point)]).killed();
        is_whole(&bench);
        assert_eq!(bench.clmbench(&["leaderboard", "models", "--suite", "small", "--json"]).code(0).rows(), small, "{point}");
        // Before the rows went, the suite is still there and asked for again; afterwards only files are left.
        let there = bench.clmbench(&["status", "--suite", "larger"]).status.success();
        assert_eq!(there, point != "gc_after_rows", "{point}");
        let again = if there { &["gc", "--forget-suite", "larger"][..] } else { &["gc"] };
        bench.clmbench(again).code(0);
        is_whole(&bench);
        let used = identities(&bench);
        assert_eq!(folders(&bench), used, "{point}: what is left is used");
        bench.run();
        bench.clmbench(&["run", "larger.toml"]).code(0);
        bench.check_artifacts();
    }
}
