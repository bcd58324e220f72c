//! A candidate against a gate baseline.

use std::collections::BTreeSet;

use clmbench_protocol::{Comparable, Direction, ErrorKind};
use clmbench_stats::{
    gate::{
        Claim, Estimate, GateRefusal, GateSide, GateVerdict, SEEDS_OF_A_RECIPE, TaskJudgement, TransferSeeds, ValueComparison,
        judge_gate,
    },
    numeric::{mean, sample_sd},
};

use super::{
    compare::{counterpart, groups, transfer_seeds},
    freeze::LeftOut,
    record::{GateBaseline, Margin, MarginSource, MetricRecord, SideRecord, TaskRecord},
    report::{GateOverall, GateReport, GateRow, GateRowKind},
    seeds::one_model,
    speed::{SpeedAsked, of_speed},
};
use crate::GENERATED_BY;

/// What is said of two errors of measurement on one sample: values of single molecules and masks, which would make pairs, are not
/// stored, and what both sides share of their errors would cancel.
const SHARED_SAMPLE: &str = ", taken as independent although both sides were measured on the same molecules and masks: cautious";

/// What is gated beside the scores, and names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked {
    /// Name of the gate baseline.
    pub baseline: String,
    /// Its digest.
    pub baseline_digest: String,
    /// The candidate, as it was named.
    pub candidate: String,
    /// Metrics by id, with a margin in their own units.
    pub metrics: Vec<(String, f64)>,
    /// The speed of embedding; none = it is not gated.
    pub speed: Option<SpeedAsked>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Judges every task of the baseline, and what else is asked. `left_out` says why the candidate lacks something; an entry without a
/// dataset speaks for all.
pub fn judge(baseline: &GateBaseline, candidate: &SideRecord, left_out: &[LeftOut], asked: &Asked) -> GateReport {
    let mut grouped = groups(baseline, candidate, left_out);
    let mut values: Vec<Value> = values(baseline, candidate, asked);
    let sides = [(GateSide::Baseline, &baseline.side), (GateSide::Candidate, candidate)];
    if let Some((side, reason)) = sides.into_iter().find_map(|(side, record)| Some((side, one_model(&record.runs).err()?))) {
        let refusal = GateRefusal::NotSeeds { side, reason };
        grouped.iter_mut().flat_map(|(group, _)| &mut group.tasks).for_each(|task| *task = Err(refusal.clone()));
        values.iter_mut().for_each(|value| value.comparison = Err(refusal.clone()));
    }
    let comparisons: Vec<Result<ValueComparison, GateRefusal>> = values.iter().map(|value| value.comparison.clone()).collect();
    let groups: Vec<_> = grouped.iter().map(|(group, _)| group.clone()).collect();
    let judged = judge_gate(&groups, &comparisons);
    let places = grouped.iter().flat_map(|(_, places)| places.iter().copied());
    let mut rows: Vec<(usize, GateRow)> = places
        .zip(&judged.tasks)
        .map(|(place, found)| (place, score_row(baseline, candidate, place, judged.claim, found)))
        .collect();
    rows.sort_by_key(|(place, _)| *place);
    let mut rows: Vec<GateRow> = rows.into_iter().map(|(_, row)| row).collect();
    rows.extend(values.into_iter().zip(&judged.values).map(|(value, found)| filled(value.row, found)));
    let mean = judged.mean.as_ref().ok();
    let overall = GateOverall {
        verdict: judged.verdict,
        reason: reason(judged.verdict, &rows, judged.mean.as_ref()),
        settle: judged.settle.as_ref().map(ToString::to_string),
        difference_in_margins: mean.map(|mean| mean.difference),
        low95: mean.map(|mean| mean.low95),
        high95: mean.map(|mean| mean.high95),
        claim: judged.claim,
        claim_text: claim_text(judged.claim, baseline.side.runs.len(), candidate.runs.len()),
        baseline: asked.baseline.clone(),
        baseline_digest: asked.baseline_digest.clone(),
        candidate: asked.candidate.clone(),
        notes: asked.notes.clone(),
    };
    GateReport { schema: "clmbench/gate/1".to_owned(), generated_by: GENERATED_BY.to_owned(), rows, overall }
}

fn claim_text(claim: Claim, baseline: usize, candidate: usize) -> String {
    match claim {
        Claim::Recipe => format!(
            "about the recipe: {candidate} pretraining seeds of the candidate, {baseline} of the gate baseline, their spread in the intervals"
        ),
        Claim::Checkpoint if candidate < 2 && baseline < 2 => {
            "about this checkpoint: another pretraining seed could come out otherwise, and no interval contains that".to_owned()
        }
        Claim::Checkpoint => format!(
            "about these checkpoints ({candidate} of the candidate, {baseline} of the gate baseline): a claim about the recipe needs \
             {SEEDS_OF_A_RECIPE} pretraining seeds of each"
        ),
    }
}

fn reason(verdict: GateVerdict, rows: &[GateRow], mean: Result<&Estimate, &GateRefusal>) -> String {
    let compared = rows.iter().filter(|row| row.holm_p.is_some()).count();
    let scores = rows.iter().filter(|row| row.kind == GateRowKind::Score && row.refusal.is_none()).count();
    let refused: Vec<String> = rows.iter().filter(|row| row.refusal.is_some()).map(GateRow::about).collect();
    let of_mean = mean.map(|mean| {
        format!(
            "the mean difference over {scores} task{} is {:+.2} margins [{:+.2}, {:+.2}]",
            if scores == 1 { "" } else { "s" },
            mean.difference,
            mean.low95,
            mean.high95
        )
    });
    match (verdict, of_mean) {
        (GateVerdict::Worse, _) => {
            let worse = |row: &&GateRow| {
                row.verdict == GateVerdict::Worse && row.holm_p.is_some_and(|p| p <= clmbench_stats::gate::LEVEL)
            };
            let names: Vec<String> = rows.iter().filter(worse).map(GateRow::about).collect();
            format!(
                "worse on {}, after Holm over {compared} comparison{}",
                names.join(", "),
                if compared == 1 { "" } else { "s" }
            )
        }
        (GateVerdict::NotWorse, Ok(of_mean)) => format!("{of_mean}, above -1"),
        (GateVerdict::NotWorse, Err(_)) => "every gated value is not worse".to_owned(),
        (GateVerdict::CannotTell, Ok(of_mean)) if !refused.is_empty() => {
            format!("{} could not be compared ({of_mean})", refused.join(", "))
        }
        (GateVerdict::CannotTell, Err(_)) if !refused.is_empty() => format!("{} could not be compared", refused.join(", ")),
        (GateVerdict::CannotTell, Err(refusal)) => refusal.to_string(),
        (GateVerdict::CannotTell, Ok(of_mean)) => {
            let undecided = |row: &&GateRow| row.kind != GateRowKind::Score && row.verdict != GateVerdict::NotWorse;
            match rows.iter().find(undecided) {
                Some(row) => format!("{of_mean}, and {} is undecided", row.about()),
                None => format!("{of_mean}: it reaches below -1"),
            }
        }
    }
}

/// Mean over runs of the means over seeds, and their numbers.
fn summary(task: Option<&TaskRecord>) -> (Option<f64>, (u32, u32)) {
    let Some(task) = task else { return (None, (0, 0)) };
    let of_run = |seeds: &Vec<super::record::SeedRecord>| mean(&seeds.iter().map(|seed| seed.score.0).collect::<Vec<_>>());
    let value = mean(&task.runs.iter().map(of_run).collect::<Vec<_>>());
    let seeds = task.runs.iter().map(Vec::len).min().unwrap_or(0);
    (Some(value).filter(|value| value.is_finite()), (task.runs.len() as u32, seeds as u32))
}

fn score_row(baseline: &GateBaseline, candidate: &SideRecord, place: usize, claim: Claim, found: &TaskJudgement) -> GateRow {
    let task = &baseline.side.tasks[place];
    let other = counterpart(task, candidate);
    let (first, second) = (summary(Some(task)), summary(other));
    let margin = baseline.margins.get(place);
    // Without a counterpart the refusal takes its place.
    let contains = other.map_or_else(String::new, |other| contains(claim, task, other));
    let row = GateRow {
        name: task.dataset.clone(),
        task: task.task.clone(),
        protocol: task.protocol.clone(),
        score: task.score.clone(),
        unit: task.unit.clone(),
        baseline: first.0,
        candidate: second.0,
        margin: margin.map_or(0.0, |margin| margin.value),
        margin_from: margin.map_or_else(String::new, |margin| margin.from.clone()),
        margin_source: margin.map(Margin::source),
        contains,
        n_test: task.rows.len() as u64,
        baseline_seeds: first.1,
        candidate_seeds: second.1,
        ..empty(GateRowKind::Score)
    };
    filled(row, found)
}

/// What the interval of a task contains.
fn contains(claim: Claim, task: &TaskRecord, other: &TaskRecord) -> String {
    let numbers = |task: &TaskRecord| {
        let numbers: BTreeSet<usize> = task.runs.iter().map(Vec::len).collect();
        numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ")
    };
    let (first, second) = (numbers(task), numbers(other));
    let others =
        if first == second { format!("{first} on each side, but not the same") } else { format!("{first} and {second}") };
    match (claim, transfer_seeds(task, other)) {
        (Claim::Recipe, TransferSeeds::Mixed) => {
            "test molecules and pretraining seeds; runs of one side have other transfer seeds than its others".to_owned()
        }
        (Claim::Recipe, TransferSeeds::Unpaired) => format!(
            "test molecules and pretraining seeds; the transfer seeds of the sides differ ({others}), and what such a seed changes \
             in all runs of a side alike is not in it"
        ),
        (Claim::Recipe, _) => "test molecules and pretraining seeds".to_owned(),
        (Claim::Checkpoint, TransferSeeds::None) => "test molecules".to_owned(),
        (Claim::Checkpoint, TransferSeeds::Paired) => {
            format!("test molecules and transfer seeds (the same {first} on both sides, paired)")
        }
        (Claim::Checkpoint, TransferSeeds::Unpaired) => {
            format!("test molecules and transfer seeds ({others}: unpaired)")
        }
        (Claim::Checkpoint, TransferSeeds::Mixed) => format!(
            "test molecules and transfer seeds ({first} and {second}, other ones in runs of one side: taken as moving its runs together)"
        ),
    }
}

fn filled(row: GateRow, found: &TaskJudgement) -> GateRow {
    let estimate = found.estimate.as_ref().ok();
    GateRow {
        difference: estimate.map(|estimate| estimate.difference),
        low95: estimate.map(|estimate| estimate.low95),
        high95: estimate.map(|estimate| estimate.high95),
        verdict: found.verdict,
        p_worse: estimate.map(|estimate| estimate.p_worse),
        holm_p: found.holm_p,
        se_test: estimate.map(|estimate| estimate.se_test),
        se_seed: estimate.and_then(|estimate| estimate.se_seed),
        contains: found.estimate.as_ref().err().map_or(row.contains, ToString::to_string),
        refusal: found.estimate.as_ref().err().map(|refusal| refusal.word().to_owned()),
        settle: found.settle.as_ref().map(ToString::to_string),
        ..row
    }
}

pub(super) fn empty(kind: GateRowKind) -> GateRow {
    GateRow {
        kind,
        name: String::new(),
        task: String::new(),
        protocol: String::new(),
        score: String::new(),
        unit: String::new(),
        baseline: None,
        candidate: None,
        difference: None,
        low95: None,
        high95: None,
        margin: 0.0,
        margin_from: String::new(),
        margin_source: Some(MarginSource::Option),
        verdict: GateVerdict::CannotTell,
        p_worse: None,
        holm_p: None,
        se_test: None,
        se_seed: None,
        contains: String::new(),
        refusal: None,
        settle: None,
        n_test: 0,
        baseline_seeds: (0, 0),
        candidate_seeds: (0, 0),
    }
}

/// A gated value that is no score.
pub(super) struct Value {
    pub row: GateRow,
    pub comparison: Result<ValueComparison, GateRefusal>,
}

fn values(baseline: &GateBaseline, candidate: &SideRecord, asked: &Asked) -> Vec<Value> {
    let mut values = Vec::new();
    for (id, margin) in &asked.metrics {
        let mut records = baseline.side.metrics.iter().filter(|record| record.metric == *id).peekable();
        if records.peek().is_none() {
            let row = GateRow {
                name: id.clone(),
                margin: *margin,
                margin_from: format!("{id}={margin}"),
                ..empty(GateRowKind::Metric)
            };
            values.push(Value { row, comparison: Err(GateRefusal::NoValue { side: GateSide::Baseline }) });
        }
        values.extend(records.map(|record| of_metric(record, candidate, *margin)));
    }
    values.extend(asked.speed.as_ref().map(|asked| of_speed(&baseline.side.speed, &candidate.speed, asked)));
    values
}

/// Mean, squared standard error and degrees of freedom of a metric over runs. Of three runs or more the spread over runs counts (it
/// contains the errors of measurement), else these alone.
fn over_runs(values: &[(f64, f64)]) -> (f64, f64, Option<f64>) {
    let (centre, n) = (mean(&values.iter().map(|value| value.0).collect::<Vec<_>>()), values.len() as f64);
    if values.len() >= SEEDS_OF_A_RECIPE {
        let spread = sample_sd(&values.iter().map(|value| value.0).collect::<Vec<_>>());
        return (centre, spread * spread / n, Some(n - 1.0));
    }
    (centre, values.iter().map(|value| value.1 * value.1).sum::<f64>() / (n * n), None)
}

fn of_metric(record: &MetricRecord, candidate: &SideRecord, margin: f64) -> Value {
    // Of several samples that of the baseline.
    let same = || candidate.metrics.iter().filter(|other| other.is_of(record));
    let other = same().find(|other| record.is_on_the_sample_of(other)).or_else(|| same().next());
    let task = record.dataset.as_ref().map(|(.., task)| task.clone()).unwrap_or_default();
    let row = GateRow {
        name: record.metric.clone(),
        task,
        score: "value".to_owned(),
        unit: record.unit.clone(),
        margin,
        margin_from: format!("{}={margin}", record.metric),
        contains: "the errors of measurement".to_owned(),
        baseline_seeds: (record.values.len() as u32, 0),
        ..empty(GateRowKind::Metric)
    };
    let Some(other) = other else {
        return Value { row, comparison: Err(GateRefusal::NoValue { side: GateSide::Candidate }) };
    };
    let known = |record: &MetricRecord| -> Option<Vec<(f64, f64)>> {
        record.values.iter().map(|value| value.map(|(value, error)| (value.0, error.0))).collect()
    };
    let row = GateRow { candidate_seeds: (other.values.len() as u32, 0), ..row };
    let (first, second) = match (known(record), known(other)) {
        (Some(first), Some(second)) => (over_runs(&first), over_runs(&second)),
        (None, _) => return Value { row, comparison: Err(GateRefusal::NoValue { side: GateSide::Baseline }) },
        (_, None) => return Value { row, comparison: Err(GateRefusal::NoValue { side: GateSide::Candidate }) },
    };
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let row = GateRow { baseline: finite(first.0), candidate: finite(second.0), ..row };
    let of_other_tokens = record.comparable == Comparable::SameEvaluation && record.tokenizer_digest != other.tokenizer_digest;
    if of_other_tokens || !record.is_on_the_sample_of(other) {
        let reason =
            "another tokenizer or held-out sample, on which its values mean something else; gate a score instead".to_owned();
        return Value { row, comparison: Err(GateRefusal::NotAlike { reason }) };
    }
    let bounded = |record: &MetricRecord, spread: Option<f64>| record.error_kind == ErrorKind::ResidualBound && spread.is_none();
    if bounded(record, first.2) || bounded(other, second.2) {
        return Value { row, comparison: Err(GateRefusal::NoStandardError) };
    }
    let sign = if record.direction == Direction::HigherIsBetter { 1.0 } else { -1.0 };
    let variance = first.1 + second.1;
    let degrees_of_freedom = match (first.2, second.2) {
        (Some(first_df), Some(second_df)) if variance > 0.0 => {
            Some(variance * variance / (first.1 * first.1 / first_df + second.1 * second.1 / second_df))
        }
        (None, None) | (Some(_), Some(_)) => None,
        // Spread over runs on one side only: its degrees of freedom, the stricter reading.
        (one, other) => one.or(other),
    };
    let contains = match (first.2, second.2) {
        (Some(_), Some(_)) => "pretraining seeds",
        (Some(_), None) => "pretraining seeds of the gate baseline, the error of measurement of the candidate",
        (None, Some(_)) => "pretraining seeds of the candidate, the error of measurement of the gate baseline",
        (None, None) => "the errors of measurement",
    };
    let shared = first.2.is_none() && second.2.is_none() && record.comparable == Comparable::SameEvaluation && variance > 0.0;
    let contains = format!("{contains}{}", if shared { SHARED_SAMPLE } else { "" });
    let row = GateRow { contains, ..row };
    let comparison =
        ValueComparison { difference: sign * (second.0 - first.0), std_error: variance.sqrt(), degrees_of_freedom, margin };
    Value { row, comparison: Ok(comparison) }
}
