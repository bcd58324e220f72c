//! Devices: what this process can compute on, and which one the cell in hand computes on.
//!
//! Plugins build models on the CPU, so that the weights of a definition are the same whatever the device;
//! [`crate::model::Model`] then moves them to the device of the cell. Files are written from, and read to, the CPU.

use std::{cell::Cell, sync::OnceLock};

use clmbench_protocol::{Failure, FailureKind};
use tch::Device;

use crate::{
    failure::{OrFail, Result},
    loader::{self, CudaLibrary},
};

/// What this process can compute on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices {
    /// GPUs that libtorch sees.
    pub gpus: usize,
    /// Why there is none; empty if there is one.
    pub why_none: String,
}

impl Devices {
    /// Opens libtorch's CUDA library, if it is there, and counts the GPUs; once a process.
    pub fn find() -> &'static Self {
        static FOUND: OnceLock<Devices> = OnceLock::new();
        FOUND.get_or_init(|| {
            let library = loader::open_cuda();
            let gpus = if library == CudaLibrary::Open { usize::try_from(tch::Cuda::device_count()).unwrap_or(0) } else { 0 };
            Self::from_parts(&library, gpus)
        })
    }

    fn from_parts(library: &CudaLibrary, gpus: usize) -> Self {
        let why_none = match library {
            CudaLibrary::Open if gpus > 0 => String::new(),
            CudaLibrary::Open => "libtorch_cuda is there, but it sees no GPU (see `nvidia-smi`)".into(),
            CudaLibrary::Missing => "this libtorch has no CUDA library (`cargo xtask setup --cuda` fetches it)".into(),
            CudaLibrary::Refused(reason) => format!("libtorch_cuda cannot be opened: {reason}"),
        };
        Self { gpus, why_none }
    }

    /// Their names: `cpu`, then `cuda:0` and on.
    pub fn names(&self) -> Vec<String> {
        std::iter::once("cpu".to_owned()).chain((0..self.gpus).map(|index| format!("cuda:{index}"))).collect()
    }

    /// The device of this name (`cpu` or `cuda:N`).
    ///
    /// # Errors
    /// [`FailureKind::BadInput`] for another word, [`FailureKind::Unsupported`] for a device that is not there, both with
    /// what is.
    pub fn choose(&self, name: &str) -> Result<Device> {
        let there = self.names().join(", ");
        match parse(name) {
            Some(Device::Cuda(index)) if index >= self.gpus => {
                let why = if self.why_none.is_empty() { String::new() } else { format!(": {}", self.why_none) };
                let text = format!("device `{name}` is not there{why}; choose one of: {there}");
                Err(Failure::new(FailureKind::Unsupported, text))
            }
            Some(device) => Ok(device),
            None => {
                let text = format!("`{name}` is no device; write `cpu` or `cuda:0`; there is: {there}");
                Err(Failure::new(FailureKind::BadInput, text))
            }
        }
    }
}

/// `cpu` or `cuda:N`, N in plain digits.
fn parse(name: &str) -> Option<Device> {
    if name == "cpu" {
        return Some(Device::Cpu);
    }
    let digits = name.strip_prefix("cuda:")?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok().map(Device::Cuda) } else { None }
}

thread_local! {
    static CURRENT: Cell<Device> = const { Cell::new(Device::Cpu) };
}

/// The device of the cell that this thread computes; the CPU outside of cells.
pub fn current() -> Device {
    CURRENT.get()
}

/// Makes a device the current one of this thread while it lives.
#[derive(Debug)]
pub struct InUse {
    before: Device,
}

impl InUse {
    /// From now on. On a GPU, kernels whose result depends on the order of threads are refused, so that a cell gives the
    /// same bits twice there, too.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn begin(device: Device) -> Result<Self> {
        clmbench_torch_ext::deterministic(device.is_cuda()).or_fail()?;
        Ok(Self { before: CURRENT.replace(device) })
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        // It can only fail to allocate a message; the next cell sets it anew.
        let _ = clmbench_torch_ext::deterministic(self.before.is_cuda());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(gpus: usize) -> Devices {
        Devices::from_parts(&CudaLibrary::Open, gpus)
    }

    #[test]
    fn names_are_read_strictly() {
        assert_eq!(parse("cpu"), Some(Device::Cpu));
        assert_eq!(parse("cuda:0"), Some(Device::Cuda(0)));
        assert_eq!(parse("cuda:12"), Some(Device::Cuda(12)));
        for word in ["", "CPU", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "cuda: 1", "mps", "cuda:99999999999999999999"] {
            assert_eq!(parse(word), None, "{word}");
        }
    }

    #[test]
    fn what_is_there_is_offered_and_can_be_chosen() {
        assert_eq!(with(0).names(), ["cpu"]);
        assert_eq!(with(2).names(), ["cpu", "cuda:0", "cuda:1"]);
        for name in with(2).names() {
            assert!(with(2).choose(&name).is_ok(), "{name}");
        }
        assert_eq!(with(2).choose("cuda:1").unwrap(), Device::Cuda(1));
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let failure = with(1).choose("cuda:1").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unsupported);
        assert_eq!(failure.message, "device `cuda:1` is not there; choose one of: cpu, cuda:0");
        let failure = with(1).choose("gpu").unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadInput);
        assert!(failure.message.contains("`gpu` is no device") && failure.message.contains("cpu, cuda:0"), "{failure}");
    }

    #[test]
    fn the_reason_why_there_is_none_is_told() {
        let refused = CudaLibrary::Refused("libcudart.so.13: no such file".into());
        for (library, words) in [
            (CudaLibrary::Missing, "xtask setup --cuda"),
            (CudaLibrary::Open, "sees no GPU"),
            (refused, "cannot be opened: libcudart.so.13"),
        ] {
            let devices = Devices::from_parts(&library, 0);
            assert_eq!(devices.names(), ["cpu"]);
            assert!(devices.choose("cpu").is_ok());
            let failure = devices.choose("cuda:0").unwrap_err();
            assert!(failure.message.contains(words) && failure.message.ends_with("choose one of: cpu"), "{failure}");
        }
    }

    #[test]
    fn this_process_can_always_compute_on_the_cpu() {
        let devices = Devices::find();
        assert_eq!(devices.names().len(), 1 + devices.gpus);
        assert_eq!(devices.why_none.is_empty(), devices.gpus > 0);
        assert_eq!(devices.choose("cpu").unwrap(), Device::Cpu);
    }

    #[test]
    fn a_device_is_in_use_as_long_as_its_guard_lives() {
        assert_eq!(current(), Device::Cpu);
        {
            let _outer = InUse::begin(Device::Cuda(1)).unwrap();
            assert_eq!(current(), Device::Cuda(1));
            {
                let _inner = InUse::begin(Device::Cpu).unwrap();
                assert_eq!(current(), Device::Cpu);
            }
            assert_eq!(current(), Device::Cuda(1));
        }
        assert_eq!(current(), Device::Cpu);
    }
}
