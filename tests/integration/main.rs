//! Tests of the command `clmbench` with a fake worker: no libtorch, no network.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bench;
mod binary;
mod failures;
mod hostile;
mod journey;
mod kill;
mod real;
mod store_errors;
