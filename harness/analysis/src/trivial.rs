//! The trivial predictors, which gains are measured over: logs of size, tokens and corpus size.

use clmbench_stats::{Column, Refusal};
use clmbench_store::RunRow;

/// Why a trivial predictor has no gain.
pub(crate) const NO_GAIN_OVER_ITSELF: &str = "gains are measured over the trivial predictors, this one among them";

/// A name with one value a run.
pub(crate) type Covariate = (&'static str, Vec<f64>);

/// Log non-embedding parameters.
pub(crate) fn size<'r>(runs: impl Iterator<Item = &'r RunRow>) -> Covariate {
    ("log non-embedding parameters", runs.map(|run| (run.non_embedding_parameters as f64).ln()).collect())
}

/// Logs of size, tokens and corpus size.
///
/// # Errors
/// Tokens or corpus of a run are not known.
pub(crate) fn trivial<'r>(runs: impl Iterator<Item = &'r RunRow> + Clone) -> Result<Vec<Covariate>, Refusal> {
    let logs = |get: fn(&RunRow) -> Option<u64>| -> Option<Vec<f64>> {
        runs.clone().map(|run| get(run).map(|count| (count as f64).ln())).collect()
    };
    match (logs(|run| run.tokens), logs(|run| run.corpus_molecules)) {
        (Some(tokens), Some(corpus)) => Ok(vec![size(runs), ("log tokens", tokens), ("log corpus size", corpus)]),
        _ => Err(Refusal::NoValues { what: "tokens and corpus size of a checkpoint of others are not known".to_owned() }),
    }
}

/// The same as columns of a regression.
pub(crate) fn columns(covariates: &[Covariate]) -> Vec<Column<'_>> {
    covariates.iter().map(|(name, values)| Column { name, values }).collect()
}
