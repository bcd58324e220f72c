//! MoleculeACE: van Tilborg, Alenicheva & Grisoni 2022, "Exposing the limitations of molecular machine learning with activity
//! cliffs", J. Chem. Inf. Model. 62:5938. 30 sets of potencies of ChEMBL with a split of their own and marks of activity cliffs.
//!
//! Read from a hash-pinned package; nothing of it is run.

use clmbench_sdk::prelude::*;

pub mod read;
pub mod sets;

use sets::{SETS, Set};

/// The source `moleculeace`.
pub struct MoleculeAce;

impl Dataset for MoleculeAce {
    fn infos(&self) -> Vec<DatasetInfo> {
        SETS.iter().map(Set::info).collect()
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let name = request.name.as_str();
        let set = Set::find(name).ok_or_else(|| {
            let there: Vec<&str> = SETS.iter().map(|set| set.name).collect();
            PluginError::Input(format!("moleculeace has no dataset `{name}`; there are: {}", there.join(", ")))
        })?;
        read::read(set, files.bytes(&set.file())?)
    }
}

export_plugin! { datasets: [MoleculeAce] }
