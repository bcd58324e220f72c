//! `plugin check`: loads a plugin in a child process and checks that it keeps the rules.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clmbench_protocol::PluginManifest;
use clmbench_runner::{child, plugins::Card};
use serde::{Deserialize, Serialize};

use crate::{
    arguments::CheckArguments,
    console::{Console, one_line},
    error::CliError,
    plugins,
    units::counted,
    worker,
};

/// Longest time for the worker's own checks.
const LIMIT: Duration = Duration::from_secs(300);

/// One thing that was checked. The worker's `--check` prints an array of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Check {
    /// What was checked.
    check: String,
    /// Whether it holds; none if it could not be tried here.
    ok: Option<bool>,
    /// What was found.
    detail: String,
}

impl Check {
    fn new(check: &str, problem: Option<String>, otherwise: impl Into<String>) -> Self {
        let ok = Some(problem.is_none());
        Self { check: check.to_owned(), ok, detail: problem.unwrap_or_else(|| otherwise.into()) }
    }
}

/// Checks and reports.
///
/// # Errors
/// [`CliError::Usage`] when the path leads to no plugin, [`CliError::NoWorker`], [`CliError::ChecksFailed`].
pub fn run(arguments: &CheckArguments, console: Console) -> Result<(), CliError> {
    let describer = plugins::describer(false)?;
    let found = Found::at(&arguments.path)?;
    let mut checks = Vec::new();
    match describer.describe(&found.library) {
        Err(error) => checks.push(Check::new("loads", Some(format!("{}. {}", error.reason, error.fix)), "")),
        Ok((manifest, digest)) => {
            let short = digest.get(..12).unwrap_or(&digest);
            let detail = format!("{} {}, digest {short}", manifest.name, manifest.version);
            checks.push(Check::new("loads", None, detail));
            if let Some(card) = &found.card {
                checks.push(Check::new("plugin.toml", differs(card, &manifest), "name and version agree with the library"));
            }
            checks.extend(of_manifest(&manifest));
            checks.extend(of_worker(&found.library)?);
        }
    }
    for check in &mut checks {
        check.detail = one_line(&check.detail, 600);
    }
    if arguments.json.json {
        console.json("plugin-check", &checks)?;
    } else {
        console.print(&page(&found.library, &checks))?;
    }
    match checks.iter().filter(|check| check.ok == Some(false)).count() {
        0 => Ok(()),
        failed => Err(CliError::ChecksFailed { failed, checks: checks.len() }),
    }
}

fn page(library: &Path, checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.check.chars().count()).max().unwrap_or(0);
    let line = |check: &Check| {
        let word = match check.ok {
            Some(true) => "ok",
            Some(false) => "FAILED",
            None => "-",
        };
        format!("{word:<6} {:<width$}  {}", one_line(&check.check, 200), check.detail)
    };
    let lines: Vec<String> = checks.iter().map(line).collect();
    format!("{}\n{}", library.display(), lines.join("\n"))
}

/// A library, and the `plugin.toml` beside it.
struct Found {
    library: PathBuf,
    card: Option<Card>,
}

impl Found {
    /// From a plugin folder, a `plugin.toml` or a library. The path of the library is absolute: for a bare file name the
    /// system's loader would search its own folders.
    fn at(path: &Path) -> Result<Self, CliError> {
        let mut found = Self::named(path)?;
        found.library = found.library.canonicalize().map_err(|error| CliError::file(&found.library, error))?;
        Ok(found)
    }

    fn named(path: &Path) -> Result<Self, CliError> {
        let wrong = |message: String| CliError::Usage {
            message,
            hint: "name a plugin folder (with plugin.toml and the library), its plugin.toml, or a library".to_owned(),
        };
        let card = if path.is_dir() { path.join(Card::FILE) } else { path.to_owned() };
        if card.file_name().is_none_or(|name| name != Card::FILE) {
            return match path.is_file() {
                true => Ok(Self { library: path.to_owned(), card: None }),
                false => Err(wrong(format!("there is nothing at {}", path.display()))),
            };
        }
        let text = std::fs::read_to_string(&card).map_err(|error| wrong(format!("{}: {error}", card.display())))?;
        let facts = Card::parse(&text).map_err(|reason| wrong(format!("{}: {reason}", card.display())))?;
        let library = card.with_file_name(&facts.library);
        if !library.is_file() {
            let hint = "build and install it with `clmbench plugin build DIR`, then check the installed folder".to_owned();
            return Err(CliError::Usage { message: format!("there is no library at {}", library.display()), hint });
        }
        Ok(Self { library, card: Some(facts) })
    }
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
    let mut checks = vec![Check::new("exports", empty, listed)];

    let mut names = HashSet::new();
    let all = architectures.iter().map(|info| info.name.clone());
    let all = all.chain(datasets.iter().map(|info| format!("{}/{}", info.source, info.name)));
    let mut all = all.chain(metrics.iter().map(|info| info.id.clone()));
    let twice = all.find(|name| !names.insert(name.clone())).map(|name| format!("`{name}` is exported twice"));
    checks.push(Check::new("names", twice, "each is exported once"));
    checks
}

/// The worker's own checks, which open the library and call it.
fn of_worker(library: &Path) -> Result<Vec<Check>, CliError> {
    let mut command = Command::new(worker::path());
    let said = child::answer(command.arg("--check").arg(library), LIMIT)
        .map_err(|error| CliError::Tool { tool: "clmbench-worker".to_owned(), error })?;
    if let Ok(checks) = serde_json::from_str::<Vec<Check>>(said.stdout.trim()) {
        return Ok(checks);
    }
    let how = match said.status {
        Some(status) => format!("the worker that called it ended with {status}: {}", said.last_words()),
        None => format!("no end after {} s", LIMIT.as_secs()),
    };
    Ok(vec![Check::new("calls", Some(how), "")])
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
    fn a_manifest_that_contradicts_itself_is_caught() {
        assert_eq!(failed(&manifest(vec![metric("a/b")])), Vec::<String>::new());
        assert_eq!(failed(&manifest(vec![])), ["exports"]);
        assert_eq!(failed(&manifest(vec![metric("a/b"), metric("a/b")])), ["names"]);
    }

    #[test]
    fn paths_lead_to_libraries() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Found::at(&folder.path().join("nothing.so")).is_err());
        assert!(Found::at(folder.path()).is_err());
        let card = "name = \"p\"\nversion = \"0.1.0\"\nlibrary = \"libp.so\"\n";
        std::fs::write(folder.path().join("plugin.toml"), card).unwrap();
        let Err(CliError::Usage { hint, .. }) = Found::at(folder.path()) else { panic!("no library was found") };
        assert!(hint.contains("plugin build"));
        std::fs::write(folder.path().join("libp.so"), "").unwrap();
        for path in [folder.path().to_owned(), folder.path().join("plugin.toml"), folder.path().join("libp.so")] {
            let found = Found::at(&path).unwrap();
            assert_eq!(found.library.file_name().unwrap(), "libp.so");
            assert!(found.library.is_absolute());
        }
    }
}
