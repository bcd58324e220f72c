//! Test plugin with a right handshake and a module whose types are not the host's.
#![allow(non_local_definitions, missing_docs)] // from the expansion of the macros of abi_stable

use abi_stable::{
    StableAbi, export_root_module,
    library::RootModule,
    package_version_strings,
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::{RString, RVec},
};
use clmbench_api::Handshake;

/// Named as the host's module, and different.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
#[sabi(missing_field(panic))]
pub struct PluginModule {
    /// The host's takes no argument.
    #[sabi(last_prefix_field)]
    pub manifest: extern "C" fn(u64) -> RVec<RString>,
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "clmbench_plugin";
    const NAME: &'static str = "clmbench_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

extern "C" fn manifest(_number: u64) -> RVec<RString> {
    RVec::new()
}

/// The module.
#[export_root_module]
pub fn root_module() -> PluginModuleRef {
    PluginModule { manifest }.leak_into_prefix()
}

static HANDSHAKE: Handshake = Handshake::new("2.11.0", 0);

/// The handshake, as a right plugin has it.
#[unsafe(export_name = "clmbench_handshake")]
pub extern "C" fn handshake() -> *const Handshake {
    &raw const HANDSHAKE
}
