//! Set-up, build, demo, tests and house rules of this repository: `cargo xtask <command>`.
//!
//! Depends on nothing that needs libtorch, because it is what puts libtorch there.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "with the cli the only crate that prints")]

mod bench;
mod build;
mod cargo;
mod error;
mod families;
mod perf;
mod plugins;
mod record;
mod setup;
mod show;
mod test;
mod tidy;
mod tools;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{error::XtaskError, setup::Variant};

/// Set-up, build, demo and tests of this repository.
///
/// On a fresh machine with rustup, a C++ compiler and python3 with pip, one command
/// is enough:
///
///   cargo xtask demo     from nothing to a leaderboard
///   cargo xtask test     from nothing to every test passed
///
/// Both call `setup` first, which does nothing where everything is there. After it,
/// plain `cargo build --release` works too. All commands use the release profile,
/// so that libtorch's bindings are compiled once.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", verbatim_doc_comment, max_term_width = 110, after_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Environment:
  CLMBENCH_CACHE    where downloads and libtorch are kept (default: the user's cache)
  CLMBENCH_MIRROR   folder or URL that holds the wheels by name, used instead of pip
  LIBTORCH          a libtorch 2.11.0 of your own, linked instead of a download

Exit status: 0 done; 1 house rules broken or a check of `verify` not held; 2 usage; 4 something is missing on this
machine; otherwise that of the command that failed.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch libtorch and the data, check every hash, link third_party/libtorch.
    ///
    /// May be run again at any time: what is there is kept, what is broken is fetched again, what was interrupted
    /// goes on. Takes 545 MB of downloads and about 1.1 GB of disk the first time, and under a second afterwards.
    Setup(SetupArguments),
    /// Set up, build everything, install the plugins into target/release/plugins.
    Build(SetupArguments),
    /// Build, then run a suite, benchmarks/suites/demo.toml, to its two leaderboards.
    Demo {
        #[command(flatten)]
        setup: SetupArguments,
        /// Folder for the results; a finished cell in it is not computed again.
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
        /// Another suite, such as benchmarks/suites/scaling.toml; relative to the checkout.
        #[arg(long, value_name = "FILE", default_value = "benchmarks/suites/demo.toml")]
        suite: PathBuf,
        /// Also write suite, tables, rows, report and environment to results/<date>-<suite>/.
        #[arg(long)]
        record: bool,
    },
    /// Set up, check house rules and format, build, lint, run every test.
    Test(SetupArguments),
    /// Build, then measure speed; minutes, with nothing else running.
    Perf {
        #[command(flatten)]
        setup: SetupArguments,
        /// What to time.
        #[command(subcommand)]
        what: perf::Perf,
    },
    /// Build, then run a slow check; its table is committed in benchmarks/.
    Verify {
        #[command(flatten)]
        setup: SetupArguments,
        /// What to check.
        #[command(subcommand)]
        what: verify::Verify,
    },
    /// Check the house rules: who may depend on whom, where unsafe and printing may be, file sizes, layout.
    ///
    /// One line for each rule, and file:line for each offence. Needs neither libtorch nor a build.
    Tidy,
}

#[derive(Debug, Clone, Args)]
struct SetupArguments {
    /// Take the libtorch with CUDA (2.6 GB to download); later set-ups keep it.
    #[arg(long, conflicts_with = "cpu")]
    cuda: bool,
    /// Go back to the libtorch without CUDA.
    #[arg(long)]
    cpu: bool,
    /// Download nothing: use only what is in the cache (or in a mirror folder).
    #[arg(long)]
    offline: bool,
}

impl SetupArguments {
    fn run(&self) -> Result<(), XtaskError> {
        let variant = match (self.cuda, self.cpu) {
            (true, _) => Variant::Cuda,
            (_, true) => Variant::Cpu,
            _ => Variant::AsLinked,
        };
        setup::run(&cargo::checkout()?, variant, self.offline)
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup(setup) => setup.run(),
        Command::Build(setup) => setup.run().and_then(|()| build::run()).and_then(|()| build::next_step()),
        Command::Demo { setup, store, suite, record } => setup.run().and_then(|()| build::demo(store.as_deref(), &suite, record)),
        Command::Test(setup) => setup.run().and_then(|()| test::run()),
        Command::Perf { setup, what } => setup.run().and_then(|()| build::run()).and_then(|()| perf::run(&what)),
        Command::Verify { what, .. } if !what.needs_build() => verify::run(&what),
        Command::Verify { setup, what } => setup.run().and_then(|()| build::run()).and_then(|()| verify::run(&what)),
        Command::Tidy => cargo::checkout().and_then(|checkout| tidy::run(&checkout)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent_and_help_teaches() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_long_help().to_string();
        for word in ["cargo xtask demo", "cargo xtask test", "CLMBENCH_CACHE", "CLMBENCH_MIRROR", "LIBTORCH", "Exit status"] {
            assert!(help.contains(word), "{word}");
        }
        assert!(Arguments::try_parse_from(["xtask", "setup", "--cuda", "--cpu"]).is_err());
    }
}
