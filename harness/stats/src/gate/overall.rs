//! All tasks together.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Claim, GateGroup, GateRefusal, GateVerdict, LEVEL, TaskJudgement, TransferSeeds,
    estimate::{self, Component, Parts, Uncertain},
    verdict as of_estimate,
};
use crate::numeric::mean as average;

/// The equal-weight mean of d / margin over the tasks that could be compared. A molecule moves all
/// tasks of its group together.
pub(super) fn mean(
    groups: &[GateGroup],
    parts: &[Vec<Result<Parts, GateRefusal>>],
    claim: Claim,
) -> Result<Uncertain, GateRefusal> {
    let compared: Vec<(usize, usize, &Parts)> = parts
        .iter()
        .enumerate()
        .flat_map(|(group, tasks)| {
            tasks.iter().enumerate().filter_map(move |(task, parts)| Some((group, task, parts.as_ref().ok()?)))
        })
        .collect();
    if compared.is_empty() {
        return Err(GateRefusal::Nothing);
    }
    let count = compared.len() as f64;
    let weight = |parts: &Parts| 1.0 / (count * parts.uncertain().margin);
    let difference: f64 = compared.iter().map(|(_, _, parts)| weight(parts) * parts.uncertain().estimate.difference).sum();
    let mut influence: Vec<Vec<f64>> = groups.iter().map(|group| vec![0.0; group.molecules]).collect();
    for (group, _, parts) in &compared {
        for (sum, value) in influence[*group].iter_mut().zip(&parts.influence) {
            *sum += weight(parts) * value;
        }
    }
    let used: BTreeSet<usize> = compared.iter().map(|(group, ..)| *group).collect();
    let molecules = used.into_iter().map(|group| groups[group].molecules).sum();
    let seeds = if claim == Claim::Recipe { of_runs(&compared, weight) } else { of_seeds(groups, &compared, weight) };
    Ok(Uncertain::of_tasks(difference, 1.0, molecules, &influence.concat(), seeds))
}

/// A pretraining run moves all its tasks together: the variance over runs of their means over tasks.
fn of_runs(compared: &[(usize, usize, &Parts)], weight: impl Fn(&Parts) -> f64) -> Vec<Component> {
    let side = |side: usize| {
        let runs = compared.iter().map(|(_, _, parts)| parts.scores[side].len()).min().unwrap_or(0);
        let of_run = |run: usize| compared.iter().map(|(_, _, parts)| weight(parts) * average(&parts.scores[side][run])).sum();
        (0..runs).map(|run| vec![of_run(run)]).collect::<Vec<Vec<f64>>>()
    };
    estimate::components(&[side(0), side(1)], Claim::Recipe, TransferSeeds::None).unwrap_or_default()
}

/// Transfer seeds move the tasks of one block together, and those of different blocks apart.
fn of_seeds(groups: &[GateGroup], compared: &[(usize, usize, &Parts)], weight: impl Fn(&Parts) -> f64) -> Vec<Component> {
    type Shape = [Vec<usize>; 2];
    type Scores = [Vec<Vec<f64>>; 2];
    let shape = |parts: &Parts| -> Shape { parts.scores.each_ref().map(|runs| runs.iter().map(Vec::len).collect()) };
    let mut blocks: BTreeMap<(usize, usize, TransferSeeds, Shape), Scores> = BTreeMap::new();
    for (group, task, parts) in compared {
        let Ok(task) = &groups[*group].tasks[*task] else { continue };
        if task.seeds == TransferSeeds::None {
            continue;
        }
        let zero = || shape(parts).map(|runs| runs.into_iter().map(|seeds| vec![0.0; seeds]).collect());
        let sums = blocks.entry((*group, task.block, task.seeds, shape(parts))).or_insert_with(zero);
        for (sums, scores) in sums.iter_mut().flatten().zip(parts.scores.iter().flatten()) {
            sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += weight(parts) * score);
        }
    }
    let of = |((_, _, seeds, _), sums): (&(usize, usize, TransferSeeds, Shape), &Scores)| {
        estimate::components(sums, Claim::Checkpoint, *seeds).unwrap_or_default()
    };
    blocks.iter().flat_map(of).collect()
}

/// The rule for everything together.
pub(super) fn verdict(tasks: &[TaskJudgement], others: &[TaskJudgement], mean: Result<&Uncertain, &GateRefusal>) -> GateVerdict {
    let mut all = tasks.iter().chain(others);
    let worse = |judged: &TaskJudgement| judged.verdict == GateVerdict::Worse && judged.holm_p.is_some_and(|p| p <= LEVEL);
    if all.clone().any(worse) {
        return GateVerdict::Worse;
    }
    // What could not be compared, or a value beside the tasks that is undecided, does not pass with the others.
    let refused = all.any(|judged| judged.estimate.is_err());
    let undecided = others.iter().any(|judged| judged.verdict != GateVerdict::NotWorse);
    match mean {
        Ok(mean) if !refused && !undecided && of_estimate(&mean.estimate, 1.0) == GateVerdict::NotWorse => GateVerdict::NotWorse,
        Err(_) if tasks.is_empty() && !others.is_empty() && !refused && !undecided => GateVerdict::NotWorse,
        _ => GateVerdict::CannotTell,
    }
}
