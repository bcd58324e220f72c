//! Rows on their way to a file: columns with types, as CSV or JSON, with foreign text made harmless.

use std::{borrow::Cow, io::Write};

use clmbench_protocol::Number;
use clmbench_report::csv_text;
use serde_json::Value;

use crate::{arguments::Format, console::harmless_json, error::CliError};

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number from 0.
    Whole,
    /// A number; `NaN`, `inf` and `-inf` where it is not finite (strings in JSON).
    Number,
    /// `true` or `false`.
    Flag,
    /// A list of words: separated by blanks in CSV.
    Words,
    /// Any JSON: as its text in CSV.
    Json,
}

impl Kind {
    /// The word in `--help`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Whole => "whole",
            Self::Number => "number",
            Self::Flag => "bool",
            Self::Words => "words",
            Self::Json => "json",
        }
    }
}

/// A column: name, type, what it holds.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// What it holds, with its unit.
    pub doc: &'static str,
}

/// A column.
pub const fn column(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, doc }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: empty in CSV, null in JSON.
    None,
    /// Foreign text.
    Text(Cow<'a, str>),
    /// A whole number.
    Whole(u64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Words.
    Words(Vec<String>),
    /// Any JSON.
    Json(Value),
}

impl<'a> Cell<'a> {
    /// Text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A value of a serialised row, by the type of its column.
    pub fn of_json(kind: Kind, value: &Value) -> Self {
        match (kind, value) {
            (_, Value::Null) => Self::None,
            (Kind::Text, Value::String(text)) => Self::Text(Cow::Owned(text.clone())),
            (Kind::Whole, Value::Number(number)) => number.as_u64().map_or(Self::None, Self::Whole),
            (Kind::Number, value) => serde_json::from_value::<Number>(value.clone()).map_or(Self::None, |number| number.into()),
            (Kind::Flag, Value::Bool(flag)) => Self::Flag(*flag),
            (Kind::Words, Value::Array(words)) => {
                Self::Words(words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
            }
            (_, value) => Self::Json(value.clone()),
        }
    }

    fn csv(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Text(text) => csv_text(text),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Words(words) => csv_text(&words.join(" ")),
            Self::Json(value) => csv_text(&harmless_json(&value.to_string())),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::Whole(number) => Value::from(*number),
            Self::Number(number) => serde_json::to_value(Number(*number)).unwrap_or(Value::Null),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Words(words) => Value::from(words.clone()),
            Self::Json(value) => value.clone(),
        }
    }
}

impl From<Number> for Cell<'_> {
    fn from(number: Number) -> Self {
        Self::Number(number.0)
    }
}

impl From<Option<f64>> for Cell<'_> {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::None, Self::Number)
    }
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::None, Self::text)
    }
}

/// Writes rows one after the other.
pub struct Writer<W> {
    out: W,
    columns: Vec<Column>,
    format: Format,
    first: bool,
}

impl<W: Write> Writer<W> {
    /// Writes what comes before the rows: the header line, or the start of the object.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn start(mut out: W, schema: &str, columns: &[Column], format: Format) -> Result<Self, CliError> {
        let head = match format {
            Format::Csv => columns.iter().map(|column| column.name).collect::<Vec<_>>().join(",") + "\n",
            Format::Json => {
                let version = env!("CARGO_PKG_VERSION");
                format!("{{\"schema\":\"clmbench/{schema}/1\",\"generated_by\":\"clmbench {version}\",\"rows\":[")
            }
        };
        out.write_all(head.as_bytes()).map_err(CliError::Output)?;
        Ok(Self { out, columns: columns.to_vec(), format, first: true })
    }

    /// Writes a row: a cell for each column.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), CliError> {
        let line = match self.format {
            Format::Csv => cells.iter().map(Cell::csv).collect::<Vec<_>>().join(",") + "\n",
            Format::Json => {
                let named = self.columns.iter().zip(cells);
                let pairs =
                    named.map(|(column, cell)| format!("\"{}\":{}", column.name, harmless_json(&cell.json().to_string())));
                let before = if self.first { "\n" } else { ",\n" };
                format!("{before}{{{}}}", pairs.collect::<Vec<_>>().join(","))
            }
        };
        self.first = false;
        self.out.write_all(line.as_bytes()).map_err(CliError::Output)
    }

    /// Writes the row that a serialised object is: the values of its keys, each by its column's type.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn object(&mut self, object: &Value) -> Result<(), CliError> {
        let cells: Vec<Cell<'_>> = self
            .columns
            .iter()
            .map(|column| object.get(column.name).map_or(Cell::None, |value| Cell::of_json(column.kind, value)))
            .collect();
        self.row(&cells)
    }

    /// Writes what comes after the rows.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn end(mut self) -> Result<(), CliError> {
        if self.format == Format::Json {
            self.out.write_all(b"\n]}\n").map_err(CliError::Output)?;
        }
        self.out.flush().map_err(CliError::Output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::is_unsafe_to_show;

    use super::*;

    const COLUMNS: [Column; 6] = [
        column("text", Kind::Text, "a text"),
        column("whole", Kind::Whole, "a count"),
        column("number", Kind::Number, "a number"),
        column("flag", Kind::Flag, "yes or no"),
        column("words", Kind::Words, "words"),
        column("json", Kind::Json, "an object"),
    ];

    fn written(format: Format, rows: &[[Cell<'_>; 6]]) -> String {
        let mut bytes = Vec::new();
        let mut writer = Writer::start(&mut bytes, "test", &COLUMNS, format).unwrap();
        rows.iter().for_each(|row| writer.row(row).unwrap());
        writer.end().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn rows() -> [[Cell<'static>; 6]; 2] {
        let json = serde_json::json!({"a": "\u{9b}2J"});
        [
            [
                Cell::text("=1"),
                Cell::Whole(u64::MAX),
                Cell::Number(-0.1),
                Cell::Flag(true),
                Cell::Words(vec!["a".into(), "b".into()]),
                Cell::Json(json),
            ],
            [Cell::None, Cell::None, Cell::Number(f64::NEG_INFINITY), Cell::None, Cell::Words(vec![]), Cell::None],
        ]
    }

    #[test]
    fn numbers_keep_every_bit_and_their_sign() {
        let expected = "text,whole,number,flag,words,json\n\
                        \"'=1\",18446744073709551615,-0.1,true,a b,\"{\"\"a\"\":\"\"\\u009b2J\"\"}\"\n,,-inf,,,\n";
        assert_eq!(written(Format::Csv, &rows()), expected);
    }

    #[test]
    fn json_is_one_object_that_says_the_same_and_steers_nothing() {
        let text = written(Format::Json, &rows());
        assert!(text.chars().all(|letter| letter == '\n' || !is_unsafe_to_show(letter)), "{text}");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["schema"], "clmbench/test/1");
        let first = serde_json::json!({"text": "=1", "whole": u64::MAX, "number": -0.1, "flag": true, "words": ["a", "b"], "json": {"a": "\u{9b}2J"}});
        assert_eq!(object["rows"][0], first);
        assert_eq!(object["rows"][1]["number"], "-inf");
        assert!(object["rows"][1]["text"].is_null());
        let none: Value = serde_json::from_str(&written(Format::Json, &[])).unwrap();
        assert_eq!(none["rows"], serde_json::json!([]));
    }

    #[test]
    fn values_of_serialised_rows_follow_the_type_of_their_column() {
        let cell = |kind, json: &str| Cell::of_json(kind, &serde_json::from_str(json).unwrap());
        assert_eq!(cell(Kind::Number, "0.30000000000000004"), Cell::Number(0.1 + 0.2));
        assert_eq!(cell(Kind::Number, "\"inf\""), Cell::Number(f64::INFINITY));
        assert_eq!(cell(Kind::Whole, "7"), Cell::Whole(7));
        assert_eq!(cell(Kind::Text, "null"), Cell::None);
        assert_eq!(cell(Kind::Words, "[\"a\"]"), Cell::Words(vec!["a".into()]));
    }
}
