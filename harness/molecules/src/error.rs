//! What can go wrong with molecules, and which kind of failure of a cell it is.

use std::path::{Path, PathBuf};

use clmbench_checkpoint::CheckpointError;
use clmbench_protocol::{Failure, FailureKind};

/// An error of this crate. Every message names the offending thing and the next step.
#[derive(Debug, thiserror::Error)]
pub enum MoleculesError {
    /// Reading or writing failed.
    #[error("cannot {action} {path}: {source}; {}", next_step(.source))]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A table could not be read.
    #[error("{file}, row {row}: {what}; repair the row or fetch the file again")]
    Table {
        /// The file.
        file: String,
        /// Row, counted from 0 without the header.
        row: u64,
        /// What is wrong.
        what: String,
    },
    /// A table has no rows.
    #[error("{file} has no rows; check that it is the right file and was fetched whole")]
    Empty {
        /// The file.
        file: String,
    },
    /// A file is in a form that is not read.
    #[error("{file} is {what}; only plain text (UTF-8) and gzip are read, so convert it first")]
    NotText {
        /// The file.
        file: String,
        /// What it is.
        what: &'static str,
    },
    /// A gzip file that cannot be unpacked.
    #[error("{file}: {what}; fetch the file again, or look at where it comes from")]
    Gzip {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A column is missing.
    #[error("{file} has no column `{column}`{}; its columns are {found}", nearest(.near))]
    MissingColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The most similar column, if any is similar.
        near: Option<String>,
        /// The columns it has.
        found: String,
    },
    /// No column is known to hold the SMILES.
    #[error(
        "{file} has no column named smiles, canonical_smiles or mol; its columns are {found}; name the one that holds the SMILES"
    )]
    NoSmilesColumn {
        /// The file.
        file: String,
        /// The columns it has.
        found: String,
    },
    /// Two columns may hold the SMILES.
    #[error("{file}: the SMILES may be in `{first}` or in `{second}`; name the column that holds them")]
    TwoSmilesColumns {
        /// The file.
        file: String,
        /// One column.
        first: String,
        /// The other.
        second: String,
    },
    /// The first line of a table is a molecule.
    #[error(
        "{file} has no header: its first line starts with `{first}`, which is a molecule; put a line `smiles` before it, or name the column"
    )]
    NoHeader {
        /// The file.
        file: String,
        /// What stands there (cut to 40 characters).
        first: String,
    },
    /// A column occurs twice.
    #[error("{file} has the column `{column}` more than once; rename or remove all but one")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A label is not what its task needs.
    #[error(
        "{file}, row {row}, column `{column}`: `{text}` is not {wanted}; correct it, or leave the field empty if the label is missing"
    )]
    Label {
        /// The file or dataset.
        file: String,
        /// Row, counted from 0 without the header.
        row: u64,
        /// Task.
        column: String,
        /// The label as it was written (cut to 40 characters).
        text: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A table's parts do not fit together.
    #[error("{file}, row {row}: {found} labels for {wanted} tasks and subsets; the dataset plugin must give one text for each")]
    Ragged {
        /// The file or dataset.
        file: String,
        /// Row, counted from 0.
        row: u64,
        /// Labels in the row.
        found: usize,
        /// Tasks and subsets.
        wanted: usize,
    },
    /// The source of a dataset gives no split.
    #[error(
        "{dataset} gives no split of its own; take `scaffold`, `scaffold_balanced` or `random`, or name the column that holds its split"
    )]
    NoGivenSplit {
        /// The dataset.
        dataset: String,
    },
    /// The split of a dataset leaves out a row, or holds another word than it may.
    #[error("{dataset}, row {row}: the split given is `{text}`, which is none of `train`, `valid` and `test`; correct the row")]
    GivenPart {
        /// The dataset.
        dataset: String,
        /// Row, counted from 0.
        row: u64,
        /// The word (cut to 40 characters).
        text: String,
    },
    /// A file of a split does not fit.
    #[error("{file}{}: {what}; `clmbench data split NAME --format csv` writes such a file", at_line(.line))]
    SplitFile {
        /// The file.
        file: String,
        /// Line, from 1; none for the whole file.
        line: Option<usize>,
        /// What is wrong.
        what: String,
    },
    /// A file of a split leaves out a molecule.
    #[error("{dataset}, row {row}: the split file gives it no part; add it with one of `train`, `valid` and `test`")]
    NoPart {
        /// The dataset.
        dataset: String,
        /// Row, counted from 0.
        row: u64,
    },
    /// No molecule of a dataset is valid.
    #[error("{file}: none of {rows} rows holds a valid molecule (first: {first}); check which column holds the SMILES")]
    NoMolecules {
        /// The dataset.
        file: String,
        /// Rows.
        rows: u64,
        /// Reason of the first.
        first: String,
    },
    /// The normalised CSV is not the known one.
    #[error(
        "{dataset}: the normalised table has SHA-256 {found}, expected {wanted}; the source file is another version, so fetch it again"
    )]
    WrongTable {
        /// The dataset.
        dataset: String,
        /// Digest found.
        found: String,
        /// Digest expected.
        wanted: String,
    },
    /// A file's bytes are not the expected ones.
    #[error("{path}: digest {found}, expected {wanted}; fetch or compute it again")]
    WrongDigest {
        /// The file.
        path: PathBuf,
        /// Digest found.
        found: String,
        /// Digest expected.
        wanted: String,
    },
    /// A file of ours is damaged.
    #[error("{path} is damaged: {what}; delete it and run the cell again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A setting has a value that this build does not know or cannot use.
    #[error("{setting} = `{value}` cannot be used: {why}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        why: String,
    },
    /// A source or folder named by the specification was not given.
    #[error("{what} was not handed over; the specification names it, so add it to the cell's inputs")]
    MissingInput {
        /// Source or folder.
        what: String,
    },
    /// The sources hold too few molecules.
    #[error(
        "corpus `{corpus}` needs {wanted} molecules ({heldout} held out and {size} to train on) but its sources give only {available} \
         ({candidates} rows, of which {invalid} invalid, {duplicates} repeated, {excluded} in test sets){}; {}",
        first(.first_invalid),
        advice(*available, *heldout)
    )]
    TooFewMolecules {
        /// The corpus.
        corpus: String,
        /// Molecules needed in all.
        wanted: u64,
        /// Of these held out.
        heldout: u64,
        /// Of these to train on.
        size: u64,
        /// Molecules that could be had.
        available: u64,
        /// Candidates looked at: all selected rows of the sources.
        candidates: u64,
        /// Candidates that are no valid molecule.
        invalid: u64,
        /// The first of them: file, row and reason.
        first_invalid: Option<String>,
        /// Candidates that repeat an earlier one.
        duplicates: u64,
        /// Candidates that are test molecules.
        excluded: u64,
    },
    /// A tokenizer of a checkpoint of others that cannot be used.
    #[error(transparent)]
    Foreign(#[from] CheckpointError),
    /// The tokenizer could not be made, read or applied.
    #[error("tokenizer {at}: {what}")]
    Tokenizer {
        /// File or text.
        at: String,
        /// What is wrong.
        what: String,
    },
}

impl MoleculesError {
    /// The typed reason under which a cell fails with this error.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Io { .. } | Self::Foreign(CheckpointError::Io { .. }) => FailureKind::Io,
            Self::WrongTable { .. } | Self::WrongDigest { .. } | Self::Damaged { .. } | Self::Gzip { .. } => {
                FailureKind::CorruptFile
            }
            Self::Setting { .. } => FailureKind::Unsupported,
            Self::MissingInput { .. } => FailureKind::Protocol,
            Self::Ragged { .. } => FailureKind::WrongShape,
            _ => FailureKind::BadInput,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

impl From<MoleculesError> for Failure {
    fn from(error: MoleculesError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

fn next_step(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "check the path",
        std::io::ErrorKind::PermissionDenied => "check who may use it",
        std::io::ErrorKind::IsADirectory => "name a file, not a folder",
        _ => "check that the disk has room and the path is right",
    }
}

fn at_line(line: &Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

fn nearest(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn first(invalid: &Option<String>) -> String {
    invalid.as_ref().map(|text| format!("; the first invalid one is {text}")).unwrap_or_default()
}

fn advice(available: u64, heldout: u64) -> String {
    match available.checked_sub(heldout) {
        Some(left) if left > 0 => format!("ask for at most {left}"),
        _ => "that is not even enough for the held-out sample: check which column holds the SMILES, or add sources".to_owned(),
    }
}

/// The candidate most similar to `wanted`, if any is similar enough to be a slip.
pub(crate) fn most_similar<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    candidates
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}
