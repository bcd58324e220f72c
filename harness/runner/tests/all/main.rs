//! Tests of the runner on a fake worker: this binary, started again, that speaks the protocol.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod baselines;
mod crashes;
mod datasets;
mod executor;
mod identity;
mod imports;
mod margins;
mod plan;
mod plugins;
mod run;
mod scopes;
mod splits;
mod suite;
mod support;
