//! What can be wrong with a suite file.

use std::{path::PathBuf, sync::Arc};

/// Where in a suite file something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: Arc<str>,
    /// Line, counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// Why a suite was refused. Each message starts with `file:line`.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The file could not be read.
    #[error("{}: the suite cannot be read ({source}). Check the path.", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds bytes that are no UTF-8.
    #[error("{place}: the file is not UTF-8 text. Save it as UTF-8, or check that it is a suite.")]
    NotText {
        /// Where the first such byte is.
        place: Place,
    },
    /// The text is not TOML.
    #[error("{place}: not valid TOML: {message}.")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser said.
        message: String,
    },
    /// A key that suites do not have.
    #[error("{place}: unknown key `{key}` in {table}.{hint}")]
    UnknownKey {
        /// Where.
        place: Place,
        /// Table it is in, such as `[[model]]`.
        table: String,
        /// The key.
        key: String,
        /// Nearest known key, or the known keys; starts with a space.
        hint: String,
    },
    /// A value of another type.
    #[error("{place}: `{key}` in {table} must be {wanted}, but {found} is written.")]
    WrongType {
        /// Where.
        place: Place,
        /// Table it is in.
        table: String,
        /// The key.
        key: String,
        /// What it must be, with an example.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A key or table that must be there.
    #[error("{place}: {table} lacks `{key}`. Add, for example, `{example}`.")]
    Missing {
        /// Where.
        place: Place,
        /// Table it must be in.
        table: String,
        /// The key.
        key: String,
        /// A line that would do.
        example: String,
    },
    /// A list with nothing in it.
    #[error("{place}: `{key}` in {table} is empty. Name at least one, for example `{example}`, or remove the table.")]
    EmptyList {
        /// Where.
        place: Place,
        /// Table it is in.
        table: String,
        /// The key.
        key: String,
        /// A line that would do.
        example: String,
    },
    /// A value outside what is allowed.
    #[error("{place}: `{key}` in {table}: {message}")]
    Value {
        /// Where.
        place: Place,
        /// Table it is in.
        table: String,
        /// The key.
        key: String,
        /// What is wrong and what would do.
        message: String,
    },
    /// Another version of the suite format.
    #[error("{place}: `schema = {found}` is not known; this version reads `schema = 1`. {next}")]
    Schema {
        /// Where.
        place: Place,
        /// The number written.
        found: i64,
        /// What to do.
        next: String,
    },
    /// The same thing named twice.
    #[error("{place}: {what} is named twice, first on line {first}. Remove one.")]
    Duplicate {
        /// Where the second is.
        place: Place,
        /// Line of the first.
        first: usize,
        /// What.
        what: String,
    },
    /// A dataset under a second split.
    #[error(
        "{place}: dataset `{name}` is named twice, first on line {first} with another split. A suite has one split of a dataset: \
         {next}."
    )]
    SecondSplit {
        /// Where the second is.
        place: Place,
        /// Line of the first.
        first: usize,
        /// Source and name.
        name: String,
        /// What to do.
        next: &'static str,
    },
}
