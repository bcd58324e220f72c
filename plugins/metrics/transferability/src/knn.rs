//! `transferability/knn`: nearest neighbours, cross-validated inside the training molecules.

use clmbench_sdk::prelude::*;

use crate::{
    card::{Card, jackknife_doc},
    jackknife,
    linear::{numbers, sum_in},
    problem,
    score::{FOLDS, Target},
};

/// Mean label of the nearest neighbours, five folds.
pub struct Knn;

/// Molecules whose distances are held at once.
const CHUNK: i64 = 512;

impl Metric for Knn {
    fn info(&self) -> MetricInfo {
        Card {
            name: "knn",
            doc: concat!(
                "Nearest neighbours (5, Euclidean, uniform weights), cross-validated inside the training molecules in five folds (dealt in \
                 turn in the molecules' random order, within each class): R2 of the mean label for regression; for classification the area \
                 under the ROC curve of the share of neighbours, mean over classes. Both over all folds together. Distances are of the \
                 embeddings as they are: a few large coordinates decide. ",
                jackknife_doc!(),
                ", predictions fixed, so that it leaves out what other training molecules would change."
            ),
            citation: "Cover & Hart 1967, doi:10.1109/TIT.1967.1053964; as in Aldeghi et al. 2022, doi:10.1021/acs.jcim.2c00903",
            unit: "1",
            parameters: vec![ParameterInfo::integer("neighbours", 5, "neighbours").between(1.0, 1000.0)],
        }
        .any_task()
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let target = Target::new(probe, params)?;
        let neighbours = params.integer("neighbours")?;
        let outputs = target.outputs()?;
        // float32 once centred: only neighbours at nearly the same distance could change places.
        let features = problem::centred(&problem::features(probe, target.labels.len())?)?.f_to_kind(Kind::Float)?;
        let mut predictions = vec![Vec::new(); target.labels.len()];
        for fold in 0..FOLDS {
            probe.progress(fold as u64, FOLDS as u64, "fold")?;
            let train = jackknife::rows(&target.folds, |of| *of != fold)?;
            if train.size()[0] < neighbours {
                let text = format!("{} molecules to learn from, but {neighbours} neighbours; set fewer", train.size()[0]);
                return Err(PluginError::Input(text));
            }
            let test: Vec<usize> = (0..target.folds.len()).filter(|at| target.folds[*at] == fold).collect();
            let learned = Learned {
                features: features.f_index_select(0, &train)?,
                outputs: outputs.f_index_select(0, &train)?,
                neighbours,
            };
            let asked = features.f_index_select(0, &jackknife::rows(&target.folds, |of| *of == fold)?)?;
            for (at, predicted) in test.into_iter().zip(learned.predict(&asked)?) {
                predictions[at] = predicted;
            }
        }
        let value = target.score("knn", &predictions)?;
        Ok(Measurement::complete(vec![value], target.labels.len() as u64))
    }
}

/// Molecules whose labels are known.
struct Learned {
    features: Tensor,
    outputs: Tensor,
    neighbours: i64,
}

impl Learned {
    /// Mean outputs of the nearest neighbours, for each row.
    fn predict(&self, features: &Tensor) -> Result<Vec<Vec<f64>>, PluginError> {
        // [x', 1] [-2 x, |x|^2]^T: squared distances but for the row's own length, which does not change their order.
        let lengths = sum_in(&self.features.f_square()?, 1)?.f_unsqueeze(1)?;
        let known = Tensor::f_cat(&[self.features.f_mul_scalar(-2.0)?, lengths], 1)?.f_transpose(0, 1)?;
        let (count, width) = (features.size()[0], self.outputs.size()[1] as usize);
        let outputs = numbers(&self.outputs)?;
        let mut predictions = Vec::with_capacity(count as usize);
        for start in (0..count).step_by(CHUNK as usize) {
            let rows = features.f_narrow(0, start, CHUNK.min(count - start))?;
            let rows = Tensor::f_cat(&[&rows, &rows.f_narrow(1, 0, 1)?.f_ones_like()?], 1)?;
            let distances = Vec::<f32>::try_from(rows.f_mm(&known)?.f_flatten(0, -1)?)?;
            for row in distances.chunks(self.outputs.size()[0] as usize) {
                let nearest = smallest(row, self.neighbours as usize);
                let mean = |output: usize| nearest.iter().map(|(_, at)| outputs[at * width + output]).sum::<f64>();
                predictions.push((0..width).map(|output| mean(output) / nearest.len() as f64).collect());
            }
        }
        Ok(predictions)
    }
}

/// The smallest values with their places, by value; of equal ones the first.
fn smallest(values: &[f32], count: usize) -> Vec<(f32, usize)> {
    let mut found: Vec<(f32, usize)> = Vec::with_capacity(count + 1);
    let mut worst = f32::INFINITY;
    for (at, value) in values.iter().enumerate() {
        if *value < worst || found.len() < count {
            found.insert(found.partition_point(|(other, _)| other <= value), (*value, at));
            found.truncate(count);
            if found.len() == count {
                worst = found[count - 1].0;
            }
        }
    }
    found
}
