//! `plugin check`: loads a plugin in a child process and checks that it keeps the rules.

use std::{collections::HashSet, path::Path, process::Command, time::Duration};

use clmbench_protocol::{Attempt, Check, CheckLine, PluginManifest};
use clmbench_runner::{child, plugins::Card};

use super::{attempt, found::Found};
use crate::{
    arguments::{CheckArguments, Global},
    command::wrapped,
    console::{Console, one_line},
    error::CliError,
    plugins,
    units::counted,
    worker,
};

/// Longest time for the worker's own checks.
const LIMIT: Duration = Duration::from_secs(120);

fn made(check: &str, problem: Option<String>, otherwise: impl Into<String>) -> Check {
    let ok = Some(problem.is_none());
    Check { check: check.to_owned(), ok, detail: problem.unwrap_or_else(|| otherwise.into()) }
}

/// Checks and reports.
///
/// # Errors
/// [`CliError::Usage`] when the path leads to no plugin, [`CliError::NoWorker`], [`CliError::ChecksFailed`].
pub fn run(arguments: &CheckArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let describer = plugins::describer(false)?;
    let found = Found::meant(&arguments.path, global)?;
    let mut checks = Vec::new();
    match describer.describe(&found.library) {
        Err(error) => checks.push(made("loads", Some(format!("{}. {}", error.reason, error.fix)), "")),
        Ok((manifest, digest)) => {
            let short = digest.get(..12).unwrap_or(&digest);
            let detail = format!("{} {}, digest {short}", manifest.name, manifest.version);
            checks.push(made("loads", None, detail));
            if let Some(card) = &found.card {
                checks.push(made("plugin.toml", differs(card, &manifest), "name and version agree with the library"));
            }
            checks.extend(of_manifest(&manifest));
            let with = attempt::attempt(&arguments.files, &manifest.datasets)?;
            let limit = arguments.files.time_limit.map_or(LIMIT, Duration::from_secs);
            checks.extend(of_worker(&found.library, &with, limit)?);
        }
    }
    for check in &mut checks {
        check.detail = one_line(&check.detail, 600);
    }
    if arguments.json.json {
        console.json("plugin-check", &checks)?;
    } else {
        console.print(&page(&found.library, &checks, console.style.width))?;
    }
    match checks.iter().filter(|check| check.ok == Some(false)).count() {
        0 => Ok(()),
        failed => Err(CliError::ChecksFailed { failed, checks: checks.len() }),
    }
}

/// Whom a check is of (a metric on a model, say), and what it checks; of the library as a whole where no word says so.
fn subject(check: &str) -> (&str, &str) {
    let entry = ["metric ", "architecture ", "dataset "].iter().any(|kind| check.starts_with(kind));
    check.split_once(": ").filter(|_| entry).unwrap_or(("", check))
}

/// One line a check, below the name of what it is of; details are wrapped beside the names of the checks.
fn page(library: &Path, checks: &[Check], width: usize) -> String {
    let longest = checks.iter().map(|check| subject(&check.check).1.chars().count()).max().unwrap_or(0).min(40);
    let mut lines = vec![library.display().to_string()];
    let mut of = "";
    for check in checks {
        let (whom, what) = subject(&check.check);
        if whom != of {
            lines.push(one_line(whom, 200));
            of = whom;
        }
        let word = match check.ok {
            Some(true) => "ok",
            Some(false) => "FAILED",
            None => "-",
        };
        let start = format!("{word:<6} {:<longest$}  ", one_line(what, 200));
        let room = width.saturating_sub(start.chars().count()).max(30);
        let indent = format!("\n{}", " ".repeat(longest + 9));
        lines.push(start + &wrapped("", &check.detail, room).replace('\n', &indent));
    }
    let failed = checks.iter().filter(|check| check.ok == Some(false)).count();
    if failed == 0 {
        lines.push(format!("{} passed", counted(checks.iter().filter(|check| check.ok == Some(true)).count(), "check")));
    }
    lines.join("\n")
}

/// How a `plugin.toml` contradicts its library.
fn differs(card: &Card, manifest: &PluginManifest) -> Option<String> {
    (card.name != manifest.name || card.version != manifest.version).then(|| {
        let (name, version) = (&manifest.name, &manifest.version);
        format!("it says {} {}, the library {name} {version}; build the plugin again", card.name, card.version)
    })
}

/// What can be said of the manifest as a whole.
fn of_manifest(manifest: &PluginManifest) -> Vec<Check> {
    let (architectures, datasets, metrics) = (&manifest.architectures, &manifest.datasets, &manifest.metrics);
    let count = architectures.len() + datasets.len() + metrics.len();
    let empty = (count == 0).then(|| "it exports nothing; list your types in export_plugin!".to_owned());
    let listed =
        [counted(architectures.len(), "architecture"), counted(datasets.len(), "dataset"), counted(metrics.len(), "metric")]
            .join(", ");
    let mut checks = vec![made("exports", empty, listed)];

    let mut names = HashSet::new();
    let all = architectures.iter().map(|info| info.name.clone());
    let all = all.chain(datasets.iter().map(|info| format!("{}/{}", info.source, info.name)));
    let mut all = all.chain(metrics.iter().map(|info| info.id.clone()));
    let twice = all.find(|name| !names.insert(name.clone())).map(|name| format!("`{name}` is exported twice"));
    checks.push(made("names", twice, "each is exported once"));
    checks
}

/// The worker's own checks, which open the library and call it. It tells of each as it comes, so that one in which the plugin
/// ends the process or never comes back is known by name.
fn of_worker(library: &Path, with: &Attempt, limit: Duration) -> Result<Vec<Check>, CliError> {
    let with = serde_json::to_string(with).unwrap_or_default();
    let mut command = Command::new(worker::path());
    let said = child::answer(command.arg("--check").arg(library).arg(with), limit)
        .map_err(|error| CliError::Tool { tool: "clmbench-worker".to_owned(), error })?;
    let (mut checks, mut at) = (Vec::new(), Some("calls".to_owned()));
    for line in said.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        at = match line {
            CheckLine::Begins(check) => Some(check),
            CheckLine::Done(check) => {
                checks.push(check);
                Some("goes through all checks".to_owned())
            }
            CheckLine::End => None,
        };
    }
    if let Some(at) = at {
        let how = match said.status {
            Some(status) => format!("the worker ended with {status}: {}", said.last_words()),
            None => format!("it did not come back within {} s (--time-limit)", limit.as_secs()),
        };
        checks.push(made(&at, Some(how), ""));
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::{Comparable, CostClass, Direction, MetricInfo, Scope};

    use super::*;

    fn metric(id: &str) -> MetricInfo {
        MetricInfo {
            id: id.into(),
            doc: "d".into(),
            citation: "c".into(),
            unit: String::new(),
            primary: "p".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Free,
            comparable: Comparable::Any,
            objectives: vec![],
            tasks: Vec::new(),
            parameters: vec![],
            trivial: false,
        }
    }

    fn manifest(metrics: Vec<MetricInfo>) -> PluginManifest {
        PluginManifest {
            name: "p".into(),
            version: "0.1.0".into(),
            api: (1, 0),
            libtorch: "2.11.0".into(),
            architectures: vec![],
            datasets: vec![],
            metrics,
        }
    }

    fn failed(manifest: &PluginManifest) -> Vec<String> {
        of_manifest(manifest).into_iter().filter(|check| check.ok == Some(false)).map(|check| check.check).collect()
    }

    #[test]
    fn a_page_fits_and_names_each_subject_once() {
        let checks = [
            made("loads", None, "p 0.1.0"),
            made("metric a/b on a masked model: errors", None, "se_sample 1"),
            made("metric a/b on a masked model: cost", Some("word ".repeat(20).trim_end().to_owned()), ""),
        ];
        let text = page(Path::new("lib.so"), &checks, 60);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            ["lib.so", "ok     loads   p 0.1.0", "metric a/b on a masked model", "ok     errors  se_sample 1"]
        );
        assert_eq!(lines[4], "FAILED cost    word word word word word word word word word");
        assert_eq!(lines[5], "               word word word word word word word word word");
        assert!(lines.iter().all(|line| line.chars().count() <= 60), "{text}");
        assert!(page(Path::new("lib.so"), &checks[..2], 60).ends_with("\n2 checks passed"));
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_caught() {
        assert_eq!(failed(&manifest(vec![metric("a/b")])), Vec::<String>::new());
        assert_eq!(failed(&manifest(vec![])), ["exports"]);
        assert_eq!(failed(&manifest(vec![metric("a/b"), metric("a/b")])), ["names"]);
    }
}
