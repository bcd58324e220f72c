//! Initial weights. `tch::nn` has other defaults than PyTorch, so layers here are plain tensors drawn on purpose.
//!
//! Within [`without_storage`] the same calls give tensors of the right shape whose elements are all one number in memory: names and shapes
//! of a model of any size cost nothing.

use std::cell::Cell;

use tch::{Device, Kind, Tensor};

use crate::draw::alone;

thread_local! {
    static WITHOUT_STORAGE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `build` with tensors that have a shape and no storage of their own. They are for looking at, not for computing.
pub fn without_storage<T>(build: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            WITHOUT_STORAGE.set(self.0);
        }
    }
    let _restore = Restore(WITHOUT_STORAGE.replace(true));
    build()
}

fn made(shape: &[i64], trained: bool, draw: impl FnOnce() -> Tensor) -> Tensor {
    let tensor =
        if WITHOUT_STORAGE.get() { Tensor::zeros([1], (Kind::Float, Device::Cpu)).expand(shape, false) } else { alone(draw) };
    tensor.set_requires_grad(trained)
}

/// A tensor drawn from N(0, std^2), a leaf that requires a gradient.
pub fn normal(shape: &[i64], std: f64) -> Tensor {
    made(shape, true, || {
        let tensor = Tensor::empty(shape, (Kind::Float, Device::Cpu));
        let _ = tensor.shallow_clone().normal_(0.0, std);
        tensor
    })
}

/// A tensor drawn evenly from [-bound, bound), a leaf that requires a gradient.
pub fn uniform(shape: &[i64], bound: f64) -> Tensor {
    made(shape, true, || {
        let tensor = Tensor::empty(shape, (Kind::Float, Device::Cpu));
        let _ = tensor.shallow_clone().uniform_(-bound, bound);
        tensor
    })
}

/// A constant tensor, a leaf that requires a gradient.
pub fn constant(shape: &[i64], value: f64) -> Tensor {
    made(shape, true, || Tensor::full(shape, value, (Kind::Float, Device::Cpu)))
}

/// A tensor of [`Role::Fixed`](clmbench_api::Role::Fixed), as `draw` makes it (float32, of this shape); it requires no gradient.
pub fn fixed(shape: &[i64], draw: impl FnOnce() -> Tensor) -> Tensor {
    made(shape, false, draw)
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::{constant, fixed, normal, uniform, without_storage};

    #[test]
    fn without_storage_there_are_shapes_and_no_elements() {
        // 2^60 numbers: nothing could hold them.
        let shape = [1 << 30, 1 << 30];
        let tensor = without_storage(|| normal(&shape, 1.0));
        assert_eq!((tensor.size(), tensor.stride()), (shape.to_vec(), vec![0, 0]));
        assert!(tensor.requires_grad() && tensor.is_leaf());
        let tensor = without_storage(|| fixed(&shape, || Tensor::from(0.0)));
        assert!(tensor.size() == shape && !tensor.requires_grad());
        // And afterwards, also after a panic, there are numbers again.
        let _ = std::panic::catch_unwind(|| without_storage(|| panic!("on purpose")));
        assert_eq!(constant(&[3], 2.0).sum(Kind::Double).double_value(&[]), 6.0);
        let drawn = uniform(&[1000], 0.5);
        assert!(drawn.abs().max().double_value(&[]) <= 0.5 && drawn.std(false).double_value(&[]) > 0.25);
    }
}
