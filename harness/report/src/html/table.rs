//! Tables: a caption, headers with their scope, a row header each, in a box that scrolls on narrow screens.

use super::node::{Element, element, with_text};

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// The first: names the row.
    Name,
    /// Numbers, to the right, unbroken.
    Number,
    /// A word, unbroken.
    Word,
    /// Sentences.
    Long,
}

/// A column.
pub(crate) struct Column<'a, R> {
    header: &'a str,
    set: Set,
    cell: Box<dyn Fn(&R) -> String + 'a>,
    value: Option<Value<'a, R>>,
    once: bool,
}

/// What a column is sorted by.
type Value<'a, R> = Box<dyn Fn(&R) -> Option<f64> + 'a>;

impl<'a, R> Column<'a, R> {
    /// The same, sorted by this number: the text of a cell is rounded, or holds more than one. Without it, it is sorted by its text.
    pub fn by(mut self, value: impl Fn(&R) -> Option<f64> + 'a) -> Self {
        self.value = Some(Box::new(value));
        self
    }

    /// The same; where all rows have the same cell, it is said once above them and is no column.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

/// A column.
pub(crate) fn column<'a, R>(header: &'a str, set: Set, cell: impl Fn(&R) -> String + 'a) -> Column<'a, R> {
    Column { header, set, cell: Box::new(cell), value: None, once: false }
}

/// Rows from which on a cell that all share is said once.
const FEW: usize = 3;

/// The table. Columns whose cells are all empty are left out.
pub(crate) fn table<'a, R: 'a>(caption: &str, rows: &[R], columns: impl IntoIterator<Item = Column<'a, R>>) -> Element {
    let filled: Vec<(Column<'a, R>, Vec<String>)> = columns
        .into_iter()
        .map(|column| {
            let cells: Vec<String> = rows.iter().map(|row| (column.cell)(row)).collect();
            (column, cells)
        })
        .filter(|(column, cells)| column.set == Set::Name || cells.iter().any(|cell| !cell.is_empty()))
        .collect();
    let same = |(column, cells): &(Column<'a, R>, Vec<String>)| {
        column.once && rows.len() >= FEW && cells.windows(2).all(|pair| pair[0] == pair[1])
    };
    let (shared, filled): (Vec<_>, Vec<_>) = filled.into_iter().partition(same);
    let shared: Vec<String> = shared.iter().map(|(column, cells)| format!("{} {}", column.header, cells[0])).collect();
    let class = |element: Element, set: Set| match set {
        Set::Name => element,
        Set::Number => element.class("number"),
        Set::Word => element.class("word"),
        Set::Long => element.class("long"),
    };
    let headers = filled.iter().map(|(column, _)| class(with_text("th", column.header).attribute("scope", "col"), column.set));
    let lines = (0..rows.len()).map(|index| {
        element("tr").children(filled.iter().map(|(column, cells)| {
            let text = cells[index].clone();
            let value = column.value.as_ref().and_then(|value| value(&rows[index])).filter(|value| value.is_finite());
            let digits = value.map(six_digits).filter(|digits| *digits != text || column.set != Set::Number);
            let cell = match column.set {
                Set::Name => with_text("th", text).attribute("scope", "row"),
                // What has no class is set as a number.
                Set::Number => with_text("td", text),
                set => class(with_text("td", text), set),
            };
            match digits {
                Some(digits) => cell.attribute("data-v", digits),
                None => cell,
            }
        }))
    });
    let mut head = with_text("caption", caption);
    if !shared.is_empty() {
        head = head.child(with_text("span", format!("All rows: {}.", shared.join("; "))).class("note"));
    }
    let drawn = element("table")
        .child(head)
        .child(element("thead").child(element("tr").children(headers)))
        .child(element("tbody").children(lines));
    element("div")
        .class("scroll")
        .attribute("tabindex", "0")
        .attribute("role", "region")
        .attribute("aria-label", caption)
        .child(drawn)
}

/// What a cell is sorted by: six significant digits tell any two numbers of a table apart that a reader would.
fn six_digits(value: f64) -> String {
    let rounded = format!("{value:.5e}").parse().unwrap_or(value);
    format!("{rounded:?}").trim_end_matches(".0").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::node::Node;

    #[test]
    fn cells_have_headers_and_empty_columns_go() {
        let columns = vec![
            column("name", Set::Name, |row: &(&str, u8)| row.0.to_owned()),
            column("count", Set::Number, |row: &(&str, u8)| row.1.to_string())
                .by(|row| (row.1 > 1).then_some(f64::from(row.1) / 8.0)),
            column("nothing", Set::Long, |_: &(&str, u8)| String::new()),
        ];
        let mut text = String::new();
        Node::from(table("Things", &[("a", 1), ("<b>", 2)], columns)).write(&mut text);
        assert!(
            text.contains("<caption>Things</caption>") && text.contains("<th scope=\"col\" class=\"number\">count</th>"),
            "{text}"
        );
        assert!(
            text.contains("<th scope=\"row\">&lt;b&gt;</th><td data-v=\"0.25\">2</td>")
                && text.contains("<td>1</td>")
                && !text.contains("nothing"),
            "{text}"
        );
    }
    #[test]
    fn what_all_rows_share_is_said_once() {
        let columns = || {
            [
                column("name", Set::Name, |row: &u8| row.to_string()),
                column("kind", Set::Word, |_: &u8| "<run>".to_owned()).once(),
                column("half", Set::Number, |row: &u8| (row / 2).to_string()).by(|row| Some(f64::from(row / 2))).once(),
            ]
        };
        let written = |rows: &[u8]| {
            let mut text = String::new();
            Node::from(table("Things", rows, columns())).write(&mut text);
            text
        };
        let text = written(&[1, 2, 3]);
        assert!(text.contains("<caption>Things<span class=\"note\">All rows: kind &lt;run&gt;.</span></caption>"), "{text}");
        assert!(!text.contains(">kind<") && text.contains("<th scope=\"row\">2</th><td>1</td>"), "{text}");
        assert!(written(&[2, 3]).contains("<td class=\"word\">&lt;run&gt;</td>"), "two rows are as they are");
    }

    #[test]
    fn cells_are_sorted_by_six_digits() {
        let shown = [1.0 / 3.0, 5e6, 1.5e-9, -123456.789].map(six_digits);
        assert_eq!(shown, ["0.333333", "5000000", "1.5e-9", "-123457"]);
    }
}
