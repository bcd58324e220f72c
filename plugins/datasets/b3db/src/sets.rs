//! The sets: what each is, and which bytes it is read from.

use clmbench_sdk::prelude::*;

/// A file of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Name in the folder `B3DB` of the package, and under which the bytes are handed over.
    pub name: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Part of its rows, in a set whose split is given by its files; else empty.
    pub part: &'static str,
}

const CLASSES: File = File {
    name: "B3DB_classification.tsv",
    sha256: "47a160aea1551423ead2aab70b301fb1646aea03cf151fd614eb37c78fa55b82",
    bytes: 2_635_683,
    part: "",
};
const EXTERNAL: File = File {
    name: "B3DB_classification_external.tsv",
    sha256: "84940d866f7cb53b361c38e787143c20b65641b57040006e020609f9d6f242cf",
    bytes: 63_728,
    part: "test",
};
const VALUES: File = File {
    name: "B3DB_regression.tsv",
    sha256: "1be4e33ab1fa1d99897541b6e0a9a00cd6061cf970a36dc838e640407735eba1",
    bytes: 378_224,
    part: "",
};

/// One set of the database.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// Name in suites.
    pub name: &'static str,
    /// What was measured.
    pub doc: &'static str,
    /// Name of the task.
    pub task: &'static str,
    /// Regression or classification.
    pub kind: TaskKind,
    /// Unit of the label; empty for classes.
    pub unit: &'static str,
    /// Recommended split.
    pub split: &'static str,
    /// Files, whose rows follow each other.
    pub files: &'static [File],
    /// SHA-256 of the normalised CSV that the files give.
    pub sha256_csv: &'static str,
    /// Label column in the files.
    pub column: &'static str,
}

/// The sets.
pub const SETS: [Set; 3] = [
    Set {
        name: "classification",
        doc: "Whether a molecule passes the blood-brain barrier (1 = BBB+, 0 = BBB-): 7,807 molecules out of 50 publications, 4,956 \
              of them BBB+. 1,058 have a measured logBB, and are BBB+ from -1 on: they are the molecules of `regression`. 3,621 were \
              classed at the same threshold by their sources; the file states no threshold for the other 3,128.",
        task: "BBB",
        kind: TaskKind::Classification,
        unit: "",
        split: "scaffold",
        files: &[CLASSES],
        sha256_csv: "621d3620cdf16ae8bd00043672427feadb566ff7349eedb23e1ebf4377b8d5e7",
        column: "BBB+/BBB-",
    },
    Set {
        name: "external",
        doc: "Whether a molecule passes the blood-brain barrier, trained on the 7,807 molecules of `classification` and tested on the \
              175 that B3DB curated later: 171 BBB+ and only 4 BBB-, so that a ROC-AUC of the test part rests on 4 molecules. 11 of \
              the 175 stand with the same SMILES in the training part too, 2 of them with the other class; more than that differ from \
              one only in their stereo centres.",
        task: "BBB",
        kind: TaskKind::Classification,
        unit: "",
        split: "given",
        files: &[File { part: "train", ..CLASSES }, EXTERNAL],
        sha256_csv: "1b2b509fa27d751da5dd10542379bbf6708666f54901abe409ab5c352d947542",
        column: "BBB+/BBB-",
    },
    Set {
        name: "regression",
        doc: "Blood-brain barrier permeability, the logarithm (base 10) of the ratio of the concentrations in brain and blood, of 1,058 \
              molecules out of many publications; where these differ, B3DB's authors settled one value. Gases and solvents are \
              among them (`[Xe]`, `CCO`).",
        task: "logBB",
        kind: TaskKind::Regression,
        unit: "logBB",
        split: "scaffold",
        files: &[VALUES],
        sha256_csv: "3b66f607300cbb447caf830f4209c7289bee0438a5fece3d89aade57be004949",
        column: "logBB",
    },
];

impl Set {
    /// The set of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SETS.iter().find(|set| set.name == name)
    }

    /// Declaration of the set.
    pub fn info(&self) -> DatasetInfo {
        let score = match self.kind {
            TaskKind::Regression => "rmse",
            TaskKind::Classification => "roc_auc",
        };
        DatasetInfo {
            source: "b3db".into(),
            name: self.name.into(),
            doc: self.doc.into(),
            tasks: vec![TaskInfo { name: self.task.into(), kind: self.kind, unit: self.unit.into(), score: score.into() }],
            recommended_split: self.split.into(),
            files: self.files.iter().map(File::source).collect(),
            sha256_csv: Some(self.sha256_csv.into()),
            licence: "CC0 1.0".into(),
            citation: "Meng et al., Sci. Data 8:289 (2021)".into(),
            ..DatasetInfo::default()
        }
    }
}

impl File {
    /// Where it is.
    fn source(&self) -> SourceFile {
        SourceFile {
            name: self.name.into(),
            wheel: Some(WheelEntry {
                package: "qc-b3db".into(),
                version: "1.1.1".into(),
                wheel_sha256: "c929f601951e4b0ed56326c94d2cdc2f6b0c24711fbc1e0d7f67e88e330fc959".into(),
                entry: format!("B3DB/{}", self.name),
                sha256: self.sha256.into(),
                bytes: self.bytes,
            }),
            urls: Vec::new(),
        }
    }
}
