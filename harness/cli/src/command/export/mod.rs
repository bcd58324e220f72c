//! `export`: the numbers of a suite as rows of typed columns, written as they are made.

mod boards;
mod cells;
mod datasets;
mod predictions;
mod results;
mod statistics;

use std::{collections::BTreeSet, io::Write};

use clmbench_store::{Store, SuiteRow};

pub use boards::{FITS, MODELS, POOLED, STANDINGS};

use crate::{
    arguments::{ExportArguments, Global, What},
    console::Console,
    error::CliError,
    output::{Sink, write_to},
    rows::{Column, Writer},
};

/// Writes what was asked for to standard output or a file.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Analysis`]; [`CliError::Usage`] when nothing is of the dataset and protocol asked for;
/// [`CliError::Output`] and [`CliError::File`].
pub fn run(arguments: &ExportArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(arguments.suite.as_deref())?;
    let chosen = Chosen { arguments, suite: &suite };
    let out = arguments.out.as_deref();
    match arguments.what {
        What::Results => {
            let rows = results::read(&store, &suite, &chosen)?;
            write_to(out, |sink| results::write(&rows, chosen.writer(sink, "results", &results::COLUMNS)?))
        }
        What::Fits => {
            let rows = boards::fits(&store, suite.id, &chosen)?;
            write_to(out, |sink| boards::write(&rows, chosen.writer(sink, "fits", &boards::FITS)?))
        }
        What::Statistics => {
            let rows = statistics::read(&store, suite.id, &chosen)?;
            write_to(out, |sink| boards::write(&rows, chosen.writer(sink, "statistics", &statistics::COLUMNS)?))
        }
        What::Models => {
            let rows = boards::models(&store, suite.id, &chosen)?;
            write_to(out, |sink| boards::write(&rows, chosen.writer(sink, "models", &boards::MODELS)?))
        }
        What::Cells => {
            let rows = cells::read(&store, suite.id, &chosen)?;
            write_to(out, |sink| cells::write(&rows, chosen.writer(sink, "cells", &cells::COLUMNS)?))
        }
        What::Datasets => {
            let rows = datasets::read(&store, suite.id, &chosen)?;
            write_to(out, |sink| datasets::write(&rows, chosen.writer(sink, "datasets", &datasets::COLUMNS)?))
        }
        What::Predictions => {
            let scores = predictions::read(&store, suite.id, &chosen)?;
            write_to(out, |sink| predictions::write(&store, &scores, chosen.writer(sink, "predictions", &predictions::COLUMNS)?))
        }
    }?;
    if let Some(path) = out {
        console.note(&format!("{} written", path.display()));
    }
    Ok(())
}

/// The rows that were asked for.
struct Chosen<'a> {
    arguments: &'a ExportArguments,
    suite: &'a SuiteRow,
}

impl Chosen<'_> {
    /// Whether everything is wanted.
    fn all(&self) -> bool {
        self.arguments.dataset.is_none() && self.arguments.protocol.is_none()
    }

    /// Whether a row of this dataset and protocol is wanted.
    fn wants(&self, dataset: &str, protocol: &str) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.arguments.dataset, dataset) && is(&self.arguments.protocol, protocol)
    }

    /// An empty answer to a question for one dataset or protocol is the caller's mistake; it is told what there is.
    fn refuse_if_none(&self, found: usize, known: impl Iterator<Item = (String, String)>) -> Result<(), CliError> {
        if found > 0 || self.all() {
            return Ok(());
        }
        let words = |(dataset, protocol): (String, String)| match protocol.is_empty() {
            true => dataset,
            false => format!("{dataset} ({protocol})"),
        };
        let known: BTreeSet<String> = known.map(words).collect();
        Err(CliError::Usage {
            message: format!("suite {} has no such rows", self.suite.name),
            hint: match known.into_iter().collect::<Vec<_>>().join(", ") {
                known if known.is_empty() => "`clmbench run` computes scores".to_owned(),
                known => format!("it has those of {known}"),
            },
        })
    }

    fn writer<'s, 'o>(
        &self,
        sink: &'s mut Sink<'o>,
        schema: &str,
        columns: &'static [Column],
    ) -> Result<Writer<&'s mut Sink<'o>>, CliError>
    where
        Sink<'o>: Write,
    {
        Writer::start(sink, schema, columns, self.arguments.format())
    }
}

/// Every column of every export, for `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "Example:
  clmbench export --format csv > results.csv
  clmbench export fits --dataset bace --json
  clmbench export predictions --suite demo --protocol finetune --out predictions.csv

Columns, in order, with their types. An absent value is empty in CSV and null in JSON. Text
that a spreadsheet would take for a formula starts with ' in CSV. A number that is not finite is
NaN, inf or -inf. Columns are added at need, never renamed or removed within a schema number.
",
    );
    let exports: [(&str, &[Column]); 7] = [
        ("results", &results::COLUMNS),
        ("fits", &boards::FITS),
        ("statistics", &statistics::COLUMNS),
        ("models", &boards::MODELS),
        ("cells", &cells::COLUMNS),
        ("predictions", &predictions::COLUMNS),
        ("datasets", &datasets::COLUMNS),
    ];
    for (name, columns) in exports {
        text.push_str(&format!("\n{name}:\n"));
        for column in columns {
            text.push_str(&format!("  {:<27} {:<7} {}\n", column.name, column.kind.word(), column.doc));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_column_in_a_line_that_fits() {
        let page = help();
        assert!(
            page.lines().all(|line| line.chars().count() <= 100),
            "{:?}",
            page.lines().find(|line| line.chars().count() > 100)
        );
        let others = [
            &boards::FITS[..],
            &statistics::COLUMNS,
            &boards::MODELS,
            &cells::COLUMNS,
            &predictions::COLUMNS,
            &datasets::COLUMNS,
        ];
        for columns in [&results::COLUMNS[..]].into_iter().chain(others) {
            let mut names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            assert!(names.iter().all(|name| page.contains(&format!("  {name} "))));
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), columns.len(), "no name twice");
        }
    }
}
