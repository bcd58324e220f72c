//! Compiles `cpp/torch_ext.cpp` against the libtorch that torch-sys found.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=cpp/torch_ext.cpp");
    let library = PathBuf::from(
        std::env::var_os("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is; run `cargo xtask setup` first"),
    );
    let root = library.parent().expect("libtorch's lib folder has a parent");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .flag("-D_GLIBCXX_USE_CXX11_ABI=1")
        .flag_if_supported("-w")
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .file("cpp/torch_ext.cpp")
        .compile("clmbench_torch_ext");
}
