//! Plain values across the edge.

use abi_stable::{
    StableAbi,
    std_types::{ROption, RString, RVec},
};

/// The bytes of a source file.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct SourceBytes {
    /// Name under which the dataset declared it.
    pub name: RString,
    /// Its bytes, whose hash the host has checked.
    pub bytes: RVec<u8>,
}

/// A parsed dataset.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct Table {
    /// One SMILES a row, as it stands in the file (trimmed).
    pub smiles: RVec<RString>,
    /// Labels as text, row-major [rows * tasks]; empty = missing.
    pub labels: RVec<RString>,
    /// Number of tasks.
    pub tasks: u32,
}

/// A parsed dataset and the split that its source gives.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct SplitTable {
    /// Molecules and labels.
    pub table: Table,
    /// `train`, `valid` or `test` for each row; empty where the source gives no split.
    pub parts: RVec<RString>,
}

/// One value of a metric.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct Value {
    /// Name.
    pub name: RString,
    /// Value.
    pub value: f64,
    /// Unit.
    pub unit: RString,
    /// Standard error from probes or masks, the sample held fixed.
    pub se_estimator: ROption<f64>,
    /// Standard error from the molecules of the sample.
    pub se_sample: ROption<f64>,
    /// A bound on the error from a residual, instead of standard errors.
    pub residual_bound: ROption<f64>,
}

/// A file that a metric leaves beside its values, such as a density or a grid.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct Artifact {
    /// File name: letters, digits, `.`, `-` and `_`.
    pub name: RString,
    /// Content.
    pub bytes: RVec<u8>,
}

/// What a metric found.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct Measurement {
    /// Values; the primary one is named in the metric's manifest entry.
    pub values: RVec<Value>,
    /// Files beside the values.
    pub artifacts: RVec<Artifact>,
    /// Molecules used.
    pub molecules: u64,
    /// Why it stopped: `budget`, `precision` or `complete`.
    pub stopped: RString,
}
