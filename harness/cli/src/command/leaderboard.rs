//! `leaderboard predictors` and `leaderboard models`.

use clmbench_store::Store;

use crate::{
    arguments::{Global, SuiteChoice},
    console::Console,
    error::CliError,
};

/// Metrics by how well they predict transfer, from the stored fits.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Analysis`], [`CliError::Output`].
pub fn predictors(choice: &SuiteChoice, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    let board = clmbench_analysis::predictors(&store, suite.id)?;
    if choice.json.json {
        return console.whole_json(&board);
    }
    if board.rows.is_empty() {
        console.note("there are no fits yet: `clmbench run SUITE` makes them once its cells are done");
        return Ok(());
    }
    console.print(&clmbench_report::predictor_table(&board, console.style))
}

/// Runs, controls and the mean predictor by their scores.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Analysis`], [`CliError::Output`].
pub fn models(choice: &SuiteChoice, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    let board = clmbench_analysis::models(&store, suite.id)?;
    if choice.json.json {
        return console.whole_json(&board);
    }
    if board.rows.is_empty() {
        console.note("there are no scores yet: `clmbench run SUITE` computes them");
        return Ok(());
    }
    console.print(&clmbench_report::model_table(&board, console.style))
}
