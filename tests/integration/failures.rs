//! Workers and plugins that misbehave: each costs one cell, with a readable reason in its row, and nothing else.

use clmbench_store::CellStatus;
use serde_json::Value;

use crate::bench::{Bench, SMALL};

/// Runs the small suite with a worker that misbehaves on its one metric; the row of that cell.
#[track_caller]
fn misbehave(how: &str, more: &[&str]) -> (Bench, Value) {
    let bench = Bench::new(SMALL);
    let mut arguments = vec!["run", "suite.toml"];
    arguments.extend(more);
    let answer = bench.with(&arguments, &[("FAKE_WORKER_MISBEHAVE", how), ("FAKE_WORKER_ON", "fake/noise")]).code(3);
    assert!(!answer.stdout.contains('\u{1b}') && !answer.stderr.contains('\u{1b}'), "{}\n{}", answer.stdout, answer.stderr);
    let mut rows = bench.clmbench(&["status", "--json"]).code(0).rows();
    let failed: Vec<usize> = (0..rows.len()).filter(|index| rows[*index]["status"] != "done").collect();
    assert_eq!(failed.len(), 1, "{rows:?}");
    let row = rows.swap_remove(failed[0]);
    assert_eq!((&row["status"], &row["stage"]), (&"failed".into(), &"measure".into()));
    (bench, row)
}

#[track_caller]
fn reason_of<'a>(row: &'a Value, kind: &str) -> &'a str {
    assert_eq!(row["failure_kind"], kind, "{row}");
    row["reason"].as_str().unwrap()
}

#[test]
fn a_cell_that_hangs_is_stopped_at_its_time_limit() {
    let (_, row) = misbehave("hang", &["--time-limit", "2s"]);
    assert!(reason_of(&row, "time_limit").contains("--time-limit"), "{row}");
}

#[test]
fn a_worker_that_ends_aborts_or_crashes_costs_one_cell() {
    let (_, row) = misbehave("die", &[]);
    assert!(reason_of(&row, "died").contains("status 9"), "{row}");
    let (_, row) = misbehave("abort", &[]);
    assert!(reason_of(&row, "abort").contains("SIGABRT"), "{row}");
    let (_, row) = misbehave("segfault", &[]);
    assert!(reason_of(&row, "segfault").contains("SIGSEGV"), "{row}");
}

#[test]
fn lines_that_are_no_messages_cost_one_cell() {
    for how in ["garbage", "huge_line"] {
        let (_, row) = misbehave(how, &[]);
        let reason = reason_of(&row, "protocol");
        assert!(reason.chars().count() < 600, "{}", reason.len());
    }
}

#[test]
fn a_cell_that_takes_too_much_memory_is_stopped() {
    let (_, row) = misbehave("memory", &["--memory-limit", "300MiB"]);
    assert!(reason_of(&row, "memory_limit").contains("--memory-limit"), "{row}");
}

#[test]
fn a_failed_cell_keeps_its_reason_until_it_is_tried_again() {
    let (bench, row) = misbehave("fail", &[]);
    assert!(reason_of(&row, "plugin_error").contains("the fake plugin says no"), "{row}");
    let shown = bench.clmbench(&["show", row["key"].as_str().unwrap()]).code(0);
    assert!(shown.stdout.contains("the fake plugin says no") && !shown.stdout.contains('\u{1b}'), "{}", shown.stdout);
    let begun = bench.begun().len();
    let again = bench.clmbench(&["run", "suite.toml"]).code(3);
    assert!(again.stderr.contains("says no") || again.stdout.contains("says no"), "{}\n{}", again.stdout, again.stderr);
    assert_eq!(bench.begun().len(), begun, "not tried again unasked");
    bench.clmbench(&["run", "suite.toml", "--retry-failed"]).code(0);
    assert_eq!(bench.begun().len(), begun + 1);
    assert!(bench.cells().values().all(|cell| cell.0 == CellStatus::Done));
    let row = bench.clmbench(&["show", row["key"].as_str().unwrap(), "--json"]).code(0).rows().remove(0);
    assert_eq!((&row["attempts"], &row["reason"]), (&2.into(), &Value::Null));
}

#[test]
fn what_needs_a_failed_cell_is_refused_by_name() {
    let bench = Bench::new(SMALL);
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "\"kind\":\"pretrain\"")]).code(3);
    let rows = bench.clmbench(&["status", "--json"]).code(0).rows();
    for row in &rows {
        let expected = match row["stage"].as_str().unwrap() {
            "tokenise" => "done",
            "pretrain" => "failed",
            _ => "refused",
        };
        assert_eq!(row["status"], expected, "{row}");
        if expected == "refused" {
            assert!(row["reason"].as_str().unwrap().contains("needs `"), "{row}");
        }
    }
    bench.clmbench(&["run", "suite.toml", "--retry-failed"]).code(0);
    assert!(bench.cells().values().all(|cell| cell.0 == CellStatus::Done));
}

#[test]
fn a_diverged_run_is_no_failure_and_what_needs_it_is_refused() {
    let bench = Bench::new(SMALL);
    let only_the_run = "\"tokens\":1000,";
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "diverge"), ("FAKE_WORKER_ON", only_the_run)]).code(0);
    let rows = bench.clmbench(&["status", "--json"]).code(0).rows();
    let run = rows.iter().find(|row| row["key"].as_str().unwrap().starts_with("pretrain/")).unwrap();
    assert_eq!(run["status"], "diverged");
    let measure = rows.iter().find(|row| row["stage"] == "measure").unwrap();
    assert_eq!(measure["status"], "refused");
    assert!(measure["reason"].as_str().unwrap().contains("diverged"), "{measure}");
}

#[test]
fn a_worker_of_another_version_or_none_at_all_is_the_environments_fault() {
    let bench = Bench::new(SMALL);
    let answer = bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "version")]).code(4);
    assert!(answer.stderr.contains("protocol"), "{}", answer.stderr);
    let answer = bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "absent")]).code(4);
    assert!(answer.stderr.contains("worker"), "{}", answer.stderr);
    let absent = bench.path("absent");
    let answer = bench.with(&["run", "suite.toml"], &[("CLMBENCH_WORKER", absent.to_str().unwrap())]).code(4);
    assert!(answer.stderr.contains(absent.to_str().unwrap()), "{}", answer.stderr);
    bench.run();
}

#[test]
fn wrong_suites_are_refused_with_their_line() {
    for (from, to, expected) in [
        ("seed = 7", "seeed = 7", "seed"),
        ("fake/noise", "fake/noice", "fake/noise"),
        ("presets = [\"a\"]", "presets = [\"e\"]", "a"),
        ("names = [\"alpha\"]", "names = [\"alfa\"]", "alpha"),
    ] {
        let bench = Bench::new(&SMALL.replace(from, to));
        for command in ["plan", "run"] {
            let answer = bench.clmbench(&[command, "suite.toml"]).code(2);
            assert!(answer.stderr.contains("suite.toml:") && answer.stderr.contains(expected), "{}", answer.stderr);
            assert!(answer.stdout.is_empty());
        }
        assert!(bench.begun().is_empty());
    }
}

#[test]
fn a_broken_plugin_is_named_and_the_others_go_on() {
    let bench = Bench::new(SMALL);
    let folder = bench.path("plugins/broken");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("plugin.toml"), "name = \"broken\"\nversion = \"0.1.0\"\nlibrary = \"libbroken.so\"\n").unwrap();
    std::fs::write(folder.join("libbroken.so"), "no library").unwrap();
    let answer = bench.run();
    assert!(answer.stderr.contains("libbroken.so"), "{}", answer.stderr);
}
