//! Metrics of the Hessian of the pretraining loss: traces, by layer as well, and the spectrum.

use clmbench_sdk::prelude::*;

mod draws;
mod extremes;
mod lanczos;
mod layer_trace;
mod operator;
mod spectral_density;
mod spectrum;
mod trace_fisher;
mod trace_hutchinson;
mod trace_hutchpp;
mod traces;

pub use extremes::{LambdaMax, LambdaMin};
pub use layer_trace::LayerTrace;
pub use spectral_density::SpectralDensity;
pub use trace_fisher::TraceFisher;
pub use trace_hutchinson::TraceHutchinson;
pub use trace_hutchpp::TraceHutchpp;

export_plugin! {
    metrics: [TraceHutchinson, TraceHutchpp, TraceFisher, LayerTrace, LambdaMax, LambdaMin, SpectralDensity]
}
