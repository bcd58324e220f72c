//! Weighted, centred columns made orthonormal: rank, leverages and leave-one-out residuals come from here.

use crate::refusal::Refusal;

/// A column keeps less than this share of its length after the others are projected out: it is their combination.
pub(crate) const RANK_TOLERANCE: f64 = 1e-7;

/// Orthonormal columns that span the centred, root-weighted design, and the triangle that leads back:
/// centred column j = sum over i <= j of `triangle[i][j]` x `columns[i]`.
#[derive(Debug)]
pub(crate) struct Orthonormal {
    /// Orthonormal columns, each with one entry a run.
    pub columns: Vec<Vec<f64>>,
    /// Upper triangle.
    pub triangle: Vec<Vec<f64>>,
    /// Sum of the weights.
    pub total: f64,
}

/// Weighted mean.
pub(crate) fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / total
}

/// Modified Gram-Schmidt, each projection done twice (Giraud et al. 2005: enough for full accuracy).
pub(crate) fn orthonormalise(names: &[&str], columns: &[&[f64]], weights: &[f64]) -> Result<Orthonormal, Refusal> {
    let mut done: Vec<Vec<f64>> = Vec::with_capacity(columns.len());
    let mut triangle = vec![vec![0.0; columns.len()]; columns.len()];
    for (index, (name, column)) in names.iter().zip(columns).enumerate() {
        let centre = weighted_mean(column, weights);
        let mut rest: Vec<f64> = column.iter().zip(weights).map(|(value, weight)| (value - centre) * weight.sqrt()).collect();
        let length = dot(&rest, &rest).sqrt();
        let magnitude = column.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        if length <= 1e-12 * magnitude {
            return Err(Refusal::Constant { name: (*name).to_owned() });
        }
        for _ in 0..2 {
            for (row, unit) in done.iter().enumerate() {
                let share = dot(unit, &rest);
                triangle[row][index] += share;
                rest.iter_mut().zip(unit).for_each(|(value, unit)| *value -= share * unit);
            }
        }
        let left = dot(&rest, &rest).sqrt();
        if left <= RANK_TOLERANCE * length {
            return Err(Refusal::RankDeficient { name: (*name).to_owned() });
        }
        triangle[index][index] = left;
        rest.iter_mut().for_each(|value| *value /= left);
        done.push(rest);
    }
    Ok(Orthonormal { columns: done, triangle, total: weights.iter().sum() })
}

impl Orthonormal {
    /// Leverage of run `row`, times its weight: what its copies together weigh in their own prediction.
    pub fn leverage(&self, row: usize, weight: f64) -> f64 {
        weight / self.total + self.columns.iter().map(|column| column[row].powi(2)).sum::<f64>()
    }

    /// Inverse of the upper triangle, by back substitution.
    pub fn inverse_triangle(&self) -> Vec<Vec<f64>> {
        let size = self.triangle.len();
        let mut inverse = vec![vec![0.0; size]; size];
        #[allow(clippy::needless_range_loop)] // row and column index a matrix
        for column in 0..size {
            for row in (0..=column).rev() {
                let unit = if row == column { 1.0 } else { 0.0 };
                let known: f64 = (row + 1..=column).map(|k| self.triangle[row][k] * inverse[k][column]).sum();
                inverse[row][column] = (unit - known) / self.triangle[row][row];
            }
        }
        inverse
    }
}

pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}
