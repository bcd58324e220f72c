//! Molecules: what is valid, the canonical form, the scaffold.
//!
//! Both forms are those of RDKit: `Chem.MolToSmiles(Chem.MolFromSmiles(text))` and, for scaffolds, what DeepChem's
//! `ScaffoldSplitter` groups by, `MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=False)` (Bemis and Murcko,
//! J. Med. Chem. 1996, 39, 2887). They are computed by chematic, which follows RDKit 2026.03.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chematic_smiles::{
    RdkitSmilesError, RdkitSmilesParams, SmilesError, SmilesParseLimits, parse_with_limits, rdkit_canonical_smiles,
    rdkit_murcko_scaffold, rdkit_smiles,
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
