//! Datasets of MoleculeNet: Wu et al. 2018, "MoleculeNet: a benchmark for molecular machine learning", Chem. Sci. 9:513.
//!
//! Read from a hash-pinned package that carries the original files row for row; nothing of the package is run.

use clmbench_sdk::prelude::*;

pub mod read;
pub mod sets;

use sets::{SETS, Set};

/// The source `moleculenet`.
pub struct MoleculeNet;

impl Dataset for MoleculeNet {
    fn infos(&self) -> Vec<DatasetInfo> {
        SETS.iter().map(Set::info).collect()
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let name = request.name.as_str();
        let set = Set::find(name).ok_or_else(|| {
            let there: Vec<&str> = SETS.iter().map(|set| set.name).collect();
            PluginError::Input(format!("moleculenet has no dataset `{name}` here; there are: {}", there.join(", ")))
        })?;
        read::read(set, files.bytes(&set.file())?)
    }
}

export_plugin! { datasets: [MoleculeNet] }
