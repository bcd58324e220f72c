//! The cells: every unit of work with what it took.

use clmbench_store::CellRow;

use super::{
    Report,
    node::{Node, element, with_text},
    note,
    table::{Set, column, table},
};
use crate::text::plural;

/// Cells that are listed; the rest are in the export.
const MOST: usize = 10_000;

/// A folded table.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let columns = [
        column("cell", Set::Name, |cell: &CellRow| cell.key.clone()),
        column("status", Set::Plain, |cell: &CellRow| cell.status.word().replace('_', " ")),
        column("seconds", Set::Whole, |cell: &CellRow| cell.seconds.map_or_else(String::new, digits)),
        column("memory (MiB)", Set::Whole, |cell: &CellRow| {
            cell.peak_rss_bytes.map_or_else(String::new, |bytes| (bytes >> 20).to_string())
        }),
    ];
    let shown = &report.cells[..report.cells.len().min(MOST)];
    let mut folded = element("details")
        .child(with_text("summary", format!("{} with time and memory", plural(report.cells.len(), "cell"))))
        .child(element("div").class("cells").child(table("Cells of the plan", shown, columns)));
    if shown.len() < report.cells.len() {
        folded = folded.child(note(format!("{} more: clmbench export cells.", report.cells.len() - shown.len())));
    }
    vec![folded.into()]
}

/// Three digits or more: what is shown is what is sorted by.
fn digits(value: f64) -> String {
    let places = (2 - value.abs().max(1e-3).log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn seconds_are_short_and_are_numbers() {
        let shown = [0.0, 0.001_234, 0.5, 1.25, 12.345, 1_234.5].map(digits);
        assert_eq!(shown, ["0", "0.00123", "0.5", "1.25", "12.3", "1234"]);
    }
}
