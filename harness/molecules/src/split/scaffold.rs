//! The rule of DeepChem's `ScaffoldSplitter` (deepchem/splits/splitters.py): molecules that share a scaffold stay together; groups are
//! taken from the largest to the smallest (among equals the one whose first molecule comes later in the file first) and fill the
//! training part, then the validation part, then the test part. It has no seed.
//!
//! The shares are of all rows of the table, also of those that hold no valid molecule and are in no part: so it is where the
//! splitter itself meets them, as in MoleculeNet's counts for HIV (32,901 / 4,113 / 4,106 of 41,127 rows). A featurizer that drops them
//! before the split would give others.

use super::groups;
use crate::prepared::Part;

/// Part of each molecule; the shares are of `rows` rows.
pub(super) fn split(scaffolds: &[String], rows: usize, training: f64, validation: f64) -> Vec<Part> {
    let mut groups = groups(scaffolds);
    groups.sort_by_key(|group| std::cmp::Reverse((group.len(), group[0])));
    let rows = rows as f64;
    super::fill(&groups, scaffolds.len(), (training * rows, (training + validation) * rows))
}
