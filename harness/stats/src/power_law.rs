//! Power laws y = a x^-b + c by least squares in ln y, with or without the constant c.
//!
//! Pretraining loss against parameters, tokens or computation (Kaplan et al. 2020, arXiv:2001.08361, equations 1.1 to 1.3; with the
//! constant, Hoffmann et al. 2022, arXiv:2203.15556, equation 2). Errors are taken as proportional: residuals are those of ln y. Without
//! the constant it is a straight line of ln y on ln x. The constant is fitted from [`DISTINCT_FOR_CONSTANT`] different x on: the start is
//! the best of a grid of constants, from which Levenberg-Marquardt goes on; where the best constant is not above 0 there is none.
//! Covariance: s^2 (J^T J)^-1 with s^2 over n less the parameters, as scipy's `curve_fit`.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{
    numeric::mean,
    refusal::{Refusal, check_column},
};

/// Different x below which there is no fit.
pub const DISTINCT_FOR_FIT: usize = 4;

/// Different x from which on the constant is fitted.
pub const DISTINCT_FOR_CONSTANT: usize = 6;

/// Constants that are tried at the start, as shares of the smallest y.
const STARTS: usize = 60;
const ITERATIONS: usize = 500;

/// A fitted power law.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PowerLaw {
    /// Factor.
    pub a: f64,
    /// Exponent: positive where y falls.
    pub b: f64,
    /// Constant that y falls to; 0 without.
    pub c: f64,
    /// Whether the constant was fitted.
    pub with_constant: bool,
    /// Why it was not.
    pub without_constant_because: Option<String>,
    /// Standard error of the exponent.
    pub std_error: f64,
    /// 90 % interval of the exponent, Student's t.
    pub interval90: (f64, f64),
    /// 95 % interval of the exponent, Student's t.
    pub interval95: (f64, f64),
    /// Standard deviation of the residuals of ln y.
    pub residual_sd: f64,
    /// Points.
    pub n: usize,
    /// Different x among them.
    pub distinct: usize,
}

impl PowerLaw {
    /// y at this x.
    pub fn at(&self, x: f64) -> f64 {
        self.a * x.powf(-self.b) + self.c
    }
}

/// Fits y = a x^-b + c to points with positive x and y.
///
/// # Errors
/// Fewer than [`DISTINCT_FOR_FIT`] different x; columns of unlike lengths; an entry that is not finite or not above 0.
pub fn power_law(x: &[f64], y: &[f64]) -> Result<PowerLaw, Refusal> {
    check_column("y", y, y.len())?;
    check_column("x", x, y.len())?;
    for (name, values) in [("x", x), ("y", y)] {
        if let Some(index) = values.iter().position(|value| *value <= 0.0) {
            return Err(Refusal::NotPositive { name: name.to_owned(), index });
        }
    }
    let mut places = x.to_vec();
    places.sort_by(f64::total_cmp);
    places.dedup_by(|next, kept| *next - *kept <= 1e-9 * *kept);
    let distinct = places.len();
    if distinct < DISTINCT_FOR_FIT {
        return Err(Refusal::FewDistinct { what: "a power law".to_owned(), distinct, needed: DISTINCT_FOR_FIT });
    }
    // Around the middle of ln x, so that factor and exponent are told apart.
    let logs: Vec<f64> = x.iter().map(|value| value.ln()).collect();
    let middle = mean(&logs);
    let across: Vec<f64> = logs.iter().map(|log| log - middle).collect();
    let up: Vec<f64> = y.iter().map(|value| value.ln()).collect();
    let line = straight(&across, &up);
    let mut because = None;
    let mut fitted = None;
    if distinct < DISTINCT_FOR_CONSTANT {
        because = Some(format!("a constant needs {DISTINCT_FOR_CONSTANT} different x and there are {distinct}"));
    } else {
        let least = y.iter().copied().fold(f64::INFINITY, f64::min);
        match curved(&across, &up, y, least) {
            Some(found) if found.parameters[2] > 1e-9 * least => fitted = Some(found),
            Some(_) => because = Some("the best constant is not above 0".to_owned()),
            None => because = Some("the constant cannot be told from the exponent".to_owned()),
        }
    }
    let with_constant = fitted.is_some();
    let Fitted { parameters: [factor, b, c], variance_b, residual_ss, free } = fitted.unwrap_or(line);
    let df = (y.len() - free) as f64;
    let std_error = (variance_b * residual_ss / df).sqrt();
    let student = StudentsT::new(0.0, 1.0, df).map_err(|error| Refusal::Solver { message: error.to_string() })?;
    let interval = |level: f64| {
        let reach = student.inverse_cdf(level) * std_error;
        (b - reach, b + reach)
    };
    Ok(PowerLaw {
        a: (factor + b * middle).exp(),
        b,
        c,
        with_constant,
        without_constant_because: because,
        std_error,
        interval90: interval(0.95),
        interval95: interval(0.975),
        residual_sd: (residual_ss / df).sqrt(),
        n: y.len(),
        distinct,
    })
}

/// Least squares found: ln of the factor at the middle, exponent and constant.
struct Fitted {
    parameters: [f64; 3],
    /// Entry of (J^T J)^-1 that belongs to the exponent.
    variance_b: f64,
    residual_ss: f64,
    /// Parameters that were free.
    free: usize,
}

/// The straight line of ln y on centred ln x.
fn straight(across: &[f64], up: &[f64]) -> Fitted {
    let (height, spread) = (mean(up), across.iter().map(|x| x * x).sum::<f64>());
    let b = -across.iter().zip(up).map(|(x, y)| x * (y - height)).sum::<f64>() / spread;
    let residual_ss = across.iter().zip(up).map(|(x, y)| (y - height + b * x).powi(2)).sum();
    Fitted { parameters: [height, b, 0.0], variance_b: 1.0 / spread, residual_ss, free: 2 }
}

/// With a constant; none where the normal equations cannot be solved.
fn curved(across: &[f64], up: &[f64], y: &[f64], least: f64) -> Option<Fitted> {
    let start = |index: usize| {
        let c = least * (1.0 - 0.5f64.powf(index as f64 / 4.0));
        let rest: Vec<f64> = y.iter().map(|value| (value - c).ln()).collect();
        let [height, b, _] = straight(across, &rest).parameters;
        [height, b, c]
    };
    let starts = (0..STARTS).map(start).filter(|start| start.iter().all(|value| value.is_finite()));
    let mut best = starts.min_by(|left, right| squares(across, up, left).total_cmp(&squares(across, up, right)))?;
    let (mut sum, mut damping) = (squares(across, up, &best), 1e-3);
    for _ in 0..ITERATIONS {
        let (matrix, gradient) = normal_equations(across, up, &best);
        let mut damped = matrix;
        (0..3).for_each(|index| damped[index][index] *= 1.0 + damping);
        let step = solve(damped, gradient)?;
        let next = std::array::from_fn(|index| best[index] + step[index]);
        let there = squares(across, up, &next);
        if there.is_finite() && there <= sum {
            let moved = (0..3).any(|index| step[index].abs() > 1e-14 * best[index].abs().max(1e-8));
            (best, sum, damping) = (next, there, (damping * 0.2).max(1e-12));
            if !moved {
                break;
            }
        } else {
            damping *= 5.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    let (matrix, _) = normal_equations(across, up, &best);
    let variance_b = solve(matrix, [0.0, 1.0, 0.0])?[1];
    Some(Fitted { parameters: best, variance_b, residual_ss: sum, free: 3 })
}

/// a x^-b + c at every point.
fn values<'a>(across: &'a [f64], [height, b, c]: &'a [f64; 3]) -> impl Iterator<Item = (f64, f64)> + 'a {
    across.iter().map(move |x| {
        let falling = (height - b * x).exp();
        (falling, falling + c)
    })
}

/// Sum of the squared residuals of ln y; infinite where a value is not above 0.
fn squares(across: &[f64], up: &[f64], parameters: &[f64; 3]) -> f64 {
    let squares = values(across, parameters).zip(up).map(|((_, value), y)| (y - value.ln()).powi(2));
    let sum: f64 = squares.sum();
    if sum.is_finite() { sum } else { f64::INFINITY }
}

/// J^T J and J^T r of ln(a x^-b + c), r = ln y less that.
fn normal_equations(across: &[f64], up: &[f64], parameters: &[f64; 3]) -> ([[f64; 3]; 3], [f64; 3]) {
    let (mut matrix, mut gradient) = ([[0.0; 3]; 3], [0.0; 3]);
    for ((x, y), (falling, value)) in across.iter().zip(up).zip(values(across, parameters)) {
        let slopes = [falling / value, -x * falling / value, 1.0 / value];
        let residual = y - value.ln();
        for row in 0..3 {
            gradient[row] += slopes[row] * residual;
            for column in 0..3 {
                matrix[row][column] += slopes[row] * slopes[column];
            }
        }
    }
    (matrix, gradient)
}

/// Solution of a symmetric positive definite system by Cholesky, scaled to a unit diagonal; none if it is not definite.
fn solve(matrix: [[f64; 3]; 3], right: [f64; 3]) -> Option<[f64; 3]> {
    let scale: [f64; 3] = std::array::from_fn(|index| matrix[index][index].sqrt());
    if scale.iter().any(|value| !value.is_finite() || *value <= 0.0) {
        return None;
    }
    let mut lower = [[0.0f64; 3]; 3];
    for row in 0..3 {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest = matrix[row][column] / (scale[row] * scale[column]) - known;
            lower[row][column] = match row == column {
                true if rest > 1e-14 => rest.sqrt(),
                true => return None,
                false => rest / lower[column][column],
            };
        }
    }
    let mut solution: [f64; 3] = std::array::from_fn(|index| right[index] / scale[index]);
    for row in 0..3 {
        let known: f64 = (0..row).map(|k| lower[row][k] * solution[k]).sum();
        solution[row] = (solution[row] - known) / lower[row][row];
    }
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3).map(|k| lower[k][row] * solution[k]).sum();
        solution[row] = (solution[row] - known) / lower[row][row];
    }
    Some(std::array::from_fn(|index| solution[index] / scale[index]))
}
