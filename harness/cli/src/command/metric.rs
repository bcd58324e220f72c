//! `metric`: what can be measured on a checkpoint.

use clmbench_protocol::{Comparable, Direction, MetricInfo, Objective, Scope, TaskKind};
use clmbench_report::Style;
use clmbench_runner::{
    nearest::nearest,
    plugins::{Offer, PluginSet},
};
use serde::Serialize;

use super::{model::bounds, wrapped};
use crate::{
    arguments::{Global, Metric},
    console::{Console, one_line},
    error::CliError,
    plugins,
};

/// Below so many columns the claim is left out and scopes are one word, so that each metric keeps to its line.
const NARROW: usize = 100;

/// A metric, as `--json` has it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    info: &'a MetricInfo,
    plugin: &'a str,
    version: &'a str,
}

/// Runs the command that was asked for.
///
/// # Errors
/// [`CliError::NoWorker`]; [`CliError::Usage`] for an unknown metric or family, with the nearest name; [`CliError::Output`].
pub fn run(command: &Metric, global: &Global, console: Console) -> Result<(), CliError> {
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    match command {
        Metric::List(of) => list(of.family.as_deref(), of.json.json, &discovery.plugins, console),
        Metric::Describe(of) => describe(&of.name, of.json.json, &discovery.plugins, console),
    }
}

fn list(wanted: Option<&str>, json: bool, plugins: &PluginSet, console: Console) -> Result<(), CliError> {
    let rows: Vec<Row<'_>> =
        plugins.metrics().filter(|offer| wanted.is_none_or(|wanted| family(&offer.info.id) == wanted)).map(row).collect();
    if let (Some(wanted), true) = (wanted, rows.is_empty()) {
        let mut known: Vec<&str> = plugins.metrics().map(|offer| family(&offer.info.id)).collect();
        known.dedup();
        let hint = match nearest(wanted, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", known.join(", ")),
        };
        return Err(CliError::Usage { message: format!("no plugin offers a family `{wanted}`"), hint });
    }
    if json {
        return console.json("metrics", &rows);
    }
    console.print(&table(rows.iter().map(|row| row.info), console.style))?;
    console.note(&format!("{} metrics; `clmbench metric describe NAME` says more", rows.len()));
    Ok(())
}

/// The metrics with what each looks at, its cost, its claim and what it is only for.
pub(super) fn table<'a>(infos: impl Iterator<Item = &'a MetricInfo>, style: Style) -> String {
    let narrow = style.width < NARROW;
    let mut headers = vec!["metric", "looks at", "cost", "claim", "only for"];
    let cells = |info: &MetricInfo| {
        let looks_at = if narrow { info.scope.word() } else { scope(info.scope) };
        let mut words = vec![one_line(&info.id, 60), looks_at.to_owned(), info.cost.word().to_owned()];
        words.extend((!narrow).then(|| claim(info.direction).to_owned()));
        words.push(applies(info, narrow));
        words
    };
    let lines: Vec<Vec<String>> = infos.map(cells).collect();
    headers.retain(|header| !narrow || *header != "claim");
    clmbench_report::table_in(&headers, &lines, style)
}

fn describe(name: &str, json: bool, plugins: &PluginSet, console: Console) -> Result<(), CliError> {
    let offer = plugins.metric(name).map_err(|error| {
        let known = plugins.metrics().map(|offer| offer.info.id.as_str());
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`? `clmbench metric list` shows all"),
            None => "`clmbench metric list` shows all".to_owned(),
        };
        CliError::Usage { message: format!("no plugin offers {} `{}`", error.kind, error.name), hint }
    })?;
    if json {
        return console.json("metric-describe", &[row(offer)]);
    }
    console.print(&page(offer, console))
}

fn page(offer: Offer<'_, MetricInfo>, console: Console) -> String {
    let (info, manifest, width) = (offer.info, &offer.plugin.manifest, console.style.width);
    let unit = if info.unit.is_empty() { String::new() } else { format!(" [{}]", info.unit) };
    let comparable = match info.comparable {
        Comparable::SameEvaluation => "runs with the same objective, tokenizer and evaluation sample",
        Comparable::Any => "any runs",
    };
    let mut lines = vec![one_line(&info.id, 60), wrapped("", &info.doc, width)];
    let facts = [
        ("source", info.citation.clone()),
        ("value", format!("{}{unit}, {}", info.primary, claim(info.direction))),
        ("looks at", scope(info.scope).to_owned()),
        ("cost", info.cost.word().to_owned()),
        ("compares", comparable.to_owned()),
        ("only for", applies(info, false)),
        ("plugin", format!("{} {}", manifest.name, manifest.version)),
    ];
    lines.extend(facts.iter().filter(|(_, text)| !text.is_empty()).map(|(word, text)| wrapped(word, text, width)));
    let rows: Vec<Vec<String>> = info
        .parameters
        .iter()
        .map(|parameter| {
            let default = parameter.default.to_string();
            vec![one_line(&parameter.name, 40), default, bounds(parameter), one_line(&parameter.doc, 200)]
        })
        .collect();
    if rows.is_empty() {
        lines.push("It takes no parameters.\n".into());
    } else {
        lines.push(clmbench_report::table_in(&["parameter", "default", "allowed", "meaning"], &rows, console.style));
    }
    lines.join("\n")
}

fn row<'a>(offer: Offer<'a, MetricInfo>) -> Row<'a> {
    Row { info: offer.info, plugin: &offer.plugin.manifest.name, version: &offer.plugin.manifest.version }
}

fn family(id: &str) -> &str {
    id.split_once('/').map_or(id, |(family, _)| family)
}

/// What a metric looks at, in words.
fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Checkpoint => "checkpoint",
        Scope::CheckpointDataset => "checkpoint and task",
        Scope::Run => "run",
        Scope::Pair => "pair of checkpoints",
        Scope::Transfer => "fine-tuned weights",
    }
}

fn claim(direction: Direction) -> &'static str {
    match direction {
        Direction::HigherIsBetter => "higher is better",
        Direction::LowerIsBetter => "lower is better",
    }
}

/// Objectives and kinds of tasks that it is for; empty for all. Shorter words where columns are few.
fn applies(info: &MetricInfo, narrow: bool) -> String {
    let objectives = info.objectives.iter().map(|objective| match (objective, narrow) {
        (Objective::MaskedLm, false) => "masked LM",
        (Objective::CausalLm, false) => "causal LM",
        (Objective::MaskedLm, true) => "masked",
        (Objective::CausalLm, true) => "causal",
    });
    let tasks = info.tasks.iter().map(|kind| match (kind, narrow) {
        (TaskKind::Classification, true) => "classes",
        _ => kind.word(),
    });
    objectives.chain(tasks).collect::<Vec<_>>().join(", ")
}
