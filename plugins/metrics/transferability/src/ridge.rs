//! `transferability/ridge`: ridge regression, cross-validated inside the training molecules.

use clmbench_sdk::prelude::*;

use crate::{
    card::{Card, jackknife_doc},
    jackknife,
    linear::{number, numbers, sum},
    problem,
    score::{FOLDS, Target},
};

/// Ridge regression with intercept, five folds, the strength chosen inside each.
pub struct Ridge;

/// Strengths, in units of the mean eigenvalue of the features' scatter: powers of ten, four a decade.
const STRENGTHS: std::ops::RangeInclusive<i32> = -24..=24;

impl Metric for Ridge {
    fn info(&self) -> MetricInfo {
        Card {
            name: "ridge",
            doc: concat!(
                "Ridge regression with intercept, cross-validated inside the training molecules in five folds (dealt in turn in the \
                 molecules' random order, within each class), the strength of each output chosen without the fold by generalised \
                 cross-validation among 49 from 1e-6 to 1e6 mean eigenvalues: R2 for regression; for classification an output 0/1 for \
                 each class and the mean over classes of the area under the ROC curve. Both over all folds together. ",
                jackknife_doc!(),
                ", predictions fixed, so that it leaves out what other training molecules would change."
            ),
            citation: "Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634; strength: Golub et al. 1979, doi:10.1080/00401706.1979.10489751, eq. 1.4",
            unit: "1",
            parameters: Vec::new(),
        }
        .any_task()
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let target = Target::new(probe, params)?;
        let outputs = target.outputs()?;
        let features = problem::centred(&problem::features(probe, target.labels.len())?)?;
        let mut parts = Vec::with_capacity(FOLDS);
        for fold in 0..FOLDS {
            let rows = jackknife::rows(&target.folds, |of| *of == fold)?;
            parts.push(Sums::new(&features.f_index_select(0, &rows)?, &outputs.f_index_select(0, &rows)?)?);
        }
        let mut predictions = vec![Vec::new(); target.labels.len()];
        for fold in 0..FOLDS {
            probe.progress(fold as u64, FOLDS as u64, "fold")?;
            let rest: Vec<&Sums> = parts.iter().enumerate().filter(|(at, _)| *at != fold).map(|(_, part)| part).collect();
            let (coefficients, intercepts) = Sums::total(&rest)?.fit()?;
            let rows = jackknife::rows(&target.folds, |of| *of == fold)?;
            let predicted = numbers(&features.f_index_select(0, &rows)?.f_mm(&coefficients)?.f_add(&intercepts)?)?;
            let places = (0..target.folds.len()).filter(|at| target.folds[*at] == fold);
            for (at, row) in places.zip(predicted.chunks(intercepts.numel())) {
                predictions[at] = row.to_vec();
            }
        }
        let value = target.score("ridge", &predictions)?;
        Ok(Measurement::complete(vec![value], target.labels.len() as u64))
    }
}

/// All that a ridge regression needs of some molecules.
struct Sums {
    count: f64,
    /// [D]
    features: Tensor,
    /// [K]
    outputs: Tensor,
    /// [D, D]
    gram: Tensor,
    /// [D, K]
    products: Tensor,
    /// [K]
    squares: Tensor,
}

impl Sums {
    fn new(features: &Tensor, outputs: &Tensor) -> Result<Self, PluginError> {
        let transposed = features.f_transpose(0, 1)?;
        Ok(Self {
            count: features.size()[0] as f64,
            features: sum(features, 0)?,
            outputs: sum(outputs, 0)?,
            gram: transposed.f_mm(features)?,
            products: transposed.f_mm(outputs)?,
            squares: sum(&outputs.f_square()?, 0)?,
        })
    }

    fn total(parts: &[&Self]) -> Result<Self, PluginError> {
        let add = |of: fn(&Self) -> &Tensor| -> Result<Tensor, PluginError> {
            let mut total = of(parts[0]).f_zeros_like()?;
            for part in parts {
                total = total.f_add(of(part))?;
            }
            Ok(total)
        };
        Ok(Self {
            count: parts.iter().map(|part| part.count).sum(),
            features: add(|part| &part.features)?,
            outputs: add(|part| &part.outputs)?,
            gram: add(|part| &part.gram)?,
            products: add(|part| &part.products)?,
            squares: add(|part| &part.squares)?,
        })
    }

    /// Coefficients [D, K] and intercepts [K] at the strengths with the lowest generalised cross-validation.
    fn fit(&self) -> Result<(Tensor, Tensor), PluginError> {
        let (means, levels) = (self.features.f_div_scalar(self.count)?, self.outputs.f_div_scalar(self.count)?);
        let scatter = self.gram.f_sub(&self.features.f_outer(&means)?)?;
        let products = self.products.f_sub(&self.features.f_outer(&levels)?)?;
        let squares = numbers(&self.squares.f_sub(&self.outputs.f_mul(&levels)?)?)?;
        let width = scatter.size()[0] as f64;
        let level = number(&scatter.f_trace()?)? / width;
        let (values, vectors) = scatter.f_linalg_eigh("L")?;
        let along = vectors.f_transpose(0, 1)?.f_mm(&products)?;
        let eigenvalues: Vec<f64> = numbers(&values)?.into_iter().map(|value| value.max(0.0)).collect();
        let mut columns = Vec::with_capacity(squares.len());
        for (output, square) in squares.iter().enumerate() {
            let column = numbers(&along.f_select(1, output as i64)?)?;
            let strengths = STRENGTHS.map(|quarter| level * 10_f64.powf(f64::from(quarter) / 4.0));
            let best = strengths
                .map(|strength| (self.validation(&eigenvalues, &column, *square, strength), strength))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(level, |(_, strength)| strength);
            let shrunk: Vec<f64> = column.iter().zip(&eigenvalues).map(|(a, value)| a / (value + best)).collect();
            columns.push(vectors.f_mv(&Tensor::f_from_slice(&shrunk)?)?);
        }
        let coefficients = Tensor::f_stack(&columns, 1)?;
        let intercepts = levels.f_sub(&coefficients.f_transpose(0, 1)?.f_mv(&means)?)?;
        Ok((coefficients, intercepts))
    }

    /// Generalised cross-validation, `RSS / (N - 1 - tr H)^2` but for a constant; the intercept takes the 1.
    fn validation(&self, eigenvalues: &[f64], column: &[f64], square: f64, strength: f64) -> f64 {
        let (mut explained, mut freedom) = (0.0, self.count - 1.0);
        for (value, along) in eigenvalues.iter().zip(column) {
            // |y - F w|^2 = |y|^2 - 2 w.c + w^2 s, with w = c / (s + strength).
            let weight = along / (value + strength);
            explained += 2.0 * weight * along - weight * weight * value;
            freedom -= value / (value + strength);
        }
        if freedom <= 1e-6 * self.count { f64::INFINITY } else { (square - explained).max(0.0) / (freedom * freedom) }
    }
}
