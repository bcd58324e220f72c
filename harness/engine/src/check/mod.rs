//! The conformance checks of `clmbench plugin check`: what can be said of a plugin on the bundled checkpoints, in seconds.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use clmbench_protocol::{Attempt, Check, CheckLine, Failure, FailureKind, ParameterInfo, ParameterKind};
use clmbench_sdk::error::panic_text;
use serde_json::{Map, Value};

use crate::{
    failure::Result,
    loader::{self, Plugin},
    sample::Sample,
};

mod architecture;
mod dataset;
mod metric;

/// Where the checks are told of, one by one: a plugin may end the process, or never come back.
pub struct Checks<'a> {
    tell: &'a mut dyn FnMut(CheckLine),
}

impl<'a> Checks<'a> {
    /// Tells them here.
    pub fn new(tell: &'a mut dyn FnMut(CheckLine)) -> Self {
        Self { tell }
    }

    /// Makes one check; a panic fails it. The value, if it holds.
    fn make<T>(&mut self, check: &str, body: impl FnOnce() -> Result<T>, words: impl FnOnce(&T) -> String) -> Option<T> {
        (self.tell)(CheckLine::Begins(check.into()));
        let result = catch_unwind(AssertUnwindSafe(body))
            .unwrap_or_else(|payload| Err(Failure::new(FailureKind::Panic, format!("panicked: {}", panic_text(&*payload)))));
        let (ok, detail) = match &result {
            Ok(value) => (true, words(value)),
            Err(failure) if failure.kind == FailureKind::PluginError => (false, failure.message.clone()),
            Err(failure) => (false, format!("{}: {}", failure.kind.word(), failure.message)),
        };
        self.done(check, Some(ok), detail);
        result.ok()
    }

    /// Something that cannot be tried here.
    fn skip(&mut self, check: &str, why: &str) {
        self.done(check, None, why.into());
    }

    fn done(&mut self, check: &str, ok: Option<bool>, detail: String) {
        (self.tell)(CheckLine::Done(Check { check: check.into(), ok, detail }));
    }
}

/// Checks the plugin in this file. `with` may name files and tasks for datasets.
pub fn run(path: &Path, with: &Attempt, checks: &mut Checks<'_>) {
    tch::set_num_threads(1);
    let opened = checks.make(
        "loads: handshake, layout, manifest",
        || loader::open(path),
        |plugin: &Plugin| format!("{} {}", plugin.manifest.name, plugin.manifest.version),
    );
    let Some(plugin) = opened else { return };
    if !plugin.manifest.architectures.is_empty() || !plugin.manifest.metrics.is_empty() {
        let sample = match Sample::new() {
            Ok(sample) => sample,
            Err(failure) => {
                checks.done("bundled molecules", Some(false), failure.message);
                return;
            }
        };
        for info in &plugin.manifest.architectures {
            architecture::check(checks, &plugin, info, &sample);
        }
        for info in &plugin.manifest.metrics {
            metric::check(checks, &plugin, info, &sample);
        }
    }
    for info in &plugin.manifest.datasets {
        dataset::check(checks, &plugin, info, with);
    }
}

fn broken<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::new(FailureKind::PluginError, text))
}

/// Texts that tables and lists show, none of them empty.
fn described(texts: &[(&str, &str)]) -> Result<()> {
    match texts.iter().find(|(_, text)| text.trim().is_empty()) {
        Some((field, _)) => broken(format!("`{field}` in info() is empty; it is shown beside every value")),
        None => Ok(()),
    }
}

/// Defaults that have the declared types and lie within the declared bounds, of parameters that say what they mean.
pub(crate) fn defaults(parameters: &[ParameterInfo]) -> Result<Map<String, Value>> {
    let mut filled = Map::new();
    for parameter in parameters {
        let (name, value) = (&parameter.name, &parameter.default);
        let typed = match parameter.kind {
            ParameterKind::Integer => value.is_i64() || value.is_u64(),
            ParameterKind::Float => value.is_number(),
            ParameterKind::Boolean => value.is_boolean(),
            ParameterKind::Text => value.is_string(),
        };
        if parameter.is_optional() && !parameter.doc.trim().is_empty() && !filled.contains_key(name) {
            continue;
        }
        let number = value.as_f64();
        let inside =
            number.is_none_or(|x| parameter.minimum.is_none_or(|low| x >= low) && parameter.maximum.is_none_or(|high| x <= high));
        let chosen =
            parameter.choices.is_empty() || value.as_str().is_some_and(|word| parameter.choices.iter().any(|c| c == word));
        if !typed || !inside || !chosen {
            return broken(format!("parameter `{name}`: its default {value} does not fit its own declaration"));
        }
        if parameter.doc.trim().is_empty() {
            return broken(format!("parameter `{name}` does not say what it means; give it a line"));
        }
        if filled.insert(name.clone(), value.clone()).is_some() {
            return broken(format!("parameter `{name}` is declared twice"));
        }
    }
    Ok(filled)
}

/// The ends of what a parameter may be: smallest, largest, every word, both answers. None where it is bounded by nothing.
fn ends(parameter: &ParameterInfo) -> Vec<Value> {
    let number = |bound: Option<f64>| {
        bound.map(|bound| match parameter.kind {
            ParameterKind::Integer => Value::from(bound as i64),
            _ => Value::from(bound),
        })
    };
    match parameter.kind {
        ParameterKind::Integer | ParameterKind::Float => {
            number(parameter.minimum).into_iter().chain(number(parameter.maximum)).collect()
        }
        ParameterKind::Boolean => vec![Value::from(!parameter.default.as_bool().unwrap_or(false))],
        ParameterKind::Text => parameter.choices.iter().map(|word| Value::from(word.as_str())).collect(),
    }
}

/// The manifest of a plugin, as `--describe` prints it.
///
/// # Errors
/// What keeps it from loading.
pub fn describe(path: &Path) -> Result<clmbench_protocol::PluginManifest> {
    loader::open(path).map(|plugin| plugin.manifest)
}
