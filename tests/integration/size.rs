//! Many cells, of which some fail in every way there is: each is accounted for with its own typed reason, trying again
//! brings the failures down to none, and the host stays small.
//!
//! About 1,000 cells here; `cargo xtask verify crash` sets the variables of [`crate::verify`] for 10,000.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Child,
    time::Instant,
};

use clmbench_store::{CellRow, CellStatus, Store};
use clmbench_tests::chance::Way;

use crate::{
    bench::{Answer, Bench, finish},
    verify,
};

/// Failures of 1,000 cells.
const PERMILLE: u64 = 50;
/// The host's memory may grow by this much for a cell, and has this much to begin with, in KiB.
const KIB: (u64, u64) = (64 << 10, 16);

/// About 135 cells for each seed and ten checkpoints: four sizes on five corpora, six metrics.
fn suite(seeds: u64, checkpoints: u64) -> String {
    format!(
        "schema = 1\n[suite]\nname = \"size\"\nseed = 7\n[[corpus]]\nname = \"moses\"\nsizes = [500, 1000, 2000, 4000, 8000]\nheldout = 64\n\
         [[model]]\narchitecture = \"fake\"\npresets = [\"a\", \"b\", \"c\", \"d\"]\ntokens = 100000\ncheckpoints = {checkpoints}\nseeds = {seeds}\n\
         [[dataset]]\nsource = \"fake\"\nnames = [\"alpha\"]\n[[metric]]\nid = \"fake/loss\"\n[[metric]]\nid = \"fake/noise\"\n\
         [[metric]]\nselect = \"family:trivial\"\n[[protocol]]\nkind = \"probe\"\ncheckpoints = \"final\"\n"
    )
}

/// Waits for the end; also the most memory that the process had, in KiB.
fn finish_watched(child: Child) -> (Answer, u64) {
    let process = child.id();
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()) else { break };
            most = most.max(kib);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        most
    });
    (finish(child), watch.join().unwrap())
}

fn rows(bench: &Bench) -> Vec<CellRow> {
    let store = Store::open_reader(&bench.store()).unwrap();
    let suite = store.suite(None).unwrap();
    store.cells(suite.id).unwrap()
}

fn count(rows: &[CellRow], status: CellStatus) -> usize {
    rows.iter().filter(|row| row.status == status).count()
}

/// Checks every cell against what chance says of it; the number of failures in each way.
#[track_caller]
fn accounted_for(rows: &[CellRow], seed: u64) -> BTreeMap<Way, usize> {
    let mut ways = BTreeMap::new();
    let spoiled: BTreeSet<&str> = rows
        .iter()
        .filter(|row| matches!(row.status, CellStatus::Failed | CellStatus::Refused))
        .map(|row| row.key.as_str())
        .collect();
    for row in rows {
        // A finished cell may be of an earlier run, where chance was another.
        let way = row.identity.as_ref().and_then(|identity| Way::of(identity, PERMILLE, seed));
        match row.status {
            CellStatus::Failed => {
                let way = way.unwrap_or_else(|| panic!("{} failed by itself: {:?}", row.key, row.reason));
                assert_eq!(row.failure_kind.as_deref(), Some(way.kind().word().as_str()), "{way:?}: {row:?}");
                assert!(row.reason.as_ref().is_some_and(|reason| reason.len() > 10), "{row:?}");
                *ways.entry(way).or_insert(0) += 1;
            }
            CellStatus::Refused => {
                let needs = row.reason.as_deref().and_then(|reason| reason.split('`').nth(1)).unwrap();
                assert!(spoiled.contains(needs) && row.dependencies.iter().any(|key| key == needs), "{row:?}");
            }
            CellStatus::Done => assert!(row.identity.is_some() && row.reason.is_none(), "{row:?}"),
            other => panic!("{} is {}", row.key, other.word()),
        }
    }
    ways
}

#[test]
fn every_cell_of_many_is_accounted_for() {
    let (seeds, checkpoints) = if verify::wanted() { (8, 10) } else { (2, 4) };
    let limits = ["--time-limit", "5s", "--memory-limit", "300MiB", "--workers", "2"];
    let bench = Bench::new(&suite(seeds, checkpoints));
    let planned = bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows()[0]["cells"].as_u64().unwrap() as usize;
    assert!(planned > if verify::wanted() { 10_000 } else { 1_000 }, "{planned}");
    let mut report = vec![format!("{planned} cells, {} of 1,000 calls fail, in {} ways", PERMILLE, 12)];
    let mut before = usize::MAX;
    let mut first = BTreeMap::new();
    // Another seed for each try, as if the causes were passing ones; the last try has none.
    for seed in 0..20 {
        let mut arguments = vec!["run", "suite.toml"];
        arguments.extend(limits);
        if seed > 0 {
            arguments.push("--retry-failed");
        }
        let start = Instant::now();
        let (answer, kib) = finish_watched(bench.start(&arguments, &[("FAKE_WORKER_CHANCE", &format!("{PERMILLE} {seed}"))]));
        let seconds = start.elapsed().as_secs_f64();
        let rows = rows(&bench);
        let (done, failed, refused) =
            (count(&rows, CellStatus::Done), count(&rows, CellStatus::Failed), count(&rows, CellStatus::Refused));
        let answer = answer.code(if failed == 0 { 0 } else { 3 });
        assert_eq!(done + failed + refused + count(&rows, CellStatus::NotApplicable), planned, "{}", answer.stderr);
        let ways = accounted_for(&rows, seed);
        assert!(failed + refused < before, "{} unfinished after {before}", failed + refused);
        before = failed + refused;
        assert!(kib < KIB.0 + KIB.1 * planned as u64, "the host took {kib} KiB");
        report.push(format!(
            "run {}: {done} done, {failed} failed, {refused} refused; {:.1} s, host at most {} MiB",
            seed + 1,
            seconds,
            kib >> 10
        ));
        if seed == 0 {
            first = ways;
        }
        if before == 0 {
            break;
        }
    }
    assert_eq!(before, 0, "trying again brings it down to none");
    let seen: Vec<String> = first.iter().map(|(way, count)| format!("{way:?} {count}")).collect();
    report.push(format!("failures of run 1: {}", seen.join(", ")));
    assert!(first.len() >= 9, "{first:?}");
    // The same values as a run in which nothing ever failed, and what a cell costs the host there.
    let undisturbed = Bench::new(&suite(seeds, checkpoints));
    let start = Instant::now();
    let (answer, kib) = finish_watched(undisturbed.start(&["run", "suite.toml", "--workers", "2"], &[]));
    answer.code(0);
    let cell = start.elapsed().as_secs_f64() * 1e3 / planned as f64;
    report.push(format!("undisturbed: {cell:.2} ms a cell with 2 workers, host at most {} MiB", kib >> 10));
    assert_eq!(bench.cells(), undisturbed.cells());
    assert_eq!(bench.board(), undisturbed.board());
    for arguments in [
        &["run", "suite.toml"][..],
        &["plan", "suite.toml"],
        &["status"],
        &["leaderboard", "predictors"],
        &["leaderboard", "models"],
    ] {
        let start = Instant::now();
        let (answer, kib) = finish_watched(undisturbed.start(arguments, &[]));
        answer.code(0);
        let seconds = start.elapsed().as_secs_f64();
        report.push(format!("`{}` of the finished store: {seconds:.2} s, {} MiB", arguments.join(" "), kib >> 10));
        assert!(seconds < 60.0 && kib < KIB.0 + KIB.1 * planned as u64, "{arguments:?}: {seconds} s, {kib} KiB");
    }
    verify::report("size", &report);
}
