//! What a plugin is tried or checked with: parameters, files and tasks as the command line names them.

use std::collections::BTreeMap;

use clmbench_fetch::Wanted;
use clmbench_protocol::{Attempt, DatasetInfo, ParameterInfo, ParameterKind, TaskInfo, TaskKind, USER_FILE};
use clmbench_runner::{nearest, plan::parameter_value};
use serde_json::{Map, Value};

use crate::{arguments::FileArguments, error::CliError};

/// An attempt with these files and tasks; source files of datasets are taken from the user's folder of data, or from the cache where they
/// have been fetched.
///
/// # Errors
/// [`CliError::Usage`] for a word that cannot be meant.
pub fn attempt<'a>(of: &FileArguments, datasets: impl IntoIterator<Item = &'a DatasetInfo>) -> Result<Attempt, CliError> {
    let mut files = BTreeMap::new();
    let fetcher = clmbench_fetch::Fetcher::from_environment().ok();
    for wanted in datasets.into_iter().flat_map(Wanted::of_dataset) {
        if let Some(found) = fetcher.as_ref().and_then(|fetcher| fetcher.find(&wanted)) {
            files.insert(wanted.file.name, found.path.display().to_string());
        }
    }
    for word in &of.files {
        let (name, path) = match word.split_once('=') {
            Some((name, path)) if !std::path::Path::new(word).is_file() => (name, path),
            _ => (USER_FILE, word.as_str()),
        };
        let path = std::path::absolute(path).map_err(|error| CliError::file(path.as_ref(), error))?;
        if !path.is_file() {
            return Err(usage(format!("there is no file {}", path.display()), "name a file that can be read"));
        }
        files.insert(name.to_owned(), path.display().to_string());
    }
    let tasks = of.tasks.iter().map(|word| task(word)).collect::<Result<_, _>>()?;
    Ok(Attempt { name: String::new(), params: Map::new(), files, tasks })
}

fn usage(message: String, hint: &str) -> CliError {
    CliError::Usage { message, hint: hint.to_owned() }
}

fn task(word: &str) -> Result<TaskInfo, CliError> {
    let kind = |kind: &str| match kind {
        "regression" => Some((TaskKind::Regression, "rmse")),
        "classification" => Some((TaskKind::Classification, "roc_auc")),
        _ => None,
    };
    let found = word.rsplit_once('=').filter(|(name, _)| !name.is_empty()).and_then(|(name, text)| Some((name, kind(text)?)));
    let (name, (kind, score)) = found
        .ok_or_else(|| usage(format!("`{word}` is no task"), "write --task NAME=regression or --task NAME=classification"))?;
    Ok(TaskInfo { name: name.to_owned(), kind, unit: String::new(), score: score.to_owned() })
}

/// `key=value` words as the declared parameters want them.
///
/// # Errors
/// [`CliError::Usage`] naming the nearest parameter, or what is wrong with a value.
pub fn parameters(owner: &str, declared: &[&ParameterInfo], words: &[String]) -> Result<Map<String, Value>, CliError> {
    let names: Vec<&str> = declared.iter().map(|info| info.name.as_str()).collect();
    let known = if names.is_empty() { "it has no parameters".to_owned() } else { format!("there are: {}", names.join(", ")) };
    let mut given = Map::new();
    for word in words {
        let (key, text) = word
            .split_once('=')
            .ok_or_else(|| usage(format!("`{word}` is no parameter"), "write --params key=value key=value"))?;
        let Some(info) = declared.iter().find(|info| info.name == key) else {
            return Err(usage(format!("{owner} has no parameter `{key}`.{}", nearest::hint(key, &names)), &known));
        };
        let value = match info.kind {
            ParameterKind::Text => Value::from(text),
            _ => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        };
        let value = parameter_value(info, &value)
            .map_err(|message| usage(format!("parameter `{key}` of {owner}: {message}"), &format!("{key}: {}", info.doc)))?;
        given.insert(key.to_owned(), value);
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(error: CliError) -> String {
        error.to_string()
    }

    #[test]
    fn parameters_are_read_by_their_kind() {
        let declared = [
            ParameterInfo::float("rho", 0.5, "length").between(0.0, 1.0),
            ParameterInfo::text("sample", "heldout", &["heldout", "train"], "molecules"),
        ];
        let declared: Vec<&ParameterInfo> = declared.iter().collect();
        let read = |words: &[&str]| {
            parameters("metric a/b", &declared, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        let params = read(&["rho=1", "sample=train"]).unwrap();
        assert_eq!((params["rho"].as_f64(), params["sample"].as_str()), (Some(1.0), Some("train")));
        assert_eq!(message(read(&["rhoo=1"]).unwrap_err()), "metric a/b has no parameter `rhoo`. Did you mean `rho`?");
        assert_eq!(message(read(&["rho"]).unwrap_err()), "`rho` is no parameter");
        let high = message(read(&["rho=2"]).unwrap_err());
        assert!(high.starts_with("parameter `rho` of metric a/b: 2 is above its largest value"), "{high}");
    }

    #[test]
    fn tasks_have_a_kind() {
        let read = task("log S=regression").unwrap();
        assert_eq!((read.name.as_str(), read.kind, read.score.as_str()), ("log S", TaskKind::Regression, "rmse"));
        for wrong in ["x", "=regression", "x=number"] {
            assert_eq!(message(task(wrong).unwrap_err()), format!("`{wrong}` is no task"));
        }
    }
}
