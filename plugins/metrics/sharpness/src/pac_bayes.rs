//! `sharpness/pac_bayes_sigma*`: how much noise the weights bear.

use clmbench_sdk::{estimation::Molecules, prelude::*, random::Stream};

use crate::{
    batches::affordable,
    loss::{mean_of, resolution},
    region::scale,
    rises::Rises,
};

/// The largest sigma at which the mean loss rises by no more than `rise` under noise `d ~ N(0, sigma^2 diag(c^2))`, c = 1 (raw) or
/// c = |w| (adaptive): the scale of the posterior in PAC-Bayes bounds (Dziugaite & Roy 2017; Jiang et al. 2020, section C.5). On a
/// quadratic `sigma^2 / 2 tr(C H C) = rise`. Larger is flatter; `flatness` is `1 / sigma^2`.
///
/// They lower accuracy by .1; here the loss per predicted token rises by a stated amount, which needs no threshold. A common
/// implementation passes sigma^2 where a standard deviation is meant, so that its numbers are the squares of these.
///
/// The search brackets the level and then narrows it on logarithms, by interpolation kept inside the bracket by bisection, with the
/// same pairs +z, -z of draws and the same masks at every sigma, so that the mean rise is a smooth function of sigma. With `F` the mean
/// rise and `s = d log F / d log sigma` at the end, an error of F is an error `sigma / (s F)` times as large of sigma:
/// `se_estimator` from the spread over draws, `se_sample` from the jackknife over molecules. Few draws bias sigma upward by 3/8 of
/// the squared relative spread of a draw's rise, divided by the draws: far below its error. Where the rise is not monotone, the sigma
/// found is the crossing nearest to the start on factors of two.
#[derive(Debug)]
pub struct PacBayesSigma {
    /// Whether the noise is relative to each weight.
    pub adaptive: bool,
}

/// Evaluations of the mean rise that the budget must pay for; a search takes 4 to 8 as a rule.
const PLANNED: u64 = 8;
/// Evaluations at most.
const MOST: usize = 40;
/// Relative distance from the level at which the search ends; the rest is interpolated.
const CLOSE: f64 = 1e-3;
/// Least distance of the two sigmas, as logarithms, from which the slope is taken.
const APART: f64 = 0.02;
/// Sigmas outside are not sought.
const RANGE: std::ops::RangeInclusive<f64> = 1e-8..=1e4;

impl PacBayesSigma {
    fn start(&self) -> f64 {
        if self.adaptive { 0.1 } else { 0.01 }
    }
}

impl Metric for PacBayesSigma {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::float("rise", 0.1, "rise of the mean loss that is borne, nats/token").between(1e-3, 10.0),
            ParameterInfo::integer("draws", 16, "pairs of draws, the same at every sigma; fewer where the budget is small")
                .between(2.0, 10_000.0),
        ];
        parameters.extend(Molecules::parameters(256));
        let (suffix, noise, unit) = if self.adaptive {
            (
                "_adaptive",
                "noise N(0, sigma^2 w^2), relative to each weight and so the same for rescaled layers of one function",
                "of |w|",
            )
        } else {
            ("", "noise N(0, sigma^2), of the same size on every weight", "weight")
        };
        MetricInfo {
            id: format!("sharpness/pac_bayes_sigma{suffix}"),
            doc: format!(
                "Largest sigma at which the mean loss rises by no more than `rise` under {noise}; `flatness` is 1 / sigma^2. Bracketed \
                 search on log sigma with the same draws, in pairs of opposite sign, at every sigma; the error of sigma follows from that \
                 of the rise and the slope. sigma is a standard deviation (a common implementation passes its square). The budget must pay \
                 for {PLANNED} evaluations of 2 draws; it cuts `draws`, and the value says so. Values with another `rise` are other metrics."
            ),
            citation:
                "Dziugaite & Roy 2017, arXiv:1703.11008; Jiang et al. 2020, arXiv:1912.02178, appendix C (sharpness-based, \
                       PAC-Bayes sigma; magnitude-aware for the adaptive one)"
                    .into(),
            unit: unit.into(),
            primary: "sigma".into(),
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
        let wanted = params.integer("draws")?.unsigned_abs();
        // Two losses for each pair and sigma, and one at the weights.
        let draws = affordable(probe, molecules.count, 1, (1 + 2 * PLANNED) as f64 / 3.0, wanted)?;
        if draws < 2 {
            let text = "the budget pays for one pair of draws, which has no error; take fewer molecules or a larger budget";
            return Err(PluginError::Input(text.into()));
        }
        let search = Search::new(probe, molecules, draws, scale(probe, self.adaptive)?, params.float("rise")?)?;
        let points = search.crossing(self.start())?;
        let Some(end) = points.last() else { return Err(PluginError::other("no sigma was tried")) };
        let slope = search.slope(&points, end)?;
        let (rise, se_estimator, se_sample) = end.rises.mean();
        // What is left to the level, along the slope.
        let sigma = end.sigma * (search.level / rise).powf(1.0 / slope);
        let error = |of_rise: f64| sigma * of_rise / (rise * slope);
        let (drawn, sampled) = (error(se_estimator), error(se_sample));
        let per_sigma = 2.0 / sigma.powi(3);
        let values = vec![
            Value::estimate("sigma", sigma, if self.adaptive { "of |w|" } else { "weight" }, drawn, sampled),
            Value::estimate("flatness", sigma.powi(-2), "1 / sigma^2", per_sigma * drawn, per_sigma * sampled),
            Value::exact("draws", draws as f64, "draws"),
        ];
        let rows = points.iter().map(|point| format!("{:e},{:e}\n", point.sigma, point.rise));
        let table = String::from("sigma,rise\n") + &rows.collect::<String>();
        let stopped = if draws < wanted { "budget" } else { "complete" };
        Ok(Measurement {
            values,
            artifacts: vec![("search.csv".into(), table.into_bytes())],
            molecules: molecules.count,
            stopped,
        })
    }
}

/// What is searched.
struct Search<'a, 'p> {
    probe: &'a Probe<'p>,
    molecules: Molecules,
    /// Losses at the weights for each draw; a single one where masks do not differ.
    here: Vec<LossRows>,
    draws: u64,
    scale: Tensor,
    level: f64,
}

/// A sigma that was tried.
struct Point {
    sigma: f64,
    /// Mean rise; infinite where a loss was not finite.
    rise: f64,
    rises: Rises,
}

impl<'a, 'p> Search<'a, 'p> {
    fn new(probe: &'a Probe<'p>, molecules: Molecules, draws: u64, scale: Tensor, level: f64) -> Result<Self, PluginError> {
        let masks = if molecules.draws_differ(probe)? { draws } else { 1 };
        let mut here = Vec::new();
        for draw in 0..masks {
            let rows = probe.loss(molecules.whole(draw), None)?;
            let loss = mean_of(&rows, molecules.whole(draw), false)?;
            if level < 100.0 * resolution(scale.kind(), loss) {
                let text = format!("a rise of {level} is too small beside a loss of {loss:.3e}; take a larger `rise`");
                return Err(PluginError::Input(text));
            }
            here.push(rows);
        }
        Ok(Self { probe, molecules, here, draws, scale, level })
    }

    fn at(&self, sigma: f64) -> Result<Point, PluginError> {
        let mut rises = Rises::new(self.molecules.count);
        for draw in 0..self.draws {
            let sample = self.molecules.whole(draw);
            let noise = Stream::new(self.probe.rng(&format!("noise {draw}"))).normals(&self.scale)?;
            let step = noise * &self.scale * sigma;
            let there = [self.probe.loss(sample, Some(&step))?, self.probe.loss(sample, Some(&-step))?];
            rises.add(&self.here[draw as usize % self.here.len()], &there);
        }
        let rise = rises.mean().0;
        Ok(Point { sigma, rise: if rise.is_nan() { f64::INFINITY } else { rise }, rises })
    }

    /// Sigmas tried, the last of which is within 0.1 % of the level.
    fn crossing(&self, start: f64) -> Result<Vec<Point>, PluginError> {
        let mut points: Vec<Point> = Vec::new();
        // (sigma, rise) on either side of the level.
        let (mut low, mut high) = (None, None);
        let mut sigma = start;
        while points.len() < MOST {
            self.probe.progress(points.len() as u64, PLANNED.max(points.len() as u64 + 1), "sigma")?;
            let point = self.at(sigma)?;
            let rise = point.rise;
            points.push(point);
            if (rise / self.level - 1.0).abs() <= CLOSE {
                return Ok(points);
            }
            if points.len() as u64 > PLANNED && self.probe.spent()? > self.probe.budget() {
                break;
            }
            *(if rise < self.level { &mut low } else { &mut high }) = Some((sigma, rise));
            // Where a parabola through the weights would have it.
            let parabola = if rise > 0.0 && rise.is_finite() { (self.level / rise).sqrt() } else { 1.0 };
            sigma = match (low, high) {
                (Some(_), None) => sigma * (1.1 * parabola).clamp(2.0, 8.0),
                (None, Some(_)) => sigma * (parabola / 1.1).clamp(0.125, 0.5),
                (Some(low), Some(high)) => self.between(low, high),
                (None, None) => break,
            };
            if !RANGE.contains(&sigma) {
                let side = if high.is_none() { "at most" } else { "at least" };
                let text =
                    format!("the loss rises by {side} {rise:.3e} at sigma {:.1e}; take another `rise`", sigma.clamp(1e-8, 1e4));
                return Err(PluginError::Input(text));
            }
        }
        let text =
            format!("no sigma with a rise of {} was found in {} evaluations; take a larger budget", self.level, points.len());
        Err(PluginError::Input(text))
    }

    /// A sigma inside a bracket: by interpolation of logarithms, no nearer to its ends than a tenth of it; in the middle where that
    /// cannot be.
    fn between(&self, low: (f64, f64), high: (f64, f64)) -> f64 {
        let width = (high.0 / low.0).ln();
        let share = (self.level / low.1).ln() / (high.1 / low.1).ln();
        let least = if width > APART { 0.1 } else { 0.01 };
        let share = if low.1 > 0.0 && high.1.is_finite() { share.clamp(least, 1.0 - least) } else { 0.5 };
        low.0 * (share * width).exp()
    }

    /// `d log F / d log sigma` at the end: from the nearest sigma that is not too near.
    fn slope(&self, points: &[Point], end: &Point) -> Result<f64, PluginError> {
        let apart = |point: &Point| (point.sigma / end.sigma).ln().abs();
        let usable = points.iter().filter(|point| apart(point) >= APART && apart(point) <= 0.5);
        let usable = usable.filter(|point| point.rise > 0.0 && point.rise.is_finite());
        let nearest = usable.min_by(|a, b| apart(a).total_cmp(&apart(b))).map(|point| (point.sigma, point.rise));
        let (sigma, rise) = match nearest {
            Some(found) => found,
            None => {
                let point = self.at(end.sigma * 0.9)?;
                (point.sigma, point.rise)
            }
        };
        let slope = (end.rise / rise).ln() / (end.sigma / sigma).ln();
        if slope.is_finite() && slope > 0.1 {
            return Ok(slope);
        }
        let text = format!(
            "the loss does not rise with sigma near {:.3e} (slope {slope:.2} of their logarithms), so that sigma is not determined; take \
             another `rise`",
            end.sigma
        );
        Err(PluginError::Input(text))
    }
}
