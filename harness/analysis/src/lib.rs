//! From the record to fits, verdicts and leaderboards.
//!
//! [`fit_suite`] reads the finished cells of a suite and returns one [`clmbench_store::FitRow`] for each metric, task and
//! pool; [`predictors`] and [`models`] turn stored fits and scores into boards for tables and JSON.
//!
//! What is fitted: one point a run (its last annealed checkpoint; its score the mean over transfer seeds), primary
//! values only. A metric that failed everywhere has a refused row, not none. Exploratory values are stored but not fitted for now. Controls and diverged runs are never counted.

mod baselines;
mod comparisons;
mod details;
mod error;
mod expectation;
mod fit;
mod flags;
pub mod gate;
mod inputs;
#[cfg(test)]
mod labelled;
mod labels;
mod learning;
mod losses;
mod models;
mod paired;
mod points;
mod pool;
mod pooled;
mod predictors;
mod refused;
#[cfg(test)]
mod sample;
mod standings;
mod statistics;
mod trivial;
mod twins;
mod unscored;
mod variant;

use clmbench_store::{FitRow, StatisticRow, Store};

pub use comparisons::Compared;
pub use details::{Details, ExcludedRun, FitPoint, GainDetails};
pub use error::AnalysisError;
pub use expectation::{Expectation, Unexpected, expectation};
pub use fit::fit_rows;
pub use flags::LARGEST_UNTRAINED_SHARE;
pub use inputs::{FailedCell, Inputs};
pub use labels::LabelNote;
pub use losses::{CheckpointLoss, checkpoint_losses};
pub use models::{ModelBoard, ModelKind, ModelRow, model_board};
pub use points::{Score, ScoreGroup, scores_by_group};
pub use pool::Pool;
pub use pooled::{Order, PooledRow};
pub use predictors::{PredictorBoard, PredictorRow, predictor_board};
pub use refused::{RefusedMetric, RefusedTask};
pub use standings::{MixedSplits, Place, Standing, StandingTask, Standings, standings};
pub use statistics::{Along, Fitted, POWER_LAW, PowerLawDetails, fitted, loss_pool, statistic_rows};

/// Who made a board, for its JSON form.
pub const GENERATED_BY: &str = concat!("clmbench ", env!("CARGO_PKG_VERSION"));

/// Fits every primary value to every score of the suite's finished cells, and computes the statistics beside the fits. Nothing is
/// stored; [`Store::put_fits`] does that.
///
/// # Errors
/// The store cannot be read; a measured metric is described by no stored plugin.
pub fn fit_suite(store: &Store, suite_id: i64) -> Result<(Vec<FitRow>, Vec<StatisticRow>), AnalysisError> {
    let inputs = Inputs::read(store, suite_id)?;
    let fits = fit_rows(&inputs)?;
    let statistics = statistics::statistic_rows(&inputs, &fits)?;
    Ok((fits, statistics))
}

/// The leaderboard of predictors, from the suite's stored fits.
///
/// # Errors
/// The store cannot be read; a stored fit's details cannot be understood.
pub fn predictors(store: &Store, suite_id: i64) -> Result<PredictorBoard, AnalysisError> {
    let suite = inputs::suite(store, suite_id)?;
    let mut board = predictor_board(&suite.name, suite.expect, suite.useful_effect, store.fits(suite_id)?)?;
    board.pooled = pooled::rows(&board.rows, &store.statistics(suite_id)?)?;
    board.refused = refused::refused(&store.refused_tasks(suite_id)?);
    board.lacking = refused::lacking(&store.cells(suite_id)?);
    board.look_over(store.datasets(suite_id)?);
    board.stale = store.fits_state(suite_id)?.is_some_and(|state| state.stale);
    Ok(board)
}

/// The leaderboard of models with the comparisons of every ranking, unless there are very many scores.
///
/// # Errors
/// The store cannot be read.
pub fn models(store: &Store, suite_id: i64) -> Result<ModelBoard, AnalysisError> {
    compared_models(store, suite_id, &Compared::default())
}

/// The leaderboard of models: runs, controls, baselines and the mean predictor by primary score. The models of the rankings that are
/// asked for are compared pair by pair on their test molecules; of very many scores only those of one dataset.
///
/// # Errors
/// The store cannot be read.
pub fn compared_models(store: &Store, suite_id: i64, compared: &Compared) -> Result<ModelBoard, AnalysisError> {
    let mut board = model_board(&Inputs::of_models(store, suite_id)?.with_predictions(store, compared)?, compared);
    unscored::explain(&mut board.missing, &store.cells(suite_id)?);
    Ok(board)
}
