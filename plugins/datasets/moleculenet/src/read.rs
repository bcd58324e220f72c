//! Reading the files: one SMILES column, one label column, every row.

use clmbench_sdk::prelude::*;

use crate::sets::Set;

/// Parses the file of a set. No row is left out; a label text that is no label is left for the host, which names its row and task.
///
/// # Errors
/// [`PluginError::Input`] naming the file and what is missing, or the line that does not fit.
pub fn read(set: &Set, bytes: &[u8]) -> Result<ParsedTable, PluginError> {
    let mut table = read_csv(&set.file(), bytes, "smiles", &[set.column])?;
    if set.doubled_backslashes {
        table.smiles.iter_mut().for_each(|text| *text = text.replace(r"\\", r"\"));
    }
    for label in table.labels.iter_mut().flatten() {
        if let Some((_, meant)) = set.words.iter().find(|(word, _)| word == label) {
            *label = (*meant).to_owned();
        }
        if set.without_point && label.parse::<i64>().is_ok() {
            label.push_str(".0");
        }
    }
    Ok(table)
}

/// Reads the SMILES column and the label columns of a CSV, every row of it.
fn read_csv(file: &str, bytes: &[u8], smiles: &str, labels: &[&str]) -> Result<ParsedTable, PluginError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let refused = |error: csv::Error| PluginError::Input(format!("{file}: {error}"));
    let headers = reader.headers().map_err(refused)?.clone();
    let column = |name: &str| {
        headers.iter().position(|header| header == name).ok_or_else(|| {
            let found = headers.iter().collect::<Vec<_>>().join(", ");
            PluginError::Input(format!("{file}: no column `{name}`; it has: {found}"))
        })
    };
    let smiles = column(smiles)?;
    let labels = labels.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?;
    let mut table = ParsedTable::default();
    for record in reader.records() {
        let record = record.map_err(refused)?;
        table.smiles.push(record.get(smiles).unwrap_or("").to_owned());
        table.labels.push(labels.iter().map(|index| record.get(*index).unwrap_or("").to_owned()).collect());
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{read, read_csv};
    use crate::sets::Set;

    #[test]
    fn every_row_is_kept_with_its_label_text() {
        let table = read_csv("f.csv", b"smiles,target\nCCO, -5.00\n\"C,C\",\n", "smiles", &["target"]).unwrap();
        assert_eq!(table.smiles, ["CCO", "C,C"]);
        assert_eq!(table.labels, [["-5.00"], [""]]);
    }

    #[test]
    fn a_missing_column_and_a_ragged_row_are_named() {
        let error = read_csv("f.csv", b"a,target\n", "smiles", &["target"]).unwrap_err().to_string();
        assert!(error.contains("f.csv: no column `smiles`; it has: a, target"), "{error}");
        let error = read_csv("f.csv", b"smiles,target\nC,1\nC\n", "smiles", &["target"]).unwrap_err().to_string();
        assert!(error.contains("f.csv") && error.contains("line: 3"), "{error}");
    }

    #[test]
    fn words_become_labels_and_unknown_words_stay() {
        let table = read(Set::find("hiv").unwrap(), b"smiles,target\nC,CI\nN,CM\nO,CA\nF,ci\nS,\n").unwrap();
        assert_eq!(table.labels.concat(), ["0", "1", "1", "ci", ""]);
        let table = read(Set::find("bace").unwrap(), b"smiles,target\nC,CI\n").unwrap();
        assert_eq!(table.labels.concat(), ["CI"], "only where the set has such words");
    }

    #[test]
    fn whole_labels_get_their_point_back_only_where_it_was_lost() {
        let table = read(Set::find("esol").unwrap(), b"smiles,logSolubility\nC,-1\nN, 0 \nO,-0.77\nF,\nS,NA\n").unwrap();
        assert_eq!(table.labels.concat(), ["-1.0", "0.0", "-0.77", "", "NA"]);
        assert_eq!(read(Set::find("lipo").unwrap(), b"smiles,target\nC,3\n").unwrap().labels.concat(), ["3"]);
        let error = read(Set::find("esol").unwrap(), b"smiles,target\nC,1\n").unwrap_err().to_string();
        assert!(error.contains("esol.csv: no column `logSolubility`; it has: smiles, target"), "{error}");
    }

    #[test]
    fn doubled_backslashes_are_undone_only_where_they_are_known() {
        let text = "smiles,target\nC/C=C\\\\C,1\n";
        assert_eq!(read(Set::find("clintox").unwrap(), text.as_bytes()).unwrap().smiles, ["C/C=C\\C"]);
        assert_eq!(read(Set::find("bbbp").unwrap(), text.as_bytes()).unwrap().smiles, ["C/C=C\\\\C"]);
    }
}
