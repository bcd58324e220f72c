//! The first line of a table.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// Longest first line that is read, in bytes: the widest known set has 617 columns in 20 kB.
const LONGEST: u64 = 1 << 20;

/// Whether a table (also .gz) has a column of each of these names.
pub(crate) fn has(path: &Path, names: &[String]) -> bool {
    let columns = columns(path).unwrap_or_default();
    names.iter().all(|name| columns.contains(name))
}

fn columns(path: &Path) -> std::io::Result<Vec<String>> {
    let mut file = BufReader::new(File::open(path)?);
    let zipped = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let text: Box<dyn Read> = if zipped { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut line = Vec::new();
    BufReader::new(text.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok(fields(String::from_utf8_lossy(&line).trim_start_matches('\u{feff}').trim_end()))
}

/// The fields of a line; the delimiter is a tab where there is one, else a comma. Quotes may hold delimiters. A name that occurs again gets
/// an ending, `.1` for the second, as pandas does.
fn fields(line: &str) -> Vec<String> {
    let delimiter = if line.contains('\t') { '\t' } else { ',' };
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        if letter == '"' {
            quoted = !quoted;
        } else if letter == delimiter && !quoted {
            fields.push(String::new());
        } else if let Some(last) = fields.last_mut() {
            last.push(letter);
        }
    }
    let plain: Vec<&str> = fields.iter().map(|field| field.trim()).collect();
    let told_apart = |(place, name): (usize, &&str)| match plain[..place].iter().filter(|other| other == &name).count() {
        0 => (*name).to_owned(),
        before => format!("{name}.{before}"),
    };
    plain.iter().enumerate().map(told_apart).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn columns_are_told_by_their_whole_names() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}smiles,\"a, b\",Y\r\nC,1,2\r\n").unwrap();
        let has = |names: &[&str]| has(file.path(), &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(has(&[]) && has(&["Y", "a, b"]) && !has(&["y"]) && !has(&["a"]) && !has(&["C"]));
        assert_eq!(fields("a\tb,c"), ["a", "b,c"]);
        assert_eq!(fields("a,b,a,a"), ["a", "b", "a.1", "a.2"]);
        assert!(!super::has(Path::new("absent"), &["Y".to_owned()]));
    }
}
