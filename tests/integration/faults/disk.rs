//! A full disk: a small file system of its own, full at every moment; the run goes on once there is room.

use std::fs;

use super::{Page, SUITE, may_mount, mounted};
use crate::bench::{Answer, Bench};

const RUN: &[&str] = &["run", "suite.toml", "--workers", "1"];

/// Runs twice in one namespace: with `store` on a file system of 8 MiB of which `free` KiB are free, and after the filler is removed.
/// What the first run said and its status, and the second run's answer.
fn full(bench: &Bench, place: &str, free: u64, variables: &[(&str, &str)], second: &str) -> (Answer, Answer) {
    fs::create_dir_all(bench.path(place)).unwrap();
    let mounts = format!(
        "mount -t tmpfs -o size=8m none {place}\ndd if=/dev/zero of={place}/filler bs=1024 count={} 2>/dev/null || true\n\
         code=0; FAKE_WORKER_MISBEHAVE=$FIRST \"$0\" \"$@\" >first.out 2>first.err || code=$?\necho $code >first.code\n\
         rm -f {place}/filler; {second}",
        8 * 1024 - free
    );
    let mut variables = variables.to_vec();
    if !variables.iter().any(|(name, _)| *name == "FIRST") {
        variables.push(("FIRST", ""));
    }
    let answer = mounted(
        bench,
        &mounts.replace("FAKE_WORKER_MISBEHAVE=$FIRST", "env ${FIRST:+FAKE_WORKER_MISBEHAVE=$FIRST}"),
        RUN,
        &variables,
    );
    let read = |name: &str| fs::read_to_string(bench.path(name)).unwrap_or_default();
    let code: i32 = read("first.code").trim().parse().unwrap_or_else(|_| panic!("{}\n{}", answer.stdout, answer.stderr));
    let status = std::os::unix::process::ExitStatusExt::from_raw(code << 8);
    (Answer { status, stdout: read("first.out"), stderr: read("first.err") }, answer)
}

/// The leaderboard that an answer holds: the lines of standard output.
fn board(answer: &Answer) -> String {
    let rows = answer.stdout.lines().filter(|line| line.starts_with("fake/"));
    // Without the time that a cell took.
    rows.map(|line| line.split_whitespace().take(11).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_disk_of_the_store_is_full() {
    if !may_mount() {
        return;
    }
    let mut page = Page::new("Disk: the store's is full");
    let undisturbed = Bench::new(SUITE).run();
    for free in [0, 16, 64, 128, 200, 256, 320, 400, 500] {
        let bench = Bench::new(SUITE);
        let (first, second) = full(&bench, "store", free, &[], "");
        let code = first.status.code().unwrap();
        // What is said depends on which write met the end; it must be the disk, in words.
        let words = ["full", "No space left", "disk I/O error"];
        if code != 0 {
            assert!(matches!(code, 3 | 5), "{free} KiB: {code}\n{}", first.stderr);
            assert!(words.iter().any(|words| first.stderr.contains(words)), "{free} KiB:\n{}", first.stderr);
        }
        assert!(!first.stderr.contains("panicked"), "{}", first.stderr);
        if free == 0 {
            page.note("nothing is free", &bench, RUN, first, 5);
        }
        // A cell that failed for want of room has failed by itself, and waits for --retry-failed.
        assert!(matches!((code, second.status.code()), (_, Some(0)) | (3, Some(3))), "{free} KiB: {}", second.stderr);
        if second.status.code() == Some(0) {
            assert_eq!(board(&second), board(&undisturbed), "{free} KiB");
        }
    }
    page.hold();
}

#[test]
fn the_disk_fills_while_a_cell_is_computed() {
    if !may_mount() {
        return;
    }
    let mut page = Page::new("Disk: full while a cell is computed");
    let bench = Bench::new(SUITE);
    let variables = [("FIRST", "fill"), ("FAKE_WORKER_ON", "\"kind\":\"pretrain\"")];
    let (first, second) = full(&bench, "store", 4_000, &variables, "set -- \"$@\" --retry-failed");
    let code = first.status.code().unwrap();
    page.note("by pretraining", &bench, RUN, first, code);
    page.note("by pretraining, and again once there is room", &bench, RUN, second, 0);
    page.hold();
}

#[test]
fn the_disk_of_the_cache_is_full() {
    let source = clmbench_fetch::catalogue::moses_train();
    let theirs = clmbench_fetch::Fetcher::new(clmbench_fetch::cache_dir().unwrap());
    let wheel = theirs.wheel_path(&clmbench_fetch::Wheel::of(source.wheel.as_ref().unwrap()).unwrap());
    if !may_mount() || !wheel.is_file() {
        println!("skipped: needs mounts and {}", wheel.display());
        return;
    }
    let mut page = Page::new("Disk: the cache's is full");
    let bench = Bench::new(SUITE);
    fs::remove_file(bench.path("cache/data")).unwrap(); // the link to the user's own
    let mirror = wheel.parent().unwrap().to_str().unwrap();
    let (first, second) = full(&bench, "cache", 1_000, &[("CLMBENCH_MIRROR", mirror)], "mount -o remount,size=200m cache");
    page.note("while a wheel is fetched", &bench, RUN, first, 4);
    page.note("while a wheel is fetched, and again once there is room", &bench, RUN, second, 0);
    page.hold();
}
