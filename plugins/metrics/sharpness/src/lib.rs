//! Sharpness: how much the loss rises when the weights move a little, in the worst direction or on average.

use clmbench_sdk::prelude::*;

mod average_l2;
mod sam;

pub use average_l2::AverageL2;
pub use sam::Sam;

export_plugin! { metrics: [Sam, AverageL2] }

/// Mean loss per predicted token.
fn mean_loss(rows: &LossRows) -> f64 {
    rows.nll.iter().sum::<f64>() / rows.tokens.iter().sum::<f64>()
}
