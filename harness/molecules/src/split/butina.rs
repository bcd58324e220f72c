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
