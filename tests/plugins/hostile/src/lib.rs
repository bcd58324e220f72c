//! Test plugin that misbehaves: metric `hostile/deed`, architecture `hostile` and datasets `hostile/*` do what their
//! parameter or name says.

use clmbench_sdk::prelude::*;

mod architecture;
mod dataset;
mod deed;
mod process;

export_plugin! {
    architectures: [architecture::Hostile],
    datasets: [dataset::Source],
    metrics: [deed::Deed],
}
