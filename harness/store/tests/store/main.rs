//! Tests of the store through its public interface.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod check;
mod crash;
mod gate;
mod golden;
mod lease;
mod life;
#[allow(dead_code)]
mod made_up;
mod merge;
mod queries;
mod scale;
mod schema;
mod views;
