//! The plugin edge: every type that crosses between the host (`clmbench-worker`) and a plugin library.
//!
//! The only crate with FFI types; no libtorch, no I/O. Authors of plugins use `clmbench-sdk`, which wraps all of
//! this in safe traits.
//!
//! Loading goes in two steps. First the host reads the plain C symbol [`handshake::SYMBOL`] and compares
//! [`handshake::Handshake`]: API version and libtorch version (feature bits are there for later). Only then does abi_stable compare the layout
//! of every type reachable from [`PluginModule`]. A call added later is a new major version (harness/ARCHITECTURE.md, "The plugin edge").
#![allow(non_local_definitions)] // from the expansion of `sabi_trait`

pub mod fault;
pub mod handshake;
pub mod model;
pub mod probe;
pub mod table;
pub mod tensor;

use abi_stable::{
    StableAbi,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{RResult, RSlice, RStr, RString, RVec},
};

pub use fault::{Fault, FaultKind};
pub use handshake::Handshake;
pub use model::{AttentionMode, Model, ModelBox, NamedShape, NamedTensor, Role};
pub use probe::{HvpMethod, Labels, LossRows, ParameterRow, ProbeApi, ProbeRef, Sample, SamplePart};
pub use table::{Artifact, Measurement, SourceBytes, SplitTable, Table, Value};
pub use tensor::RawTensor;

/// What a plugin library exports. One per library; any number of architectures, datasets and metrics behind it.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
#[sabi(missing_field(panic))]
pub struct PluginModule {
    /// The plugin's manifest (`clmbench_protocol::PluginManifest`) as JSON.
    pub manifest: extern "C" fn() -> RResult<RString, Fault>,
    /// A model with freshly initialised weights (drawn from libtorch's global generator, which the host seeds).
    /// Arguments: architecture name, configuration as JSON with every key filled in.
    pub new_model: extern "C" fn(name: RStr<'_>, config: RStr<'_>) -> RResult<ModelBox, Fault>,
    /// What an architecture makes of a `config.json` of the Hugging Face layout: `clmbench_protocol::ImportedConfig` as JSON. Arguments:
    /// architecture name, the text of `config.json`.
    pub import_config: extern "C" fn(name: RStr<'_>, config: RStr<'_>) -> RResult<RString, Fault>,
    /// Names and shapes of the tensors that [`Self::new_model`] would make of these arguments, without their storage.
    pub shapes: extern "C" fn(name: RStr<'_>, config: RStr<'_>) -> RResult<RVec<NamedShape>, Fault>,
    /// Reads a dataset. Arguments: `clmbench_protocol::DatasetRequest` as JSON, files in the order in which they were declared.
    pub read_dataset: extern "C" fn(request: RStr<'_>, files: RSlice<'_, SourceBytes>) -> RResult<SplitTable, Fault>,
    /// Measures a metric. Arguments: `family/name`, parameters as JSON with every key filled in, the probe.
    #[sabi(last_prefix_field)]
    pub measure: extern "C" fn(metric: RStr<'_>, params: RStr<'_>, probe: ProbeRef<'_>) -> RResult<Measurement, Fault>,
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "clmbench_plugin";
    const NAME: &'static str = "clmbench_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
