//! The house rules, checked on text and on `cargo metadata`; needs no build and no libtorch.
//!
//! Each rule is a function from the tree (or the graph) to offences, so that the tests can run it on made-up ones.

mod dependencies;
mod layout;
mod rules;
mod rust;
mod sources;
mod tree;

use std::{fmt, path::Path};

use crate::{cargo, error::XtaskError};
use dependencies::Graph;
use tree::Tree;

/// A broken rule, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offence {
    /// Path relative to the root.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong, and the next step.
    pub message: String,
}

impl Offence {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// A rule on the text of the tree.
type Rule = fn(&Tree) -> Vec<Offence>;

const RULES: [(&str, Rule); 9] = [
    ("the top level holds only what DESIGN allows", layout::top_level),
    ("no file is over 600 lines", layout::length),
    ("every plugin folder has Cargo.toml and README.md", layout::plugin_folders),
    ("no path of one machine is written down", layout::machine_paths),
    ("only cli and xtask print", sources::printing),
    ("no unwrap, todo, unimplemented or dbg outside tests", sources::shortcuts),
    ("unsafe is explained and lives where it may", sources::unsafe_code),
    ("no test is ignored without a reason", sources::ignored_tests),
    ("the host names no plugin", sources::plugin_names),
];

/// Offences by rule, in the order in which they are shown.
fn check(checkout: &Path) -> Result<Vec<(&'static str, Vec<Offence>)>, XtaskError> {
    let tree = Tree::read(checkout)?;
    let graph = Graph::new(checkout, &cargo::metadata(checkout, true)?);
    let mut found = vec![("crates depend only on what they may", dependencies::check(&graph, &tree))];
    found.extend(RULES.iter().map(|(name, rule)| (*name, rule(&tree))));
    for (_, offences) in &mut found {
        offences.sort();
    }
    Ok(found)
}

/// Checks every rule and shows one line for each, and one for each offence.
pub fn run(checkout: &Path) -> Result<(), XtaskError> {
    let found = check(checkout)?;
    for (name, offences) in &found {
        println!("tidy: {}: {name}", if offences.is_empty() { "ok" } else { "BROKEN" });
        for offence in offences {
            println!("  {offence}");
        }
    }
    match found.iter().map(|(_, offences)| offences.len()).sum() {
        0 => Ok(()),
        count => Err(XtaskError::Tidy(count)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn this_repository_keeps_its_house_rules() {
        let found = super::check(&crate::cargo::checkout().unwrap()).unwrap();
        let lines: Vec<String> = found.iter().flat_map(|(_, offences)| offences).map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{} offences:\n{}", lines.len(), lines.join("\n"));
    }
}
