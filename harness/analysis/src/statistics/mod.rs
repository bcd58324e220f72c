//! Statistics beside the fits: what a suite says of its metrics, tasks and runs that is no column of a fit.
//!
//! Each file computes one kind and returns rows ([`StatisticRow`]). They start from fits, so that what stands in which fit is decided
//! once: [`fitted`] gives the oriented columns of every fit that has points.

#[cfg(test)]
mod bertology;
mod correlation;
mod covariates;
mod elastic_net;
mod fitted;
mod influence;
mod numbers;
mod over_tasks;
mod pooled;
mod pooled_gain;
mod power_law;
mod q2;
#[cfg(test)]
mod regress_tests;
mod regression;
mod reliability;
mod saturation;
mod selection;
mod stability;
mod stratum;

use clmbench_store::{FitRow, StatisticRow};
use covariates::Losses;

pub use fitted::{Fitted, fitted};
use over_tasks::OverTasks;
pub use power_law::{Along, POWER_LAW, PowerLawDetails, loss_pool};
use rayon::prelude::*;

use crate::{AnalysisError, inputs::Inputs};

/// All statistics of a suite, kind by kind.
///
/// # Errors
/// The details of a fit cannot be understood.
pub fn statistic_rows(inputs: &Inputs, fits: &[FitRow]) -> Result<Vec<StatisticRow>, AnalysisError> {
    let fitted = fitted(inputs, fits)?;
    let over_tasks = OverTasks::all(&fitted);
    let mut rows = Vec::new();
    rows.par_extend(fitted.par_iter().flat_map_iter(regression::rows));
    rows.par_extend(fitted.par_iter().flat_map_iter(influence::rows));
    rows.par_extend(fitted.par_iter().flat_map_iter(q2::rows));
    let losses = Losses::of(inputs);
    rows.par_extend(fitted.par_iter().flat_map_iter(|fit| correlation::rows(fit, &losses)));
    rows.extend(correlation::false_discoveries(&fitted));
    rows.par_extend(fitted.par_iter().flat_map_iter(stratum::rows));
    rows.extend(elastic_net::rows(&fitted));
    rows.extend(pooled::rows(&over_tasks, inputs.useful_effect));
    rows.extend(pooled_gain::rows(&over_tasks));
    rows.par_extend(fitted.par_iter().flat_map_iter(reliability::rows));
    rows.par_extend(fitted.par_iter().flat_map_iter(selection::rows));
    rows.extend(power_law::rows(inputs)?);
    rows.extend(saturation::rows(inputs, &fitted));
    rows.extend(stability::rows(&over_tasks));
    Ok(rows)
}
