//! Kills at random moments and many cells: the integration tests of both at their full size, on the fake worker.

use std::{fs, path::Path};

use clap::Args;

use crate::{
    bench::{environment, markdown},
    cargo::{self, cargo, run},
    error::XtaskError,
};

/// Arguments of `verify crash`.
#[derive(Debug, Args)]
pub struct CrashArguments {
    /// 50 kills and 1,000 cells instead of 1,000 and 10,000: a minute instead of ten.
    #[arg(long)]
    quick: bool,
    /// Seed of the moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write the table to benchmarks/CRASHES.md.
    #[arg(long, conflicts_with = "quick")]
    write: bool,
}

/// Runs both tests, which end with an error where anything is lost, and shows what they report.
pub fn run_crashes(arguments: &CrashArguments) -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    let kills = if arguments.quick { 50 } else { 1_000 };
    let folder = checkout.join("target/bench/verify-crash");
    fs::create_dir_all(&folder).map_err(XtaskError::io("create", &folder))?;
    let crash = report_of("faults::crash::", &folder.join("crash.txt"), &checkout, (kills, arguments.seed, true))?;
    let size = report_of("size::", &folder.join("size.txt"), &checkout, (kills, arguments.seed, !arguments.quick))?;
    let text = table(&crash, &size, &environment(&checkout), arguments.seed).ok_or_else(|| {
        XtaskError::Check("the tests report in a form that this table does not know; harness/xtask/src/verify/crash.rs".into())
    })?;
    println!("\n{text}");
    if arguments.write {
        let path = checkout.join("benchmarks/CRASHES.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

/// Runs the tests of a module, and reads the lines that they write (`tests/integration/verify.rs`).
fn report_of(module: &str, file: &Path, checkout: &Path, how: (u64, u64, bool)) -> Result<Vec<String>, XtaskError> {
    let (kills, seed, full) = how;
    let _ = fs::remove_file(file); // of an earlier check; if it cannot be removed, writing it fails
    let mut command = cargo(checkout);
    command
        .args(["test", "--release", "--locked", "-p", "clmbench-tests", "--test", "integration", "--", module, "--nocapture"])
        .env("CLMBENCH_VERIFY_REPORT", file)
        .env("CLMBENCH_VERIFY_KILLS", kills.to_string())
        .env("CLMBENCH_VERIFY_SEED", seed.to_string());
    if !full {
        command.env("CLMBENCH_VERIFY_SMALL", "1");
    }
    run(command)?;
    let text = fs::read_to_string(file).map_err(XtaskError::io("read", file))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The page; none if a line is not as expected.
fn table(crash: &[String], size: &[String], environment: &str, seed: u64) -> Option<String> {
    let [about, counts, victims @ ..] = crash else { return None };
    let rows: Vec<Vec<String>> = victims
        .iter()
        .map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            let who = match words.next()?.as_str() {
                "Parent" => "`clmbench run`",
                "Worker" => "a worker",
                "Both" => "both at once",
                _ => return None,
            };
            let cells: Vec<String> = std::iter::once(who.to_owned()).chain(words).collect();
            (cells.len() == 4).then_some(cells)
        })
        .collect::<Option<_>>()?;
    let kills = markdown(&["killed by SIGKILL", "before the first cell was done", "in the middle", "at the fits"], &rows);
    let size: String = size.iter().map(|line| format!("- {line}\n")).collect();
    Some(format!(
        "# Crashes\n\nMade by `cargo xtask verify crash --seed {seed} --write` on {environment}, with the fake worker (`tests/src/bin`), whose cells\n\
         take no time. Other work on the same machine may have stretched the times.\n\n\
         ## Kills at random moments\n\n{about}; {counts}.\n\n{kills}\n\
         The check fails unless, after every kill, what was finished still is, with the same result; and at the end of every suite all rows and the\n\
         leaderboard equal those of an undisturbed run, every file has its digest, `PRAGMA integrity_check` says ok, no row refers to nothing, no\n\
         process and no temporary file or folder is left.\n\n\
         ## Many cells, some of which fail\n\n{size}\n\
         The check fails unless every planned cell is done, failed with the typed reason of the way in which it failed, or refused for the sake of one\n\
         that failed; `--retry-failed` brings the failures down to none; and then all rows equal those of a run in which nothing failed.\n"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_page_holds_what_the_tests_report() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let crash = lines("seed 1; 135 cells a suite; 2 s\nkills 6; suites 2\nParent 1 2 3\nWorker 0 0 0\nBoth 0 0 0");
        let page = table(&crash, &lines("10 cells\nrun 1: 9 done"), "a machine", 1).unwrap();
        assert!(page.contains("| `clmbench run`") && page.contains("- run 1: 9 done\n"), "{page}");
        assert_eq!(table(&lines("one line"), &[], "", 1), None);
        assert_eq!(table(&lines("a\nb\nParent 1 2"), &[], "", 1), None);
    }
}
