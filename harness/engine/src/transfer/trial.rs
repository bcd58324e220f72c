//! One training of all weights at one learning rate.

use clmbench_molecules::TokenCache;
use clmbench_protocol::{FinetuneProtocol, FinetuneTrial, Number};
use tch::{Kind, Tensor};

use super::{head::Head, sketch::Sketch, targets::Targets};
use crate::{
    batching,
    descent::{clipped_step, number_format, own_gradients},
    embed::{self, mean_pool},
    failure::{OrFail, Result},
    model::Model,
    optimizer::AdamW,
    order,
    report::Reporter,
};

/// What every trial of a cell shares.
pub struct Setup<'a> {
    /// The model; its weights are put back to `start` before a trial.
    pub model: &'a Model,
    /// Weights of the checkpoint, in the order of the model's parameters.
    pub start: Vec<Tensor>,
    /// Tokens of the dataset's molecules.
    pub cache: &'a TokenCache,
    /// Labels of training and validation molecules.
    pub targets: &'a Targets,
    /// Everything else.
    pub protocol: &'a FinetuneProtocol,
    /// Width D of the hidden states.
    pub width: i64,
    /// How displacements are kept, if they are.
    pub sketch: Option<Sketch>,
    /// For whoever watches.
    pub reporter: &'a Reporter,
}

/// A finished trial.
#[derive(Debug)]
pub struct Trial {
    /// What is stored of it.
    pub record: FinetuneTrial,
    /// The epoch with the best validation loss; none before the first.
    pub best: Option<Best>,
    /// Sketch [4096] of the displacement at the start (zero) and after each epoch, where they are kept.
    pub sketches: Vec<Vec<f32>>,
    /// Of each parameter of the model, whether the loss depends on it.
    pub moved: Vec<bool>,
}

/// The state of a trial after its best epoch.
#[derive(Debug)]
pub struct Best {
    /// Epoch, from 1.
    pub epoch: u32,
    /// Validation loss.
    pub loss: f64,
    /// Weights of the model, then of the head: weight, bias.
    pub weights: Vec<Tensor>,
}

/// Learning rate of a step (from 0) among `total`: linear warm-up over the first `warmup` steps, then linear to zero.
pub fn rate(peak: f64, step: u64, warmup: u64, total: u64) -> f64 {
    if step < warmup {
        return peak * (step + 1) as f64 / warmup as f64;
    }
    peak * total.saturating_sub(step) as f64 / (total - warmup).max(1) as f64
}

/// Copies of tensors.
fn copies(tensors: &[Tensor]) -> Vec<Tensor> {
    let _guard = tch::no_grad_guard();
    tensors.iter().map(|tensor| tensor.detach().copy()).collect()
}

/// Puts values back into tensors, in place.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn restore(tensors: &[Tensor], values: &[Tensor]) -> Result<()> {
    let _guard = tch::no_grad_guard();
    for (tensor, value) in tensors.iter().zip(values) {
        tensor.shallow_clone().f_copy_(value).or_fail()?;
    }
    Ok(())
}

/// Outputs [N, T] on the CPU for molecules of the dataset, in batches of at most this many tokens.
///
/// # Errors
/// What the model refuses.
pub fn outputs(setup: &Setup<'_>, head: &Head, molecules: &[u32], tokens: usize) -> Result<Tensor> {
    let _guard = tch::no_grad_guard();
    let pooled = embed::pooled_in_batches(setup.model, setup.cache, molecules, tokens, &Reporter::silent())?;
    head.outputs(&pooled.to_device(setup.model.device()))?.f_to_device(tch::Device::Cpu).or_fail()
}

struct Run<'a> {
    setup: &'a Setup<'a>,
    head: Head,
    /// Weights of the model, then of the head.
    weights: Vec<Tensor>,
    optimizer: AdamW,
    trial: Trial,
}

impl<'a> Setup<'a> {
    /// Trains at this peak rate from the checkpoint. `done` trials of `all` were before, for progress.
    ///
    /// # Errors
    /// Whatever the model or libtorch refuses. A loss that is not finite is no error: the record says so.
    pub fn train(&'a self, peak: f64, (done, all): (usize, usize)) -> Result<Trial> {
        restore(&self.model.tensors(), &self.start)?;
        let head = Head::new(self.width, self.targets.tasks() as i64, self.protocol.seed, self.model.device())?;
        let mut weights = self.model.tensors();
        weights.extend([head.weight.shallow_clone(), head.bias.shallow_clone()]);
        let betas = (self.protocol.betas.0.0, self.protocol.betas.1.0);
        // The optimiser's handles are its own: it keeps moments for every parameter and leaves those without gradient alone.
        let handles = weights.iter().map(Tensor::shallow_clone).collect();
        let optimizer = AdamW::new(handles, betas, self.protocol.weight_decay.0);
        let record = FinetuneTrial { learning_rate: Number(peak), validation: Vec::new(), training: Vec::new(), diverged: false };
        let sketches = self.sketch.iter().map(|_| vec![0.0; super::sketch::WIDTH]).collect();
        let trial = Trial { record, best: None, sketches, moved: vec![false; self.start.len()] };
        Run { setup: self, head, weights, optimizer, trial }.finish(peak, (done, all))
    }
}

impl Run<'_> {
    fn finish(mut self, peak: f64, (done, all): (usize, usize)) -> Result<Trial> {
        let setup = self.setup;
        let (protocol, train) = (setup.protocol, &setup.targets.train);
        let lengths: Vec<usize> = train.iter().map(|molecule| setup.cache.get(*molecule as usize).len()).collect();
        let batch = protocol.batch.max(1) as usize;
        let steps = lengths.len().div_ceil(batch) as u64;
        let total = steps * u64::from(protocol.epochs);
        let warmup = (protocol.warmup.0 * total as f64).round() as u64;
        let mut step = 0;
        for epoch in 1..=protocol.epochs {
            let (mut sum, mut entries) = (0.0, 0.0);
            for chosen in order::epoch(&lengths, batch, protocol.seed, u64::from(epoch)) {
                let molecules: Vec<u32> = chosen.iter().map(|index| train[*index as usize]).collect();
                let Some((loss, count)) = self.step(&molecules, rate(peak, step, warmup, total))? else {
                    self.trial.record.diverged = true;
                    return Ok(self.trial);
                };
                step += 1;
                sum += loss;
                entries += count;
                setup.reporter.report("finetune", done as u64 * total + step, all as u64 * total, "steps", || {
                    format!("rate {peak}, epoch {epoch}, loss {:.3}", sum / entries)
                });
            }
            self.trial.record.training.push(Number(sum / entries));
            let loss = self.validate()?;
            self.trial.record.validation.push(Number(loss));
            if !loss.is_finite() {
                self.trial.record.diverged = true;
                return Ok(self.trial);
            }
            if let Some(sketch) = &setup.sketch {
                let row = sketch.displacement(&setup.model.parameters, &setup.start, &self.trial.moved)?;
                self.trial.sketches.push(row);
            }
            let best = self.trial.best.as_ref();
            if best.is_none_or(|best| loss < best.loss) {
                self.trial.best = Some(Best { epoch, loss, weights: copies(&self.weights) });
            } else if protocol.patience > 0 && best.is_some_and(|best| epoch - best.epoch >= protocol.patience) {
                break;
            }
        }
        Ok(self.trial)
    }

    /// One optimiser step; the sum of the loss over the batch's labelled entries and their number. None when it diverged.
    fn step(&mut self, molecules: &[u32], rate: f64) -> Result<Option<(f64, f64)>> {
        let (loss, count) = self.loss(molecules)?;
        let sum = loss.f_double_value(&[]).or_fail()?;
        if !sum.is_finite() {
            return Ok(None);
        }
        let gradients = own_gradients(&loss.f_div_scalar(count.max(1.0)).or_fail()?, &self.weights)?;
        for (moved, gradient) in self.trial.moved.iter_mut().zip(&gradients) {
            *moved |= gradient.defined();
        }
        let norm = clipped_step(&mut self.optimizer, &gradients, self.setup.protocol.clip.0, rate)?;
        Ok(norm.is_finite().then_some((sum, count)))
    }

    /// Sum of the loss over the labelled entries of a batch, and their number.
    fn loss(&self, molecules: &[u32]) -> Result<(Tensor, f64)> {
        let model = self.setup.model;
        let batch = batching::plain(self.setup.cache, molecules, model.device());
        let hidden = {
            let (_guard, mode) = number_format(self.setup.protocol.precision)?;
            model.hidden(&batch.ids, &batch.mask, mode)?
        };
        let pooled = mean_pool(&hidden.f_to_kind(Kind::Float).or_fail()?, &batch.mask)?;
        self.setup.targets.loss(&self.head.outputs(&pooled)?, molecules)
    }

    /// Mean loss over the labelled entries of the validation molecules, in float32.
    fn validate(&self) -> Result<f64> {
        let _guard = tch::no_grad_guard();
        let molecules = &self.setup.targets.valid;
        let (sum, count) =
            self.setup.targets.loss(&outputs(self.setup, &self.head, molecules, embed::BATCH_TOKENS)?, molecules)?;
        Ok(sum.f_double_value(&[]).or_fail()? / count)
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn the_rate_warms_up_and_falls_to_zero() {
        let rates: Vec<f64> = (0..10).map(|step| rate(1.0, step, 2, 10)).collect();
        assert_eq!(rates[..3], [0.5, 1.0, 1.0]);
        assert!(rates.windows(2).skip(2).all(|pair| pair[1] < pair[0]));
        assert_eq!((rates[9], rate(1.0, 10, 2, 10)), (0.125, 0.0));
        assert_eq!((rate(3.0, 0, 0, 1), rate(3.0, 0, 1, 1)), (3.0, 3.0));
    }
}
