//! Filter-normalised random directions: Li et al. 2018, arXiv:1712.09913, section 4.

use clmbench_sdk::{prelude::*, random::Stream};

/// Scales random directions to the weights of a model.
pub struct Directions {
    weights: Tensor,
    /// Offset, number of rows and length of a row of each matrix.
    matrices: Vec<(i64, i64, i64)>,
}

impl Directions {
    /// The filters of a checkpoint: the rows (slices along the first axis) of every tensor of two or more dimensions, embedding
    /// tables among them; a tied table counts once. Tensors of one dimension (biases, normalisations) do not move.
    pub fn new(probe: &Probe<'_>) -> Result<Self, PluginError> {
        let rows = probe.parameters()?.into_iter().filter(|row| row.offset >= 0 && row.shape.len() > 1);
        let filters = |row: clmbench_sdk::api::ParameterRow| {
            let count = row.shape.iter().product::<i64>();
            (row.offset, row.shape[0], count / row.shape[0].max(1))
        };
        Ok(Self { weights: probe.weights()?, matrices: rows.map(filters).collect() })
    }

    /// A direction [P]: independent normal numbers, each filter scaled to the length of the weights' own filter.
    pub fn draw(&self, seed: u64) -> Result<Tensor, PluginError> {
        let noise = Stream::new(seed).normals(&self.weights)?;
        let direction = self.weights.f_zeros_like()?;
        for (offset, filters, length) in &self.matrices {
            let view = |of: &Tensor| of.f_narrow(0, *offset, filters * length)?.f_view([*filters, *length]);
            let lengths = |of: &Tensor| of.f_square()?.f_sum_dim_intlist(&[1_i64][..], true, of.kind())?.f_sqrt();
            let (weight, random) = (view(&self.weights)?, view(&noise)?);
            let scaled = &random * (lengths(&weight)? / (lengths(&random)? + 1e-10));
            view(&direction)?.f_copy_(&scaled)?;
        }
        Ok(direction)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_sdk::{
        tch,
        testing::{Block, TestProbe},
    };

    use super::Directions;

    #[test]
    fn every_filter_has_the_length_of_its_weights_and_vectors_stay() {
        let block = Block::new(3, 1).unwrap();
        let host = TestProbe::new(&block, 1, 1.0);
        let direction = Directions::new(&host.probe()).unwrap().draw(5).unwrap();
        let length = |tensor: &tch::Tensor| tensor.norm().double_value(&[]);

        for row in host.probe().parameters().unwrap() {
            let (count, filters) = (row.shape.iter().product::<i64>(), row.shape[0]);
            let part = |of: &tch::Tensor| of.narrow(0, row.offset, count);
            if row.shape.len() == 1 {
                assert_eq!(length(&part(&direction)), 0.0, "{}", row.name);
                continue;
            }
            for filter in 0..filters {
                let own = |of: &tch::Tensor| length(&part(of).view([filters, -1]).select(0, filter));
                assert!((own(&direction) - own(&block.weights)).abs() < 1e-8, "{} {filter}", row.name);
            }
        }
    }
}
