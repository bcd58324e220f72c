//! `representation/rankme`: how many directions the embeddings use.

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::{
    embeddings::{Embeddings, MOLECULES, value},
    spectrum::Spectrum,
};

/// `exp(-sum p_k log p_k)` with `p_k = sigma_k / sum sigma + 1e-7`, sigma the min(N, D) singular values of the embeddings, not
/// centred: Garrido et al. 2023, equation 1.
///
/// The singular values are roots of the eigenvalues of X^T X in float64; those under 3e-7 of the largest are taken as 0, which moves
/// the value by less than its constant 1e-7 does.
pub struct RankMe;

/// The constant of the paper.
const EPSILON: f64 = 1e-7;

impl Metric for RankMe {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "representation/rankme".into(),
            doc: "exp of the entropy of p_k = sigma_k / sum(sigma) + 1e-7, where sigma are the singular values of the [N, D] \
                  embeddings, not centred. Bounds: 1 to min(N, D), so that models of another width, and samples of fewer molecules \
                  than dimensions, differ by their bounds alone: see `share`, the value over min(N, D). The paper takes 25,600 \
                  samples and compares runs of one method. reptrix differs: it takes ratios of explained variance, that is, squares of \
                  centred singular values. A large common mean of the embeddings is one direction with most of the weight and \
                  lowers the value."
                .into(),
            citation: "Garrido et al. 2023, arXiv:2210.02885, equation 1".into(),
            unit: "directions".into(),
            primary: "rankme".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Cheap,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: Molecules::parameters(MOLECULES).into(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let embeddings = Embeddings::read(probe, params)?;
        let spectrum = Spectrum::new(&embeddings.rows, false)?;
        let (rank, gradient) = rank(&spectrum.values);
        let each = spectrum.jackknife(rank, &gradient)?;
        let bound = embeddings.count.min(embeddings.width) as f64;
        let shares: Vec<f64> = each.iter().map(|rank| rank / bound).collect();
        let values = vec![value("rankme", "directions", &each)?, value("share", "1", &shares)?];
        Ok(Measurement::complete(values, embeddings.molecules.count))
    }
}

/// Of eigenvalues of X^T X, with its gradient, which is taken as 0 for eigenvalues that are 0: no molecule adds to them.
fn rank(spectrum: &[f64]) -> (f64, Vec<f64>) {
    let total: f64 = spectrum.iter().map(|value| value.sqrt()).sum();
    let share = |value: f64| value.sqrt() / total + EPSILON;
    let rank = (-spectrum.iter().map(|value| share(*value) * share(*value).ln()).sum::<f64>()).exp();
    // Of the entropy over one share, and its mean over shares, which their sum of 1 takes out.
    let slope = |value: f64| -(share(value).ln() + 1.0);
    let mean = spectrum.iter().map(|value| slope(*value) * value.sqrt() / total).sum::<f64>();
    let gradient = |value: &f64| if *value > 0.0 { rank * (slope(*value) - mean) / total / (2.0 * value.sqrt()) } else { 0.0 };
    (rank, spectrum.iter().map(gradient).collect())
}
