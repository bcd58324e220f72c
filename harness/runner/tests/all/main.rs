//! Tests of the runner on a fake worker: this binary, started again, that speaks the protocol.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod crashes;
mod datasets;
mod executor;
mod identity;
mod plan;
mod plugins;
mod run;
mod scopes;
mod suite;
mod support;
