//! `sharpness/sam`: rise of the loss after one ascent step, on small batches.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

use crate::mean_loss;

/// m-sharpness: the mean over disjoint batches of m molecules of `L(w + d) - L(w)` with the batch's own loss L and gradient g, and
/// one ascent step `d = rho g / |g|` (Foret et al. 2021, equation 2). Adaptive: `d = rho T^2 g / |T g|` with `T = |w|` (Kwon
/// et al. 2021, equation 8, without their eta), the step in the ellipsoid that follows the weights' sizes.
///
/// m is part of the definition: smaller batches have larger and noisier gradients, and a larger m-sharpness. `se_sample` is the
/// spread over batches; `se_estimator` that over mask draws of the same batch (0 where every token is predicted).
pub struct Sam;

/// Batches before the standard error is trusted.
const LEAST: usize = 8;

impl Metric for Sam {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::float("rho", 0.05, "length of the ascent step").between(1e-6, 10.0),
            ParameterInfo::float("rho_adaptive", 0.5, "length of the adaptive step, relative to the weights").between(1e-6, 10.0),
            ParameterInfo::integer("batch", 64, "molecules m of a batch; half the sample where that is less").between(1.0, 1e6),
            ParameterInfo::integer("masks", 2, "mask draws of each batch; at least 2 for an error").between(2.0, 64.0),
        ];
        parameters.extend(Molecules::parameters(1024));
        MetricInfo {
            id: "sharpness/sam".into(),
            doc: "m-sharpness: mean rise of the loss of batches of m molecules after one ascent step of length rho along their own \
                  gradient; adaptive: the step in the ellipsoid |d / |w|| <= rho. Stops at SE <= 5 % over batches (from 8 on), after \
                  the sample, or at the budget. One step is a lower bound of the maximum in the ball; raw values depend on the \
                  parametrisation; values with another m or rho are other metrics."
                .into(),
            citation: "Foret et al. 2021, arXiv:2010.01412, equation 2 and section 4.1 (m-sharpness); Kwon et al. 2021, \
                       arXiv:2102.11600, equation 8 (adaptive)"
                .into(),
            unit: "nats/token".into(),
            primary: "rise".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let molecules = Molecules::read(probe, params)?;
        let size = params.integer("batch")?.unsigned_abs().min(molecules.count / 2).max(1);
        let batches = molecules.count / size;
        let masks = if molecules.draws_differ(probe)? { params.integer("masks")?.unsigned_abs() } else { 1 };
        let rho = [params.float("rho")?, params.float("rho_adaptive")?];
        let sizes = probe.weights()?.f_abs()?;
        let stopping = Stopping { least: LEAST, most: batches as usize };
        // [mask draw][batch], raw and adaptive.
        let mut rises = [vec![Vec::new(); masks as usize], vec![Vec::new(); masks as usize]];
        let mut raw = Vec::new();
        let stopped = loop {
            let batch = raw.len() as u64;
            probe.progress(batch, batches, "batch")?;
            for draw in 0..masks {
                let sample = Sample { start: batch * size, count: size, ..molecules.whole(draw) };
                for (of, rise) in rises.iter_mut().zip(ascend(probe, sample, &sizes, rho)?) {
                    of[draw as usize].push(rise);
                }
            }
            raw.push(over_draws(&rises[0], batch as usize));
            if let Some(reason) = stopping.reason(probe, &raw)? {
                break reason;
            }
        };
        let values = [("rise", &rises[0]), ("rise_adaptive", &rises[1])].map(|(name, rises)| {
            let each: Vec<f64> = (0..raw.len()).map(|batch| over_draws(rises, batch)).collect();
            let (mean, se_sample) = statistics::mean_with_error(&each);
            let ones = vec![vec![1.0; raw.len()]; rises.len()];
            let se_estimator = if masks > 1 { statistics::error_of_draws(rises, &ones) } else { 0.0 };
            Value::estimate(name, mean, "nats/token", se_estimator, se_sample)
        });
        let mut values = Vec::from(values);
        values.push(Value::exact("batch", size as f64, "molecules"));
        Ok(Measurement { values, artifacts: Vec::new(), molecules: raw.len() as u64 * size, stopped })
    }
}

/// Mean of a batch's rises over mask draws.
fn over_draws(rises: &[Vec<f64>], batch: usize) -> f64 {
    rises.iter().map(|draw| draw[batch]).sum::<f64>() / rises.len() as f64
}

/// Rises after the plain and the adaptive step.
fn ascend(probe: &Probe<'_>, sample: Sample, sizes: &Tensor, rho: [f64; 2]) -> Result<[f64; 2], PluginError> {
    let here = mean_loss(&probe.loss(sample, None)?);
    if !here.is_finite() {
        let text = format!("no token to predict in molecules {} to {}", sample.start, sample.start + sample.count);
        return Err(PluginError::Input(text + ", or a loss that is not finite; take a larger batch"));
    }
    let gradient = probe.grad(sample, None, Labels::Data)?;
    let scaled = &gradient * sizes;
    let rise = |direction: Tensor, length: &Tensor, rho: f64| -> Result<f64, PluginError> {
        let length = length.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?.sqrt();
        let step = direction * (rho / (length + 1e-12));
        Ok(mean_loss(&probe.loss(sample, Some(&step))?) - here)
    };
    Ok([rise(gradient.shallow_clone(), &gradient, rho[0])?, rise(&scaled * sizes, &scaled, rho[1])?])
}
