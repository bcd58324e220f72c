//! `status` beside a run: who computes, for how long, how far; and what it says once that process was killed.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Instant};

use clmbench_store::CellStatus;
use serde_json::Value;

use crate::bench::{Answer, Bench, SUITE, finish, wait_until};

/// The object of `status --json`.
fn status(bench: &Bench) -> Value {
    let answer: Answer = bench.clmbench(&["status", "--json"]).code(0);
    serde_json::from_str(&answer.stdout).unwrap()
}

/// Names, sizes and times of all files of a folder, but SQLite's shared memory, in which readers mark what they read.
fn files(folder: &Path) -> BTreeMap<String, (u64, std::time::SystemTime)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let shown = entries.filter(|entry| !entry.file_name().to_string_lossy().ends_with("-shm"));
    shown
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            (entry.file_name().to_string_lossy().into_owned(), (metadata.len(), metadata.modified().unwrap()))
        })
        .collect()
}

#[test]
fn a_run_is_watched_and_its_death_is_told() {
    let bench = Bench::new(SUITE);
    let slow = [("FAKE_WORKER_DELAY_MS", "1500"), ("FAKE_WORKER_ON", "\"kind\":\"pretrain\"")];
    let mut child = bench.start(&["run", "suite.toml", "--workers", "2"], &slow);
    wait_until("runs are under way", || bench.count(CellStatus::Running) == 2 && bench.count(CellStatus::Done) >= 3);

    let asked = Instant::now();
    let object = status(&bench);
    assert!(asked.elapsed().as_secs() < 10, "it waits for nobody");
    let run = &object["run"];
    assert_eq!((&run["state"], &run["holder"]["pid"]), (&"running".into(), &child.id().into()), "{run}");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(run["holder"]["host"], host.trim());
    let rows = object["rows"].as_array().unwrap();
    let of = |status: &str| rows.iter().filter(|row| row["status"] == status).collect::<Vec<_>>();
    assert_eq!(run["done"], of("done").len());
    assert_eq!(run["todo"], rows.len() - of("done").len());
    let running = of("running");
    assert!(!running.is_empty() && running.len() <= 2, "{running:?}");
    for row in &running {
        let elapsed = row["elapsed_seconds"].as_f64().unwrap();
        assert!((0.0..60.0).contains(&elapsed), "{row}");
    }
    assert!(of("todo").iter().all(|row| row["elapsed_seconds"].is_null()));
    let text = bench.clmbench(&["status"]).code(0).stdout;
    assert!(text.contains(&format!("running: process {} on {}", child.id(), host.trim())), "{text}");

    child.kill().unwrap();
    finish(child).killed();
    let before = files(&bench.store());
    let object = status(&bench);
    let run = &object["run"];
    assert_eq!(run["state"], "interrupted", "{run}");
    assert!(!run["cells"].as_array().unwrap().is_empty());
    let rows = object["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["status"] != "running"), "nobody computes");
    let interrupted = rows.iter().filter(|row| row["reason"].as_str().is_some_and(|reason| reason.starts_with("interrupted")));
    assert_eq!(interrupted.count(), run["cells"].as_array().unwrap().len());
    let text = bench.clmbench(&["status"]).code(0).stdout;
    assert!(text.contains("interrupted: process") && !text.contains("running"), "{text}");
    let key = run["cells"][0].as_str().unwrap();
    let shown = bench.clmbench(&["show", key]).code(0).stdout;
    assert!(shown.contains("status        todo") && shown.contains("interrupted: the process"), "{shown}");
    assert_eq!(files(&bench.store()), before, "looking writes nothing");

    bench.run();
    assert_eq!(status(&bench)["run"]["state"], "idle");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let bench = Bench::new(SUITE);
    let child = bench.start(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "hang")]);
    wait_until("a cell is under way", || bench.count(CellStatus::Running) >= 1);
    let script = format!("kill -INT {0}; sleep 0.05; kill -INT {0} 2> /dev/null; true", child.id());
    let stopped = Instant::now();
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    finish(child).code(130);
    assert!(stopped.elapsed().as_secs_f64() < 3.0, "{:?}", stopped.elapsed());
    // Whoever died, the next run takes over at once.
    bench.run();
}

#[test]
fn one_ctrl_c_does_not_wait_for_a_cell_that_hangs() {
    let bench = Bench::new(SUITE);
    let child = bench.start(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "hang")]);
    wait_until("a cell is under way", || bench.count(CellStatus::Running) >= 1);
    let stopped = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    finish(child).code(130);
    assert!(stopped.elapsed().as_secs_f64() < 10.0, "{:?}", stopped.elapsed());
    assert_eq!(status(&bench)["run"]["state"], "idle", "stopped in order");
}

#[test]
fn every_cell_is_listed_and_reasons_are_named() {
    let bench = Bench::new(SUITE);
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "fake/noise")]).code(3);
    let cells = bench.clmbench(&["status", "--cells"]).code(0).stdout;
    assert_eq!(cells.lines().count(), 1 + bench.cells().len(), "{cells}");
    for key in bench.cells().keys() {
        assert!(cells.lines().any(|line| line.ends_with(&format!("  {key}"))), "{key}");
    }
    let text = bench.clmbench(&["status"]).code(0).stdout;
    assert!(text.contains("plugin_error: the fake plugin says no") && !text.contains('\u{1b}'), "{text}");
}
