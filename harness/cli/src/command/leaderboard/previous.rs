//! The fits before the last ones: `clmbench run` keeps the leaderboard of predictors that it replaces by another one, as a file of
//! the store's folder, so that `--only-changed` has something to compare with. A run that changes nothing keeps what there is.

use std::io::Write as _;

use clmbench_store::{Store, SuiteRow};
use serde_json::Value;

use super::{changes, objects};
use crate::{console::Console, error::CliError, output::write_to};

const SCHEMA: &str = "leaderboard-predictors";

/// The rows of the stored fits; none if there are none.
///
/// # Errors
/// [`CliError::Store`] and [`CliError::Analysis`].
pub fn before(store: &Store, suite_id: i64) -> Result<Option<Vec<Value>>, CliError> {
    if store.fits_state(suite_id)?.is_none() {
        return Ok(None);
    }
    Ok(Some(objects(&clmbench_analysis::predictors(store, suite_id)?.rows)?))
}

/// Keeps those rows if the fits are others now.
///
/// # Errors
/// [`CliError::Store`] and [`CliError::Analysis`]; [`CliError::File`].
pub fn keep(store: &Store, suite_id: i64, before: Option<Vec<Value>>) -> Result<(), CliError> {
    let Some(earlier) = before else { return Ok(()) };
    let now = objects(&clmbench_analysis::predictors(store, suite_id)?.rows)?;
    if !changes::any(&now, &earlier, &changes::PREDICTORS) {
        return Ok(());
    }
    let Some(suite) = store.suites()?.into_iter().find(|suite| suite.id == suite_id) else { return Ok(()) };
    let generated_by = clmbench_analysis::GENERATED_BY;
    let whole = serde_json::json!({"schema": format!("clmbench/{SCHEMA}/1"), "generated_by": generated_by, "rows": earlier});
    write_to(Some(&store.previous_fits(&suite.digest)), |out| {
        out.write_all(whole.to_string().as_bytes()).map_err(CliError::Output)
    })
}

/// The rows that were kept.
///
/// # Errors
/// [`CliError::Usage`]: none were; [`CliError::File`].
pub fn read(store: &Store, suite: &SuiteRow, console: Console) -> Result<Vec<Value>, CliError> {
    let file = store.previous_fits(&suite.digest);
    if !file.exists() {
        return Err(CliError::Usage {
            message: format!("suite {} has no earlier fits to compare with", suite.name),
            hint: "they are kept when `clmbench run` replaces fits by others; --since FILE compares with an earlier output of \
                   `clmbench leaderboard predictors --json`"
                .to_owned(),
        });
    }
    changes::read(&file, SCHEMA, &suite.name, console)
}
