//! Physiology: BBBP, ClinTox, Tox21, ToxCast, SIDER.

use super::packages;
use crate::{
    set::{CLASSIFICATION, LeftOut, Official, Set},
    tasks,
};

pub(super) const BBBP: Set = Set {
    name: "bbbp",
    doc: "Whether a molecule passes the blood-brain barrier (1 = it does; 1,560 of 2,039). 60 molecules occur more than once, 10 of them \
          with both classes. The official file has 2,050 rows; 11 of them are no valid SMILES and no part of the set.",
    tasks: || tasks::classes(&["p_np"]),
    split: "scaffold",
    files: &["bbbp.csv"],
    packaged: &[packages::BBBP],
    official: Some(Official { file: "BBBP.csv", md5: Some("66286cb9e6b148bd75d80c870df580fb"), mebibytes: 4 }),
    sha256_csv: Some("a61e17872cbec0743a6147dc802a1f7550acfe8dc1053f881f4c42a3ce2dc597"),
    licence: "none stated for the data; package: BSD-3-Clause",
    citation: "Martins et al., J. Chem. Inf. Model. 52:1686 (2012)",
    aliases: &[("p_np", "target")],
    left_out: LeftOut::Rows { of: 2050, rows: &[59, 61, 391, 614, 642, 645, 646, 647, 648, 649, 685] },
    ..CLASSIFICATION
};

/// The rows of the official file (1,484) that are not among the 1,478 of the set: RDKit cannot read them.
const CLINTOX_LEFT_OUT: LeftOut = LeftOut::Molecules(&[
    "[NH4][Pt]([NH4])(Cl)Cl",
    "c1ccc(cc1)n2c(=O)c(c(=O)n2c3ccccc3)CCS(=O)c4ccccc4",
    "CCCCc1c(=O)n(n(c1=O)c2ccc(cc2)O)c3ccccc3",
    "CCCCc1c(=O)n(n(c1=O)c2ccccc2)c3ccccc3",
    "Cc1cc2c(cc1C)N3C=N2[Co+]456(N7=C8[C@H](C(C7=CC9=N4C(=C(C1=N5[C@@]([C@@H]2N6C(=C8C)[C@@]([C@H]2CC(=O)N)(CCC(=O)NC[C@H]\
     (OP(=O)(O[C@@H]2[C@H](O[C@H]3[C@@H]2O)CO)[O-])C)C)([C@@]([C@@H]1CCC(=O)N)(C)CC(=O)N)C)C)[C@@]([C@@H]9CCC(=O)N)(C)CC(=O)N)\
     (C)C)CCC(=O)N)O",
    "Cc1cc2c(cc1C)N3C=N2[Co]456(N7=C8[C@H](C(C7=CC9=N4C(=C(C1=N5[C@@]([C@@H]2N6C(=C8C)[C@@]([C@H]2CC(=O)N)(CCC(=O)NC[C@H]\
     (OP(=O)(O[C@@H]2[C@H](O[C@H]3[C@@H]2O)CO)O)C)C)([C@@]([C@@H]1CCC(=O)N)(C)CC(=O)N)C)C)[C@@]([C@@H]9CCC(=O)N)(C)CC(=O)N)\
     (C)C)CCC(=O)N)C#N",
]);

const CLINTOX_FILE: Official = Official { file: "clintox.csv.gz", md5: Some("db4f2df08be8ae92814e9d6a2d015284"), mebibytes: 2 };

pub(super) const CLINTOX: Set = Set {
    name: "clintox",
    doc: "Whether a drug was approved by the FDA (1,384 of 1,478) and whether it failed clinical trials for toxicity (112): two tasks \
          that are almost each other's opposite. 19 molecules occur twice, with both classes. The scaffold split leaves 10 positives of \
          CT_TOX for testing. The official file has 1,484 rows, 6 of them no valid molecules and no part of the set, and 5 SMILES with \
          doubled backslashes, which are undone. No package has both tasks: see clintox_ct_tox.",
    tasks: || tasks::classes(&["FDA_APPROVED", "CT_TOX"]),
    files: &["clintox.csv"],
    official: Some(CLINTOX_FILE),
    sha256_csv: Some("75c6936c89070f18dc4d12f8332a4550e65bcc52d76aa0296bc24272392b49f0"),
    licence: "none stated for the data",
    citation: "Gayvert et al., Cell Chem. Biol. 23:1294 (2016)",
    doubled_backslashes: true,
    left_out: CLINTOX_LEFT_OUT,
    ..CLASSIFICATION
};

pub(super) const CLINTOX_CT_TOX: Set = Set {
    name: "clintox_ct_tox",
    doc: "Whether a drug failed clinical trials for toxicity (1 = it did; 112 of 1,478): clintox without FDA_APPROVED, which is what the \
          package has. Published scores of ClinTox are means of both tasks, so they are no measure for this one. 19 molecules occur \
          twice, with both classes. The scaffold split leaves 10 positives for testing.",
    tasks: || tasks::classes(&["CT_TOX"]),
    files: &["clintox_ct_tox.csv"],
    packaged: &[packages::CLINTOX_CT_TOX],
    official: Some(CLINTOX_FILE),
    sha256_csv: Some("729b25187796780d2066829bd7dc1c1607e96ccae6dac6f76f7c5e8802c558e7"),
    licence: "none stated for the data; package: BSD-3-Clause",
    citation: CLINTOX.citation,
    aliases: &[("CT_TOX", "target")],
    doubled_backslashes: true,
    left_out: CLINTOX_LEFT_OUT,
    ..CLASSIFICATION
};

pub(super) const TOX21: Set = Set {
    name: "tox21",
    doc: "12 assays of nuclear receptors and stress responses (Tox21 challenge 2014; 1 = active): 7,831 molecules, 17 % of the labels \
          missing, 8 % of the others positive. 8 rows are no valid molecules.",
    tasks: || tasks::classes(&tasks::TOX21),
    files: &["tox21.csv"],
    official: Some(Official { file: "tox21.csv.gz", md5: Some("2882d69e70bba0fec14995f26787cc25"), mebibytes: 4 }),
    sha256_csv: Some("b58cc1f683e78e3c7a1bf7116e9aac0119804018d100f7b8cdb0857941c31aca"),
    licence: "public domain (US NIH)",
    citation: "Tox21 Challenge 2014, tripod.nih.gov/tox21/challenge; Huang et al., Front. Environ. Sci. 3:85 (2016)",
    ..CLASSIFICATION
};

pub(super) const TOXCAST: Set = Set {
    name: "toxcast",
    doc: "617 assays of the US EPA's ToxCast programme (1 = active): 8,576 molecules, 71 % of the labels missing, 8 % of the others \
          positive; every task has both classes. The official file has more rows, which are left out; which they are is told by digests \
          of the SMILES that stay, and no copy of that file was at hand to try it on.",
    tasks: tasks::toxcast,
    files: &["toxcast.csv"],
    official: Some(Official { file: "toxcast_data.csv.gz", md5: Some("92911bbf9c1e2ad85231014859388cd6"), mebibytes: 32 }),
    sha256_csv: Some("b22b05fc13b6eccb095c75e02ec8b0b879f21b75fca6f45f49a03a0cb9a0b4ec"),
    licence: "public domain (US EPA)",
    citation: "Richard et al., Chem. Res. Toxicol. 29:1225 (2016)",
    left_out: LeftOut::Unknown(include_str!("../toxcast_rows.txt")),
    ..CLASSIFICATION
};

pub(super) const SIDER: Set = Set {
    name: "sider",
    doc: "Side effects of 1,427 drugs in 27 classes of organs (1 = reported): no label is missing, 57 % are positive, 2 % (22 drugs) in \
          `Product issues`. One SMILES has 1,340 characters, so that the longest sequence that a model takes matters.",
    tasks: || tasks::classes(&tasks::SIDER),
    files: &["sider.csv"],
    official: Some(Official { file: "sider.csv.gz", md5: Some("77c0ef421f7cc8ce963c5836c8761fd2"), mebibytes: 2 }),
    sha256_csv: Some("71efc6ac4ca82d6545bc512509863281be0f17234afd7adaf71a71899988302e"),
    licence: "CC BY-NC-SA 4.0 (SIDER)",
    citation: "Kuhn et al., Nucleic Acids Res. 44:D1075 (2016); Altae-Tran et al., ACS Cent. Sci. 3:283 (2017)",
    ..CLASSIFICATION
};
