//! `sharpness/average_*`: mean rise of the loss under noise on the weights.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
    random::Stream,
};

use crate::{
    Norm,
    loss::{mean_of, resolved},
    region::{scale, uniforms},
    rises::Rises,
};

/// `E[L(w + d) - L(w)]`, average-case sharpness of Andriushchenko et al. 2023, with c = 1 (raw) or c = |w| (adaptive):
///
/// - l2: `d ~ N(0, rho^2 diag(c^2))`; on a quadratic `rho^2 / 2 tr(C H C)` exactly, whatever the gradient;
/// - linf: `d_i` uniform in `[-rho c_i, rho c_i]`, whose variance is a third; on a quadratic `rho^2 / 6 tr(C H C)`.
///
/// Draws come in pairs +d and -d: the term of first order, which has mean zero and most of the variance, cancels in
/// `(L(w + d) + L(w - d)) / 2 - L(w)`; the mean is the same. rho belongs to each coordinate: it is not the length that the
/// worst-case metrics call rho. Each draw has fresh masks. `se_estimator` is the spread over draws; `se_sample` the jackknife over
/// molecules of their mean rises.
#[derive(Debug)]
pub struct Average {
    norm: Norm,
    adaptive: bool,
}

/// Draws before the standard error is trusted.
const LEAST: usize = 8;

impl Average {
    /// With this noise, relative to the weights or not.
    pub fn new(norm: Norm, adaptive: bool) -> Self {
        Self { norm, adaptive }
    }

    fn rho(&self) -> ParameterInfo {
        let (rho, doc) = match (self.norm, self.adaptive) {
            (Norm::L2, false) => (0.005, "standard deviation of the noise on each weight"),
            (Norm::L2, true) => (0.1, "standard deviation of the noise relative to each weight (the paper: .05, .1, .2, .4)"),
            (Norm::Linf, false) => (0.01, "half-width of the uniform noise on each weight"),
            (Norm::Linf, true) => (0.2, "half-width of the uniform noise relative to each weight (the paper: .1, .2, .4, .8)"),
        };
        ParameterInfo::float("rho", rho, doc).between(1e-6, 10.0)
    }
}

impl Metric for Average {
    fn info(&self) -> MetricInfo {
        let mut parameters =
            vec![self.rho(), ParameterInfo::integer("draws", 32, "pairs of draws at most").between(2.0, 100_000.0)];
        parameters.extend(Molecules::parameters(256));
        let suffix = if self.adaptive { "_adaptive" } else { "" };
        let noise = match self.norm {
            Norm::L2 => "Gaussian noise d ~ N(0, rho^2 c^2)",
            Norm::Linf => "uniform noise, d_i in [-rho c_i, rho c_i],",
        };
        let of = match (self.norm, self.adaptive) {
            (Norm::L2, false) => "c = 1; on a quadratic rho^2 / 2 tr(H)",
            (Norm::L2, true) => "c = |w|; on a quadratic rho^2 / 2 tr(C H C), the same for rescaled layers of one function",
            (Norm::Linf, false) => "c = 1; on a quadratic rho^2 / 6 tr(H)",
            (Norm::Linf, true) => "c = |w|; on a quadratic rho^2 / 6 tr(C H C), the same for rescaled layers of one function",
        };
        MetricInfo {
            id: format!("sharpness/average_{}{suffix}", self.norm.word()),
            doc: format!(
                "Mean rise E[L(w + d) - L(w)] of the loss under {noise} on the weights, in pairs of opposite sign; {of}. rho is of each \
                 coordinate, not a length. Also divided by P. Stops at SE <= 5 % of the rise (from 8 pairs on), after `draws`, or at the \
                 budget. Large rho leaves the neighbourhood in which the loss is quadratic; a rise that the losses' number format does \
                 not resolve is refused; values with another rho are other metrics."
            ),
            citation:
                "Andriushchenko et al. 2023, arXiv:2302.07011, equation 1 (average-case) and its code (uniform noise for linf)"
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
        let most = params.integer("draws")?.unsigned_abs() as usize;
        let scale = scale(probe, self.adaptive)? * params.float("rho")?;
        let stopping = Stopping { least: LEAST, most };
        let unmasked = if molecules.draws_differ(probe)? { None } else { Some(probe.loss(molecules.whole(0), None)?) };
        let mut rises = Rises::new(molecules.count);
        let (stopped, loss) = loop {
            let draw = rises.draws.len() as u64;
            probe.progress(draw, most as u64, "pair of draws")?;
            let sample = molecules.whole(draw);
            let here = unmasked.clone().map_or_else(|| probe.loss(sample, None), Ok)?;
            let loss = mean_of(&here, sample, false)?;
            let mut stream = Stream::new(probe.rng(&format!("noise {draw}")));
            let noise = match self.norm {
                Norm::L2 => stream.normals(&scale)?,
                Norm::Linf => uniforms(&mut stream, &scale)?,
            };
            let step = noise * &scale;
            let there = [probe.loss(sample, Some(&step))?, probe.loss(sample, Some(&-step))?];
            for rows in &there {
                mean_of(rows, sample, true)?;
            }
            rises.add(&here, &there);
            if let Some(reason) = stopping.reason(probe, &rises.draws)? {
                break (reason, loss);
            }
        };
        let (mean, se_estimator, se_sample) = rises.mean();
        let typical = rises.draws.iter().map(|rise| rise.abs()).sum::<f64>() / rises.draws.len() as f64;
        resolved(scale.kind(), loss, typical)?;
        let value = |name: &str, divisor: f64| {
            Value::estimate(name, mean / divisor, "nats/token", se_estimator / divisor, se_sample / divisor)
        };
        let values = vec![
            value("rise", 1.0),
            value("rise_per_parameter", scale.numel() as f64),
            Value::exact("draws", rises.draws.len() as f64, "draws"),
        ];
        Ok(Measurement { values, artifacts: Vec::new(), molecules: molecules.count, stopped })
    }
}
