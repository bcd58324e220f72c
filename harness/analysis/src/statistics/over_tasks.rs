//! A metric over all tasks of a protocol: its fits side by side, over the runs that all of them share.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::Objective;
use clmbench_stats::{SMALLEST_N_FOR_INTERVALS, Task, numeric::is_constant};
use clmbench_store::StatisticRow;
use serde::Serialize;

use super::Fitted;

/// What the fits of one metric share, whatever the task: (metric, protocol, objective, tokenizer, evaluation sample).
type Key<'a> = (&'a str, &'a str, Objective, &'a str, Option<&'a str>);

/// A task that is not pooled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LeftOut {
    /// `dataset/task`.
    pub task: String,
    /// Why.
    pub reason: String,
}

/// The fits of a metric on several tasks, with the columns of the runs that all of them share.
#[derive(Debug)]
pub(super) struct OverTasks<'a> {
    /// The fits, in order of dataset and task.
    pub fits: Vec<&'a Fitted<'a>>,
    /// Names of the tasks, each once.
    pub names: Vec<String>,
    /// Identities of the shared runs.
    pub runs: Vec<&'a str>,
    /// For each fit the oriented metric and score of those runs.
    pub columns: Vec<(Vec<f64>, Vec<f64>)>,
    /// Fits that are left out, and why.
    pub left_out: Vec<LeftOut>,
    /// The first fit of all, those left out among them.
    first: &'a Fitted<'a>,
}

impl<'a> OverTasks<'a> {
    /// Every metric that has a fit with points, in order of its name.
    pub fn all(fitted: &'a [Fitted<'a>]) -> Vec<Self> {
        let mut groups: BTreeMap<Key<'a>, Vec<&'a Fitted<'a>>> = BTreeMap::new();
        for fit in fitted {
            let pool = &fit.details.pool;
            let key = (
                fit.row.metric.as_str(),
                pool.protocol.as_str(),
                pool.objective,
                pool.tokenizer_digest.as_str(),
                pool.evaluation_digest.as_deref(),
            );
            groups.entry(key).or_default().push(fit);
        }
        groups.into_values().filter_map(Self::of).collect()
    }

    fn of(mut fits: Vec<&'a Fitted<'a>>) -> Option<Self> {
        fits.sort_by_key(|fit| (&fit.row.dataset, &fit.row.task, &fit.details.pool));
        let first = *fits.first()?;
        let mut left_out = Vec::new();
        fits.retain(|fit| {
            let reason = constant(&fit.metric, &fit.score);
            let kept = reason.is_none();
            left_out.extend(reason.map(|reason| LeftOut { task: name(fit), reason }));
            kept
        });
        left_out.extend(too_costly(&mut fits));
        let shared = shared(&fits);
        let mut columns = Vec::new();
        let mut kept = Vec::new();
        for fit in fits {
            let rows: BTreeMap<&str, (f64, f64)> = fit
                .runs
                .iter()
                .zip(fit.metric.iter().zip(&fit.score))
                .map(|(run, (m, s))| (run.run.as_str(), (*m, *s)))
                .collect();
            let (metric, score): (Vec<f64>, Vec<f64>) = shared.iter().filter_map(|run| rows.get(run).copied()).unzip();
            match constant(&metric, &score) {
                Some(reason) => {
                    left_out.push(LeftOut { task: name(fit), reason: format!("{reason} of those that all tasks share") })
                }
                None => {
                    columns.push((metric, score));
                    kept.push(fit);
                }
            }
        }
        let names = names(&kept);
        Some(Self { fits: kept, names, runs: shared.into_iter().collect(), columns, left_out, first })
    }

    /// The tasks for the computations.
    pub fn tasks(&self) -> Vec<Task<'_>> {
        let pairs = self.names.iter().zip(&self.columns);
        pairs.map(|(name, (metric, score))| Task { name, metric, score }).collect()
    }

    /// Name of the metric.
    pub fn metric(&self) -> &'a str {
        &self.first.row.metric
    }

    /// Whether it is one of the trivial predictors, which gains are measured over.
    pub fn is_trivial(&self) -> bool {
        self.first.row.trivial
    }

    /// The Holm family, that of its fits.
    pub fn family(&self) -> &'a str {
        &self.first.details.family
    }

    /// Name of the pool over all tasks.
    pub fn pool(&self) -> String {
        self.first.details.pool.name_over_tasks()
    }

    /// What tells this metric over all tasks from all others, for streams of random numbers.
    pub fn label(&self) -> String {
        format!("{} {}", self.metric(), self.pool())
    }

    /// The task that has the fewest runs, with their number, where others have more.
    pub fn fewest_runs(&self) -> Option<(&str, usize)> {
        let most = self.fits.iter().map(|fit| fit.runs.len()).max()?;
        let (name, fit) = self.names.iter().zip(&self.fits).min_by_key(|(_, fit)| fit.runs.len())?;
        (fit.runs.len() < most).then_some((name, fit.runs.len()))
    }

    /// A row about it, without a value.
    pub fn statistic(&self, kind: &str, name: &str) -> StatisticRow {
        StatisticRow {
            kind: kind.to_owned(),
            metric: Some(self.metric().to_owned()),
            protocol: Some(self.first.row.protocol.clone()),
            pool: Some(self.pool()),
            name: name.to_owned(),
            // Where no task is pooled, the runs of its first fit.
            n: if self.fits.is_empty() { self.first.row.n } else { self.runs.len() as u32 },
            ..StatisticRow::default()
        }
    }
}

/// Runs that all fits share.
fn shared<'a>(fits: &[&'a Fitted<'a>]) -> BTreeSet<&'a str> {
    let sets = fits.iter().map(|fit| fit.runs.iter().map(|run| run.run.as_str()).collect::<BTreeSet<&str>>());
    sets.reduce(|left, right| &left & &right).unwrap_or_default()
}

/// Takes out tasks whose few runs would cost the others their interval: one after the other the task without which the rest shares
/// most runs, until there are 8. Where that cannot be reached with two tasks, all stay.
fn too_costly<'a>(fits: &mut Vec<&'a Fitted<'a>>) -> Vec<LeftOut> {
    let mut rest = fits.clone();
    let mut taken = Vec::new();
    while shared(&rest).len() < SMALLEST_N_FOR_INTERVALS {
        let without = |place: usize| {
            let others: Vec<&Fitted<'_>> =
                rest.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, fit)| *fit).collect();
            shared(&others).len()
        };
        let worst = (0..rest.len()).rev().max_by_key(|&place| without(place));
        let Some(place) = worst.filter(|_| rest.len() > 2) else { return Vec::new() };
        let fit = rest.remove(place);
        let reason = format!("it has {} of the runs, and all other tasks would be judged by those alone", fit.runs.len());
        taken.push(LeftOut { task: name(fit), reason });
    }
    *fits = rest;
    taken
}

/// Why a fit of these columns says nothing, if so.
fn constant(metric: &[f64], score: &[f64]) -> Option<String> {
    let same = |name: &str, values: &[f64]| is_constant(values).then(|| format!("the {name} is the same in every run"));
    same("metric", metric).or_else(|| same("score", score))
}

fn name(fit: &Fitted<'_>) -> String {
    format!("{}/{}", fit.row.dataset, fit.row.task)
}

/// Names of tasks; where two splits of one task are pooled, with the split.
fn names(fits: &[&Fitted<'_>]) -> Vec<String> {
    let plain: Vec<String> = fits.iter().map(|fit| name(fit)).collect();
    let several = |wanted: &String| plain.iter().filter(|name| *name == wanted).count() > 1;
    plain
        .iter()
        .zip(fits)
        .map(|(plain, fit)| if several(plain) { format!("{plain} {}", fit.row.pool) } else { plain.clone() })
        .collect()
}
