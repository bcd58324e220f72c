//! Cells of CSV files, for every file that the program writes: foreign text is one cell, no formula, and steers nothing.

use clmbench_protocol::is_unsafe_to_show;

/// What spreadsheets take for the start of a formula: they skip blanks and take the full-width signs for the plain ones.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Foreign text as one cell. What a spreadsheet would take for a formula gets a `'` before it; characters that steer a terminal or
/// deceive a reader become U+FFFD (line ends and tabs stay); what holds a separator is quoted as RFC 4180 says. Some read `;` or a tab
/// as the separator, so these are quoted too, which the writer of the `csv` crate cannot be asked for.
pub fn csv_text(text: &str) -> String {
    let shown =
        |letter: char| if !matches!(letter, '\n' | '\r' | '\t') && is_unsafe_to_show(letter) { '\u{fffd}' } else { letter };
    let mut safe: String = text.chars().map(shown).collect();
    if safe.starts_with(['\t', '\r', '\n']) || safe.trim_start().starts_with(FORMULA) {
        safe.insert(0, '\'');
    }
    if safe.contains([',', ';', '"', '\n', '\r', '\t', '\'']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// Rows whose cells are numbers as they are written, or foreign text.
pub(crate) fn csv_lines(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            match cell.parse::<f64>() {
                Ok(_) => text.push_str(cell),
                Err(_) => text.push_str(&csv_text(cell)),
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CASES: [(&str, &str); 14] = [
        ("bert/mixed-5000/seed0", "bert/mixed-5000/seed0"),
        ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
        ("@x", "\"'@x\""),
        ("-1", "\"'-1\""),
        (" =1", "\"' =1\""),
        ("\u{ff1d}1", "\"'\u{ff1d}1\""),
        ("\t=1", "\"'\t=1\""),
        ("a,b", "\"a,b\""),
        ("a;=1", "\"a;=1\""),
        ("+a\"b", "\"'+a\"\"b\""),
        ("a\nb", "\"a\nb\""),
        ("a\u{1b}]0;x\u{7}", "\"a\u{fffd}]0;x\u{fffd}\""),
        ("a\u{9b}2J\u{202e}", "a\u{fffd}2J\u{fffd}"),
        ("say \"x\"", "\"say \"\"x\"\"\""),
    ];

    #[test]
    fn cells_are_no_formulas_and_no_two_cells() {
        for (text, expected) in CASES {
            assert_eq!(csv_text(text), expected);
        }
    }

    #[test]
    fn others_read_the_cells_that_were_written() {
        let cells: Vec<String> =
            CASES.iter().map(|(text, _)| (*text).to_owned()).chain(["-1.5", "NaN", "-inf", "2e-7"].map(str::to_owned)).collect();
        let text = csv_lines(&[cells.clone(), cells.clone()]);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        for row in rows {
            assert_eq!(row.len(), cells.len());
            for (read, cell) in row.iter().zip(&cells) {
                let shown: String = cell
                    .chars()
                    .map(|letter| if letter != '\n' && letter != '\t' && is_unsafe_to_show(letter) { '\u{fffd}' } else { letter })
                    .collect();
                assert_eq!(read.strip_prefix('\'').unwrap_or(read), shown);
            }
            assert_eq!(row.iter().rev().take(4).collect::<Vec<_>>(), ["2e-7", "-inf", "NaN", "-1.5"], "numbers are as they were");
        }
    }
}
