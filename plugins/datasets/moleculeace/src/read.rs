//! Reading the files: potency, mark of a cliff and part of every row.

use clmbench_sdk::prelude::*;
use sha2::{Digest, Sha256};

use crate::sets::Set;

/// Parses the file of a set: columns `smiles`, `y`, `cliff_mol` (`cliff` in our own form) and `split`, every row. The first label is
/// the potency, the second the mark of the subset `cliff`.
///
/// # Errors
/// [`PluginError::Input`] naming the file: a column that is not there, a part that is neither `train` nor `test` (with its row), or a
/// split that is not that of MoleculeACE. The hash of the content covers molecules and labels but no split, so it is checked here.
pub fn read(set: &Set, bytes: &[u8]) -> Result<ParsedTable, PluginError> {
    let file = set.file();
    let table = read_table(&file, bytes, b',')?;
    let cliff = if table.has("cliff_mol") { "cliff_mol" } else { "cliff" };
    let mut parsed = table.parsed("smiles", &["y", cliff])?;
    let split = table.column("split")?;
    let mut digest = Sha256::new();
    for (row, part) in table.fields(split).enumerate() {
        if !matches!(part, "train" | "test") {
            let part: String = part.chars().take(40).collect();
            return Err(PluginError::Input(format!("{file}, row {row}: the part `{part}` is neither train nor test")));
        }
        digest.update(part);
        digest.update("\n");
        parsed.parts.push(part.to_owned());
    }
    let found: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != set.sha256_split {
        return Err(PluginError::Input(format!(
            "{file}: its split is not that of MoleculeACE 3.0.0 (SHA-256 of the parts, one a line: {found}, not {}); fetch the file \
             again, or read your own split with the source csv",
            set.sha256_split
        )));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::read;
    use crate::sets::{SETS, Set};

    /// A set of three rows: two for training, one for testing. The digest is that of `printf 'train\ntest\ntrain\n' | sha256sum`.
    const SMALL: Set = Set { sha256_split: "9ba509bb5b792ad8e4ccc8e456590260f5b5a820dfca86ad6fa1d09ae3c8bf79", ..SETS[0] };

    #[test]
    fn potencies_cliffs_and_parts_are_read_from_either_form() {
        let package = "smiles,exp_mean [nM],y,cliff_mol,split\nC,500.0,-2.69897,0,train\nN,1.0,0.0,1,test\nO,10.0,-1.0,1,train\n";
        let ours = "smiles,y,cliff,split\r\nC,-2.69897,0,train\r\nN,0.0,1,test\r\nO,-1.0,1,train\r\n";
        for text in [package, ours] {
            let table = read(&SMALL, text.as_bytes()).unwrap();
            assert_eq!(table.smiles, ["C", "N", "O"]);
            assert_eq!(table.labels, [["-2.69897", "0"], ["0.0", "1"], ["-1.0", "1"]]);
            assert_eq!(table.parts, ["train", "test", "train"]);
        }
    }

    #[test]
    fn another_split_and_a_missing_column_are_refused() {
        let refused = |text: &str| read(&SMALL, text.as_bytes()).unwrap_err().to_string();
        let other = refused("smiles,y,cliff,split\nC,1,0,test\nN,2,1,test\nO,3,1,train\n");
        assert!(other.starts_with("CHEMBL1862_Ki.csv: its split is not that of MoleculeACE 3.0.0"), "{other}");
        assert_eq!(
            refused("smiles,y,cliff,split\nC,1,0,train\nN,2,1,valid\n"),
            "CHEMBL1862_Ki.csv, row 1: the part `valid` is neither train nor test"
        );
        assert_eq!(refused("smiles,y,cliff\nC,1,0\n"), "CHEMBL1862_Ki.csv: no column `split`; it has: smiles, y, cliff");
        assert_eq!(refused("smiles,y,split\nC,1,train\n"), "CHEMBL1862_Ki.csv: no column `cliff`; it has: smiles, y, split");
    }
}
