//! Metrics of the pretraining loss.

use clmbench_sdk::prelude::*;

mod clm_loss;
mod history;
mod mlm_loss;
mod task_loss;
mod tse;
mod tse_ema;

pub use clm_loss::ClmLoss;
pub use mlm_loss::MlmLoss;
pub use task_loss::TaskLoss;
pub use tse::Tse;
pub use tse_ema::TseEma;

export_plugin! { metrics: [MlmLoss, ClmLoss, TaskLoss, Tse, TseEma] }
