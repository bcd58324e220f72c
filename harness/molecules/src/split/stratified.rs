//! The rule of DeepChem's `SingletaskStratifiedSplitter` (deepchem/splits/splitters.py): molecules in the order of their label are cut
//! into groups of ten, and each group is shared out at random: of ten, `round(10 training)` for training, `round(10 validation)` for
//! validation, the rest for testing. What is left over at the end (at most nine, those of the largest labels) is for training. So every
//! part has the whole range of labels. Molecules of equal label come in a random order; DeepChem leaves theirs to the sort.

use rand::seq::SliceRandom;

use super::stream;
use crate::prepared::Part;

/// Molecules in a group.
const GROUP: usize = 10;

/// Why these shares cannot be taken: they must be tenths.
pub(super) fn refusal(training: f64, validation: f64) -> Option<&'static str> {
    let tenth = |share: f64| (10.0 * share - (10.0 * share).round()).abs() < 1e-9;
    let tenths = tenth(training) && tenth(validation);
    (!tenths).then_some("`stratified` shares out groups of ten molecules, so both must be tenths, such as 0.8 and 0.1")
}

/// Part of each molecule, by its label.
pub(super) fn split(labels: &[f64], training: f64, validation: f64, seed: u64) -> Vec<Part> {
    let mut stream = stream(clmbench_protocol::split::STRATIFIED, seed);
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut stream);
    order.sort_by(|a, b| labels[*a].total_cmp(&labels[*b]));
    let training_end = (10.0 * training).round() as usize;
    let validation_end = training_end + (10.0 * validation).round() as usize;
    let mut parts = vec![Part::Train; labels.len()];
    for group in order.chunks_exact_mut(GROUP) {
        group.shuffle(&mut stream);
        for (place, molecule) in group.iter().enumerate().skip(training_end) {
            parts[*molecule] = if place < validation_end { Part::Valid } else { Part::Test };
        }
    }
    parts
}
