//! Everything that must hold, cheapest first.

use std::time::Instant;

use crate::{
    cargo::{self, run_cargo},
    error::XtaskError,
    plugins, tidy,
};

/// House rules, format, build, lint, tests.
pub fn run() -> Result<(), XtaskError> {
    let started = Instant::now();
    let checkout = cargo::checkout()?;
    tidy::run(&checkout)?;
    run_cargo(&checkout, &["fmt", "--all", "--check"])?;
    // All targets at once, so that nothing is built a second time with other features for the tests.
    run_cargo(&checkout, &["build", "--release", "--locked", "--workspace", "--all-targets"])?;
    let metadata = cargo::metadata(&checkout, false)?;
    plugins::install(&checkout, &metadata, &[plugins::PLUGINS, plugins::TEST_PLUGINS])?;
    run_cargo(&checkout, &["clippy", "--release", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    println!("xtask: {:.0} s up to the tests", started.elapsed().as_secs_f64());
    run_cargo(&checkout, &["test", "--release", "--locked", "--workspace", "--no-fail-fast"])
}
