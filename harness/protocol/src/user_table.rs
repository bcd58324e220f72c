//! What a table of the user's own may look like: the rules that `clmbench data split` and the dataset plugin `csv` share, so that both
//! read the same rows of the same file. Pure functions.

/// Headers under which SMILES are looked for, whatever their case, the first found first.
pub const SMILES_COLUMNS: [&str; 3] = ["smiles", "canonical_smiles", "mol"];

/// Delimiters by their words.
pub const DELIMITERS: [(&str, u8); 3] = [("comma", b','), ("semicolon", b';'), ("tab", b'\t')];

/// Words of a split column, in small letters, and the part that each names.
const PARTS: [(&str, &str); 7] = [
    ("train", "train"),
    ("training", "train"),
    ("valid", "valid"),
    ("validation", "valid"),
    ("val", "valid"),
    ("dev", "valid"),
    ("test", "test"),
];

/// `train`, `valid` or `test`: the part that a word of a split column names, whatever its case.
pub fn part(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    PARTS.iter().find(|(known, _)| *known == lower).map(|(_, part)| *part)
}

/// The delimiter that the header line of a table has most of outside quotes; among equals the one that is rarer in names: a tab, then a
/// semicolon. A comma if it has none. Empty lines before the header do not count.
pub fn delimiter(table: &[u8]) -> u8 {
    let line_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let header = table.iter().skip_while(|byte| line_end(byte)).take_while(|byte| !line_end(byte));
    let mut quoted = false;
    let mut counts = [0_usize; DELIMITERS.len()];
    for byte in header {
        quoted ^= *byte == b'"';
        if let Some(place) = DELIMITERS.iter().position(|(_, delimiter)| delimiter == byte && !quoted) {
            counts[place] += 1;
        }
    }
    // Of equals the last one is taken.
    let most = (0..counts.len()).filter(|place| counts[*place] > 0).max_by_key(|place| counts[*place]);
    DELIMITERS[most.unwrap_or(0)].1
}

/// The places of the columns that hold SMILES by their name: those of the first of [`SMILES_COLUMNS`] that is there. More than one where
/// only their case differs.
pub fn smiles_columns(header: &[String]) -> Vec<usize> {
    let named =
        |word: &&str| -> Vec<usize> { (0..header.len()).filter(|place| header[*place].eq_ignore_ascii_case(word)).collect() };
    SMILES_COLUMNS.iter().map(named).find(|places| !places.is_empty()).unwrap_or_default()
}

/// A name that two columns have. Columns without a name cannot be asked for, so they may repeat.
pub fn named_twice(header: &[String]) -> Option<&String> {
    let mut seen = std::collections::HashSet::new();
    header.iter().find(|column| !column.is_empty() && !seen.insert(column.as_str()))
}

/// Whether the last row of a table, from its first byte on, opens a quote and never closes it.
pub fn open_quote(last_row: &[u8]) -> bool {
    last_row.iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

/// The line of a byte, from 1. A line ends with LF, CR LF or CR.
pub fn line(bytes: &[u8], place: usize) -> usize {
    let before = &bytes[..place.min(bytes.len())];
    let ends = |(index, byte): (usize, &u8)| *byte == b'\n' || (*byte == b'\r' && bytes.get(index + 1) != Some(&b'\n'));
    1 + before.iter().enumerate().filter(|entry| ends(*entry)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &str) -> Vec<String> {
        names.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn the_delimiter_is_the_headers_alone() {
        for (table, wanted) in [
            ("a;b\nC;1,5,6\n", b';'),
            ("\r\na;b\nC,1\n", b';'),
            ("a;b\rC,1,2\rN,3,4", b';'),
            ("a, b\tc\nC\t1\n", b'\t'),
            ("a,b\tc,d\n", b','),
            ("\"a;;;\",b\nC,1\n", b','),
            ("a\nC\n", b','),
            ("", b','),
        ] {
            assert_eq!(delimiter(table.as_bytes()), wanted, "{table:?}");
        }
    }

    #[test]
    fn columns_of_smiles_are_found_by_name() {
        for (names, places) in
            [("id,smiles", &[1][..]), ("SMILES,mol", &[0]), ("mol,Smiles", &[1]), ("smiles,SMILES", &[0, 1]), ("a,b", &[])]
        {
            assert_eq!(smiles_columns(&header(names)), places, "{names}");
        }
    }

    #[test]
    fn names_that_repeat_and_open_quotes_are_seen() {
        assert_eq!(named_twice(&header("a,b,,,b")).map(String::as_str), Some("b"));
        assert_eq!(named_twice(&header("a,,,A")), None);
        assert!(open_quote(b"C,\"1\nN,2\n") && !open_quote(b"\"C\",\"say \"\"x\"\"\"\n"));
    }

    #[test]
    fn parts_have_the_words_that_are_in_use() {
        for (text, wanted) in [
            ("Train", "train"),
            ("TRAINING", "train"),
            ("val", "valid"),
            ("Dev", "valid"),
            ("validation", "valid"),
            ("test", "test"),
        ] {
            assert_eq!(part(text), Some(wanted));
        }
        assert_eq!((part("holdout"), part("")), (None, None));
    }

    #[test]
    fn lines_end_in_three_ways() {
        for text in ["a\nb\nc", "a\r\nb\r\nc", "a\rb\rc", "a\r\nb\nc"] {
            assert_eq!(line(text.as_bytes(), text.len() - 1), 3, "{text:?}");
        }
    }
}
