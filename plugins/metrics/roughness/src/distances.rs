//! Distances between all molecules of a task.

use clmbench_sdk::prelude::*;

/// Distances under this share of the largest possible one are 0: embeddings of one molecule that were computed in other batches differ
/// by what float32 rounds.
pub const ZERO: f64 = 1e-6;

/// Euclidean distances of rows [N, D], all N^2 of them in float64: 8 N^2 bytes.
pub struct Distances {
    /// N.
    pub count: usize,
    /// Row by row; 0 on the diagonal.
    square: Vec<f64>,
    /// Rows [N, D] less their mean.
    rows: Tensor,
}

impl Distances {
    /// Of rows in float64.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(rows: &Tensor) -> Result<Self, PluginError> {
        let count = rows.size2()?.0 as usize;
        // Distances ignore the mean; without it |x|^2 + |y|^2 - 2 x y cancels less. What it still rounds is far under `ZERO`.
        let rows = rows.f_subtract(&rows.f_mean_dim(&[0_i64][..], true, Kind::Double)?)?;
        let squares = rows.f_square()?.f_sum_dim_intlist(&[1_i64][..], true, Kind::Double)?;
        let mut table = rows.f_matmul(&rows.f_tr()?)?;
        let mut table = table.f_mul_scalar_(-2.0)?.f_add_(&squares)?.f_add_(&squares.f_tr()?)?.f_clamp_min_(0.0)?;
        let table = table.f_sqrt_()?.f_fill_diagonal_(0.0, false)?;
        let mut square = vec![0.0; count * count];
        table.f_copy_data(&mut square, count * count)?;
        Ok(Self { count, square, rows })
    }

    /// Distances of the i-th molecule to all of them.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.square[index * self.count..(index + 1) * self.count]
    }

    /// All molecules.
    pub fn all(&self) -> Vec<usize> {
        (0..self.count).collect()
    }

    /// The largest distance that the ranges of these molecules' features allow: `sqrt(sum of squared ranges)`.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn largest(&self, left: &[usize]) -> Result<f64, PluginError> {
        let index: Vec<i64> = left.iter().map(|index| *index as i64).collect();
        let rows = self.rows.f_index_select(0, &Tensor::f_from_slice(&index)?)?;
        let ranges = rows.f_amax(&[0_i64][..], false)?.f_subtract(&rows.f_amin(&[0_i64][..], false)?)?;
        Ok(ranges.f_norm()?.f_double_value(&[])?)
    }

    /// Distances of the molecules that are left, over the largest possible one, row by row; [`ZERO`] and less are 0.
    pub fn scaled(&self, left: &[usize], largest: f64) -> Vec<f64> {
        let scale = |distance: f64| if distance <= ZERO * largest { 0.0 } else { distance / largest };
        left.iter().flat_map(|row| left.iter().map(|column| scale(self.row(*row)[*column]))).collect()
    }
}
