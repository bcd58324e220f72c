//! A Gaussian mixture with diagonal covariances, by expectation maximisation from k-means clusters.

use clmbench_sdk::{prelude::*, random::Stream};

use crate::{
    clusters::Clusters,
    linear::{number, sum_in},
};

/// Iterations at most, and the change of the mean log likelihood at which they end.
const MOST: usize = 30;
const TOLERANCE: f64 = 1e-3;
/// Added to every variance, as a share of the mean variance of the points.
const FLOOR: f64 = 1e-3;

/// Posterior [N, Z] of the components of a mixture fitted to points [N, K], in the points' number format; the posterior is
/// float64.
///
/// # Errors
/// [`PluginError::NonFinite`] when the likelihood is not finite.
pub fn posterior(points: &Tensor, count: usize, stream: &mut Stream) -> Result<Tensor, PluginError> {
    let squares = points.f_square()?;
    let floor = FLOOR * number(&squares.f_mean(Kind::Double)?)?;
    let nearest = Clusters::new(points, count, stream)?.nearest;
    let mut shares = nearest.f_one_hot(count as i64)?.f_to_kind(points.kind())?;
    let mut before = f64::NEG_INFINITY;
    for _ in 0..MOST {
        let joint = joint(points, &squares, &shares, floor)?;
        let each = joint.f_logsumexp(&[1_i64][..], true)?;
        shares = joint.f_sub(&each)?.f_exp()?;
        let likelihood = number(&each.f_mean(Kind::Double)?)?;
        if !likelihood.is_finite() {
            return Err(PluginError::NonFinite(format!("the mixture's mean log likelihood is {likelihood}")));
        }
        if (likelihood - before).abs() < TOLERANCE {
            break;
        }
        before = likelihood;
    }
    Ok(shares.f_to_kind(Kind::Double)?)
}

/// Log of weight times density [N, Z], of the components that these shares [N, Z] make, but for a constant.
fn joint(points: &Tensor, squares: &Tensor, shares: &Tensor, floor: f64) -> Result<Tensor, PluginError> {
    let transposed = shares.f_transpose(0, 1)?;
    let sizes = sum_in(shares, 0)?.f_clamp_min(1e-12)?;
    let column = sizes.f_unsqueeze(1)?;
    let means = transposed.f_mm(points)?.f_div(&column)?;
    let variances = transposed.f_mm(squares)?.f_div(&column)?.f_sub(&means.f_square()?)?.f_clamp_min(0.0)?;
    let precisions = variances.f_add_scalar(floor)?.f_reciprocal()?;
    let scaled = means.f_mul(&precisions)?;
    let quadratic = squares.f_mm(&precisions.f_transpose(0, 1)?)?;
    let quadratic = quadratic.f_sub(&points.f_mm(&scaled.f_transpose(0, 1)?)?.f_mul_scalar(2.0)?)?;
    let constant = sum_in(&scaled.f_mul(&means)?, 1)?.f_sub(&sum_in(&precisions.f_log()?, 1)?)?;
    let weights = sizes.f_div_scalar(points.size()[0] as f64)?.f_log()?;
    Ok(quadratic.f_add(&constant)?.f_mul_scalar(-0.5)?.f_add(&weights)?)
}
