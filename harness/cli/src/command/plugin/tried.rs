//! `plugin try`: runs what a plugin exports on the bundled checkpoints and molecules.

use std::{collections::HashMap, fmt::Write, path::Path, process::Command, time::Duration};

use clmbench_protocol::{
    Attempt, ErrorKind, Failure, MeasureOutput, MetricValue, Objective, Outcome, ParameterInfo, PluginManifest, Tried,
    TriedArchitecture, TriedDataset,
};
use clmbench_runner::{child, nearest, plugins::PluginSet};
use serde::Deserialize;

use super::{attempt, found::Found};
use crate::{
    arguments::{Global, TryArguments},
    command::wrapped,
    console::{Console, one_line, plain},
    error::CliError,
    plugins,
    units::counted,
    worker,
};

/// Longest time.
const LIMIT: Duration = Duration::from_secs(120);

/// Tries and reports.
///
/// # Errors
/// [`CliError::Usage`] for a name that nobody offers, [`CliError::NoWorker`], [`CliError::TryFailed`].
pub fn run(arguments: &TryArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let (library, manifest, name) = find(&arguments.name, global, console)?;
    let mut with = attempt::attempt(&arguments.files, &manifest.datasets)?;
    let owner = if name.is_empty() { manifest.name.clone() } else { name.clone() };
    with.params = attempt::parameters(&owner, &declared(&manifest, &name), &arguments.params)?;
    with.name = name;
    let limit = arguments.files.time_limit.map_or(LIMIT, Duration::from_secs);
    console.note(&format!("trying {}, for at most {} s (--time-limit)", plain(&owner), limit.as_secs()));
    let tried = ask(&library, &with, limit)?;
    if arguments.json.json {
        console.json("plugin-try", &tried)?;
    } else {
        console.print(&page(&manifest, &tried, console))?;
    }
    let mut failures = tried.iter().filter_map(failure);
    match failures.next() {
        None => Ok(()),
        Some(first) => Err(CliError::TryFailed { failed: 1 + failures.count(), of: tried.len(), first }),
    }
}

/// The library that offers the name, or that the path leads to; then everything in it is meant.
fn find(name: &str, global: &Global, console: Console) -> Result<(std::path::PathBuf, PluginManifest, String), CliError> {
    let path = Path::new(name);
    if path.is_absolute() || name.starts_with('.') || path.extension().is_some_and(|kind| kind == "so" || kind == "toml") {
        let found = Found::at(path)?;
        let (manifest, _) =
            plugins::describer(false)?.describe(&found.library).map_err(|error| CliError::PluginsLeftOut(vec![error]))?;
        return Ok((found.library, manifest, String::new()));
    }
    let discovery = plugins::find(global)?;
    let offers = |manifest: &PluginManifest| {
        manifest.metrics.iter().any(|info| info.id == name)
            || manifest.architectures.iter().any(|info| info.name == name)
            || manifest.datasets.iter().any(|info| info.source == name || format!("{}/{}", info.source, info.name) == name)
    };
    let plugin = discovery.plugins.plugins().iter().find(|plugin| offers(&plugin.manifest));
    if let Some(plugin) = plugin {
        return Ok((plugin.library.clone(), plugin.manifest.clone(), name.to_owned()));
    }
    // A plugin that was left out may be the one that is meant.
    plugins::warn(&discovery, console);
    if path.is_dir() {
        return find(&format!("./{name}"), global, console);
    }
    let known = names(&discovery.plugins);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(CliError::Usage {
        message: format!("no plugin offers `{name}`.{}", nearest::hint(name, &known)),
        hint: "`clmbench plugin list` shows all; `--plugins DIR` adds a folder; a path to a plugin folder or library does too"
            .to_owned(),
    })
}

fn names(set: &PluginSet) -> Vec<String> {
    let metrics = set.metrics().map(|offer| offer.info.id.clone());
    let architectures = set.architectures().map(|offer| offer.info.name.clone());
    let datasets = set.datasets().map(|offer| offer.info.label());
    metrics.chain(architectures).chain(datasets).collect()
}

/// Parameters of what is tried.
fn declared<'a>(manifest: &'a PluginManifest, name: &str) -> Vec<&'a ParameterInfo> {
    let wanted = |own: &str| name.is_empty() || own == name;
    let metrics = manifest.metrics.iter().filter(|info| wanted(&info.id)).flat_map(|info| &info.parameters);
    let architectures = manifest.architectures.iter().filter(|info| wanted(&info.name)).flat_map(|info| &info.parameters);
    let source =
        |info: &clmbench_protocol::DatasetInfo| wanted(&info.source) || wanted(&format!("{}/{}", info.source, info.name));
    let datasets = manifest.datasets.iter().filter(|info| source(info)).flat_map(|info| &info.parameters);
    let mut known = HashMap::new();
    let all = metrics.chain(architectures).chain(datasets);
    all.filter(|info| known.insert(info.name.as_str(), ()).is_none()).collect()
}

/// The worker's answer.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Vec<Tried>),
    Error(Failure),
}

fn ask(library: &Path, with: &Attempt, limit: Duration) -> Result<Vec<Tried>, CliError> {
    let words = serde_json::to_string(with).unwrap_or_default();
    let mut command = Command::new(worker::path());
    let said = child::answer(command.arg("--try").arg(library).arg(words), limit)
        .map_err(|error| CliError::Tool { tool: "clmbench-worker".to_owned(), error })?;
    let failed = |first: String| CliError::TryFailed { failed: 1, of: 1, first };
    match serde_json::from_str(said.stdout.trim()) {
        Ok(Answer::Ok(tried)) => Ok(tried),
        Ok(Answer::Error(failure)) => Err(failed(format!("{}: {}", failure.kind.word(), failure.message))),
        Err(_) => Err(failed(match said.status {
            Some(status) => format!("the worker ended with {status}: {}", said.last_words()),
            None => format!("it did not come back within {} s (--time-limit)", limit.as_secs()),
        })),
    }
}

/// What failed, in one line.
fn failure(tried: &Tried) -> Option<String> {
    match &tried.outcome {
        Outcome::Failed(failure) => {
            Some(format!("{}: {}: {}", subject(tried), failure.kind.word(), one_line(&failure.message, 400)))
        }
        Outcome::Trained(trained) => {
            let step = trained.losses.iter().position(|loss| !loss.0.is_finite())? + 1;
            Some(format!(
                "{}: non_finite: the training loss of step {step} is {}; `clmbench plugin check` says whether the untrained model is finite",
                subject(tried),
                trained.losses[step - 1].0
            ))
        }
        _ => None,
    }
}

fn subject(tried: &Tried) -> String {
    let model = tried.objective.filter(|_| tried.trained.is_some()).map(word);
    let model = model.zip(tried.trained).map(|(word, trained)| format!(" on the {word} model, {}", state(trained)));
    format!("{} {}{}", tried.kind, plain(&tried.name), model.unwrap_or_default())
}

fn word(objective: Objective) -> &'static str {
    match objective {
        Objective::MaskedLm => "masked",
        Objective::CausalLm => "causal",
    }
}

fn state(trained: bool) -> &'static str {
    if trained { "trained" } else { "untrained" }
}

fn page(manifest: &PluginManifest, tried: &[Tried], console: Console) -> String {
    let mut text = String::new();
    let mut names: Vec<(&str, &str)> = Vec::new();
    for row in tried {
        if !names.contains(&(row.kind.as_str(), row.name.as_str())) {
            names.push((&row.kind, &row.name));
        }
    }
    for (kind, name) in names {
        let rows: Vec<&Tried> = tried.iter().filter(|row| row.kind == kind && row.name == name).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{kind} {} ({} {})", plain(name), plain(&manifest.name), plain(&manifest.version));
        let measured: Vec<(&Tried, &MeasureOutput)> = rows
            .iter()
            .filter_map(|row| match &row.outcome {
                Outcome::Measured(output) => Some((*row, output)),
                _ => None,
            })
            .collect();
        text.push_str(&metric(&measured, console));
        text.push_str(&refusals(&rows, console.style.width));
        for row in rows {
            match &row.outcome {
                Outcome::Trained(found) => architecture(&mut text, found),
                Outcome::Parsed(found) => dataset(&mut text, found, console),
                Outcome::NotTried(why) => {
                    let _ = writeln!(text, "  not tried: {}", one_line(why, 400));
                }
                Outcome::Failed(_) | Outcome::Measured(_) => {}
            }
        }
    }
    let seconds: f64 = tried.iter().map(|row| row.seconds.0).sum();
    let _ = writeln!(text, "{seconds:.1} s");
    text
}

/// What failed; what failed everywhere for the same reason is said once.
fn refusals(rows: &[&Tried], width: usize) -> String {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows {
        let Outcome::Failed(failure) = &row.outcome else { continue };
        let reason = format!("{}: {}", failure.kind.word(), one_line(&failure.message, 400));
        let model = row.objective.zip(row.trained).map(|(objective, trained)| format!("{} {}", word(objective), state(trained)));
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, models)) => models.extend(model),
            None => reasons.push((reason, model.into_iter().collect())),
        }
    }
    let line = |(reason, models): &(String, Vec<String>)| {
        let on = if models.is_empty() { String::new() } else { format!(" on {}:", models.join(", ")) };
        wrapped("FAILED", &format!("{on} {reason}"), width) + "\n"
    };
    reasons.iter().map(line).collect()
}

/// Values on the trained checkpoint and on the control beside it, one line a value; then what each measurement cost.
fn metric(measured: &[(&Tried, &MeasureOutput)], console: Console) -> String {
    if measured.is_empty() {
        return String::new();
    }
    let mut table = Vec::new();
    let mut notes = String::new();
    for objective in [Objective::MaskedLm, Objective::CausalLm] {
        let of = |trained| measured.iter().find(|(row, _)| row.objective == Some(objective) && row.trained == Some(trained));
        let (trained, control) = (of(true), of(false));
        let Some((_, any)) = trained.or(control) else { continue };
        for value in &any.values {
            let at = |row: Option<&(&Tried, &MeasureOutput)>| {
                row.and_then(|(_, output)| output.values.iter().find(|other| other.name == value.name).cloned())
            };
            let (there, here) = (at(trained), at(control));
            let mark = if value.primary { "*" } else { "" };
            table.push(vec![
                word(objective).to_owned(),
                format!("{}{mark}", one_line(&value.name, 60)),
                there.as_ref().map_or_else(|| "-".to_owned(), shown),
                here.as_ref().map_or_else(|| "-".to_owned(), shown),
                moves(there.as_ref(), here.as_ref()),
                one_line(&value.unit, 30),
            ]);
        }
        for (row, output) in [trained, control].into_iter().flatten() {
            let part = |name: &str, of: &dyn Fn(&MetricValue) -> Option<clmbench_protocol::Number>| {
                let value = output.values.iter().find(|value| value.primary);
                let text = value.and_then(of).map_or_else(|| "none".to_owned(), |part| format!("{:.2e}", part.0));
                format!("{name} {text}")
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                notes,
                "  {}, {}: {:.2} gradient-equivalents of {:.0}, {}, stopped by {}; {:.2} s\n    {}, {}",
                word(objective),
                state(row.trained.unwrap_or(true)),
                output.gradient_equivalents.0,
                clmbench_protocol::Budget::Quick.gradient_equivalents(),
                counted(output.molecules as usize, "molecule"),
                one_line(&output.stopped, 20),
                row.seconds.0,
                part("se_estimator", &|value| value.se_estimator),
                part("se_sample", &|value| value.se_sample),
            );
        }
    }
    let table =
        clmbench_report::table_in(&["model", "value", "trained", "untrained", "differ by", "unit"], &table, console.style);
    let of_primary = |(_, output): &(&Tried, &MeasureOutput)| {
        output.gradient_equivalents.0 > 0.0
            && output.values.iter().any(|value| value.primary && value.error_kind == ErrorKind::Exact)
    };
    let bare = if measured.iter().any(of_primary) {
        "  its primary value has no error (se_sample, se_estimator or residual_bound): `clmbench plugin check` will refuse it\n"
    } else {
        ""
    };
    format!(
        "{}\n{notes}  * the primary value; differ by: in standard errors of the difference\n  masked, causal: the two bundled \
         models, by how they were trained; gradient-equivalents: cost, in gradients\n  over the whole held-out sample\n{bare}",
        table.trim_end()
    )
}

fn shown(value: &MetricValue) -> String {
    if value.error_kind == ErrorKind::Exact {
        return short(value.value.0);
    }
    format!("{} ± {}", short(value.value.0), short(value.std_error.0))
}

/// Four figures.
fn short(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e6).contains(&value.abs()) {
        let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    }
}

fn moves(there: Option<&MetricValue>, here: Option<&MetricValue>) -> String {
    let (Some(there), Some(here)) = (there, here) else { return "-".to_owned() };
    let difference = there.value.0 - here.value.0;
    let error = there.std_error.0.hypot(here.std_error.0);
    if difference == 0.0 {
        "nothing".to_owned()
    } else if error > 0.0 && difference.is_finite() {
        format!("{:.1}", difference.abs() / error)
    } else {
        "-".to_owned()
    }
}

fn architecture(text: &mut String, found: &TriedArchitecture) {
    let config = serde_json::Value::Object(found.config.clone()).to_string();
    let tenth = |losses: &[clmbench_protocol::Number]| losses.iter().map(|loss| loss.0).sum::<f64>() / losses.len().max(1) as f64;
    let steps = found.losses.len();
    let chunk = steps.div_ceil(6).max(1);
    let losses: Vec<String> = found.losses.chunks(chunk).map(|part| format!("{:.3}", tenth(part))).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "  preset {}: {}\n  {} parameters, {} of them without embeddings (vocabulary of {})\n  loss over {steps} steps of 32 molecules, \
         means of {chunk}: {} nats/token (guessing: {:.2}); learning rate {}",
        if found.preset.is_empty() { "none (defaults)" } else { &found.preset },
        one_line(&config, 200),
        found.total_parameters,
        found.non_embedding_parameters,
        found.vocabulary,
        losses.join(" "),
        (found.vocabulary as f64).ln(),
        found.learning_rate.0
    );
    let (first, last) = (found.losses.first(), found.losses.chunks(chunk).last().map(tenth));
    if let (Some(first), Some(last)) = (first, last)
        && last >= first.0
    {
        let _ = writeln!(text, "  the loss does not fall: look at the learning rate of the preset and at the initial weights");
    }
}

fn dataset(text: &mut String, found: &TriedDataset, console: Console) {
    let header: Vec<String> =
        std::iter::once("smiles".to_owned()).chain(found.tasks.iter().map(|task| one_line(&task.name, 40))).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = found
        .first
        .iter()
        .map(|(smiles, labels)| std::iter::once(smiles).chain(labels).map(|cell| one_line(cell, 60)).collect())
        .collect();
    let _ = writeln!(text, "{}", clmbench_report::table_in(&header, &rows, console.style).trim_end());
    let labelled: Vec<String> =
        found.tasks.iter().zip(&found.labelled).map(|(task, count)| format!("{} {count}", one_line(&task.name, 40))).collect();
    let _ = writeln!(text, "  {}; labelled: {}", counted(found.rows as usize, "row"), labelled.join(", "));
    if !found.parts.is_empty() {
        let parts: Vec<String> = found.parts.iter().map(|(part, count)| format!("{} {count}", one_line(part, 20))).collect();
        let _ = writeln!(text, "  split of the source: {}", parts.join(", "));
    }
    let _ = writeln!(text, "  {} whose SMILES is not valid, left out by runs", counted(found.invalid_count as usize, "row"));
    for (row, smiles, reason) in &found.invalid {
        let _ = writeln!(text, "    row {row}: `{}`: {}", one_line(smiles, 60), one_line(reason, 200));
    }
    if found.bad_label_count > 0 {
        let _ = writeln!(
            text,
            "  {} refuse the dataset: no number (or class, 0 or 1)",
            counted(found.bad_label_count as usize, "label")
        );
    }
    for (row, task, label) in &found.bad_labels {
        let _ = writeln!(text, "    row {row}, {}: `{}`", one_line(task, 40), one_line(label, 60));
    }
}
