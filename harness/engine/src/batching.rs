//! Batches: molecules as tensors, padded to the longest of the batch.

use clmbench_molecules::{cache::TokenCache, vocabulary::PAD};
use tch::{Device, Kind, Tensor};

use crate::masking::{MaskKey, Masking};

/// Molecules as tensors.
#[derive(Debug)]
pub struct Batch {
    /// Token ids [B, L], i64.
    pub ids: Tensor,
    /// 1 for real tokens, 0 for padding [B, L], f32.
    pub mask: Tensor,
    /// Real tokens, special ones included.
    pub tokens: u64,
}

/// A batch with tokens to predict.
#[derive(Debug)]
pub struct MaskedBatch {
    /// What is shown to the model.
    pub shown: Batch,
    /// Indices of predicted tokens in the flattened [B * L], i64 [M].
    pub positions: Tensor,
    /// Tokens to predict, i64 [M].
    pub targets: Tensor,
    /// Row in the batch of each predicted token, [M].
    pub rows: Vec<u32>,
}

fn build(cache: &TokenCache, molecules: &[u32], mut visit: impl FnMut(usize, u32, usize, u16) -> u16) -> (Batch, usize) {
    let longest = molecules.iter().map(|molecule| cache.get(*molecule as usize).len()).max().unwrap_or(0);
    let mut ids = vec![i64::from(PAD); molecules.len() * longest];
    let mut mask = vec![0.0_f32; molecules.len() * longest];
    let mut tokens = 0;
    for (row, molecule) in molecules.iter().enumerate() {
        for (position, token) in cache.get(*molecule as usize).iter().enumerate() {
            ids[row * longest + position] = i64::from(visit(row, *molecule, position, *token));
            mask[row * longest + position] = 1.0;
            tokens += 1;
        }
    }
    let shape = [molecules.len() as i64, longest as i64];
    let batch = Batch { ids: Tensor::from_slice(&ids).view(shape), mask: Tensor::from_slice(&mask).view(shape), tokens };
    (batch, longest)
}

/// The molecules as they are.
pub fn plain(cache: &TokenCache, molecules: &[u32], device: Device) -> Batch {
    let batch = build(cache, molecules, |_, _, _, token| token).0;
    Batch { ids: batch.ids.to_device(device), mask: batch.mask.to_device(device), tokens: batch.tokens }
}

/// The molecules under the masks of this key.
pub fn masked(cache: &TokenCache, molecules: &[u32], masking: &Masking, key: MaskKey, device: Device) -> MaskedBatch {
    let longest = molecules.iter().map(|molecule| cache.get(*molecule as usize).len()).max().unwrap_or(0);
    let (mut positions, mut targets, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let (batch, _) = build(cache, molecules, |row, molecule, position, token| {
        let Some(shown) = masking.shown(key, u64::from(molecule), position as u64, token) else { return token };
        positions.push((row * longest + position) as i64);
        targets.push(i64::from(token));
        rows.push(row as u32);
        shown
    });
    let shown = Batch { ids: batch.ids.to_device(device), mask: batch.mask.to_device(device), tokens: batch.tokens };
    let tensor = |values: &[i64]| {
        if values.is_empty() { Tensor::zeros([0], (Kind::Int64, device)) } else { Tensor::from_slice(values).to_device(device) }
    };
    MaskedBatch { shown, positions: tensor(&positions), targets: tensor(&targets), rows }
}
