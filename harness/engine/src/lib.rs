//! Computes cells: tokenising, pretraining, embedding, measuring, transferring. The binary `clmbench-worker` wraps it.
//!
//! The only crate that opens plugins ([`loader`]) and the only one beside the sdk that sees libtorch.

pub mod attempt;
pub mod batching;
pub mod cells;
pub mod check;
pub mod checkpoint;
pub mod descent;
pub mod device;
pub mod embed;
pub mod failure;
pub mod files;
pub mod import;
pub mod loader;
pub mod logistic;
pub mod masking;
pub mod measure;
pub mod model;
pub mod optimizer;
pub mod order;
pub mod pretrain;
pub mod probe;
pub mod report;
pub mod ridge;
pub mod sample;
pub mod schedule;
pub mod seed;
mod standard;
pub mod tokenise;
pub mod toy;
pub mod training_state;
pub mod transfer;
pub mod weights;
pub mod worker;
