//! Reading the files: one SMILES column, one label column, every row.

use clmbench_sdk::{prelude::*, protocol::user_table::delimiter};

use crate::sets::Set;

/// Parses the file of a set: the column `Y`, and the SMILES of `Drug` (TDC's name, in the package's CSV as in TDC's own tab-separated
/// files), `SMILES` or `smiles`.
///
/// # Errors
/// [`PluginError::Input`] naming the file and the line or the column that is not there.
pub fn read(set: &Set, bytes: &[u8]) -> Result<ParsedTable, PluginError> {
    let table = read_table(&set.file(), bytes, delimiter(bytes))?;
    let smiles = ["smiles", "SMILES"].into_iter().find(|name| table.has(name)).unwrap_or("Drug");
    table.parsed(smiles, &["Y"])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::read;
    use crate::sets::Set;

    #[test]
    fn the_forms_of_the_package_of_tdc_and_of_our_own_are_one() {
        let set = Set::find("half_life_obach").unwrap();
        for text in [
            "Drug_ID,Drug,Y,log_Y\n\"a, b\",CCO,4.1,1.41\nc,N,,\n",
            "\"Drug_ID\"\t\"Drug\"\t\"Y\"\r\n\"a, b\"\t\"CCO\"\t4.1\r\n\"c\"\t\"N\"\t\r\n",
            "SMILES,Y\nCCO,4.1\nN,\n",
            "smiles,Y\nCCO,4.1\nN,\n",
        ] {
            let table = read(set, text.as_bytes()).unwrap();
            assert_eq!(
                (table.smiles.join(" "), table.labels.concat()),
                ("CCO N".to_owned(), vec!["4.1".to_owned(), String::new()])
            );
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let set = Set::find("ames").unwrap();
        let refused = |text: &str| read(set, text.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("Drug_ID,Y\na,1\n"), "ames.csv: no column `Drug`; it has: Drug_ID, Y");
        assert_eq!(refused("Drug,y\nC,1\n"), "ames.csv: no column `Y`; it has: Drug, y");
        let ragged = refused("Drug_ID,Drug,Y\na,C,1\nb,N\n");
        assert!(ragged.contains("ames.csv, line 3 (row 1): 2 fields, but the header has 3"), "{ragged}");
    }
}
