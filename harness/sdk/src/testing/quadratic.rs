//! A quadratic loss: every derivative is known.

use std::ops::Range;

use clmbench_api::{Labels, Role};
use tch::{Device, Kind, Tensor};

use super::TestModel;
use crate::{PluginError, random::Stream};

/// Molecule i has one token with loss `1 + (w - m_i)^T A_i (w - m_i) / 2`, where `A_i = (1 + s_i) A` and `A = R R^T` is drawn
/// at random; the mean Hessian is `(1 + mean(s)) A`.
pub struct Quadratic {
    /// Shapes of the parameters.
    pub shapes: Vec<Vec<i64>>,
    /// Weights w [P].
    pub weights: Tensor,
    /// Matrix A [P, P].
    pub matrix: Tensor,
    /// Minima m_i [N, P].
    pub minima: Tensor,
    /// Excess s_i of each molecule's curvature [N].
    pub excess: Tensor,
}

impl Quadratic {
    /// A quadratic over parameters of these shapes and this many molecules, drawn from a seed.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(shapes: &[&[i64]], molecules: i64, seed: u64) -> Result<Self, PluginError> {
        let mut stream = Stream::new(seed);
        let size: i64 = shapes.iter().map(|shape| shape.iter().product::<i64>()).sum();
        let mut draw = |shape: &[i64]| stream.normals(&Tensor::zeros(shape, (Kind::Double, Device::Cpu)));
        let root = draw(&[size, size])? / (size as f64).sqrt();
        Ok(Self {
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            weights: draw(&[size])?,
            matrix: root.f_matmul(&root.f_transpose(0, 1)?)?,
            minima: draw(&[molecules, size])?,
            excess: draw(&[molecules])?.f_abs()? * 0.3,
        })
    }

    /// The Hessian [P, P] of the mean loss.
    pub fn hessian(&self) -> Tensor {
        &self.matrix * (1.0 + self.excess.mean(Kind::Double).double_value(&[]))
    }
}

impl TestModel for Quadratic {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        let role = |shape: &[i64]| if shape.len() > 1 { Role::Weight } else { Role::Bias };
        self.shapes.iter().enumerate().map(|(index, shape)| (format!("part.{index}"), role(shape), shape.clone())).collect()
    }

    fn weights(&self) -> Tensor {
        self.weights.shallow_clone()
    }

    fn tokens(&self) -> Vec<u64> {
        vec![1; self.minima.size()[0] as usize]
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, labels: Labels, _stream: &mut Stream) -> Result<Tensor, PluginError> {
        if labels == Labels::Sampled {
            return Err(PluginError::Unsupported("a quadratic predicts no distribution to sample labels from".into()));
        }
        let (start, count) = (of.start as i64, (of.end - of.start) as i64);
        let away = weights - self.minima.f_narrow(0, start, count)?; // [n, P]
        let bent = (away.f_matmul(&self.matrix)? * &away).f_sum_dim_intlist(&[1_i64][..], false, Kind::Double)?;
        Ok(bent * (self.excess.f_narrow(0, start, count)? + 1.0) * 0.5 + 1.0)
    }
}
