//! The cells: every unit of work with what it took.

use clmbench_store::CellRow;

use super::{
    Report,
    node::{Node, element, with_text},
    note,
    table::{Set, column, table},
};
use crate::text::{plural, seconds};

/// Cells that are listed; the rest are in the export.
const MOST: usize = 10_000;

/// A folded table.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let columns = [
        column("cell", Set::Name, |cell: &CellRow| cell.key.clone()),
        column("status", Set::Plain, |cell: &CellRow| cell.status.word().replace('_', " ")),
        column("time", Set::Plain, |cell: &CellRow| cell.seconds.map_or_else(String::new, |time| seconds(Some(time))))
            .by(|cell| cell.seconds.map(rounded)),
        column("memory (MiB)", Set::Plain, |cell: &CellRow| {
            cell.peak_rss_bytes.map_or_else(String::new, |bytes| (bytes >> 20).to_string())
        })
        .by(|cell| cell.peak_rss_bytes.map(|bytes| (bytes >> 20) as f64)),
    ];
    let shown = &report.cells[..report.cells.len().min(MOST)];
    let mut folded = element("details")
        .child(with_text("summary", format!("{} with time and memory", plural(report.cells.len(), "cell"))))
        .child(table("Cells of the plan", shown, columns));
    if shown.len() < report.cells.len() {
        folded = folded.child(note(format!("{} more: clmbench export cells.", report.cells.len() - shown.len())));
    }
    vec![folded.into()]
}

/// Four digits are enough to sort by.
fn rounded(value: f64) -> f64 {
    let unit = 10f64.powi(value.abs().max(1e-9).log10().floor() as i32 - 3);
    let rounded = (value / unit).round() * unit;
    // Without the tail that the product has in binary.
    format!("{rounded:.6}").parse().unwrap_or(value)
}
