//! Principal components.

use clmbench_sdk::prelude::*;

use crate::{linear::numbers, problem};

/// Scores of molecules on the leading principal components.
pub struct Components {
    /// Scores [N, K], centred, by falling variance.
    pub scores: Tensor,
    /// Variance of each component (over N).
    pub variances: Vec<f64>,
    /// Variance of all components of the features together.
    pub total: f64,
}

/// The leading `most` principal components of features [N, D]; fewer where there are no more than rounding leaves.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn components(features: &Tensor, most: usize) -> Result<Components, PluginError> {
    let features = problem::centred(features)?;
    let count = features.size()[0] as f64;
    let gram = features.f_transpose(0, 1)?.f_mm(&features)?.f_div_scalar(count)?;
    let (values, vectors) = gram.f_linalg_eigh("L")?;
    let values = numbers(&values.f_flip([0])?)?;
    let largest = values.first().copied().unwrap_or(0.0);
    let kept = values.iter().take(most).take_while(|value| **value > 1e-12 * largest).count();
    let vectors = vectors.f_flip([1])?.f_narrow(1, 0, kept as i64)?;
    let total = values.iter().map(|value| value.max(0.0)).sum();
    Ok(Components { scores: features.f_mm(&vectors)?, variances: values[..kept].to_vec(), total })
}
