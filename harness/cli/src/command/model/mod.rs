//! `model`: architectures and their presets; checkpoints of others, read and written.

mod architecture;
mod card;
mod chosen;
mod coverage;
mod describe;
mod export;
mod facts;
mod import;
mod origin;
mod page;
mod tokens;

pub use architecture::bounds;
pub use chosen::{Given, given, last_checkpoint};

use crate::{
    arguments::{Global, Model},
    console::Console,
    error::CliError,
    plugins,
};

/// Runs the command that was asked for.
///
/// # Errors
/// What the command says.
pub fn run(command: &Model, global: &Global, console: Console) -> Result<(), CliError> {
    match command {
        Model::List(of) => {
            let discovery = plugins::find(global)?;
            plugins::warn(&discovery, console);
            architecture::list(of.json, &discovery.plugins, console)
        }
        Model::Describe(of) => describe::run(of, global, console),
        Model::Import(of) => import::run(of, global, console),
        Model::Export(of) => export::run(of, global, console),
    }
}
