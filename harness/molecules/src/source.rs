//! Source files of SMILES: `.csv` by header name, or `.smi` (first word of each line), plain or gzip (told by their first bytes).

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use crate::error::{MoleculesError, most_similar};

/// Which fields of a source are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// What errors call the file; decides by its ending (`.smi`, `.smi.gz`) whether it is a list instead of a table.
    pub name: &'a str,
    /// Column that holds the SMILES.
    pub column: &'a str,
    /// Only rows whose column `.0` equals `.1`.
    pub only: Option<(&'a str, &'a str)>,
}

/// Hands every selected SMILES, without blanks around it, to `each`; gives the number of rows in the file.
///
/// # Errors
/// [`MoleculesError::Io`] if the file cannot be opened, [`MoleculesError::Table`] if it is cut short or a row does not fit the header, [`MoleculesError::Empty`] without rows,
/// [`MoleculesError::MissingColumn`] and [`MoleculesError::DuplicateColumn`].
pub fn read_smiles(path: &Path, selection: Selection<'_>, each: impl FnMut(&str)) -> Result<u64, MoleculesError> {
    let file = File::open(path).map_err(MoleculesError::io("open", path))?;
    let mut buffered = BufReader::with_capacity(1 << 16, file);
    let start = buffered.fill_buf().map_err(MoleculesError::io("read", path))?;
    if start.is_empty() {
        return Err(MoleculesError::Empty { file: selection.name.into() });
    }
    let zipped = start.starts_with(&[0x1f, 0x8b]);
    let bytes: Box<dyn Read> = if zipped { Box::new(MultiGzDecoder::new(buffered)) } else { Box::new(buffered) };
    let plain = selection.name.strip_suffix(".gz").unwrap_or(selection.name);
    let rows = if plain.ends_with(".smi") { read_list(bytes, selection, each)? } else { read_table(bytes, selection, each)? };
    if rows == 0 {
        return Err(MoleculesError::Empty { file: selection.name.into() });
    }
    Ok(rows)
}

fn read_list(bytes: Box<dyn Read>, selection: Selection<'_>, mut each: impl FnMut(&str)) -> Result<u64, MoleculesError> {
    if let Some((column, _)) = selection.only {
        return Err(MoleculesError::Setting {
            setting: "corpus.only",
            value: column.into(),
            why: format!("{} is a list without columns", selection.name),
        });
    }
    let mut reader = BufReader::new(bytes);
    let mut line = Vec::new();
    let mut rows = 0;
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(|error| cut(selection.name, rows, &error.to_string()))?;
        if length == 0 {
            return Ok(rows);
        }
        let text = String::from_utf8_lossy(&line);
        if let Some(word) = text.trim_start_matches('\u{feff}').split_whitespace().next() {
            each(word);
            rows += 1;
        }
    }
}

fn read_table(bytes: Box<dyn Read>, selection: Selection<'_>, mut each: impl FnMut(&str)) -> Result<u64, MoleculesError> {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(bytes);
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
    while reader.read_byte_record(&mut record).map_err(|error| cut(selection.name, rows, &error.to_string()))? {
        let text = String::from_utf8_lossy(record.get(smiles).unwrap_or_default());
        let text = text.trim();
        if text.contains('\n') {
            return Err(cut(selection.name, rows, "a quoted SMILES runs over a line end, so a quote is missing or stray"));
        }
        rows += 1;
        if only.is_none_or(|(place, value)| record.get(place).is_some_and(|field| field.trim_ascii() == value)) {
            each(text);
        }
    }
    Ok(rows)
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
