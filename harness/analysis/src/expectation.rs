//! Whether a suite came out as it says it expects.

use serde::Serialize;

use crate::{
    AnalysisError,
    predictors::{PredictorBoard, PredictorRow},
};

/// Expected and found verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// Whether fits were compared and every verdict is the expected one.
    pub met: bool,
    /// The expected verdict.
    pub expected: String,
    /// Fits that were compared.
    pub fits: usize,
    /// Refused fits, which are not compared unless `refused` is expected: there is nothing to expect of a constant.
    pub skipped: Vec<Unexpected>,
    /// Fits with another verdict.
    pub unexpected: Vec<Unexpected>,
}

/// A fit whose verdict was not expected, or that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unexpected {
    /// Metric.
    pub metric: String,
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Protocol.
    pub protocol: String,
    /// Its verdict.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

/// Compares every verdict on the board (trivial predictors too) with `expect`, a verdict's word. Refused fits are set
/// aside unless they are what is expected.
///
/// # Errors
/// `expect` is no verdict.
pub fn expectation(board: &PredictorBoard, expect: &str) -> Result<Expectation, AnalysisError> {
    use clmbench_stats::Verdict;
    let known = [Verdict::Refused, Verdict::CannotTell, Verdict::DoesNotPredict, Verdict::Predicts];
    if !known.iter().any(|verdict| verdict.word() == expect) {
        return Err(AnalysisError::UnknownExpectation { expect: expect.to_owned() });
    }
    let entry = |row: &&PredictorRow| Unexpected {
        metric: row.fit.metric.clone(),
        dataset: row.fit.dataset.clone(),
        task: row.fit.task.clone(),
        protocol: row.fit.protocol.clone(),
        verdict: row.fit.verdict.clone(),
        reason: row.fit.verdict_reason.clone().unwrap_or_default(),
    };
    let skip = |row: &&PredictorRow| row.fit.verdict == Verdict::Refused.word() && expect != Verdict::Refused.word();
    let (skipped, compared): (Vec<&PredictorRow>, Vec<&PredictorRow>) = board.rows.iter().partition(skip);
    let unexpected: Vec<Unexpected> = compared.iter().filter(|row| row.fit.verdict != expect).map(entry).collect();
    Ok(Expectation {
        met: unexpected.is_empty() && !compared.is_empty(),
        expected: expect.to_owned(),
        fits: compared.len(),
        skipped: skipped.iter().map(entry).collect(),
        unexpected,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        fit::fit_rows,
        predictors::predictor_board,
        sample::{metric_info, metric_row, suite},
    };

    #[test]
    fn refused_fits_are_set_aside_unless_expected() {
        let mut inputs = suite(6);
        inputs.infos.push(metric_info("trivial/tokens"));
        let constant: Vec<_> = inputs.runs.iter().map(|run| metric_row(&run.run, "trivial/tokens", 1.0)).collect();
        inputs.metrics.extend(constant);
        let board = predictor_board("demo", None, 0.5, fit_rows(&inputs).unwrap()).unwrap();
        let found = expectation(&board, "cannot_tell").unwrap();
        assert!(found.met && found.fits == 2);
        assert_eq!((found.skipped.len(), found.skipped[0].metric.as_str()), (1, "trivial/tokens"));
        let refused = expectation(&board, "refused").unwrap();
        assert!(!refused.met && refused.skipped.is_empty() && refused.unexpected.len() == 2);
        let three = predictor_board("demo", None, 0.5, fit_rows(&suite(3)).unwrap()).unwrap();
        assert!(expectation(&three, "refused").unwrap().met);
        assert!(!expectation(&three, "cannot_tell").unwrap().met, "nothing was compared");
    }

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
