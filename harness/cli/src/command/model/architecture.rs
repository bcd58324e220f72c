//! Architectures and their presets: `model list`, and `model describe` of an architecture.

use clmbench_protocol::{ArchitectureInfo, Objective, ParameterInfo};
use clmbench_runner::plugins::{Offer, PluginSet};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    arguments::DescribeModelArguments,
    command::wrapped,
    console::{Console, one_line},
    error::CliError,
};

/// A preset, as `--json` has it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    architecture: &'a str,
    preset: &'a str,
    objective: Objective,
    non_embedding_parameters: u64,
    learning_rate: f64,
    /// Every parameter, with the architecture's defaults filled in.
    config: Map<String, Value>,
    plugin: &'a str,
    version: &'a str,
}

/// An architecture, as `model describe --json` has it.
#[derive(Debug, Serialize)]
struct Described<'a> {
    architecture: &'a str,
    doc: &'a str,
    objective: Objective,
    parameters: &'a [ParameterInfo],
    presets: Vec<Row<'a>>,
    plugin: &'a str,
    version: &'a str,
}

/// Lists all presets.
///
/// # Errors
/// [`CliError::Output`].
pub fn list(json: bool, plugins: &PluginSet, console: Console) -> Result<(), CliError> {
    let rows: Vec<Row<'_>> = plugins.architectures().flat_map(presets).collect();
    if json {
        return console.json("models", &rows);
    }
    let cells = |row: &Row<'_>| {
        let texts = [one_line(row.architecture, 40), one_line(row.preset, 40), objective(row.objective).to_owned()];
        let more = [row.non_embedding_parameters.to_string(), rate(row.learning_rate), one_line(row.plugin, 60)];
        texts.into_iter().chain(more).collect()
    };
    let lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let headers = ["architecture", "preset", "objective", "parameters", "lr", "plugin"];
    console.print(&clmbench_report::table_in(&headers, &lines, console.style))?;
    console.note("parameters: without word and position embeddings; `clmbench model describe NAME` says more");
    Ok(())
}

/// Describes an architecture.
///
/// # Errors
/// [`CliError::Usage`] for an unknown preset; [`CliError::Output`].
pub fn describe(
    arguments: &DescribeModelArguments,
    offer: Offer<'_, ArchitectureInfo>,
    console: Console,
) -> Result<(), CliError> {
    if !arguments.dataset.is_empty() {
        let message =
            format!("{} is an architecture, which has no vocabulary to try on a dataset", one_line(&offer.info.name, 60));
        let hint = "name a checkpoint: a folder, owner/name@REVISION or a run".to_owned();
        return Err(CliError::Usage { message, hint });
    }
    let mut rows: Vec<Row<'_>> = presets(offer).collect();
    if let Some(preset) = &arguments.preset {
        let known: Vec<String> = rows.iter().map(|row| row.preset.to_owned()).collect();
        rows.retain(|row| row.preset == preset);
        if rows.is_empty() {
            let message = format!("{} has no preset `{preset}`", offer.info.name);
            return Err(CliError::Usage { message, hint: format!("its presets are {}", known.join(", ")) });
        }
    }
    let info = offer.info;
    if arguments.json.json {
        let manifest = &offer.plugin.manifest;
        let described = Described {
            architecture: &info.name,
            doc: &info.doc,
            objective: info.objective,
            parameters: &info.parameters,
            presets: rows,
            plugin: &manifest.name,
            version: &manifest.version,
        };
        return console.json("model-describe", &[described]);
    }
    console.print(&page(offer, &rows, arguments.preset.is_some(), console))
}

fn page(offer: Offer<'_, ArchitectureInfo>, rows: &[Row<'_>], whole: bool, console: Console) -> String {
    let (info, manifest, width) = (offer.info, &offer.plugin.manifest, console.style.width);
    let mut lines = vec![format!("{} ({})", one_line(&info.name, 60), objective(info.objective))];
    lines.push(wrapped("", &info.doc, width));
    lines.push(wrapped("plugin", &format!("{} {}", manifest.name, manifest.version), width));
    let table: Vec<Vec<String>> = match rows {
        [row] if whole => {
            lines.push(wrapped("preset", row.preset, width));
            lines.push(wrapped("size", &format!("{} parameters without embeddings", row.non_embedding_parameters), width));
            lines.push(wrapped("lr", &rate(row.learning_rate), width));
            info.parameters
                .iter()
                .map(|parameter| {
                    let value = row.config.get(&parameter.name).map(ToString::to_string).unwrap_or_default();
                    vec![one_line(&parameter.name, 40), value, bounds(parameter), one_line(&parameter.doc, 200)]
                })
                .collect()
        }
        _ => info
            .parameters
            .iter()
            .map(|parameter| {
                vec![
                    one_line(&parameter.name, 40),
                    parameter.default.to_string(),
                    bounds(parameter),
                    one_line(&parameter.doc, 200),
                ]
            })
            .collect(),
    };
    let second = if whole { "value" } else { "default" };
    lines.push(
        clmbench_report::table_in(&["parameter", second, "allowed", "meaning"], &table, console.style).trim_end().to_owned(),
    );
    if !whole {
        let differs = |row: &Row<'_>| {
            let preset = info.presets.iter().find(|preset| preset.name == row.preset);
            let config = preset.into_iter().flat_map(|preset| &preset.config);
            config.map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
        };
        let table: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                vec![
                    one_line(row.preset, 40),
                    row.non_embedding_parameters.to_string(),
                    rate(row.learning_rate),
                    one_line(&differs(row), 200),
                ]
            })
            .collect();
        lines.push(clmbench_report::table_in(&["preset", "parameters", "lr", "configuration"], &table, console.style));
    }
    lines.join("\n")
}

/// The presets of an architecture.
fn presets<'a>(offer: Offer<'a, ArchitectureInfo>) -> impl Iterator<Item = Row<'a>> {
    let (info, manifest) = (offer.info, &offer.plugin.manifest);
    info.presets.iter().map(move |preset| {
        let mut config: Map<String, Value> =
            info.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone())).collect();
        config.extend(preset.config.clone());
        Row {
            architecture: &info.name,
            preset: &preset.name,
            objective: info.objective,
            non_embedding_parameters: preset.non_embedding_parameters,
            learning_rate: preset.learning_rate,
            config,
            plugin: &manifest.name,
            version: &manifest.version,
        }
    })
}

pub fn objective(objective: Objective) -> &'static str {
    match objective {
        Objective::MaskedLm => "masked LM",
        Objective::CausalLm => "causal LM",
    }
}

/// `4e-3`.
fn rate(rate: f64) -> String {
    format!("{rate:e}")
}

/// `1 to 4096`, or the words, or nothing.
pub fn bounds(parameter: &ParameterInfo) -> String {
    match (parameter.minimum, parameter.maximum) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("from {least}"),
        (None, Some(most)) => format!("up to {most}"),
        (None, None) => one_line(&parameter.choices.join(", "), 60),
    }
}
