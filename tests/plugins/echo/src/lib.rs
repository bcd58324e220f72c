//! Test plugin that keeps every rule: a tiny architecture, sixty molecules, and metrics that return what they were told.

use clmbench_sdk::prelude::*;

mod architecture;
mod calls;
mod said;
mod sixty;

export_plugin! {
    architectures: [architecture::Echo],
    datasets: [sixty::Source],
    metrics: [said::Said, calls::Calls],
}
