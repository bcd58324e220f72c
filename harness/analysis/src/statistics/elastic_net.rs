//! What all metrics together predict: one elastic net a task, over the metrics that share its runs.

use std::collections::BTreeMap;

use clmbench_stats::{Column, Grid, Nested, Refusal, nested_elastic_net, numeric::is_constant};
use clmbench_store::StatisticRow;
use rayon::prelude::*;
use serde_json::json;

use super::{
    Fitted,
    covariates::configurations,
    numbers::{about, detailed, refused, valued},
};

const KIND: &str = "elastic_net";

/// What the fits of one net share: dataset, task, score, split and molecules, and the family (protocol, objective, tokenizer).
type Key<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str);

/// One elastic net for each task, score, split and family.
pub(super) fn rows(fitted: &[Fitted<'_>]) -> Vec<StatisticRow> {
    let mut tasks: BTreeMap<Key<'_>, Vec<&Fitted<'_>>> = BTreeMap::new();
    for fit in fitted {
        let (row, pool) = (fit.row, &fit.details.pool);
        let key = (
            row.dataset.as_str(),
            row.task.as_str(),
            row.score.as_str(),
            fit.details.family.as_str(),
            pool.split_digest.as_str(),
            pool.data_digest.as_str(),
        );
        tasks.entry(key).or_default().push(fit);
    }
    let tasks: Vec<Vec<&Fitted<'_>>> = tasks.into_values().collect();
    tasks.par_iter().flat_map_iter(|fits| of_task(fits)).collect()
}

fn of_task(fits: &[&Fitted<'_>]) -> Vec<StatisticRow> {
    let mut by_runs: BTreeMap<Vec<&str>, Vec<&Fitted<'_>>> = BTreeMap::new();
    for fit in fits {
        by_runs.entry(fit.runs.iter().map(|run| run.run.as_str()).collect()).or_default().push(fit);
    }
    // The runs that most metrics share; of equally many metrics, the most runs.
    let Some((_, shared)) = by_runs.iter().max_by_key(|(runs, fits)| (fits.len(), runs.len())) else { return Vec::new() };
    let (constant, used): (Vec<&Fitted<'_>>, Vec<&Fitted<'_>>) = shared.iter().copied().partition(|fit| is_constant(&fit.metric));
    let first = shared[0];
    let empty =
        |name: &str| StatisticRow { metric: None, pool: Some(first.details.family.clone()), ..first.statistic(KIND, name) };
    let names = |fits: &[&Fitted<'_>]| -> Vec<String> { fits.iter().map(|fit| fit.row.metric.clone()).collect() };
    let kept = names(shared);
    let other_runs: Vec<String> = names(fits).into_iter().filter(|name| !kept.contains(name)).collect();
    let columns: Vec<Column<'_>> = used.iter().map(|fit| Column { name: &fit.row.metric, values: &fit.metric }).collect();
    if columns.is_empty() {
        let what = "every metric has the same value in all runs".to_owned();
        return vec![refused(empty("q2"), &Refusal::NoValues { what })];
    }
    match nested_elastic_net(&columns, &first.score, &configurations(first), &Grid::default()) {
        Ok(net) => {
            let left_out = json!({ "constant": names(&constant), "other_runs": other_runs });
            found(&net, &columns, empty, &left_out)
        }
        Err(refusal) => vec![refused(empty("q2"), &refusal)],
    }
}

fn found(
    net: &Nested,
    columns: &[Column<'_>],
    empty: impl Fn(&str) -> StatisticRow,
    left_out: &serde_json::Value,
) -> Vec<StatisticRow> {
    let mut q2 = valued(empty("q2"), net.q2.q2);
    q2.std_error = Some(net.q2.std_error);
    q2.reason = Some("no interval: the standard error holds the predictions fixed".to_owned());
    let details = json!({
        "turns": net.turns.len(), "metrics": columns.len(), "left_out": left_out, "penalties_set_aside": net.set_aside,
        "strength": net.penalty.strength, "l1_ratio": net.penalty.l1_ratio, "duality_gap": net.fitted.gap,
    });
    let mut rows = vec![detailed(q2, &details)];
    let shrunk = "no standard error: a penalised coefficient is drawn towards 0 on purpose";
    for (index, column) in columns.iter().enumerate() {
        let coefficient = net.fitted.standardised[index];
        let mut row = about(valued(empty("coefficient"), coefficient), column.name);
        row.reason = Some(shrunk.to_owned());
        rows.push(row);
        let mut row = about(valued(empty("chosen_share"), net.chosen_share[index]), column.name);
        row.reason = Some("no standard error: the turns share most of their runs".to_owned());
        rows.push(row);
    }
    rows
}
