//! Metrics of the pretraining loss.

use clmbench_sdk::prelude::*;

mod clm_loss;
mod mlm_loss;

pub use clm_loss::ClmLoss;
pub use mlm_loss::MlmLoss;

export_plugin! { metrics: [MlmLoss, ClmLoss] }
