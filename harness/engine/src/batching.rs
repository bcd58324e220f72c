//! Batches: molecules as tensors, padded to the longest of the batch, with the tokens that are to be predicted.

use clmbench_molecules::{cache::TokenCache, vocabulary::PAD};
use clmbench_protocol::{Objective, Special};
use tch::{Device, Kind, Tensor};

use crate::{
    failure::{OrFail, Result},
    masking::{MaskKey, Masking},
};

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

/// Which tokens of a molecule are predicted, and from which positions.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// Masked language modelling: the tokens that the mask's key picks, each at its own position.
    Masked(Masking),
    /// Causal language modelling: every token but the first (the start), each at the position before it.
    Next,
}

impl Targets {
    /// What this objective predicts with a tokenizer of so many entries and these special ids; `mask_ratio` and they matter to masks
    /// alone.
    ///
    /// # Errors
    /// Those of [`Masking::new`].
    pub fn new(objective: Objective, mask_ratio: f64, vocabulary: u64, special: &Special) -> Result<Self> {
        Ok(match objective {
            Objective::MaskedLm => Self::Masked(Masking::new(mask_ratio, vocabulary, special)?),
            Objective::CausalLm => Self::Next,
        })
    }
}

/// A batch with tokens to predict.
#[derive(Debug)]
pub struct TargetBatch {
    /// What is shown to the model.
    pub shown: Batch,
    /// Positions in the flattened [B * L] whose logits predict the targets, i64 [M].
    pub positions: Tensor,
    /// Tokens to predict, i64 [M]; -100 counts for nothing.
    pub targets: Tensor,
    /// Row in the batch of each predicted token, [M].
    pub rows: Vec<u32>,
}

/// Target that counts for nothing.
pub const IGNORED: i64 = -100;

impl TargetBatch {
    /// The same batch with ignored targets behind the others, up to a multiple of so many: libtorch's products are compiled
    /// anew for every shape, and the number of masked tokens is another one in nearly every batch.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn rounded(self, multiple: usize) -> Result<Self> {
        let more = (self.predicted().next_multiple_of(multiple.max(1)) - self.predicted()) as i64;
        let pad = |tensor: &Tensor, value: i64| {
            let rest = Tensor::f_full([more], value, (Kind::Int64, tensor.device())).or_fail()?;
            Tensor::f_cat(&[tensor, &rest], 0).or_fail()
        };
        let (positions, targets) = (pad(&self.positions, 0)?, pad(&self.targets, IGNORED)?);
        Ok(Self { positions, targets, ..self })
    }

    /// Tokens to predict, M.
    pub fn predicted(&self) -> usize {
        self.rows.len()
    }
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

/// The molecules with what is to be predicted of them. The key draws the masks; it means nothing to [`Targets::Next`].
pub fn with_targets(cache: &TokenCache, molecules: &[u32], targets: &Targets, key: MaskKey, device: Device) -> TargetBatch {
    let longest = molecules.iter().map(|molecule| cache.get(*molecule as usize).len()).max().unwrap_or(0);
    let (mut positions, mut tokens, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let (batch, _) = build(cache, molecules, |row, molecule, position, token| {
        let (from, shown) = match targets {
            Targets::Masked(masking) => match masking.shown(key, u64::from(molecule), position as u64, token) {
                Some(shown) => (position, shown),
                None => return token,
            },
            Targets::Next if position > 0 => (position - 1, token),
            Targets::Next => return token,
        };
        positions.push((row * longest + from) as i64);
        tokens.push(i64::from(token));
        rows.push(row as u32);
        shown
    });
    let shown = Batch { ids: batch.ids.to_device(device), mask: batch.mask.to_device(device), tokens: batch.tokens };
    let tensor = |values: &[i64]| {
        if values.is_empty() { Tensor::zeros([0], (Kind::Int64, device)) } else { Tensor::from_slice(values).to_device(device) }
    };
    TargetBatch { shown, positions: tensor(&positions), targets: tensor(&tokens), rows }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_molecules::{TokenCache, TokenCacheBuilder};
    use clmbench_protocol::{Objective, Special};
    use tch::{Device, Tensor};

    use super::{Targets, with_targets};
    use crate::masking::{MaskKey, Masking};

    const KEY: MaskKey = MaskKey { seed: 1, draw: 2 };

    fn cache(molecules: &[&[u16]]) -> (tempfile::TempDir, TokenCache) {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = TokenCacheBuilder::new(16, 100);
        for ids in molecules {
            builder.push(ids).unwrap();
        }
        builder.write(&folder.path().join("train.bin")).unwrap();
        let cache = TokenCache::open(&folder.path().join("train.bin")).unwrap();
        (folder, cache)
    }

    fn list(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor).unwrap()
    }

    #[test]
    fn the_next_token_is_predicted_up_to_the_end_and_the_start_never() {
        let (_folder, cache) = cache(&[&[2, 10, 11, 3], &[2, 20, 3]]);
        let batch = with_targets(
            &cache,
            &[1, 0],
            &Targets::new(Objective::CausalLm, 0.15, 100, &Special::default()).unwrap(),
            KEY,
            Device::Cpu,
        );
        // Nothing is hidden; the padding stands behind and is neither predicted nor predicted from.
        assert_eq!(list(&batch.shown.ids.view([-1])), [2, 20, 3, 0, 2, 10, 11, 3]);
        assert_eq!(Vec::<f32>::try_from(batch.shown.mask.view([-1])).unwrap(), [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(list(&batch.positions), [0, 1, 4, 5, 6]);
        assert_eq!(list(&batch.targets), [20, 3, 10, 11, 3]);
        assert_eq!((batch.rows.as_slice(), batch.predicted(), batch.shown.tokens), ([0, 0, 1, 1, 1].as_slice(), 5, 7));
    }

    #[test]
    fn masked_tokens_are_predicted_where_they_stand() {
        let body: Vec<u16> = std::iter::once(2).chain(30..44).chain(std::iter::once(3)).collect();
        let (_folder, cache) = cache(&[&[2, 10, 3], &body]);
        let masking = Masking::new(0.4, 100, &Special::default()).unwrap();
        let batch = with_targets(&cache, &[0, 1], &Targets::Masked(masking.clone()), KEY, Device::Cpu);
        let (positions, ids) = (list(&batch.positions), list(&batch.shown.ids.view([-1])));
        assert!(batch.predicted() > 2);
        for (position, target) in positions.iter().zip(list(&batch.targets)) {
            let (row, column) = (*position / 16, *position % 16);
            let token = cache.get(row as usize)[column as usize];
            assert_eq!(target, i64::from(token));
            let shown = masking.shown(KEY, row as u64, column as u64, token);
            assert_eq!(Some(ids[*position as usize]), shown.map(i64::from));
        }
        for (position, id) in ids.iter().enumerate().filter(|(position, _)| !positions.contains(&(*position as i64))) {
            let token = cache.get(position / 16).get(position % 16).copied().unwrap_or(0);
            assert_eq!(*id, i64::from(token));
        }
    }

    #[test]
    fn rounding_adds_targets_that_count_for_nothing() {
        let (_folder, cache) = cache(&[&[2, 10, 11, 3], &[2, 20, 3]]);
        let batch = || with_targets(&cache, &[1, 0], &Targets::Next, KEY, Device::Cpu);
        let rounded = batch().rounded(4).unwrap();
        assert_eq!(list(&rounded.positions), [0, 1, 4, 5, 6, 0, 0, 0]);
        assert_eq!(list(&rounded.targets), [20, 3, 10, 11, 3, -100, -100, -100]);
        assert_eq!((rounded.predicted(), rounded.rows), (5, vec![0, 0, 1, 1, 1]));
        assert_eq!(list(&batch().rounded(5).unwrap().positions), list(&batch().positions));
    }

    #[test]
    fn a_lone_start_token_has_nothing_to_predict() {
        let (_folder, cache) = cache(&[&[2]]);
        let batch = with_targets(&cache, &[0], &Targets::Next, KEY, Device::Cpu);
        assert_eq!((batch.predicted(), batch.positions.size(), batch.targets.size()), (0, vec![0], vec![0]));
    }
}
