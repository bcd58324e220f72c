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
    /// As it comes, for tables of very many rows: without a class.
    Plain,
    /// The same, numbers whose text is the whole number.
    Whole,
}

/// A column.
pub(crate) struct Column<'a, R> {
    header: &'a str,
    set: Set,
    cell: Box<dyn Fn(&R) -> String + 'a>,
    value: Option<Value<'a, R>>,
}

/// What a column is sorted by.
type Value<'a, R> = Box<dyn Fn(&R) -> Option<f64> + 'a>;

impl<'a, R> Column<'a, R> {
    /// The same, sorted by this number: the text of a cell is rounded, or holds more than one. Without it, it is sorted by its text.
    pub fn by(mut self, value: impl Fn(&R) -> Option<f64> + 'a) -> Self {
        self.value = Some(Box::new(value));
        self
    }
}

/// A column.
pub(crate) fn column<'a, R>(header: &'a str, set: Set, cell: impl Fn(&R) -> String + 'a) -> Column<'a, R> {
    Column { header, set, cell: Box::new(cell), value: None }
}

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
    let class = |element: Element, set: Set| match set {
        Set::Name | Set::Plain => element,
        Set::Whole => element.attribute("data-n", ""),
        Set::Number => element.class("number"),
        Set::Word => element.class("word"),
        Set::Long => element.class("long"),
    };
    let headers = filled.iter().map(|(column, _)| class(with_text("th", column.header).attribute("scope", "col"), column.set));
    let lines = (0..rows.len()).map(|index| {
        element("tr").children(filled.iter().map(|(column, cells)| {
            let text = cells[index].clone();
            let value = column.value.as_ref().and_then(|value| value(&rows[index])).filter(|value| value.is_finite());
            let cell = match (column.set, value) {
                (Set::Name, _) => with_text("th", text).attribute("scope", "row"),
                // Numbers are set by their attribute.
                (Set::Number, Some(_)) | (Set::Whole, _) => with_text("td", text),
                (set, _) => class(with_text("td", text), set),
            };
            match value {
                Some(value) => cell.attribute("data-v", nine_digits(value)),
                None => cell,
            }
        }))
    });
    let drawn = element("table")
        .child(with_text("caption", caption))
        .child(element("thead").child(element("tr").children(headers)))
        .child(element("tbody").children(lines));
    element("div")
        .class("scroll")
        .attribute("tabindex", "0")
        .attribute("role", "region")
        .attribute("aria-label", caption)
        .child(drawn)
}

/// What a cell is sorted by: nine significant digits tell any two numbers of a table apart that a reader would.
fn nine_digits(value: f64) -> String {
    let rounded = format!("{value:.8e}").parse().unwrap_or(value);
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
                && text.contains("<td class=\"number\">1</td>")
                && !text.contains("nothing"),
            "{text}"
        );
    }
}
