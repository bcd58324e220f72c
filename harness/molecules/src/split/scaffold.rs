//! The rule of DeepChem's `ScaffoldSplitter` (deepchem/splits/splitters.py): molecules that share a scaffold stay together; groups are
//! taken from the largest to the smallest (among equals the one whose first molecule comes later in the file first) and fill the
//! training part, then the validation part, then the test part. It has no seed.
//!
//! The shares are of `len(dataset)`. Whether rows that hold no valid molecule count there depends on when DeepChem dropped them: a
//! featurizer that cannot read them drops them before (they do not count), the splitter itself only leaves them out of every part (they
//! count). So the caller says which number it is.

use super::groups;
use crate::prepared::Part;

/// Part of each molecule; the shares are of `of` molecules.
pub(super) fn split(scaffolds: &[String], of: usize, training: f64, validation: f64) -> Vec<Part> {
    let mut groups = groups(scaffolds);
    groups.sort_by_key(|group| std::cmp::Reverse((group.len(), group[0])));
    let training_end = training * of as f64;
    let validation_end = (training + validation) * of as f64;
    let mut parts = vec![Part::Test; scaffolds.len()];
    let (mut in_training, mut in_validation) = (0, 0);
    for group in groups {
        let part = if (in_training + group.len()) as f64 <= training_end {
            in_training += group.len();
            Part::Train
        } else if (in_training + in_validation + group.len()) as f64 <= validation_end {
            in_validation += group.len();
            Part::Valid
        } else {
            Part::Test
        };
        for molecule in group {
            parts[molecule] = part;
        }
    }
    parts
}
