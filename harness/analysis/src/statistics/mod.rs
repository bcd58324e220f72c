//! Statistics beside the fits: what a suite says of its metrics, tasks and runs that is no column of a fit.
//!
//! Each file computes one kind and returns rows ([`StatisticRow`]). They start from fits, so that what stands in which fit is decided
//! once: [`fitted`] gives the oriented columns of every fit that has points.

mod fitted;

use clmbench_store::{FitRow, StatisticRow};

pub use fitted::{Fitted, fitted};

use crate::{AnalysisError, inputs::Inputs};

/// All statistics of a suite, kind by kind.
///
/// # Errors
/// The details of a fit cannot be understood.
pub fn statistic_rows(inputs: &Inputs, fits: &[FitRow]) -> Result<Vec<StatisticRow>, AnalysisError> {
    let fitted = fitted(inputs, fits)?;
    let rows = Vec::new();
    // Kinds are added here, one line each: `rows.extend(regression::rows(&fitted));`
    drop(fitted);
    Ok(rows)
}
