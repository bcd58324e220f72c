//! Artifacts as figures read them: whole files of a bounded size with the bytes that were written, and bounded tables.

use std::{fs, path::PathBuf};

use clmbench_runner::run::{FileState, file_state};
use clmbench_store::{CellFile, Store};

/// Longest table in bytes, rows and columns.
const LONGEST: u64 = 8 << 20;
const MOST_ROWS: usize = 50_000;
const MOST_COLUMNS: usize = 32;

/// Where a file lies, if its bytes are those that were written and at most `most`.
///
/// # Errors
/// A sentence for the page.
pub(super) fn intact(store: &Store, file: &CellFile, most: u64) -> Result<PathBuf, String> {
    let folder = store.artifact_dir(&file.cell);
    let short: String = file.cell.chars().take(12).collect();
    let name = format!("{} of cell {short}", file.file.path);
    if file.file.bytes > most {
        return Err(format!("{name} has {} bytes, more than the {most} that a figure reads", file.file.bytes));
    }
    match file_state(&folder, &file.file, true) {
        FileState::Intact => Ok(folder.join(&file.file.path)),
        state => Err(format!("{name} is {}", state.word())),
    }
}

/// Header and rows of a table.
///
/// # Errors
/// A sentence for the page.
pub(super) fn table(store: &Store, file: &CellFile) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let path = intact(store, file, LONGEST)?;
    let bytes = fs::read(&path).map_err(|error| format!("{} cannot be read ({error})", file.file.path))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is no text", file.file.path))?;
    parse(&text).map_err(|reason| format!("{} is no table: {reason}", file.file.path))
}

/// RFC 4180: commas, quotes, a header; every row as long as the header.
fn parse(text: &str) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    // A quote that is left open would take the rest of the file for one cell.
    if text.matches('"').count() % 2 == 1 {
        return Err("a quote is not closed".to_owned());
    }
    let mut rows = Vec::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        if record.len() > MOST_COLUMNS {
            return Err(format!("it has more than {MOST_COLUMNS} columns"));
        }
        if rows.len() > MOST_ROWS {
            return Err(format!("it has more than {MOST_ROWS} rows"));
        }
        rows.push(record.iter().map(str::to_owned).collect());
    }
    let mut rows = rows.into_iter();
    let header = rows.next().ok_or("it is empty")?;
    Ok((header, rows.collect()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn tables_are_read_with_quotes() {
        let rows =
            |text| parse(text).map(|(header, rows)| (header.join("|"), rows.iter().map(|row| row.join("|")).collect::<Vec<_>>()));
        assert_eq!(rows("a,b\n1,\"x, \"\"y\"\"\n\"\r\n2,\n"), Ok(("a|b".into(), vec!["1|x, \"y\"\n".into(), "2|".into()])));
        assert_eq!(rows("a\n"), Ok(("a".into(), vec![])));
        for broken in ["", "a,b\n1\n", "a\n\"x", &"x,".repeat(40), &format!("a\n{}", "1\n".repeat(50_002))] {
            assert!(parse(broken).is_err(), "{}", &broken[..broken.len().min(20)]);
        }
    }
}
