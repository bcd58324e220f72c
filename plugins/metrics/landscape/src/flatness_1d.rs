//! `landscape/flatness_1d`: loss along filter-normalised random directions.

use std::fmt::Write;

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
};

use crate::directions::Directions;

/// Loss `L(w + alpha d)` along random directions d whose filters (rows of matrices, embedding rows among them) have the length of
/// the weights' own filters, for alpha in [-1, 1]; biases and normalisations stay.
///
/// The primary value is the mean rise at |alpha| = 0.5, `(L(w + d/2) + L(w - d/2)) / 2 - L(w)`, over directions. Why this one: it is
/// tenths of a nat, a million times the rounding of a float32 loss, whereas a curvature at 0 rests on differences of some
/// thousandths and repeats what traces and average sharpness say; at |alpha| = 1 many models are at chance level already. The
/// mean over both signs leaves out the slope, which a random direction has on one side only.
///
/// Each direction has fresh masks. `se_estimator` is the spread over directions, `se_sample` the jackknife over molecules. The
/// curves of all directions are left in `curves.csv`.
pub struct Flatness1d;

/// Distances |alpha| at which the loss is taken, on both sides.
pub const DISTANCES: [f64; 6] = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0];
/// Curvature is fitted up to this |alpha|, on the first two of [`DISTANCES`] and 0.
const FITTED: usize = 2;
/// Directions before the standard error is trusted.
const LEAST: usize = 8;

impl Metric for Flatness1d {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![ParameterInfo::integer("directions", 10, "random directions at most").between(2.0, 10_000.0)];
        parameters.extend(Molecules::parameters(256));
        MetricInfo {
            id: "landscape/flatness_1d".into(),
            doc: "Mean rise of the loss at distance 0.5 along filter-normalised random directions (rows of matrices as filters, vectors \
                  fixed), both signs averaged; also at 0.25 and 1, the curvature at 0 (least squares on |alpha| <= 0.1), and the \
                  distance at which the loss doubles, where every direction reaches that. Stops at SE <= 5 % (from 8 directions \
                  on), after `directions`, or at the budget. Random directions miss narrow ravines; rows that mix attention heads \
                  are one filter, so that rescaling heads against each other moves the value a little."
                .into(),
            citation: "Li et al. 2018, arXiv:1712.09913, section 4 (filter normalisation)".into(),
            unit: "nats/token".into(),
            primary: "rise_050".into(),
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
        let most = params.integer("directions")?.unsigned_abs() as usize;
        let stopping = Stopping { least: LEAST, most };
        let directions = Directions::new(probe)?;
        let mut curves: Vec<Curve> = Vec::new();
        let mut primary = Vec::new();
        let stopped = loop {
            let index = curves.len() as u64;
            probe.progress(index, most as u64, "direction")?;
            let direction = directions.draw(probe.rng(&format!("direction {index}")))?;
            curves.push(Curve::measure(probe, molecules.whole(index), &direction)?);
            primary.extend(curves.last().map(|curve| curve.total(rise_at(3))));
            if let Some(reason) = stopping.reason(probe, &primary)? {
                break reason;
            }
        };
        let mut values = vec![
            value("rise_025", "nats/token", &curves, rise_at(2)),
            value("rise_050", "nats/token", &curves, rise_at(3)),
            value("rise_100", "nats/token", &curves, rise_at(5)),
            value("curvature", "nats/token", &curves, curvature),
        ];
        let doubling: Option<Vec<f64>> = curves.iter().map(Curve::doubling).collect();
        values.extend(doubling.map(|each| {
            let (mean, error) = statistics::mean_with_error(&each);
            Value { se_estimator: Some(error), ..Value::exact("doubling_distance", mean, "1") }
        }));
        values.push(Value::exact("directions", curves.len() as f64, "directions"));
        let artifacts = vec![("curves.csv".into(), csv(&curves).into_bytes())];
        Ok(Measurement { values, artifacts, molecules: molecules.count, stopped })
    }
}

/// Loss of each molecule along one direction.
struct Curve {
    tokens: Vec<f64>,
    /// Summed losses at alpha = 0.
    here: Vec<f64>,
    /// Summed losses at -alpha and +alpha for each of [`DISTANCES`].
    there: Vec<[Vec<f64>; 2]>,
}

/// Mean over both signs of a molecule's rise at each distance.
type Rises = [f64; DISTANCES.len()];

impl Curve {
    fn measure(probe: &Probe<'_>, sample: Sample, direction: &Tensor) -> Result<Self, PluginError> {
        let here = probe.loss(sample, None)?;
        let at = |alpha: f64| -> Result<Vec<f64>, PluginError> { Ok(probe.loss(sample, Some(&(direction * alpha)))?.nll) };
        let there: Result<Vec<_>, PluginError> = DISTANCES.iter().map(|alpha| Ok([at(-alpha)?, at(*alpha)?])).collect();
        Ok(Self { tokens: here.tokens, here: here.nll, there: there? })
    }

    fn rises(&self, molecule: usize) -> Rises {
        let mut rises = [0.0; DISTANCES.len()];
        for (rise, [below, above]) in rises.iter_mut().zip(&self.there) {
            *rise = (below[molecule] + above[molecule]) / 2.0 - self.here[molecule];
        }
        rises
    }

    /// A linear function of the rises, per predicted token.
    fn total(&self, of: impl Fn(&Rises) -> f64) -> f64 {
        (0..self.tokens.len()).map(|molecule| of(&self.rises(molecule))).sum::<f64>() / self.tokens.iter().sum::<f64>()
    }

    /// Distance at which the loss (mean over both signs) is twice that at 0, linear between the distances.
    fn doubling(&self) -> Option<f64> {
        let here = self.here.iter().sum::<f64>() / self.tokens.iter().sum::<f64>();
        let mut before = (0.0, 0.0);
        for (index, distance) in DISTANCES.iter().enumerate() {
            let rise = self.total(rise_at(index));
            if rise >= here {
                return Some(before.0 + (distance - before.0) * (here - before.1) / (rise - before.1));
            }
            before = (*distance, rise);
        }
        None
    }
}

/// The rise at one of the distances.
fn rise_at(index: usize) -> impl Fn(&Rises) -> f64 + Copy {
    move |rises| rises[index]
}

/// Twice the coefficient of alpha^2 in the least-squares parabola through 0 and the points at +-[`DISTANCES`] up to [`FITTED`]. By
/// symmetry the coefficient is the slope of the rise over alpha^2, with a free intercept.
fn curvature(rises: &Rises) -> f64 {
    // Points: 0 once, each distance twice; the rise at 0 is 0.
    let squares = || DISTANCES.iter().take(FITTED).map(|distance| distance * distance);
    let count = 1.0 + 2.0 * FITTED as f64;
    let mean = 2.0 * squares().sum::<f64>() / count;
    let spread = mean * mean + 2.0 * squares().map(|square| (square - mean).powi(2)).sum::<f64>();
    2.0 * 2.0 * squares().zip(rises).map(|(square, rise)| (square - mean) * rise).sum::<f64>() / spread
}

/// Mean over directions with its error, and the jackknife over molecules.
fn value(name: &str, unit: &str, curves: &[Curve], of: impl Fn(&Rises) -> f64 + Copy) -> Value {
    let each: Vec<f64> = curves.iter().map(|curve| curve.total(of)).collect();
    let (mean, se_estimator) = statistics::mean_with_error(&each);
    let molecules = curves.first().map_or(0, |curve| curve.tokens.len());
    let tops: Vec<f64> = (0..molecules).map(|m| curves.iter().map(|curve| of(&curve.rises(m))).sum()).collect();
    let bottoms: Vec<f64> = (0..molecules).map(|m| curves.iter().map(|curve| curve.tokens[m]).sum()).collect();
    let (_, se_sample) = statistics::ratio_with_jackknife(&tops, &bottoms);
    Value::estimate(name, mean, unit, se_estimator, se_sample)
}

/// One row a point: direction, alpha, mean loss per predicted token.
fn csv(curves: &[Curve]) -> String {
    let mut text = String::from("direction,alpha,loss\n");
    for (index, curve) in curves.iter().enumerate() {
        let tokens = curve.tokens.iter().sum::<f64>();
        let mut points = vec![(0.0, &curve.here)];
        for (distance, [below, above]) in DISTANCES.iter().zip(&curve.there) {
            points.extend([(-distance, below), (*distance, above)]);
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (alpha, nll) in points {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{index},{alpha},{}", nll.iter().sum::<f64>() / tokens);
        }
    }
    text
}
