//! What plugin authors import.
//!
//! A plugin is a cdylib crate that implements [`Architecture`], [`Dataset`] or [`Metric`] and lists its types in
//! [`export_plugin!`]. Authors see `tch::Tensor`s and `Result`s; pointers, FFI types and panics stay in this crate.
//!
//! ```text
//! use clmbench_sdk::prelude::*;
//!
//! struct MeanLoss;
//! impl Metric for MeanLoss { /* info, measure */ }
//! export_plugin! { metrics: [MeanLoss] }
//! ```

pub mod architecture;
pub mod dataset;
pub mod draw;
pub mod error;
pub mod estimation;
pub mod export;
mod hub_config;
pub mod init;
pub mod metric;
pub mod params;
pub mod probe;
pub mod random;
pub mod statistics;
pub mod table;
pub mod tensor;
pub mod testing;

pub use abi_stable;
pub use clmbench_api as api;
pub use clmbench_protocol as protocol;
pub use tch;

pub use architecture::{Architecture, Model, Parameter, model_box};
pub use dataset::{Dataset, Files, ParsedTable};
pub use error::PluginError;
pub use hub_config::HubConfig;
pub use metric::{Measurement, Metric, Value};
pub use params::Params;
pub use probe::{LossRows, Probe, Sample};
pub use table::{TextTable, read_table};

/// libtorch version that this sdk is built against. Host and plugins must agree on it.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// Everything an author needs.
pub mod prelude {
    pub use clmbench_api::{AttentionMode, HvpMethod, Labels, Role, SamplePart};
    pub use clmbench_protocol::{
        ArchitectureInfo, Comparable, CostClass, DatasetInfo, DatasetRequest, Direction, HubInfo, ImportedConfig, MetricInfo,
        Objective, ParameterInfo, PresetInfo, RunFacts, Scope, SourceFile, SubsetInfo, TaskInfo, TaskKind, UrlFile, WheelEntry,
    };
    pub use serde_json;
    pub use tch::{self, Device, Kind, Tensor};

    pub use crate::{
        Architecture, Dataset, Files, HubConfig, LossRows, Measurement, Metric, Model, Parameter, Params, ParsedTable,
        PluginError, Probe, Sample, TextTable, Value, estimation, export_plugin, init, random, read_table, statistics,
    };
}
