//! `db`: the store as a database.

mod check;
mod merge;
mod vacuum;

use clmbench_protocol::CellSpec;

use crate::{
    arguments::{Database, Global},
    console::Console,
    error::CliError,
};

/// Runs the command that was asked for.
///
/// # Errors
/// Whatever the command says.
pub fn run(of: &Database, global: &Global, console: Console) -> Result<(), CliError> {
    match of {
        Database::Check(arguments) => check::run(arguments, global, console),
        Database::Vacuum(json) => vacuum::run(*json, global, console),
        Database::Merge(arguments) => merge::run(arguments, global, console),
    }
}

/// What is wrong with an identity, if it is not that of the definition.
fn verify(identity: &str, spec: &CellSpec) -> Result<(), String> {
    match clmbench_runner::identity::identity(spec) {
        Ok(found) if found == identity => Ok(()),
        Ok(found) => Err(format!("its definition has the identity {found}")),
        Err(error) => Err(error.to_string()),
    }
}
