//! The rule of DeepChem's `ButinaSplitter` with its cutoff of 0.6 (deepchem/splits/splitters.py; RDKit's `Butina.ClusterData` without
//! reordering; Butina, J. Chem. Inf. Comput. Sci. 39:747, 1999; Taylor, ibid. 35:59, 1995).
//!
//! Two molecules are neighbours where their Tanimoto distance on Morgan fingerprints (radius 2, 1,024 bits, no chirality) is at most 0.6.
//! Molecules are taken from the one with most neighbours to the one with fewest, among equals the later row first; each that is in no
//! cluster yet founds one with all its neighbours that are in none. Clusters, the largest first and among equals the one founded first,
//! fill the training part, then the validation part, then the test part, as in the scaffold split. There is no seed. The shares are of the
//! valid molecules (DeepChem's splitter stops at an invalid one).
//!
//! Time grows with the square of the molecules, memory with their number: the neighbours of a molecule are found twice, never stored.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    prepared::Part,
    smiles::{self, InvalidMolecule},
};

/// Most molecules: their distances are a matter of minutes.
pub const MAX_MOLECULES: usize = 100_000;
/// Rows that a thread takes at once.
const CHUNK: usize = 64;

/// A fingerprint of 1,024 bits and how many of them are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    words: [u64; smiles::MORGAN_WORDS],
    set: u32,
}

impl Fingerprint {
    /// Of a SMILES.
    ///
    /// # Errors
    /// [`InvalidMolecule`] with the reason. No input panics.
    pub fn of(text: &str) -> Result<Self, InvalidMolecule> {
        let words = smiles::morgan(text)?;
        Ok(Self { words, set: words.iter().map(|word| word.count_ones()).sum() })
    }

    /// Whether the Tanimoto distance is at most 0.6: c / (a + b - c) >= 2 / 5.
    pub fn is_near(&self, other: &Self) -> bool {
        let common: u32 = self.words.iter().zip(&other.words).map(|(one, two)| (one & two).count_ones()).sum();
        7 * common >= 2 * (self.set + other.set)
    }
}

/// The fingerprint of every molecule, on all cores.
///
/// # Errors
/// The place of the first molecule that has none, and why.
pub(super) fn fingerprints(smiles: &[String]) -> Result<Vec<Fingerprint>, (usize, InvalidMolecule)> {
    let mut done = in_parallel(smiles.len(), |rows, found: &mut Vec<(usize, Result<Fingerprint, InvalidMolecule>)>| {
        found.extend(rows.map(|row| (row, Fingerprint::of(&smiles[row]))));
    })
    .concat();
    done.sort_by_key(|(row, _)| *row);
    done.into_iter().map(|(row, found)| found.map_err(|reason| (row, reason))).collect()
}

/// Part of each molecule.
pub(super) fn split(fingerprints: &[Fingerprint], training: f64, validation: f64) -> Vec<Part> {
    let mut clusters = clusters(fingerprints);
    clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.len()));
    let all = fingerprints.len() as f64;
    super::fill(&clusters, fingerprints.len(), (training * all, (training + validation) * all))
}

/// Clusters in the order in which they are founded, the founder first.
fn clusters(fingerprints: &[Fingerprint]) -> Vec<Vec<usize>> {
    let neighbours = neighbours(fingerprints);
    let mut order: Vec<usize> = (0..fingerprints.len()).collect();
    order.sort_by_key(|molecule| std::cmp::Reverse((neighbours[*molecule], *molecule)));
    let mut clustered = vec![false; fingerprints.len()];
    // Those in no cluster yet; the clustered ones are left out bit by bit.
    let mut free: Vec<usize> = (0..fingerprints.len()).collect();
    let mut clusters = Vec::new();
    for founder in order {
        if clustered[founder] {
            continue;
        }
        let mut cluster = vec![founder];
        clustered[founder] = true;
        if neighbours[founder] > 0 {
            let one = &fingerprints[founder];
            free.retain(|molecule| {
                if !clustered[*molecule] && one.is_near(&fingerprints[*molecule]) {
                    clustered[*molecule] = true;
                    cluster.push(*molecule);
                }
                !clustered[*molecule]
            });
        }
        clusters.push(cluster);
    }
    clusters
}

/// How many neighbours each molecule has, itself not counted.
fn neighbours(fingerprints: &[Fingerprint]) -> Vec<u32> {
    // Molecules of like size are beside each other, so that those of too different a size are not looked at.
    let mut by_size: Vec<usize> = (0..fingerprints.len()).collect();
    by_size.sort_by_key(|molecule| fingerprints[*molecule].set);
    let sorted: Vec<Fingerprint> = by_size.iter().map(|molecule| fingerprints[*molecule]).collect();
    let counted = in_parallel(sorted.len(), |rows, counts: &mut Vec<u32>| {
        counts.resize(sorted.len(), 0);
        for row in rows {
            let one = sorted[row];
            // c <= a <= b, so that 7 c >= 2 (a + b) needs 5 a >= 2 b.
            let end = row + 1 + sorted[row + 1..].partition_point(|other| 2 * other.set <= 5 * one.set);
            for other in row + 1..end {
                if one.is_near(&sorted[other]) {
                    counts[row] += 1;
                    counts[other] += 1;
                }
            }
        }
    });
    let mut neighbours = vec![0; fingerprints.len()];
    for counts in counted {
        counts.iter().zip(&by_size).for_each(|(count, molecule)| neighbours[*molecule] += count);
    }
    neighbours
}

/// Every row of so many, in chunks, on all cores; each thread gathers in a value of its own, in no fixed order.
fn in_parallel<T: Default + Send>(rows: usize, work: impl Fn(std::ops::Range<usize>, &mut T) + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(rows.div_ceil(CHUNK)).max(1);
    let next = AtomicUsize::new(0);
    let run = || {
        let mut gathered = T::default();
        loop {
            let start = next.fetch_add(CHUNK, Ordering::Relaxed);
            if start >= rows {
                return gathered;
            }
            work(start..(start + CHUNK).min(rows), &mut gathered);
        }
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = vec![run()];
        // A thread's share must not be lost, so a panic goes on.
        all.extend(helpers.into_iter().map(|helper| helper.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))));
        all
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fingerprint(bits: &[usize]) -> Fingerprint {
        let mut words = [0; smiles::MORGAN_WORDS];
        bits.iter().for_each(|bit| words[bit / 64] |= 1 << (bit % 64));
        Fingerprint { words, set: words.iter().map(|word| word.count_ones()).sum() }
    }

    /// `Butina.ClusterData` of RDKit on a whole matrix of distances, and the filling of DeepChem's splitter, word for word.
    fn brute_force(fingerprints: &[Fingerprint], training: f64, validation: f64) -> Vec<Part> {
        let count = fingerprints.len();
        let bits: Vec<Vec<usize>> = fingerprints
            .iter()
            .map(|one| (0..1_024).filter(|bit| one.words[bit / 64] >> (bit % 64) & 1 == 1).collect())
            .collect();
        let distance = |one: usize, two: usize| {
            let common = bits[one].iter().filter(|bit| bits[two].contains(bit)).count() as f64;
            1.0 - common / ((bits[one].len() + bits[two].len()) as f64 - common)
        };
        let lists: Vec<Vec<usize>> =
            (0..count).map(|one| (0..count).filter(|two| one == *two || distance(one, *two) <= 0.6).collect()).collect();
        let mut order: Vec<(usize, usize)> = lists.iter().enumerate().map(|(one, list)| (list.len(), one)).collect();
        order.sort();
        order.reverse();
        let mut seen = vec![false; count];
        let mut clusters: Vec<Vec<usize>> = Vec::new();
        for (_, one) in order {
            if seen[one] {
                continue;
            }
            let cluster: Vec<usize> = lists[one].iter().copied().filter(|two| !seen[*two]).collect();
            cluster.iter().for_each(|two| seen[*two] = true);
            clusters.push(cluster);
        }
        clusters.sort_by_key(|cluster| -(cluster.len() as i64));
        let (mut train, mut valid, mut test) = (Vec::new(), Vec::new(), Vec::new());
        for cluster in clusters {
            if (train.len() + cluster.len()) as f64 > training * count as f64 {
                if (train.len() + valid.len() + cluster.len()) as f64 > (training + validation) * count as f64 {
                    test.extend(cluster);
                } else {
                    valid.extend(cluster);
                }
            } else {
                train.extend(cluster);
            }
        }
        let mut parts = vec![Part::Train; count];
        valid.iter().for_each(|one| parts[*one] = Part::Valid);
        test.iter().for_each(|one| parts[*one] = Part::Test);
        parts
    }

    #[test]
    fn parts_are_those_of_the_whole_matrix_of_distances() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % bound) as usize
        };
        let mut together = 0;
        for round in 0..60 {
            // Few bits, so that many distances are equal and many are just 0.6; a few families of like molecules.
            let families: Vec<Vec<usize>> = (0..6).map(|_| (0..4 + next(12)).map(|_| next(1_024)).collect()).collect();
            let made: Vec<Fingerprint> = (0..20 + round * 3)
                .map(|_| {
                    let mut bits = families[next(6)].clone();
                    for _ in 0..next(8) {
                        let place = next(bits.len() as u64);
                        bits[place] = next(1_024);
                    }
                    bits.truncate(2 + next(14));
                    fingerprint(&bits)
                })
                .collect();
            assert_eq!(split(&made, 0.8, 0.1), brute_force(&made, 0.8, 0.1), "round {round}");
            assert_eq!(split(&made, 0.5, 0.3), brute_force(&made, 0.5, 0.3), "round {round}");
            together += clusters(&made).iter().filter(|cluster| cluster.len() > 2).count();
        }
        assert!(together > 100, "{together} clusters of three and more");
    }

    #[test]
    fn neighbours_are_at_most_six_tenths_apart() {
        // 2 common of 5: 1 - 2/5 is 0.6. 2 of 6 and 3 of 8 are not enough, 4 of 10 is.
        let near = |common: usize, one: usize, two: usize| {
            let shared: Vec<usize> = (0..common).collect();
            let left: Vec<usize> = shared.iter().copied().chain(100..100 + one - common).collect();
            let right: Vec<usize> = shared.iter().copied().chain(500..500 + two - common).collect();
            fingerprint(&left).is_near(&fingerprint(&right))
        };
        assert_eq!([near(2, 3, 4), near(2, 4, 4), near(3, 5, 6), near(4, 7, 7)], [true, false, false, true]);
        assert!(near(2, 2, 5) && !near(2, 2, 6));
    }

    #[test]
    fn fingerprints_are_in_the_order_of_the_molecules_and_a_bad_one_is_named() {
        let texts: Vec<String> = (1..300).map(|row| format!("{}O", "C".repeat(row % 90 + 1))).collect();
        let found = fingerprints(&texts).unwrap();
        assert_eq!(found, texts.iter().map(|text| Fingerprint::of(text).unwrap()).collect::<Vec<_>>());
        let mut wrong = texts.clone();
        wrong[200] = "C(".into();
        wrong[250] = "C(".into();
        assert_eq!(fingerprints(&wrong).unwrap_err().0, 200);
        assert!(fingerprints(&[]).unwrap().is_empty() && split(&[], 0.8, 0.1).is_empty());
    }

    /// RDKit 2026.09.1: `list(AllChem.GetMorganFingerprintAsBitVect(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"), 2, 1024).GetOnBits())`.
    #[test]
    fn the_fingerprint_is_that_of_rdkit() {
        let wanted =
            [11, 23, 33, 64, 175, 356, 386, 389, 423, 444, 456, 592, 650, 695, 705, 726, 751, 807, 849, 893, 909, 946, 967, 1017];
        assert_eq!(Fingerprint::of("CC(=O)Oc1ccccc1C(=O)O").unwrap(), fingerprint(&wanted));
    }
}
