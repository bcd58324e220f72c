//! Molecules in a shuffled order, cut as DeepChem's `RandomSplitter` does: the first `int(training n)` are for training, up to
//! `int((training + validation) n)` for validation, the rest for testing. The same molecule in two rows can come to two parts.

use rand::seq::SliceRandom;

use super::stream;
use crate::prepared::Part;

/// Part of each of `count` molecules.
pub(super) fn split(count: usize, training: f64, validation: f64, seed: u64) -> Vec<Part> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut stream(clmbench_protocol::split::RANDOM, seed));
    let training_end = (training * count as f64) as usize;
    let validation_end = ((training + validation) * count as f64) as usize;
    let mut parts = vec![Part::Test; count];
    for (place, molecule) in order.into_iter().enumerate() {
        if place < training_end {
            parts[molecule] = Part::Train;
        } else if place < validation_end {
            parts[molecule] = Part::Valid;
        }
    }
    parts
}
