//! One optimiser step: forward and backward through the parts of a batch, clipping, AdamW.

use clmbench_protocol::{Precision, Pretrain};
use tch::{Kind, Reduction, Tensor};

use crate::{
    batching::TargetBatch,
    descent::{clipped_step, number_format, own_gradients},
    failure::{OrFail, Result},
    model::Model,
    optimizer::AdamW,
};

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The weights were changed; mean loss over the predicted tokens before, in nats.
    Done(f64),
    /// The loss is not finite, and is this; the weights are as they were.
    Loss(f64),
    /// The norm of the gradient is not finite, and is this; the weights are as they were.
    GradientNorm(f64),
}

/// A model that is trained.
pub struct Stepper<'a> {
    model: &'a Model,
    weights: Vec<Tensor>,
    /// The optimiser, whose state holds the weights too.
    pub optimizer: AdamW,
    clip: f64,
    precision: Precision,
}

impl<'a> Stepper<'a> {
    /// Trains this model as defined.
    pub fn new(model: &'a Model, spec: &Pretrain) -> Self {
        let optimizer = AdamW::new(model.tensors(), (spec.betas.0.0, spec.betas.1.0), spec.weight_decay.0);
        Self { model, weights: model.tensors(), optimizer, clip: spec.clip.0, precision: spec.precision }
    }

    /// One step on the parts of a batch, which hold at least one token to predict: their gradients are those of the sum over
    /// the predicted tokens of all parts, divided by the number of them, so that the parts weigh as they would in one piece.
    ///
    /// # Errors
    /// Whatever the model or libtorch refuses.
    pub fn step(&mut self, parts: &[TargetBatch], rate: f64) -> Result<Outcome> {
        let (loss, gradients) = self.gradients(parts)?;
        if !loss.is_finite() {
            return Ok(Outcome::Loss(loss));
        }
        let norm = clipped_step(&mut self.optimizer, &gradients, self.clip, rate)?;
        if !norm.is_finite() {
            return Ok(Outcome::GradientNorm(norm));
        }
        Ok(Outcome::Done(loss))
    }

    /// Mean loss over the predicted tokens of all parts, in nats, and its gradients in the order of the model's parameters
    /// (undefined where the loss does not depend on one). No two gradients share memory.
    ///
    /// # Errors
    /// Whatever the model or libtorch refuses.
    pub fn gradients(&self, parts: &[TargetBatch]) -> Result<(f64, Vec<Tensor>)> {
        let predicted = parts.iter().map(TargetBatch::predicted).sum::<usize>().max(1) as f64;
        let mut mean = 0.0;
        let mut sums: Vec<Tensor> = Vec::new();
        for part in parts.iter().filter(|part| part.predicted() > 0) {
            let loss = self.loss(part)?.f_div_scalar(predicted).or_fail()?;
            mean += loss.f_double_value(&[]).or_fail()?;
            let gradients = own_gradients(&loss, &self.weights)?;
            if sums.is_empty() {
                sums = gradients;
                continue;
            }
            let _guard = tch::no_grad_guard();
            for (sum, gradient) in sums.iter_mut().zip(gradients) {
                if !sum.defined() {
                    *sum = gradient;
                } else if gradient.defined() {
                    let _ = sum.f_add_(&gradient).or_fail()?;
                }
            }
        }
        Ok((mean, sums))
    }

    /// Sum of the loss over the predicted tokens of a part, in nats, in float32.
    fn loss(&self, part: &TargetBatch) -> Result<Tensor> {
        let (_guard, mode) = number_format(self.precision)?;
        let hidden = self.model.hidden(&part.shown.ids, &part.shown.mask, mode)?;
        let logits = self.model.logits(&hidden, &part.positions)?.f_to_kind(Kind::Float).or_fail()?;
        logits.f_cross_entropy_loss(&part.targets, None::<Tensor>, Reduction::Sum, -100, 0.0).or_fail()
    }
}

#[cfg(test)]
mod tests;
