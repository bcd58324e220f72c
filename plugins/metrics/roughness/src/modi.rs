//! `roughness/modi`: whether nearest neighbours are of one class.

use clmbench_sdk::prelude::*;

use crate::{
    halves,
    modelability::modelability,
    task::{Labelled, parameter},
};

/// Modelability index of Golbraikh et al. 2014, [`modelability`], over the embeddings of a task's training molecules.
pub struct Modi;

impl Metric for Modi {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "roughness/modi".into(),
            doc: "Mean over both classes of the share of their molecules whose nearest neighbour (Euclidean, embeddings as they are) has \
                  the same class; equally near ones share. 0.5 for unrelated labels, 1 at best; the source calls sets under 0.65 not \
                  modelable. A feature with a large range decides who is near. Rare classes make it noisy. Error: random halves of each class. Refused for a class with fewer than 2 members."
                .into(),
            citation: "Golbraikh et al. 2014, J. Chem. Inf. Model. 54, 1 (MODI)".into(),
            unit: "1".into(),
            primary: "modi".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::CheckpointDataset,
            cost: CostClass::Cheap,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: vec![TaskKind::Classification],
            parameters: vec![parameter()],
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let set = Labelled::read(probe, params)?;
        if let Some(label) = set.labels.iter().find(|label| **label != 0.0 && **label != 1.0) {
            return Err(PluginError::Input(format!("a label is {label}; classes are 0 and 1")));
        }
        let classes =
            [0.0, 1.0].map(|class| (0..set.labels.len()).filter(|index| set.labels[*index] == class).collect::<Vec<_>>());
        for (class, members) in classes.iter().enumerate() {
            if members.len() < 2 {
                let text = format!("class {class} has {} of {} molecules", members.len(), set.labels.len());
                return Err(PluginError::Input(format!(
                    "{text}; each class needs 2: take more (parameter `molecules`) or leave the task out"
                )));
            }
        }
        let score = |left: &[usize]| Ok(modelability(&set.distances, &set.labels, left, set.distances.largest(left)?));
        let value = halves::value(probe, "modi", &classes, score)?;
        Ok(Measurement::complete(vec![value], set.labels.len() as u64))
    }
}
