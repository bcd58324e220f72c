//! `landscape/basin_radius`: how far the weights can move before the loss has risen by a given amount.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

use crate::{
    directions::Directions,
    losses::{self, jackknife},
};

/// The distance alpha at which `L(w + alpha d)` first exceeds `L(w) + tau`, for directions d as long as the matrices of the weights:
/// random filter-normalised ones, forward and backward (most cases), and the gradient, where SAM goes (worst case).
///
/// alpha is doubled from 1/512 until the loss is too high, and the crossing is then found by regula falsi (Illinois). `se_estimator` is
/// the spread over directions (and masks), `se_sample` the jackknife over molecules at fixed directions, to first order:
/// `alpha_-i = alpha - (rise_-i - tau) / slope`.
pub struct BasinRadius;

/// Directions before the standard error is trusted.
const LEAST: usize = 8;
/// First distance tried.
const FIRST: f64 = 1.0 / 512.0;
/// Steps of regula falsi between two distances of which one is twice the other.
const STEPS: usize = 10;
/// Share of the distance over which the slope is taken.
const SLOPE: f64 = 0.02;

impl Metric for BasinRadius {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::float("tau", 0.1, "rise of the loss that ends the basin, in nats per token").between(1e-4, 100.0),
            ParameterInfo::float("farthest", 8.0, "greatest distance tried, in lengths of the weights").between(0.01, 1e4),
            ParameterInfo::integer("directions", 16, "random directions at most, each forward and backward")
                .between(2.0, 10_000.0),
        ];
        parameters.extend(Molecules::parameters(256));
        MetricInfo {
            id: "landscape/basin_radius".into(),
            doc: "Distance at which the loss has risen by `tau`, in lengths of the weight matrices: along random filter-normalised directions, \
                  forward and backward (`radius`, most cases), and along the gradient (`radius_sam`, worst case). Vectors (biases, \
                  normalisations) do not move. A rise in nats, not in shares of the loss, keeps models of different loss \
                  comparable. A ridge between two tried distances, each twice the one before, is missed. The worst case moves when \
                  heads are rescaled, the most cases hardly. Stops at SE <= 5 % (from 8 directions on), after `directions`, or at \
                  the budget. Refused where a direction stays below tau up to `farthest`."
                .into(),
            citation: "Chen et al. 2025, arXiv:2505.17646 (most-case and worst-case basins); directions as in Li et al. 2018, \
                       arXiv:1712.09913, section 4, and Foret et al. 2021, arXiv:2010.01412, equation 2"
                .into(),
            unit: "1".into(),
            primary: "radius".into(),
            direction: Direction::HigherIsBetter,
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
        let most = params.integer("directions")?.unsigned_abs() as usize;
        let search = Search { tau: params.float("tau")?, farthest: params.float("farthest")? };
        let stopping = Stopping { least: LEAST, most };
        let directions = Directions::new(probe)?;
        let (mut random, mut steepest) = (Vec::new(), Vec::<Crossing>::new());
        let (mut radii, mut first): (Vec<f64>, Option<LossRows>) = (Vec::new(), None);
        let stopped = loop {
            let index = radii.len() as u64;
            probe.progress(index, most as u64, "direction")?;
            let sample = molecules.whole(index);
            let here = losses::rows(probe, sample, None, "at the weights")?;
            let direction = directions.draw(probe.rng(&format!("direction {index}")))?;
            let both = [search.cross(probe, sample, &here, &direction)?, search.cross(probe, sample, &here, &-&direction)?];
            radii.push((both[0].alpha + both[1].alpha) / 2.0);
            random.extend(both);
            // Without masks the gradient is the same every time.
            if !first.as_ref().is_some_and(|first| losses::same(first, &here)) {
                let gradient = directions.along(&probe.grad(sample, None, Labels::Data)?)?;
                let flat = || PluginError::Input("the gradient is 0 for all matrices: there is no steepest direction".into());
                steepest.push(search.cross(probe, sample, &here, &gradient.ok_or_else(flat)?)?);
            }
            first.get_or_insert(here);
            if let Some(reason) = stopping.reason(probe, &radii)? {
                break reason;
            }
        };
        let worst: Vec<f64> = steepest.iter().map(|crossing| crossing.alpha).collect();
        let values = vec![
            value("radius", &radii, &random),
            value("radius_sam", &worst, &steepest),
            Value::exact("directions", radii.len() as f64, "directions"),
        ];
        Ok(Measurement { values, artifacts: Vec::new(), molecules: molecules.count, stopped })
    }
}

/// What ends a basin.
struct Search {
    tau: f64,
    farthest: f64,
}

/// Where the loss has risen enough.
struct Crossing {
    alpha: f64,
    /// The distance with each molecule left out.
    left_out: Vec<f64>,
}

impl Search {
    fn cross(&self, probe: &Probe<'_>, sample: Sample, here: &LossRows, direction: &Tensor) -> Result<Crossing, PluginError> {
        let tokens: f64 = here.tokens.iter().sum();
        let rises = |alpha: f64| -> Result<Vec<f64>, PluginError> {
            let place = format!("at distance {alpha}");
            let there = losses::rows(probe, sample, Some(&(direction * alpha)), &place)?;
            Ok(there.nll.iter().zip(&here.nll).map(|(there, here)| there - here).collect())
        };
        let above = |rises: &[f64]| rises.iter().sum::<f64>() / tokens - self.tau;
        let (mut low, mut high) = ((0.0, -self.tau), (FIRST.min(self.farthest), 0.0));
        loop {
            high.1 = above(&rises(high.0)?);
            if high.1 >= 0.0 {
                break;
            }
            if high.0 >= self.farthest {
                let text = format!(
                    "along a direction the loss rises by {} up to distance {}, less than tau = {}: lower `tau` or raise `farthest`",
                    high.1 + self.tau,
                    self.farthest,
                    self.tau
                );
                return Err(PluginError::Input(text));
            }
            low = high;
            high.0 = (2.0 * high.0).min(self.farthest);
        }
        let mut alpha = high.0;
        let mut kept = 0;
        for _ in 0..STEPS {
            alpha = low.0 - low.1 * (high.0 - low.0) / (high.1 - low.1);
            let found = above(&rises(alpha)?);
            // The end that stays twice weighs half (Illinois).
            if found >= 0.0 {
                high = (alpha, found);
                low.1 *= if kept == 1 { 0.5 } else { 1.0 };
                kept = 1;
            } else {
                low = (alpha, found);
                high.1 *= if kept == -1 { 0.5 } else { 1.0 };
                kept = -1;
            }
            if found == 0.0 {
                break;
            }
        }
        let at = rises(alpha)?;
        let slope = (above(&rises(alpha * (1.0 + SLOPE))?) - above(&at)) / (alpha * SLOPE);
        if !(slope.is_finite() && slope > 0.0) {
            let text = format!("the loss does not rise any further where it crosses tau, at distance {alpha}: change `tau`");
            return Err(PluginError::Input(text));
        }
        let sum: f64 = at.iter().sum();
        let without = |(rise, own): (&f64, &f64)| alpha - ((sum - rise) / (tokens - own) - self.tau) / slope;
        Ok(Crossing { alpha, left_out: at.iter().zip(&here.tokens).map(without).collect() })
    }
}

/// Mean over directions and its error, and the jackknife over molecules.
fn value(name: &str, each: &[f64], crossings: &[Crossing]) -> Value {
    let (mean, error) = statistics::mean_with_error(each);
    let molecules = crossings.first().map_or(0, |crossing| crossing.left_out.len());
    let left_out = |molecule: usize| crossings.iter().map(|crossing| crossing.left_out[molecule]).sum::<f64>();
    let means: Vec<f64> = (0..molecules).map(|molecule| left_out(molecule) / crossings.len() as f64).collect();
    let se_estimator = (each.len() > 1).then_some(error);
    Value { se_estimator, se_sample: Some(jackknife(&means)), ..Value::exact(name, mean, "1") }
}
