//! How rough the labels of a task are over the embeddings: whether near molecules have near labels.
//!
//! Every score here reads the cached embeddings and the labels of the task's training molecules and is a function of them alone:
//! `se_estimator` is 0, `se_sample` the spread over random halves of the molecules with their labels.

use clmbench_sdk::prelude::*;

mod coarsening;
mod distances;
mod halves;
mod linkage;
mod modelability;
mod modi;
mod rmodi;
mod rogi;
mod rogi_xd;
mod task;

pub use coarsening::{Curve, Point};
pub use distances::Distances;
pub use linkage::{Merge, complete_linkage};
pub use modelability::{modelability, regression_modelability};
pub use modi::Modi;
pub use rmodi::Rmodi;
pub use rogi::Rogi;
pub use rogi_xd::RogiXd;

export_plugin! { metrics: [Rogi, RogiXd, Modi, Rmodi] }
