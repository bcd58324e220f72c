//! The little C++ that tch lacks, and the process knobs that libtorch wants set early.

use std::ffi::{CStr, c_char, c_void};

use tch::Tensor;

/// An exception from libtorch, cut to its first line.
#[derive(Debug, thiserror::Error)]
#[error("libtorch: {0}")]
pub struct TorchError(pub String);

// SAFETY: declared as they are defined in cpp/torch_ext.cpp.
unsafe extern "C" {
    fn clmbench_fused_adamw(
        parameters: *const *mut c_void,
        gradients: *const *mut c_void,
        first_moments: *const *mut c_void,
        second_moments: *const *mut c_void,
        steps: *const *mut c_void,
        count: i64,
        learning_rate: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        epsilon: f64,
    ) -> *mut c_char;
    fn clmbench_clip_gradients(gradients: *const *mut c_void, count: i64, largest: f64, norm: *mut f64) -> *mut c_char;
    fn clmbench_vector_jacobian(
        outputs: *const *mut c_void,
        vectors: *const *mut c_void,
        count: i64,
        inputs: *const *mut c_void,
        inputs_count: i64,
        keep_graph: bool,
        products: *mut *mut c_void,
    ) -> *mut c_char;
    fn clmbench_use_flash_attention(on: bool) -> *mut c_char;
    fn clmbench_deterministic(on: bool) -> *mut c_char;
    fn clmbench_flush_denormal(on: bool) -> *mut c_char;
    fn clmbench_default_float_environment() -> *mut c_char;
    fn clmbench_autocast(on: bool) -> *mut c_char;
}

fn check(message: *mut c_char) -> Result<(), TorchError> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: a non-null result is a NUL-terminated string from strdup, ours to read and free once.
    let text = unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        libc::free(message.cast());
        text
    };
    Err(TorchError(first_line(&text)))
}

/// The first line of a libtorch message, without the C++ trace behind it.
pub fn first_line(message: &str) -> String {
    message.split("\nException raised from").next().unwrap_or("").lines().next().unwrap_or("").trim().to_owned()
}

fn pointers(tensors: &[Tensor]) -> Vec<*mut c_void> {
    tensors.iter().map(|tensor| tensor.as_ptr().cast_mut().cast()).collect()
}

/// State and settings of one group of parameters that share a weight decay.
#[derive(Debug)]
pub struct AdamGroup<'a> {
    /// Weights, changed in place.
    pub parameters: &'a [Tensor],
    /// Gradients of the same shapes.
    pub gradients: &'a [Tensor],
    /// First moments, changed in place.
    pub first_moments: &'a [Tensor],
    /// Second moments, changed in place.
    pub second_moments: &'a [Tensor],
    /// Number of this step, counting from 1, as f32 scalars.
    pub steps: &'a [Tensor],
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

/// One fused AdamW step (Loshchilov & Hutter 2019, algorithm 2) on the group.
///
/// # Errors
/// [`TorchError`] when libtorch refuses, such as for unequal shapes or lengths.
pub fn fused_adamw(group: &AdamGroup<'_>, rate: f64, betas: (f64, f64), epsilon: f64) -> Result<(), TorchError> {
    let count = group.parameters.len();
    let same = [group.gradients, group.first_moments, group.second_moments, group.steps];
    if same.iter().any(|list| list.len() != count) {
        return Err(TorchError(format!("AdamW needs {count} gradients, moments and steps, one for each parameter")));
    }
    let (parameters, gradients) = (pointers(group.parameters), pointers(group.gradients));
    let (first, second, steps) = (pointers(group.first_moments), pointers(group.second_moments), pointers(group.steps));
    // SAFETY: every array holds `count` live at::Tensor pointers, borrowed for the length of the call.
    check(unsafe {
        clmbench_fused_adamw(
            parameters.as_ptr(),
            gradients.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            steps.as_ptr(),
            count as i64,
            rate,
            betas.0,
            betas.1,
            group.weight_decay,
            epsilon,
        )
    })
}

/// Scales the gradients in place so that their joint 2-norm is at most `largest`; returns the norm before.
///
/// # Errors
/// [`TorchError`] when libtorch refuses.
pub fn clip_gradients(gradients: &[Tensor], largest: f64) -> Result<f64, TorchError> {
    let list = pointers(gradients);
    let mut norm = 0.0;
    // SAFETY: `list` holds live at::Tensor pointers and `norm` is a valid place to write, both for the length of the call.
    check(unsafe { clmbench_clip_gradients(list.as_ptr(), list.len() as i64, largest, &mut norm) })?;
    Ok(norm)
}

/// Gradients of the sum of the products of outputs and vectors (of equal shapes) with respect to inputs; undefined for those that no
/// output depends on. The graph of the outputs is freed unless it is kept.
///
/// # Errors
/// [`TorchError`] when libtorch refuses, such as for outputs that depend on nothing.
pub fn vector_jacobian(
    outputs: &[Tensor],
    vectors: &[Tensor],
    inputs: &[Tensor],
    keep_graph: bool,
) -> Result<Vec<Tensor>, TorchError> {
    if outputs.len() != vectors.len() {
        return Err(TorchError(format!("{} outputs need a vector each, not {}", outputs.len(), vectors.len())));
    }
    let (out, along, into) = (pointers(outputs), pointers(vectors), pointers(inputs));
    let mut products = vec![std::ptr::null_mut::<c_void>(); inputs.len()];
    // SAFETY: the arrays hold as many live at::Tensor pointers as is said, borrowed for the length of the call, and `products` has
    // a place for each input.
    check(unsafe {
        clmbench_vector_jacobian(
            out.as_ptr(),
            along.as_ptr(),
            out.len() as i64,
            into.as_ptr(),
            into.len() as i64,
            keep_graph,
            products.as_mut_ptr(),
        )
    })?;
    // SAFETY: without a message, every place holds a pointer from `new at::Tensor`, ours to own.
    Ok(products.into_iter().map(|product| unsafe { Tensor::from_ptr(product.cast()) }).collect())
}

/// Puts rounding and the treatment of denormal numbers back to the default in this thread. Libraries that were built with
/// fast-math options change the latter when they are opened.
///
/// # Errors
/// [`TorchError`] when the system refuses.
pub fn default_float_environment() -> Result<(), TorchError> {
    // SAFETY: no pointers; changes the state of this thread alone.
    check(unsafe { clmbench_default_float_environment() })
}

/// Allows or forbids the flash kernel of scaled dot-product attention, in the whole process.
///
/// # Errors
/// [`TorchError`] when libtorch refuses.
pub fn use_flash_attention(on: bool) -> Result<(), TorchError> {
    // SAFETY: no pointers; the switch is a plain global of libtorch.
    check(unsafe { clmbench_use_flash_attention(on) })
}

/// Refuses nondeterministic kernels, in the whole process.
///
/// # Errors
/// [`TorchError`] when libtorch refuses.
pub fn deterministic(on: bool) -> Result<(), TorchError> {
    // SAFETY: no pointers; the switch is a plain global of libtorch.
    check(unsafe { clmbench_deterministic(on) })
}

/// Flushes denormal floats to zero, in this thread and those that libtorch starts.
///
/// # Errors
/// [`TorchError`] when libtorch refuses.
pub fn flush_denormal(on: bool) -> Result<(), TorchError> {
    // SAFETY: no pointers.
    check(unsafe { clmbench_flush_denormal(on) })
}

/// bf16 autocast, on the CPU and on GPUs, for this thread while the guard lives.
#[derive(Debug)]
pub struct Autocast(());

impl Autocast {
    /// Switches it on.
    ///
    /// # Errors
    /// [`TorchError`] when libtorch refuses.
    pub fn enable() -> Result<Self, TorchError> {
        // SAFETY: no pointers; thread-local state of libtorch, restored by the guard's drop.
        check(unsafe { clmbench_autocast(true) })?;
        Ok(Self(()))
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: as above; an error can only be an allocation failure and leaves autocast as it is.
        let _ = check(unsafe { clmbench_autocast(false) });
    }
}

/// Makes glibc keep freed memory instead of handing every large tensor back to the kernel. Call first thing in `main`.
pub fn keep_memory() {
    // SAFETY: mallopt takes plain integers and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tch::{Device, Kind, Tensor};

    use super::{AdamGroup, Autocast, clip_gradients, first_line, fused_adamw, vector_jacobian};

    #[test]
    fn adamw_follows_its_formula() {
        let (rate, betas, epsilon, decay) = (0.01, (0.9, 0.999), 1e-8, 0.1);
        let start = [0.5_f64, -1.5, 2.0];
        let gradient_of = |step: usize| [0.3 / step as f64, -0.2, 0.05 * step as f64];
        let weights = Tensor::from_slice(&start);
        let (first, second) = (weights.zeros_like(), weights.zeros_like());
        let count = Tensor::zeros([], (Kind::Float, Device::Cpu));
        let (mut w, mut m, mut v) = (start, [0.0; 3], [0.0; 3]);
        for step in 1..=5_usize {
            let gradient = gradient_of(step);
            let mut counter = count.shallow_clone();
            let _ = counter.g_add_scalar_(1.0);
            fused_adamw(
                &AdamGroup {
                    parameters: std::slice::from_ref(&weights),
                    gradients: &[Tensor::from_slice(&gradient)],
                    first_moments: std::slice::from_ref(&first),
                    second_moments: std::slice::from_ref(&second),
                    steps: std::slice::from_ref(&count),
                    weight_decay: decay,
                },
                rate,
                betas,
                epsilon,
            )
            .unwrap();
            for i in 0..3 {
                w[i] *= 1.0 - rate * decay;
                m[i] = betas.0 * m[i] + (1.0 - betas.0) * gradient[i];
                v[i] = betas.1 * v[i] + (1.0 - betas.1) * gradient[i] * gradient[i];
                let corrected = m[i] / (1.0 - betas.0.powi(step as i32));
                let scale = (v[i] / (1.0 - betas.1.powi(step as i32))).sqrt() + epsilon;
                w[i] -= rate * corrected / scale;
            }
        }
        let found = Vec::<f64>::try_from(&weights).unwrap();
        for (found, wanted) in found.iter().zip(w) {
            assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        }
    }

    #[test]
    fn unequal_lists_and_libtorch_refusals_are_errors() {
        let one = Tensor::from_slice(&[1.0_f32]);
        let group = AdamGroup {
            parameters: std::slice::from_ref(&one),
            gradients: &[],
            first_moments: &[],
            second_moments: &[],
            steps: &[],
            weight_decay: 0.0,
        };
        assert!(fused_adamw(&group, 0.1, (0.9, 0.999), 1e-8).is_err());
    }

    #[test]
    fn clipping_keeps_the_direction_and_bounds_the_norm() {
        let gradients = [Tensor::from_slice(&[3.0_f64]), Tensor::from_slice(&[4.0_f64])];
        assert!((clip_gradients(&gradients, 1.0).unwrap() - 5.0).abs() < 1e-12);
        assert!((gradients[0].double_value(&[0]) - 0.6).abs() < 1e-6);
        assert!((gradients[1].double_value(&[0]) - 0.8).abs() < 1e-6);
        assert!((clip_gradients(&gradients, 10.0).unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn vectors_go_through_the_transposed_jacobian() {
        // y = (ab, a^2) has the Jacobian rows (b, a) and (2a, 0).
        let leaf = |value: f64| Tensor::from_slice(&[value]).set_requires_grad(true);
        let (a, b, c) = (leaf(3.0), leaf(5.0), leaf(7.0));
        let outputs = [&a * &b, &a * &a];
        let vectors = [Tensor::from_slice(&[10.0]), Tensor::from_slice(&[100.0])];
        let inputs = [a.shallow_clone(), b.shallow_clone(), c];
        for keep in [true, false] {
            let products = vector_jacobian(&outputs, &vectors, &inputs, keep).unwrap();
            assert_eq!((products[0].double_value(&[0]), products[1].double_value(&[0])), (650.0, 30.0));
            assert!(!products[2].defined() && !products[0].requires_grad());
        }
        assert!(vector_jacobian(&outputs, &vectors, &inputs, false).is_err(), "the graph is gone");
        assert!(vector_jacobian(&outputs, &vectors[..1], &inputs, false).is_err());
    }

    #[test]
    fn autocast_lasts_as_long_as_its_guard() {
        let matrix = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
        {
            let _guard = Autocast::enable().unwrap();
            assert_eq!(matrix.matmul(&matrix).kind(), Kind::BFloat16);
        }
        assert_eq!(matrix.matmul(&matrix).kind(), Kind::Float);
    }

    #[test]
    fn only_the_first_line_of_a_libtorch_message_is_kept() {
        assert_eq!(first_line("bad shape\nException raised from f at x.cpp:1\nframe"), "bad shape");
    }
}
