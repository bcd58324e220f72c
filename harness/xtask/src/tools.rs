//! Looks for the programs that a build needs, and says exactly what to install where one is missing.

use std::{
    env,
    process::{Command, Stdio},
};

use crate::error::XtaskError;

/// The C++ compiler that libtorch's bindings are built with, by its first line about itself.
pub fn cxx_compiler() -> Result<String, XtaskError> {
    let chosen = env::var("CXX").ok().filter(|name| !name.trim().is_empty());
    let names = chosen.map_or_else(|| vec!["c++".to_owned(), "g++".to_owned(), "clang++".to_owned()], |name| vec![name]);
    names.iter().find_map(|name| first_line(name)).ok_or(XtaskError::Tool {
        tool: "a C++ compiler (c++, g++, clang++ or what CXX names)",
        advice: "libtorch's bindings are C++; install one (Debian and Ubuntu: `apt install g++`; Fedora: `dnf install gcc-c++`) and run this again",
    })
}

/// First line of `<words> --version`, if it runs.
fn first_line(words: &str) -> Option<String> {
    let mut words = words.split_whitespace();
    let output = Command::new(words.next()?).args(words).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    (output.status.success()).then(|| text.lines().next().unwrap_or_default().to_owned())
}
