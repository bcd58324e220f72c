//! One post-LN transformer block with a tied output: not linear, not convex, and with the exact symmetries of attention.

use std::ops::Range;

use clmbench_api::{Labels, Role};
use tch::{Device, Kind, Tensor};

use super::{TestModel, softmax::cross_entropy};
use crate::{PluginError, random::Stream};

const ENTRIES: i64 = 7;
const WIDTH: i64 = 6;
const HEADS: i64 = 2;
const HEAD: i64 = WIDTH / HEADS;
const LENGTH: i64 = 4;

/// Attention of two heads over 4 tokens of 7 kinds, width 6: residual, normalisation, a tied output. 222 parameters, of which
/// the first 5 matrices are embedding, query, key, value and output.
pub struct Block {
    /// Weights [P].
    pub weights: Tensor,
    /// Tokens shown [N, L].
    shown: Tensor,
    /// Tokens to predict [N, L].
    targets: Tensor,
}

/// Name and shape of each parameter.
fn shapes() -> Vec<(String, Role, Vec<i64>)> {
    let mut rows = vec![("words.weight".to_owned(), Role::Embedding, vec![ENTRIES, WIDTH])];
    for name in ["query", "key", "value", "output"] {
        rows.push((format!("{name}.weight"), Role::Weight, vec![WIDTH, WIDTH]));
        rows.push((format!("{name}.bias"), Role::Bias, vec![WIDTH]));
    }
    rows.push(("norm.weight".to_owned(), Role::Norm, vec![WIDTH]));
    rows.push(("norm.bias".to_owned(), Role::Norm, vec![WIDTH]));
    rows
}

impl Block {
    /// A block and this many molecules, drawn from a seed.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(molecules: i64, seed: u64) -> Result<Self, PluginError> {
        let mut stream = Stream::new(seed);
        let size: i64 = shapes().iter().map(|(_, _, shape)| shape.iter().product::<i64>()).sum();
        let weights = stream.normals(&Tensor::zeros([size], (Kind::Double, Device::Cpu)))? * 0.5;
        let mut tokens = || {
            let drawn: Vec<i64> = (0..molecules * LENGTH).map(|_| (stream.bits() % ENTRIES as u64) as i64).collect();
            Tensor::from_slice(&drawn).view([molecules, LENGTH])
        };
        Ok(Self { shown: tokens(), targets: tokens(), weights })
    }

    /// The same function by other weights: in each head h, query `* a_h` and key `/ a_h`, value `* b_h` and the columns of the
    /// output that read it `/ b_h`.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn rescaled(&self, query_key: [f64; 2], value_output: [f64; 2]) -> Result<Self, PluginError> {
        let weights = self.weights.copy();
        let parts = parts(&weights)?;
        for head in 0..HEADS {
            let (a, b) = (query_key[head as usize], value_output[head as usize]);
            // [.., rows or columns of the head]: parts are views, so that scaling them in place scales the weights.
            for (matrix, bias, factor) in [(1, 2, a), (3, 4, 1.0 / a), (5, 6, b)] {
                for part in [matrix, bias] {
                    let _ = parts[part].f_narrow(0, head * HEAD, HEAD)?.f_mul_scalar_(factor)?;
                }
            }
            let _ = parts[7].f_narrow(1, head * HEAD, HEAD)?.f_mul_scalar_(1.0 / b)?;
        }
        Ok(Self { weights, shown: self.shown.shallow_clone(), targets: self.targets.shallow_clone() })
    }
}

/// Views of the parameters in flat weights.
fn parts(weights: &Tensor) -> Result<Vec<Tensor>, PluginError> {
    let mut at = 0;
    let mut parts = Vec::new();
    for (_, _, shape) in shapes() {
        let count = shape.iter().product::<i64>();
        parts.push(weights.f_narrow(0, at, count)?.f_view(&shape[..])?);
        at += count;
    }
    Ok(parts)
}

impl TestModel for Block {
    fn table(&self) -> Vec<(String, Role, Vec<i64>)> {
        shapes()
    }

    fn weights(&self) -> Tensor {
        self.weights.shallow_clone()
    }

    fn tokens(&self) -> Vec<u64> {
        vec![LENGTH as u64; self.shown.size()[0] as usize]
    }

    fn losses(&self, weights: &Tensor, of: Range<u64>, labels: Labels, stream: &mut Stream) -> Result<Tensor, PluginError> {
        let parts = parts(weights)?;
        let (start, count) = (of.start as i64, (of.end - of.start) as i64);
        let embedded = Tensor::f_embedding(&parts[0], &self.shown.f_narrow(0, start, count)?, -1, false, false)?; // [n, L, D]
        let split = |matrix: usize| -> Result<Tensor, PluginError> {
            let all = embedded.f_linear(&parts[matrix], Some(&parts[matrix + 1]))?;
            Ok(all.f_view([count, LENGTH, HEADS, HEAD])?.f_transpose(1, 2)?) // [n, heads, L, head]
        };
        let (query, key, value) = (split(1)?, split(3)?, split(5)?);
        let scores = query.f_matmul(&key.f_transpose(-2, -1)?)? / (HEAD as f64).sqrt();
        let attended = scores.f_softmax(-1, Kind::Double)?.f_matmul(&value)?;
        let attended = attended.f_transpose(1, 2)?.f_reshape([count, LENGTH, WIDTH])?;
        let mixed = attended.f_linear(&parts[7], Some(&parts[8]))? + embedded;
        let hidden = mixed.f_layer_norm([WIDTH], Some(&parts[9]), Some(&parts[10]), 1e-12, false)?;
        let logits = hidden.f_matmul(&parts[0].f_transpose(0, 1)?)?.f_view([count * LENGTH, ENTRIES])?;
        cross_entropy(&logits, &self.targets.f_narrow(0, start, count)?.f_reshape([-1])?, labels, stream)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_api::{HvpMethod, Labels, Sample, SamplePart};
    use tch::Kind;

    use super::super::{TestProbe, dense_hessian};
    use super::Block;

    const ALL: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };

    #[test]
    fn rescaled_heads_are_the_same_function() {
        let block = Block::new(5, 1).unwrap();
        let other = block.rescaled([3.0, 0.5], [0.2, 4.0]).unwrap();
        let (a, b) = (TestProbe::new(&block, 1, 1.0), TestProbe::new(&other, 1, 1.0));
        let (a, b) = (a.probe().loss(ALL, None).unwrap(), b.probe().loss(ALL, None).unwrap());
        assert!(a.nll.iter().zip(&b.nll).all(|(x, y)| (x - y).abs() < 1e-9), "{a:?} {b:?}");
        assert!((&block.weights - &other.weights).abs().max().double_value(&[]) > 0.1);
    }

    #[test]
    fn products_are_differences_of_gradients() {
        let block = Block::new(5, 2).unwrap();
        let host = TestProbe::new(&block, 1, 1.0);
        let probe = host.probe();
        let weights = probe.weights().unwrap();
        let vector = crate::random::Stream::new(4).normals(&weights).unwrap();
        let product = probe.hvp(ALL, &vector.unsqueeze(0), HvpMethod::DoubleBackward).unwrap().squeeze_dim(0);
        let at = |step: f64| probe.grad(ALL, Some(&(&vector * step)), Labels::Data).unwrap();
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((&product - difference).norm().double_value(&[]) < 1e-6 * product.norm().double_value(&[]));
        let dense = dense_hessian(&probe, ALL).unwrap();
        assert!((dense.matmul(&vector) - product).norm().double_value(&[]) < 1e-9);
        assert!((&dense - dense.transpose(0, 1)).abs().max().double_value(&[]) < 1e-9);
        assert!(dense.trace().to_kind(Kind::Double).double_value(&[]).is_finite());
    }
}
