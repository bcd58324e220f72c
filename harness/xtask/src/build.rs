//! Builds everything, installs the plugins, and runs the demo or another suite.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{
    cargo::{self, run_cargo},
    error::XtaskError,
    plugins, record,
};

/// Builds the workspace and installs its plugins beside the executables.
pub fn run() -> Result<(), XtaskError> {
    let checkout = cargo::checkout()?;
    run_cargo(&checkout, &["build", "--release", "--locked", "--workspace"])?;
    plugins::install(&checkout, &cargo::metadata(&checkout, false)?, &[plugins::PLUGINS])
}

/// Says where the program is and how to call it from anywhere.
pub fn next_step() -> Result<(), XtaskError> {
    let folder = cargo::metadata(&cargo::checkout()?, false)?.target_directory.join("release");
    println!("xtask: the program is {}; to call it from anywhere:", folder.join("clmbench").display());
    println!("  export PATH=\"{}:$PATH\"", folder.display());
    Ok(())
}

/// Builds, then runs the suite of this file to its leaderboards; `record` also writes them to `results/<date>-<suite>/`.
pub fn demo(store: Option<&Path>, suite: &Path, record: bool) -> Result<(), XtaskError> {
    run()?;
    let checkout = cargo::checkout()?;
    let target = cargo::metadata(&checkout, false)?.target_directory;
    let executable = target.join("release/clmbench");
    let store = store.map_or_else(|| demo_store(&target), |store| Ok(store.to_owned()))?;
    let advice = "suites are in benchmarks/suites; the path is relative to the checkout";
    if !checkout.join(suite).is_file() {
        return Err(XtaskError::Missing { path: suite.to_owned(), advice });
    }
    let clmbench = |words: &[&str]| {
        let mut command = Command::new(&executable);
        command.current_dir(&checkout).args(words).arg("--store").arg(&store);
        println!("\nxtask: clmbench {} --store {}", words.join(" "), store.display());
        cargo::run(command)
    };
    let started = Instant::now();
    let file = suite.to_string_lossy();
    let ran = clmbench(&["run", &file]);
    // 3: finished, with failed cells. There is something to show, and the status says so in the end.
    if !matches!(ran, Ok(()) | Err(XtaskError::Child { code: 3, .. })) {
        return ran;
    }
    clmbench(&["leaderboard", "models"])?;
    let seconds = started.elapsed().as_secs_f64();
    println!("\nxtask: {file}: {seconds:.0} s after the build; results in {}", store.display());
    if record {
        let folder = record::record(&checkout, &executable, &store, suite)?;
        println!("xtask: recorded in {}", folder.display());
    }
    ran
}

/// A store of its own for each build, since results of other code must not be mixed: named by what computes them.
fn demo_store(target: &Path) -> Result<PathBuf, XtaskError> {
    let release = target.join("release");
    let mut hasher = DefaultHasher::new();
    clmbench_fetch::sha256_file(&release.join("clmbench-worker"))?.hash(&mut hasher);
    for library in plugins::installed(&release, plugins::PLUGINS)? {
        clmbench_fetch::sha256_file(&library)?.hash(&mut hasher);
    }
    Ok(target.join("demo-store").join(format!("{:016x}", hasher.finish())))
}
