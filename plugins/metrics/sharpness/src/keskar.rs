//! `sharpness/keskar`: the first measure of sharpness, the largest relative rise in a small box around the weights.

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::{
    Norm, Region,
    apgd::{ITERATION, climb},
    batches::affordable,
    loss::{mean_of, resolved},
};

/// `phi = 100 (max_z L(w + z) - L(w)) / (1 + L(w))` over the box `|z_i| <= epsilon (|w_i| + 1)` (Keskar et al. 2017, metric 2.1 with A
/// the identity: the full space), with L the loss of the whole sample.
///
/// The paper maximises by 10 iterations of L-BFGS-B; ours is 10 iterations of projected ascent with momentum ([`climb`] on `u_i = z_i
/// / (|w_i| + 1)`), whose first iterate is the corner of the box in the direction of the gradient's signs. Both are lower bounds of the
/// maximum. The `+ 1` gives weights near zero an absolute box, so that the value depends on the parametrisation.
///
/// phi is a ratio of sums over molecules. `se_sample` is its jackknife over molecules with the maximiser held where it is, which is
/// right to first order (the maximiser's own change changes a maximum only to second order); it holds the noise of the masks as well.
#[derive(Debug)]
pub struct Keskar;

impl Metric for Keskar {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::float("epsilon", 1e-3, "half-width of the box for a weight of 0 (the paper: 1e-3 and 5e-4)")
                .between(1e-8, 1.0),
            ParameterInfo::integer("iterations", 10, "iterations of the ascent at most").between(1.0, 10_000.0),
        ];
        parameters.extend(Molecules::parameters(256));
        MetricInfo {
            id: "sharpness/keskar".into(),
            doc: "phi = 100 (max L(w + z) - L(w)) / (1 + L(w)) over the box |z_i| <= epsilon (|w_i| + 1) in the full space of weights. The \
                  maximiser is ours: `iterations` of projected ascent with momentum (the paper: 10 of L-BFGS-B), a lower bound of the \
                  maximum; cut to what the budget pays for, and told. Depends on the parametrisation: the `+ 1` is an absolute width. A \
                  rise that the losses' number format does not resolve is refused; values with another epsilon are other metrics."
                .into(),
            citation: "Keskar et al. 2017, arXiv:1609.04836, metric 2.1 (equations 3 and 4)".into(),
            unit: "% of 1 + loss".into(),
            primary: "phi".into(),
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
        let wanted = params.integer("iterations")?.unsigned_abs();
        let iterations = affordable(probe, molecules.count, 1, ITERATION, wanted)?;
        let scale = probe.weights()?.f_abs()? + 1.0;
        let region = Region::new(Norm::Linf, params.float("epsilon")?, scale);
        let sample = molecules.whole(0);
        probe.progress(0, 1, "ascent")?;
        let here = probe.loss(sample, None)?;
        let loss = mean_of(&here, sample, false)?;
        let found = climb(probe, sample, &region, loss, None, iterations)?;
        resolved(region.scale.kind(), loss, found.rise)?;
        let there = probe.loss(sample, Some(&found.perturbation))?;
        mean_of(&there, sample, true)?;
        let rises: Vec<f64> = there.nll.iter().zip(&here.nll).map(|(there, here)| 100.0 * (there - here)).collect();
        let ones_and_losses: Vec<f64> = here.tokens.iter().zip(&here.nll).map(|(tokens, nll)| tokens + nll).collect();
        let (phi, error) = statistics::ratio_with_jackknife(&rises, &ones_and_losses);
        let (rise, rise_error) = statistics::ratio_with_jackknife(&rises, &here.tokens);
        let values = vec![
            Value { se_sample: Some(error), ..Value::exact("phi", phi, "% of 1 + loss") },
            Value { se_sample: Some(rise_error / 100.0), ..Value::exact("rise", rise / 100.0, "nats/token") },
            Value::exact("iterations", iterations as f64, "iterations"),
        ];
        let rows = found.trace.iter().enumerate().map(|(iteration, rise)| format!("{},{rise:e}\n", iteration + 1));
        let table = String::from("iteration,rise\n") + &rows.collect::<String>();
        let stopped = if iterations < wanted { "budget" } else { "complete" };
        Ok(Measurement {
            values,
            artifacts: vec![("ascent.csv".into(), table.into_bytes())],
            molecules: molecules.count,
            stopped,
        })
    }
}
