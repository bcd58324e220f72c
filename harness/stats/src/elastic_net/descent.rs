//! Descent to the optimum of an elastic net: sweeps over the columns, and steps that solve for all chosen columns at once.
//!
//! A sweep (Friedman, Hastie and Tibshirani 2010, equation 5) finds which columns have a coefficient and of which sign. With those fixed the
//! objective is a quadratic, whose least point is found by one Cholesky decomposition; the step towards it ends where the first
//! coefficient would change its sign. Both only ever lower the objective.

use crate::orthogonal::dot;

/// Sweeps before each step.
const SWEEPS: usize = 5;
/// A pivot below this share of its diagonal element: the chosen columns are collinear.
const SMALLEST_PIVOT: f64 = 1e-13;

/// The state of a descent on n times the objective.
pub(super) struct Descent<'a> {
    /// Standardised columns.
    columns: &'a [Vec<f64>],
    /// Centred score.
    y: &'a [f64],
    /// Charged for absolute values.
    absolute: f64,
    /// Charged for half the squares.
    squared: f64,
    weights: Vec<f64>,
    /// y - X w.
    rest: Vec<f64>,
}

impl<'a> Descent<'a> {
    pub fn new(columns: &'a [Vec<f64>], y: &'a [f64], absolute: f64, squared: f64) -> Self {
        Self { columns, y, absolute, squared, weights: vec![0.0; columns.len()], rest: y.to_vec() }
    }

    pub fn start_from(&mut self, weights: Vec<f64>) {
        self.weights = weights;
        self.rest = self.y.to_vec();
        for (column, weight) in self.columns.iter().zip(&self.weights) {
            self.rest.iter_mut().zip(column).for_each(|(rest, value)| *rest -= weight * value);
        }
    }

    pub fn into_weights(self) -> Vec<f64> {
        self.weights
    }

    /// Some sweeps and a step.
    pub fn round(&mut self) {
        (0..SWEEPS).for_each(|_| self.sweep());
        self.step();
    }

    /// Every coefficient once to where it is best, the others as they are.
    pub fn sweep(&mut self) {
        for (column, weight) in self.columns.iter().zip(&mut self.weights) {
            let length = dot(column, column);
            if length == 0.0 {
                continue;
            }
            let pull = dot(column, &self.rest) + length * *weight;
            let moved = pull.signum() * (pull.abs() - self.absolute).max(0.0) / (length + self.squared);
            let step = moved - *weight;
            self.rest.iter_mut().zip(column).for_each(|(rest, value)| *rest -= step * value);
            *weight = moved;
        }
    }

    /// Towards the least point among coefficients of the present signs.
    fn step(&mut self) {
        let active: Vec<usize> = (0..self.weights.len()).filter(|&column| self.weights[column] != 0.0).collect();
        let product = |left: usize, right: usize| {
            let squared = if left == right { self.squared } else { 0.0 };
            dot(&self.columns[left], &self.columns[right]) + squared
        };
        let matrix: Vec<Vec<f64>> =
            active.iter().map(|&row| active.iter().map(|&column| product(row, column)).collect()).collect();
        let right: Vec<f64> = active
            .iter()
            .map(|&column| dot(&self.columns[column], self.y) - self.absolute * self.weights[column].signum())
            .collect();
        let Some(target) = solve(matrix, right) else { return };
        let mut share = 1.0;
        let mut stopped = None;
        for (&column, &wanted) in active.iter().zip(&target) {
            let weight = self.weights[column];
            let until_zero = weight / (weight - wanted);
            if wanted * weight <= 0.0 && until_zero <= share {
                share = until_zero;
                stopped = Some(column);
            }
        }
        let mut weights = self.weights.clone();
        active.iter().zip(&target).for_each(|(&column, wanted)| weights[column] += share * (wanted - weights[column]));
        if let Some(column) = stopped {
            weights[column] = 0.0;
        }
        self.start_from(weights);
    }

    /// Primal less dual objective, n times: an upper bound on how far the objective is above its least value.
    pub fn gap(&self) -> f64 {
        let squares = dot(&self.weights, &self.weights);
        let pull = |(column, weight): (&Vec<f64>, &f64)| (dot(column, &self.rest) - self.squared * weight).abs();
        let largest = self.columns.iter().zip(&self.weights).map(pull).fold(0.0f64, f64::max);
        // The residual, shrunk until it is feasible for the dual problem.
        let shrink = if largest > self.absolute { self.absolute / largest } else { 1.0 };
        let rest = dot(&self.rest, &self.rest);
        let sizes: f64 = self.weights.iter().map(|weight| weight.abs()).sum();
        0.5 * rest * (1.0 + shrink * shrink) + self.absolute * sizes - shrink * dot(&self.rest, self.y)
            + 0.5 * self.squared * (1.0 + shrink * shrink) * squares
    }
}

/// Solves a symmetric positive definite system by Cholesky's decomposition; none where it is not.
#[allow(clippy::needless_range_loop)] // rows and columns index a matrix
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for column in 0..size {
        let diagonal = matrix[column][column];
        let pivot = diagonal - (0..column).map(|k| matrix[column][k].powi(2)).sum::<f64>();
        if pivot.is_nan() || pivot <= SMALLEST_PIVOT * diagonal {
            return None;
        }
        matrix[column][column] = pivot.sqrt();
        for row in column + 1..size {
            let known: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            matrix[row][column] = (matrix[row][column] - known) / matrix[column][column];
        }
    }
    for row in 0..size {
        let known: f64 = (0..row).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|k| matrix[k][row] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn systems_are_solved_or_refused() {
        // [4 2; 2 3] x = [2; 5] has x = (-1/2, 2).
        let found = solve(vec![vec![4.0, 2.0], vec![2.0, 3.0]], vec![2.0, 5.0]).unwrap();
        assert!((found[0] + 0.5).abs() < 1e-12 && (found[1] - 2.0).abs() < 1e-12);
        assert_eq!(solve(vec![vec![1.0, 1.0], vec![1.0, 1.0]], vec![1.0, 1.0]), None);
        assert_eq!(solve(vec![], vec![]), Some(vec![]));
    }

    #[test]
    fn rounds_close_the_gap_where_sweeps_creep() {
        let a = vec![-1.5, -0.5, 0.5, 1.5];
        let close = vec![-1.501, -0.499, 0.499, 1.501];
        let (columns, y) = ([a, close], [-1.0, 0.4, -0.4, 1.0]);
        let mut creeping = Descent::new(&columns, &y, 1e-6, 1e-6);
        (0..1_000).for_each(|_| creeping.sweep());
        let mut found = Descent::new(&columns, &y, 1e-6, 1e-6);
        let mut before = found.gap();
        for _ in 0..20 {
            found.round();
            assert!(found.gap() <= before + 1e-12);
            before = found.gap();
        }
        assert!(found.gap() < 1e-9 && creeping.gap() > 1e-3, "{} {}", found.gap(), creeping.gap());
    }
}
