//! A plain training loop over the molecules of a folder: for the bundled checkpoints, and for architectures that are tried.

use std::path::Path;

use clmbench_molecules::TokenCache;
use clmbench_protocol::Objective;
use tch::{Kind, Reduction};

use crate::{
    batching::{self, TargetBatch, Targets},
    descent::{clipped_step, own_gradients},
    failure::{OrFail, Result},
    masking::MaskKey,
    model::Model,
    optimizer::AdamW,
    order,
};

/// Steps of the bundled checkpoints.
pub const STEPS: usize = 400;
/// Molecules a step.
const BATCH: usize = 32;
/// Peak learning rate of the bundled checkpoints.
pub const RATE: f64 = 1e-2;
/// Tokens of a molecule, about.
const MOLECULE: u64 = 17;

/// Tokens that the bundled checkpoints were trained on, about.
pub fn tokens() -> u64 {
    STEPS as u64 * BATCH as u64 * MOLECULE
}

/// Trains a model on `train.bin` of a folder and returns the loss of each step, in nats per predicted token. The rate rises over a
/// tenth of the steps and falls to zero over the last half, along a line.
///
/// # Errors
/// Whatever the model or libtorch refuses.
pub fn train(model: &Model, objective: Objective, folder: &Path, steps: usize, rate: f64) -> Result<Vec<f64>> {
    let cache = TokenCache::open(&folder.join("train.bin")).or_fail()?;
    let targets = Targets::new(objective, 0.15, cache.vocabulary_size() as u64, &model.vocabulary.special)?;
    let lengths: Vec<usize> = cache.iter().map(<[u16]>::len).collect();
    let mut optimizer = AdamW::new(model.tensors(), (0.9, 0.98), 0.01);
    let mut losses = Vec::with_capacity(steps);
    let mut epoch = 0;
    while losses.len() < steps {
        for molecules in order::epoch(&lengths, BATCH, 5, epoch) {
            if losses.len() == steps {
                break;
            }
            let step = losses.len() as f64 / steps as f64;
            let batch = batching::with_targets(&cache, &molecules, &targets, MaskKey { seed: 3, draw: epoch }, model.device());
            if batch.predicted() > 0 {
                losses.push(one_step(model, &batch, &mut optimizer, rate * (step * 10.0 + 0.01).min(2.0 - 2.0 * step).min(1.0))?);
            }
        }
        epoch += 1;
    }
    Ok(losses)
}

fn one_step(model: &Model, batch: &TargetBatch, optimizer: &mut AdamW, rate: f64) -> Result<f64> {
    let loss = loss(model, batch)?;
    let gradients = own_gradients(&loss, &model.tensors())?;
    clipped_step(optimizer, &gradients, 1.0, rate)?;
    loss.f_double_value(&[]).or_fail()
}

/// Mean loss over the predicted tokens of a batch, in nats.
///
/// # Errors
/// Whatever the model or libtorch refuses.
pub fn loss(model: &Model, batch: &TargetBatch) -> Result<tch::Tensor> {
    let hidden = model.hidden(&batch.shown.ids, &batch.shown.mask, clmbench_api::AttentionMode::Fast)?;
    let logits = model.logits(&hidden, &batch.positions)?.f_to_kind(Kind::Float).or_fail()?;
    logits.f_cross_entropy_loss(&batch.targets, None::<tch::Tensor>, Reduction::Mean, -100, 0.0).or_fail()
}
