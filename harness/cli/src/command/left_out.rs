//! Rows of datasets that were left out because their SMILES is not valid.

use clmbench_protocol::DatasetOutput;
use serde::Serialize;

use crate::console::one_line;

/// Rows that are listed one by one.
pub const LISTED: usize = 10;

/// Rows of one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Dataset.
    pub dataset: String,
    /// Rows in its file.
    pub rows: u64,
    /// The rows left out, from 0 without the header.
    pub invalid: Vec<u64>,
    /// Why the first was.
    pub first: String,
}

impl LeftOut {
    /// Of a dataset; none if every row is valid.
    pub fn of(dataset: &DatasetOutput) -> Option<Self> {
        let (_, first) = dataset.invalid.first()?;
        Some(Self {
            dataset: dataset.dataset.clone(),
            rows: dataset.rows,
            invalid: dataset.invalid.iter().map(|(row, _)| *row).collect(),
            first: first.clone(),
        })
    }

    /// A line for people.
    pub fn text(&self) -> String {
        let shown: Vec<String> = self.invalid.iter().take(LISTED).map(u64::to_string).collect();
        let more = match self.invalid.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (noun, verb) =
            if self.invalid.len() == 1 { ("row", "is no valid molecule") } else { ("rows", "are no valid molecules") };
        format!(
            "left out: {} of {} rows of {} {verb}: {noun} {}{more}, counted from 0 (the first: {})",
            self.invalid.len(),
            self.rows,
            self.dataset,
            shown.join(", "),
            one_line(&self.first, 200)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_up_to_ten() {
        let mut left = LeftOut { dataset: "own".into(), rows: 40, invalid: vec![5], first: "a ring is open".into() };
        assert_eq!(
            left.text(),
            "left out: 1 of 40 rows of own is no valid molecule: row 5, counted from 0 (the first: a ring is open)"
        );
        left.invalid = (0..12).collect();
        assert!(
            left.text().contains("12 of 40 rows of own are no valid molecules: rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more,")
        );
    }
}
