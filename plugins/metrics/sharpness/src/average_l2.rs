//! `sharpness/average_l2`: mean rise of the loss under Gaussian noise on the weights.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
    random::Stream,
};

use crate::mean_loss;

/// `E[L(w + d) - L(w)]` with `d ~ N(0, rho^2 diag(c^2))`, c = 1 (raw) or c = |w| (adaptive): average-case sharpness of
/// Andriushchenko et al. 2023. On a quadratic it is `rho^2 / 2 tr(C H C)` exactly, whatever the gradient.
///
/// Draws come in pairs +d and -d: the term of first order, which has mean zero and most of the variance, cancels in
/// `(L(w + d) + L(w - d)) / 2 - L(w)`; the mean is the same. rho is the standard deviation of each coordinate, not a length. Each
/// draw has fresh masks. `se_estimator` is the spread over draws; `se_sample` the jackknife over molecules of their mean rises.
pub struct AverageL2;

/// Draws before the standard error is trusted.
const LEAST: usize = 8;

impl Metric for AverageL2 {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::float("rho", 0.005, "standard deviation of the noise on each weight").between(1e-6, 10.0),
            ParameterInfo::float("rho_adaptive", 0.1, "standard deviation of the noise relative to each weight")
                .between(1e-6, 10.0),
            ParameterInfo::integer("draws", 32, "pairs of draws at most").between(2.0, 100_000.0),
        ];
        parameters.extend(Molecules::parameters(256));
        MetricInfo {
            id: "sharpness/average_l2".into(),
            doc: "Mean rise of the loss under Gaussian noise on the weights, in pairs of opposite sign: of the same size on every \
                  weight (rho; also divided by P), and adaptive, relative to each weight (rho_adaptive). Stops at SE <= 5 % of the \
                  raw rise (from 8 draws on), after `draws`, or at the budget. Large rho leaves the neighbourhood in which the loss is \
                  quadratic; values with another rho are other metrics."
                .into(),
            citation: "Andriushchenko et al. 2023, arXiv:2302.07011, equation 1 (average-case, adaptive)".into(),
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
        let rho = [params.float("rho")?, params.float("rho_adaptive")?];
        let stopping = Stopping { least: LEAST, most };
        let weights = probe.weights()?;
        let sizes = weights.f_abs()?;
        let unmasked = if molecules.draws_differ(probe)? { None } else { Some(probe.loss(molecules.whole(0), None)?) };
        let mut sums = [Sums::new(molecules.count), Sums::new(molecules.count)];
        let stopped = loop {
            let draw = sums[0].rises.len() as u64;
            probe.progress(draw, most as u64, "pair of draws")?;
            let sample = molecules.whole(draw);
            let here = unmasked.clone().map_or_else(|| probe.loss(sample, None), Ok)?;
            let noise = Stream::new(probe.rng(&format!("noise {draw}"))).normals(&weights)?;
            for (sums, step) in sums.iter_mut().zip([&noise * rho[0], &noise * &sizes * rho[1]]) {
                let there = [probe.loss(sample, Some(&step))?, probe.loss(sample, Some(&-step))?];
                sums.add(&here, &there);
            }
            if let Some(reason) = stopping.reason(probe, &sums[0].rises)? {
                break reason;
            }
        };
        let values = vec![
            sums[0].value("rise", 1.0),
            sums[0].value("rise_per_parameter", weights.numel() as f64),
            sums[1].value("rise_adaptive", 1.0),
            Value::exact("draws", sums[0].rises.len() as f64, "draws"),
        ];
        Ok(Measurement { values, artifacts: Vec::new(), molecules: molecules.count, stopped })
    }
}

/// Rises so far: of each draw, and of each molecule over all draws.
struct Sums {
    rises: Vec<f64>,
    nll: Vec<f64>,
    tokens: Vec<f64>,
}

impl Sums {
    fn new(molecules: u64) -> Self {
        Self { rises: Vec::new(), nll: vec![0.0; molecules as usize], tokens: vec![0.0; molecules as usize] }
    }

    fn add(&mut self, here: &LossRows, there: &[LossRows; 2]) {
        self.rises.push((mean_loss(&there[0]) + mean_loss(&there[1])) / 2.0 - mean_loss(here));
        for molecule in 0..self.nll.len() {
            self.nll[molecule] += (there[0].nll[molecule] + there[1].nll[molecule]) / 2.0 - here.nll[molecule];
            self.tokens[molecule] += here.tokens[molecule];
        }
    }

    fn value(&self, name: &str, divisor: f64) -> Value {
        let (mean, se_estimator) = statistics::mean_with_error(&self.rises);
        let (_, se_sample) = statistics::ratio_with_jackknife(&self.nll, &self.tokens);
        Value::estimate(name, mean / divisor, "nats/token", se_estimator / divisor, se_sample / divisor)
    }
}
