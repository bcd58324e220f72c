//! Whether the runs of a side are pretraining seeds of one model, whose spread is then a spread over seeds.

use std::collections::BTreeMap;

use super::record::RunRecord;

/// That runs of a side can be told apart by their seed alone, as far as their records show: other weights, the same size and
/// architecture.
///
/// # Errors
/// Why not, in words.
pub fn one_model(runs: &[RunRecord]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for run in runs.iter().filter(|run| !run.weights_digest.is_empty()) {
        if let Some(other) = seen.insert(&run.weights_digest, &run.label) {
            return Err(format!("{other} and {} have the same weights", run.label));
        }
    }
    let Some((first, others)) = runs.split_first() else { return Ok(()) };
    let what = |run: &RunRecord| format!("{} of {} parameters", run.architecture, run.non_embedding_parameters);
    let same = |other: &&RunRecord| {
        (&other.architecture, other.non_embedding_parameters) == (&first.architecture, first.non_embedding_parameters)
    };
    match others.iter().find(|other| !same(other)) {
        Some(other) => Err(format!("{} is {}, {} is {}", first.label, what(first), other.label, what(other))),
        None => Ok(()),
    }
}
