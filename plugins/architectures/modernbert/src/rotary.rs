//! Rotary positions: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding" (arXiv:2104.09864),
//! equation 34, with the two halves of a head paired.

use clmbench_sdk::prelude::*;

/// Cosines and sines of the angles of every position, laid out as the rows of `Wqkv` are: all heads of the queries, of the
/// keys, of the values. Values are turned by nothing (cosine 1, sine 0), so that one pass over contiguous memory does all.
pub struct Rotary {
    /// [L, 3 D].
    cosines: Tensor,
    /// The same of the sines, negative for the first of each pair.
    sines: Tensor,
    half: i64,
}

impl Rotary {
    /// For positions 0 to `length` - 1 with frequencies `base^(-2 i / head_width)`; computed in this kind.
    pub fn new(length: i64, heads: i64, head_width: i64, base: f64, (kind, device): (Kind, Device)) -> Result<Self, PluginError> {
        // In float32 rounded as the checkpoints that people have were trained: the power, then its reciprocal.
        let exponents = Tensor::f_arange_start_step(0, head_width, 2, (kind, device))?.f_div_scalar(head_width)?;
        let frequencies = Tensor::f_pow_scalar(base, &exponents)?.f_reciprocal()?;
        let angles = Tensor::f_arange(length, (kind, device))?.f_outer(&frequencies)?; // [L, head_width / 2]
        let (cosine, sine) = (angles.f_cos()?, angles.f_sin()?);
        let row = |first: &Tensor, second: &Tensor, rest: &Tensor| -> Result<Tensor, PluginError> {
            let turned = Tensor::f_cat(&[first, second], 1)?.f_repeat([1, 2 * heads])?;
            Ok(Tensor::f_cat(&[turned, rest.f_repeat([1, 2 * heads])?], 1)?)
        };
        let cosines = row(&cosine, &cosine, &cosine.f_ones_like()?)?;
        let sines = row(&sine.f_neg()?, &sine, &sine.f_zeros_like()?)?;
        Ok(Self { cosines, sines, half: head_width / 2 })
    }

    /// Turns each pair (i, i + head_width / 2) of every query and key by the angle of its position. `all` [B, L, 3 D].
    pub fn turn(&self, all: &Tensor) -> Result<Tensor, PluginError> {
        let (batch, length, _) = all.size3()?;
        let partners = all.f_view([batch, length, -1, 2, self.half])?.f_flip([3])?.f_view_as(all)?;
        Ok(all.f_mul(&self.cosines)?.f_addcmul(&partners, &self.sines)?.f_to_kind(all.kind())?)
    }
}
