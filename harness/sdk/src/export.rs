//! The export macro, and the shims behind it through which every call from the host goes.

use abi_stable::std_types::{RResult, RSlice, RStr, RString, RVec};
use clmbench_api::{Fault, Measurement, ModelBox, NamedShape, ProbeRef, SourceBytes, SplitTable, handshake::API_VERSION};
use clmbench_protocol::{DatasetInfo, DatasetRequest, PluginManifest};

use crate::{
    Architecture, Dataset, Files, HubConfig, LIBTORCH_VERSION, Metric, Parameter, Params, PluginError, Probe,
    architecture::model_box, error::guard, init,
};

/// What a plugin library exports; implemented by [`export_plugin!`](crate::export_plugin).
pub trait Exports {
    /// Crate name.
    const NAME: &'static str;
    /// Crate version.
    const VERSION: &'static str;
    /// Architectures.
    fn architectures() -> Vec<Box<dyn Architecture>>;
    /// Dataset sources.
    fn datasets() -> Vec<Box<dyn Dataset>>;
    /// Metrics.
    fn metrics() -> Vec<Box<dyn Metric>>;
}

/// The plugin's manifest.
pub fn manifest_of<E: Exports>() -> PluginManifest {
    PluginManifest {
        name: E::NAME.into(),
        version: E::VERSION.into(),
        api: API_VERSION,
        libtorch: LIBTORCH_VERSION.into(),
        architectures: E::architectures().iter().map(|architecture| architecture.info()).collect(),
        datasets: E::datasets().iter().flat_map(|source| source.infos()).collect(),
        metrics: E::metrics().iter().map(|metric| metric.info()).collect(),
    }
}

/// Shim of `PluginModule::manifest`.
pub extern "C" fn manifest<E: Exports>() -> RResult<RString, Fault> {
    guard(|| {
        let json = serde_json::to_string(&manifest_of::<E>());
        json.map(Into::into).map_err(|error| PluginError::other(format!("the manifest cannot be written as JSON: {error}")))
    })
}

/// Shim of `PluginModule::new_model`.
pub extern "C" fn new_model<E: Exports>(name: RStr<'_>, config: RStr<'_>) -> RResult<ModelBox, Fault> {
    guard(|| architecture::<E>(name.as_str())?.build(&Params::parse(config.as_str())?).map(model_box))
}

/// Shim of `PluginModule::import_config`.
pub extern "C" fn import_config<E: Exports>(name: RStr<'_>, config: RStr<'_>) -> RResult<RString, Fault> {
    guard(|| {
        let imported = architecture::<E>(name.as_str())?.import(&HubConfig::parse(config.as_str())?)?;
        let json = serde_json::to_string(&imported);
        json.map(Into::into).map_err(|error| PluginError::other(format!("the configuration cannot be written as JSON: {error}")))
    })
}

/// Shim of `PluginModule::shapes`.
pub extern "C" fn shapes<E: Exports>(name: RStr<'_>, config: RStr<'_>) -> RResult<RVec<NamedShape>, Fault> {
    guard(|| {
        let (architecture, config) = (architecture::<E>(name.as_str())?, Params::parse(config.as_str())?);
        let model = init::without_storage(|| architecture.build(&config))?;
        let row = |row: Parameter| NamedShape { name: row.name.into(), role: row.role, shape: row.tensor.size().into() };
        Ok(model.parameters().into_iter().map(row).collect())
    })
}

fn architecture<E: Exports>(name: &str) -> Result<Box<dyn Architecture>, PluginError> {
    let found = E::architectures().into_iter().find(|architecture| architecture.info().name == name);
    found.ok_or_else(|| missing("architecture", name))
}

/// Shim of `PluginModule::read_dataset`.
pub extern "C" fn read_dataset<E: Exports>(request: RStr<'_>, files: RSlice<'_, SourceBytes>) -> RResult<SplitTable, Fault> {
    guard(|| {
        let request: DatasetRequest = serde_json::from_str(request.as_str())
            .map_err(|error| PluginError::Input(format!("the host's request is no request for a dataset: {error}")))?;
        let (dataset, _) = dataset::<E>(&request.source, &request.name)?;
        dataset.parse(&request, &Files::new(files))?.into_edge()
    })
}

/// The dataset that serves a source and name, with its declaration; a source that reads a user's file serves every name.
fn dataset<E: Exports>(source: &str, name: &str) -> Result<(Box<dyn Dataset>, DatasetInfo), PluginError> {
    E::datasets()
        .into_iter()
        .find_map(|dataset| dataset.infos().into_iter().find(|info| info.serves(source, name)).map(|info| (dataset, info)))
        .ok_or_else(|| missing("dataset", &format!("{source}/{name}")))
}

/// Shim of `PluginModule::measure`.
pub extern "C" fn measure<E: Exports>(metric: RStr<'_>, params: RStr<'_>, probe: ProbeRef<'_>) -> RResult<Measurement, Fault> {
    guard(|| {
        let found = E::metrics().into_iter().find(|candidate| candidate.info().id == metric.as_str());
        let found = found.ok_or_else(|| missing("metric", metric.as_str()))?;
        Ok(found.measure(&Probe::new(probe), &Params::parse(params.as_str())?)?.into_edge())
    })
}

fn missing(kind: &str, name: &str) -> PluginError {
    PluginError::Input(format!("this plugin exports no {kind} `{name}`"))
}

/// Exports a plugin's architectures, datasets and metrics. Call it once, at the root of a cdylib crate.
///
/// ```text
/// export_plugin! { architectures: [Bert], datasets: [MoleculeNet], metrics: [MlmLoss] }
/// ```
/// Each list may be left out; each entry is an expression of a type with the trait.
#[macro_export]
macro_rules! export_plugin {
    (
        $(architectures: [$($architecture:expr),* $(,)?])? $(,)?
        $(datasets: [$($dataset:expr),* $(,)?])? $(,)?
        $(metrics: [$($metric:expr),* $(,)?])? $(,)?
    ) => {
        #[doc(hidden)]
        #[allow(missing_docs, clippy::vec_init_then_push, unused_mut)]
        pub mod __clmbench_export {
            use super::*;

            pub struct Exported;

            impl $crate::export::Exports for Exported {
                const NAME: &'static str = env!("CARGO_PKG_NAME");
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");
                fn architectures() -> Vec<Box<dyn $crate::Architecture>> {
                    vec![$($(Box::new($architecture)),*)?]
                }
                fn datasets() -> Vec<Box<dyn $crate::Dataset>> {
                    vec![$($(Box::new($dataset)),*)?]
                }
                fn metrics() -> Vec<Box<dyn $crate::Metric>> {
                    vec![$($(Box::new($metric)),*)?]
                }
            }

            static HANDSHAKE: $crate::api::Handshake =
                $crate::api::Handshake::new($crate::LIBTORCH_VERSION, $crate::api::handshake::FEATURE_TENSORS);

            #[unsafe(export_name = "clmbench_handshake")]
            pub extern "C" fn handshake() -> *const $crate::api::Handshake {
                &raw const HANDSHAKE
            }

            fn root_module() -> $crate::api::PluginModuleRef {
                use $crate::abi_stable::prefix_type::PrefixTypeTrait;
                $crate::api::PluginModule {
                    manifest: $crate::export::manifest::<Exported>,
                    new_model: $crate::export::new_model::<Exported>,
                    import_config: $crate::export::import_config::<Exported>,
                    shapes: $crate::export::shapes::<Exported>,
                    measure: $crate::export::measure::<Exported>,
                    read_dataset: $crate::export::read_dataset::<Exported>,
                }
                .leak_into_prefix()
            }

            extern "C" fn erased_module() -> $crate::abi_stable::library::RootModuleResult {
                $crate::abi_stable::library::__call_root_module_loader(root_module)
            }

            // What abi_stable's `export_root_module` writes, spelled out so that plugins need no dependency of their own.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static LIBRARY_HEADER: $crate::abi_stable::library::LibHeader =
                // SAFETY: `erased_module` returns a module of exactly the type given here.
                unsafe {
                    $crate::abi_stable::library::LibHeader::from_constructor::<$crate::api::PluginModuleRef>(
                        erased_module,
                        $crate::abi_stable::library::CheckTypeLayout::Yes,
                    )
                };
        }
    };
}
