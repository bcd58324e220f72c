//! Elastic net: coefficients by linfa-elasticnet, the standardising and the proof of convergence here.
//!
//! Minimises 1 / (2 n) |y - X w|^2 + s l |w|_1 + s (1 - l) / 2 |w|^2 (Zou and Hastie 2005, as scikit-learn writes it) over standardised X
//! and centred y, where s is the penalty's strength times the score's standard deviation and l the share of the absolute values.
//!
//! linfa centres y and not X, and it returns whatever it has when its iterations end, so X is standardised here, and the duality gap
//! (Kim et al. 2007, section III; scikit-learn's `enet_gap`) is computed from its answer. Among close to collinear columns coordinate descent
//! creeps, so where the gap is too large a descent of ours goes on from linfa's answer ([`descent`]); where it does not close, the fit is
//! refused.

mod descent;

use linfa::{Dataset, traits::Fit};
use linfa_elasticnet::ElasticNet as Linfa;
use ndarray::{Array1, Array2, ShapeBuilder};
use serde::{Deserialize, Serialize};

use self::descent::Descent;
use crate::{
    numeric::{is_constant, mean, sum_of_squares},
    ols::Column,
    orthogonal::dot,
    refusal::{Refusal, check_column, check_size},
};

/// Largest duality gap of a fit that is used, as a share of |y|^2.
pub const LARGEST_GAP: f64 = 1e-6;
/// Sweeps over the columns that linfa may take.
const LINFA_SWEEPS: u32 = 200;
/// Rounds of descent after linfa's.
const MORE_ROUNDS: u32 = 500;

/// What is charged for coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Penalty {
    /// Strength, in standard deviations (divisor n) of the score; over 0. From 1 / `l1_ratio` on all coefficients are 0.
    pub strength: f64,
    /// Share of absolute values against squares; over 0, at most 1 (the lasso).
    pub l1_ratio: f64,
}

/// A fitted elastic net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticNet {
    /// Intercept.
    pub intercept: f64,
    /// Score per unit of each column.
    pub coefficients: Vec<f64>,
    /// Score per standard deviation (divisor n) of each column.
    pub standardised: Vec<f64>,
    /// Duality gap as a share of |y|^2.
    pub gap: f64,
    /// Rounds of descent that linfa's answer needed on top.
    pub more_rounds: u32,
}

impl ElasticNet {
    /// The score that a run with these values is predicted to have.
    pub fn predict(&self, values: impl Iterator<Item = f64>) -> f64 {
        self.intercept + self.coefficients.iter().zip(values).map(|(coefficient, value)| coefficient * value).sum::<f64>()
    }
}

/// Fits `y` on an intercept and `columns` until coefficients move by at most `tolerance` of the largest, and the duality gap is at most
/// `tolerance` of |y|^2. `tolerance` is cut to at most [`LARGEST_GAP`]. Collinear columns are allowed.
///
/// # Errors
/// Fewer than 3 runs; a constant, non-finite or unequally long column; a constant score; a penalty outside its range;
/// [`Refusal::NotConverged`].
pub fn elastic_net(columns: &[Column<'_>], y: &[f64], penalty: Penalty, tolerance: f64) -> Result<ElasticNet, Refusal> {
    check(columns, y)?;
    fit(columns, y, penalty, tolerance)
}

/// Checks columns and score.
pub(crate) fn check(columns: &[Column<'_>], y: &[f64]) -> Result<(), Refusal> {
    let score = Column { name: "score", values: y };
    for column in columns.iter().chain([&score]) {
        check_column(column.name, column.values, y.len())?;
    }
    check_size("an elastic net", y.len(), 3)?;
    match columns.iter().chain([&score]).find(|column| is_constant(column.values)) {
        Some(column) => Err(Refusal::Constant { name: column.name.to_owned() }),
        None => Ok(()),
    }
}

/// The fit itself. Columns that are constant here (in one fold) have coefficient 0.
pub(crate) fn fit(columns: &[Column<'_>], y: &[f64], penalty: Penalty, tolerance: f64) -> Result<ElasticNet, Refusal> {
    let Penalty { strength, l1_ratio } = penalty;
    if !(strength.is_finite() && strength > 0.0 && l1_ratio > 0.0 && l1_ratio <= 1.0) {
        let what = format!("an elastic net needs a strength over 0 and an l1_ratio in (0, 1]: {strength}, {l1_ratio} were given");
        return Err(Refusal::Parameter { what });
    }
    let n = y.len() as f64;
    let centre = mean(y);
    let centred: Vec<f64> = y.iter().map(|value| value - centre).collect();
    let spread = (sum_of_squares(y) / n).sqrt();
    let scales: Vec<f64> = columns.iter().map(|column| scale(column.values)).collect();
    let standardised: Vec<Vec<f64>> = columns
        .iter()
        .zip(&scales)
        .map(|(column, scale)| {
            let centre = mean(column.values);
            let divisor = if *scale == 0.0 { f64::INFINITY } else { *scale };
            column.values.iter().map(|value| (value - centre) / divisor).collect()
        })
        .collect();
    let (absolute, squared) = (strength * spread * l1_ratio * n, strength * spread * (1.0 - l1_ratio) * n);
    let mut descent = Descent::new(&standardised, &centred, absolute, squared);
    let total = dot(&centred, &centred);
    let tolerance = tolerance.min(LARGEST_GAP);
    let mut more_rounds = 0;
    if !is_constant(y) && !columns.is_empty() {
        descent.start_from(linfa(&standardised, &centred, strength * spread, l1_ratio, tolerance)?);
        while descent.gap() > tolerance * total {
            if more_rounds == MORE_ROUNDS {
                return Err(Refusal::NotConverged { gap: descent.gap() / total, wanted: tolerance });
            }
            more_rounds += 1;
            descent.round();
        }
    }
    let gap = if total > 0.0 { descent.gap().max(0.0) / total } else { 0.0 };
    let standardised = descent.into_weights();
    let coefficients: Vec<f64> =
        standardised.iter().zip(&scales).map(|(weight, scale)| if *scale == 0.0 { 0.0 } else { weight / scale }).collect();
    let shift: f64 = coefficients.iter().zip(columns).map(|(coefficient, column)| coefficient * mean(column.values)).sum();
    Ok(ElasticNet { intercept: centre - shift, coefficients, standardised, gap, more_rounds })
}

/// Standard deviation with divisor n; 0 for a constant column.
fn scale(values: &[f64]) -> f64 {
    if is_constant(values) { 0.0 } else { (sum_of_squares(values) / values.len() as f64).sqrt() }
}

/// linfa's coefficients.
fn linfa(columns: &[Vec<f64>], y: &[f64], penalty: f64, l1_ratio: f64, tolerance: f64) -> Result<Vec<f64>, Refusal> {
    let records = Array2::from_shape_fn((y.len(), columns.len()).f(), |(row, column)| columns[column][row]);
    let model = Linfa::params()
        .penalty(penalty)
        .l1_ratio(l1_ratio)
        .with_intercept(false)
        .tolerance(tolerance)
        .max_iterations(LINFA_SWEEPS)
        .fit(&Dataset::new(records, Array1::from(y.to_vec())))
        .map_err(|error| Refusal::Solver { message: error.to_string() })?;
    let weights = model.hyperplane().to_vec();
    match weights.iter().all(|weight| weight.is_finite()) {
        true => Ok(weights),
        false => Err(Refusal::Solver { message: "a coefficient is not finite".to_owned() }),
    }
}

#[cfg(test)]
mod tests;
