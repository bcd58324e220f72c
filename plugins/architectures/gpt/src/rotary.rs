//! Rotary positions: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding" (arXiv:2104.09864),
//! equation 34, with the two halves of a head paired as GPT-NeoX does.

use clmbench_sdk::prelude::*;

/// Base of the frequencies `base^(-2 i / head_width)`, as in the paper.
pub const BASE: f64 = 10_000.0;

/// Cosines and sines of the angles of every position, each [L, 1, 1, head_width / 2] in float32.
pub struct Rotary {
    cosines: Tensor,
    sines: Tensor,
}

impl Rotary {
    /// For positions 0 to `length` - 1, on this device.
    pub fn new(length: i64, head_width: i64, device: Device) -> Result<Self, PluginError> {
        let steps = Tensor::f_arange(head_width / 2, (Kind::Float, device))? * (-2.0 * BASE.ln() / head_width as f64);
        let frequencies = steps.f_exp()?;
        let positions = Tensor::f_arange(length, (Kind::Float, device))?;
        let angles = positions.f_outer(&frequencies)?.f_view([length, 1, 1, head_width / 2])?;
        Ok(Self { cosines: angles.f_cos()?, sines: angles.f_sin()? })
    }

    /// Turns each pair (i, i + head_width / 2) of the last dimension by the angle of its position. `heads` [B, L, *, *, head_width].
    pub fn turn(&self, heads: &Tensor) -> Result<Tensor, PluginError> {
        let half = heads.size().last().copied().unwrap_or(0) / 2;
        let (first, second) = (heads.f_narrow(-1, 0, half)?, heads.f_narrow(-1, half, half)?);
        let left = first.f_mul(&self.cosines)? - second.f_mul(&self.sines)?;
        let right = second.f_mul(&self.cosines)? + first.f_mul(&self.sines)?;
        Ok(Tensor::f_cat(&[left, right], -1)?)
    }
}
