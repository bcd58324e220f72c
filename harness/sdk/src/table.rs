//! A table in text (CSV, TSV) with a header, for sources whose files are such tables.
//!
//! ```text
//! use clmbench_sdk::table::read_table;
//!
//! let table = read_table("set.csv", b"\xef\xbb\xbfid,smiles,y\r\n1,CCO,-0.77\r\n2,C,\r\n", b',')?;
//! let (smiles, y) = (table.column("smiles")?, table.column("y")?);
//! let rows: Vec<(&str, &str)> = (0..table.len()).map(|row| (table.field(row, smiles), table.field(row, y))).collect();
//! assert_eq!(rows, [("CCO", "-0.77"), ("C", "")]);
//! // The same in one call, for a `Dataset`:
//! assert_eq!(table.parsed("smiles", &["y"])?.labels, [["-0.77"], [""]]);
//! ```
//!
//! A mark of byte order is taken off; lines end with LF, CR LF or CR; fields in quotes may hold delimiters, doubled quotes and line ends;
//! empty lines are no rows; blanks around fields are taken off. The host undoes gzip before it hands bytes over.

use clmbench_protocol::user_table::{line, named_twice, open_quote};
use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};

use crate::{ParsedTable, PluginError};

/// Longest row in bytes: a quote that is never closed swallows everything after it.
const MAX_ROW_BYTES: usize = 1 << 20;
/// Names shown where a column is missing.
const SHOWN: usize = 12;

/// The rows of a table, by the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTable {
    name: String,
    headers: Vec<String>,
    rows: Vec<StringRecord>,
}

/// Reads a table. `name` is what errors call the file; `delimiter` is `b','`, `b'\t'` or another byte.
///
/// # Errors
/// [`PluginError::Input`] naming the file and the next step: no text in UTF-8 (with its line), a web page, no header or no rows, a name of
/// a column that occurs twice, a row with more or fewer fields than the header (with its line), a quote that is never closed.
pub fn read_table(name: &str, bytes: &[u8], delimiter: u8) -> Result<TextTable, PluginError> {
    let refused = |what: String| PluginError::Input(format!("{name}{what}"));
    let text = text(bytes).map_err(refused)?;
    let bytes = text.as_bytes();
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).trim(Trim::All).from_reader(bytes);
    let mut headers = StringRecord::new();
    reader.read_record(&mut headers).map_err(|error| refused(format!(": {error}")))?;
    let headers: Vec<String> = headers.iter().map(str::to_owned).collect();
    if let Some(twice) = named_twice(&headers) {
        return Err(refused(format!(": the column `{twice}` occurs twice in the header; fetch the file again or correct it")));
    }
    let mut rows = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| refused(format!(": {error}")))? {
        let start = start(bytes, &record);
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if end >= bytes.len() && open_quote(&bytes[start..]) {
            return Err(refused(format!(
                ", line {}: a quote is opened and never closed; fetch the file again",
                line(bytes, start)
            )));
        }
        if record.len() != headers.len() {
            let (found, wanted) = (record.len(), headers.len());
            let place = line(bytes, start);
            let what = format!("{found} field{}, but the header has {wanted}", if found == 1 { "" } else { "s" });
            return Err(refused(format!(", line {place} (row {}): {what}; fetch the file again or correct it", rows.len())));
        }
        if record.as_slice().len() > MAX_ROW_BYTES {
            let what = format!("longer than {MAX_ROW_BYTES} bytes; a quote is missing, so fetch the file again");
            return Err(refused(format!(", line {}: the row is {what}", line(bytes, start))));
        }
        // The bytes are those of a text, cut at ASCII characters.
        rows.push(StringRecord::from_byte_record_lossy(std::mem::take(&mut record)));
    }
    if rows.is_empty() {
        return Err(refused(": the file has a header line but no rows; fetch it again".into()));
    }
    Ok(TextTable { name: name.to_owned(), headers, rows })
}

impl TextTable {
    /// Names of the columns, in the order of the file.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// Whether there is a column of this name (its case counts).
    pub fn has(&self, column: &str) -> bool {
        self.headers.iter().any(|header| header == column)
    }

    /// The place of the column of this name (its case counts).
    ///
    /// # Errors
    /// [`PluginError::Input`] naming the columns that there are.
    pub fn column(&self, name: &str) -> Result<usize, PluginError> {
        self.headers.iter().position(|header| header == name).ok_or_else(|| {
            let shown = self.headers.iter().take(SHOWN).map(|header| header.chars().take(40).collect::<String>());
            let more = self.headers.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            let found = shown.collect::<Vec<_>>().join(", ") + &more;
            PluginError::Input(format!("{}: no column `{name}`; it has: {found}", self.name))
        })
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none; never so for a table that was read.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A field, without blanks around it; empty where there is none of this place.
    pub fn field(&self, row: usize, column: usize) -> &str {
        self.rows.get(row).and_then(|fields| fields.get(column)).unwrap_or_default()
    }

    /// The fields of a column (see [`Self::column`]).
    pub fn fields(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |fields| fields.get(column).unwrap_or_default())
    }

    /// SMILES and labels of the columns of these names, every row, without parts.
    ///
    /// # Errors
    /// See [`Self::column`].
    pub fn parsed(&self, smiles: &str, labels: &[&str]) -> Result<ParsedTable, PluginError> {
        let smiles = self.column(smiles)?;
        let labels = labels.iter().map(|name| self.column(name)).collect::<Result<Vec<_>, _>>()?;
        let row = |row| labels.iter().map(|column| self.field(row, *column).to_owned()).collect();
        Ok(ParsedTable {
            smiles: self.fields(smiles).map(str::to_owned).collect(),
            labels: (0..self.len()).map(row).collect(),
            parts: Vec::new(),
        })
    }
}

/// The text without a mark of byte order; what is wrong, after the name of the file.
fn text(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        let byte = bytes.get(place).copied().unwrap_or_default();
        format!(", line {}: the byte 0x{byte:02X} is no UTF-8 text; fetch the file again", line(bytes, place))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = text.trim_start();
    if start.is_empty() {
        return Err(": the file is empty; fetch it again".into());
    }
    if start.starts_with('<') {
        return Err(": it is a web page (it starts with `<`), not a table; look at the address, and fetch it again".into());
    }
    match text.find('\0') {
        Some(place) => Err(format!(", line {}: a NUL byte is no text; fetch the file again", line(text.as_bytes(), place))),
        None => Ok(text),
    }
}

/// The byte at which a row begins, after the empty lines before it.
fn start(bytes: &[u8], record: &ByteRecord) -> usize {
    let byte = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX)).min(bytes.len());
    byte + bytes[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rows(bytes: &[u8], delimiter: u8) -> Vec<Vec<String>> {
        let table = read_table("f", bytes, delimiter).unwrap();
        let fields = |row| (0..table.headers().len()).map(|column| table.field(row, column).to_owned()).collect();
        (0..table.len()).map(fields).collect()
    }

    #[test]
    fn marks_line_ends_quotes_and_blanks_do_no_harm() {
        let wanted = [["CCO", "1"], ["C,C \"x\"\ny", ""], ["N", "2"]];
        let unix = "smiles,y\n CCO , 1\n\n\"C,C \"\"x\"\"\ny\",\nN,2\n";
        for text in [unix.to_owned(), format!("\u{feff}{unix}"), unix.replace("2\n", "2"), unix.replace("\n\n", "\n")] {
            assert_eq!(rows(text.as_bytes(), b','), wanted, "{text:?}");
        }
        let windows = rows(unix.replace('\n', "\r\n").as_bytes(), b',');
        assert_eq!((windows[0][1].as_str(), windows[1][0].as_str(), windows.len()), ("1", "C,C \"x\"\r\ny", 3));
        assert_eq!(rows(b"smiles\ty\rCCO\t1\rN,\t2", b'\t'), [["CCO", "1"], ["N,", "2"]]);
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let table = read_table("f.tsv", b"y\tid\tSMILES\n1\ta\tC\n\tb\tN\n", b'\t').unwrap();
        assert!(table.has("SMILES") && !table.has("smiles"));
        let parsed = table.parsed("SMILES", &["y"]).unwrap();
        assert_eq!(
            (parsed.smiles, parsed.labels),
            (vec!["C".into(), "N".into()], vec![vec!["1".to_owned()], vec![String::new()]])
        );
        assert_eq!(table.fields(1).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(table.parsed("smiles", &[]).unwrap_err().to_string(), "f.tsv: no column `smiles`; it has: y, id, SMILES");
        let wide = (0..20).map(|column| column.to_string()).collect::<Vec<_>>().join(",");
        let table = read_table("f.csv", format!("{wide}\n{wide}\n").as_bytes(), b',').unwrap();
        let error = table.column("z").unwrap_err().to_string();
        assert_eq!(error, "f.csv: no column `z`; it has: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, and 8 more");
    }

    #[test]
    fn what_is_no_table_is_refused_by_line() {
        let refused = |bytes: &[u8]| read_table("f.csv", bytes, b',').unwrap_err().to_string();
        for (bytes, wanted) in [
            (&b""[..], "f.csv: the file is empty; fetch it again"),
            (b"\xef\xbb\xbf\r\n", "f.csv: the file is empty; fetch it again"),
            (b"smiles,y\n", "f.csv: the file has a header line but no rows; fetch it again"),
            (
                b"\n<!DOCTYPE html>\n<p>gone</p>",
                "f.csv: it is a web page (it starts with `<`), not a table; look at the address, and fetch it again",
            ),
            (b"smiles,y\r\nC,1\r\nC\xe9,2\r\n", "f.csv, line 3: the byte 0xE9 is no UTF-8 text; fetch the file again"),
            (b"a,b\nC,\0\n", "f.csv, line 2: a NUL byte is no text; fetch the file again"),
            (b"a,b,a\n1,2,3\n", "f.csv: the column `a` occurs twice in the header; fetch the file again or correct it"),
            (
                b"a,b\n\"C\nC\",1\n\nC\n",
                "f.csv, line 5 (row 1): 1 field, but the header has 2; fetch the file again or correct it",
            ),
            (b"a,b\nC,1\nC,\"2\nC,3\n", "f.csv, line 3: a quote is opened and never closed; fetch the file again"),
        ] {
            assert_eq!(refused(bytes), wanted);
        }
        // Columns without a name (an index) may repeat; a last row that was cut is ragged.
        assert_eq!(rows(b",smiles,\n0,C,1\n", b','), [["0", "C", "1"]]);
        assert!(refused(b"a,b,c\n1,2,3\n1,2").contains("line 3 (row 1): 2 fields, but the header has 3"));
        let long = format!("a,b\nC,\"{}\"\n", "x".repeat(MAX_ROW_BYTES + 1));
        assert!(refused(long.as_bytes()).starts_with("f.csv, line 2: the row is longer than 1048576 bytes"));
    }
}
