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
        self.scaled(&Stream::new(seed).normals(&self.weights)?, None)
    }

    /// Two directions [P]: each filter of the second stands at right angles to the same filter of the first, so that the directions do
    /// as well, and both have the length of the weights' own. Filters of one weight have no right angle and keep their sign.
    pub fn pair(&self, seed: u64) -> Result<[Tensor; 2], PluginError> {
        let mut stream = Stream::new(seed);
        let first = self.scaled(&stream.normals(&self.weights)?, None)?;
        let second = self.scaled(&stream.normals(&self.weights)?, Some(&first))?;
        Ok([first, second])
    }

    /// The part of a vector [P] that moves filters, as long as the weights of all filters together; none where that part is zero.
    pub fn along(&self, vector: &Tensor) -> Result<Option<Tensor>, PluginError> {
        let moved = self.weights.f_zeros_like()?;
        let mut squares = 0.0;
        for (offset, filters, length) in &self.matrices {
            let part = |of: &Tensor| of.f_narrow(0, *offset, filters * length);
            part(&moved)?.f_copy_(&part(vector)?)?;
            squares += part(&self.weights)?.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        let length = moved.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?.sqrt();
        Ok((length > 0.0).then(|| moved * (squares.sqrt() / length)))
    }

    /// Each filter at right angles to that of `other`, if any, and of the length of the weights' own.
    fn scaled(&self, noise: &Tensor, other: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let direction = self.weights.f_zeros_like()?;
        for (offset, filters, length) in &self.matrices {
            let view = |of: &Tensor| of.f_narrow(0, *offset, filters * length)?.f_view([*filters, *length]);
            let sums = |of: &Tensor| of.f_sum_dim_intlist(&[1_i64][..], true, of.kind());
            let lengths = |of: &Tensor| sums(&of.f_square()?)?.f_sqrt();
            let (weight, mut random) = (view(&self.weights)?, view(noise)?);
            if let Some(other) = other.filter(|_| *length > 1) {
                let other = view(other)?;
                let share = sums(&(&random * &other))? / (sums(&other.f_square()?)? + 1e-20);
                random = random.f_sub(&(other * share))?;
            }
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
    fn filters_of_a_pair_stand_at_right_angles_and_a_gradient_is_as_long_as_the_weights() {
        let block = Block::new(3, 1).unwrap();
        let host = TestProbe::new(&block, 1, 1.0);
        let directions = Directions::new(&host.probe()).unwrap();
        let [first, second] = directions.pair(5).unwrap();
        let mut squares = 0.0;
        for row in host.probe().parameters().unwrap().iter().filter(|row| row.shape.len() > 1) {
            let count = row.shape.iter().product::<i64>();
            let part = |of: &tch::Tensor| of.narrow(0, row.offset, count).view([row.shape[0], -1]);
            let sums = |of: tch::Tensor| of.sum_dim_intlist(&[1_i64][..], false, tch::Kind::Double);
            let (weight, a, b) = (part(&block.weights), part(&first), part(&second));
            assert!(sums(&a * &b).abs().max().double_value(&[]) < 1e-9, "{}", row.name);
            for own in [a, b] {
                assert!((sums(own.square()) - sums(weight.square())).abs().max().double_value(&[]) < 1e-8, "{}", row.name);
            }
            squares += sums(weight.square()).sum(tch::Kind::Double).double_value(&[]);
        }
        let along = directions.along(&block.weights.ones_like()).unwrap().unwrap();
        assert!((along.square().sum(tch::Kind::Double).double_value(&[]) - squares).abs() < 1e-9 * squares);
        assert!(directions.along(&block.weights.zeros_like()).unwrap().is_none());
    }

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
