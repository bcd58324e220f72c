//! Margins of a gate, as a suite or a user writes them.

use serde::{Deserialize, Serialize};

use crate::{StoreError, SuiteRow, value::from_json};

/// A margin by name: how much worse a candidate may be. Of a score, a dataset or a task (`dataset/task`); the most exact name wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenMargin {
    /// `roc_auc`, `freesolv` or `tox21/NR-AR`.
    pub of: String,
    /// Value in units of the score, or a share of the standard deviation of the training labels; above 0.
    pub value: f64,
    /// Whether it is such a share.
    pub is_share: bool,
}

/// Scores in the units of their labels, of whose standard deviation a margin may be a share.
const OF_LABELS: [&str; 2] = ["rmse", "mae"];

impl GivenMargin {
    /// Names by which a margin may mean a score of a task, the most exact first: the task, its dataset, the score.
    pub fn names(dataset: &str, task: &str, score: &str) -> [String; 3] {
        [format!("{dataset}/{task}"), dataset.to_owned(), score.to_owned()]
    }

    /// Whether it can be a margin of this score: a share is of a standard deviation of labels, in whose units not all scores are.
    pub fn suits(&self, score: &str) -> bool {
        !self.is_share || OF_LABELS.contains(&score)
    }

    /// Reads `NAME=NUMBER` or `NAME=NUMBER%`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected NAME=NUMBER, such as roc_auc=0.02, or NAME=NUMBER% of the training labels' SD, such as rmse=5%";
        let (of, number) = text.split_once('=').ok_or(expected)?;
        let number = number.trim();
        let (number, is_share) = number.strip_suffix('%').map_or((number, false), |number| (number, true));
        let value: f64 = number.trim().parse().map_err(|_| expected)?;
        let value = if is_share { value / 100.0 } else { value };
        if of.trim().is_empty() || !(value.is_finite() && value > 0.0) {
            return Err(format!("{expected}; a margin is above 0"));
        }
        Ok(Self { of: of.trim().to_owned(), value, is_share })
    }
}

impl std::fmt::Display for GivenMargin {
    /// As it is written: `roc_auc=0.02`, `rmse=5%`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_share {
            // Of 5 %, read as .05, 5.
            write!(formatter, "{}={}%", self.of, (self.value * 1e14).round() / 1e12)
        } else {
            write!(formatter, "{}={}", self.of, self.value)
        }
    }
}

/// The part of a stored plan that is read again.
#[derive(Deserialize)]
struct Margins {
    /// Absent in plans of versions that had none.
    #[serde(default)]
    margins: Vec<GivenMargin>,
}

impl SuiteRow {
    /// The margins that the suite names, by name.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its plan is not as it was written.
    pub fn margins(&self) -> Result<Vec<GivenMargin>, StoreError> {
        let margins = from_json::<Margins>(&self.plan_json, "plan of a suite")?.margins;
        match margins.iter().find(|margin| !(margin.value.is_finite() && margin.value > 0.0)) {
            Some(wrong) => Err(StoreError::malformed(format!("the margin {wrong} of suite `{}` is not above 0", self.name))),
            None => Ok(margins),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn margins_are_shown_as_they_are_written() {
        for text in ["roc_auc=0.02", "rmse=5%", "tox21/NR-AR=0.01", "rmse=7%", "rmse=2.5%", "rmse=0.1%"] {
            assert_eq!(GivenMargin::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(GivenMargin::parse(" rmse = 5 % ").unwrap().to_string(), "rmse=5%");
        for wrong in ["", "a", "a=", "a=0", "a=-1", "a=NaN", "=1", "a=inf", "a=%", "a=1e-400", "a=1e308%%"] {
            assert!(GivenMargin::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_of_scores_in_the_units_of_labels() {
        let (share, number) = (GivenMargin::parse("a=5%").unwrap(), GivenMargin::parse("a=5").unwrap());
        for (score, in_units) in [("rmse", true), ("mae", true), ("r2", false), ("roc_auc", false), ("spearman", false)] {
            assert_eq!((share.suits(score), number.suits(score)), (in_units, true), "{score}");
        }
        assert_eq!(GivenMargin::names("tox21", "NR-AR", "roc_auc"), ["tox21/NR-AR", "tox21", "roc_auc"]);
    }

    #[test]
    fn margins_are_read_from_the_plan_and_absent_in_old_ones() {
        let row = |plan_json: &str| SuiteRow {
            id: 1,
            name: "s".into(),
            digest: "d".into(),
            toml: String::new(),
            expect: None,
            useful_effect: 0.5,
            plan_json: plan_json.into(),
            created: String::new(),
        };
        let given = GivenMargin { of: "rmse".into(), value: 0.05, is_share: true };
        let plan = serde_json::json!({ "suite": "s", "margins": [given] }).to_string();
        assert_eq!(row(&plan).margins().unwrap(), [given]);
        assert_eq!(row("{}").margins().unwrap(), []);
        for wrong in ["[", r#"{"margins": 1}"#, r#"{"margins": [{"of": "rmse", "value": 0, "is_share": false}]}"#] {
            assert!(matches!(row(wrong).margins(), Err(StoreError::Corrupt { .. })), "{wrong}");
        }
    }
}
