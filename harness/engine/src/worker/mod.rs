//! The process around the cells: its descriptors, its limits, its conversation with the host.

pub mod channel;
pub mod limits;
pub mod serve;
