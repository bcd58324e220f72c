//! How much of a dataset's molecules a tokenizer knows: counted by the very cell that tokenises datasets in a suite.

use std::path::PathBuf;

use clmbench_fetch::{AcceptedLicences, Fetcher};
use clmbench_protocol::{DatasetOutput, Number, SplitSpec, TokenizerSpec, split::DEFAULT_FRACTIONS};
use clmbench_runner::plugins::PluginSet;
use serde::Serialize;

use crate::{
    command::data::{Choice, Preparer, get, there},
    console::Console,
    error::CliError,
};

/// The word for every dataset whose files are there.
const CACHED: &str = "cached";

/// Counts over all valid molecules of a dataset; they are exact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Covered {
    /// `source/name`.
    pub dataset: String,
    /// Valid molecules.
    pub molecules: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Of them unknown: outside the vocabulary, or letters that the tokenizer drops.
    pub unknown_tokens: u64,
    /// Molecules with one.
    pub molecules_with_unknown: u64,
    /// Molecules that are longer than the longest sequence, and cut.
    pub cut: u64,
}

impl From<&DatasetOutput> for Covered {
    fn from(output: &DatasetOutput) -> Self {
        Self {
            dataset: format!("{}/{}", output.source, output.dataset),
            molecules: output.rows.saturating_sub(output.invalid.len() as u64),
            tokens: output.tokens.0,
            unknown_tokens: output.tokens.1,
            molecules_with_unknown: output.unknown_token_molecules,
            cut: output.truncated,
        }
    }
}

/// Tries a tokenizer on datasets; files that are not there are fetched, except for `cached`.
///
/// # Errors
/// [`CliError::Usage`] for an unknown dataset; [`CliError::Fetch`]; what [`Preparer::output`] says.
pub fn of(
    names: &[String],
    tokenizer: (TokenizerSpec, PathBuf),
    plugins: &PluginSet,
    console: Console,
) -> Result<Vec<Covered>, CliError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let fetcher = Fetcher::from_environment()?;
    let mut choices = Vec::new();
    for name in names {
        if name == CACHED {
            let readable = |choice: &Choice<'_>| match choice {
                Choice::Dataset(offer) => offer.info.user_file.is_none() && there(&fetcher, &choice.files()),
                Choice::Corpus(_) => false,
            };
            choices.extend(Choice::all(plugins).into_iter().filter(readable));
        } else {
            choices.push(Choice::find(plugins, name)?);
        }
    }
    // Which molecules are for testing is of no matter here.
    let (training, validation) = DEFAULT_FRACTIONS;
    let fractions = (Number(training), Number(validation));
    let split = SplitSpec { algorithm: "random".to_owned(), seed: Some(0), fractions, file: None };
    let mut preparer = Preparer::new()?;
    preparer.tokenizer = Some(tokenizer);
    let accepted = AcceptedLicences::from_environment();
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    for choice in &choices {
        if seen.contains(&choice.name()) {
            continue;
        }
        seen.push(choice.name());
        let offer = choice.dataset("is tokenised by a suite", "`[[dataset]] file =` in a suite")?;
        let files = get(&fetcher, &choice.files(), &accepted, console)?;
        console.note(&format!("tokenising {}", choice.name()));
        found.push(Covered::from(&preparer.output(offer, &split, &files)?));
    }
    Ok(found)
}

/// A table, and what its columns count.
pub fn table(rows: &[Covered], console: Console) -> String {
    let cells = |row: &Covered| {
        let share = |part: u64, of: u64| if of == 0 { "-".to_owned() } else { percent(part as f64 / of as f64) };
        vec![
            crate::console::one_line(&row.dataset, 60),
            row.molecules.to_string(),
            share(row.unknown_tokens, row.tokens),
            format!("{} ({})", row.molecules_with_unknown, share(row.molecules_with_unknown, row.molecules)),
            format!("{} ({})", row.cut, share(row.cut, row.molecules)),
        ]
    };
    let lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    clmbench_report::table_in(&["dataset", "molecules", "unknown tokens", "molecules with one", "cut"], &lines, console.style)
}

/// `0 %`, `0.031 %`, `12 %`: nothing that is there is shown as 0.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        10.0.. => format!("{percent:.0} %"),
        1.0..10.0 => format!("{percent:.1} %"),
        _ => format!("{percent:.2} %").replace("0.00 %", "<0.01 %"),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn what_is_there_is_not_shown_as_nothing() {
        let shown = [0.0, 0.000_03, 0.0012, 0.034, 0.5, 1.0].map(percent);
        assert_eq!(shown, ["0 %", "<0.01 %", "0.12 %", "3.4 %", "50 %", "100 %"]);
    }
}
