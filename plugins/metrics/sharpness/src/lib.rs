//! Sharpness: how much the loss rises when the weights move a little, in the worst direction or on average.

use clmbench_sdk::prelude::*;

mod apgd;
mod average;
mod batches;
mod keskar;
mod loss;
mod one_step;
mod pac_bayes;
mod region;
mod rises;
mod worst;

pub use average::Average;
pub use keskar::Keskar;
pub use one_step::{AsamM, SamM};
pub use pac_bayes::PacBayesSigma;
pub use region::{Norm, Region, onto_ellipsoid};
pub use worst::Worst;

export_plugin! {
    metrics: [
        SamM,
        AsamM,
        Keskar,
        Average::new(Norm::L2, false),
        Average::new(Norm::L2, true),
        Average::new(Norm::Linf, false),
        Average::new(Norm::Linf, true),
        Worst::new(Norm::L2, false),
        Worst::new(Norm::L2, true),
        Worst::new(Norm::Linf, false),
        Worst::new(Norm::Linf, true),
        PacBayesSigma { adaptive: false },
        PacBayesSigma { adaptive: true },
    ]
}
