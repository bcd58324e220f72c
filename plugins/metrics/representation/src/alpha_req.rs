//! `representation/alpha_req`: how fast the spectrum of the embeddings falls.

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::{
    embeddings::{Embeddings, MOLECULES, value},
    spectrum::Spectrum,
};

/// Slope alpha of the power law `lambda_k ~ k^-alpha` through the eigenvalues of the centred covariance: weighted least squares of
/// `log lambda_k` on `log k` with weights 1/k over the ranks 6 to 100 (Agrawal et al. 2022; ranks and weights those of the
/// code reptrix).
///
/// The paper claims that representations with alpha near 1 transfer best: larger ones lose detail, smaller ones are not smooth. The
/// primary value is therefore the distance |alpha - 1|; alpha and R^2 (weighted, of the logarithms) stand beside it.
pub struct AlphaReq;

/// Eigenvalues under this share of the largest are rounding of float32 embeddings and not fitted.
const ROUNDING: f64 = 1e-10;
/// Fewest ranks that make a slope.
const LEAST: usize = 10;

impl Metric for AlphaReq {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::integer("first_rank", 6, "first rank of the fit, from 1").between(1.0, 1_000.0),
            ParameterInfo::integer("last_rank", 100, "last rank of the fit").between(10.0, 100_000.0),
        ];
        parameters.extend(Molecules::parameters(MOLECULES));
        MetricInfo {
            id: "representation/alpha_req".into(),
            doc: "Distance |alpha - 1| of the slope of log eigenvalue on log rank, centred covariance of the embeddings, weights \
                  1/rank, ranks 6 to 100 or as many as there are (the value `last_rank` says): at most D, less than N, and \
                  eigenvalues over 1e-10 of the largest. Also `alpha` and `r_squared`. Refused below 10 ranks, so for D < 15 at the \
                  defaults. Another range of ranks gives another alpha: a model narrower than 100 is fitted to its \
                  end, where spectra drop, and is not comparable with wider ones. A low R^2 says that there is no power law. Its \
                  error is that of alpha, too wide where alpha is within one error of 1."
                .into(),
            citation: "Agrawal et al. 2022, alpha-ReQ, NeurIPS 35 (power law of the covariance's eigenvalues)".into(),
            unit: "1".into(),
            primary: "distance".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Cheap,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let rank = |name: &str| -> Result<usize, PluginError> { Ok(params.integer(name)?.unsigned_abs() as usize) };
        let (first, last) = (rank("first_rank")?.max(1), rank("last_rank")?);
        let embeddings = Embeddings::read(probe, params)?;
        let spectrum = Spectrum::new(&embeddings.centred()?, true)?;
        let last = above_rounding(&spectrum.values).min(last);
        if last < first + LEAST - 1 {
            let (count, width) = (embeddings.count, embeddings.width);
            let text = format!(
                "a slope needs {LEAST} ranks from rank {first} on; {count} embeddings of width {width} have {last} ranks"
            );
            return Err(PluginError::Input(format!("{text} that can be fitted: take more molecules or a smaller `first_rank`")));
        }
        let line = Line::fit(&spectrum.values, first, last);
        let alpha = value("alpha", "1", &spectrum.jackknife(line.alpha, &line.alpha_gradient)?)?;
        let values = vec![
            Value { name: "distance".into(), value: (alpha.value - 1.0).abs(), ..alpha.clone() },
            alpha,
            value("r_squared", "1", &spectrum.jackknife(line.r_squared, &line.r_squared_gradient)?)?,
            Value::exact("last_rank", last as f64, "rank"),
        ];
        Ok(Measurement::complete(values, embeddings.molecules.count))
    }
}

/// Eigenvalues that are more than rounding.
fn above_rounding(spectrum: &[f64]) -> usize {
    let least = ROUNDING * spectrum.first().copied().unwrap_or(0.0);
    spectrum.iter().take_while(|value| **value > least).count()
}

/// A weighted least-squares line.
struct Line {
    /// Minus the slope.
    alpha: f64,
    /// Its derivative after each eigenvalue.
    alpha_gradient: Vec<f64>,
    r_squared: f64,
    r_squared_gradient: Vec<f64>,
}

impl Line {
    /// Of log eigenvalue on log rank over ranks first..=last (from 1), weights 1/rank.
    fn fit(spectrum: &[f64], first: usize, last: usize) -> Self {
        let points: Vec<(f64, f64, f64)> = (first..=last)
            .zip(&spectrum[first - 1..last])
            .map(|(rank, value)| (1.0 / rank as f64, (rank as f64).ln(), value.ln()))
            .collect();
        let total: f64 = points.iter().map(|(weight, _, _)| weight).sum();
        let mean_x = points.iter().map(|(weight, x, _)| weight * x).sum::<f64>() / total;
        let mean_y = points.iter().map(|(weight, _, y)| weight * y).sum::<f64>() / total;
        let points: Vec<_> = points.into_iter().map(|(weight, x, y)| (weight, x - mean_x, y - mean_y)).collect();
        let sum = |of: fn(f64, f64) -> f64| points.iter().map(|(weight, x, y)| weight * of(*x, *y)).sum::<f64>();
        let (xx, xy, yy) = (sum(|x, _| x * x), sum(|x, y| x * y), sum(|_, y| y * y));
        // Equal eigenvalues, but for rounding, have no spread to explain: the line through them is exact.
        let flat = yy <= 1e-20 * total;
        let r_squared = if flat { 1.0 } else { xy * xy / (xx * yy) };
        let gradient = |of: &dyn Fn(f64, f64) -> f64| {
            let mut gradient = vec![0.0; spectrum.len()];
            for (index, (weight, x, y)) in points.iter().enumerate() {
                let rank = first - 1 + index;
                gradient[rank] = weight * of(*x, *y) / spectrum[rank];
            }
            gradient
        };
        Self {
            alpha: -xy / xx,
            alpha_gradient: gradient(&|x, _| -x / xx),
            r_squared,
            r_squared_gradient: gradient(&|x, y| if flat { 0.0 } else { 2.0 * r_squared * (x / xy - y / yy) }),
        }
    }
}
