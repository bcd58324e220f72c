//! Losses that are fit to be averaged, and values made of them with both errors.

use clmbench_sdk::prelude::*;

/// Losses of a sample at the weights or at `delta` beside them; `place` says where in an error.
///
/// # Errors
/// [`PluginError::NonFinite`] where a loss is not finite; [`PluginError::Input`] below two molecules with a predicted token.
pub fn rows(probe: &Probe<'_>, sample: Sample, delta: Option<&Tensor>, place: &str) -> Result<LossRows, PluginError> {
    let rows = probe.loss(sample, delta)?;
    if let Some(molecule) = rows.nll.iter().position(|nll| !nll.is_finite()) {
        let text = format!("the loss of molecule {molecule} {place} is {}", rows.nll[molecule]);
        return Err(PluginError::NonFinite(text));
    }
    let predicted = rows.tokens.iter().filter(|tokens| **tokens > 0.0).count();
    if predicted < 2 {
        let text =
            format!("{predicted} molecule(s) of the sample have a predicted token; at least 2 are needed: raise `molecules`");
        return Err(PluginError::Input(text));
    }
    Ok(rows)
}

/// How many losses of this many molecules the budget allows: a loss is a third of a gradient.
///
/// # Errors
/// When the host does not offer the held-out sample.
pub fn affordable(probe: &Probe<'_>, molecules: u64) -> Result<f64, PluginError> {
    Ok(3.0 * probe.budget() * probe.molecules(SamplePart::Heldout)? as f64 / molecules as f64)
}

/// Whether a second draw left the losses as they were: every token is predicted (causal models).
pub fn same(a: &LossRows, b: &LossRows) -> bool {
    a.nll.iter().zip(&b.nll).all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs())
}

/// A mean per predicted token of [draws][molecules]: `se_estimator` from the draws of masks (none for one draw), `se_sample` by
/// jackknife over molecules.
pub fn value(name: &str, tops: &[Vec<f64>], tokens: &[&[f64]]) -> Value {
    let molecules = tops.first().map_or(0, Vec::len);
    let over_tops: Vec<f64> = (0..molecules).map(|m| tops.iter().map(|draw| draw[m]).sum()).collect();
    let over_tokens: Vec<f64> = (0..molecules).map(|m| tokens.iter().map(|draw| draw[m]).sum()).collect();
    let (mean, se_sample) = statistics::ratio_with_jackknife(&over_tops, &over_tokens);
    let owned = || tokens.iter().map(|draw| draw.to_vec()).collect::<Vec<_>>();
    let se_estimator = (tops.len() > 1).then(|| statistics::error_of_draws(tops, &owned()));
    Value { se_estimator, se_sample: Some(se_sample), ..Value::exact(name, mean, "nats/token") }
}
