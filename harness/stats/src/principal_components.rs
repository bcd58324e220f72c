//! The first two principal components of points, for a map of them.
//!
//! Orthogonal (subspace) iteration on the covariance matrix with more vectors than components (Golub and Van Loan 2013, section
//! 8.2.4), then a Rayleigh-Ritz step by Jacobi rotations. Enough for a picture: the iteration ends when the variances no longer move by
//! 1e-12 of their sum, or after [`SWEEPS`] sweeps.

use crate::{numeric::mean, refusal::Refusal, seed::generator};
use rand::Rng;

/// Sweeps at most.
const SWEEPS: usize = 1_000;
/// Vectors carried beside the two that are asked for.
const EXTRA: usize = 6;

/// Points on their first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalComponents {
    /// Coordinates, one pair a point; the point farthest out on each component lies on its positive side.
    pub coordinates: Vec<[f64; 2]>,
    /// Shares of the variance on both.
    pub shares: [f64; 2],
}

/// Centres points [n][d] and turns them to their first two principal components.
///
/// # Errors
/// Fewer than 3 points or 2 coordinates, points of unlike lengths, entries that are not finite, points that are all the same.
pub fn principal_components(points: &[Vec<f64>]) -> Result<PrincipalComponents, Refusal> {
    let (n, width) = (points.len(), points.first().map_or(0, Vec::len));
    if n < 3 || width < 2 {
        return Err(Refusal::FewDistinct { what: "a map of components".into(), distinct: n.min(width + 1), needed: 3 });
    }
    for (index, point) in points.iter().enumerate() {
        if point.len() != width {
            return Err(Refusal::Lengths { name: format!("point {index}"), found: point.len(), wanted: width });
        }
        if point.iter().any(|value| !value.is_finite()) {
            return Err(Refusal::NonFinite { name: "points".into(), index });
        }
    }
    let middle: Vec<f64> = (0..width).map(|column| mean(&points.iter().map(|point| point[column]).collect::<Vec<_>>())).collect();
    let centred: Vec<Vec<f64>> =
        points.iter().map(|point| point.iter().zip(&middle).map(|(value, middle)| value - middle).collect()).collect();
    let mut covariance = vec![vec![0.0; width]; width];
    for point in &centred {
        for row in 0..width {
            for column in 0..=row {
                covariance[row][column] += point[row] * point[column];
            }
        }
    }
    #[allow(clippy::needless_range_loop)] // row and column index a matrix
    for row in 0..width {
        for column in row + 1..width {
            covariance[row][column] = covariance[column][row];
        }
    }
    let total: f64 = (0..width).map(|index| covariance[index][index]).sum();
    let size = points.iter().flatten().fold(0.0f64, |most, value| most.max(value.abs()));
    if total <= 1e-24 * size * size * n as f64 {
        return Err(Refusal::Constant { name: "points".into() });
    }
    let (vectors, variances) = largest(&covariance, total);
    let mut coordinates: Vec<[f64; 2]> = centred.iter().map(|point| [dot(point, &vectors[0]), dot(point, &vectors[1])]).collect();
    for component in 0..2 {
        let far = coordinates
            .iter()
            .map(|place| place[component])
            .fold(0.0f64, |far, value| if value.abs() > far.abs() { value } else { far });
        if far < 0.0 {
            coordinates.iter_mut().for_each(|place| place[component] = -place[component]);
        }
    }
    Ok(PrincipalComponents { coordinates, shares: [variances[0], variances[1]].map(|variance| (variance / total).max(0.0)) })
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// The vectors of the largest eigenvalues, largest first, with these.
fn largest(matrix: &[Vec<f64>], total: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let width = matrix.len();
    let mut random = generator(0, "principal components");
    let count = (2 + EXTRA).min(width);
    let mut basis: Vec<Vec<f64>> = (0..count).map(|_| (0..width).map(|_| random.random_range(-1.0..1.0)).collect()).collect();
    orthonormalise(&mut basis);
    let mut variances = vec![0.0; count];
    for _ in 0..SWEEPS {
        let product: Vec<Vec<f64>> = basis.iter().map(|vector| matrix.iter().map(|row| dot(row, vector)).collect()).collect();
        let small: Vec<Vec<f64>> = basis.iter().map(|left| product.iter().map(|right| dot(left, right)).collect()).collect();
        let (values, turn) = jacobi(small);
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|left, right| values[*right].total_cmp(&values[*left]));
        let turned = |from: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let one =
                |index: &usize| (0..width).map(|place| (0..count).map(|k| turn[k][*index] * from[k][place]).sum()).collect();
            order.iter().map(one).collect()
        };
        let found: Vec<f64> = order.iter().map(|index| values[*index]).collect();
        let settled = found.iter().zip(&variances).take(2).all(|(now, before)| (now - before).abs() <= 1e-13 * total);
        variances = found;
        if settled {
            return (turned(&basis), variances);
        }
        basis = turned(&product);
        orthonormalise(&mut basis);
    }
    (basis, variances)
}

/// Gram-Schmidt, twice; a vector without a part of its own becomes 0.
fn orthonormalise(basis: &mut [Vec<f64>]) {
    for index in 0..basis.len() {
        let (before, rest) = basis.split_at_mut(index);
        let vector = &mut rest[0];
        let whole = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for other in before.iter() {
                let share = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(value, other)| *value -= share * other);
            }
        }
        let length = dot(vector, vector).sqrt();
        let scale = if length > 1e-14 * whole { 1.0 / length } else { 0.0 };
        vector.iter_mut().for_each(|value| *value *= scale);
    }
}

/// Eigenvalues and eigenvectors (in columns) of a small symmetric matrix by cyclic Jacobi rotations.
#[allow(clippy::needless_range_loop)] // rows and columns index matrices
fn jacobi(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = matrix.len();
    let mut turn: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| f64::from(u8::from(row == column))).collect()).collect();
    for _ in 0..60 {
        let off: f64 = (0..size)
            .flat_map(|row| (0..row).map(move |column| (row, column)))
            .map(|(row, column)| matrix[row][column].powi(2))
            .sum();
        let all: f64 = matrix.iter().flatten().map(|value| value * value).sum();
        if off <= 1e-32 * all {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q] == 0.0 {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..size {
                    let (left, right) = (matrix[k][p], matrix[k][q]);
                    (matrix[k][p], matrix[k][q]) = (c * left - s * right, s * left + c * right);
                }
                for k in 0..size {
                    let (left, right) = (matrix[p][k], matrix[q][k]);
                    (matrix[p][k], matrix[q][k]) = (c * left - s * right, s * left + c * right);
                }
                for row in &mut turn {
                    let (left, right) = (row[p], row[q]);
                    (row[p], row[q]) = (c * left - s * right, s * left + c * right);
                }
            }
        }
    }
    ((0..size).map(|index| matrix[index][index]).collect(), turn)
}
