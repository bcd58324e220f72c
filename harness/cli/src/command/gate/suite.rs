//! The suite of a candidate: that of the gate baseline, with the candidate in place of its models.

use clmbench_analysis::gate::{MetricRecord, SideRecord, TaskRecord};
use toml::{Table, Value};

use super::{super::baseline::Named, Candidate};
use crate::{arguments::GateArguments, console::one_line, error::CliError};

/// A suite to be computed.
pub struct CandidateSuite {
    /// Its name.
    pub name: String,
    /// Its text.
    pub toml: String,
    /// Names of its checkpoints.
    pub labels: Vec<String>,
    /// The cells to compute: those of the candidate, none of its untrained control.
    pub patterns: Vec<String>,
}

impl CandidateSuite {
    /// # Errors
    /// [`CliError::Usage`] for a baseline whose suite is no TOML, and for a metric that it does not hold.
    pub fn of(baseline: &Named, candidates: &[Candidate], arguments: &GateArguments) -> Result<Self, CliError> {
        let broken = |why: String| CliError::Usage {
            message: format!("the suite in gate baseline {} cannot be used: {}", baseline.name, one_line(&why, 300)),
            hint: "save the gate baseline anew".to_owned(),
        };
        let mut suite: Table = baseline.content.suite.toml.parse().map_err(|error: toml::de::Error| broken(error.to_string()))?;
        // Margins are frozen in the gate baseline.
        for key in ["model", "baseline", "checkpoint", "fit", "gate", "metric"] {
            suite.remove(key);
        }
        let name: String = format!("gate-{}", baseline.name).chars().take(64).collect();
        let head = suite.get_mut("suite").and_then(Value::as_table_mut).ok_or_else(|| broken("it has no [suite]".to_owned()))?;
        head.insert("name".to_owned(), Value::from(name.clone()));
        head.remove("expect");
        suite.insert("protocol".to_owned(), Value::Array(protocols(&suite, &baseline.content.side, arguments)));
        let metrics = metrics(&baseline.content.side.metrics, arguments)?;
        if metrics.is_empty() {
            suite.remove("corpus");
        } else {
            suite.insert("metric".to_owned(), Value::Array(metrics));
        }
        let labels: Vec<String> = (0..candidates.len())
            .map(|number| if candidates.len() == 1 { "candidate".to_owned() } else { format!("candidate-{number}") })
            .collect();
        let mut tables = Vec::new();
        for (label, candidate) in labels.iter().zip(candidates) {
            let mut table: Table =
                candidate.table()?.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
            table.insert("name".to_owned(), Value::from(label.clone()));
            table.insert("max_tokens".to_owned(), Value::from(i64::from(arguments.reading.max_tokens)));
            if let Some(architecture) = &arguments.reading.architecture {
                table.insert("architecture".to_owned(), Value::from(architecture.clone()));
            }
            tables.push(Value::Table(table));
        }
        suite.insert("checkpoint".to_owned(), Value::Array(tables));
        let stages: &[&str] = if arguments.metric.is_empty() { &["transfer"] } else { &["transfer", "measure"] };
        let patterns = labels.iter().flat_map(|label| stages.iter().map(move |stage| format!("{stage}/{label}/*")));
        let patterns = patterns.collect();
        let toml = toml::to_string(&suite).map_err(|error| broken(error.to_string()))?;
        Ok(Self { name, toml, labels, patterns })
    }
}

/// The protocols that the baseline has scores of, at last checkpoints, with as many transfer seeds as are asked for.
fn protocols(suite: &Table, side: &SideRecord, arguments: &GateArguments) -> Vec<Value> {
    let probe = || Value::Table(Table::from_iter([("kind".to_owned(), Value::from("probe"))]));
    let written = suite.get("protocol").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![probe()]);
    let mut kept = Vec::new();
    for protocol in written {
        let Value::Table(mut table) = protocol else { continue };
        let kind = table.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut scored = side.tasks.iter().filter(|task| task.protocol == kind).peekable();
        if scored.peek().is_none() {
            continue;
        }
        table.insert("checkpoints".to_owned(), Value::from("final"));
        if kind == "finetune" {
            let of_baseline = scored.flat_map(|task| task.runs.iter().map(Vec::len)).max().unwrap_or(1);
            let seeds = arguments.seeds.map_or(of_baseline as i64, i64::from);
            table.insert("seeds".to_owned(), Value::from(seeds));
        }
        kept.push(Value::Table(table));
    }
    kept
}

/// The gated metrics with the settings of the baseline.
fn metrics(records: &[MetricRecord], arguments: &GateArguments) -> Result<Vec<Value>, CliError> {
    let mut tables: Vec<Value> = Vec::new();
    for (id, _) in &arguments.metric {
        let mut found = records.iter().filter(|record| record.metric == *id).peekable();
        if found.peek().is_none() {
            let mut known: Vec<&str> = records.iter().map(|record| record.metric.as_str()).collect();
            known.dedup();
            let known = if known.is_empty() { "no metrics".to_owned() } else { known.join(", ") };
            return Err(CliError::Usage {
                message: format!("the gate baseline has no value of metric {}", one_line(id, 100)),
                hint: format!("it has {known}"),
            });
        }
        for record in found {
            let params: serde_json::Value = serde_json::from_str(&record.params_json).unwrap_or_default();
            let budget = serde_json::to_value(record.budget).unwrap_or_default();
            let mut table = Table::new();
            table.insert("id".to_owned(), Value::from(id.clone()));
            table.insert("budget".to_owned(), Value::from(budget.as_str().unwrap_or("standard")));
            if let Ok(params) = Value::try_from(&params)
                && params.as_table().is_some_and(|params| !params.is_empty())
            {
                table.insert("params".to_owned(), params);
            }
            if !tables.contains(&Value::Table(table.clone())) {
                tables.push(Value::Table(table));
            }
        }
    }
    Ok(tables)
}

/// Whether the store has everything of the candidate that is judged, on the baseline's molecules and with as many transfer seeds.
pub fn is_complete(baseline: &SideRecord, candidate: &SideRecord, arguments: &GateArguments) -> bool {
    let seeds = |task: &TaskRecord| task.runs.iter().map(Vec::len).min().unwrap_or(0);
    let task = |task: &TaskRecord| {
        candidate.tasks.iter().any(|other| {
            let of = |task: &'_ TaskRecord| {
                let names = [&task.dataset, &task.task, &task.protocol, &task.score, &task.split_digest, &task.content_digest];
                names.map(String::clone)
            };
            of(other) == of(task) && other.settings == task.settings && seeds(other) >= seeds(task)
        })
    };
    let metric = |(id, _): &(String, f64)| {
        baseline
            .metrics
            .iter()
            .filter(|record| record.metric == *id)
            .all(|record| candidate.metrics.iter().any(|other| other.is_of(record) && record.is_on_the_sample_of(other)))
    };
    baseline.tasks.iter().all(task) && arguments.metric.iter().all(metric)
}

#[cfg(test)]
mod tests;
