//! `roughness/rogi`: how fast the spread of labels falls while near molecules are merged.

use clmbench_sdk::prelude::*;

use crate::coarsening::{Curve, measure, parameters};

/// ROGI of Aldeghi et al. 2022, [`Curve::rogi`], over the embeddings of a task's training molecules.
pub struct Rogi;

impl Metric for Rogi {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "roughness/rogi".into(),
            doc: "Labels scaled to [0, 1], Euclidean distances over the largest possible one (root of the summed squared \
                  ranges of the features), complete linkage; sigma(t) is twice the standard deviation of the mean labels of \
                  clusters of diameter t. ROGI = sigma(0) - integral of sigma over t from 0 to 1 (trapezia, thresholds at \
                  least 0.01 apart). Larger is rougher and claims a worse model. Compares representations of like dimension \
                  only: in many dimensions all distances are nearly the same share of the largest, whatever the labels; see rogi_xd. \
                  Falls with N. Labels with one far outlier have little spread. Also `spread`, sigma(0), and the curve. \
                  Regression; constant labels are refused."
                .into(),
            citation: "Aldeghi et al. 2022, J. Chem. Inf. Model. 62, 4660 (arXiv:2207.09250), ROGI".into(),
            unit: "1".into(),
            primary: "rogi".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::CheckpointDataset,
            cost: CostClass::Cheap,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: vec![TaskKind::Regression],
            parameters: parameters(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        measure(probe, params, "rogi", Curve::rogi)
    }
}
