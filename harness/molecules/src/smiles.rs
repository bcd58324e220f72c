//! Molecules: what is valid, the canonical form, the scaffold, the fingerprint.
//!
//! All are those of RDKit: `Chem.MolToSmiles(Chem.MolFromSmiles(text))` and, for scaffolds, what DeepChem's
//! `ScaffoldSplitter` groups by, `MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=False)` (Bemis and Murcko,
//! J. Med. Chem. 1996, 39, 2887). They are computed by chematic, which follows RDKit 2026.03.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chematic_fp::{RdkitMorganConfig, RdkitMorganFpSize, RdkitMorganRadius, rdkit_morgan_bitvec};
use chematic_smiles::{
    RdkitSmilesError, RdkitSmilesParams, SmilesError, SmilesParseLimits, parse_with_limits, rdkit_canonical_smiles,
    rdkit_murcko_scaffold, rdkit_random_smiles, rdkit_smiles,
};

/// Largest molecule in atoms. Canonicalising takes time that grows faster than the size; no data set of drug-like molecules comes near.
pub const MAX_ATOMS: usize = 1_000;
/// Longest SMILES in bytes.
pub const MAX_BYTES: usize = 10_000;

/// Why a text is not a molecule for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMolecule {
    /// No text.
    #[error("empty")]
    Empty,
    /// Longer than [`MAX_BYTES`] or larger than [`MAX_ATOMS`].
    #[error("too large: over {MAX_ATOMS} atoms or {MAX_BYTES} characters")]
    TooLarge,
    /// A character that no SMILES has.
    #[error("a blank, control or non-ASCII character at position {0}")]
    Character(usize),
    /// Not a SMILES.
    #[error("not a SMILES: {0}")]
    Syntax(String),
    /// A SMILES that breaks the rules of valence or aromaticity.
    #[error("not a possible molecule: {0}")]
    Chemistry(String),
    /// The chemistry library gave up.
    #[error("the chemistry library stopped on it: {0}")]
    Panic(String),
}

/// A valid molecule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Molecule {
    /// Canonical SMILES, with stereo and isotopes.
    pub canonical: String,
}

impl Molecule {
    /// Reads a SMILES. Blanks around it are ignored.
    ///
    /// # Errors
    /// [`InvalidMolecule`] with the reason. No input panics.
    pub fn parse(text: &str) -> Result<Self, InvalidMolecule> {
        let text = checked(text)?;
        guarded(|| {
            let parsed = parse_with_limits(text, &limits()).map_err(syntax)?;
            Ok(Self { canonical: rdkit_canonical_smiles(&parsed).map_err(chemistry)? })
        })
    }
}

/// Canonical SMILES of a SMILES.
///
/// # Errors
/// [`InvalidMolecule`] with the reason. No input panics.
pub fn canonical(text: &str) -> Result<String, InvalidMolecule> {
    Molecule::parse(text).map(|molecule| molecule.canonical)
}

/// Scaffold without stereo and isotopes; empty for a molecule without rings.
///
/// # Errors
/// [`InvalidMolecule`] with the reason. No input panics.
pub fn scaffold(text: &str) -> Result<String, InvalidMolecule> {
    let text = checked(text)?;
    let flat = RdkitSmilesParams { isomeric: false, ..RdkitSmilesParams::default() };
    guarded(|| {
        let parsed = parse_with_limits(text, &limits()).map_err(syntax)?;
        let flattened = rdkit_smiles(&parsed, &flat).map_err(chemistry)?;
        let parsed = parse_with_limits(&flattened, &limits()).map_err(syntax)?;
        rdkit_murcko_scaffold(&parsed).map_err(chemistry)
    })
}

/// Words of a [`morgan`] fingerprint.
pub const MORGAN_WORDS: usize = 16;

/// Morgan fingerprint of radius 2, folded to 1,024 bits, without chirality, bit `n` in word `n / 64`: RDKit's
/// `AllChem.GetMorganFingerprintAsBitVect(mol, 2, 1024)` (Rogers and Hahn, J. Chem. Inf. Model. 50:742, 2010).
///
/// # Errors
/// [`InvalidMolecule`] with the reason. No input panics.
pub fn morgan(text: &str) -> Result<[u64; MORGAN_WORDS], InvalidMolecule> {
    let text = checked(text)?;
    let config = RdkitMorganConfig { radius: RdkitMorganRadius::R2, fp_size: RdkitMorganFpSize::B1024, include_chirality: false };
    let bits = guarded(|| {
        let parsed = parse_with_limits(text, &limits()).map_err(syntax)?;
        rdkit_morgan_bitvec(&parsed, &config).map_err(|error| InvalidMolecule::Chemistry(error.to_string()))
    })?;
    let mut words = [0; MORGAN_WORDS];
    for (word, bytes) in words.iter_mut().zip(bits.to_le_bytes().chunks_exact(8)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    Ok(words)
}

/// A random SMILES of the molecule with this canonical SMILES: random first atom and random order of branches, as RDKit's
/// `MolToRandomSmilesVect(mol, 1, randomSeed)` (SMILES enumeration: Bjerrum 2017, arXiv:1703.07076). It is a function of `seed` and
/// `canonical` alone: the library's generator, which is one for the whole process, is seeded anew for each molecule.
///
/// # Errors
/// [`InvalidMolecule`] with the reason. No input panics.
pub fn random(canonical: &str, seed: u64) -> Result<String, InvalidMolecule> {
    let text = checked(canonical)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"random SMILES").update(&seed.to_le_bytes()).update(text.as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    seeded(text, (u64::from_le_bytes(number) % LARGEST_SEED) as u32 + 1)
}

/// Seeds of RDKit's generator (boost's `minstd_rand`, modulus 2^31 - 1) that give streams of their own: 1 to this. 0 would go on with an older stream.
const LARGEST_SEED: u64 = (1 << 31) - 2;

fn seeded(text: &str, seed: u32) -> Result<String, InvalidMolecule> {
    guarded(|| {
        let parsed = parse_with_limits(text, &limits()).map_err(syntax)?;
        let mut drawn = rdkit_random_smiles(&parsed, 1, seed, &RdkitSmilesParams::default()).map_err(chemistry)?;
        drawn.pop().ok_or_else(|| InvalidMolecule::Chemistry("it has no random SMILES".into()))
    })
}

fn checked(text: &str) -> Result<&str, InvalidMolecule> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidMolecule::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(InvalidMolecule::TooLarge);
    }
    match text.bytes().position(|byte| !byte.is_ascii_graphic()) {
        Some(position) => Err(InvalidMolecule::Character(position)),
        None => Ok(text),
    }
}

fn limits() -> SmilesParseLimits {
    SmilesParseLimits { max_input_bytes: 4 * MAX_BYTES, max_atoms: MAX_ATOMS, max_bonds: 4 * MAX_ATOMS }
}

fn syntax(error: SmilesError) -> InvalidMolecule {
    match error {
        SmilesError::ResourceLimit { .. } => InvalidMolecule::TooLarge,
        other => InvalidMolecule::Syntax(other.to_string()),
    }
}

fn chemistry(error: RdkitSmilesError) -> InvalidMolecule {
    match error {
        RdkitSmilesError::Unsupported(what) => InvalidMolecule::Chemistry(format!("unsupported: {what}")),
        RdkitSmilesError::Sanitization(what) => InvalidMolecule::Chemistry(what),
    }
}

fn guarded<T>(compute: impl FnOnce() -> Result<T, InvalidMolecule>) -> Result<T, InvalidMolecule> {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|payload| {
        let what = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Err(InvalidMolecule::Panic(what))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(text), 1, randomSeed=seed)[0]` of RDKit 2026.09.1.
    #[test]
    fn random_forms_are_those_of_rdkit() {
        let cases = [
            ("CC(=O)Oc1ccccc1C(=O)O", 1, "O=C(C)Oc1ccccc1C(O)=O"),
            ("CC(=O)Oc1ccccc1C(=O)O", 42, "c1ccc(C(=O)O)c(c1)OC(C)=O"),
            ("CC(=O)Oc1ccccc1C(=O)O", 2_147_483_646, "c1c(c(ccc1)OC(=O)C)C(=O)O"),
            ("C[C@H](N)C(=O)O", 1, "[C@H](C(O)=O)(N)C"),
            ("C[C@H](N)C(=O)O", 42, "C[C@@H](C(=O)O)N"),
            ("O=C([O-])/C=C/c1ccccc1.[Na+]", 1, "C(=C\\c1ccccc1)/C(=O)[O-].[Na+]"),
            ("O=C([O-])/C=C/c1ccccc1.[Na+]", 42, "c1(/C=C/C([O-])=O)ccccc1.[Na+]"),
            ("CN1CCC[C@H]1c1cccnc1", 2_147_483_646, "CN1[C@H](c2cccnc2)CCC1"),
        ];
        for (text, seed, wanted) in cases {
            assert_eq!(seeded(text, seed).unwrap(), wanted, "{text} {seed}");
        }
    }

    #[test]
    fn a_random_form_is_another_spelling_and_depends_on_seed_and_molecule_alone() {
        let text = "CN1CCC[C@H]1c1cccnc1";
        let first = random(text, 7).unwrap();
        let forms: std::collections::HashSet<String> = (0..50).map(|seed| random(text, seed).unwrap()).collect();
        assert!(forms.len() > 20, "{}", forms.len());
        assert!(forms.iter().all(|form| canonical(form).unwrap() == text));
        // Whatever was drawn in between, by any thread.
        assert_eq!(random(text, 7).unwrap(), first);
        assert_eq!(std::thread::spawn(|| random("CN1CCC[C@H]1c1cccnc1", 7)).join().unwrap().unwrap(), first);
        assert_eq!(random("", 7), Err(InvalidMolecule::Empty));
        assert!(matches!(random("C(", 7), Err(InvalidMolecule::Syntax(_))));
    }
}
