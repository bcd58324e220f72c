//! From text to rows of fields, with the line of each at hand.

use std::fmt;

use clmbench_sdk::protocol::user_table::{self, DELIMITERS, line};
use csv::{ReaderBuilder, StringRecord, Trim};

/// Where a row stands: `line 7 (row 5)`. Lines count from 1, rows from 0 without the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line of the file in which it begins, from 1.
    pub line: usize,
    /// Row, from 0.
    pub row: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} (row {})", self.line, self.row)
    }
}

/// The rows of a table with a header.
#[derive(Debug)]
pub struct Rows<'a> {
    name: &'a str,
    text: &'a str,
    delimiter: u8,
    header: Vec<String>,
}

impl<'a> Rows<'a> {
    /// Reads the header. `delimiter` is one of the words of the parameter.
    ///
    /// # Errors
    /// A sentence when a name of a column occurs twice, or the header cannot be read.
    pub fn open(name: &'a str, text: &'a str, delimiter: &str) -> Result<Self, String> {
        let named = DELIMITERS.iter().find(|(word, _)| *word == delimiter).map(|(_, byte)| *byte);
        let delimiter = named.unwrap_or_else(|| user_table::delimiter(text.as_bytes()));
        let mut rows = Self { name, text, delimiter, header: Vec::new() };
        let mut header = StringRecord::new();
        rows.reader().read_record(&mut header).map_err(|error| format!("{name}: {error}"))?;
        rows.header = header.iter().map(str::to_owned).collect();
        if let Some(column) = user_table::named_twice(&rows.header) {
            return Err(format!("{name}: the column `{column}` occurs twice in the header; rename or remove one"));
        }
        Ok(rows)
    }

    /// Names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Hands over every row.
    ///
    /// # Errors
    /// A sentence for the first row that has another number of fields than the header, for a quote that is never closed, and for a
    /// table without rows; and what `take` refuses.
    pub fn each(&self, mut take: impl FnMut(Place, &StringRecord) -> Result<(), String>) -> Result<(), String> {
        let (name, bytes) = (self.name, self.text.as_bytes());
        let failed = |error: csv::Error| format!("{name}: {error}");
        let mut reader = self.reader();
        let mut fields = StringRecord::new();
        reader.read_record(&mut fields).map_err(failed)?;
        let mut place = Place { line: 1, row: 0 };
        let mut counted = 0;
        while reader.read_record(&mut fields).map_err(failed)? {
            let start = self.start(&fields);
            place.line += line(&bytes[counted..start], start - counted) - 1;
            counted = start;
            let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX).min(bytes.len());
            if end == bytes.len() && user_table::open_quote(&bytes[start..]) {
                return Err(format!("{name}, {place}: a quote is opened and never closed; close or remove it"));
            }
            let (found, wanted) = (fields.len(), self.header.len());
            if found != wanted {
                let fields = if found == 1 { "1 field" } else { &format!("{found} fields") };
                let advice = "put quotes around a field that holds the delimiter, and keep the delimiters of empty fields";
                return Err(format!("{name}, {place}: {fields}, but the header has {wanted}; {advice}"));
            }
            take(place, &fields)?;
            place.row += 1;
        }
        if place.row == 0 { Err(format!("{name}: the file has a header line but no rows")) } else { Ok(()) }
    }

    fn reader(&self) -> csv::Reader<&'a [u8]> {
        ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .from_reader(self.text.as_bytes())
    }

    /// The byte at which a row begins, after the empty lines before it.
    fn start(&self, fields: &StringRecord) -> usize {
        let byte = fields.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let rest = self.text.as_bytes().get(byte..).unwrap_or_default();
        byte + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Place and fields of every row.
    fn read(text: &str, delimiter: &str) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let rows = Rows::open("csv/t", text, delimiter)?;
        rows.each(|place, fields| {
            found.push(format!("{}/{} {}", place.line, place.row, fields.iter().collect::<Vec<_>>().join("|")));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn quoted_line_ends_and_empty_lines_are_counted() {
        let text = "\na,b\r\nC,1\r\n\r\n\"N\nO\",\"say \"\"x\"\", y\"\r\n F , 2 \r\n";
        assert_eq!(read(text, "auto").unwrap(), ["3/0 C|1", "5/1 N\nO|say \"x\", y", "7/2 F|2"]);
        assert_eq!(read("a,b\rC,1\r\rN,2", "auto").unwrap(), ["2/0 C|1", "4/1 N|2"], "CR alone");
    }

    #[test]
    fn the_delimiter_is_that_of_the_header_or_as_told() {
        assert_eq!(read("a;b\nC;1,5\n", "auto").unwrap(), ["2/0 C|1,5"]);
        assert_eq!(read("a\tb, c\nC\t1\n", "tab").unwrap(), ["2/0 C|1"]);
        assert_eq!(read("a, b\tc\nC\t1\n", "auto").unwrap(), ["2/0 C|1"], "a name may hold a comma");
        assert_eq!(read("\"a;;;\",b\nC,1\n", "auto").unwrap(), ["2/0 C|1"], "not those in quotes");
        assert_eq!(read("a\nC\n", "auto").unwrap(), ["2/0 C"]);
        let error = read("a;b\nC;1\n", "comma").unwrap();
        assert_eq!(error, ["2/0 C;1"], "one column, as told");
    }

    #[test]
    fn rows_that_do_not_fit_are_named_by_line_and_row() {
        let advice = "put quotes around a field that holds the delimiter, and keep the delimiters of empty fields";
        let refused = |text: &str| read(text, "auto").unwrap_err();
        assert_eq!(
            refused("a,b\nC,1\n\"N\nO\",2\nF\n"),
            format!("csv/t, line 5 (row 2): 1 field, but the header has 2; {advice}")
        );
        assert_eq!(refused("a,b\nC,1,2\n"), format!("csv/t, line 2 (row 0): 3 fields, but the header has 2; {advice}"));
        assert_eq!(
            refused("a,b\nC,1\nN,\"2\nO,3\nF,4\n"),
            "csv/t, line 3 (row 1): a quote is opened and never closed; close or remove it"
        );
        assert_eq!(refused("a,b\n"), "csv/t: the file has a header line but no rows");
        assert_eq!(refused("a,b,a\nC,1,2\n"), "csv/t: the column `a` occurs twice in the header; rename or remove one");
        assert!(read("a,,\nC,1,2\n", "auto").is_ok(), "columns without a name cannot be asked for");
    }
}
