//! What has to be on the machine before clmbench: Rust, a C++ compiler, Python with pip.

use std::{io, process::Command, time::Duration};

use clmbench_runner::child::{self, Answer};

use super::{Finding, State};
use crate::{console, places};

/// Longest time for a tool to say its version.
const LIMIT: Duration = Duration::from_secs(20);

/// The Rust toolchain. `needed`: whether anything has still to be built before a suite can run.
pub fn rust(needed: bool) -> Finding {
    let wanted = places::wanted_rust();
    let install = format!("rustup toolchain install {wanted}  (rustup itself: https://rustup.rs)");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.arg("--version").env("RUSTUP_AUTO_INSTALL", "0");
    if let Some(checkout) = places::checkout() {
        command.current_dir(checkout); // where rust-toolchain.toml chooses the version
    }
    let finding = match child::answer(&mut command, LIMIT) {
        Err(error) => Finding::new("rust", State::Missing, not_started("rustc", &error)).then(install),
        Ok(said) if !said.good() => Finding::new("rust", State::Wrong, console::one_line(&said.last_words(), 200)).then(install),
        Ok(said) => {
            let text = console::one_line(&said.stdout, 120);
            match version(&text) {
                Some(found) if Some(found) >= version(wanted) => Finding::new("rust", State::Ok, text),
                _ => Finding::new("rust", State::Wrong, format!("{text}; {wanted} or newer is needed")).then(install),
            }
        }
    };
    finding.needed(needed, "building clmbench and plugins")
}

/// A C++ compiler.
pub fn compiler(needed: bool) -> Finding {
    let named = std::env::var("CXX").ok().filter(|name| !name.is_empty());
    let candidates: Vec<&str> = named.as_deref().map_or_else(|| vec!["c++", "g++", "clang++"], |name| vec![name]);
    let mut worst = None;
    for candidate in candidates {
        match first_answer(candidate, "--version") {
            Ok(said) if said.good() => {
                let line = console::one_line(said.stdout.lines().next().unwrap_or_default(), 120);
                return Finding::new("c++", State::Ok, line).needed(needed, "building clmbench and plugins");
            }
            Ok(said) => worst = Some((State::Wrong, console::one_line(&said.last_words(), 200))),
            Err(error) => worst = worst.or_else(|| Some((State::Missing, not_started(candidate, &error)))),
        }
    }
    let (state, detail) = worst.unwrap_or((State::Missing, "no C++ compiler".to_owned()));
    let install = "install one: apt install g++, dnf install gcc-c++, or set CXX to yours";
    Finding::new("c++", state, detail).then(install).needed(needed, "building clmbench and plugins")
}

/// Python 3 with pip, which downloads pinned wheels; nothing of them is run.
pub fn python(needed: bool) -> Finding {
    const WHY: &str = "downloading libtorch and data";
    let version = match first_answer("python3", "--version") {
        Ok(said) if said.good() => console::one_line(&format!("{}{}", said.stdout, said.stderr), 60),
        Ok(said) => {
            let detail = console::one_line(&said.last_words(), 200);
            return Finding::new("python3", State::Wrong, detail).then("apt install python3 python3-pip").needed(needed, WHY);
        }
        Err(error) => {
            let detail = not_started("python3", &error);
            return Finding::new("python3", State::Missing, detail)
                .then("apt install python3 python3-pip, or set CLMBENCH_MIRROR to a folder with the wheels")
                .needed(needed, WHY);
        }
    };
    match child::answer(Command::new("python3").args(["-m", "pip", "--version"]), LIMIT) {
        Ok(said) if said.good() => {
            let pip = said.stdout.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            Finding::new("python3", State::Ok, format!("{version}, {}", console::one_line(&pip, 60)))
        }
        _ => Finding::new("python3", State::Missing, format!("{version} without pip"))
            .then("apt install python3-pip, or python3 -m ensurepip"),
    }
    .needed(needed, WHY)
}

fn first_answer(tool: &str, argument: &str) -> io::Result<Answer> {
    child::answer(Command::new(tool).arg(argument), LIMIT)
}

fn not_started(tool: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{tool} is not in PATH"),
        _ => format!("{tool} cannot be started: {error}"),
    }
}

/// The first `x.y.z` in the text.
fn version(text: &str) -> Option<(u32, u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.split(['-', '+']).next()?.split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some((major, minor, patch)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version("rustc 1.95.0 (abc 2026-01-01)"), Some((1, 95, 0)));
        assert_eq!(version("rustc 1.100.0-nightly (abc)"), Some((1, 100, 0)));
        assert!(version("rustc 1.100.0") > version("1.95.0"));
        assert_eq!(version("no version"), None);
    }
}
