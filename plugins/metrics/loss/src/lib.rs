//! Metrics of the pretraining loss.

use clmbench_sdk::prelude::*;

mod mlm_loss;

pub use mlm_loss::MlmLoss;

export_plugin! { metrics: [MlmLoss] }
