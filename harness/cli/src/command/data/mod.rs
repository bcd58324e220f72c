//! `data`: datasets and corpora, before any suite.

mod check;
mod choice;
mod describe;
mod fetch;
mod list;
mod prepare;
mod sources;
mod split;
mod statistics;
mod summary;

pub use choice::Choice;
pub use prepare::Preparer;
pub use sources::{blames_a_file, doubt, get, say_place, there};

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
        Data::Check(of) => check::run(of, global, console),
        Data::Split(of) => split::run(of, global, console),
    }
}
