//! Integration tests of the whole tool: a worker without libtorch and the plugin that it stands for.
//!
//! The fake worker (`src/bin/fake-worker.rs`) speaks the protocol and answers every cell at once, with made-up values
//! that follow from the cell's definition alone. So the command line, runner, store and analysis can be tested where
//! libtorch is missing, and in seconds.

pub mod answers;
pub mod chance;
pub mod manifest;
