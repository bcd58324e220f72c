//! The protocol `baseline`: a model without a CLM on fixed features of the molecules.

use std::path::Path;

use clmbench_protocol::{BaselineProtocol, Failure, FailureKind, Transfer, TransferOutput};

use super::open_dataset;
use crate::failure::Result;

/// Computes a transfer cell by the protocol `baseline` from the folder of the dataset.
///
/// # Errors
/// Unreadable inputs.
pub fn run(spec: &Transfer, protocol: &BaselineProtocol, dataset: &Path) -> Result<TransferOutput> {
    let _data = open_dataset(spec, dataset)?;
    Err(Failure::new(FailureKind::Unsupported, format!("the baseline {} is not built yet", protocol.label())))
}
