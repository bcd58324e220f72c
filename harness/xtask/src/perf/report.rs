//! Time and size of the page of a suite of 10,000 cells.

use std::{
    fs,
    process::{Command, Stdio},
    time::Instant,
};

use super::ReportArguments;
use crate::{
    bench::{environment, markdown, median},
    cargo::{self, run, run_cargo},
    error::XtaskError,
};

/// Seconds allowed.
const ALLOWED_SECONDS: f64 = 10.0;
/// Bytes allowed.
const ALLOWED_BYTES: u64 = 5_000_000;
/// Rounds.
const ROUNDS: usize = 5;

pub fn run_all(arguments: &ReportArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let target = cargo::metadata(&checkout, false)?.target_directory;
    let folder = target.join("bench/report");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(XtaskError::io("remove", &folder))?;
    }
    fs::create_dir_all(&folder).map_err(XtaskError::io("create", &folder))?;
    let store = folder.join("store");
    fs::create_dir(&store).map_err(XtaskError::io("create", &store))?;
    println!("xtask: a made-up suite");
    let place = store.to_string_lossy().into_owned();
    let example = ["run", "--release", "--locked", "-q", "-p", "clmbench-analysis", "--example", "large_suite", "--", &place];
    run_cargo(&checkout, &example)?;
    let (page, figures) = (folder.join("page.html"), folder.join("figures"));
    let report = |with_figures: bool| {
        let mut command = Command::new(target.join("release/clmbench"));
        command.arg("--store").arg(&store).arg("report").arg("--out").arg(&page).stdout(Stdio::null());
        if with_figures {
            command.arg("--figures").arg(&figures);
        }
        let start = Instant::now();
        run(command).map(|()| start.elapsed().as_secs_f64())
    };
    let plain = (0..ROUNDS).map(|_| report(false)).collect::<Result<Vec<f64>, _>>()?;
    let drawn = (0..ROUNDS).map(|_| report(true)).collect::<Result<Vec<f64>, _>>()?;
    let bytes = fs::metadata(&page).map_err(XtaskError::io("read", &page))?.len();
    let files = fs::read_dir(&figures).map_err(XtaskError::io("read", &figures))?.count();
    let rows = [
        ("page, seconds", format!("{:.2}", median(&plain)), format!("{ALLOWED_SECONDS}")),
        ("page and figures as files, seconds", format!("{:.2}", median(&drawn)), format!("{ALLOWED_SECONDS}")),
        ("page, MB", format!("{:.2}", bytes as f64 / 1e6), format!("{}", ALLOWED_BYTES / 1_000_000)),
        ("files of figures", files.to_string(), String::new()),
    ];
    let rows: Vec<Vec<String>> = rows.map(|(what, found, allowed)| vec![what.to_owned(), found, allowed]).into();
    let text = format!(
        "# Time and size of the report\n\nMade by `cargo xtask perf report --write` on {}.\n\nA made-up store of 10,010 cells: 100 runs, 81 metrics, \
         9 tasks under both protocols, 1,458 fits of 100 points, 163,000 statistics\n(`harness/analysis/examples/large_suite.rs`). Medians of {ROUNDS} \
         rounds, each a process of its own that opens the database anew.\n\n{}",
        environment(&checkout),
        markdown(&["what", "found", "allowed"], &rows)
    );
    println!("\n{text}");
    if arguments.write {
        let path = checkout.join("benchmarks/perf/REPORT.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    if median(&drawn) > ALLOWED_SECONDS || bytes > ALLOWED_BYTES {
        return Err(XtaskError::Check(format!(
            "{:.2} s and {bytes} bytes; {ALLOWED_SECONDS} s and {ALLOWED_BYTES} are allowed",
            median(&drawn)
        )));
    }
    Ok(())
}
