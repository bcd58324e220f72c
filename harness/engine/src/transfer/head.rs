//! The linear head of fine-tuning: outputs [B, T] from mean-pooled hidden states [B, D].

use tch::{Device, Kind, Tensor};

use crate::{
    failure::{OrFail, Result},
    seed,
};

/// Standard deviation of the initial weights, as of every linear map of BERT.
const INIT_STD: f64 = 0.02;

/// A linear map to the tasks.
#[derive(Debug)]
pub struct Head {
    /// Weight [T, D].
    pub weight: Tensor,
    /// Bias [T].
    pub bias: Tensor,
}

impl Head {
    /// Weights from N(0, 0.02) by the transfer seed, biases 0. Drawn on the CPU, so that they do not depend on the device.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn new(width: i64, tasks: i64, transfer_seed: u64, device: Device) -> Result<Self> {
        let seed = seed::derive("fine-tuning head", &[&transfer_seed.to_le_bytes()]);
        let drawn = seed::drawn(seed, || Tensor::f_randn([tasks, width], (Kind::Float, Device::Cpu))).or_fail()? * INIT_STD;
        let weight = drawn.f_to_device(device).or_fail()?.detach().set_requires_grad(true);
        let bias = Tensor::f_zeros([tasks], (Kind::Float, device)).or_fail()?.set_requires_grad(true);
        Ok(Self { weight, bias })
    }

    /// Outputs [B, T] for pooled hidden states [B, D].
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn outputs(&self, pooled: &Tensor) -> Result<Tensor> {
        pooled.f_linear(&self.weight, Some(&self.bias)).or_fail()
    }
}
