//! The shape of the loss along random directions.

use clmbench_sdk::prelude::*;

mod directions;
mod flatness_1d;

pub use flatness_1d::Flatness1d;

export_plugin! { metrics: [Flatness1d] }
