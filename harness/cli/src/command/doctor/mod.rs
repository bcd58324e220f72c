//! `doctor`: what is installed, what is missing, and what to do about it.

mod disk;
mod parts;
mod tools;

use serde::Serialize;

use crate::{arguments::Global, console::Console, error::CliError};

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There, and as it should be.
    Ok,
    /// Not there.
    Missing,
    /// There, but not as it should be.
    Wrong,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        }
    }
}

/// One line of the doctor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    check: &'static str,
    /// How it stands.
    state: State,
    /// Whether clmbench cannot go on without it as things stand.
    needed: bool,
    /// What was found.
    detail: String,
    /// What to do, when it is not ok.
    next: Option<String>,
}

impl Finding {
    /// A finding that is needed.
    fn new(check: &'static str, state: State, detail: impl Into<String>) -> Self {
        Self { check, state, needed: true, detail: detail.into(), next: None }
    }

    /// What to do.
    fn then(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// Marks a thing that is only needed for something that is not due.
    fn needed(mut self, needed: bool, purpose: &str) -> Self {
        self.needed = needed;
        if !needed && self.state != State::Ok {
            self.detail = format!("{} (only needed for {purpose})", self.detail);
        }
        self
    }

    fn blocks(&self) -> bool {
        self.needed && self.state != State::Ok
    }
}

/// Looks at everything and reports.
///
/// # Errors
/// [`CliError::NotReady`] when something needed is missing or wrong; [`CliError::Output`].
pub fn run(global: &Global, json: bool, console: Console) -> Result<(), CliError> {
    let findings = examine(global);
    if json {
        console.json("doctor", &findings)?;
    } else {
        console.print(&page(&findings))?;
    }
    match findings.iter().filter(|finding| finding.blocks()).count() {
        0 => Ok(()),
        blocking => Err(CliError::NotReady(blocking)),
    }
}

fn examine(global: &Global) -> Vec<Finding> {
    let libtorch = parts::libtorch();
    let (worker, device) = parts::worker_and_device();
    let data = parts::data();
    let plugins = parts::plugins(&global.plugins, worker.state == State::Ok);
    let store = parts::store(&global.store);
    let built = libtorch.state == State::Ok && worker.state == State::Ok;
    let fetched = libtorch.state == State::Ok && data.state == State::Ok;
    let mut all = vec![tools::rust(!built), tools::compiler(!built), tools::python(!fetched), libtorch, worker, device, data];
    all.extend(plugins);
    all.push(store);
    all.extend(disk::space(&global.store));
    all
}

fn page(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!("{:<8} {:<10} {}", finding.state.word(), finding.check, finding.detail));
        if let Some(next) = &finding.next {
            lines.push(format!("{:19} -> {next}", ""));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_blocks() {
        let missing = Finding::new("c++", State::Missing, "none").then("install it");
        assert!(missing.clone().needed(true, "building").blocks());
        let spare = missing.needed(false, "building");
        assert!(!spare.blocks());
        assert_eq!(page(&[spare]), "missing  c++        none (only needed for building)\n                    -> install it");
    }
}
