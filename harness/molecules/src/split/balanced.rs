//! The balanced scaffold split of chemprop (`scaffold_split(balanced=True)`; Yang et al., J. Chem. Inf. Model. 59:3370, 2019): scaffolds
//! with more molecules than half of the validation or half of the test part come first, in a shuffled order, then all others, shuffled
//! too; each goes whole to the first of training, validation and test part in which it has room, else to the test part. So the large
//! scaffolds are trained on, and every seed tests on other ones.

use rand::seq::SliceRandom;

use super::{groups, stream};
use crate::prepared::Part;

/// Part of each molecule.
pub(super) fn split(scaffolds: &[String], training: f64, validation: f64, seed: u64) -> Vec<Part> {
    let all = scaffolds.len() as f64;
    let (training_size, validation_size) = (training * all, validation * all);
    // chemprop is told the third share; 1 - 0.8 - 0.1 is a hair less than that.
    let test_size = ((1.0 - training - validation).max(0.0) * 1e12).round() / 1e12 * all;
    let large = |group: &Vec<usize>| group.len() as f64 > validation_size / 2.0 || group.len() as f64 > test_size / 2.0;
    let (mut large, mut small): (Vec<_>, Vec<_>) = groups(scaffolds).into_iter().partition(large);
    let mut stream = stream(clmbench_protocol::split::SCAFFOLD_BALANCED, seed);
    large.shuffle(&mut stream);
    small.shuffle(&mut stream);
    let mut parts = vec![Part::Test; scaffolds.len()];
    let (mut in_training, mut in_validation) = (0, 0);
    for group in large.into_iter().chain(small) {
        let part = if (in_training + group.len()) as f64 <= training_size {
            in_training += group.len();
            Part::Train
        } else if (in_validation + group.len()) as f64 <= validation_size {
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
