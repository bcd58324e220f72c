//! `data`: datasets and corpora, before any suite.

mod choice;
mod describe;
mod fetch;
mod list;
mod prepare;
mod split;
mod statistics;
mod summary;

use crate::{
    arguments::{Data, Global},
    console::Console,
    error::CliError,
};

/// Runs the command that was asked for.
///
/// # Errors
/// What the command says.
pub fn run(command: &Data, global: &Global, console: Console) -> Result<(), CliError> {
    match command {
        Data::List(of) => list::run(of.json, global, console),
        Data::Describe(of) => describe::run(of, global, console),
        Data::Fetch(of) => fetch::run(of, global, console),
        Data::Split(of) => split::run(of, global, console),
    }
}
