//! Physical chemistry: ESOL, FreeSolv, Lipophilicity.

use super::packages;
use crate::set::{Official, REGRESSION, Set, Task};

pub(super) const ESOL: Set = Set {
    name: "esol",
    doc: "Solubility in water of 1,128 small molecules (ESOL). 11 molecules occur twice, 6 of them with different labels. The package \
          that has it has terms of its own, which must be accepted once; the official address and your own folder need none.",
    tasks: || vec![Task { name: "measured log solubility in mols per litre", unit: "log10(mol/L)" }],
    files: &["esol.csv"],
    packaged: &[packages::ESOL],
    official: Some(Official { file: "delaney-processed.csv", md5: Some("0c90a51668d446b9e3ab77e67662bd1c"), mebibytes: 2 }),
    sha256_csv: Some("161585a5451951c0802fb7949bd1e91e206eae7d38b7833a04b69cef64c860ca"),
    licence: "none stated for the data (MIT: DeepChem's repository); package: GPL-2.0 for non-commercial academic use, or Duke \
              University's own (duke-dual)",
    citation: "Delaney, J. Chem. Inf. Comput. Sci. 44:1000 (2004)",
    aliases: &[("measured log solubility in mols per litre", "logSolubility")],
    ..REGRESSION
};

pub(super) const FREESOLV: Set = Set {
    name: "freesolv",
    doc: "Experimental hydration free energies of 642 small neutral molecules (FreeSolv, as in MoleculeNet). No molecule occurs twice.",
    tasks: || vec![Task { name: "expt", unit: "kcal/mol" }],
    files: &["freesolv.csv"],
    packaged: &[packages::FREESOLV],
    official: Some(Official { file: "SAMPL.csv", md5: None, mebibytes: 2 }),
    sha256_csv: Some("2bfd85e03c790f40ca511efbde8d6095d2e40bf5a70450e29450cd68aecbef01"),
    licence: "none stated for the data; package: BSD-3-Clause",
    citation: "Mobley & Guthrie, J. Comput.-Aided Mol. Des. 28:711 (2014)",
    aliases: &[("expt", "target")],
    ..REGRESSION
};

pub(super) const LIPO: Set = Set {
    name: "lipo",
    doc: "Lipophilicity: octanol/water distribution coefficients at pH 7.4 of 4,200 molecules, measured by AstraZeneca. No molecule \
          occurs twice.",
    tasks: || vec![Task { name: "exp", unit: "logD at pH 7.4" }],
    files: &["lipo.csv"],
    packaged: &[packages::LIPO],
    official: Some(Official { file: "Lipophilicity.csv", md5: Some("85a0e1cb8b38b0dfc3f96ff47a57f0ab"), mebibytes: 4 }),
    sha256_csv: Some("53f4d75dad1ff26224df1fe0523de4af1ecf867855f18c1794a1a20de44d42da"),
    licence: "CC BY-SA 3.0 (ChEMBL)",
    citation: "Hersey, ChEMBL deposited data set AZ dataset (2015), doi:10.6019/CHEMBL3301361",
    aliases: &[("exp", "target")],
    ..REGRESSION
};
