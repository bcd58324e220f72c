//! Initial weights. `tch::nn` has other defaults than PyTorch, so layers here are plain tensors drawn on purpose.

use tch::{Device, Kind, Tensor};

/// A tensor drawn from N(0, std^2), a leaf that requires a gradient.
pub fn normal(shape: &[i64], std: f64) -> Tensor {
    let tensor = Tensor::empty(shape, (Kind::Float, Device::Cpu));
    let _ = tensor.shallow_clone().normal_(0.0, std);
    tensor.set_requires_grad(true)
}

/// A constant tensor, a leaf that requires a gradient.
pub fn constant(shape: &[i64], value: f64) -> Tensor {
    Tensor::full(shape, value, (Kind::Float, Device::Cpu)).set_requires_grad(true)
}
