//! Lanczos' method with full re-orthogonalisation.

use clmbench_sdk::prelude::*;

use crate::{draws::dot, operator::Operator};

/// k steps from a start vector: orthonormal q_1 .. q_k with `Q H Q^T = T` tridiagonal (Lanczos 1950; Golub & Van Loan, section 10.1).
pub struct Lanczos {
    /// Room for the basis [most, P]; the first k rows are used.
    rows: Tensor,
    /// Diagonal of T.
    alphas: Vec<f64>,
    /// What couples each step to the next; the last one is the length of what is left after step k.
    betas: Vec<f64>,
    /// Whether nothing is left: the basis is invariant and its Ritz values are eigenvalues.
    pub exhausted: bool,
    next: Tensor,
}

/// Eigenvalues of T, the Ritz values, in ascending order.
#[derive(Debug)]
pub struct Ritz {
    /// Ritz values θ.
    pub values: Vec<f64>,
    /// First component of each eigenvector of T: their squares are the weights of Gauss quadrature.
    pub first: Vec<f64>,
    /// Bounds `|β_k s_k|`: within this distance of θ lies an eigenvalue (Parlett 1980, section 13.2).
    pub bounds: Vec<f64>,
    /// Eigenvectors of T in columns [k, k], f64.
    vectors: Tensor,
}

impl Lanczos {
    /// No step yet; `start` [P] is not zero.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(start: &Tensor, most: u64) -> Result<Self, PluginError> {
        let rows = Tensor::f_zeros([most as i64, start.numel() as i64], (start.kind(), start.device()))?;
        let next = start.f_div_scalar(dot(start, start)?.sqrt())?;
        Ok(Self { rows, alphas: Vec::new(), betas: Vec::new(), exhausted: false, next })
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.alphas.len()
    }

    /// The basis [k, P].
    fn basis(&self) -> Result<Tensor, PluginError> {
        Ok(self.rows.f_narrow(0, 0, self.steps() as i64)?)
    }

    /// One product; `false` where there is no room, or nothing left to go on with.
    ///
    /// # Errors
    /// Whatever the operator refuses.
    pub fn step(&mut self, operator: &Operator<'_, '_>) -> Result<bool, PluginError> {
        let at = self.steps() as i64;
        if self.exhausted || at == self.rows.size()[0] {
            return Ok(false);
        }
        self.rows.f_select(0, at)?.f_copy_(&self.next)?;
        let mut left = operator.times(&self.next)?;
        self.alphas.push(dot(&left, &self.next)?);
        // Twice is enough (Parlett 1980, section 6.9).
        let basis = self.basis()?;
        for _ in 0..2 {
            left -= basis.f_transpose(0, 1)?.f_mv(&basis.f_mv(&left)?)?;
        }
        let beta = dot(&left, &left)?.sqrt();
        self.betas.push(beta);
        let size = self.alphas.iter().zip(&self.betas).map(|(alpha, beta)| alpha.abs() + beta).fold(0.0, f64::max);
        let rounding = if left.kind() == Kind::Double { 1e-12 } else { 1e-6 };
        self.exhausted = self.steps() == left.numel() || beta <= rounding * size;
        if !self.exhausted {
            self.next = left.f_div_scalar(beta)?;
        }
        Ok(true)
    }

    /// Eigenvalues and vectors of T.
    ///
    /// # Errors
    /// Whatever LAPACK refuses.
    pub fn ritz(&self) -> Result<Ritz, PluginError> {
        let (k, last) = (self.steps(), self.betas.last().copied().unwrap_or(0.0));
        let mut matrix = vec![0.0; k * k];
        for (index, alpha) in self.alphas.iter().enumerate() {
            matrix[index * k + index] = *alpha;
        }
        for (index, beta) in self.betas.iter().take(k.saturating_sub(1)).enumerate() {
            matrix[index * k + index + 1] = *beta;
            matrix[(index + 1) * k + index] = *beta;
        }
        let matrix = Tensor::f_from_slice(&matrix)?.f_view([k as i64, k as i64])?;
        let (values, vectors) = matrix.f_linalg_eigh("L")?;
        let row =
            |index: i64| -> Result<Vec<f64>, PluginError> { Ok(Vec::try_from(vectors.f_select(0, index)?.f_contiguous()?)?) };
        let bounds = row(k as i64 - 1)?.iter().map(|last_of| (last * last_of).abs()).collect();
        Ok(Ritz { values: Vec::try_from(values)?, first: row(0)?, bounds, vectors })
    }

    /// The Ritz vector [P] of the index-th Ritz value.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn vector(&self, ritz: &Ritz, index: usize) -> Result<Tensor, PluginError> {
        let column = ritz.vectors.f_select(1, index as i64)?;
        self.combine(&column)
    }

    /// `f(H) q_1` for a function given by its values at the Ritz values.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn applied(&self, ritz: &Ritz, function: &[f64]) -> Result<Tensor, PluginError> {
        let weighted: Vec<f64> = function.iter().zip(&ritz.first).map(|(value, first)| value * first).collect();
        self.combine(&ritz.vectors.f_mv(&Tensor::f_from_slice(&weighted)?)?)
    }

    fn combine(&self, coefficients: &Tensor) -> Result<Tensor, PluginError> {
        let coefficients = coefficients.f_to_kind(self.rows.kind())?;
        Ok(self.basis()?.f_transpose(0, 1)?.f_mv(&coefficients)?)
    }
}
