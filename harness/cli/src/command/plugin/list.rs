//! `plugin list`: everything that the plugins at hand offer.

use clmbench_protocol::{ParameterInfo, PresetInfo, SourceFile, TaskInfo};
use clmbench_runner::plugins::{Plugin, PluginSet};
use serde::Serialize;

use super::super::metric;
use crate::{
    arguments::{Global, Kind},
    console::{Console, one_line},
    error::CliError,
    plugins,
    units::counted,
};

/// Below so many columns the plugin of each row is left out, so that names stay whole.
const NARROW: usize = 100;

/// Tasks of a dataset that are shown by name.
const SHOWN_TASKS: usize = 3;

/// A row of `plugin list --json`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: String,
    plugin: &'a str,
    version: &'a str,
    file: String,
    parameters: &'a [ParameterInfo],
    doc: &'a str,
    /// Presets (architectures), tasks (datasets) or the primary value with unit and claim (metrics).
    offers: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    citation: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [SourceFile],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    presets: &'a [PresetInfo],
}

/// Prints the rows; plugins that cannot be used are said on standard error.
///
/// # Errors
/// [`CliError::NoWorker`], [`CliError::PluginsLeftOut`] when some cannot be used, [`CliError::Output`].
pub fn run(kind: Option<Kind>, json: bool, global: &Global, console: Console) -> Result<(), CliError> {
    let discovery = plugins::find(global)?;
    let mut rows = rows(&discovery.plugins);
    rows.retain(|row| kind.is_none_or(|kind| row.kind == word(kind)));
    if json {
        console.json("plugins", &rows)?;
    } else if rows.is_empty() {
        console.note("no plugins; `clmbench doctor` says which folders were searched");
    } else if kind == Some(Kind::Metric) {
        console.print(&metric::table(discovery.plugins.metrics().map(|offer| offer.info), console.style))?;
        console.note(&format!("{}; `clmbench metric describe NAME` says more", counted(rows.len(), "metric")));
    } else {
        let cells = |row: &Row<'_>| {
            let version = format!("{} {}", short(row.plugin), row.version);
            [row.kind.to_owned(), row.name.clone(), row.offers.clone(), version].map(|cell| one_line(&cell, 200)).to_vec()
        };
        let mut table: Vec<Vec<String>> = rows.iter().map(cells).collect();
        let mut headers = vec!["kind", "name", "offers", "plugin"];
        if console.style.width < NARROW {
            headers.pop();
            table.iter_mut().for_each(|row| row.truncate(headers.len()));
        }
        let narrow = if headers.len() < 4 { "Not shown at this width: plugin; --json has every column.\n" } else { "" };
        console.print(&(clmbench_report::table_in(&headers, &table, console.style) + narrow))?;
    }
    match discovery.errors.len() {
        0 => Ok(()),
        _ => Err(CliError::PluginsLeftOut(discovery.errors)),
    }
}

/// The kind as rows have it.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Architecture => "architecture",
        Kind::Dataset => "dataset",
        Kind::Metric => "metric",
    }
}

/// The name without the start that all plugins should have, which costs columns and tells nothing. `--json` has all of it.
fn short(plugin: &str) -> &str {
    plugin.strip_prefix("clmbench-plugin-").filter(|rest| !rest.is_empty()).unwrap_or(plugin)
}

fn rows(set: &PluginSet) -> Vec<Row<'_>> {
    let file = |plugin: &Plugin| plugin.library.display().to_string();
    let architectures = set.architectures().map(|offer| {
        let presets: Vec<&str> = offer.info.presets.iter().map(|preset| preset.name.as_str()).collect();
        Row {
            kind: "architecture",
            name: offer.info.name.clone(),
            plugin: &offer.plugin.manifest.name,
            version: &offer.plugin.manifest.version,
            file: file(offer.plugin),
            parameters: &offer.info.parameters,
            doc: &offer.info.doc,
            offers: format!("presets {}", presets.join(", ")),
            licence: None,
            citation: None,
            files: &[],
            presets: &offer.info.presets,
        }
    });
    let datasets = set.datasets().map(|offer| {
        let own = offer.info.user_file.is_some();
        Row {
            kind: "dataset",
            name: offer.info.label(),
            plugin: &offer.plugin.manifest.name,
            version: &offer.plugin.manifest.version,
            file: file(offer.plugin),
            parameters: &offer.info.parameters,
            doc: &offer.info.doc,
            offers: if own { "your own file".to_owned() } else { offered_tasks(&offer.info.tasks) },
            licence: Some(&offer.info.licence),
            citation: Some(&offer.info.citation),
            files: &offer.info.files,
            presets: &[],
        }
    });
    let metrics = set.metrics().map(|offer| {
        let claim = match offer.info.direction {
            clmbench_protocol::Direction::HigherIsBetter => "higher is better",
            clmbench_protocol::Direction::LowerIsBetter => "lower is better",
        };
        let unit = if offer.info.unit.is_empty() { String::new() } else { format!(" [{}]", offer.info.unit) };
        Row {
            kind: "metric",
            name: offer.info.id.clone(),
            plugin: &offer.plugin.manifest.name,
            version: &offer.plugin.manifest.version,
            file: file(offer.plugin),
            parameters: &offer.info.parameters,
            doc: &offer.info.doc,
            offers: format!("{}{unit}, {claim}", offer.info.primary),
            licence: None,
            citation: Some(&offer.info.citation),
            files: &[],
            presets: &[],
        }
    });
    architectures.chain(datasets).chain(metrics).collect()
}

/// Tasks by name with their scores; of many their number.
fn offered_tasks(tasks: &[TaskInfo]) -> String {
    if tasks.len() <= SHOWN_TASKS {
        let shown: Vec<String> = tasks.iter().map(|task| format!("{} ({})", task.name, task.score)).collect();
        return format!("tasks {}", shown.join(", "));
    }
    let scores: std::collections::BTreeSet<&str> = tasks.iter().map(|task| task.score.as_str()).collect();
    format!("{} tasks ({})", tasks.len(), scores.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn the_common_start_of_names_is_left_out() {
        assert_eq!(short("clmbench-plugin-moleculenet"), "moleculenet");
        assert_eq!((short("clmbench-plugin-"), short("other")), ("clmbench-plugin-", "other"));
    }
}
