//! Splits of a dataset into training, validation and test molecules.
//!
//! `scaffold` is the rule of DeepChem's `ScaffoldSplitter`: molecules that share a scaffold stay together; groups are taken from the
//! largest to the smallest (among equals the one whose first molecule comes later in the file first) and fill the training part, then
//! the validation part, then the test part. It has no seed.

use std::collections::HashMap;

use clmbench_protocol::SplitSpec;

use crate::{error::MoleculesError, prepared::Part};

/// Name of the scaffold split.
pub const SCAFFOLD: &str = "scaffold";

/// Parts of molecules, given their scaffolds in the order of the file (valid molecules only).
///
/// # Errors
/// [`MoleculesError::Setting`] for an unknown algorithm, a seed that the algorithm does not have, or impossible fractions.
pub fn split(spec: &SplitSpec, scaffolds: &[String]) -> Result<Vec<Part>, MoleculesError> {
    let wrong = |setting, value: String, why: &str| MoleculesError::Setting { setting, value, why: why.into() };
    if spec.algorithm != SCAFFOLD {
        return Err(wrong("split", spec.algorithm.clone(), "the only algorithm is `scaffold`"));
    }
    if let Some(seed) = spec.seed {
        return Err(wrong("split.seed", seed.to_string(), "the scaffold split is deterministic and has no seed; leave it out"));
    }
    let (training, validation) = (spec.fractions.0.0, spec.fractions.1.0);
    // NaN fails every comparison, so it is refused too.
    let possible = training >= 0.0 && validation >= 0.0 && training + validation <= 1.0;
    if !possible {
        return Err(wrong(
            "split.fractions",
            format!("({training}, {validation})"),
            "both must be at least 0 and their sum at most 1",
        ));
    }
    Ok(by_scaffold(scaffolds, training, validation))
}

fn by_scaffold(scaffolds: &[String], training: f64, validation: f64) -> Vec<Part> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (molecule, scaffold) in scaffolds.iter().enumerate() {
        let place = *places.entry(scaffold).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(molecule);
    }
    groups.sort_by_key(|group| std::cmp::Reverse((group.len(), group[0])));
    let training_end = training * scaffolds.len() as f64;
    let validation_end = (training + validation) * scaffolds.len() as f64;
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

/// Digest of a split: BLAKE3 over its definition and the (row, part) pairs, lower-case hex.
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::Number;

    use super::*;

    fn spec(training: f64, validation: f64) -> SplitSpec {
        SplitSpec { algorithm: "scaffold".into(), seed: None, fractions: (Number(training), Number(validation)) }
    }

    fn letters(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    fn parts(text: &str, training: f64, validation: f64) -> String {
        let letter = |part| match part {
            Part::Train => 'a',
            Part::Valid => 'v',
            Part::Test => 't',
        };
        split(&spec(training, validation), &letters(text)).unwrap().into_iter().map(letter).collect()
    }

    #[test]
    fn large_groups_train_and_late_ones_come_first_among_equals() {
        // Worked by hand from DeepChem's rule. Groups: a x 4, c x 2 (first at 6), b x 2 (first at 4), d x 1, e x 1; limits 8 and 9.
        assert_eq!(parts("aaaabbccde", 0.8, 0.1), "aaaaaaaatv");
        // A group that does not fit in training goes on to validation, and a later smaller one may still go to training.
        assert_eq!(parts("aaaaabbbcd", 0.6, 0.4), "aaaaavvvva");
    }

    #[test]
    fn impossible_settings_are_refused() {
        for (training, validation) in [(0.9, 0.2), (-0.1, 0.5), (f64::NAN, 0.1)] {
            assert!(matches!(split(&spec(training, validation), &[]), Err(MoleculesError::Setting { .. })));
        }
        let random = SplitSpec { algorithm: "random".into(), ..spec(0.8, 0.1) };
        assert!(matches!(split(&random, &[]), Err(MoleculesError::Setting { setting: "split", .. })));
        let seeded = SplitSpec { seed: Some(1), ..spec(0.8, 0.1) };
        assert!(matches!(split(&seeded, &[]), Err(MoleculesError::Setting { setting: "split.seed", .. })));
    }

    #[test]
    fn the_digest_holds_rows_and_parts() {
        let spec = spec(0.8, 0.1);
        let first = split_digest(&spec, &[0, 1], &[Part::Train, Part::Test]);
        assert_ne!(first, split_digest(&spec, &[0, 2], &[Part::Train, Part::Test]));
        assert_ne!(first, split_digest(&spec, &[0, 1], &[Part::Train, Part::Valid]));
        assert_eq!(first, split_digest(&spec, &[0, 1], &[Part::Train, Part::Test]));
    }
}
