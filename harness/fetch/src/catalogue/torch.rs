//! Pins of libtorch: the wheels, and which of their entries are kept.
//!
//! `libtorch_cpu.so` of this build needs the CUDA runtime and CUPTI libraries even without a GPU, hence three wheels
//! for the CPU. The libraries find each other by their own `$ORIGIN` paths, so the layout `torch/lib` beside
//! `nvidia/*/lib` is kept.

use crate::Wheel;

/// Version that tch needs, exactly.
pub const TORCH_VERSION: &str = "2.11.0";

/// What `torch/build-version` is to say: the wheel has no such file, and torch-sys reads it.
pub(crate) const BUILD_VERSION: &str = "2.11.0+cu130";

/// A wheel of libtorch and what is kept of it.
#[derive(Debug, Clone)]
pub struct Part {
    /// The wheel.
    pub wheel: Wheel,
    /// Whether an entry is kept.
    pub keep: fn(&str) -> bool,
    /// Most bytes that may come out of it.
    pub limit: u64,
}

/// The wheels of libtorch: three for the CPU, 13 more for CUDA.
pub fn libtorch(cuda: bool) -> Vec<Part> {
    let torch = if cuda { keep_torch_cuda } else { keep_torch_cpu };
    let mut parts = vec![
        Part { wheel: TORCH, keep: torch, limit: if cuda { 1_300 << 20 } else { 500 << 20 } },
        Part { wheel: CUDA_RUNTIME, keep: keep_library, limit: 4 << 20 },
        Part { wheel: CUPTI, keep: if cuda { keep_library } else { keep_cupti }, limit: 64 << 20 },
    ];
    if cuda {
        parts.extend(CUDA_LIBRARIES.into_iter().map(|wheel| Part { wheel, keep: keep_library, limit: 2 << 30 }));
    }
    parts
}

const TORCH: Wheel = Wheel::pinned(
    "torch",
    "2.11.0",
    "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
    530_604_548,
);

const CUDA_RUNTIME: Wheel = Wheel::pinned(
    "nvidia-cuda-runtime",
    "13.0.96",
    "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    2_243_632,
);

const CUPTI: Wheel = Wheel::pinned(
    "nvidia-cuda-cupti",
    "13.0.85",
    "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
    "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    10_715_597,
);

/// The other CUDA libraries that torch 2.11.0 names as its dependencies (about 2 GB to download).
pub const CUDA_LIBRARIES: [Wheel; 13] = [
    Wheel::pinned(
        "nvidia-cudnn-cu13",
        "9.19.0.56",
        "nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl",
        "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
        0,
    ),
    Wheel::pinned(
        "nvidia-cusparselt-cu13",
        "0.8.0",
        "nvidia_cusparselt_cu13-0.8.0-py3-none-manylinux2014_x86_64.whl",
        "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
        0,
    ),
    Wheel::pinned(
        "nvidia-nccl-cu13",
        "2.28.9",
        "nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl",
        "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
        0,
    ),
    Wheel::pinned(
        "nvidia-nvshmem-cu13",
        "3.4.5",
        "nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
        0,
    ),
    Wheel::pinned(
        "nvidia-cublas",
        "13.1.0.3",
        "nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl",
        "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
        0,
    ),
    Wheel::pinned(
        "nvidia-cuda-nvrtc",
        "13.0.88",
        "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
        0,
    ),
    Wheel::pinned(
        "nvidia-cufft",
        "12.0.0.61",
        "nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
        0,
    ),
    Wheel::pinned(
        "nvidia-cufile",
        "1.15.1.6",
        "nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
        0,
    ),
    Wheel::pinned(
        "nvidia-curand",
        "10.4.0.35",
        "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
        "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
        0,
    ),
    Wheel::pinned(
        "nvidia-cusolver",
        "12.0.4.66",
        "nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl",
        "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
        0,
    ),
    Wheel::pinned(
        "nvidia-cusparse",
        "12.6.3.3",
        "nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
        0,
    ),
    Wheel::pinned(
        "nvidia-nvjitlink",
        "13.0.88",
        "nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
        0,
    ),
    Wheel::pinned(
        "nvidia-nvtx",
        "13.0.85",
        "nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
        "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4",
        0,
    ),
];

/// Headers, the CPU libraries and the licences.
fn keep_torch_cpu(entry: &str) -> bool {
    const LIBRARIES: [&str; 4] = ["libc10.so", "libtorch_cpu.so", "libtorch.so", "libgomp.so.1"];
    match entry.strip_prefix("torch/lib/") {
        Some(library) => LIBRARIES.contains(&library),
        None => entry.starts_with("torch/include/") || is_licence(entry),
    }
}

/// All libraries but those for Python.
fn keep_torch_cuda(entry: &str) -> bool {
    const PYTHON: [&str; 3] = ["libtorch_python.so", "libshm.so", "libtorch_global_deps.so"];
    match entry.strip_prefix("torch/lib/") {
        Some(library) => !library.contains('/') && library.contains(".so") && !PYTHON.contains(&library),
        None => entry.starts_with("torch/include/") || is_licence(entry),
    }
}

/// CUPTI itself, without its profiling tools.
fn keep_cupti(entry: &str) -> bool {
    entry == "nvidia/cu13/lib/libcupti.so.13" || is_licence(entry)
}

/// Shared libraries and licences.
fn keep_library(entry: &str) -> bool {
    let library = entry.starts_with("nvidia/") && entry.contains("/lib/");
    (library && (entry.ends_with(".so") || entry.contains(".so."))) || is_licence(entry)
}

fn is_licence(entry: &str) -> bool {
    let Some((folder, file)) = entry.split_once(".dist-info/") else { return false };
    let name = file.rsplit('/').next().unwrap_or(file).to_ascii_lowercase();
    !folder.contains('/') && ["license", "licence", "notice", "copying", "eula"].iter().any(|word| name.starts_with(word))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::digest::is_sha256;

    #[test]
    fn three_wheels_for_the_cpu_and_all_for_cuda() {
        assert_eq!(libtorch(false).len(), 3);
        let all = libtorch(true);
        assert_eq!(all.len(), 3 + CUDA_LIBRARIES.len());
        let hashes: BTreeSet<_> = all.iter().map(|part| part.wheel.sha256.clone()).collect();
        assert_eq!(hashes.len(), all.len());
        for part in all {
            let wheel = part.wheel;
            assert!(is_sha256(&wheel.sha256), "{}", wheel.package);
            let start = format!("{}-{}-", wheel.package.replace('-', "_"), wheel.version);
            assert!(wheel.file_name.starts_with(&start) && wheel.file_name.ends_with("x86_64.whl"), "{}", wheel.file_name);
        }
    }

    #[test]
    fn what_is_kept() {
        for entry in [
            "torch/include/ATen/ATen.h",
            "torch/lib/libtorch_cpu.so",
            "torch/lib/libgomp.so.1",
            "torch-2.11.0.dist-info/licenses/NOTICE",
        ] {
            assert!(keep_torch_cpu(entry) && keep_torch_cuda(entry), "{entry}");
        }
        for entry in ["torch/lib/libtorch_cuda.so", "torch/lib/libc10_cuda.so", "torch/lib/libtorch_nvshmem.so"] {
            assert!(!keep_torch_cpu(entry) && keep_torch_cuda(entry), "{entry}");
        }
        for entry in ["torch/lib/libtorch_python.so", "torch/bin/protoc", "torch/__init__.py", "torch/lib/libshm/err.h"] {
            assert!(!keep_torch_cpu(entry) && !keep_torch_cuda(entry), "{entry}");
        }
        assert!(keep_library("nvidia/cudnn/lib/libcudnn.so.9") && keep_library("nvidia/cu13/lib/libcudart.so.13"));
        assert!(!keep_library("nvidia/cu13/lib/libcudart_static.a") && !keep_library("nvidia/cudnn/include/cudnn.h"));
        assert!(keep_library("nvidia_nvtx-13.0.85.dist-info/licenses/License.txt"));
        assert!(!keep_cupti("nvidia/cu13/lib/libnvperf_host.so") && keep_cupti("nvidia/cu13/lib/libcupti.so.13"));
    }
}
