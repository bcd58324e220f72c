//! Tables that fit: columns carry a priority, those that matter least are left out until the rest fits.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width};

use crate::{
    Style,
    text::{finish, plain},
};

/// Blank columns between two table columns.
const GAP: u16 = 2;
/// A rule above the header, below it, and below the last row.
const RULES: TableStyle = {
    let rule = LineStyle::none().fill('─').junction('─');
    TableStyle::new().top_border(rule).header_separator(rule).bottom_border(rule)
};

/// A column of a table.
pub(crate) struct Column {
    header: String,
    cells: Vec<String>,
    /// 0 is never left out; the largest goes first.
    priority: u8,
    right: bool,
    /// Cells wider than this are wrapped.
    cap: Option<usize>,
}

impl Column {
    /// A column of words.
    pub fn left(header: &str, priority: u8, cells: Vec<String>) -> Self {
        Self { header: header.to_owned(), cells, priority, right: false, cap: None }
    }

    /// A column of numbers.
    pub fn right(header: &str, priority: u8, cells: Vec<String>) -> Self {
        Self { header: header.to_owned(), cells, priority, right: true, cap: None }
    }
}

impl Column {
    /// Wraps cells wider than `cap`.
    pub fn capped(mut self, cap: usize) -> Self {
        self.cap = Some(cap);
        self
    }
}

/// Draws the columns that fit; returns the text and the headers of those left out.
pub(crate) fn draw(mut columns: Vec<Column>, style: Style) -> (String, Vec<String>) {
    let limit = style.columns();
    let mut left_out = Vec::new();
    let widths = |columns: &[Column]| -> usize {
        let content = build(columns).column_max_content_widths();
        let gaps = usize::from(GAP) * columns.len().saturating_sub(1);
        let capped = |(width, column): (u16, &Column)| usize::from(width).min(column.cap.unwrap_or(usize::MAX));
        content.into_iter().zip(columns).map(capped).sum::<usize>() + gaps
    };
    while widths(&columns) > limit {
        let Some(least) =
            (0..columns.len()).filter(|&index| columns[index].priority > 0).max_by_key(|&index| columns[index].priority)
        else {
            break;
        };
        left_out.push(columns.remove(least).header);
    }
    left_out.reverse();
    let mut table = build(&columns);
    // Only where even the columns that must stay are too wide: cells are wrapped.
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(limit).unwrap_or(u16::MAX));
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    (text, left_out)
}

fn build(columns: &[Column]) -> Table {
    let mut table = Table::new();
    table.force_no_tty().load_style(RULES);
    table.set_header(columns.iter().map(|column| plain(&column.header)).collect::<Vec<String>>());
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    for row in 0..rows {
        let cells = columns.iter().map(|column| column.cells.get(row).map_or_else(String::new, |cell| plain(cell)));
        table.add_row(cells.collect::<Vec<String>>());
    }
    for (index, column) in columns.iter().enumerate() {
        if let Some(drawn) = table.column_mut(index) {
            // The style's (blank) vertical line is the rest of the gap.
            drawn.set_padding((0, if index + 1 == columns.len() { 0 } else { GAP - 1 }));
            if let Some(cap) = column.cap.and_then(|cap| u16::try_from(cap).ok()) {
                // comfy-table counts the padding in.
                drawn.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(cap + GAP - 1)));
            }
            drawn.set_cell_alignment(if column.right { CellAlignment::Right } else { CellAlignment::Left });
        }
    }
    table
}

/// A table of words and numbers at most `width` columns wide; a column whose cells are all numbers stands to the
/// right. Cells are wrapped where they do not fit. Short rows are filled with empty cells.
pub fn table(headers: &[&str], rows: &[Vec<String>], width: usize) -> String {
    table_in(headers, rows, Style::new(width))
}

/// [`table`] in a style.
pub fn table_in(headers: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let columns = headers.iter().enumerate().map(|(index, header)| {
        let cells: Vec<String> = rows.iter().map(|row| row.get(index).cloned().unwrap_or_default()).collect();
        if cells.iter().any(|cell| !cell.is_empty()) && cells.iter().all(|cell| is_number(cell)) {
            Column::right(header, 0, cells)
        } else {
            Column::left(header, 0, cells)
        }
    });
    let (text, _) = draw(columns.collect(), style);
    finish(text, style)
}

/// A number with an optional unit (`12`, `0.3 s`, `5k`), nothing, or the sign of a missing one.
fn is_number(cell: &str) -> bool {
    cell.is_empty()
        || matches!(cell, "–" | "-")
        || cell.trim_start_matches(['-', '+', '<', '~']).starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_least_important_columns_go_first() {
        let columns = || {
            vec![
                Column::left("name", 0, cells(&["a-name-of-twenty-char"])),
                Column::right("first", 2, cells(&["1234567890"])),
                Column::right("second", 1, cells(&["1234567890"])),
                Column::right("last", 2, cells(&["1234567890"])),
            ]
        };
        assert!(draw(columns(), Style::new(60)).1.is_empty());
        assert_eq!(draw(columns(), Style::new(50)).1, ["last"]);
        assert_eq!(draw(columns(), Style::new(40)).1, ["first", "last"]);
    }

    #[test]
    fn what_must_stay_is_wrapped_to_the_width() {
        let long = "word ".repeat(40);
        let text = table(&["key", "why"], &[cells(&["one", &long])], 60);
        assert!(text.lines().count() > 4 && text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn numbers_stand_to_the_right_and_control_characters_vanish() {
        let rows = [cells(&["todo", "5"]), cells(&["do\u{1b}ne\n!", "12"])];
        let text = table(&["status", "cells"], &rows, 80);
        let expected = "\
─────────────
status  cells
─────────────
todo        5
done !     12
─────────────
";
        assert_eq!(text, expected);
        assert!(table_in(&["a"], &[cells(&["é"])], Style::ascii(80)).is_ascii());
    }

    #[test]
    fn short_and_missing_rows() {
        assert_eq!(table(&["a", "b"], &[cells(&["x"])], 80).lines().count(), 5);
        assert!(table(&["a", "b"], &[], 80).contains("a  b"));
    }
}
