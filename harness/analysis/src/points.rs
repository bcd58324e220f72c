//! One point a run: the score and the metric at its last annealed checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::{Comparable, Objective, TaskKind};
use clmbench_store::{MetricRow, RunRow, ScoreRow};

use crate::{
    details::{ExcludedRun, FitPoint},
    inputs::{FailedCell, Inputs},
    pool::Pool,
    twins,
    variant::Variant,
};

/// Scores that can be compared: one task under one protocol and split.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScoreGroup {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// Protocol.
    pub protocol: String,
    /// Digest of the split.
    pub split_digest: String,
    /// Digest of molecules and labels.
    pub data_digest: String,
    /// Name of the score.
    pub score: String,
    /// Whether larger is better.
    pub higher_is_better: bool,
}

/// A run's score: mean over transfer seeds at its last checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Mean over transfer seeds, as the score is defined (not oriented).
    pub value: f64,
    /// Standard error over test molecules: the mean over seeds, which share the molecules.
    pub se_test: f64,
    /// Standard error over transfer seeds: standard deviation over the root of their number; none with one seed, unless the
    /// cell gives its own.
    pub se_seed: Option<f64>,
    /// Cells averaged.
    pub seeds: u32,
    /// Transfer seeds of a fine-tuning, rising; empty where a protocol or a baseline has none.
    pub transfer_seeds: Vec<u64>,
    /// The same score of the predictor that always says the training mean or prevalence.
    pub mean_predictor: f64,
    /// Molecules with labels for testing.
    pub n_test: u64,
    /// Whether the checkpoint was annealed.
    pub annealed: bool,
    /// Identities of those cells.
    pub cells: Vec<String>,
    /// Whether the suite fixed the learning rate of a fine-tuning.
    pub fixed_learning_rate: bool,
    /// Devices that computed it.
    pub devices: Vec<String>,
    /// libtorch versions that computed it.
    pub libtorch: Vec<String>,
}

/// Primary scores of every run (and control) at its last checkpoint.
pub fn scores_by_group(rows: &[ScoreRow]) -> BTreeMap<ScoreGroup, BTreeMap<String, Score>> {
    let mut cells: BTreeMap<ScoreGroup, BTreeMap<String, Vec<&ScoreRow>>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.primary && row.last) {
        let group = ScoreGroup {
            dataset: row.dataset.clone(),
            task: row.task.clone(),
            task_kind: row.task_kind,
            protocol: row.protocol.clone(),
            split_digest: row.split_digest.clone(),
            data_digest: row.data_digest.clone(),
            score: row.score.clone(),
            higher_is_better: row.higher_is_better,
        };
        cells.entry(group).or_default().entry(row.run.clone()).or_default().push(row);
    }
    let average =
        |runs: BTreeMap<String, Vec<&ScoreRow>>| runs.into_iter().map(|(run, seeds)| (run, mean_over_seeds(&seeds))).collect();
    cells.into_iter().map(|(group, runs)| (group, average(runs))).collect()
}

fn mean_over_seeds(seeds: &[&ScoreRow]) -> Score {
    let count = seeds.len() as f64;
    let mean = |get: fn(&ScoreRow) -> f64| seeds.iter().map(|row| get(row)).sum::<f64>() / count;
    let value = mean(|row| row.value);
    let spread = || (seeds.iter().map(|row| (row.value - value).powi(2)).sum::<f64>() / (count - 1.0) / count).sqrt();
    let distinct = |get: fn(&ScoreRow) -> &String| {
        let mut all: Vec<String> = seeds.iter().map(|row| get(row).clone()).collect();
        all.sort();
        all.dedup();
        all
    };
    Score {
        value,
        se_test: mean(|row| row.se_test),
        se_seed: if seeds.len() > 1 { Some(spread()) } else { seeds.first().and_then(|row| row.se_seed) },
        seeds: seeds.len() as u32,
        transfer_seeds: transfer_seeds(seeds),
        mean_predictor: mean(|row| row.mean_predictor),
        n_test: seeds.iter().map(|row| row.n_test).min().unwrap_or(0),
        annealed: seeds.iter().all(|row| row.annealed),
        cells: distinct(|row| &row.cell),
        fixed_learning_rate: seeds.iter().any(|row| row.fixed_learning_rate),
        devices: distinct(|row| &row.device),
        libtorch: distinct(|row| &row.libtorch),
    }
}

fn transfer_seeds(cells: &[&ScoreRow]) -> Vec<u64> {
    let mut seeds: Vec<u64> = cells.iter().filter(|row| row.protocol == "finetune").map(|row| row.seed).collect();
    seeds.sort_unstable();
    seeds
}

/// The runs of one fit, in order of their identity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PoolPoints<'a> {
    pub pool: Pool,
    pub points: Vec<Point<'a>>,
    /// Cells of the metric that failed; counted only where there are no points.
    pub failed: usize,
    pub excluded: Vec<ExcludedRun>,
}

/// A run with its metric and its score.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point<'a> {
    pub run: &'a RunRow,
    pub metric: &'a MetricRow,
    pub score: &'a Score,
}

impl Point<'_> {
    pub fn record(&self) -> FitPoint {
        FitPoint {
            run: self.run.run.clone(),
            label: self.run.label.clone(),
            metric: self.metric.value.into(),
            metric_std_error: self.metric.std_error.into(),
            score: self.score.value.into(),
            score_se_test: self.score.se_test.into(),
            score_se_seed: self.score.se_seed.map(Into::into),
            transfer_seeds: self.score.seeds,
        }
    }
}

/// Divides the runs that have both a value of the metric and a score into pools. Controls are not counted; diverged
/// runs, checkpoints of others with the weights of another run and runs that lack one of both are listed as excluded in every pool of their objective and tokenizer.
///
/// Where runs of an objective and tokenizer have scores but none has a value that was planned, there is a pool without
/// points: a metric that failed everywhere is told of, not left out.
pub(crate) fn pools<'a>(
    inputs: &'a Inputs,
    variant: &Variant,
    comparable: Comparable,
    group: &ScoreGroup,
    scores: &'a BTreeMap<String, Score>,
) -> Vec<PoolPoints<'a>> {
    let mut values: BTreeMap<&str, &MetricRow> = BTreeMap::new();
    for row in &inputs.metrics {
        if row.primary && row.last && row.annealed && applies(row.dataset.as_ref(), group) && Variant::of(row) == *variant {
            // Of two measurements of one run (another seed of the probes), the first by identity counts.
            values.entry(&row.run).and_modify(|kept| *kept = first_by_cell(kept, row)).or_insert(row);
        }
    }
    let mut runs: Vec<&RunRow> = inputs.runs.iter().filter(|run| !run.control).collect();
    runs.sort_by(|left, right| left.run.cmp(&right.run));
    let mut pools: BTreeMap<Pool, Vec<Point<'a>>> = BTreeMap::new();
    let mut excluded: Vec<(&RunRow, String)> = Vec::new();
    let mut leave_out = |run, reason: &str| excluded.push((run, reason.to_owned()));
    for run in runs {
        if let Some(first) = twins::counted_instead(&inputs.runs, run) {
            leave_out(run, &twins::reason(first));
            continue;
        }
        let score = scores.get(&run.run);
        match (run.diverged, values.get(run.run.as_str()), score) {
            (true, _, _) => leave_out(run, "diverged"),
            (false, None, None) => leave_out(run, "neither a value of the metric nor a score"),
            (false, None, Some(_)) => leave_out(run, "no value of the metric"),
            (false, Some(_), None) => leave_out(run, "no score"),
            (false, Some(_), Some(score)) if !score.annealed => leave_out(run, "its last checkpoint is not annealed"),
            (false, Some(metric), Some(score)) => {
                let pool = Pool {
                    objective: run.objective,
                    tokenizer_digest: run.tokenizer_digest.clone(),
                    evaluation_digest: match comparable {
                        Comparable::SameEvaluation => Some(metric.heldout_digest.clone()),
                        Comparable::Any => None,
                    },
                    split_digest: group.split_digest.clone(),
                    data_digest: group.data_digest.clone(),
                    protocol: group.protocol.clone(),
                };
                pools.entry(pool).or_default().push(Point { run, metric, score });
            }
        }
    }
    let mut failed: BTreeMap<Pool, usize> = BTreeMap::new();
    let present: BTreeSet<(Objective, String)> =
        pools.keys().map(|pool| (pool.objective, pool.tokenizer_digest.clone())).collect();
    let empty = |run: &RunRow, heldout: &str| Pool {
        objective: run.objective,
        tokenizer_digest: run.tokenizer_digest.clone(),
        evaluation_digest: (comparable == Comparable::SameEvaluation).then(|| heldout.to_owned()),
        split_digest: group.split_digest.clone(),
        data_digest: group.data_digest.clone(),
        protocol: group.protocol.clone(),
    };
    for run in inputs.runs.iter().filter(|run| !run.control && scores.contains_key(&run.run)) {
        if present.contains(&(run.objective, run.tokenizer_digest.clone())) {
            continue;
        }
        let lost: Vec<&FailedCell> = inputs
            .failed
            .iter()
            .filter(|cell| cell.variant == *variant && applies(cell.spec.dataset.as_ref(), group))
            .filter(|cell| cell.spec.checkpoint.objective == run.objective && cell.spec.tokenizer_digest == run.tokenizer_digest)
            .collect();
        let heldout = match (lost.first(), values.get(run.run.as_str())) {
            (Some(cell), _) => &cell.spec.heldout_digest,
            (None, Some(value)) => &value.heldout_digest,
            (None, None) => continue,
        };
        let pool = empty(run, heldout);
        failed.insert(pool.clone(), lost.len());
        pools.entry(pool).or_default();
    }
    let of_pool = |pool: &Pool| {
        let same = |run: &RunRow| run.objective == pool.objective && run.tokenizer_digest == pool.tokenizer_digest;
        let listed = excluded.iter().filter(|(run, _)| same(run)).map(|(run, reason)| ExcludedRun {
            run: run.run.clone(),
            label: run.label.clone(),
            reason: reason.clone(),
        });
        listed.collect()
    };
    pools
        .into_iter()
        .map(|(pool, points)| PoolPoints {
            excluded: of_pool(&pool),
            failed: failed.get(&pool).copied().unwrap_or(0),
            pool,
            points,
        })
        .collect()
}

/// Whether a value belongs to a score: always, unless it was measured for one task.
fn applies(dataset: Option<&(String, String, String)>, group: &ScoreGroup) -> bool {
    dataset.is_none_or(|(data, split, task)| *data == group.data_digest && *split == group.split_digest && *task == group.task)
}

fn first_by_cell<'a>(left: &'a MetricRow, right: &'a MetricRow) -> &'a MetricRow {
    if left.cell <= right.cell { left } else { right }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample::{score_row, suite};

    #[test]
    fn a_score_is_the_mean_over_transfer_seeds() {
        let mut rows = vec![score_row("r1", 1.0), score_row("r1", 3.0), score_row("r2", 5.0)];
        rows[1].se_test = 0.3;
        let groups = scores_by_group(&rows);
        let scores = groups.values().next().unwrap();
        assert_eq!(groups.len(), 1);
        assert_eq!((scores["r1"].value, scores["r1"].seeds), (2.0, 2));
        assert!((scores["r1"].se_test - 0.2).abs() < 1e-12 && (scores["r1"].se_seed.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!((scores["r2"].value, scores["r2"].se_seed), (5.0, None));
    }

    #[test]
    fn intermediate_and_exploratory_scores_do_not_count() {
        let mut rows = vec![score_row("r1", 1.0), score_row("r1", 9.0), score_row("r1", 9.0)];
        rows[1].last = false;
        rows[2].primary = false;
        let groups = scores_by_group(&rows);
        assert_eq!(groups.values().next().unwrap()["r1"].value, 1.0);
    }

    #[test]
    fn pools_divide_by_what_makes_values_comparable() {
        let mut inputs = suite(6);
        inputs.metrics[0].heldout_digest = "another".into();
        inputs.runs[1].tokenizer_digest = "another".into();
        let groups = scores_by_group(&inputs.scores);
        let (group, scores) = groups.iter().next().unwrap();
        let variant = Variant::of(&inputs.metrics[0]);
        let sizes = |comparable| {
            let mut sizes: Vec<usize> =
                pools(&inputs, &variant, comparable, group, scores).iter().map(|pool| pool.points.len()).collect();
            sizes.sort();
            sizes
        };
        assert_eq!(sizes(Comparable::SameEvaluation), [1, 1, 4]);
        assert_eq!(sizes(Comparable::Any), [1, 5]);
    }

    #[test]
    fn controls_are_not_counted_and_the_diverged_are_listed() {
        let mut inputs = suite(6);
        inputs.runs[0].diverged = true;
        inputs.runs[1].control = true;
        let second = inputs.runs[2].run.clone();
        inputs.scores.retain(|row| row.run != second);
        let groups = scores_by_group(&inputs.scores);
        let (group, scores) = groups.iter().next().unwrap();
        let found = pools(&inputs, &Variant::of(&inputs.metrics[0]), Comparable::Any, group, scores);
        assert_eq!((found.len(), found[0].points.len()), (1, 3));
        let reasons: Vec<&str> = found[0].excluded.iter().map(|run| run.reason.as_str()).collect();
        assert_eq!(reasons, ["diverged", "no score"]);
    }
}
