//! Reading the files: tables in TSV with quoted names that run over lines, Windows line ends and a mark of byte order in one.

use clmbench_sdk::{prelude::*, protocol::user_table::delimiter};

use crate::sets::{File, Set};

/// Parses one file of a set, every row: the TSV of B3DB, or our own form `smiles,<task>`. BBB+ and BBB- become 1 and 0; any other text
/// is left for the host, which names its row.
///
/// # Errors
/// [`PluginError::Input`] naming the file and the line or the column that is not there.
pub fn read(set: &Set, file: &File, bytes: &[u8]) -> Result<ParsedTable, PluginError> {
    let table = read_table(file.name, bytes, delimiter(bytes))?;
    let ours = table.has("smiles");
    let mut parsed = if ours { table.parsed("smiles", &[set.task])? } else { table.parsed("SMILES", &[set.column])? };
    if !ours && set.kind == TaskKind::Classification {
        for label in parsed.labels.iter_mut().flatten() {
            let class = match label.as_str() {
                "BBB+" => "1",
                "BBB-" => "0",
                _ => continue,
            };
            *label = class.to_owned();
        }
    }
    if !file.part.is_empty() {
        parsed.parts = vec![file.part.to_owned(); parsed.smiles.len()];
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::read;
    use crate::sets::Set;

    #[test]
    fn classes_become_digits_and_quoted_names_run_over_lines() {
        let set = Set::find("classification").unwrap();
        let text =
            "\u{feff}NO.\tcompound_name\tSMILES\tBBB+/BBB-\r\n1\t\"a\n\nb\"\tCCO\tBBB+\r\n2\tc\tN\tBBB-\r\n3\td\tO\tBBB\r\n";
        let table = read(set, &set.files[0], text.as_bytes()).unwrap();
        assert_eq!(table.smiles, ["CCO", "N", "O"]);
        assert_eq!(table.labels.concat(), ["1", "0", "BBB"]);
        assert!(table.parts.is_empty());
    }

    #[test]
    fn our_own_form_is_read_too() {
        let set = Set::find("regression").unwrap();
        let table = read(set, &set.files[0], b"smiles,logBB\nCCO,-0.2\nN,\n").unwrap();
        assert_eq!((table.smiles.concat(), table.labels.concat()), ("CCON".to_owned(), vec!["-0.2".to_owned(), String::new()]));
    }

    #[test]
    fn the_files_of_the_external_set_are_its_parts() {
        let set = Set::find("external").unwrap();
        let parts: Vec<_> =
            set.files.iter().flat_map(|file| read(set, file, b"SMILES\tBBB+/BBB-\nC\tBBB+\nN\tBBB-\n").unwrap().parts).collect();
        assert_eq!(parts, ["train", "train", "test", "test"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let set = Set::find("regression").unwrap();
        let refused = |text: &str| read(set, &set.files[0], text.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("NO.\tSMILES\n1\tC\n"), "B3DB_regression.tsv: no column `logBB`; it has: NO., SMILES");
        assert_eq!(refused("a\tb\n1\t2\n"), "B3DB_regression.tsv: no column `SMILES`; it has: a, b");
        let ragged = refused("NO.\tSMILES\tlogBB\n1\tC\t0\n2\tN\n");
        assert!(ragged.contains("B3DB_regression.tsv, line 3 (row 1): 2 fields, but the header has 3"), "{ragged}");
    }
}
