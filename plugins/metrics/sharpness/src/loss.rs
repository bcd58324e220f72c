//! Mean losses that are finite, and rises that the number format resolves.

use clmbench_sdk::prelude::*;

/// Mean loss per predicted token of a sample, the weights moved by `delta`.
///
/// # Errors
/// [`PluginError::Input`] without a token to predict; [`PluginError::NonFinite`].
pub fn mean_loss(probe: &Probe<'_>, sample: Sample, delta: Option<&Tensor>) -> Result<f64, PluginError> {
    mean_of(&probe.loss(sample, delta)?, sample, delta.is_some())
}

/// The mean of losses that are there, `moved` or at the weights themselves.
///
/// # Errors
/// As [`mean_loss`].
pub fn mean_of(rows: &LossRows, sample: Sample, moved: bool) -> Result<f64, PluginError> {
    let (first, end) = (sample.start, sample.start + sample.count);
    let tokens = rows.tokens.iter().sum::<f64>();
    if tokens == 0.0 {
        let text =
            format!("no token to predict in molecules {first} to {end} of the sample; take more molecules or a larger batch");
        return Err(PluginError::Input(text));
    }
    let mean = rows.nll.iter().sum::<f64>() / tokens;
    if mean.is_finite() {
        return Ok(mean);
    }
    let text = if moved {
        format!("the loss of molecules {first} to {end} is {mean} where the weights have moved; take a smaller radius")
    } else {
        format!("the loss of molecules {first} to {end} is {mean}: the checkpoint has diverged")
    };
    Err(PluginError::NonFinite(text))
}

/// The smallest rise that losses of this size resolve: four units in the last place of `1 + loss`.
pub fn resolution(kind: Kind, loss: f64) -> f64 {
    let unit = if kind == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) };
    4.0 * unit * (1.0 + loss.abs())
}

/// Refuses a rise that rounding could have made. It is not enlarged: a value with another radius is another metric.
///
/// # Errors
/// [`PluginError::Input`].
pub fn resolved(kind: Kind, loss: f64, rise: f64) -> Result<(), PluginError> {
    let least = resolution(kind, loss);
    if rise >= least {
        return Ok(());
    }
    let text = format!(
        "the loss rises by {rise:.1e} nats/token, less than losses in this number format resolve ({least:.1e}); take a larger radius"
    );
    Err(PluginError::Input(text))
}
