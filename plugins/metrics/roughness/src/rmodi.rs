//! `roughness/rmodi`: whether nearest neighbours have near labels.

use clmbench_sdk::prelude::*;

use crate::{
    halves,
    modelability::regression_modelability,
    task::{Labelled, parameter},
};

/// Regression modelability index of Ruiz & Gómez-Nieto 2018, [`regression_modelability`], over the embeddings of a task's training
/// molecules.
pub struct Rmodi;

impl Metric for Rmodi {
    fn info(&self) -> MetricInfo {
        let doc = "labels within this many standard deviations of each other are alike";
        MetricInfo {
            id: "roughness/rmodi".into(),
            doc: "Share of molecules whose nearest neighbour with an alike label (within `delta` standard deviations) is nearer than the \
                  nearest with another label: whose rivality index (d_alike - d_unlike) / (d_alike + d_unlike) is negative. \
                  Euclidean, embeddings as they are; equally near does not count. It depends on how labels are spread: for labels \
                  that most molecules share it is high whatever the embeddings, so compare models, not tasks. Refused for constant \
                  labels."
                .into(),
            citation: "Ruiz & Gomez-Nieto 2018, J. Chem. Inf. Model. 58, 2069 (RMODI; delta of equation 9)".into(),
            unit: "1".into(),
            primary: "rmodi".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::CheckpointDataset,
            cost: CostClass::Cheap,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: vec![TaskKind::Regression],
            parameters: vec![parameter(), ParameterInfo::float("delta", 0.625, doc).between(0.01, 10.0)],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let delta = params.float("delta")?;
        let set = Labelled::read(probe, params)?;
        let score = |left: &[usize]| {
            set.differing(left)?;
            Ok(regression_modelability(&set.distances, &set.labels, left, set.distances.largest(left)?, delta))
        };
        let value = halves::value(probe, "rmodi", &[set.distances.all()], score)?;
        Ok(Measurement::complete(vec![value], set.labels.len() as u64))
    }
}
