//! The split that a file of the user's gives. A table with a header, told apart by it:
//!
//! | columns | what a line is |
//! |---|---|
//! | `row`, `split` | a row of the dataset, from 0, as `clmbench data split --format csv` writes it; other columns do not matter |
//! | `smiles` (or another usual name), `split` | a molecule of the dataset, by its text or else by its canonical SMILES |
//!
//! A part is `train`, `valid` or `test` or another usual word for it ([`clmbench_protocol::user_table::part`]); nothing is for a row that
//! holds no valid molecule. Every valid molecule must have a part, and the file must name no row or molecule that the dataset lacks. Of a
//! molecule in several rows either every line stands for one of its rows in their order, or all lines give one part. Where no molecule is
//! for validation, a share of the training molecules becomes it as in [`super::given`], with seed 0.

use std::{collections::HashMap, path::Path};

use clmbench_protocol::user_table as rules;

use super::{Molecules, given, stream};
use crate::{error::MoleculesError, prepared::Part, smiles, user_table};

/// A line of the file: where it is, what it names, its part (empty = none).
struct Line {
    number: usize,
    key: String,
    part: &'static str,
}

/// Reads the file: the part of each row of the dataset, empty for a row that it leaves out. `name` is what errors call the file; `smiles`
/// are those of all rows of the dataset.
///
/// # Errors
/// [`MoleculesError::Io`], [`MoleculesError::NotText`]; [`MoleculesError::SplitFile`] by line for what is no such table, for an unknown
/// word, a row or molecule that is not there or stands twice.
pub fn read(path: &Path, name: &str, smiles: &[String]) -> Result<Vec<String>, MoleculesError> {
    let (by_row, lines) = lines(path, name)?;
    if by_row { rows(name, &lines, smiles.len()) } else { molecules(name, lines, smiles) }
}

/// Part of each molecule.
pub(super) fn split(molecules: Molecules<'_>, training: f64, validation: f64) -> Result<Vec<Part>, MoleculesError> {
    if molecules.given.is_empty() {
        return Err(MoleculesError::MissingInput { what: "the file of the split".into() });
    }
    let part = |row: &u64| {
        let word = molecules.given.get(*row as usize).and_then(|word| Part::read(word));
        word.ok_or_else(|| MoleculesError::NoPart { dataset: molecules.name.into(), row: *row })
    };
    let parts = molecules.rows.iter().map(part).collect::<Result<_, _>>()?;
    Ok(given::with_validation(parts, training, validation, stream(clmbench_protocol::split::FILE, 0)))
}

/// Whether the lines name rows, and what they say.
fn lines(path: &Path, name: &str) -> Result<(bool, Vec<Line>), MoleculesError> {
    let bytes = user_table::unzipped(path, name)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let wrong = |line, what: String| MoleculesError::SplitFile { file: name.into(), line, what };
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(wrong(None, "it is JSON, and only a table (CSV, TSV) is read".into()));
    }
    let delimiter = user_table::delimiter(path, bytes);
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).flexible(true).from_reader(bytes);
    let broken = |error: csv::Error| wrong(None, error.to_string());
    let header: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::to_lowercase).collect();
    if let Some(twice) = rules::named_twice(&header) {
        return Err(wrong(Some(1), format!("the column `{twice}` occurs twice")));
    }
    let place = |wanted: &str| header.iter().position(|column| column == wanted);
    let row = place("row");
    let (Some(key), Some(part)) = (row.or_else(|| rules::smiles_columns(&header).first().copied()), place("split")) else {
        let found =
            header.iter().take(12).map(|column| column.chars().take(40).collect::<String>()).collect::<Vec<_>>().join(", ");
        return Err(wrong(Some(1), format!("its columns are {found}, but it needs `row` and `split`, or `smiles` and `split`")));
    };
    let mut lines = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let start = record.position().map_or(0, |position| position.byte() as usize).min(bytes.len());
        let blank = bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        // Counted where it is needed alone: it takes a walk through the file.
        let number = || rules::line(bytes, start + blank);
        if record.len() != header.len() {
            let what = format!("{} fields, but the header has {}", record.len(), header.len());
            return Err(wrong(Some(number()), what));
        }
        let word = record.get(part).unwrap_or_default();
        let part = match word {
            "" => "",
            _ => rules::part(word).ok_or_else(|| {
                let word: String = word.chars().take(40).collect();
                wrong(Some(number()), format!("`{word}` is none of `train`, `valid` and `test`"))
            })?,
        };
        lines.push(Line { number: start + blank, key: record.get(key).unwrap_or_default().to_owned(), part });
    }
    if lines.is_empty() {
        return Err(wrong(None, "it has no rows".into()));
    }
    let mut counted = (0, 1);
    for line in &mut lines {
        counted = (line.number, counted.1 + rules::line(&bytes[counted.0..], line.number - counted.0) - 1);
        line.number = counted.1;
    }
    Ok((row.is_some(), lines))
}

fn rows(name: &str, lines: &[Line], rows: usize) -> Result<Vec<String>, MoleculesError> {
    let mut parts = vec![None; rows];
    for line in lines {
        let wrong = |what: String| MoleculesError::SplitFile { file: name.into(), line: Some(line.number), what };
        let text: String = line.key.chars().take(40).collect();
        let row: usize = line.key.parse().map_err(|_| wrong(format!("`{text}` is no row; rows are counted from 0")))?;
        match parts.get_mut(row) {
            None => return Err(wrong(format!("the dataset has no row {row}: it has {rows}, counted from 0"))),
            Some(Some(_)) => return Err(wrong(format!("row {row} stands in an earlier line too"))),
            Some(part) => *part = Some(line.part.to_owned()),
        }
    }
    Ok(parts.into_iter().map(Option::unwrap_or_default).collect())
}

fn molecules(name: &str, mut lines: Vec<Line>, smiles: &[String]) -> Result<Vec<String>, MoleculesError> {
    let mut keys: Vec<String> = smiles.iter().map(|text| text.trim().to_owned()).collect();
    let known = |keys: &[String], lines: &[Line]| {
        let keys: std::collections::HashSet<&str> = keys.iter().map(String::as_str).collect();
        let named: std::collections::HashSet<&str> = lines.iter().map(|line| line.key.as_str()).collect();
        keys == named
    };
    if !known(&keys, &lines) {
        // What is no molecule keeps its text.
        let canonical = |text: &mut String| {
            if let Ok(found) = smiles::canonical(text) {
                *text = found;
            }
        };
        keys.iter_mut().for_each(canonical);
        lines.iter_mut().for_each(|line| canonical(&mut line.key));
    }
    let mut rows: HashMap<&str, Vec<usize>> = HashMap::new();
    keys.iter().enumerate().for_each(|(row, key)| rows.entry(key).or_default().push(row));
    let mut named: HashMap<&str, Vec<&Line>> = HashMap::new();
    for line in &lines {
        if !rows.contains_key(line.key.as_str()) {
            let text: String = line.key.chars().take(60).collect();
            let what = format!("the dataset has no molecule `{text}`");
            return Err(MoleculesError::SplitFile { file: name.into(), line: Some(line.number), what });
        }
        named.entry(&line.key).or_default().push(line);
    }
    let mut parts = vec![String::new(); smiles.len()];
    // In the order of the file, so that the first fault is the one told of.
    for line in &lines {
        let (lines, rows) = (&named[line.key.as_str()], &rows[line.key.as_str()]);
        let one_part = lines.iter().all(|other| other.part == line.part);
        if lines.len() != rows.len() && !one_part {
            let text: String = line.key.chars().take(60).collect();
            let what = format!(
                "`{text}` stands in {} lines with different parts, and in {} rows of the dataset; name rows instead",
                lines.len(),
                rows.len()
            );
            return Err(MoleculesError::SplitFile { file: name.into(), line: Some(line.number), what });
        }
        for (place, row) in rows.iter().enumerate() {
            parts[*row] = lines.get(place).unwrap_or(&lines[0]).part.to_owned();
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SMILES: [&str; 5] = ["CCO", "c1ccccc1", "not one", "OCC", "N"];

    fn parts(content: &str) -> Result<Vec<String>, MoleculesError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.csv");
        std::fs::write(&path, content).unwrap();
        read(&path, "split.csv", &SMILES.map(String::from))
    }

    fn refused(content: &str) -> String {
        let text = parts(content).unwrap_err().to_string();
        text.strip_suffix("; `clmbench data split NAME --format csv` writes such a file").unwrap_or(&text).to_owned()
    }

    #[test]
    fn rows_come_in_any_order_with_other_columns_and_any_line_end() {
        let wanted = ["train", "test", "", "valid", "train"];
        let text = "row,split,scaffold,reason\n1,test,c1ccccc1,\n0,train,,\n2,,,\"not, a SMILES\"\n3,Validation,,\n4,train,,\n";
        for text in
            [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}"), text.replace(",\"not, a SMILES\"", ",")]
        {
            assert_eq!(parts(&text).unwrap(), wanted);
        }
        assert_eq!(parts("Split\tROW\ntest\t1\ntrain\t0\n\nvalid\t3\ntrain\t4").unwrap(), wanted, "row 2 is left out");
    }

    #[test]
    fn molecules_are_found_by_text_and_else_by_canonical_form() {
        // As written, line for line.
        let as_written = "smiles,split\nCCO,train\nc1ccccc1,test\nnot one,\nOCC,test\nN,valid\n";
        assert_eq!(parts(as_written).unwrap(), ["train", "test", "", "test", "valid"]);
        // In canonical form ethanol is in two rows: one line is for both, two lines are for one each.
        let canonical = "mol,split\nN,valid\nC1=CC=CC=C1,test\nCCO,train\n";
        assert_eq!(parts(canonical).unwrap(), ["train", "test", "", "train", "valid"]);
        let canonical = "mol,split\nN,valid\nC1=CC=CC=C1,test\nCCO,train\nCCO,test\n";
        assert_eq!(parts(canonical).unwrap(), ["train", "test", "", "test", "valid"]);
    }

    #[test]
    fn what_does_not_fit_is_named_by_line() {
        for (content, wanted) in [
            ("row,split\n0,train\n1,holdout\n", "split.csv, line 3: `holdout` is none of `train`, `valid` and `test`"),
            ("row,split\n0,train\n\n7,train\n", "split.csv, line 4: the dataset has no row 7: it has 5, counted from 0"),
            ("row,split\n0,train\n-1,train\n", "split.csv, line 3: `-1` is no row; rows are counted from 0"),
            ("row,split\n0,train\n1,test\n0,train\n", "split.csv, line 4: row 0 stands in an earlier line too"),
            ("row,split\n0,train\n1\n", "split.csv, line 3: 1 fields, but the header has 2"),
            ("row,split\n", "split.csv: it has no rows"),
            (
                "a,b\n0,train\n",
                "split.csv, line 1: its columns are a, b, but it needs `row` and `split`, or `smiles` and `split`",
            ),
            ("row,split,Split\n0,train,\n", "split.csv, line 1: the column `split` occurs twice"),
            ("{\"schema\": 1}", "split.csv: it is JSON, and only a table (CSV, TSV) is read"),
            ("smiles,split\nCCO,train\nCCCC,test\n", "split.csv, line 3: the dataset has no molecule `CCCC`"),
            (
                "smiles,split\nN,valid\nOCC,train\nCCO,test\nC(C)O,test\n",
                "split.csv, line 3: `CCO` stands in 3 lines with different parts, and in 2 rows of the dataset; name rows instead",
            ),
        ] {
            assert_eq!(refused(content), wanted);
        }
        let absent = read(Path::new("/nowhere/split.csv"), "split.csv", &[]).unwrap_err();
        assert!(matches!(absent, MoleculesError::Io { .. }), "{absent}");
    }

    #[test]
    fn every_valid_molecule_needs_a_part_and_validation_is_drawn_where_there_is_none() {
        let given = |words: &str| {
            words
                .chars()
                .map(|letter| match letter {
                    'a' => "train".to_owned(),
                    'v' => "valid".to_owned(),
                    't' => "test".to_owned(),
                    _ => String::new(),
                })
                .collect::<Vec<_>>()
        };
        let of = |given: &[String], rows: &[u64]| {
            let molecules =
                Molecules { name: "set", smiles: &[], scaffolds: &[], labels: &[], tasks: 0, rows, all_rows: given.len(), given };
            split(molecules, 0.8, 0.1)
        };
        use Part::{Test, Train, Valid};
        assert_eq!(of(&given("a-vt"), &[0, 2, 3]).unwrap(), [Train, Valid, Test]);
        assert_eq!(
            of(&given("a-vt"), &[0, 1, 2, 3]).unwrap_err().to_string(),
            "set, row 1: the split file gives it no part; add it with one of `train`, `valid` and `test`"
        );
        assert!(matches!(of(&[], &[0]), Err(MoleculesError::MissingInput { .. })));
        let rows: Vec<u64> = (0..100).collect();
        let parts = of(&given(&("a".repeat(90) + &"t".repeat(10))), &rows).unwrap();
        // 0.1 / 0.9 of 90.
        assert_eq!(parts.iter().filter(|part| **part == Valid).count(), 10);
        assert!(parts[90..].iter().all(|part| *part == Test));
    }
}
