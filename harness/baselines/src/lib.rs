//! Baselines without a CLM: what fixed features of the molecules already give. No libtorch, no I/O.
//!
//! | module | what it is |
//! |---|---|
//! | [`features`] | ECFP4 fingerprints and descriptors of molecules, as RDKit computes them |
//! | [`forest`] | random forests |
//! | [`boosting`] | gradient-boosted trees |
//!
//! Everything is a function of its arguments: the same on any number of threads. Linear baselines are the engine's ridge and logistic
//! regression on the same features.

pub mod boosting;
mod error;
pub mod features;
pub mod forest;

pub use boosting::Boosting;
pub use error::BaselineError;
pub use features::Features;
pub use forest::Forest;
