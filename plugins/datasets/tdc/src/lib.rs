//! ADMET sets of the Therapeutics Data Commons: Huang et al. 2021, "Therapeutics Data Commons: machine learning datasets and tasks for
//! drug discovery and development", NeurIPS Datasets and Benchmarks (arXiv:2102.09548).
//!
//! Read from a hash-pinned package that carries TDC's rows, once its terms are accepted; nothing of it is run.

use clmbench_sdk::prelude::*;

pub mod read;
pub mod sets;

use sets::{SETS, Set};

/// The source `tdc`.
pub struct Tdc;

impl Dataset for Tdc {
    fn infos(&self) -> Vec<DatasetInfo> {
        SETS.iter().map(Set::info).collect()
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let name = request.name.as_str();
        let set = Set::find(name).ok_or_else(|| {
            let there: Vec<&str> = SETS.iter().map(|set| set.name).collect();
            PluginError::Input(format!("tdc has no dataset `{name}` here; there are: {}", there.join(", ")))
        })?;
        read::read(set, files.bytes(&set.file())?)
    }
}

export_plugin! { datasets: [Tdc] }
