//! Runs cargo and other programs in the checkout, and reads `cargo metadata`.

use std::{
    env,
    ffi::OsStr,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::error::XtaskError;

/// The root of the repository that this is run for.
pub fn checkout() -> Result<PathBuf, XtaskError> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => env::current_dir().map_err(XtaskError::io("find", "."))?,
    };
    let root = start.ancestors().find(|folder| folder.join("harness/xtask/Cargo.toml").is_file()).map(Path::to_owned);
    root.ok_or(XtaskError::NoCheckout(start))
}

/// Cargo, as it would run if it were not started from cargo, so that nothing is built a second time by a plain
/// `cargo build`: build scripts watch variables, such as `CARGO_PKG_NAME` (ring) and `LIBTORCH` (torch-sys).
pub fn cargo(checkout: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(checkout);
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let set_by_cargo = text.starts_with("CARGO_PKG_")
            || ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO"].contains(&text);
        if set_by_cargo {
            command.env_remove(&name);
        }
    }
    if clmbench_fetch::libtorch::user_libtorch(checkout).is_none() {
        // .cargo/config.toml sets it again.
        command.env_remove("LIBTORCH");
    }
    command
}

/// Runs `cargo <arguments>` and passes its output through.
pub fn run_cargo(checkout: &Path, arguments: &[&str]) -> Result<(), XtaskError> {
    println!("xtask: cargo {}", arguments.join(" "));
    let mut command = cargo(checkout);
    command.args(arguments);
    run(command)
}

/// Runs a program and passes its output and its exit status through.
pub fn run(mut command: Command) -> Result<(), XtaskError> {
    let shown = shown(&command);
    let status = command.status().map_err(XtaskError::io("start", command.get_program()))?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (_, Some(signal)) => Err(XtaskError::Signal { command: shown, signal }),
        (code, None) => Err(XtaskError::Child { command: shown, code: code.and_then(|c| u8::try_from(c).ok()).unwrap_or(255) }),
    }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = [program].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// What we need of `cargo metadata`.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// Packages; with dependencies only if asked for.
    pub packages: Vec<Package>,
    /// Ids of the workspace's own packages.
    pub workspace_members: Vec<String>,
    /// Where cargo builds.
    pub target_directory: PathBuf,
    /// The resolved graph; absent without dependencies.
    pub resolve: Option<Resolve>,
}

/// A package.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Identifies it in the graph.
    pub id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Its Cargo.toml.
    pub manifest_path: PathBuf,
    /// What is built from it.
    pub targets: Vec<Target>,
}

/// Something that is built.
#[derive(Debug, Deserialize)]
pub struct Target {
    /// Name, with `-` or `_`.
    pub name: String,
    /// `cdylib`, `bin`, ...
    pub crate_types: Vec<String>,
}

/// The resolved graph.
#[derive(Debug, Deserialize)]
pub struct Resolve {
    /// One for each package.
    pub nodes: Vec<Node>,
}

/// A package and what it depends on.
#[derive(Debug, Deserialize)]
pub struct Node {
    /// Id of the package.
    pub id: String,
    /// Its dependencies.
    pub deps: Vec<Dependency>,
}

/// An edge of the graph.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// Id of the package.
    pub pkg: String,
    /// In which ways it is depended on.
    pub dep_kinds: Vec<DependencyKind>,
}

/// A way of depending.
#[derive(Debug, Deserialize)]
pub struct DependencyKind {
    /// `None` is normal; else `build` or `dev`.
    pub kind: Option<String>,
}

/// Asks cargo about the workspace, with the whole graph or without.
pub fn metadata(checkout: &Path, with_dependencies: bool) -> Result<Metadata, XtaskError> {
    let mut command = cargo(checkout);
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]);
    if !with_dependencies {
        command.arg("--no-deps");
    }
    command.stderr(Stdio::inherit());
    let output = command.output().map_err(XtaskError::io("start", "cargo"))?;
    if !output.status.success() {
        let code = output.status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(255);
        return Err(XtaskError::Child { command: shown(&command), code });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
