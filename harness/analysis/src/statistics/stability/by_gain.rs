//! Values of the ranking by gain: the mean gain over tasks of resampled runs and tasks, without refitting ([`GainDesign`]).

use std::collections::BTreeMap;

use clmbench_stats::{GainDesign, Generator, Refusal, independent, resampled_counts};
use clmbench_store::RunRow;
use rayon::prelude::*;

use super::{Candidate, Common, RESAMPLES, Values};
use crate::trivial::{columns, trivial};

/// Mean gains over tasks. Pools in which the trivial predictors cannot be told apart are drawn again, the same for all metrics.
pub(super) fn values(candidates: &[Candidate<'_>], common: &Common<'_>, rng: &mut Generator) -> Result<Values, Refusal> {
    let (runs, tasks) = (common.runs.len(), common.tasks.len());
    let Some(first) = candidates.first() else { return Ok(Values { full: Vec::new(), draws: Vec::new() }) };
    let known: BTreeMap<&str, &RunRow> =
        first.over.fits.iter().flat_map(|fit| &fit.runs).map(|run| (run.run.as_str(), *run)).collect();
    let trivial = trivial(common.runs.iter().filter_map(|run| known.get(run).copied()))?;
    let (used, _) = independent(&columns(&trivial), runs);
    let used: Vec<&[f64]> = used.iter().map(|column| column.values).collect();
    let trivial_alone = GainDesign::new(used.iter().copied(), []);
    let mut counts = Vec::with_capacity(RESAMPLES);
    let mut tried = 0;
    while counts.len() < RESAMPLES {
        if tried >= 2 * RESAMPLES {
            return Err(Refusal::Degenerate { usable: counts.len(), draws: tried });
        }
        tried += 1;
        let drawn = (resampled_counts(runs, rng), resampled_counts(tasks, rng));
        if trivial_alone.resampled(&drawn.0).is_some() {
            counts.push(drawn);
        }
    }
    // Metrics of one pool have the same scores; those of several pools need not.
    let mut designs: Vec<GainDesign<'_>> = Vec::new();
    let mut of_candidate = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let design = GainDesign::new(used.iter().copied(), candidate.columns.iter().map(|(_, score)| score.as_slice()));
        let place = designs.iter().position(|known| *known == design).unwrap_or_else(|| {
            designs.push(design);
            designs.len() - 1
        });
        of_candidate.push(place);
    }
    let metrics: Vec<Vec<&[f64]>> =
        candidates.iter().map(|candidate| candidate.columns.iter().map(|(metric, _)| metric.as_slice()).collect()).collect();
    let of = |runs: &[u32], tasks: &[u32]| -> Vec<Option<f64>> {
        let resampled: Vec<_> = designs.iter().map(|design| design.resampled(runs)).collect();
        let gain = |(metrics, &design): (&Vec<&[f64]>, &usize)| resampled[design].as_ref()?.mean(metrics, tasks);
        metrics.iter().zip(&of_candidate).map(gain).collect()
    };
    let draws = counts.par_iter().map(|(runs, tasks)| of(runs, tasks)).collect();
    Ok(Values { full: of(&vec![1; runs], &vec![1; tasks]), draws })
}
