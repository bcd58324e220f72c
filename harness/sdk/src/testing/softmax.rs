//! Softmax regression: linear in its parameters, so that the Fisher matrix is the Hessian.

use std::ops::Range;

use clmbench_api::{Labels, Role};
use tch::{Device, Kind, Tensor};

use super::TestModel;
use crate::{PluginError, random::Stream};

/// Molecule i has two predicted tokens, each with its features x [D]; logits are `W x` over V labels.
pub struct Softmax {
    /// Weights W, flat [V * D].
    pub weights: Tensor,
    /// Features [2 N, D].
    pub features: Tensor,
    /// Labels [2 N].
    pub targets: Tensor,
    entries: i64,
}

/// Predicted tokens of a molecule.
const TOKENS: u64 = 2;

impl Softmax {
    /// V labels, D features and this many molecules, drawn from a seed.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(entries: i64, width: i64, molecules: i64, seed: u64) -> Result<Self, PluginError> {
        let mut stream = Stream::new(seed);
        let rows = molecules * TOKENS as i64;
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Double, Device::Cpu));
        let weights = stream.normals(&zeros(&[entries * width]))?;
        let features = stream.normals(&zeros(&[rows, width]))?;
        let targets: Vec<i64> = (0..rows).map(|_| (stream.bits() % entries as u64) as i64).collect();
        Ok(Self { weights, features, targets: Tensor::from_slice(&targets), entries })
    }

    /// Trace of the Hessian, and of the Fisher matrix: the mean of `(1 - sum_v p_v^2) |x|^2` over tokens.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn trace(&self) -> Result<f64, PluginError> {
        let chances = self.logits(&self.weights, 0, self.features.size()[0])?.f_softmax(-1, Kind::Double)?;
        let spread: Tensor = 1.0 - chances.square().sum_dim_intlist(&[1_i64][..], false, Kind::Double);
        let lengths = self.features.square().sum_dim_intlist(&[1_i64][..], false, Kind::Double);
        Ok((spread * lengths).mean(Kind::Double).f_double_value(&[])?)
    }

    fn logits(&self, weights: &Tensor, start: i64, count: i64) -> Result<Tensor, PluginError> {
        let matrix = weights.f_view([self.entries, -1])?;
        Ok(self.features.f_narrow(0, start, count)?.f_matmul(&matrix.f_transpose(0, 1)?)?)
    }
}

impl TestModel for Softmax {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        vec![("weight".into(), Role::Weight, vec![self.entries, self.weights.numel() as i64 / self.entries])]
    }

    fn weights(&self) -> Tensor {
        self.weights.shallow_clone()
    }

    fn tokens(&self) -> Vec<u64> {
        vec![TOKENS; self.targets.numel() / TOKENS as usize]
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, labels: Labels, stream: &mut Stream) -> Result<Tensor, PluginError> {
        let (start, count) = ((of.start * TOKENS) as i64, ((of.end - of.start) * TOKENS) as i64);
        let logits = self.logits(weights, start, count)?;
        cross_entropy(&logits, &self.targets.f_narrow(0, start, count)?, labels, stream)
    }
}

/// Cross-entropy [M] of logits [M, V] with these targets [M], or with ones drawn from the logits' own distribution.
pub(super) fn cross_entropy(
    logits: &Tensor,
    targets: &Tensor,
    labels: Labels,
    stream: &mut Stream,
) -> Result<Tensor, PluginError> {
    let logs = logits.f_log_softmax(-1, Kind::Double)?;
    let targets = match labels {
        Labels::Data => targets.shallow_clone(),
        Labels::Sampled => {
            let chances = logs.detach().exp();
            let rows = Vec::<Vec<f64>>::try_from(&chances)?;
            let drawn = rows.iter().map(|row| {
                let mut left = stream.uniform();
                let hit = row.iter().position(|chance| {
                    left -= chance;
                    left < 0.0
                });
                hit.unwrap_or(row.len() - 1) as i64
            });
            Tensor::from_slice(&drawn.collect::<Vec<i64>>())
        }
    };
    Ok(-logs.f_gather(1, &targets.f_unsqueeze(1)?, false)?.f_squeeze_dim(1)?)
}
