//! Datasets of MoleculeNet: Wu et al. 2018, "MoleculeNet: a benchmark for molecular machine learning", Chem. Sci. 9:513.
//!
//! Read from hash-pinned packages that carry the original files row for row; nothing of the packages is run.

use clmbench_sdk::prelude::*;

mod freesolv;

/// The source `moleculenet`.
pub struct MoleculeNet;

impl Dataset for MoleculeNet {
    fn infos(&self) -> Vec<DatasetInfo> {
        vec![freesolv::info()]
    }

    fn parse(&self, name: &str, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        match name {
            "freesolv" => read_csv("freesolv.csv", files.bytes("freesolv.csv")?, "smiles", &["target"]),
            other => Err(PluginError::Input(format!("moleculenet has no dataset `{other}` here yet; there is: freesolv"))),
        }
    }
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

export_plugin! { datasets: [MoleculeNet] }

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::read_csv;

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
}
