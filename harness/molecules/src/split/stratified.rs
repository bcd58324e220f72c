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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Labels 0 to `count` - 1 in a scattered order.
    fn labels(count: u64) -> Vec<f64> {
        (0..count).map(|row| ((row * 7_919) % count) as f64).collect()
    }

    #[test]
    fn every_ten_labels_in_order_are_shared_out_and_the_last_ones_train() {
        let labels = labels(127);
        let mut order: Vec<usize> = (0..127).collect();
        order.sort_by_key(|row| labels[*row] as u64);
        for (training, validation, wanted) in
            [(0.8, 0.1, (8, 1, 1)), (0.7, 0.2, (7, 2, 1)), (0.5, 0.0, (5, 0, 5)), (1.0, 0.0, (10, 0, 0))]
        {
            let parts = split(&labels, training, validation, 3);
            for group in order.chunks(10) {
                let count = |part| group.iter().filter(|row| parts[**row] == part).count();
                let found = (count(Part::Train), count(Part::Valid), count(Part::Test));
                assert_eq!(found, if group.len() == 10 { wanted } else { (7, 0, 0) });
            }
        }
    }

    #[test]
    fn every_molecule_of_a_group_is_tested_by_some_seed_as_often_as_another() {
        let labels = labels(30);
        let mut tested = [0_u32; 30];
        let mut different = BTreeSet::new();
        for seed in 0..1_000 {
            let parts = split(&labels, 0.8, 0.1, seed);
            assert_eq!(parts, split(&labels, 0.8, 0.1, seed));
            parts.iter().zip(&mut tested).for_each(|(part, count)| *count += u32::from(*part == Part::Test));
            different.insert(parts);
        }
        // A tenth of 1,000, standard deviation 9.5.
        assert!(tested.iter().all(|count| (60..=140).contains(count)), "{tested:?}");
        assert!(different.len() > 990, "of 90^3 there are");
    }

    #[test]
    fn equal_labels_are_in_a_random_order_and_classes_keep_their_share() {
        // 40 zeros and 60 ones: whole groups of each.
        let labels: Vec<f64> = (0..100).map(|row| f64::from(u8::from(row % 5 > 1))).collect();
        let mut groups = BTreeSet::new();
        for seed in 0..20 {
            let parts = split(&labels, 0.8, 0.1, seed);
            for (class, wanted) in [(0.0, 4), (1.0, 6)] {
                let of_class = || parts.iter().zip(&labels).filter(|(_, label)| **label == class);
                assert_eq!(of_class().filter(|(part, _)| **part == Part::Test).count(), wanted);
                assert_eq!(of_class().filter(|(part, _)| **part == Part::Valid).count(), wanted);
            }
            groups.insert(parts);
        }
        assert_eq!(groups.len(), 20);
    }

    #[test]
    fn shares_that_are_no_tenths_are_refused_and_few_molecules_all_train() {
        assert!(refusal(0.8, 0.1).is_none() && refusal(0.7, 0.30000000000000004).is_none() && refusal(1.0, 0.0).is_none());
        assert!(refusal(0.75, 0.1).is_some() && refusal(0.8, 0.05).is_some());
        assert_eq!(split(&labels(9), 0.1, 0.1, 0), [Part::Train; 9]);
        assert!(split(&[], 0.8, 0.1, 0).is_empty());
    }
}
