//! `landscape/basin_radius`: how far the weights can move before the loss has risen by a given amount.

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

use crate::{directions::Directions, losses};

/// The distance alpha at which `L(w + alpha d)` first exceeds `L(w) + tau`, for directions d as long as the matrices of the weights:
/// random filter-normalised ones, forward and backward (most cases), and the gradient, where SAM goes (worst case).
///
/// alpha is made four times as large from 1/256 on (after the first direction: twice as large from a little beyond the one before) until
/// the loss is too high; the crossing is then found by regula falsi (Illinois) on the root of the rise, which is nearly linear in
/// alpha, and a last step along the slope. The steps are planned before the first loss, so that two directions fit the budget.
/// `se_estimator` is the spread over directions (and masks), `se_sample` the jackknife over molecules at fixed directions, to first
/// order: `alpha_-i = alpha - (rise_-i - tau) / slope`.
pub struct BasinRadius;

/// Directions before the standard error is trusted.
const LEAST: usize = 8;
/// First distance tried, and the factor to the next.
const FIRST: f64 = 1.0 / 256.0;
const FACTOR: f64 = 4.0;
/// Where the search begins beyond the crossing before, and the factor to the next distance from there.
const BEYOND: f64 = 1.25;
const NEXT: f64 = 2.0;
/// Fewest and most steps of regula falsi between two distances.
const STEPS: [f64; 2] = [4.0, 8.0];
/// Losses of a crossing besides its steps: about three distances before the loss is too high, and the slope.
const BESIDES: f64 = 4.0;
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
                  comparable. A ridge between two tried distances, each two or four times the one before, is missed. The worst case moves \
                  when heads are rescaled, the most cases hardly. Steps (4 to 8 a crossing) are planned from the budget. Stops at SE <= 5 % (from 8 directions on), after `directions`, or at \
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
        let steps = steps(losses::affordable(probe, molecules.count)?, molecules.draws_differ(probe)?);
        let search = Search { tau: params.float("tau")?, farthest: params.float("farthest")?, steps };
        let stopping = Stopping { least: LEAST, most };
        let directions = Directions::new(probe)?;
        let (mut random, mut steepest) = (Vec::<Crossing>::new(), Vec::<Crossing>::new());
        let (mut radii, mut first): (Vec<f64>, Option<LossRows>) = (Vec::new(), None);
        let stopped = loop {
            let index = radii.len() as u64;
            probe.progress(index, most as u64, "direction")?;
            let sample = molecules.whole(index);
            let here = losses::rows(probe, sample, None, "at the weights")?;
            let direction = directions.draw(probe.rng(&format!("direction {index}")))?;
            for direction in [&direction, &-&direction] {
                let before = random.last().map(|before| before.alpha);
                random.push(search.cross(probe, sample, &here, direction, before)?);
            }
            radii.push(random[random.len() - 2..].iter().map(|crossing| crossing.alpha / 2.0).sum());
            // Without masks the gradient is the same every time.
            if !first.as_ref().is_some_and(|first| losses::same(first, &here)) {
                let gradient = directions.along(&probe.grad(sample, None, Labels::Data)?)?;
                let flat = || PluginError::Input("the gradient is 0 for all matrices: there is no steepest direction".into());
                let before = steepest.last().map(|before| before.alpha);
                steepest.push(search.cross(probe, sample, &here, &gradient.ok_or_else(flat)?, before)?);
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

/// Steps of regula falsi with which two directions (two crossings each, a third along the gradient where masks differ) cost no more
/// than so many losses.
fn steps(affordable: f64, masked: bool) -> usize {
    // The loss at the weights, and a gradient for three losses.
    let (crossings, others) = if masked { (6.0, 8.0) } else { (5.0, 5.0) };
    ((affordable - others) / crossings - BESIDES).floor().clamp(STEPS[0], STEPS[1]) as usize
}

/// What ends a basin.
struct Search {
    tau: f64,
    farthest: f64,
    /// Of regula falsi.
    steps: usize,
}

/// Where the loss has risen enough.
struct Crossing {
    alpha: f64,
    /// The distance with each molecule left out.
    left_out: Vec<f64>,
}

impl Search {
    /// Searches from a little beyond the crossing `before`, if any.
    fn cross(
        &self,
        probe: &Probe<'_>,
        sample: Sample,
        here: &LossRows,
        direction: &Tensor,
        before: Option<f64>,
    ) -> Result<Crossing, PluginError> {
        let tokens: f64 = here.tokens.iter().sum();
        let rises = |alpha: f64| -> Result<Vec<f64>, PluginError> {
            let place = format!("at distance {alpha}");
            let there = losses::rows(probe, sample, Some(&(direction * alpha)), &place)?;
            Ok(there.nll.iter().zip(&here.nll).map(|(there, here)| there - here).collect())
        };
        let mean = |rises: &[f64]| rises.iter().sum::<f64>() / tokens;
        // A bowl's rise grows with the square of the distance.
        let root = |rise: f64| rise.signum() * rise.abs().sqrt() - self.tau.sqrt();
        let (first, factor) = before.map_or((FIRST, FACTOR), |before| (BEYOND * before, NEXT));
        let (mut low, mut high) = ((0.0, root(0.0)), (first.min(self.farthest), 0.0));
        loop {
            let rise = mean(&rises(high.0)?);
            high.1 = root(rise);
            if high.1 >= 0.0 {
                break;
            }
            if high.0 >= self.farthest {
                let text = format!(
                    "along a direction the loss rises by {rise} up to distance {}, less than tau = {}: lower `tau` or raise `farthest`",
                    self.farthest, self.tau
                );
                return Err(PluginError::Input(text));
            }
            low = high;
            high.0 = (factor * high.0).min(self.farthest);
        }
        let (mut ends, mut kept) = ([low.1, high.1], 0);
        let (mut alpha, mut at) = (high.0, Vec::new());
        for _ in 0..self.steps {
            alpha = low.0 - ends[0] * (high.0 - low.0) / (ends[1] - ends[0]);
            at = rises(alpha)?;
            let found = root(mean(&at));
            // The end that stays twice weighs half (Illinois).
            if found >= 0.0 {
                (high, ends[1]) = ((alpha, found), found);
                ends[0] *= if kept == 1 { 0.5 } else { 1.0 };
                kept = 1;
            } else {
                (low, ends[0]) = ((alpha, found), found);
                ends[1] *= if kept == -1 { 0.5 } else { 1.0 };
                kept = -1;
            }
            if found == 0.0 {
                break;
            }
        }
        let slope = (mean(&rises(alpha * (1.0 + SLOPE))?) - mean(&at)) / (alpha * SLOPE);
        if !(slope.is_finite() && slope > 0.0) {
            let text = format!("the loss does not rise any further where it crosses tau, at distance {alpha}: change `tau`");
            return Err(PluginError::Input(text));
        }
        let step = |rise: f64| alpha - (rise - self.tau) / slope;
        // Along the slope, but not out of the distances between which the loss crosses tau.
        let crossing = step(mean(&at)).clamp(low.0, high.0);
        let sum: f64 = at.iter().sum();
        let without = |(rise, own): (&f64, &f64)| step((sum - rise) / (tokens - own));
        Ok(Crossing { alpha: crossing, left_out: at.iter().zip(&here.tokens).map(without).collect() })
    }
}

/// Mean over directions and its error, and the jackknife over molecules.
fn value(name: &str, each: &[f64], crossings: &[Crossing]) -> Value {
    let (mean, error) = statistics::mean_with_error(each);
    let molecules = crossings.first().map_or(0, |crossing| crossing.left_out.len());
    let left_out = |molecule: usize| crossings.iter().map(|crossing| crossing.left_out[molecule]).sum::<f64>();
    let means: Vec<f64> = (0..molecules).map(|molecule| left_out(molecule) / crossings.len() as f64).collect();
    let se_estimator = (each.len() > 1).then_some(error);
    Value { se_estimator, se_sample: Some(statistics::jackknife_error(&means)), ..Value::exact(name, mean, "1") }
}
