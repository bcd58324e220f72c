//! The figures of a page: what the paper and its readers look for. One file a figure (or a family of them).

mod inputs;

use super::{Report, node::Element};

pub use inputs::{ArtifactTable, EmbeddingMap, EmbeddingPoint, FigureInputs, TaskPredictions};

/// A figure with its text alternative and the numbers behind it.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Name of its files and its anchor: letters, digits and `-`, such as `loss-against-size`.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What the marks, bars and lines mean, and what is not in them.
    pub caption: String,
    /// What a reader who does not see it must know: the finding in words and numbers.
    pub alternative: String,
    /// The drawing: one `svg`.
    pub drawing: Element,
    /// The numbers that are drawn.
    pub data: Data,
}

/// Numbers behind a figure: a table with names of columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Data {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows of cells, numbers with all their digits.
    pub rows: Vec<Vec<String>>,
}

/// All figures that the results have data for, in the order of the page.
pub(crate) fn all(_report: &Report<'_>) -> Vec<Figure> {
    Vec::new()
}
