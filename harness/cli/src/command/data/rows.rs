//! The rows of a split: `row, split, scaffold`, and a reason where a row holds no valid molecule.

use clmbench_molecules::table_split::TableSplit;
use serde::Serialize;

use crate::{arguments::Format, error::CliError};

/// A row of the table.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    /// From 0, without the header.
    pub row: usize,
    /// `train`, `valid` or `test`; empty for a row without a valid molecule.
    pub split: &'a str,
    /// Scaffold; empty for a molecule without rings.
    pub scaffold: &'a str,
    /// Why it is in no part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// Every row of the table, in its order.
pub fn of(table: &TableSplit) -> Vec<Row<'_>> {
    let found = table.rows.iter().enumerate();
    let row = found.map(|(row, found)| match found {
        Ok(found) => Row { row, split: found.part.word(), scaffold: &found.scaffold, reason: None },
        Err(reason) => Row { row, split: "", scaffold: "", reason: Some(reason) },
    });
    row.collect()
}

/// The rows as text.
///
/// # Errors
/// [`CliError::Output`]; none in practice.
pub fn text(rows: &[Row<'_>], format: Format) -> Result<String, CliError> {
    match format {
        Format::Json => {
            let page = Page { schema: SCHEMA, generated_by: concat!("clmbench ", env!("CARGO_PKG_VERSION")), rows };
            let text = serde_json::to_string(&page).map_err(|error| CliError::Output(error.into()))?;
            Ok(text + "\n")
        }
        Format::Csv => {
            let mut text = String::from("row,split,scaffold,reason\n");
            for row in rows {
                let reason = row.reason.unwrap_or_default();
                let line = format!("{},{},{},{}\n", row.row, row.split, csv_cell(row.scaffold), csv_cell(reason));
                text.push_str(&line);
            }
            Ok(text)
        }
    }
}

/// Name of the schema of `--json`.
const SCHEMA: &str = "clmbench/data-split/1";

#[derive(Serialize)]
struct Page<'a> {
    schema: &'static str,
    generated_by: &'static str,
    rows: &'a [Row<'a>],
}

/// A text as one cell: quoted where it holds a separator, with `'` before what a spreadsheet would take for a formula.
fn csv_cell(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}
