//! A table of the user's own: which column holds the SMILES, and which the split. Plain or gzip (told by its first bytes), separated by
//! commas, tabs or semicolons, with or without a mark of byte order, line ends LF, CR LF or CR, quoted fields over several lines.
//!
//! Rows count from 0 without the header; empty lines are no rows. Errors name the line too, as an editor counts it. Of labels no more than
//! one column of numbers is read here, for a split that needs it: the rest is the work of the dataset plugin `csv`, which finds columns, delimiter and parts by the same rules
//! ([`clmbench_protocol::user_table`]).

use std::{fs::File, io::Read, path::Path};

use clmbench_protocol::user_table as rules;
use flate2::read::MultiGzDecoder;

use crate::{
    error::MoleculesError,
    smiles,
    source::{MAX_ROW_BYTES, column, foreign},
    table::normal_number,
};

/// Header under which a split is looked for, whatever its case.
pub const SPLIT_COLUMN: &str = "split";
/// Largest table in bytes, unzipped.
const MAX_BYTES: u64 = 4 << 30;

/// Which columns are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Columns<'a> {
    /// Column of the SMILES; guessed if none is named.
    pub smiles: Option<&'a str>,
    /// Whether the split is wanted, and its column; [`SPLIT_COLUMN`] if none is named.
    pub split: Option<Option<&'a str>>,
    /// Column of a label, if one is wanted.
    pub label: Option<&'a str>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTable {
    /// Header of the column that held the SMILES.
    pub column: String,
    /// SMILES of each row, without blanks around it.
    pub smiles: Vec<String>,
    /// `train`, `valid` or `test` for each row; empty if no split was wanted.
    pub parts: Vec<String>,
    /// Label of each row, NaN where the field is empty; empty if none was wanted.
    pub labels: Vec<f64>,
}

/// Reads a table. `name` is what errors call it.
///
/// # Errors
/// [`MoleculesError::Io`] if it cannot be read, [`MoleculesError::NotText`] for other compressions than gzip and for UTF-16,
/// [`MoleculesError::Empty`] without rows, [`MoleculesError::NoSmilesColumn`], [`MoleculesError::TwoSmilesColumns`], [`MoleculesError::NoHeader`],
/// [`MoleculesError::MissingColumn`], [`MoleculesError::DuplicateColumn`]; [`MoleculesError::Table`] for a row that has not as many
/// fields as the header or is longer than [`MAX_ROW_BYTES`], [`MoleculesError::GivenPart`] for a word that names no part,
/// [`MoleculesError::Label`] for a label that is no finite number.
pub fn read(path: &Path, name: &str, columns: Columns<'_>) -> Result<UserTable, MoleculesError> {
    let bytes = unzipped(path, name)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(MoleculesError::Empty { file: name.into() });
    }
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter(path, bytes)).flexible(true).from_reader(bytes);
    let broken = |row: u64, what: String| MoleculesError::Table { file: name.into(), row, what };
    let header = reader.byte_headers().map_err(|error| broken(0, error.to_string()))?;
    let header: Vec<String> = header.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
    if let Some(twice) = rules::named_twice(&header) {
        return Err(MoleculesError::DuplicateColumn { file: name.into(), column: twice.clone() });
    }
    let smiles = match columns.smiles {
        Some(wanted) => column(name, &header, wanted)?,
        None => guess(name, &header)?,
    };
    let split = match columns.split {
        Some(Some(wanted)) => Some(column(name, &header, wanted)?),
        Some(None) => Some(alike(&header, SPLIT_COLUMN).map_or_else(|| column(name, &header, SPLIT_COLUMN), Ok)?),
        None => None,
    };
    let label = columns.label.map(|wanted| column(name, &header, wanted)).transpose()?;
    let mut table = UserTable { column: header[smiles].clone(), smiles: Vec::new(), parts: Vec::new(), labels: Vec::new() };
    let mut record = csv::ByteRecord::new();
    loop {
        let row = table.smiles.len() as u64;
        if !reader.read_byte_record(&mut record).map_err(|error| broken(row, error.to_string()))? {
            break;
        }
        let start = record.position().map_or(0, |position| position.byte() as usize).min(bytes.len());
        // A record's position is before the empty lines that precede it.
        let start = start + bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let last = reader.position().byte() as usize >= bytes.len();
        if last && rules::open_quote(&bytes[start..]) {
            let line = rules::line(bytes, start);
            return Err(broken(row, format!("line {line}: a quote is opened and never closed")));
        }
        if record.len() != header.len() {
            let (line, fields, columns) = (rules::line(bytes, start), counted(record.len()), header.len());
            let what = format!("line {line} has {fields}, the header has {columns}; a quote or a separator is missing or stray");
            return Err(broken(row, what));
        }
        if record.as_slice().len() > MAX_ROW_BYTES {
            let line = rules::line(bytes, start);
            return Err(broken(
                row,
                format!("line {line} and what follows are longer than {MAX_ROW_BYTES} bytes; a quote is missing"),
            ));
        }
        let field = |place: usize| String::from_utf8_lossy(record.get(place).unwrap_or_default()).trim().to_owned();
        if let Some(place) = split {
            let text = field(place);
            match rules::part(&text) {
                Some(word) => table.parts.push(word.to_owned()),
                None => {
                    let text = text.chars().take(40).collect();
                    return Err(MoleculesError::GivenPart { dataset: name.into(), row, text });
                }
            }
        }
        if let Some(place) = label {
            let text = field(place);
            let number = if text.is_empty() { Some(f64::NAN) } else { normal_number(&text).map(|(_, number)| number) };
            table.labels.push(number.ok_or_else(|| MoleculesError::Label {
                file: name.into(),
                row,
                column: header[place].clone(),
                text: text.chars().take(40).collect(),
                wanted: "a finite number",
            })?);
        }
        table.smiles.push(field(smiles));
    }
    if table.smiles.is_empty() {
        return Err(MoleculesError::Empty { file: name.into() });
    }
    Ok(table)
}

fn counted(fields: usize) -> String {
    if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") }
}

/// The bytes of a file, unzipped where they are gzip.
pub(crate) fn unzipped(path: &Path, name: &str) -> Result<Vec<u8>, MoleculesError> {
    let io = |action| MoleculesError::io(action, path);
    let mut file = File::open(path).map_err(io("open"))?;
    let mut start = [0; 6];
    let mut length = 0;
    while length < start.len() {
        match file.read(&mut start[length..]).map_err(io("read"))? {
            0 => break,
            more => length += more,
        }
    }
    let start = &start[..length];
    if let Some(what) = foreign(start) {
        return Err(MoleculesError::NotText { file: name.into(), what });
    }
    let all = start.chain(file);
    let mut bytes = Vec::new();
    let zipped = start.starts_with(&[0x1f, 0x8b]);
    let read = if zipped {
        MultiGzDecoder::new(all).take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        all.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    };
    match read {
        Err(error) if zipped => {
            Err(MoleculesError::Table { file: name.into(), row: 0, what: format!("its gzip is damaged or cut short ({error})") })
        }
        Err(error) => Err(io("read")(error)),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            let what = format!("it is larger than {MAX_BYTES} bytes; cut it in pieces");
            Err(MoleculesError::Table { file: name.into(), row: 0, what })
        }
        Ok(_) => Ok(bytes),
    }
}

/// Tab for `.tsv`, else that of the header line.
pub(crate) fn delimiter(path: &Path, table: &[u8]) -> u8 {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if name.trim_end_matches(".gz").ends_with(".tsv") { b'\t' } else { rules::delimiter(table) }
}

/// The place of the column of this name in any case; the exact name goes first.
fn alike(header: &[String], name: &str) -> Option<usize> {
    let exact = header.iter().position(|column| column == name);
    exact.or_else(|| header.iter().position(|column| column.eq_ignore_ascii_case(name)))
}

/// The column that holds the SMILES: one with a usual name, or the only one.
fn guess(name: &str, header: &[String]) -> Result<usize, MoleculesError> {
    match rules::smiles_columns(header)[..] {
        [] => {}
        [place] => return Ok(place),
        [first, second, ..] => {
            let (first, second) = (header[first].clone(), header[second].clone());
            return Err(MoleculesError::TwoSmilesColumns { file: name.into(), first, second });
        }
    }
    let shown = |text: &String| text.chars().take(40).collect::<String>();
    // A list without a header would silently lose its first molecule.
    if let Some(molecule) = header.first().filter(|text| smiles::canonical(text).is_ok()) {
        return Err(MoleculesError::NoHeader { file: name.into(), first: shown(molecule) });
    }
    if header.len() == 1 {
        return Ok(0);
    }
    let found: Vec<String> = header.iter().take(12).map(shown).collect();
    let more = if header.len() > found.len() { format!(", and {} more", header.len() - found.len()) } else { String::new() };
    Err(MoleculesError::NoSmilesColumn { file: name.into(), found: found.join(", ") + &more })
}

#[cfg(test)]
mod tests;
