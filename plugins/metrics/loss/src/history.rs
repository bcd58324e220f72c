//! Weighted means of the training losses of a run, and how noisy they are.

use clmbench_sdk::prelude::*;

/// Steps that a mean needs for an error.
const LEAST: usize = 16;
/// Blocks that the noise is estimated from.
const BLOCKS: usize = 64;

/// The training losses of a run, one a step.
pub struct History(Vec<f64>);

impl History {
    /// Reads them.
    ///
    /// # Errors
    /// [`PluginError::NonFinite`] naming the step whose loss is not finite; [`PluginError::Input`] below [`LEAST`] steps.
    pub fn read(probe: &Probe<'_>) -> Result<Self, PluginError> {
        let losses = probe.history()?;
        if let Some(step) = losses.iter().position(|loss| !loss.is_finite()) {
            return Err(PluginError::NonFinite(format!("the training loss of step {} is {}", step + 1, losses[step])));
        }
        enough(losses.len(), "the run")?;
        Ok(Self(losses))
    }

    /// The losses of all steps.
    pub fn all(&self) -> &[f64] {
        &self.0
    }

    /// The last share of the steps, rounded up.
    ///
    /// # Errors
    /// [`PluginError::Input`] below [`LEAST`] steps.
    pub fn last(&self, share: f64) -> Result<&[f64], PluginError> {
        let count = ((share * self.0.len() as f64 - 1e-9).ceil().max(0.0) as usize).min(self.0.len());
        enough(count, &format!("the last {share} of the run's {} steps", self.0.len()))?;
        Ok(&self.0[self.0.len() - count..])
    }
}

fn enough(steps: usize, what: &str) -> Result<(), PluginError> {
    if steps >= LEAST {
        return Ok(());
    }
    let text = format!("{what} holds {steps} training steps; at least {LEAST} are needed for an error: train for more tokens");
    Err(PluginError::Input(text))
}

/// Mean of losses and its standard error.
pub fn mean(losses: &[f64]) -> (f64, f64) {
    let count = losses.len() as f64;
    (losses.iter().sum::<f64>() / count, (noise(losses) / count).sqrt())
}

/// Mean with weights that fall by `gamma` from each step to the one before it, its standard error, and the sum of the weights. The
/// noise is that of the steps that carry 95 % of the weight.
pub fn exponential_mean(losses: &[f64], gamma: f64) -> (f64, f64, f64) {
    let (mut weight, mut weights, mut squares, mut sum) = (1.0, 0.0, 0.0, 0.0);
    for loss in losses.iter().rev() {
        sum += weight * loss;
        weights += weight;
        squares += weight * weight;
        weight *= gamma;
    }
    let memory = ((3.0 / (1.0 - gamma)).ceil() as usize).clamp(LEAST, losses.len());
    let noise = noise(&losses[losses.len() - memory..]);
    (sum / weights, (noise * squares).sqrt() / weights, weights)
}

/// Variance that a step's loss contributes to a mean, correlations within a block counted.
///
/// From second differences of the means x of contiguous blocks of b steps (up to [`BLOCKS`] of them): `b mean((x_- - 2 x + x_+)^2) / 6`.
/// A jackknife over the blocks would take the fall of the loss for noise; second differences leave a straight fall out.
fn noise(losses: &[f64]) -> f64 {
    let size = losses.len().div_ceil(BLOCKS);
    let skipped = losses.len() % size;
    let means: Vec<f64> = losses[skipped..].chunks(size).map(|block| block.iter().sum::<f64>() / size as f64).collect();
    let bends = means.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).powi(2));
    size as f64 * bends.sum::<f64>() / 6.0 / (means.len() as f64 - 2.0)
}
