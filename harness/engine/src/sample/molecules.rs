//! The molecules that plugins are tried on: made by a rule, so that they are nobody's data.

use std::collections::BTreeSet;

use clmbench_molecules::{SmilesTokenizer, smiles::canonical};
use clmbench_protocol::TokenizerSpec;

use crate::failure::{OrFail, Result};

/// Molecules to train on.
pub const TRAIN: usize = 448;
/// Molecules held out.
pub const HELDOUT: usize = 64;
/// Longest sequence of tokens, the special ones included.
pub const MAX_TOKENS: u32 = 40;

/// What stands at one end of a molecule.
const LEFT: [&str; 12] = ["C", "CC", "CO", "N", "O", "F", "Cl", "CN", "CC(=O)N", "OC(=O)", "N#C", "CC(C)"];
/// Rings and chains; `{}` is where the other end stands.
const MIDDLE: [&str; 9] = [
    "c1ccc({})cc1",
    "c1cccc({})c1",
    "c1ccnc({})c1",
    "c1csc({})c1",
    "c1coc({})c1",
    "C1CCC({})CC1",
    "C1CCN({})CC1",
    "CCC({})",
    "c1ccc(C{})cc1",
];
/// What stands at the other end.
const RIGHT: [&str; 12] =
    ["C", "CC", "OC", "N(C)C", "F", "Cl", "C(=O)O", "C(N)=O", "C#N", "S(C)(=O)=O", "c1ccccc1", "C(=O)N1CCOCC1"];

/// Distinct molecules in canonical SMILES, in an order that mixes them (by BLAKE3): first those to train on, then the
/// held-out ones, which are among none of the former.
///
/// # Errors
/// None, unless a rule above writes a molecule that is none; a test holds that.
pub fn smiles() -> Result<Vec<String>> {
    let all =
        LEFT.iter().flat_map(|left| MIDDLE.iter().flat_map(move |middle| RIGHT.iter().map(move |right| (left, middle, right))));
    let mut distinct = BTreeSet::new();
    for (left, middle, right) in all {
        let text = format!("{left}{}", middle.replace("{}", right));
        let written = canonical(&text).map_err(|error| {
            clmbench_protocol::Failure::new(clmbench_protocol::FailureKind::BadInput, format!("{text}: {error}"))
        })?;
        distinct.insert((*blake3::hash(written.as_bytes()).as_bytes(), written));
    }
    Ok(distinct.into_iter().map(|(_, text)| text).take(TRAIN + HELDOUT).collect())
}

/// The molecules as tokens of the tool's own tokenizer.
///
/// # Errors
/// Whatever the tokenizer refuses.
pub fn tokens() -> Result<(Vec<Vec<u16>>, SmilesTokenizer)> {
    let spec = TokenizerSpec { max_tokens: MAX_TOKENS, ..TokenizerSpec::default() };
    let tokenizer = SmilesTokenizer::new(&spec).or_fail()?;
    let rows: Result<Vec<Vec<u16>>> =
        smiles()?.iter().map(|text| tokenizer.encode(text).or_fail().map(|tokens| tokens.ids)).collect();
    Ok((rows?, tokenizer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use clmbench_molecules::vocabulary::UNKNOWN;

    use super::{HELDOUT, TRAIN, smiles, tokens};

    #[test]
    fn they_are_distinct_molecules_that_the_tokenizer_can_spell() {
        let molecules = smiles().unwrap();
        assert_eq!(molecules.len(), TRAIN + HELDOUT);
        assert_eq!(molecules.iter().collect::<HashSet<_>>().len(), molecules.len());
        let (rows, tokenizer) = tokens().unwrap();
        for (ids, text) in rows.iter().zip(&molecules) {
            assert!(!ids.contains(&UNKNOWN) && ids.len() < tokenizer.max_tokens(), "{text}");
        }
    }
}
