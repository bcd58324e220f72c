//! Displacements of large models in 4,096 numbers: the count sketch of Charikar, Chen & Farach-Colton 2002, "Finding frequent
//! items in data streams", section 3.1, as a projection.
//!
//! Every coordinate is added, with a random sign, to one random bucket. Inner products are kept in expectation, with variance
//! `(|x|^2 |y|^2 + <x, y>^2 - 2 sum_i x_i^2 y_i^2) / 4096` (Weinberger et al. 2009, arXiv:0902.2206, lemma 2). Signs and buckets
//! are a function of names and shapes of the parameters alone, so that all displacements of one model can be compared.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use crate::{
    failure::{OrFail, Result},
    model::Parameter,
    seed,
};

/// Buckets.
pub const WIDTH: usize = 4096;

/// A projection of one parameter table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    seed: u64,
}

impl Sketch {
    /// The projection of models with these parameters.
    pub fn of(parameters: &[Parameter]) -> Self {
        let shapes: Vec<String> = parameters.iter().map(|row| format!("{} {:?}", row.name, row.tensor.size())).collect();
        let keys: Vec<&[u8]> = shapes.iter().map(|shape| shape.as_bytes()).collect();
        Self { seed: seed::derive("count sketch", &keys) }
    }

    /// Adds the coordinates of the parameter with this name to the buckets.
    fn add(&self, name: &str, values: &[f32], buckets: &mut [f64]) {
        let seed = seed::derive("count sketch of a parameter", &[&self.seed.to_le_bytes(), name.as_bytes()]);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for value in values {
            let draw = rng.next_u32();
            let sign = if draw >> 31 == 0 { 1.0 } else { -1.0 };
            buckets[draw as usize % WIDTH] += sign * f64::from(*value);
        }
    }

    /// The sketch [4096] of the displacement of the `moved` parameters from their start.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn displacement(&self, parameters: &[Parameter], start: &[Tensor], moved: &[bool]) -> Result<Vec<f32>> {
        let _guard = tch::no_grad_guard();
        let mut buckets = vec![0.0; WIDTH];
        for ((row, start), _) in parameters.iter().zip(start).zip(moved).filter(|(_, moved)| **moved) {
            let difference = row.tensor.f_sub(start).or_fail()?.to_device(tch::Device::Cpu).contiguous().view(-1);
            self.add(&row.name, &Vec::<f32>::try_from(difference).or_fail()?, &mut buckets);
        }
        Ok(buckets.into_iter().map(|bucket| bucket as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(sketch: &Sketch, values: &[f32]) -> Vec<f64> {
        let mut buckets = vec![0.0; WIDTH];
        sketch.add("a.weight", values, &mut buckets);
        buckets
    }

    fn inner<T: Copy + Into<f64>>(x: &[T], y: &[T]) -> f64 {
        x.iter().zip(y).map(|(x, y)| (*x).into() * (*y).into()).sum()
    }

    #[test]
    fn inner_products_are_kept_with_the_published_variance() {
        let x: Vec<f32> = (0..600).map(|i| (i as f32 * 0.37).sin()).collect();
        let y: Vec<f32> = (0..600).map(|i| (i as f32 * 0.21).cos() + 0.3 * (i as f32 * 0.37).sin()).collect();
        for (a, b) in [(&x, &x), (&x, &y)] {
            let wanted = inner(a, b);
            let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a).powi(2) * f64::from(*b).powi(2)).sum();
            let variance = (inner(a, a) * inner(b, b) + wanted * wanted - 2.0 * squares) / WIDTH as f64;
            let draws: Vec<f64> = (0..2000)
                .map(|seed| {
                    let sketch = Sketch { seed };
                    inner(&project(&sketch, a), &project(&sketch, b))
                })
                .collect();
            let mean = draws.iter().sum::<f64>() / 2000.0;
            let found = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 1999.0;
            assert!((mean - wanted).abs() < 4.0 * (variance / 2000.0).sqrt(), "{mean} is not {wanted}");
            assert!((found / variance - 1.0).abs() < 0.2, "variance {found} is not {variance}");
        }
    }

    #[test]
    fn it_is_linear_and_the_same_for_one_parameter_table() {
        let parameter = |name: &str, side: i64| Parameter {
            name: name.into(),
            role: clmbench_api::Role::Weight,
            tensor: Tensor::zeros([side], tch::kind::FLOAT_CPU),
        };
        let sketch = Sketch::of(&[parameter("a", 3), parameter("b", 2)]);
        assert_eq!(sketch, Sketch::of(&[parameter("a", 3), parameter("b", 2)]));
        assert_ne!(sketch, Sketch::of(&[parameter("a", 3), parameter("b", 4)]));
        let (x, y) = ([1.0, -2.0, 0.5], [0.25, 4.0, 8.0]);
        let sum = project(&sketch, &[1.25, 2.0, 8.5]);
        let apart = project(&sketch, &x).into_iter().zip(project(&sketch, &y)).map(|(a, b)| a + b);
        assert_eq!(sum, apart.collect::<Vec<_>>());
    }
}
