//! Morgan fingerprints of molecules.

use chematic_fp::{RdkitMorganConfig, RdkitMorganFpSize, RdkitMorganRadius, rdkit_morgan_bitvec};
use chematic_smiles::{SmilesParseLimits, parse_with_limits};

/// Bits of a fingerprint.
pub const BITS: usize = 1_024;

/// Atoms and characters beyond which a molecule has no fingerprint here.
const LIMITS: SmilesParseLimits = SmilesParseLimits { max_input_bytes: 10_000, max_atoms: 1_000, max_bonds: 4_000 };

/// Morgan fingerprint of radius 2 (ECFP4; Rogers & Hahn 2010), folded to [`BITS`] bits, without chirality, as 0 and 1: equal to
/// RDKit's `GetMorganGenerator(radius=2, fpSize=1024)`. None for a text that is no molecule to the library.
pub fn bits(smiles: &str) -> Option<Vec<f32>> {
    let config = RdkitMorganConfig { radius: RdkitMorganRadius::R2, fp_size: RdkitMorganFpSize::B1024, include_chirality: false };
    let molecule = parse_with_limits(smiles.trim(), &LIMITS).ok()?;
    let fingerprint = rdkit_morgan_bitvec(&molecule, &config).ok()?;
    Some((0..BITS).map(|bit| if fingerprint.get(bit) { 1.0 } else { 0.0 }).collect())
}
