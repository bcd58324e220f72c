//! What the host gives: embeddings and labels of the task's training molecules.

use clmbench_sdk::prelude::*;

use crate::card::MOST;

/// Molecules below which no score of this family says anything.
pub const LEAST: usize = 20;

/// Labels of the molecules that are used.
///
/// # Errors
/// [`PluginError::Input`] for too few molecules or constant labels, [`PluginError::NonFinite`] for labels that are no numbers.
pub fn labels(probe: &Probe<'_>, params: &Params) -> Result<Vec<f64>, PluginError> {
    let wanted = params.integer("molecules")?;
    let limit = if wanted <= 0 { MOST } else { wanted.min(MOST) } as usize;
    let mut labels = Vec::<f64>::try_from(probe.labels()?.f_to_kind(Kind::Double)?.f_contiguous()?)?;
    labels.truncate(limit);
    if let Some(bad) = labels.iter().position(|label| !label.is_finite()) {
        return Err(PluginError::NonFinite(format!("the label of molecule {bad} of the task is {}", labels[bad])));
    }
    if labels.len() < LEAST {
        let text = format!("{} labelled training molecules; a transferability score needs at least {LEAST}", labels.len());
        return Err(PluginError::Input(text));
    }
    if labels.iter().all(|label| *label == labels[0]) {
        let text = format!("all {} training labels are {}; a score needs labels that differ", labels.len(), labels[0]);
        return Err(PluginError::Input(text));
    }
    Ok(labels)
}

/// Embeddings [N, D] of the first N molecules of the task, float64.
///
/// # Errors
/// [`PluginError::NonFinite`] for embeddings that are no numbers, [`PluginError::Input`] when all are the same.
pub fn features(probe: &Probe<'_>, count: usize) -> Result<Tensor, PluginError> {
    let features = probe.embed(SamplePart::Task, 0, count as u64)?;
    let size = features.size();
    if size.len() != 2 || size[0] != count as i64 || size[1] < 1 {
        return Err(PluginError::Shape(format!("embeddings of {count} molecules have shape {size:?}, not [{count}, width]")));
    }
    // Column by column, without a copy of the whole: a NaN goes through both ends.
    let double = |tensor: Tensor| tensor.f_to_kind(Kind::Double);
    let (low, high) = (double(features.f_amin(&[0_i64][..], true)?)?, double(features.f_amax(&[0_i64][..], true)?)?);
    let first = double(features.f_narrow(0, 0, 1)?)?;
    let most = |tensor: Tensor| -> Result<f64, PluginError> { Ok(f64::try_from(tensor.f_abs()?.f_max()?)?) };
    let largest = most(Tensor::f_cat(&[&low, &high], 0)?)?;
    if !largest.is_finite() {
        return Err(PluginError::NonFinite(
            "an embedding of the task's molecules is not a finite number; the model diverged".into(),
        ));
    }
    let spread = most(low.f_sub(&first)?)?.max(most(high.f_sub(&first)?)?);
    if spread <= 1e-12 * largest {
        return Err(PluginError::Input("all molecules of the task have the same embedding; the encoder has collapsed".into()));
    }
    Ok(double(features)?.f_contiguous()?)
}

/// Features less their mean over molecules.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn centred(features: &Tensor) -> Result<Tensor, PluginError> {
    Ok(features.f_sub(&features.f_mean_dim(&[0_i64][..], true, Kind::Double)?)?)
}

/// Kind of the task.
///
/// # Errors
/// Whatever the host refuses.
pub fn kind(probe: &Probe<'_>) -> Result<TaskKind, PluginError> {
    Ok(probe.task()?.task.kind)
}
