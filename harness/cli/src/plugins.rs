//! The plugins of this command line: folders from options and environment, described by the worker.

use clmbench_runner::plugins::{Describer, Discovery, PluginFolders, discover};

use crate::{arguments::Global, console::Console, error::CliError, worker};

/// Searches the plugin folders.
///
/// # Errors
/// [`CliError::NoWorker`] when the worker, which alone opens plugins, is not there; [`CliError::Fetch`] without a cache folder.
pub fn find(global: &Global) -> Result<Discovery, CliError> {
    let describer = describer(true)?;
    Ok(discover(&PluginFolders::from_environment(&global.plugins), &describer))
}

/// Asks the worker about libraries; answers are kept in the cache if wanted.
///
/// # Errors
/// As [`find`].
pub fn describer(keep: bool) -> Result<Describer, CliError> {
    let worker = worker::path();
    if !worker.is_file() {
        return Err(CliError::NoWorker { path: worker });
    }
    let cache = if keep { Some(clmbench_fetch::cache_dir()?) } else { None };
    Ok(Describer::new(worker, cache.as_deref()))
}

/// Says on standard error which plugins were left out and why.
pub fn warn(discovery: &Discovery, console: Console) {
    for error in &discovery.errors {
        console.note(&format!("warning: plugin left out: {}", error));
    }
}
