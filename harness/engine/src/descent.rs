//! What the optimiser steps of pretraining and fine-tuning share: number format, gradients that may be changed, clipping.

use clmbench_api::AttentionMode;
use clmbench_protocol::Precision;
use clmbench_torch_ext::{Autocast, clip_gradients};
use tch::Tensor;

use crate::{
    failure::{OrFail, Result},
    model::backward,
    optimizer::AdamW,
};

/// Puts the forward pass into this number format while the guard lives, and says which attention goes with it.
///
/// The CPU's fused attention is slow in bfloat16, above all backward; matrix products are fast. The guard empties the cache of
/// cast weights when it goes, so that the next step casts the weights that this one changes.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn number_format(precision: Precision) -> Result<(Option<Autocast>, AttentionMode)> {
    Ok(match precision {
        Precision::Float32 => (None, AttentionMode::Fast),
        Precision::Bfloat16 => (Some(Autocast::enable().or_fail()?), AttentionMode::TwiceDifferentiable),
    })
}

/// Gradients of a scalar as [`backward`] gives them, but no two share memory, so that they may be changed in place: autograd
/// hands out one tensor for two parameters that are only added up, and expanded ones for sums.
///
/// # Errors
/// As [`backward`].
pub fn own_gradients(loss: &Tensor, weights: &[Tensor]) -> Result<Vec<Tensor>> {
    own(backward(loss, weights)?)
}

fn own(mut gradients: Vec<Tensor>) -> Result<Vec<Tensor>> {
    let _guard = tch::no_grad_guard();
    let mut seen = std::collections::HashSet::new();
    for gradient in gradients.iter_mut().filter(|gradient| gradient.defined()) {
        if !seen.insert(gradient.data_ptr()) || !gradient.is_contiguous() {
            let mut fresh = Tensor::f_zeros(gradient.size(), (gradient.kind(), gradient.device())).or_fail()?;
            fresh.f_copy_(gradient).or_fail()?;
            *gradient = fresh;
        }
    }
    Ok(gradients)
}

/// Clips the gradients and takes a step; returns their norm before. When it is not finite, the weights are left as they are.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn clipped_step(optimizer: &mut AdamW, gradients: &[Tensor], clip: f64, rate: f64) -> Result<f64> {
    let defined: Vec<Tensor> = gradients.iter().filter(|tensor| tensor.defined()).map(Tensor::shallow_clone).collect();
    let norm = {
        let _guard = tch::no_grad_guard();
        clip_gradients(&defined, clip).or_fail()?
    };
    if norm.is_finite() {
        optimizer.step(gradients, rate)?;
    }
    Ok(norm)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tch::Tensor;

    use super::own;

    #[test]
    fn gradients_that_share_memory_are_taken_apart() {
        let one = Tensor::from_slice(&[1.0_f32, 2.0]);
        let wide = Tensor::from_slice(&[3.0_f32]).expand([4], false);
        let owned = own(vec![one.shallow_clone(), one.shallow_clone(), wide, Tensor::new()]).unwrap();
        for gradient in &owned[..3] {
            let _ = gradient.shallow_clone().g_mul_scalar_(2.0);
        }
        let list = |tensor: &Tensor| Vec::<f32>::try_from(tensor).unwrap();
        assert_eq!((list(&owned[0]), list(&owned[1]), list(&owned[2])), (vec![2.0, 4.0], vec![2.0, 4.0], vec![6.0; 4]));
        assert!(!owned[3].defined());
    }
}
