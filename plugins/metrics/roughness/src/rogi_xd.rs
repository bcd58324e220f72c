//! `roughness/rogi_xd`: the same over the share of clusters, for representations of any dimension.

use clmbench_sdk::prelude::*;

use crate::coarsening::{Curve, measure, parameters};

/// ROGI-XD of Graff et al. 2023, [`Curve::rogi_xd`], over the embeddings of a task's training molecules.
pub struct RogiXd;

impl Metric for RogiXd {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "roughness/rogi_xd".into(),
            doc: "As roughness/rogi, but integrated over x = 1 - log(clusters) / log(N) instead of the distance, so that \
                  representations of unlike dimension can be compared: sigma(0) - integral of sigma over x from 0 to 1 \
                  (trapezia, thresholds at least 0.01 apart). Larger is rougher and claims a worse model. Labels with one \
                  far outlier have little spread. Also `spread`, sigma(0), and the curve. Errors: random halves with their \
                  labels (the reference's bootstrap resamples distances and keeps labels in place). Regression; constant \
                  labels are refused."
                .into(),
            citation: "Graff et al. 2023, arXiv:2305.08238 (ROGI-XD)".into(),
            unit: "1".into(),
            primary: "rogi_xd".into(),
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
        measure(probe, params, "rogi_xd", Curve::rogi_xd)
    }
}
