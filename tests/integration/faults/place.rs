//! Where and how the command is started: variables, paths, clocks, closed ends, a worker that cannot start.

use std::{
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt as _, fs::PermissionsExt as _},
};

use rusqlite::Connection;

use super::{Page, SUITE, shell};
use crate::bench::{Bench, finish};

const RUN: &[&str] = &["run", "suite.toml"];
const PLAN: &[&str] = &["plan", "suite.toml"];
const STATUS: &[&str] = &["status"];

#[test]
fn variables_that_are_missing_or_wrong() {
    let mut page = Page::new("Place: variables");
    let bench = Bench::new(SUITE);
    let without = |names: &[&str], arguments: &[&str]| {
        let mut command = bench.command(arguments);
        names.iter().for_each(|name| {
            command.env_remove(name);
        });
        finish(command.spawn().unwrap())
    };
    for arguments in [PLAN, RUN] {
        page.note(
            "HOME and the cache's variables are not set",
            &bench,
            arguments,
            without(&["HOME", "CLMBENCH_CACHE"], arguments),
            4,
        );
    }
    page.note("HOME is not set, CLMBENCH_CACHE is", &bench, RUN, without(&["HOME"], RUN), 0);
    page.fault("TMPDIR is not there", &bench, RUN, &[("TMPDIR", "/no/such/folder")], 0);
    for locale in ["C", "xx_YY.nothing"] {
        let answer = bench.with(&["leaderboard", "models"], &[("LC_ALL", locale)]);
        assert!(answer.stdout.is_ascii(), "{}", answer.stdout);
        page.note(&format!("locale {locale}"), &bench, &["leaderboard", "models"], answer, 0);
    }
    for columns in ["0", "7", "many", "99999999999"] {
        bench.with(&["leaderboard", "models"], &[("COLUMNS", columns)]).code(0);
    }
    page.hold();
}

#[test]
fn ends_that_are_closed() {
    let mut page = Page::new("Place: closed ends");
    let bench = Bench::new(SUITE);
    let closed =
        |how: &str, arguments: &[&str]| shell(&bench, &["sh", "-c", &format!("exec \"$0\" \"$@\" {how}")], arguments, &[]);
    page.note("standard input is closed", &bench, RUN, closed("<&-", RUN), 0);
    page.note("standard output is closed", &bench, STATUS, closed(">&-", STATUS), 0);
    page.note("standard error is closed", &bench, STATUS, closed("2>&-", STATUS), 0);
    page.note("all are closed", &bench, RUN, closed("<&- >&- 2>&-", RUN), 0);
    if std::path::Path::new("/dev/full").exists() {
        page.note("the disk of standard output is full", &bench, STATUS, closed(">/dev/full", STATUS), 4);
    }
    page.hold();
}

#[test]
fn paths_of_all_kinds() {
    let bench = Bench::new(SUITE);
    let long = (0..20).map(|_| "a folder with a rather long name ".repeat(5)).collect::<Vec<_>>().join("/");
    let names: [OsString; 5] = [
        "a store of mine".into(),
        "100% #1? 'quoted' \"twice\" $HOME `x` ü 分子".into(),
        OsString::from_vec(b"not-utf-8-\xff\xfe".to_vec()),
        "new\nline".into(),
        long.into(),
    ];
    let mut first = None;
    for name in names {
        let store = bench.path("").join(&name);
        for arguments in [RUN, STATUS, &["leaderboard", "predictors", "--json"], RUN] {
            let mut command = bench.command(arguments);
            let answer = finish(command.env("CLMBENCH_STORE", &store).spawn().unwrap());
            assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
            // Requests to workers are JSON, which holds only Unicode; a path of another kind is refused in words.
            if name.to_str().is_none() {
                let answer = answer.code(5);
                assert!(answer.stderr.contains("--store"), "{}", answer.stderr);
                continue;
            }
            // SQLite takes no path of more than 511 bytes.
            if store.as_os_str().len() > 500 {
                let answer = answer.code(5);
                assert!(answer.stderr.contains("--store"), "{}", answer.stderr);
                continue;
            }
            let rows = answer.code(0);
            if arguments.contains(&"--json") {
                let rows: Vec<String> = rows.rows().iter().map(|row| format!("{} {}", row["metric"], row["n"])).collect();
                assert_eq!(first.get_or_insert_with(|| rows.clone()), &rows);
            }
        }
    }
}

#[test]
fn a_store_that_was_moved() {
    let bench = Bench::new(SUITE);
    bench.run();
    let (cells, board, begun) = (bench.cells(), bench.board(), bench.begun().len());
    fs::rename(bench.store(), bench.path("moved")).unwrap();
    fs::create_dir(bench.path("elsewhere")).unwrap();
    fs::rename(bench.path("moved"), bench.path("elsewhere/store")).unwrap();
    std::os::unix::fs::symlink(bench.path("elsewhere/store"), bench.store()).unwrap();
    bench.run();
    assert_eq!(bench.begun().len(), begun, "nothing is computed again");
    assert_eq!((bench.cells(), bench.board()), (cells, board));
    fs::write(bench.path("suite.toml"), SUITE.replace("fake/loss", "fake/noise")).unwrap();
    bench.run();
    assert_eq!(bench.begun().len(), begun + 1);
    bench.check_artifacts();
}

#[test]
fn a_clock_that_went_backwards() {
    // As if everything had been computed in a year to come.
    let bench = Bench::new(SUITE);
    bench.run();
    let (cells, begun) = (bench.cells(), bench.begun().len());
    let database = Connection::open(bench.store().join("store.sqlite")).unwrap();
    database.execute_batch("UPDATE cell SET started = '2199-01-01T00:00:00Z', finished = '2199-01-01T00:00:01Z'; UPDATE suite SET created = '2199-01-01T00:00:00Z'").unwrap();
    database.close().unwrap();
    for cell in cells.values() {
        let report = bench.store().join("artifacts").join(cell.1.as_ref().unwrap()).join("cell.json");
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5_000_000_000);
        fs::File::options().write(true).open(report).unwrap().set_modified(later).unwrap();
    }
    for arguments in [STATUS, &["status", "--json"], &["leaderboard", "models"], PLAN] {
        bench.clmbench(arguments).code(0);
    }
    fs::write(bench.path("suite.toml"), SUITE.replace("fake/loss", "fake/noise")).unwrap();
    bench.run();
    assert_eq!(bench.begun().len(), begun + 1, "only what is new");
    bench.clmbench(&["leaderboard", "predictors"]).code(0);
}

#[test]
fn a_worker_that_cannot_start() {
    let mut page = Page::new("Place: the worker");
    let bench = Bench::new(SUITE);
    let worker = bench.path("worker");
    let variables = [("CLMBENCH_WORKER", worker.to_str().unwrap())];
    let doctor = || {
        let answer = bench.with(&["doctor"], &variables).code(4);
        let lines: Vec<&str> = answer.stdout.lines().skip_while(|line| !line.contains("worker")).take(2).collect();
        assert!(lines[0].contains("worker") && answer.stdout.contains("cargo xtask"), "{}", answer.stdout);
    };
    let script = "#!/bin/sh\necho \"$0: error while loading shared libraries: libtorch_cpu.so: cannot open shared object file\" >&2\nexit 127\n";
    for (fault, text, mode) in [
        ("it is not there", None, 0),
        ("it may not be executed", Some(script), 0o644),
        ("it is no program", Some("\u{1}\u{2}\u{3}"), 0o755),
        ("libtorch is not there", Some(script), 0o755),
    ] {
        if let Some(text) = text {
            fs::write(&worker, text).unwrap();
            fs::set_permissions(&worker, fs::Permissions::from_mode(mode)).unwrap();
        }
        doctor();
        for arguments in [PLAN, RUN] {
            page.fault(&format!("{fault}, plugins not yet described"), &bench, arguments, &variables, 4);
        }
    }
    page.hold();
}
