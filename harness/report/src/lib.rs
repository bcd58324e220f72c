//! Leaderboards and statuses as terminal tables, and a suite as one HTML page ([`html`]).
//!
//! Of the tables: everything returned is plain text without colour that ends in a newline and is at most [`Style::width`] columns
//! wide; columns that matter less are left out first and named in the footer. A missing number is `–` and its reason
//! stands in the footer.

mod csv;
mod expectation;
mod gate;
pub mod html;
mod layout;
mod markdown;
mod models;
mod models_overview;
mod overview;
mod pooled;
mod predictors;
mod text;

pub use csv::csv_text;
pub use expectation::expectation_text;
pub use gate::{gate_junit, gate_markdown, gate_table};
pub use layout::{table, table_in};
pub use markdown::markdown_table;
pub use models::{model_page, model_table};
pub use predictors::{predictor_page, predictor_table};
pub use text::plain;

/// Every metric over all tasks of a protocol, from the stored statistics.
pub fn pooled_table(board: &clmbench_analysis::PredictorBoard, style: Style) -> String {
    pooled::page(board, style)
}

/// Every model over the tasks of a protocol: mean rank, Borda count and scores; `all` keeps pretraining seeds apart.
pub fn standing_table(board: &clmbench_analysis::ModelBoard, all: bool, style: Style) -> String {
    models_overview::page(board, all, style)
}

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Widest line in terminal columns; at least 40 is assumed.
    pub width: usize,
    /// Only ASCII characters; others become `?`.
    pub ascii: bool,
}

impl Style {
    /// UTF-8 at this width.
    pub fn new(width: usize) -> Self {
        Self { width, ascii: false }
    }

    /// ASCII at this width.
    pub fn ascii(width: usize) -> Self {
        Self { width, ascii: true }
    }

    pub(crate) fn columns(&self) -> usize {
        self.width.max(40)
    }
}
