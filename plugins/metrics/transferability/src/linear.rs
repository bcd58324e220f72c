//! Symmetric matrices in float64: what the scores need of linear algebra.

use clmbench_sdk::prelude::*;

/// A Cholesky factor of a positive definite matrix.
pub struct Cholesky(Tensor);

impl Cholesky {
    /// Of a symmetric positive definite matrix [D, D].
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is not positive definite.
    pub fn new(matrix: &Tensor, what: &str) -> Result<Self, PluginError> {
        let (factor, info) = matrix.f_linalg_cholesky_ex(false, false)?;
        if i64::try_from(info)? != 0 {
            let text = format!("{what} is singular to rounding; embeddings have too few independent directions for this score");
            return Err(PluginError::Input(text));
        }
        Ok(Self(factor))
    }

    /// Log determinant of the matrix.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn log_determinant(&self) -> Result<f64, PluginError> {
        Ok(2.0 * number(&self.0.f_diag(0)?.f_log()?.f_sum(Kind::Double)?)?)
    }

    /// Solution [D, K] of `matrix X = right` [D, K].
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn solve(&self, right: &Tensor) -> Result<Tensor, PluginError> {
        Ok(right.f_cholesky_solve(&self.0, false)?)
    }
}

/// Identity [D, D].
///
/// # Errors
/// Whatever libtorch refuses.
pub fn identity(width: i64) -> Result<Tensor, PluginError> {
    Ok(Tensor::f_eye(width, (Kind::Double, Device::Cpu))?)
}

/// A tensor of one number.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn number(tensor: &Tensor) -> Result<f64, PluginError> {
    Ok(f64::try_from(tensor)?)
}

/// Numbers of a tensor, row by row.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn numbers(tensor: &Tensor) -> Result<Vec<f64>, PluginError> {
    Ok(Vec::<f64>::try_from(tensor.f_to_kind(Kind::Double)?.f_flatten(0, -1)?.f_contiguous()?)?)
}

/// Sum over one dimension.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn sum(tensor: &Tensor, dimension: i64) -> Result<Tensor, PluginError> {
    Ok(tensor.f_sum_dim_intlist(&[dimension][..], false, Kind::Double)?)
}

/// Sum over one dimension, in the tensor's own number format.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn sum_in(tensor: &Tensor, dimension: i64) -> Result<Tensor, PluginError> {
    Ok(tensor.f_sum_dim_intlist(&[dimension][..], false, tensor.kind())?)
}
