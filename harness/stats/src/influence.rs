//! Which runs a linear model hangs on: leverage, Cook's distance, DFFITS, studentised residuals.
//!
//! Belsley, Kuh and Welsch (1980), chapter 2; Cook (1977).

use serde::{Deserialize, Serialize};
use statrs::distribution::StudentsT;

use crate::{
    inference::two_sided,
    numeric::sample_sd,
    ols::Ols,
    refusal::{Refusal, check_size},
};

/// A run with at least this leverage is fitted exactly whatever its score, so that nothing else can be said of it.
const LARGEST_LEVERAGE: f64 = 1.0 - 1e-9;
/// Residuals below this share of the score's spread are rounding.
const SMALLEST_RESIDUAL_SHARE: f64 = 1e-12;

/// What one run does to a fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Influence {
    /// Diagonal of the hat matrix: the share of its own fitted score that comes from its own score.
    pub leverage: f64,
    /// How far all fitted scores move when it is left out, in residual variances a coefficient (Cook 1977); none at leverage 1.
    pub cooks_distance: Option<f64>,
    /// How far its own fitted score moves when it is left out, in its standard errors; none at leverage 1.
    pub dffits: Option<f64>,
    /// Residual over its standard deviation, the latter from the other runs (externally studentised); none at leverage 1.
    pub studentised: Option<f64>,
    /// Two-sided p of the studentised residual, by Student's t with one degree of freedom less than the fit's.
    pub p_value: Option<f64>,
    /// The same by Bonferroni over the runs, for "is the farthest run an outlier?".
    pub p_bonferroni: Option<f64>,
}

impl Influence {
    /// Whether |DFFITS| is over 2 sqrt(p / n), p coefficients and n runs (Belsley, Kuh and Welsch 1980, equation 2.36).
    pub fn is_large(&self, coefficients: usize, n: usize) -> bool {
        self.dffits.is_some_and(|dffits| dffits.abs() > 2.0 * (coefficients as f64 / n as f64).sqrt())
    }
}

/// Influence of every run on a fit of `y`, in the order of the runs.
///
/// # Errors
/// Fewer than two residual degrees of freedom (studentised residuals need one without the run); a perfect fit.
pub fn influence(fit: &Ols, y: &[f64]) -> Result<Vec<Influence>, Refusal> {
    let coefficients = fit.n - fit.df;
    check_size("influence", fit.n, coefficients + 2)?;
    if fit.residual_sd <= SMALLEST_RESIDUAL_SHARE * sample_sd(y) {
        return Err(Refusal::PerfectFit);
    }
    let df = fit.df as f64;
    let student = StudentsT::new(0.0, 1.0, df - 1.0).map_err(|error| Refusal::Solver { message: error.to_string() })?;
    let variance = fit.residual_sd.powi(2);
    let of_run = |(&residual, &leverage): (&f64, &f64)| {
        if leverage > LARGEST_LEVERAGE {
            let none = None;
            return Influence {
                leverage,
                cooks_distance: none,
                dffits: none,
                studentised: none,
                p_value: none,
                p_bonferroni: none,
            };
        }
        let kept = 1.0 - leverage;
        let internal = residual / (variance * kept).sqrt();
        // Without the run the residual variance is (df s^2 - e^2 / (1 - h)) / (df - 1).
        let others = ((df * variance - residual * residual / kept) / (df - 1.0)).max(0.0);
        let studentised = residual / (others * kept).sqrt();
        let p_value = two_sided(&student, studentised);
        Influence {
            leverage,
            cooks_distance: Some(internal * internal * leverage / (kept * coefficients as f64)),
            dffits: Some(studentised * (leverage / kept).sqrt()),
            studentised: Some(studentised),
            p_value: Some(p_value),
            p_bonferroni: Some((p_value * fit.n as f64).min(1.0)),
        }
    };
    Ok(fit.residuals.iter().zip(&fit.leverage).map(of_run).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ols::{Column, ols};

    fn of(x: &[f64], y: &[f64]) -> Result<Vec<Influence>, Refusal> {
        influence(&ols(&[Column { name: "x", values: x }], y, 0.95).unwrap(), y)
    }

    #[test]
    fn the_run_that_was_moved_stands_out() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 20.0];
        let y = [1.1, 1.9, 3.2, 3.9, 5.1, 5.9, 7.1, 2.0];
        let found = of(&x, &y).unwrap();
        let largest = |get: fn(&Influence) -> f64| (0..8).max_by(|a, b| get(&found[*a]).total_cmp(&get(&found[*b]))).unwrap();
        assert_eq!(largest(|run| run.leverage), 7);
        assert_eq!(largest(|run| run.cooks_distance.unwrap()), 7);
        assert_eq!(largest(|run| run.studentised.unwrap().abs()), 7);
        assert!(found[7].is_large(2, 8) && found[7].p_bonferroni.unwrap() < 0.05);
        let sum: f64 = found.iter().map(|run| run.leverage).sum();
        assert!((sum - 2.0).abs() < 1e-12, "leverages sum to the number of coefficients");
    }

    #[test]
    fn refusals_are_typed() {
        let three = of(&[1.0, 2.0, 4.0], &[1.0, 3.0, 2.0]);
        assert!(matches!(three, Err(Refusal::TooFew { n: 3, needed: 4, .. })));
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 6.0, 8.0]), Err(Refusal::PerfectFit));
        // One run alone holds up the column.
        let held = of(&[0.0, 0.0, 0.0, 0.0, 1.0], &[1.0, 2.0, 4.0, 7.0, 3.0]).unwrap();
        assert_eq!((held[4].cooks_distance, held[4].studentised), (None, None));
        assert!(held[0].studentised.is_some());
    }
}
