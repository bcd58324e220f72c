//! Quantum mechanics: QM7, QM8, QM9. Scored by the mean absolute error.

use super::packages;
use crate::{
    set::{Official, REGRESSION, Set, Task},
    tasks,
};

pub(super) const QM7: Set = Set {
    name: "qm7",
    doc: "Atomisation energies of about 7,000 molecules of up to 7 heavy atoms (QM7). No copy of the official file could be had: nothing \
          is known of its bytes, and what the address or your folder gives is taken as it is. Energies of 3D structures cannot all be \
          told by a SMILES.",
    tasks: || vec![Task { name: "u0_atom", unit: "kcal/mol" }],
    score: "mae",
    split: "stratified",
    files: &["qm7.csv"],
    official: Some(Official { file: "qm7.csv", md5: None, mebibytes: 8 }),
    licence: "none stated",
    citation: "Blum & Reymond, J. Am. Chem. Soc. 131:8732 (2009); Rupp et al., Phys. Rev. Lett. 108:058301 (2012)",
    ..REGRESSION
};

pub(super) const QM8: Set = Set {
    name: "qm8",
    doc: "Energies and oscillator strengths of the two lowest excitations of about 21,800 molecules of up to 8 heavy atoms by four \
          methods (QM8). The header names the columns of PBE0 twice; the second ones are `E1-PBE0.1` and so on here. No copy of the \
          official file could be had: nothing is known of its bytes, and what the address or your folder gives is taken as it is. Look \
          whether the second columns repeat the first: then 4 of the 16 tasks count twice.",
    tasks: || tasks::QM8.to_vec(),
    score: "mae",
    files: &["qm8.csv"],
    official: Some(Official { file: "qm8.csv", md5: None, mebibytes: 32 }),
    licence: "none stated",
    citation: "Ramakrishnan et al., J. Chem. Phys. 143:084111 (2015)",
    repeated_columns: true,
    ..REGRESSION
};

pub(super) const QM9: Set = Set {
    name: "qm9",
    doc: "12 properties of 130,831 molecules of up to 9 heavy atoms by B3LYP (QM9), in the order of their numbers; `u0` to `g298` are \
          absolute, not atomisation energies. It lacks the 3,054 uncharacterised molecules of MoleculeNet's own table of 133,885, whose \
          SMILES are not known to be written the same way: that table is another content and is not taken, so it has no official \
          address here. It is read from a package of 104 MB, 226 MB unpacked.",
    tasks: || tasks::QM9.to_vec(),
    score: "mae",
    files: &["qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv"],
    packaged: &packages::QM9,
    sha256_csv: Some("17ca656d6d9623ae6dc7b1b792c9c2bf5ddf9473d7da4d34f9f8e9706e7fcfed"),
    licence: "CC0 (data); package: MIT",
    citation: "Ruddigkeit et al., J. Chem. Inf. Model. 52:2864 (2012); Ramakrishnan et al., Sci. Data 1:140022 (2014)",
    aliases: &[
        ("mu", "Dipole_debye"),
        ("alpha", "Polarizability_bohr3"),
        ("homo", "HOMO_au"),
        ("lumo", "LUMO_au"),
        ("gap", "HOMO_LUMO_gap_au"),
        ("r2", "R2_bohr2"),
        ("zpve", "ZPVE_au"),
        ("cv", "Heatcapacity_Cv_cal_mol_K"),
        ("u0", "InternalEnergy_0K_au"),
        ("u298", "InternalEnergy_298K_au"),
        ("h298", "Enthalphy_298K_au"),
        ("g298", "GibbsFreeEnergy_298K_au"),
    ],
    ..REGRESSION
};
