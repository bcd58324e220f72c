//! `leaderboard predictors` and `leaderboard models`.

use std::collections::BTreeSet;

use clmbench_analysis::PredictorRow;
use clmbench_store::Store;

use crate::{
    arguments::{BoardArguments, Global},
    console::Console,
    error::CliError,
};

/// Metrics by how well they predict transfer, from the stored fits.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Analysis`], [`CliError::Output`]; [`CliError::Usage`] when nothing is of the dataset and
/// protocol asked for.
pub fn predictors(choice: &BoardArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    let mut board = clmbench_analysis::predictors(&store, suite.id)?;
    let of = |row: &PredictorRow| (row.fit.dataset.clone(), row.fit.protocol.clone());
    keep(&mut board.rows, of, choice, &suite.name)?;
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
/// [`CliError::Store`], [`CliError::Analysis`], [`CliError::Output`]; [`CliError::Usage`] when nothing is of the dataset and
/// protocol asked for.
pub fn models(choice: &BoardArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    let mut board = clmbench_analysis::models(&store, suite.id)?;
    keep(&mut board.rows, |row| (row.dataset.clone(), row.protocol.clone()), choice, &suite.name)?;
    if choice.json.json {
        return console.whole_json(&board);
    }
    if board.rows.is_empty() {
        console.note("there are no scores yet: `clmbench run SUITE` computes them");
        return Ok(());
    }
    console.print(&clmbench_report::model_table(&board, console.style))
}

/// Keeps the rows of the dataset and protocol that were asked for. Nothing is computed anew: a p-value stays that of all fits.
fn keep<R>(rows: &mut Vec<R>, of: impl Fn(&R) -> (String, String), choice: &BoardArguments, suite: &str) -> Result<(), CliError> {
    let known: BTreeSet<(String, String)> = rows.iter().map(&of).collect();
    let asked = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    rows.retain(|row| {
        let (dataset, protocol) = of(row);
        asked(&choice.dataset, &dataset) && asked(&choice.protocol, &protocol)
    });
    if rows.is_empty() && !known.is_empty() {
        let known: Vec<String> = known.into_iter().map(|(dataset, protocol)| format!("{dataset} ({protocol})")).collect();
        return Err(CliError::Usage {
            message: format!("suite {suite} has no rows of that dataset and protocol"),
            hint: format!("it has those of {}", known.join(", ")),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Json;

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let all = || vec![("bace", "probe"), ("bace", "finetune"), ("lipo", "probe")];
        let choice = |dataset: Option<&str>, protocol: Option<&str>| BoardArguments {
            suite: None,
            dataset: dataset.map(str::to_owned),
            protocol: protocol.map(str::to_owned),
            json: Json { json: false },
        };
        let kept = |dataset, protocol| {
            let mut rows = all();
            let of = |row: &(&str, &str)| (row.0.to_owned(), row.1.to_owned());
            keep(&mut rows, of, &choice(dataset, protocol), "demo").map(|()| rows)
        };
        assert!(kept(None, None).is_ok_and(|rows| rows == all()));
        assert!(kept(Some("bace"), None).is_ok_and(|rows| rows == [("bace", "probe"), ("bace", "finetune")]));
        assert!(kept(Some("lipo"), Some("probe")).is_ok_and(|rows| rows == [("lipo", "probe")]));
        let error = kept(Some("lipo"), Some("finetune"));
        assert!(
            matches!(error, Err(CliError::Usage { hint, .. }) if hint.contains("bace (finetune), bace (probe), lipo (probe)"))
        );
    }
}
