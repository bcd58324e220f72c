//! Q2 of predictions that were made without the predicted run, with its standard error.

use serde::{Deserialize, Serialize};

use crate::{
    inference::jackknife_error,
    numeric::{is_constant, sum_of_squares},
    refusal::{Refusal, check_column, check_size},
};

/// A Q2 and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PredictedQ2 {
    /// 1 - PRESS / SS; 1 at best, below 0 where the mean of all runs is nearer.
    pub q2: f64,
    /// Jackknife over the groups, the predictions held fixed: not in it is that models fitted to other runs would predict otherwise.
    pub std_error: f64,
}

/// Q2 of `predictions` of `y`, each made without its group.
///
/// # Errors
/// Fewer than 3 groups; unequal lengths, non-finite values, a constant score, also without one of the groups.
pub fn q2_of_predictions(y: &[f64], predictions: &[f64], groups: &[usize]) -> Result<PredictedQ2, Refusal> {
    check_column("score", y, y.len())?;
    check_column("prediction", predictions, y.len())?;
    if groups.len() != y.len() {
        return Err(Refusal::Lengths { name: "groups".to_owned(), found: groups.len(), wanted: y.len() });
    }
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    check_size("leaving out groups", distinct.len(), 3)?;
    let q2 = |kept: &dyn Fn(usize) -> bool| {
        let rows: Vec<usize> = (0..y.len()).filter(|&row| kept(groups[row])).collect();
        let score: Vec<f64> = rows.iter().map(|&row| y[row]).collect();
        if is_constant(&score) {
            return Err(Refusal::Constant { name: "score".to_owned() });
        }
        let press: f64 = rows.iter().map(|&row| (y[row] - predictions[row]).powi(2)).sum();
        Ok(1.0 - press / sum_of_squares(&score))
    };
    let without: Result<Vec<f64>, Refusal> = distinct.iter().map(|&left_out| q2(&|group| group != left_out)).collect();
    Ok(PredictedQ2 { q2: q2(&|_| true)?, std_error: jackknife_error(&without?) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn by_hand() {
        let y = [1.0, 2.0, 3.0, 6.0];
        let found = q2_of_predictions(&y, &[1.5, 2.0, 2.0, 5.0], &[0, 1, 2, 3]).unwrap();
        // PRESS .25 + 0 + 1 + 1, SS 14.
        assert!((found.q2 - (1.0 - 2.25 / 14.0)).abs() < 1e-12 && found.std_error > 0.0);
        let perfect = q2_of_predictions(&y, &y, &[0, 0, 1, 2]).unwrap();
        assert_eq!(perfect, PredictedQ2 { q2: 1.0, std_error: 0.0 });
    }

    #[test]
    fn refusals_are_typed() {
        let y = [1.0, 2.0, 3.0];
        assert!(matches!(q2_of_predictions(&y, &y, &[0, 0, 1]), Err(Refusal::TooFew { n: 2, needed: 3, .. })));
        assert!(matches!(q2_of_predictions(&y, &y, &[0, 1]), Err(Refusal::Lengths { .. })));
        let lost = q2_of_predictions(&y, &[1.0, f64::NAN, 2.0], &[0, 1, 2]);
        assert_eq!(lost, Err(Refusal::NonFinite { name: "prediction".into(), index: 1 }));
        // Without the last run nothing varies.
        let flat = q2_of_predictions(&[1.0, 1.0, 2.0], &y, &[0, 1, 2]);
        assert_eq!(flat, Err(Refusal::Constant { name: "score".into() }));
    }
}
