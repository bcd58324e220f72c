//! What both linear probes share: standardised features (training mean 0 and standard deviation 1), and which strengths are possible.

use clmbench_protocol::{Failure, FailureKind};
use tch::{Kind, Tensor};

use crate::failure::{OrFail, Result};

/// Refuses strengths at which a fit need not exist.
///
/// # Errors
/// [`FailureKind::BadInput`] for a strength that is not above 0.
pub fn check_strengths(strengths: &[f64]) -> Result<()> {
    let Some(strength) = strengths.iter().find(|strength| !(strength.is_finite() && **strength > 0.0)) else { return Ok(()) };
    let text =
        format!("strength {strength} of the probe is not above 0; at 0 constant features and separable classes have no fit");
    Err(Failure::new(FailureKind::BadInput, text))
}

/// Mean [1, D] and reciprocal standard deviation [1, D] (0 for constant features) of a training set, f64.
#[derive(Debug)]
pub struct Standard {
    mean: Tensor,
    scale: Tensor,
}

impl Standard {
    /// Of features [N, D], f64.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn of(features: &Tensor) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        let mean = features.f_mean_dim(&[0_i64][..], true, Kind::Double).or_fail()?;
        let centred = features.f_sub(&mean).or_fail()?;
        let spread = centred.f_square().or_fail()?.f_mean_dim(&[0_i64][..], true, Kind::Double).or_fail()?.sqrt();
        // Embeddings are float32: a dimension that varies by rounding only is constant.
        let constant = spread.le_tensor(&((mean.abs() + 1e-3) * 1e-6));
        let scale = spread.reciprocal().f_masked_fill(&constant, 0.0).or_fail()?;
        Ok(Self { mean, scale })
    }

    /// Features [M, D] in this standard; constant ones are 0.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn apply(&self, features: &Tensor) -> Result<Tensor> {
        let _guard = tch::no_grad_guard();
        features.f_sub(&self.mean).or_fail()?.f_mul(&self.scale).or_fail()
    }
}
