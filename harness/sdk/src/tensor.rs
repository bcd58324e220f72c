//! Tensors across the edge: an owned pointer one way, a `tch::Tensor` the other.

use clmbench_api::RawTensor;
use tch::Tensor;

/// Gives a tensor to the other side.
pub fn give(tensor: Tensor) -> RawTensor {
    let mut tensor = std::mem::ManuallyDrop::new(tensor);
    // SAFETY: the pointer of a live tensor, which ManuallyDrop keeps from being freed here.
    unsafe { RawTensor::from_pointer(tensor.as_mut_ptr().cast()) }
}

/// Takes a tensor from the other side.
pub fn take(raw: RawTensor) -> Tensor {
    // SAFETY: a RawTensor is an owned at::Tensor pointer by contract, given away once by `give` on either side; both
    // sides share one libtorch (compared in the handshake), so allocation and vtables agree.
    unsafe { Tensor::from_ptr(raw.into_pointer().cast()) }
}

/// Gives a second handle of a tensor (same storage) to the other side.
pub fn lend(tensor: &Tensor) -> RawTensor {
    give(tensor.shallow_clone())
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    #[test]
    fn a_tensor_goes_there_and_back_with_its_storage() {
        let tensor = Tensor::from_slice(&[1.0_f32, 2.0]);
        let pointer = tensor.data_ptr();
        let back = super::take(super::lend(&tensor));
        assert_eq!(back.data_ptr(), pointer);
        let _ = back.shallow_clone().fill_(5.0);
        assert_eq!(tensor.double_value(&[1]), 5.0);
    }
}
