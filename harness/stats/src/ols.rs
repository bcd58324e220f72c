//! Ordinary least squares: coefficients by linfa-linear, inference and diagnostics here.
//!
//! linfa returns a fit for any design, also for a rank-deficient one (weights of 1e12), so the design is checked
//! before linfa sees it, and its columns are centred and scaled to unit sample SD so that units do not matter.

use linfa::{Dataset, traits::Fit};
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{
    inference::{Inference, student},
    numeric::{is_constant, mean, sample_sd, sum_of_squares},
    orthogonal::{Orthonormal, orthonormalise},
    refusal::{Refusal, check_column, check_size},
};

/// Heteroscedasticity-consistent errors are given from this many runs on.
pub const SMALLEST_N_FOR_HC3: usize = 20;

/// Runs that a multiple regression takes for each coefficient, the intercept among them.
pub const RUNS_PER_COEFFICIENT: usize = 5;

/// A named predictor with one value a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column<'a> {
    /// Name, for refusals.
    pub name: &'a str,
    /// One value a run.
    pub values: &'a [f64],
}

/// A coefficient with its inference under the classical linear model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coefficient {
    /// Name of the column; `intercept` for the first.
    pub name: String,
    /// Estimate, in units of the score per unit of the column.
    pub estimate: f64,
    /// Standard error.
    pub std_error: f64,
    /// estimate / standard error; infinite for a perfect fit.
    pub t: f64,
    /// Two-sided p of Student's t with `df` degrees of freedom.
    pub p_value: f64,
    /// Lower end of the confidence interval.
    pub ci_low: f64,
    /// Upper end of the confidence interval.
    pub ci_high: f64,
    /// HC3 standard error (MacKinnon and White 1985); none below 20 runs.
    pub hc3_std_error: Option<f64>,
}

/// A fitted linear model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ols {
    /// Runs.
    pub n: usize,
    /// Residual degrees of freedom.
    pub df: usize,
    /// Intercept, then one for each column.
    pub coefficients: Vec<Coefficient>,
    /// Level of the confidence intervals, such as 0.95.
    pub confidence: f64,
    /// Share of the variance explained in the sample.
    pub r2: f64,
    /// Leave-one-out Q2 = 1 - PRESS / SS; none where a run alone holds up a column (leverage 1).
    pub q2: Option<f64>,
    /// Residual standard deviation.
    pub residual_sd: f64,
    /// Residuals.
    pub residuals: Vec<f64>,
    /// Leverages (diagonal of the hat matrix).
    pub leverage: Vec<f64>,
}

impl Ols {
    /// Inference of one coefficient (0 is the intercept) under the classical linear model.
    ///
    /// # Errors
    /// No such coefficient.
    pub fn inference(&self, index: usize) -> Result<Inference, Refusal> {
        let coefficient = self.coefficient(index)?;
        student(coefficient.estimate, coefficient.std_error, self.df)
    }

    /// The same with the HC3 standard error, which holds where the spread of the score varies, and Student's t with the fit's degrees of
    /// freedom.
    ///
    /// # Errors
    /// No such coefficient; fewer than 20 runs; a run that alone holds up a column.
    pub fn hc3(&self, index: usize) -> Result<Inference, Refusal> {
        let coefficient = self.coefficient(index)?;
        check_size("an HC3 standard error", self.n, SMALLEST_N_FOR_HC3)?;
        let held = || Refusal::Fold { reason: format!("a run alone holds up `{}`", coefficient.name) };
        student(coefficient.estimate, coefficient.hc3_std_error.ok_or_else(held)?, self.df)
    }

    fn coefficient(&self, index: usize) -> Result<&Coefficient, Refusal> {
        let missing = || Refusal::Parameter { what: format!("coefficient {index} of {}", self.coefficients.len()) };
        self.coefficients.get(index).ok_or_else(missing)
    }
}

/// [`ols`] on several columns, with the runs that it takes: 5 x (columns + 1).
///
/// # Errors
/// Fewer runs than that; everything that [`ols`] refuses.
pub fn multiple_regression(columns: &[Column<'_>], y: &[f64], confidence: f64) -> Result<Ols, Refusal> {
    let what = match columns.len() {
        1 => "a multiple regression on 1 column".to_owned(),
        columns => format!("a multiple regression on {columns} columns"),
    };
    check_size(&what, y.len(), RUNS_PER_COEFFICIENT * (columns.len() + 1))?;
    ols(columns, y, confidence)
}

/// Checks a design and returns its orthonormal form.
pub(crate) fn check_design(columns: &[Column<'_>], y: &[f64], weights: &[f64]) -> Result<Orthonormal, Refusal> {
    let n = y.len();
    check_column("score", y, n)?;
    for column in columns {
        check_column(column.name, column.values, n)?;
    }
    check_size("a fit", n, columns.len() + 2)?;
    for column in columns {
        if is_constant(column.values) {
            return Err(Refusal::Constant { name: column.name.to_owned() });
        }
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let values: Vec<&[f64]> = columns.iter().map(|column| column.values).collect();
    orthonormalise(&names, &values, weights)
}

/// Intercept and slopes by linfa on a design that was checked.
pub(crate) fn solve(columns: &[Column<'_>], y: &[f64]) -> Result<Vec<f64>, Refusal> {
    if columns.is_empty() {
        return Ok(vec![mean(y)]);
    }
    let centres: Vec<f64> = columns.iter().map(|column| mean(column.values)).collect();
    let scales: Vec<f64> = columns.iter().map(|column| sample_sd(column.values)).collect();
    let (centre_y, scale_y) = (mean(y), if is_constant(y) { 1.0 } else { sample_sd(y) });
    let records = Array2::from_shape_fn((y.len(), columns.len()), |(row, column)| {
        (columns[column].values[row] - centres[column]) / scales[column]
    });
    let targets = Array1::from_iter(y.iter().map(|value| (value - centre_y) / scale_y));
    let fitted = LinearRegression::new()
        .fit(&Dataset::new(records, targets))
        .map_err(|error| Refusal::Solver { message: error.to_string() })?;
    let slopes: Vec<f64> = fitted.params().iter().zip(&scales).map(|(slope, scale)| slope * scale_y / scale).collect();
    let shift: f64 = slopes.iter().zip(&centres).map(|(slope, centre)| slope * centre).sum();
    let mut all = vec![centre_y + fitted.intercept() * scale_y - shift];
    all.extend(slopes);
    if all.iter().all(|value| value.is_finite()) {
        Ok(all)
    } else {
        Err(Refusal::Solver { message: "a coefficient is not finite".to_owned() })
    }
}

/// Fits `y` on an intercept and `columns`, with intervals at level `confidence` (such as 0.95).
///
/// # Errors
/// Fewer than columns + 2 runs; a constant, non-finite, unequally long or collinear column; a constant score.
pub fn ols(columns: &[Column<'_>], y: &[f64], confidence: f64) -> Result<Ols, Refusal> {
    let n = y.len();
    let weights = vec![1.0; n];
    let basis = check_design(columns, y, &weights)?;
    if is_constant(y) {
        return Err(Refusal::Constant { name: "score".to_owned() });
    }
    let estimates = solve(columns, y)?;
    let residuals: Vec<f64> = (0..n)
        .map(|row| {
            let slopes = estimates[1..].iter().zip(columns);
            y[row] - estimates[0] - slopes.map(|(slope, column)| slope * column.values[row]).sum::<f64>()
        })
        .collect();
    let leverage: Vec<f64> = (0..n).map(|row| basis.leverage(row, 1.0)).collect();
    let residual_ss: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let df = n - estimates.len();
    let variance = residual_ss / df as f64;
    let influence = influence(columns, &basis);
    let student = StudentsT::new(0.0, 1.0, df as f64).map_err(|error| Refusal::Solver { message: error.to_string() })?;
    let quantile = student.inverse_cdf(0.5 + confidence / 2.0);
    let names = std::iter::once("intercept").chain(columns.iter().map(|column| column.name));
    let coefficients = names
        .zip(&estimates)
        .zip(&influence)
        .map(|((name, &estimate), rows)| {
            let std_error = (variance * rows.iter().map(|value| value * value).sum::<f64>()).sqrt();
            let t = estimate / std_error;
            let p_value = if t.is_nan() { 1.0 } else { 2.0 * student.sf(t.abs()) };
            let hc3 = || {
                let terms = rows.iter().zip(&residuals).zip(&leverage);
                terms.map(|((row, residual), lever)| (row * residual / (1.0 - lever)).powi(2)).sum::<f64>().sqrt()
            };
            Coefficient {
                name: name.to_owned(),
                estimate,
                std_error,
                t,
                p_value,
                ci_low: estimate - quantile * std_error,
                ci_high: estimate + quantile * std_error,
                hc3_std_error: (n >= SMALLEST_N_FOR_HC3).then(hc3).filter(|value| value.is_finite()),
            }
        })
        .collect();
    let total_ss = sum_of_squares(y);
    let press = crate::cross_validation::press(&residuals, &leverage, &weights);
    Ok(Ols {
        n,
        df,
        coefficients,
        confidence,
        r2: 1.0 - residual_ss / total_ss,
        q2: press.map(|press| 1.0 - press / total_ss),
        residual_sd: variance.sqrt(),
        residuals,
        leverage,
    })
}

/// How each run's score enters each coefficient: the rows of (X'X)^-1 X', intercept first.
fn influence(columns: &[Column<'_>], basis: &Orthonormal) -> Vec<Vec<f64>> {
    let n = basis.total;
    let rows = n as usize;
    let inverse = basis.inverse_triangle();
    let slopes: Vec<Vec<f64>> = inverse
        .iter()
        .map(|weights| (0..rows).map(|row| weights.iter().zip(&basis.columns).map(|(w, q)| w * q[row]).sum()).collect())
        .collect();
    let centres: Vec<f64> = columns.iter().map(|column| mean(column.values)).collect();
    let intercept = (0..rows)
        .map(|row| 1.0 / n - slopes.iter().zip(&centres).map(|(slope, centre)| slope[row] * centre).sum::<f64>())
        .collect();
    std::iter::once(intercept).chain(slopes).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refuses_what_linfa_would_fit() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0];
        let twice = a.map(|v| 2.0 * v + 1.0);
        let y = [1.0, 2.5, 2.0, 4.0, 5.5, 6.0];
        let column = |name, values| Column { name, values };
        assert_eq!(
            ols(&[column("a", &a), column("twice", &twice)], &y, 0.95),
            Err(Refusal::RankDeficient { name: "twice".into() })
        );
        assert_eq!(ols(&[column("a", &[3.0; 6])], &y, 0.95), Err(Refusal::Constant { name: "a".into() }));
        assert_eq!(ols(&[column("a", &a)], &[1.0; 6], 0.95), Err(Refusal::Constant { name: "score".into() }));
        assert!(matches!(ols(&[column("a", &a[..2])], &y[..2], 0.95), Err(Refusal::TooFew { n: 2, needed: 3, .. })));
        let broken = [1.0, 2.0, f64::INFINITY, 4.0, 5.0, 7.0];
        assert_eq!(ols(&[column("a", &broken)], &y, 0.95), Err(Refusal::NonFinite { name: "a".into(), index: 2 }));
    }

    #[test]
    fn units_do_not_matter() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0];
        let y = [1.0, 2.5, 2.0, 4.0, 5.5, 6.0];
        let big = a.map(|v| 1e12 + v * 1e6);
        let small = ols(&[Column { name: "a", values: &a }], &y, 0.95).unwrap();
        let large = ols(&[Column { name: "a", values: &big }], &y, 0.95).unwrap();
        assert!((small.r2 - large.r2).abs() < 1e-9);
        assert!((small.coefficients[1].t - large.coefficients[1].t).abs() < 1e-6);
        assert!((small.coefficients[1].estimate - large.coefficients[1].estimate * 1e6).abs() < 1e-9);
    }

    #[test]
    fn the_interval_of_the_slope_covers_its_level() {
        // Four sizes, normal noise: exact. 2,000 draws: 95 % +- 4 standard errors.
        let mut rng = crate::seed::generator(1, "slope coverage");
        for n in [8, 24] {
            let size: Vec<f64> = (0..n).map(|run| (run % 4) as f64).collect();
            let covered = (0..2_000).filter(|_| {
                let score: Vec<f64> = size.iter().map(|size| 0.7 * size + crate::seed::normal(&mut rng)).collect();
                let fit = ols(&[Column { name: "size", values: &size }], &score, 0.95).unwrap();
                fit.coefficients[1].ci_low <= 0.7 && 0.7 <= fit.coefficients[1].ci_high
            });
            let share = covered.count() as f64 / 2_000.0;
            assert!((0.93..=0.97).contains(&share), "n = {n}: {share}");
        }
    }

    #[test]
    fn perfect_fit_has_no_nan() {
        let a = [1.0, 2.0, 3.0, 4.0];
        let fit = ols(&[Column { name: "a", values: &a }], &[2.0, 4.0, 6.0, 8.0], 0.95).unwrap();
        assert!(fit.coefficients[1].p_value < 1e-9 && (fit.coefficients[1].estimate - 2.0).abs() < 1e-12);
        assert!(fit.q2.unwrap() > 0.999);
    }
}
