//! Rotary positions: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding" (arXiv:2104.09864),
//! equation 34, with the two halves of a head paired as GPT-NeoX does.

use clmbench_sdk::prelude::*;

/// Base of the frequencies `base^(-2 i / head_width)`, as in the paper.
pub const BASE: f64 = 10_000.0;

/// Cosines and sines of the angles of every position, laid out as the rows of `query_key_value` are: by head, within a head
/// query, key, value. Values are turned by nothing (cosine 1, sine 0), so that one pass over contiguous memory does all.
pub struct Rotary {
    /// [L, 3 D], float32.
    cosines: Tensor,
    /// The same of the sines, negative for the first of each pair.
    sines: Tensor,
    half: i64,
}

impl Rotary {
    /// For positions 0 to `length` - 1, on this device.
    pub fn new(length: i64, heads: i64, head_width: i64, device: Device) -> Result<Self, PluginError> {
        let (half, options) = (head_width / 2, (Kind::Float, device));
        let frequencies = (Tensor::f_arange(half, options)? * (-2.0 * BASE.ln() / head_width as f64)).f_exp()?;
        let angles = Tensor::f_arange(length, options)?.f_outer(&frequencies)?; // [L, half]
        let (cosine, sine) = (angles.f_cos()?, angles.f_sin()?);
        let (one, zero) = (cosine.ones_like(), cosine.zeros_like());
        let for_all_heads = |first: &Tensor, second: &Tensor, value: &Tensor| {
            Tensor::f_cat(&[first, second, first, second, value, value], 1)?.f_repeat([1, heads])
        };
        let cosines = for_all_heads(&cosine, &cosine, &one)?;
        let sines = for_all_heads(&sine.f_neg()?, &sine, &zero)?;
        Ok(Self { cosines, sines, half })
    }

    /// Turns each pair (i, i + head_width / 2) of every query and key by the angle of its position. `all` [B, L, 3 D].
    pub fn turn(&self, all: &Tensor) -> Result<Tensor, PluginError> {
        let (batch, length, _) = all.size3()?;
        let partners = all.f_view([batch, length, -1, 2, self.half])?.f_flip([3])?.f_view_as(all)?;
        Ok(all.f_mul(&self.cosines)?.f_addcmul(&partners, &self.sines)?.f_to_kind(all.kind())?)
    }
}
