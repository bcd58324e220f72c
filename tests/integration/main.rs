//! Tests of the command `clmbench`: with a fake worker where libtorch is of no matter, else with the real one. No network.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bench;
mod binary;
mod commands;
mod data_commands;
mod export;
mod failures;
mod faults_crash;
mod gc;
mod golden;
mod hostile;
mod injection;
mod journey;
mod kill;
mod only;
mod plugin_author;
mod plugin_check;
mod protocols;
mod real;
mod real_engine;
mod report;
mod size;
mod status_live;
mod store_errors;
mod suite_errors;
mod verify;
