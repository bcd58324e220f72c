//! Fixed features of molecules, as RDKit computes them.
//!
//! Fingerprints: Morgan of radius 2 (ECFP4; Rogers & Hahn, J. Chem. Inf. Model. 2010, 50, 742), folded, without chirality: bit for bit
//! RDKit's `GetMorganGenerator(radius=2, fpSize=bits)`, which DeepChem's `CircularFingerprint` also calls.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chematic_chem as chem;
use chematic_core::Molecule;
use chematic_fp::{RdkitMorganConfig, RdkitMorganFpSize, RdkitMorganRadius, rdkit_morgan_bitvec};
use chematic_smiles::{SmilesParseLimits, parse_with_limits};
use clmbench_protocol::BaselineFeatures;
use rayon::prelude::*;

use crate::error::BaselineError;

/// The largest molecules that datasets take (`clmbench_molecules::smiles`); their canonical form can be longer than what was written.
const LIMITS: SmilesParseLimits = SmilesParseLimits { max_input_bytes: 40_000, max_atoms: 1_000, max_bonds: 4_000 };

/// Names and units of the descriptors, in the order of [`descriptors`]. Each is RDKit's function of that name.
///
/// Two are known to differ from RDKit 2026.09 now and then (of 13,878 molecules compared): `TPSA` on 4 (fused nitrogen-rich
/// bicycles, by 0.5), and with it `qed` by up to 1e-4; `RingCount` on 18 (metal chelates of HIV, 1 or 2 too few).
pub const DESCRIPTORS: [(&str, &str); 12] = [
    ("MolWt", "g/mol"),
    ("MolLogP", "log10 of octanol over water, Wildman & Crippen 1999"),
    ("MolMR", "molar refractivity in cm3/mol, Wildman & Crippen 1999"),
    ("TPSA", "polar surface in square angstrom, Ertl 2000"),
    ("NumHDonors", "count"),
    ("NumHAcceptors", "count"),
    ("NumRotatableBonds", "count"),
    ("RingCount", "count"),
    ("NumAromaticRings", "count"),
    ("FractionCSP3", "share of carbon atoms, 0 to 1"),
    ("HeavyAtomCount", "count"),
    ("qed", "quantitative estimate of drug-likeness, 0 to 1, Bickerton 2012"),
];

/// Features of molecules, a row for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    width: usize,
    rows: Rows,
}

#[derive(Debug, Clone, PartialEq)]
enum Rows {
    /// Bits that are on, ascending.
    Bits(Vec<Vec<u16>>),
    /// Every value.
    Dense(Vec<Vec<f64>>),
}

impl Features {
    /// Features of molecules given as SMILES, on the threads of the current pool.
    ///
    /// # Errors
    /// [`BaselineError::Molecule`] for the first text that has none; [`BaselineError::Bits`].
    pub fn of(kind: BaselineFeatures, smiles: &[String]) -> Result<Self, BaselineError> {
        match kind {
            BaselineFeatures::Ecfp4 { bits } => {
                fingerprint_size(bits)?;
                Ok(Self { width: bits as usize, rows: Rows::Bits(each(smiles, "fingerprint", |text| ecfp4(text, bits))?) })
            }
            BaselineFeatures::Descriptors => {
                let rows = each(smiles, "descriptors", |text| descriptors(text).map(Vec::from))?;
                Ok(Self { width: DESCRIPTORS.len(), rows: Rows::Dense(rows) })
            }
        }
    }

    /// Rows of values, all of the same width.
    ///
    /// # Errors
    /// [`BaselineError::Setting`] for rows of different widths and for values that are not finite.
    pub fn dense(rows: Vec<Vec<f64>>) -> Result<Self, BaselineError> {
        let width = rows.first().map_or(0, Vec::len);
        for row in &rows {
            if row.len() != width {
                return Err(BaselineError::Setting {
                    what: "a row",
                    value: row.len().to_string(),
                    range: "rows are of one width",
                });
            }
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                return Err(BaselineError::Setting { what: "a feature", value: value.to_string(), range: "features are finite" });
            }
        }
        Ok(Self { width, rows: Rows::Dense(rows) })
    }

    /// Bits that are on, ascending, of each molecule.
    #[cfg(test)]
    pub(crate) fn folded(width: usize, rows: Vec<Vec<u16>>) -> Self {
        Self { width, rows: Rows::Bits(rows) }
    }

    /// Molecules.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Bits(rows) => rows.len(),
            Rows::Dense(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Features of a molecule.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Values of one molecule [width].
    pub fn row(&self, place: usize) -> Vec<f64> {
        match &self.rows {
            Rows::Dense(rows) => rows[place].clone(),
            Rows::Bits(rows) => {
                let mut values = vec![0.0; self.width];
                rows[place].iter().for_each(|bit| values[usize::from(*bit)] = 1.0);
                values
            }
        }
    }

    /// One value.
    pub fn value(&self, place: usize, column: usize) -> f64 {
        match &self.rows {
            Rows::Dense(rows) => rows[place][column],
            Rows::Bits(rows) => {
                u16::try_from(column).map_or(0.0, |bit| f64::from(u8::from(rows[place].binary_search(&bit).is_ok())))
            }
        }
    }

    /// The bits that are on, by molecule, where the features are bits.
    pub fn bits(&self) -> Option<&[Vec<u16>]> {
        match &self.rows {
            Rows::Bits(rows) => Some(rows),
            Rows::Dense(_) => None,
        }
    }
}

fn each<T: Send>(
    smiles: &[String],
    features: &'static str,
    compute: impl Fn(&str) -> Result<T, String> + Sync,
) -> Result<Vec<T>, BaselineError> {
    let rows: Vec<Result<T, String>> = smiles.par_iter().map(|text| compute(text)).collect();
    let rows = rows.into_iter().enumerate().map(|(place, row)| {
        row.map_err(|reason| BaselineError::Molecule { place, smiles: smiles[place].clone(), features, reason })
    });
    rows.collect()
}

fn fingerprint_size(bits: u32) -> Result<RdkitMorganFpSize, BaselineError> {
    match bits {
        1024 => Ok(RdkitMorganFpSize::B1024),
        2048 => Ok(RdkitMorganFpSize::B2048),
        _ => Err(BaselineError::Bits(bits)),
    }
}

/// The bits that are on, ascending, of the fingerprint folded to `bits` (1024 or 2048) bits.
///
/// # Errors
/// What the chemistry library says about a text that is no molecule.
pub fn ecfp4(smiles: &str, bits: u32) -> Result<Vec<u16>, String> {
    let fp_size = fingerprint_size(bits).map_err(|error| error.to_string())?;
    let config = RdkitMorganConfig { radius: RdkitMorganRadius::R2, fp_size, include_chirality: false };
    guarded(smiles, |molecule| {
        let fingerprint = rdkit_morgan_bitvec(molecule, &config).map_err(|error| error.to_string())?;
        Ok((0..bits as u16).filter(|bit| fingerprint.get(usize::from(*bit))).collect())
    })
}

/// The [`DESCRIPTORS`] of a molecule.
///
/// # Errors
/// What the chemistry library says about a text that is no molecule; a value that is not finite.
pub fn descriptors(smiles: &str) -> Result<[f64; 12], String> {
    guarded(smiles, |molecule| {
        let (log_p, refractivity) = chem::logp_and_mr(molecule);
        let values = [
            chem::rdkit_molecular_weight(molecule),
            log_p,
            refractivity,
            chem::rdkit_tpsa(molecule),
            chem::hbd_count(molecule) as f64,
            chem::rdkit_hba_count(molecule) as f64,
            chem::rotatable_bond_count(molecule) as f64,
            chem::rdkit_num_rings(molecule) as f64,
            chem::rdkit_aromatic_ring_count(molecule) as f64,
            chem::fsp3(molecule),
            chem::heavy_atom_count(molecule) as f64,
            chem::qed(molecule),
        ];
        match values.iter().zip(DESCRIPTORS).find(|(value, _)| !value.is_finite()) {
            Some((value, (name, _))) => Err(format!("{name} is {value}")),
            None => Ok(values),
        }
    })
}

/// Calls the chemistry library, which is foreign code: whatever it does becomes a reason.
fn guarded<T>(smiles: &str, compute: impl FnOnce(&Molecule) -> Result<T, String>) -> Result<T, String> {
    let computed = catch_unwind(AssertUnwindSafe(|| {
        let molecule = parse_with_limits(smiles.trim(), &LIMITS).map_err(|error| error.to_string())?;
        if molecule.atom_count() == 0 {
            return Err("it has no atoms".to_owned());
        }
        compute(&molecule)
    }));
    computed.unwrap_or_else(|_| Err("the chemistry library stopped on it".into()))
}
