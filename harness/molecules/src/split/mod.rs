//! Splits of a dataset into training, validation and test molecules. The words are those of [`clmbench_protocol::split`].
//!
//! | algorithm | rule | seed |
//! |---|---|---|
//! | `scaffold` | DeepChem's `ScaffoldSplitter` ([`scaffold`]) | none |
//! | `scaffold_balanced` | chemprop's balanced scaffold split ([`balanced`]) | yes |
//! | `random` | sizes as DeepChem's `RandomSplitter` ([`random`]) | yes |
//! | `stratified` | DeepChem's `SingletaskStratifiedSplitter`, for one task ([`stratified`]) | yes |
//! | `butina` | DeepChem's `ButinaSplitter` ([`butina`]) | none |
//! | `given` | the words of the source ([`given`]) | for a validation share that the source does not give |
//! | `file` | the words of a file of the user's ([`file`]) | none |
//!
//! Seeded splits shuffle with our own ChaCha stream, so they follow the rules of DeepChem and chemprop but are not their rows.

pub mod balanced;
pub mod butina;
pub mod file;
pub mod given;
pub mod random;
pub mod scaffold;
pub mod stratified;

use std::collections::HashMap;

use clmbench_protocol::{SplitSpec, split as words};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    error::{MoleculesError, most_similar},
    prepared::Part,
};

/// What is split: the valid molecules of a table, in its order.
#[derive(Debug, Clone, Copy)]
pub struct Molecules<'a> {
    /// What errors call the table.
    pub name: &'a str,
    /// SMILES of each valid molecule.
    pub smiles: &'a [String],
    /// Scaffold of each valid molecule.
    pub scaffolds: &'a [String],
    /// Labels of each valid molecule, row-major [molecules * tasks]; NaN = missing.
    pub labels: &'a [f64],
    /// Tasks.
    pub tasks: usize,
    /// Row of each in the table, from 0.
    pub rows: &'a [u64],
    /// All rows of the table, of which the shares of the `scaffold` split are (see [`scaffold`]).
    pub all_rows: usize,
    /// Part of each row of the table (also of invalid ones) as the source or the file gives it; empty where there is none.
    pub given: &'a [String],
}

/// Part of each molecule.
///
/// # Errors
/// [`MoleculesError::Setting`] for an unknown algorithm, a seed that the algorithm does not have, or impossible fractions;
/// for `stratified` other than tenths, more than one task or a missing label, for `butina` more than [`butina::MAX_MOLECULES`];
/// [`MoleculesError::NoGivenSplit`] and [`MoleculesError::GivenPart`] where the source gives no split, or none for a row;
/// [`MoleculesError::MissingInput`] and [`MoleculesError::NoPart`] for a file that was not handed over, or leaves out a molecule.
pub fn split(spec: &SplitSpec, molecules: Molecules<'_>) -> Result<Vec<Part>, MoleculesError> {
    let wrong = |setting, value: String, why: String| MoleculesError::Setting { setting, value, why };
    let algorithm = spec.algorithm.as_str();
    if !words::ALGORITHMS.contains(&algorithm) {
        let near = most_similar(algorithm, words::ALGORITHMS).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let why = format!("{near}The splits are {}", words::ALGORITHMS.map(|word| format!("`{word}`")).join(", "));
        return Err(wrong("split", algorithm.chars().take(40).collect(), why));
    }
    if let Some(seed) = spec.seed.filter(|_| !words::takes_seed(algorithm)) {
        let other = if algorithm == words::SCAFFOLD { words::SCAFFOLD_BALANCED } else { words::RANDOM };
        let why = format!("the {algorithm} split is deterministic and has no seed; leave it out, or take `{other}`");
        return Err(wrong("split.seed", seed.to_string(), why));
    }
    let (training, validation) = (spec.fractions.0.0, spec.fractions.1.0);
    // NaN fails every comparison, so it is refused too. Shares such as 0.7 and 0.3 may sum to a hair over 1.
    let possible = training >= 0.0 && validation >= 0.0 && training + validation <= 1.0 + 1e-9;
    if !possible {
        let why = "both must be at least 0 and their sum at most 1".into();
        return Err(wrong("split.fractions", format!("({training}, {validation})"), why));
    }
    let seed = spec.seed.unwrap_or(0);
    let scaffolds = molecules.scaffolds;
    Ok(match algorithm {
        words::SCAFFOLD => scaffold::split(scaffolds, molecules.all_rows, training, validation),
        words::SCAFFOLD_BALANCED => balanced::split(scaffolds, training, validation, seed),
        words::RANDOM => random::split(scaffolds.len(), training, validation, seed),
        words::STRATIFIED => {
            if let Some(why) = stratified::refusal(training, validation) {
                return Err(wrong("split.fractions", format!("({training}, {validation})"), why.into()));
            }
            stratified::split(one_task(molecules)?, training, validation, seed)
        }
        words::BUTINA => {
            let count = molecules.smiles.len();
            if count > butina::MAX_MOLECULES {
                let why = format!(
                    "{} has {count} molecules, whose distances from each other would take too long; it is for at most {}, so take \
                     `scaffold` or `scaffold_balanced`",
                    molecules.name,
                    butina::MAX_MOLECULES
                );
                return Err(wrong("split", algorithm.to_owned(), why));
            }
            let fingerprints = butina::fingerprints(molecules.smiles).map_err(|(place, reason)| MoleculesError::Table {
                file: molecules.name.into(),
                row: molecules.rows[place],
                what: format!("no fingerprint: {reason}"),
            })?;
            butina::split(&fingerprints, training, validation)
        }
        words::FILE => file::split(molecules, training, validation)?,
        _ => given::split(molecules, training, validation, seed)?,
    })
}

/// The labels of the only task, where every molecule has one.
fn one_task(molecules: Molecules<'_>) -> Result<&[f64], MoleculesError> {
    let wrong = |why: String| {
        let why = format!("{why}; take `random`, `scaffold` or `scaffold_balanced`");
        Err(MoleculesError::Setting { setting: "split", value: words::STRATIFIED.into(), why })
    };
    let name = molecules.name;
    match molecules.tasks {
        0 => return wrong(format!("{name} comes without labels, and it puts molecules in the order of theirs")),
        1 => {}
        tasks => return wrong(format!("{name} has {tasks} tasks, and it puts molecules in the order of one label")),
    }
    let missing = molecules.labels.iter().filter(|label| label.is_nan()).count();
    if missing > 0 {
        let all = molecules.labels.len();
        return wrong(format!(
            "{missing} of {all} molecules of {name} have no label, and it puts molecules in the order of theirs"
        ));
    }
    Ok(molecules.labels)
}

/// Whole groups in their order to the first of training, validation and test part in which they have room; a part is full beyond its end,
/// which counts what the parts before it hold.
fn fill(groups: &[Vec<usize>], molecules: usize, (training_end, validation_end): (f64, f64)) -> Vec<Part> {
    let mut parts = vec![Part::Test; molecules];
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
        group.iter().for_each(|molecule| parts[*molecule] = part);
    }
    parts
}

/// Molecules that share a scaffold, each group in their order, groups in the order of their first molecules.
pub(crate) fn groups(scaffolds: &[String]) -> Vec<Vec<usize>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (molecule, scaffold) in scaffolds.iter().enumerate() {
        let place = *places.entry(scaffold).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(molecule);
    }
    groups
}

/// The random stream of a split.
pub(crate) fn stream(algorithm: &str, seed: u64) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"clmbench split stream 1\n").update(&seed.to_le_bytes()).update(algorithm.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// Digest of a split: BLAKE3 over its algorithm, its seed and the (row, part) pairs, lower-case hex. The fractions are not in it: they
/// decide the parts, and two that decide the same parts make the same split.
pub fn split_digest(spec: &SplitSpec, rows: &[u64], parts: &[Part]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("clmbench split 1\n{}\n", spec.algorithm).as_bytes());
    if let Some(seed) = spec.seed {
        hasher.update(format!("seed {seed}\n").as_bytes());
    }
    for (row, part) in rows.iter().zip(parts) {
        hasher.update(format!("{row} {}\n", part.word()).as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests;
