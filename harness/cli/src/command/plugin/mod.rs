//! `plugin`: list, write, build, try and check plugins.

mod attempt;
mod build;
mod check;
mod found;
mod libtorch;
mod list;
mod new;
mod tried;

use crate::{
    arguments::{Global, Plugin},
    console::Console,
    error::CliError,
};

/// Runs the command that was asked for.
///
/// # Errors
/// Whatever the command says.
pub fn run(command: &Plugin, global: &Global, console: Console) -> Result<(), CliError> {
    match command {
        Plugin::List(of) => list::run(of.kind, of.json.json, global, console),
        Plugin::New(of) => new::run(of, console),
        Plugin::Build(of) => build::run(of, global, console),
        Plugin::Try(of) => tried::run(of, global, console),
        Plugin::Check(of) => check::run(of, global, console),
    }
}
