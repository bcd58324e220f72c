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

/// Computes something on a pool of so many threads (at least one) of its own.
///
/// # Errors
/// [`BaselineError::Library`] where the threads cannot be started.
pub fn on_threads<T: Send>(threads: u32, compute: impl FnOnce() -> T + Send) -> Result<T, BaselineError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1) as usize).build();
    let pool = pool.map_err(|error| BaselineError::Library { model: "threads", reason: error.to_string() })?;
    Ok(pool.install(compute))
}
