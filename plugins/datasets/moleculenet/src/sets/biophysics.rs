//! Biophysics: BACE, HIV, MUV.

use super::packages;
use crate::{
    set::{CLASSIFICATION, Official, REGRESSION, Set, Task},
    tasks,
};

const BACE_FILE: Official = Official { file: "bace.csv", md5: Some("ba7f8fa3fdf463a811fa7edea8c982c2"), mebibytes: 32 };

pub(super) const BACE: Set = Set {
    name: "bace",
    doc: "Whether a molecule inhibits human beta-secretase 1 (1 = pIC50 of 7 or more): 1,513 molecules, 691 of them do. No molecule \
          occurs twice.",
    tasks: || tasks::classes(&["Class"]),
    split: "scaffold",
    files: &["bace.csv"],
    packaged: &[packages::BACE],
    official: Some(BACE_FILE),
    sha256_csv: Some("d7c3b46a688e87ec8489c8e4e0809139e0098ec69c7d3d527f297eedccece921"),
    licence: "none stated for the data; package: BSD-3-Clause",
    citation: "Subramanian et al., J. Chem. Inf. Model. 56:1936 (2016)",
    aliases: &[("Class", "target")],
    ..CLASSIFICATION
};

pub(super) const BACE_REG: Set = Set {
    name: "bace_reg",
    doc: "Potency against human beta-secretase 1 of the 1,513 molecules of `bace`, in the same order.",
    tasks: || vec![Task { name: "pIC50", unit: "pIC50" }],
    split: "scaffold",
    files: &["bace_reg.csv"],
    packaged: &[packages::BACE_REG],
    official: Some(BACE_FILE),
    sha256_csv: Some("ab875d46b77050f6e18a25d051f9f9b3fb592c9b3cecf33b2e8359a31a8a4c10"),
    licence: BACE.licence,
    citation: BACE.citation,
    aliases: &[("pIC50", "target")],
    ..REGRESSION
};

pub(super) const HIV: Set = Set {
    name: "hiv",
    doc: "Whether a molecule inhibits HIV replication (1 = confirmed active or moderately active: the words CA and CM of the \
          screen; 0 = CI, confirmed inactive): 41,127 molecules, 1,443 of them active. 7 rows are no valid molecules.",
    tasks: || tasks::classes(&["HIV_active"]),
    split: "scaffold",
    files: &["hiv.csv"],
    packaged: &[packages::HIV],
    official: Some(Official { file: "HIV.csv", md5: Some("9ad10c88f82f1dac7eb5c52b668c30a7"), mebibytes: 16 }),
    sha256_csv: Some("3a3c7a4ea9626211fe959ef988394670dd76d556ca3c6173b70c88256e4c3555"),
    licence: "public domain (US NCI/DTP)",
    citation: "AIDS Antiviral Screen Data, NCI/DTP",
    aliases: &[("HIV_active", "target")],
    words: &[("CI", "0"), ("CM", "1"), ("CA", "1")],
    ..CLASSIFICATION
};

pub(super) const MUV: Set = Set {
    name: "muv",
    doc: "17 screens of PubChem in which actives and decoys were chosen so that likeness to other actives tells nothing (Maximum \
          Unbiased Validation): 93,087 molecules, about 14,700 of them labelled in each task and 24 to 30 active. MoleculeNet scores it \
          by the area under the precision-recall curve. A scaffold split leaves two tasks without any active molecule for testing and \
          most with 1 to 7: read no number of it without its interval.",
    tasks: || tasks::classes(&tasks::MUV),
    score: "pr_auc",
    files: &["muv.csv"],
    official: Some(Official { file: "muv.csv.gz", md5: Some("9c40bd41310991efd40f4d4868fa3ddf"), mebibytes: 32 }),
    sha256_csv: Some("4a164809c7e33a76d93a80198303f8ac353edbd2c8dccc0f5b44e8cd1c0ba3c7"),
    licence: "none stated for the data (MIT: a public repository that carries it)",
    citation: "Rohrer & Baumann, J. Chem. Inf. Model. 49:169 (2009)",
    ..CLASSIFICATION
};
