//! Tensors across the edge.

use std::ffi::c_void;

use abi_stable::StableAbi;

/// An owned `at::Tensor *` of the one libtorch that host and plugins share.
///
/// Whoever receives it owns it and must turn it into a `tch::Tensor` at once (the sdk does); this crate knows no
/// libtorch, so dropping it untaken leaks the tensor. Not `Copy`, so it cannot be taken twice.
#[repr(transparent)]
#[derive(StableAbi, Debug)]
pub struct RawTensor {
    pointer: *mut c_void,
}

// SAFETY: an at::Tensor handle is a reference-counted pointer with atomic counts; moving it between threads is what
// tch::Tensor (Send) allows as well.
unsafe impl Send for RawTensor {}

impl RawTensor {
    /// Wraps an owned pointer.
    ///
    /// # Safety
    /// `pointer` must be an owned `at::Tensor *` of the libtorch that both sides share; it is owned by the result alone.
    pub unsafe fn from_pointer(pointer: *mut c_void) -> Self {
        Self { pointer }
    }

    /// Gives the owned pointer away.
    pub fn into_pointer(self) -> *mut c_void {
        self.pointer
    }
}
