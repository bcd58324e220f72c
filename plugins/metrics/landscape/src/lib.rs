//! The shape of the loss: along random directions, around one layer, and on the way to other weights.

use clmbench_sdk::prelude::*;

mod basin_radius;
mod directions;
mod finetuned_barrier;
mod flatness_1d;
mod flatness_2d;
mod interpolation_barrier;
mod losses;
mod others;
mod relative_flatness;
mod segment;
mod task_vectors;
mod trajectory_pca;

pub use basin_radius::BasinRadius;
pub use finetuned_barrier::FinetunedBarrier;
pub use flatness_1d::Flatness1d;
pub use flatness_2d::Flatness2d;
pub use interpolation_barrier::InterpolationBarrier;
pub use relative_flatness::RelativeFlatness;
pub use task_vectors::{TaskVectorCosine, TaskVectorNorm};
pub use trajectory_pca::TrajectoryPca;

export_plugin! {
    metrics: [
        Flatness1d,
        Flatness2d,
        BasinRadius,
        RelativeFlatness,
        InterpolationBarrier,
        TrajectoryPca,
        TaskVectorNorm,
        TaskVectorCosine,
        FinetunedBarrier,
    ]
}
