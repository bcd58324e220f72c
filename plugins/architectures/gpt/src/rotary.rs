//! Rotary positions: Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding" (arXiv:2104.09864),
//! equation 34, with the two halves of a head (or of its turned part) paired as GPT-NeoX does.

use clmbench_sdk::prelude::*;

use crate::Config;

/// Base of the frequencies `base^(-2 i / turned)`, as in the paper.
pub const BASE: f64 = 10_000.0;

/// Cosines and sines of the angles of every position, laid out as the rows of `query_key_value` are: by head, within a head
/// query, key, value. Values are turned by nothing (cosine 1, sine 0), so that one pass over contiguous memory does all.
pub struct Rotary {
    /// [L, 3 D], float32.
    cosines: Tensor,
    /// The same of the sines, negative for the first of each pair.
    sines: Tensor,
    head_width: i64,
    /// Width of the part of each head that is turned; even.
    turned: i64,
}

impl Rotary {
    /// For positions 0 to `length` - 1, on this device.
    pub fn new(length: i64, config: &Config, device: Device) -> Result<Self, PluginError> {
        let (head_width, turned, options) = (config.head_width, config.turned(), (Kind::Float, device));
        let frequencies = match config.rotary_base {
            None => (Tensor::f_arange(turned / 2, options)? * (-2.0 * BASE.ln() / turned as f64)).f_exp()?,
            // Step by step as `transformers` does it, so that the frequencies are the same to the last bit; the other formula differs
            // by up to one part in two million, and runs of our own keep the values that they have had.
            Some(base) => {
                let exponents = Tensor::f_arange_start_step(0, turned, 2, options)?.f_div_scalar(turned)?;
                Tensor::f_pow_scalar(base, &exponents)?.f_reciprocal()?
            }
        };
        let angles = Tensor::f_arange(length, options)?.f_outer(&frequencies)?; // [L, turned / 2]
        let (cosine, sine) = (angles.f_cos()?, angles.f_sin()?);
        let kept = [length, head_width - turned];
        let (one, zero) = (Tensor::f_ones(kept, options)?, Tensor::f_zeros(kept, options)?);
        let values = [length, head_width];
        let for_all_heads = |first: &Tensor, second: &Tensor, rest: &Tensor, values: &Tensor| {
            Tensor::f_cat(&[first, second, rest, first, second, rest, values], 1)?.f_repeat([1, config.width / head_width])
        };
        let cosines = for_all_heads(&cosine, &cosine, &one, &Tensor::f_ones(values, options)?)?;
        let sines = for_all_heads(&sine.f_neg()?, &sine, &zero, &Tensor::f_zeros(values, options)?)?;
        Ok(Self { cosines, sines, head_width, turned })
    }

    /// Turns each pair (i, i + turned / 2) of every query and key by the angle of its position. `all` [B, L, 3 D].
    pub fn turn(&self, all: &Tensor) -> Result<Tensor, PluginError> {
        let (batch, length, _) = all.size3()?;
        let half = self.turned / 2;
        let partners = if self.turned == self.head_width {
            all.f_view([batch, length, -1, 2, half])?.f_flip([3])?
        } else {
            let parts = all.f_view([batch, length, -1, self.head_width])?;
            let part = |start, width| parts.f_narrow(3, start, width);
            Tensor::f_cat(&[part(half, half)?, part(0, half)?, part(self.turned, self.head_width - self.turned)?], 3)?
        };
        let partners = partners.f_view_as(all)?;
        Ok(all.f_mul(&self.cosines)?.f_addcmul(&partners, &self.sines)?.f_to_kind(all.kind())?)
    }
}
