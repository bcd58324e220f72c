//! B3DB: Meng, Xi, Huang & Ayers 2021, "A curated diverse molecular database of blood-brain barrier permeability with chemical
//! descriptors", Scientific Data 8:289.
//!
//! Read from a hash-pinned package; nothing of it is run.

use clmbench_sdk::prelude::*;

pub mod read;
pub mod sets;

use sets::{SETS, Set};

/// The source `b3db`.
pub struct B3db;

impl Dataset for B3db {
    fn infos(&self) -> Vec<DatasetInfo> {
        SETS.iter().map(Set::info).collect()
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let name = request.name.as_str();
        let set = Set::find(name).ok_or_else(|| {
            let there: Vec<&str> = SETS.iter().map(|set| set.name).collect();
            PluginError::Input(format!("b3db has no dataset `{name}`; there are: {}", there.join(", ")))
        })?;
        let mut table = ParsedTable::default();
        for file in set.files {
            let mut rows = read::read(set, file, files.bytes(file.name)?)?;
            table.smiles.append(&mut rows.smiles);
            table.labels.append(&mut rows.labels);
            table.parts.append(&mut rows.parts);
        }
        Ok(table)
    }
}

export_plugin! { datasets: [B3db] }
