//! The sets, in the four groups of Wu et al. 2018.

mod biophysics;
mod packages;
mod physical_chemistry;
mod physiology;
mod quantum_mechanics;

use crate::set::Set;

/// Every set that is offered.
pub const SETS: [Set; 16] = [
    physical_chemistry::ESOL,
    physical_chemistry::FREESOLV,
    physical_chemistry::LIPO,
    physiology::BBBP,
    biophysics::BACE,
    biophysics::BACE_REG,
    physiology::CLINTOX,
    physiology::CLINTOX_CT_TOX,
    physiology::TOX21,
    physiology::TOXCAST,
    physiology::SIDER,
    biophysics::HIV,
    biophysics::MUV,
    quantum_mechanics::QM7,
    quantum_mechanics::QM8,
    quantum_mechanics::QM9,
];

/// The set of this name.
pub fn find(name: &str) -> Option<&'static Set> {
    const ALL: &[Set] = &SETS;
    ALL.iter().find(|set| set.name == name)
}
