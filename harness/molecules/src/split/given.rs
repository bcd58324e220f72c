//! The split that the source gives, a word a row. Where no molecule is for validation (as in MoleculeACE, which gives training and test
//! rows), a random share of the training molecules becomes the validation part: `int(validation / (training + validation) n)` of n.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Molecules, stream};
use crate::{error::MoleculesError, prepared::Part};

/// Part of each molecule.
pub(super) fn split(molecules: Molecules<'_>, training: f64, validation: f64, seed: u64) -> Result<Vec<Part>, MoleculesError> {
    if molecules.given.is_empty() {
        return Err(MoleculesError::NoGivenSplit { dataset: molecules.name.into() });
    }
    for (row, word) in molecules.given.iter().enumerate() {
        if Part::read(word).is_none() {
            let text = word.chars().take(40).collect();
            return Err(MoleculesError::GivenPart { dataset: molecules.name.into(), row: row as u64, text });
        }
    }
    let part = |row: &u64| molecules.given.get(*row as usize).and_then(|word| Part::read(word));
    let parts: Vec<Part> = molecules.rows.iter().map(|row| part(row).unwrap_or(Part::Test)).collect();
    Ok(with_validation(parts, training, validation, stream(clmbench_protocol::split::GIVEN, seed)))
}

/// The parts with a share of the training molecules for validation, where no molecule is.
pub(super) fn with_validation(mut parts: Vec<Part>, training: f64, validation: f64, mut stream: ChaCha8Rng) -> Vec<Part> {
    if !parts.contains(&Part::Valid) && validation > 0.0 {
        let mut train: Vec<usize> = (0..parts.len()).filter(|place| parts[*place] == Part::Train).collect();
        let count = (validation / (training + validation) * train.len() as f64) as usize;
        train.shuffle(&mut stream);
        train.into_iter().take(count).for_each(|place| parts[place] = Part::Valid);
    }
    parts
}
