//! Suites, plans, cell identity, executors. Never sees libtorch, never opens a plugin.
//!
//! A [`suite::Suite`] (a TOML file) and a [`plugins::PluginSet`] (manifests of plugin libraries, asked of a worker)
//! make a [`plan::Plan`]: a graph of cells. [`run::run`] walks it, hands each cell to an [`executor::Executor`] and
//! records what comes back in the store. A cell's identity needs the outputs of the cells before it, so it is
//! resolved as the run goes.

pub mod child;
pub mod corpora;
pub mod executor;
pub mod identity;
pub mod nearest;
pub mod plan;
pub mod plugins;
pub mod run;
pub mod suite;

pub use executor::{Executor, LocalExecutor, LocalOptions};
pub use identity::identity;
pub use plan::Plan;
pub use plugins::PluginSet;
pub use run::{Observer, RunError, RunOptions, RunSummary, refuse_changed_plugins, run};
pub use suite::Suite;
