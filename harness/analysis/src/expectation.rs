//! Whether a suite came out as it says it expects.

use serde::Serialize;

use crate::{AnalysisError, predictors::PredictorBoard};

/// Expected and found verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// Whether there are fits and every verdict is the expected one.
    pub met: bool,
    /// The expected verdict.
    pub expected: String,
    /// Fits that were compared.
    pub fits: usize,
    /// Fits with another verdict.
    pub unexpected: Vec<Unexpected>,
}

/// A fit whose verdict was not expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unexpected {
    /// Metric.
    pub metric: String,
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Its verdict.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

/// Compares every verdict on the board (trivial predictors too) with `expect`, a verdict's word.
///
/// # Errors
/// `expect` is no verdict.
pub fn expectation(board: &PredictorBoard, expect: &str) -> Result<Expectation, AnalysisError> {
    use clmbench_stats::Verdict;
    let known = [Verdict::Refused, Verdict::CannotTell, Verdict::DoesNotPredict, Verdict::Predicts];
    if !known.iter().any(|verdict| verdict.word() == expect) {
        return Err(AnalysisError::UnknownExpectation { expect: expect.to_owned() });
    }
    let unexpected: Vec<Unexpected> = board
        .rows
        .iter()
        .filter(|row| row.fit.verdict != expect)
        .map(|row| Unexpected {
            metric: row.fit.metric.clone(),
            dataset: row.fit.dataset.clone(),
            task: row.fit.task.clone(),
            verdict: row.fit.verdict.clone(),
            reason: row.fit.verdict_reason.clone().unwrap_or_default(),
        })
        .collect();
    Ok(Expectation {
        met: unexpected.is_empty() && !board.rows.is_empty(),
        expected: expect.to_owned(),
        fits: board.rows.len(),
        unexpected,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fit::fit_rows, predictors::predictor_board, sample::suite};

    #[test]
    fn every_verdict_must_be_the_expected_one() {
        let board = |n| predictor_board("demo", None, 0.5, fit_rows(&suite(n)).unwrap()).unwrap();
        let met = expectation(&board(6), "cannot_tell").unwrap();
        assert!(met.met && met.fits == 2);
        let missed = expectation(&board(24), "cannot_tell").unwrap();
        assert!(!missed.met);
        assert!(missed.unexpected.iter().any(|row| row.metric == "loss/mlm_loss" && row.verdict == "predicts"));
        let empty = predictor_board("demo", None, 0.5, vec![]).unwrap();
        assert!(!expectation(&empty, "cannot_tell").unwrap().met);
        assert!(expectation(&empty, "maybe").is_err());
    }
}
