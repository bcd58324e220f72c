//! Rotary positions: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding" (arXiv:2104.09864),
//! equation 34, with the two halves of a head paired.

use clmbench_sdk::prelude::*;

/// Base of the frequencies `base^(-2 i / head_width)`, as in the paper.
const BASE: f64 = 10_000.0;

/// Cosines and sines of the angles of every position.
pub struct Rotary {
    /// [L, head_width].
    cosines: Tensor,
    sines: Tensor,
}

impl Rotary {
    /// For positions 0 to `length` - 1: in float64 for a model in float64, else in float32.
    pub fn new(length: i64, head_width: i64, kind: Kind, device: Device) -> Result<Self, PluginError> {
        let options = (if kind == Kind::Double { Kind::Double } else { Kind::Float }, device);
        // Step by step as PyTorch does it, so that the frequencies are the same to the last bit.
        let exponents = Tensor::f_arange_start_step(0, head_width, 2, options)?.f_div_scalar(head_width)?;
        let frequencies = Tensor::f_pow_scalar(BASE, &exponents)?.f_reciprocal()?; // [head_width / 2]
        let angles = Tensor::f_arange(length, options)?.f_outer(&frequencies)?;
        let angles = Tensor::f_cat(&[&angles, &angles], 1)?;
        Ok(Self { cosines: angles.f_cos()?, sines: angles.f_sin()? })
    }

    /// Turns each pair (i, i + head_width / 2) by the angle of its position. `heads` [B, heads, L, head_width].
    pub fn turn(&self, heads: &Tensor) -> Result<Tensor, PluginError> {
        let parts = heads.f_chunk(2, -1)?;
        let [first, second] = &parts[..] else { return Err(PluginError::Shape("a head has no two halves".into())) };
        let partners = Tensor::f_cat(&[second.f_neg()?, first.shallow_clone()], -1)?;
        Ok(heads.f_mul(&self.cosines)?.f_addcmul(&partners, &self.sines)?.f_to_kind(heads.kind())?)
    }
}
