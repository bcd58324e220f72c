//! Labels drawn from the model's own predictions (for the Fisher matrix).

use tch::{Kind, Tensor};

use super::{Piece, ProbeHost};
use crate::{
    failure::{OrFail, Result},
    masking::{MaskKey, uniform},
};

impl ProbeHost<'_> {
    /// A label [M] for each row of logits [M, V], by inversion of its distribution at a uniform number from a counter
    /// generator keyed by (cell, draw, molecule, position): batch size, order and threads do not change the number.
    pub(super) fn sampled_labels(&self, logits: &Tensor, piece: &Piece, draw: u64) -> Result<Tensor> {
        let _guard = tch::no_grad_guard();
        let length = piece.batch.shown.ids.size().last().copied().unwrap_or(1);
        let key = MaskKey { seed: self.label_seed, draw };
        let positions = Vec::<i64>::try_from(piece.batch.positions.contiguous()).or_fail()?;
        let numbers = piece
            .batch
            .rows
            .iter()
            .zip(positions)
            .map(|(row, position)| uniform(key, u64::from(piece.molecules[*row as usize]), (position % length) as u64));
        let numbers = Tensor::from_slice(&numbers.collect::<Vec<f64>>()).to_device(logits.device()).unsqueeze(1); // [M, 1]
        let rising = logits.detach().f_softmax(-1, Kind::Double).or_fail()?.f_cumsum(-1, Kind::Double).or_fail()?;
        let entries = logits.size().last().copied().unwrap_or(1);
        let below = rising.f_le_tensor(&numbers).or_fail()?.f_sum_dim_intlist(&[-1_i64][..], false, Kind::Int64).or_fail()?;
        below.f_clamp(0, entries - 1).or_fail()
    }
}
