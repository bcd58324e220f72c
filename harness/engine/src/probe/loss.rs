//! Losses and predictive distributions.

use clmbench_api::{AttentionMode, Labels, LossRows, Sample};
use tch::{Kind, Reduction, Tensor};

use super::{Piece, ProbeHost};
use crate::{
    batching::TargetBatch,
    failure::{OrFail, Result},
};

impl ProbeHost<'_> {
    /// Logits [M, V] of the predicted tokens.
    fn logits(&self, batch: &TargetBatch, mode: AttentionMode) -> Result<Tensor> {
        let hidden = self.model.hidden(&batch.shown.ids, &batch.shown.mask, mode)?;
        self.model.logits(&hidden, &batch.positions)
    }

    /// Negative log likelihood of each predicted token, [M].
    pub(super) fn nll(&self, piece: &Piece, mode: AttentionMode, labels: Labels, draw: u64) -> Result<Tensor> {
        let logits = self.logits(&piece.batch, mode)?;
        let targets = match labels {
            Labels::Data => piece.batch.targets.shallow_clone(),
            Labels::Sampled => self.sampled_labels(&logits, piece, draw)?,
        };
        logits.f_cross_entropy_loss(&targets, None::<Tensor>, Reduction::None, -100, 0.0).or_fail()
    }

    pub(super) fn loss_rows(&self, sample: Sample) -> Result<LossRows> {
        let _guard = tch::no_grad_guard();
        let count = self.chosen(sample.part, sample.start, sample.count)?.len();
        let (mut nll, mut tokens) = (vec![0.0; count], vec![0_u64; count]);
        self.each(sample, 1.0 / 3.0, |piece| {
            let values = self.nll(piece, AttentionMode::Fast, Labels::Data, sample.draw)?;
            let values = Vec::<f32>::try_from(values.contiguous()).or_fail()?;
            for (row, value) in piece.batch.rows.iter().zip(values) {
                let index = piece.members[*row as usize] as usize;
                nll[index] += f64::from(value);
                tokens[index] += 1;
            }
            Ok(())
        })?;
        Ok(LossRows { nll: nll.into(), tokens: tokens.into() })
    }

    /// Predicted tokens of each molecule of the sample.
    pub(super) fn predicted_tokens(&self, sample: Sample) -> Result<Vec<u64>> {
        let count = self.chosen(sample.part, sample.start, sample.count)?.len();
        let mut tokens = vec![0_u64; count];
        self.each(sample, 0.0, |piece| {
            for row in &piece.batch.rows {
                tokens[piece.members[*row as usize] as usize] += 1;
            }
            Ok(())
        })?;
        Ok(tokens)
    }

    /// Predictive distributions [M, V], by molecule and then by position.
    pub(super) fn distributions(&self, sample: Sample) -> Result<Tensor> {
        let _guard = tch::no_grad_guard();
        let (mut parts, mut places) = (Vec::new(), Vec::new());
        self.each(sample, 1.0 / 3.0, |piece| {
            parts.push(self.logits(&piece.batch, AttentionMode::Fast)?.f_softmax(-1, Kind::Float).or_fail()?);
            let positions = Vec::<i64>::try_from(piece.batch.positions.contiguous()).or_fail()?;
            let rows = piece.batch.rows.iter().zip(positions);
            places.extend(rows.map(|(row, position)| (piece.members[*row as usize], position)));
            Ok(())
        })?;
        if parts.is_empty() {
            return Tensor::f_zeros([0, self.model.vocabulary.size as i64], tch::kind::FLOAT_CPU).or_fail();
        }
        let mut order: Vec<i64> = (0..places.len() as i64).collect();
        order.sort_by_key(|index| places[*index as usize]);
        let all = Tensor::f_cat(&parts, 0).or_fail()?;
        all.f_index_select(0, &Tensor::from_slice(&order).to_device(all.device())).or_fail()
    }
}
