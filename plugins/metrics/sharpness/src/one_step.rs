//! `sharpness/sam_m` and `sharpness/asam_m`: rise of the loss after one ascent step, on small batches.

use clmbench_sdk::prelude::*;

use crate::{
    Norm, Region,
    batches::Batches,
    loss::{mean_loss, resolved},
    region::scale,
};

/// m-sharpness: the mean over disjoint batches of m molecules of `L(w + d) - L(w)` with the batch's own loss L and gradient g, and
/// one ascent step `d = rho g / |g|` (Foret et al. 2021, equation 2).
///
/// m is part of the definition: smaller batches have larger and noisier gradients, and a larger m-sharpness. `se_sample` is the
/// spread over batches; `se_estimator` that over mask draws of the same batch (0 where every token is predicted).
#[derive(Debug)]
pub struct SamM;

/// The same with the adaptive step `d = rho T^2 g / |T g|` (Kwon et al. 2021, equation 8).
///
/// `rise`: `T = |w| + eta` on tensors whose name holds `weight`, 1 elsewhere, as in the authors' code (class defaults rho 0.5 and eta
/// 0.01; their example sets eta 0). `rise_elementwise`: `T = |w|` on every tensor and no eta, as in davda54/sam; only this one is
/// the same for all rescaled layers of one function.
#[derive(Debug)]
pub struct AsamM;

fn parameters(rho: ParameterInfo) -> Vec<ParameterInfo> {
    let masks = ParameterInfo::integer("masks", 2, "mask draws of each batch; at least 2 for an error").between(2.0, 64.0);
    let mut parameters = vec![rho.between(1e-6, 10.0), masks];
    parameters.extend(Batches::parameters());
    parameters
}

fn info(id: &str, doc: &str, citation: &str, parameters: Vec<ParameterInfo>) -> MetricInfo {
    MetricInfo {
        id: id.into(),
        doc: format!(
            "{doc} Stops at SE <= 5 % over batches (from 8 on), after the sample, or at the budget. One step is a lower bound of the \
             maximum in the region; a rise that the losses' number format does not resolve is refused; values with another m or rho \
             are other metrics."
        ),
        citation: citation.into(),
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

impl Metric for SamM {
    fn info(&self) -> MetricInfo {
        let doc = "m-sharpness: mean rise L(w + d) - L(w) of the loss of batches of m molecules after one ascent step d = rho g / |g| along \
                   their own gradient; raw, it depends on the parametrisation.";
        let citation = "Foret et al. 2021, arXiv:2010.01412, equation 2 and section 4.1 (m-sharpness)";
        info("sharpness/sam_m", doc, citation, parameters(ParameterInfo::float("rho", 0.05, "length of the ascent step")))
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let region = Region::new(Norm::L2, params.float("rho")?, scale(probe, false)?);
        rises(probe, params, &[("rise", region)])
    }
}

impl Metric for AsamM {
    fn info(&self) -> MetricInfo {
        let doc = "m-sharpness with the adaptive step d = rho T^2 g / |T g|. `rise`: T = |w| + eta on tensors named `weight`, 1 elsewhere \
                   (the authors' code); `rise_elementwise`: T = |w| everywhere (davda54/sam), the same for rescaled layers of one function.";
        let citation = "Kwon et al. 2021, arXiv:2102.11600, equation 8 and the code SamsungLabs/ASAM; for T = |w|: davda54/sam; \
                        m-sharpness: Foret et al. 2021, arXiv:2010.01412, section 4.1";
        let mut all = parameters(ParameterInfo::float("rho", 0.5, "length of the step, relative to the weights"));
        all.push(ParameterInfo::float("eta", 0.01, "added to |w| on tensors named `weight`").between(0.0, 10.0));
        info("sharpness/asam_m", doc, citation, all)
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let radius = params.float("rho")?;
        let authors = Region::new(Norm::L2, radius, of_authors(probe, params.float("eta")?)?);
        let elementwise = Region::new(Norm::L2, radius, scale(probe, true)?);
        rises(probe, params, &[("rise", authors), ("rise_elementwise", elementwise)])
    }
}

/// `|w| + eta` on tensors whose name holds `weight`, 1 elsewhere, [P].
fn of_authors(probe: &Probe<'_>, eta: f64) -> Result<Tensor, PluginError> {
    let sizes = probe.weights()?.f_abs()? + eta;
    for row in probe.parameters()?.iter().filter(|row| row.offset >= 0 && !row.name.contains("weight")) {
        let _ = sizes.f_narrow(0, row.offset, row.shape.iter().product())?.f_fill_(1.0)?;
    }
    Ok(sizes)
}

/// Rises after one step in each region, which share each batch's gradient.
fn rises(probe: &Probe<'_>, params: &Params, regions: &[(&str, Region)]) -> Result<Measurement, PluginError> {
    let batches = Batches::read(probe, params)?;
    let masks = if batches.draws_differ(probe)? { params.integer("masks")?.unsigned_abs() } else { 1 };
    let stopping = batches.stopping();
    // [region][mask draw][batch].
    let mut rises = vec![vec![Vec::new(); masks as usize]; regions.len()];
    let (mut first, mut losses) = (Vec::new(), Vec::new());
    let stopped = loop {
        let batch = first.len() as u64;
        probe.progress(batch, batches.count, "batch")?;
        for draw in 0..masks {
            let sample = batches.sample(batch, draw);
            let here = mean_loss(probe, sample, None)?;
            losses.push(here);
            let gradient = probe.grad(sample, None, Labels::Data)?;
            for ((_, region), rises) in regions.iter().zip(&mut rises) {
                let way = region.steepest(&gradient)?.ok_or_else(|| {
                    PluginError::Input(format!("the gradient of batch {batch} is zero: there is no direction of ascent"))
                })?;
                let step = region.perturbation(&(way * region.radius));
                rises[draw as usize].push(mean_loss(probe, sample, Some(&step))? - here);
            }
        }
        first.push(over_draws(&rises[0], batch as usize));
        if let Some(reason) = stopping.reason(probe, &first)? {
            break reason;
        }
    };
    let kind = regions[0].1.scale.kind();
    let typical = first.iter().map(|rise| rise.abs()).sum::<f64>() / first.len() as f64;
    resolved(kind, statistics::mean_with_error(&losses).0, typical)?;
    let value = |((name, _), rises): (&(&str, Region), &Vec<Vec<f64>>)| {
        let each: Vec<f64> = (0..first.len()).map(|batch| over_draws(rises, batch)).collect();
        let (mean, se_sample) = statistics::mean_with_error(&each);
        let ones = vec![vec![1.0; first.len()]; rises.len()];
        let se_estimator = if masks > 1 { statistics::error_of_draws(rises, &ones) } else { 0.0 };
        Value::estimate(name, mean, "nats/token", se_estimator, se_sample)
    };
    let mut values: Vec<Value> = regions.iter().zip(&rises).map(value).collect();
    values.push(Value::exact("batch", batches.size as f64, "molecules"));
    Ok(Measurement { values, artifacts: Vec::new(), molecules: first.len() as u64 * batches.size, stopped })
}

/// Mean of a batch's rises over mask draws.
fn over_draws(rises: &[Vec<f64>], batch: usize) -> f64 {
    rises.iter().map(|draw| draw[batch]).sum::<f64>() / rises.len() as f64
}
