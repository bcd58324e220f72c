//! Source files of SMILES: tables with a header (`.csv`) and lists (`.smi`, `.txt`), plain or gzip (told by their first bytes).
//!
//! | what stands in the file | what becomes of it |
//! |---|---|
//! | list: a line | its first field, up to white space, is a candidate; the rest (a name) is ignored |
//! | list: an empty line, or one whose first sign is `#` | skipped, and counted as skipped |
//! | table: a row | its field in the named column is a candidate, an empty one too; empty lines are no rows |
//! | a mark of byte order at the start; line ends LF, CR LF or CR (a list with CR alone up to [`MAX_ROW_BYTES`]) | allowed |
//! | bytes that are no UTF-8, NUL bytes, other signs that no SMILES has | they stay in the candidate, which is then invalid and counted |
//! | a table's row with more or fewer fields than the header, a SMILES over a line end, gzip that is cut short | an error that names file and row |
//! | a line or row longer than [`MAX_ROW_BYTES`] | an error that names file and row |
//!
//! Rows count from 0, in a table without the header, in a list with skipped lines.

use std::{
    cell::Cell,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    rc::Rc,
};

use clmbench_protocol::SourceFormat;
use flate2::read::MultiGzDecoder;

use crate::error::{MoleculesError, most_similar};

/// Longest line of a list and longest row of a table, in bytes. A line of up to this length is read, and refused as a molecule; a longer
/// one is no line of a list of molecules.
pub const MAX_ROW_BYTES: usize = 2 << 20;
const BUFFER: usize = 1 << 16;

/// Which fields of a source are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// What errors call the file.
    pub name: &'a str,
    /// How its bytes are read.
    pub format: SourceFormat,
    /// Column that holds the SMILES; empty for a list.
    pub column: &'a str,
    /// Only rows whose column `.0` equals `.1`; none for a list.
    pub only: Option<(&'a str, &'a str)>,
}

/// What was found in a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    /// Rows, also those that the selection leaves out.
    pub rows: u64,
    /// Empty lines and comments of a list.
    pub skipped: u64,
}

/// Hands every selected SMILES, without blanks around it, and its row to `each`.
///
/// # Errors
/// [`MoleculesError::Io`] if the file cannot be opened, [`MoleculesError::NotText`] for other compressions than gzip and for UTF-16,
/// [`MoleculesError::Table`] if it is cut short or a row cannot be read (see above), [`MoleculesError::Empty`] without rows,
/// [`MoleculesError::MissingColumn`] and [`MoleculesError::DuplicateColumn`]; [`MoleculesError::Setting`] for a column of a list.
pub fn read_smiles(path: &Path, selection: Selection<'_>, each: impl FnMut(u64, &str)) -> Result<Rows, MoleculesError> {
    let file = File::open(path).map_err(MoleculesError::io("open", path))?;
    let mut buffered = BufReader::with_capacity(BUFFER, file);
    let start = buffered.fill_buf().map_err(MoleculesError::io("read", path))?;
    if start.is_empty() {
        return Err(MoleculesError::Empty { file: selection.name.into() });
    }
    if let Some(what) = foreign(start) {
        return Err(MoleculesError::NotText { file: selection.name.into(), what });
    }
    let zipped = start.starts_with(&[0x1f, 0x8b]);
    let bytes: Box<dyn Read> = if zipped { Box::new(MultiGzDecoder::new(buffered)) } else { Box::new(buffered) };
    let found = match selection.format {
        SourceFormat::Lines => read_list(bytes, selection, each)?,
        SourceFormat::Csv => read_table(bytes, selection, each)?,
    };
    if found.rows == 0 {
        return Err(MoleculesError::Empty { file: selection.name.into() });
    }
    Ok(found)
}

/// What a file is that is neither text nor gzip, by its first bytes.
pub(crate) fn foreign(start: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 6] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"BZh", "compressed by bzip2"),
        (b"\xfd7zXZ\0", "compressed by xz"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
    ];
    known.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| what)
}

fn read_list(bytes: Box<dyn Read>, selection: Selection<'_>, mut each: impl FnMut(u64, &str)) -> Result<Rows, MoleculesError> {
    let column = selection.only.map(|(column, _)| column).or((!selection.column.is_empty()).then_some(selection.column));
    if let Some(column) = column {
        let why = format!("{} is a list without columns", selection.name);
        return Err(MoleculesError::Setting { setting: "corpus.column", value: column.into(), why });
    }
    let mut reader = BufReader::with_capacity(BUFFER, bytes);
    let mut block = Vec::new();
    let mut found = Rows::default();
    loop {
        block.clear();
        let row = found.rows + found.skipped;
        let mut limited = reader.by_ref().take(MAX_ROW_BYTES as u64 + 1);
        let length = limited.read_until(b'\n', &mut block).map_err(|error| cut(selection.name, row, &error.to_string()))?;
        if length == 0 {
            return Ok(found);
        }
        if length > MAX_ROW_BYTES {
            return Err(cut(selection.name, row, &too_long()));
        }
        let text = String::from_utf8_lossy(&block);
        let text = if row == 0 { text.trim_start_matches('\u{feff}') } else { &text };
        // Files with CR alone as line ends come as one block.
        for line in text.trim_end_matches(['\r', '\n']).split('\r') {
            let row = found.rows + found.skipped;
            match line.split_whitespace().next() {
                Some(word) if !word.starts_with('#') => {
                    each(row, word);
                    found.rows += 1;
                }
                _ => found.skipped += 1,
            }
        }
    }
}

fn read_table(bytes: Box<dyn Read>, selection: Selection<'_>, mut each: impl FnMut(u64, &str)) -> Result<Rows, MoleculesError> {
    let allowance = Rc::new(Cell::new(MAX_ROW_BYTES + BUFFER));
    let bytes = Rationed { inner: bytes, allowance: allowance.clone() };
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(BUFFER).from_reader(bytes);
    let header = reader.byte_headers().map_err(|error| cut(selection.name, 0, &error.to_string()))?;
    let header: Vec<String> = header.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
    if header.iter().all(String::is_empty) {
        return Err(MoleculesError::Empty { file: selection.name.into() });
    }
    let smiles = column(selection.name, &header, selection.column)?;
    let only = match selection.only {
        Some((name, value)) => Some((column(selection.name, &header, name)?, value.as_bytes())),
        None => None,
    };
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    loop {
        allowance.set(MAX_ROW_BYTES + BUFFER);
        if !reader.read_byte_record(&mut record).map_err(|error| cut(selection.name, rows, &error.to_string()))? {
            return Ok(Rows { rows, skipped: 0 });
        }
        if record.as_slice().len() > MAX_ROW_BYTES {
            return Err(cut(selection.name, rows, &too_long()));
        }
        let text = String::from_utf8_lossy(record.get(smiles).unwrap_or_default());
        let text = text.trim();
        if text.contains(['\n', '\r']) {
            return Err(cut(selection.name, rows, "a quoted SMILES runs over a line end, so a quote is missing or stray"));
        }
        if only.is_none_or(|(place, value)| record.get(place).is_some_and(|field| field.trim_ascii() == value)) {
            each(rows, text);
        }
        rows += 1;
    }
}

/// A reader that gives out no more than an allowance, which is renewed before each row: one row cannot fill the memory.
struct Rationed<R> {
    inner: R,
    allowance: Rc<Cell<usize>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.allowance.get();
        if left == 0 {
            return Err(std::io::Error::other(too_long()));
        }
        let most = buffer.len().min(left);
        let count = self.inner.read(&mut buffer[..most])?;
        self.allowance.set(left - count);
        Ok(count)
    }
}

fn too_long() -> String {
    format!("longer than {MAX_ROW_BYTES} bytes; a line end or a quote is missing, or the file is no such table")
}

fn cut(file: &str, row: u64, what: &str) -> MoleculesError {
    MoleculesError::Table { file: file.into(), row, what: what.into() }
}

/// Place of a column that must be there exactly once.
///
/// # Errors
/// [`MoleculesError::MissingColumn`] with the nearest name, [`MoleculesError::DuplicateColumn`].
pub fn column(file: &str, header: &[String], name: &str) -> Result<usize, MoleculesError> {
    let mut places = header.iter().enumerate().filter(|(_, column)| *column == name).map(|(place, _)| place);
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(MoleculesError::DuplicateColumn { file: file.into(), column: name.into() }),
        (None, _) => {
            let shown: Vec<String> = header.iter().take(12).map(|column| column.chars().take(40).collect()).collect();
            Err(MoleculesError::MissingColumn {
                file: file.into(),
                column: name.into(),
                near: most_similar(name, header.iter().map(String::as_str)).map(|near| near.chars().take(40).collect()),
                found: shown.join(", "),
            })
        }
    }
}
