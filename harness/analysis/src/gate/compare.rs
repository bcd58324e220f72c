//! Tasks of a candidate beside those of a gate baseline, as the decision takes them.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_stats::{
    ScoreName, Scored,
    gate::{GateGroup, GatePredictions, GateRefusal, GateSide, TaskComparison, TransferSeeds},
};
use serde_json::Value;

use super::{
    freeze::LeftOut,
    record::{GateBaseline, SeedRecord, SideRecord, TaskRecord},
};

/// Largest difference between a stored score and the same from stored predictions, relative.
const TOLERANCE: f64 = 1e-6;
/// Letters of a digest that are shown.
const SHORT: usize = 12;

/// Groups in the order of the baseline's tasks, and of each group the places of its tasks among those of the baseline.
pub(super) fn groups(baseline: &GateBaseline, candidate: &SideRecord, left_out: &[LeftOut]) -> Vec<(GateGroup, Vec<usize>)> {
    let mut places: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, task) in baseline.side.tasks.iter().enumerate() {
        places.entry((&task.content_digest, &task.split_digest)).or_default().push(place);
    }
    let mut groups: Vec<(GateGroup, Vec<usize>)> = places
        .into_values()
        .map(|places| {
            let of = |place: &usize| &baseline.side.tasks[*place];
            let rows: BTreeSet<u64> = places.iter().flat_map(|place| of(place).rows.iter().copied()).collect();
            let rows: Vec<u64> = rows.into_iter().collect();
            let protocols: BTreeSet<&str> = places.iter().map(|place| of(place).protocol.as_str()).collect();
            let tasks = places.iter().map(|place| {
                let task = of(place);
                let block = protocols.iter().position(|protocol| *protocol == task.protocol).unwrap_or(0);
                let margin = baseline.margins.get(*place).map_or(f64::NAN, |margin| margin.value);
                compared(task, margin, block, &rows, candidate, left_out)
            });
            (GateGroup { molecules: rows.len(), tasks: tasks.collect() }, places)
        })
        .collect();
    groups.sort_by_key(|(_, places)| places.first().copied());
    groups
}

fn compared(
    task: &TaskRecord,
    margin: f64,
    block: usize,
    rows: &[u64],
    candidate: &SideRecord,
    left_out: &[LeftOut],
) -> Result<TaskComparison, GateRefusal> {
    let other = counterpart(task, candidate).ok_or_else(|| missing(task, left_out))?;
    if task.split_digest != other.split_digest {
        let short = |digest: &str| digest.chars().take(SHORT).collect();
        return Err(GateRefusal::OtherSplit { baseline: short(&task.split_digest), candidate: short(&other.split_digest) });
    }
    if task.content_digest != other.content_digest {
        return Err(GateRefusal::NotAlike {
            reason: "the dataset has other molecules or labels than in the gate baseline".to_owned(),
        });
    }
    if task.settings != other.settings {
        return Err(GateRefusal::NotAlike { reason: settings(&task.settings, &other.settings) });
    }
    let bits = |task: &TaskRecord| task.labels.iter().map(|label| label.0.to_bits()).collect::<Vec<_>>();
    if task.rows != other.rows || bits(task) != bits(other) {
        return Err(GateRefusal::OtherMolecules { baseline: task.rows.len(), candidate: other.rows.len() });
    }
    let Some(score) = ScoreName::from_word(&task.score) else {
        return Err(GateRefusal::Undefined { what: format!("what is stored: {} is not computed from predictions", task.score) });
    };
    // Damaged by hand, or an old worker's: what is judged must be what was scored.
    check(task, score, GateSide::Baseline)?;
    check(other, score, GateSide::Candidate)?;
    Ok(TaskComparison {
        score,
        margin,
        seeds: transfer_seeds(task, other),
        block,
        places: task.rows.iter().filter_map(|row| rows.binary_search(row).ok()).collect(),
        labels: task.labels.iter().map(|label| label.0).collect(),
        baseline: predictions(task),
        candidate: predictions(other),
    })
}

/// The same task under the same protocol, whatever its split; of several, the one of the same split.
pub(super) fn counterpart<'a>(task: &TaskRecord, candidate: &'a SideRecord) -> Option<&'a TaskRecord> {
    let same = |other: &&TaskRecord| {
        (&other.dataset, &other.task, &other.protocol, &other.score) == (&task.dataset, &task.task, &task.protocol, &task.score)
    };
    let mut all = candidate.tasks.iter().filter(same);
    all.clone().find(|other| other.split_digest == task.split_digest).or_else(|| all.next())
}

/// Whether the transfer seeds of both sides are pairs: the same ones in every run; or at least those of each side. Records are ordered by
/// seed.
pub(super) fn transfer_seeds(task: &TaskRecord, other: &TaskRecord) -> TransferSeeds {
    if task.protocol != "finetune" {
        return TransferSeeds::None;
    }
    let [first, second] = [task, other]
        .map(|side| side.runs.iter().map(|run| run.iter().map(|seed| seed.seed).collect()).collect::<BTreeSet<Vec<u64>>>());
    match (first.len().max(second.len()), first == second) {
        (..=1, true) => TransferSeeds::Paired,
        (..=1, false) => TransferSeeds::Unpaired,
        _ => TransferSeeds::Mixed,
    }
}

fn missing(task: &TaskRecord, left_out: &[LeftOut]) -> GateRefusal {
    let of = |left: &&LeftOut| {
        left.dataset == task.dataset && left.protocol == task.protocol && (left.task == task.task || left.task.is_empty())
    };
    let general = |left: &&LeftOut| left.dataset.is_empty();
    let found = left_out.iter().find(of).or_else(|| left_out.iter().find(general));
    match found {
        Some(left) => GateRefusal::NoScore { side: GateSide::Candidate, reason: left.reason.clone() },
        None => GateRefusal::NoPredictions { side: GateSide::Candidate },
    }
}

/// In what two settings differ.
fn settings(baseline: &Value, candidate: &Value) -> String {
    let keys: BTreeSet<&String> =
        [baseline, candidate].iter().filter_map(|value| value.as_object()).flat_map(|map| map.keys()).collect();
    let differ = keys.into_iter().filter(|key| baseline.get(key) != candidate.get(key));
    let show = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    let parts: Vec<String> =
        differ.map(|key| format!("{key} {} and {}", show(baseline.get(key)), show(candidate.get(key)))).collect();
    format!("the protocol of the gate baseline is another: {}", parts.join(", "))
}

fn predictions(task: &TaskRecord) -> GatePredictions {
    let of = |seed: &SeedRecord| seed.predictions.iter().map(|prediction| prediction.0).collect();
    task.runs.iter().map(|seeds| seeds.iter().map(of).collect()).collect()
}

/// That the predictions give the stored scores. What is not finite is refused later, by its name.
fn check(task: &TaskRecord, score: ScoreName, side: GateSide) -> Result<(), GateRefusal> {
    for seed in task.runs.iter().flatten() {
        let prediction: Vec<f64> = seed.predictions.iter().map(|prediction| prediction.0).collect();
        if prediction.len() != task.labels.len() || prediction.iter().any(|value| !value.is_finite()) {
            continue;
        }
        let once = vec![1.0; prediction.len()];
        let scored = Scored::new(task.labels.iter().map(|label| label.0).collect(), prediction);
        let stored = seed.score.0;
        let found = scored.score(score, &once);
        // A stored score that is not finite agrees with none.
        let agrees = |found: f64| (found - stored).abs() <= TOLERANCE * stored.abs().max(1.0);
        if let Some(found) = found.filter(|found| !agrees(*found)) {
            let reason = format!("the stored predictions of {side} give {} = {found:.6}, not the stored {stored:.6}", task.score);
            return Err(GateRefusal::NotAlike { reason });
        }
    }
    Ok(())
}
