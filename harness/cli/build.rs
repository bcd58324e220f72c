//! Notes which sources of the plugin edge this program is built with, so that `plugin build` can tell another sdk from its own.

use std::path::Path;

#[path = "src/edge_sources.rs"]
mod edge_sources;

fn main() {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for part in edge_sources::PARTS {
        println!("cargo::rerun-if-changed={}", harness.join(part).display());
    }
    println!("cargo::rerun-if-changed=src/edge_sources.rs");
    println!("cargo::rustc-env=CLMBENCH_EDGE_SOURCES={}", edge_sources::digest(&harness).unwrap_or_default());
}
