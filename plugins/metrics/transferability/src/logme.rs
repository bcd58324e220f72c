//! `transferability/logme`: exact log evidence of a Bayesian linear regression.

use clmbench_sdk::prelude::*;

use crate::{
    card::{Card, jackknife_doc},
    jackknife::{self, GROUPS, Groups},
    linear::{Cholesky, identity, number, numbers, sum},
    problem,
};

/// Log marginal evidence, `max over alpha, beta of ln N(y; 0, I / beta + F F^T / alpha) / N`, mean over outputs.
pub struct LogMe;

/// Ratios `t = alpha / beta` that are searched, in units of the largest eigenvalue of `F^T F`: from and to, as natural logarithms.
const RANGE: (f64, f64) = (-25.0, 25.0);
/// Points of the first search.
const POINTS: usize = 101;
/// Eigenvalues below this share of the largest are rounding.
const RANK: f64 = 1e-12;

impl Metric for LogMe {
    fn info(&self) -> MetricInfo {
        Card {
            name: "logme",
            doc: concat!(
                "Exact log evidence of Bayesian linear regression: max over alpha, beta of ln N(y; 0, I/beta + F F^T/alpha) / N, mean over \
                 outputs. Embeddings F and labels y as they are (no intercept); classification: an output 0/1 for each class. With t = \
                 alpha/beta the best beta is of closed form, and t is searched over 22 decades on the eigenvalues of F^T F (a grid, then golden \
                 sections). Exact for N < D and deficient ranks, where the fixed point of thuml/LogME is too high by (D - k)/(2N) ln alpha. In \
                 regression the evidence contains - ln of the label's unit: not comparable between tasks. Refused where labels are an \
                 exact linear function of the embeddings. Also `effective_dimensions`, sum of s/(s + t). ",
                jackknife_doc!(),
                ", at the t of all of them (to first order that is no loss)."
            ),
            citation: "You et al. 2021, arXiv:2102.11005, eq. 2 to 4; exact evidence: Bishop 2006, eq. 3.86",
            unit: "nats",
            parameters: Vec::new(),
        }
        .any_task()
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let labels = problem::labels(probe, params)?;
        let outputs = outputs(&labels, problem::kind(probe)?)?;
        let features = problem::features(probe, labels.len())?;
        let spectrum = Spectrum::new(&features)?;
        let (mut evidence, mut dimensions, mut ratios) = (0.0, 0.0, Vec::new());
        for output in 0..outputs.size()[1] {
            let best = spectrum.explain(&outputs.f_select(1, output)?)?.best()?;
            evidence += best.evidence;
            dimensions += best.dimensions;
            ratios.push(best.ratio);
        }
        let count = ratios.len() as f64;
        let without = Downdates::new(&features, &outputs)?.evidences(&ratios)?;
        let mean = evidence / count;
        let values = vec![
            jackknife::value("logme", "nats", mean, &without)?,
            Value::exact("effective_dimensions", dimensions / count, "dimensions"),
        ];
        Ok(Measurement::complete(values, labels.len() as u64))
    }
}

/// What is regressed on the features [N, K].
fn outputs(labels: &[f64], kind: TaskKind) -> Result<Tensor, PluginError> {
    match kind {
        TaskKind::Regression => Ok(Tensor::f_from_slice(labels)?.f_unsqueeze(1)?),
        TaskKind::Classification => crate::Labelling::Classes.classes(labels)?.one_hot(),
    }
}

/// Eigenvalues of `F F^T` that are not zero, and how an output is taken to their vectors.
struct Spectrum {
    features: Tensor,
    values: Vec<f64>,
    /// Orthonormal columns: of `F F^T` [N, k] for N < D, else of `F^T F` [D, k].
    vectors: Tensor,
}

impl Spectrum {
    fn new(features: &Tensor) -> Result<Self, PluginError> {
        let (count, width) = features.size2()?;
        let transposed = features.f_transpose(0, 1)?;
        let gram = if count < width { features.f_mm(&transposed)? } else { transposed.f_mm(features)? };
        let (values, vectors) = gram.f_linalg_eigh("L")?;
        let values = numbers(&values.f_flip([0])?)?;
        let kept = values.iter().take_while(|value| **value > RANK * values[0]).count();
        let vectors = vectors.f_flip([1])?.f_narrow(1, 0, kept as i64)?;
        Ok(Self { features: features.shallow_clone(), values: values[..kept].to_vec(), vectors })
    }

    /// An output along the eigenvectors of `F F^T`.
    fn explain(&self, output: &Tensor) -> Result<Explained<'_>, PluginError> {
        let (count, width) = self.features.size2()?;
        let transposed = self.vectors.f_transpose(0, 1)?;
        // The residual by its vector: the difference of squared lengths would cancel.
        let (along, explained) = if count < width {
            let along = transposed.f_mv(output)?;
            let explained = self.vectors.f_mv(&along)?;
            (along, explained)
        } else {
            let roots = Tensor::f_from_slice(&self.values)?.f_sqrt()?;
            let along = transposed.f_mv(&self.features.f_transpose(0, 1)?.f_mv(output)?)?.f_div(&roots)?;
            let explained = self.features.f_mv(&self.vectors.f_mv(&along.f_div(&roots)?)?)?;
            (along, explained)
        };
        let squares = numbers(&along.f_square()?)?;
        let left = output.f_sub(&explained)?;
        let residual = if squares.len() as i64 >= count { 0.0 } else { number(&left.f_dot(&left)?)? };
        let length = number(&output.f_dot(output)?)?;
        Ok(Explained { values: &self.values, squares, length, residual, count: count as f64 })
    }
}

/// An output: squared lengths along the eigenvectors and off them.
struct Explained<'a> {
    values: &'a [f64],
    squares: Vec<f64>,
    length: f64,
    residual: f64,
    count: f64,
}

/// Where the evidence is highest.
struct Best {
    evidence: f64,
    ratio: f64,
    dimensions: f64,
}

impl Explained<'_> {
    /// Log evidence over N at `t = alpha / beta`, for the best beta: `1/beta = Q/N`, `Q = y^T (I + F F^T / t)^-1 y`.
    fn evidence(&self, ratio: f64) -> f64 {
        let terms = self.values.iter().zip(&self.squares);
        let quadratic = self.residual + terms.map(|(value, square)| square / (1.0 + value / ratio)).sum::<f64>();
        let determinant: f64 = self.values.iter().map(|value| (value / ratio).ln_1p()).sum();
        let scale = (std::f64::consts::TAU * quadratic / self.count).ln();
        -0.5 * (scale + 1.0) - determinant / (2.0 * self.count)
    }

    /// The highest evidence: the best of a grid over ln t, refined between its neighbours.
    fn best(&self) -> Result<Best, PluginError> {
        let exact = self.residual <= 1e-20 * self.length && (self.squares.len() as f64) < self.count;
        if exact {
            let text = "labels are an exact linear function of the embeddings, so that the evidence has no maximum";
            return Err(PluginError::Input(format!("{text}; is a label's copy among the inputs?")));
        }
        let at = |point: f64| self.evidence(self.values[0] * point.exp());
        let step = (RANGE.1 - RANGE.0) / (POINTS - 1) as f64;
        let points = (0..POINTS).map(|index| RANGE.0 + step * index as f64);
        let top = points.fold((RANGE.0, f64::NEG_INFINITY), |best, point| {
            let value = at(point);
            if value > best.1 { (point, value) } else { best }
        });
        let (mut low, mut high) = ((top.0 - step).max(RANGE.0), (top.0 + step).min(RANGE.1));
        let golden = (5_f64.sqrt() - 1.0) / 2.0;
        while high - low > 1e-9 {
            let (left, right) = (high - golden * (high - low), low + golden * (high - low));
            if at(left) < at(right) { low = left } else { high = right }
        }
        let middle = f64::midpoint(low, high);
        let point = if at(middle) >= top.1 { middle } else { top.0 };
        let (evidence, ratio) = (at(point), self.values[0] * point.exp());
        if !evidence.is_finite() {
            return Err(PluginError::NonFinite(format!("the log evidence is {evidence} at alpha/beta = {ratio}")));
        }
        Ok(Best { evidence, ratio, dimensions: self.values.iter().map(|value| value / (value + ratio)).sum() })
    }
}

/// Evidence without each group, by Cholesky factors of what is left: [D, D] matrices, or [N, N] ones for N < D.
struct Downdates {
    features: Tensor,
    outputs: Tensor,
    groups: Groups,
}

impl Downdates {
    fn new(features: &Tensor, outputs: &Tensor) -> Result<Self, PluginError> {
        let groups = Groups::new(features.size()[0] as usize);
        Ok(Self { features: features.shallow_clone(), outputs: outputs.shallow_clone(), groups })
    }

    /// Mean over outputs of the evidence at these ratios, without each group.
    fn evidences(&self, ratios: &[f64]) -> Result<Vec<f64>, PluginError> {
        let (count, width) = self.features.size2()?;
        if count < width { self.small(ratios) } else { self.large(ratios) }
    }

    fn small(&self, ratios: &[f64]) -> Result<Vec<f64>, PluginError> {
        let gram = self.features.f_mm(&self.features.f_transpose(0, 1)?)?;
        let mut without = Vec::with_capacity(GROUPS);
        for group in 0..GROUPS {
            let rows = jackknife::rows(&self.groups.of, |of| *of != group)?;
            let gram = gram.f_index_select(0, &rows)?.f_index_select(1, &rows)?;
            let outputs = self.outputs.f_index_select(0, &rows)?;
            let mut sum = 0.0;
            for (output, ratio) in ratios.iter().enumerate() {
                let matrix = gram.f_div_scalar(*ratio)?.f_add(&identity(rows.size()[0])?)?;
                let factor = Cholesky::new(&matrix, "the evidence's covariance")?;
                let output = outputs.f_narrow(1, output as i64, 1)?;
                let quadratic = number(&output.f_mul(&factor.solve(&output)?)?.f_sum(Kind::Double)?)?;
                sum += evidence(quadratic, factor.log_determinant()?, rows.size()[0] as f64);
            }
            without.push(sum / ratios.len() as f64);
        }
        Ok(without)
    }

    fn large(&self, ratios: &[f64]) -> Result<Vec<f64>, PluginError> {
        let mut parts = Vec::with_capacity(GROUPS);
        for rows in self.groups.rows()? {
            let (features, outputs) = (self.features.f_index_select(0, &rows)?, self.outputs.f_index_select(0, &rows)?);
            let transposed = features.f_transpose(0, 1)?;
            let squares = sum(&outputs.f_square()?, 0)?;
            parts.push(([transposed.f_mm(&features)?, transposed.f_mm(&outputs)?, squares], rows.size()[0] as f64));
        }
        let total = |which: usize| -> Result<Tensor, PluginError> {
            let mut sum = parts[0].0[which].f_zeros_like()?;
            for (part, _) in &parts {
                sum = sum.f_add(&part[which])?;
            }
            Ok(sum)
        };
        let (grams, products, squares) = (total(0)?, total(1)?, total(2)?);
        let molecules = self.groups.of.len() as f64;
        let mut without = Vec::with_capacity(GROUPS);
        for ([gram, product, square], count) in &parts {
            let (gram, product) = (grams.f_sub(gram)?, products.f_sub(product)?);
            let (square, count) = (numbers(&squares.f_sub(square)?)?, molecules - count);
            let mut sum = 0.0;
            for (output, ratio) in ratios.iter().enumerate() {
                let matrix = gram.f_div_scalar(*ratio)?.f_add(&identity(gram.size()[0])?)?;
                let factor = Cholesky::new(&matrix, "the evidence's covariance")?;
                let product = product.f_narrow(1, output as i64, 1)?;
                // Woodbury: (I + F F^T / t)^-1 = I - F (I + F^T F / t)^-1 F^T / t.
                let explained = number(&product.f_mul(&factor.solve(&product)?)?.f_sum(Kind::Double)?)? / ratio;
                let quadratic = (square[output] - explained).max(1e-12 * square[output]);
                sum += evidence(quadratic, factor.log_determinant()?, count);
            }
            without.push(sum / ratios.len() as f64);
        }
        Ok(without)
    }
}

/// Log evidence over N from the quadratic form and the log determinant.
fn evidence(quadratic: f64, determinant: f64, count: f64) -> f64 {
    -0.5 * ((std::f64::consts::TAU * quadratic / count).ln() + 1.0) - determinant / (2.0 * count)
}
