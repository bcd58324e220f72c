//! `plugin build`: compiles a plugin crate and installs its library beside a `plugin.toml`.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use clmbench_runner::plugins::Card;
use serde::Deserialize;

use super::libtorch;
use crate::{
    arguments::{BuildArguments, Global},
    console::{self, Console},
    error::CliError,
    places, plugins,
};

/// Lines of cargo's output that an error shows.
const LAST_LINES: usize = 30;

/// Builds and installs.
///
/// # Errors
/// [`CliError::NotAPluginCrate`], [`CliError::Build`], [`CliError::File`], [`CliError::Tool`].
pub fn run(arguments: &BuildArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let dir = arguments.dir.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            CliError::NotAPluginCrate { path: arguments.dir.clone(), message: "there is nothing there".to_owned() }
        }
        _ => CliError::file(&arguments.dir, error),
    })?;
    let facts = read_card(&dir)?;
    let target = target_folder(&dir)?;
    libtorch::of_crate(&dir, std::env::var_os("LIBTORCH").map(PathBuf::from))?;
    if let Some(warning) = other_sdk(&dir) {
        console.note(&format!("warning: {warning}"));
    }
    console.note(&format!("building {} in {} (target folder {})", facts.name, dir.display(), target.display()));
    let library = cargo_build(&dir, &target, &facts, console)?;
    let parent = arguments.dest.clone().map_or_else(places::user_plugins, Ok)?;
    if let Some(warning) = frozen(&library, &facts, &parent) {
        console.note(&format!("warning: {warning}"));
    }
    let installed = install(&dir, &library, &facts, &parent)?;
    console.print(&format!("installed {} {} in {}", facts.name, facts.version, installed.display()))?;
    if arguments.dest.is_none()
        && let Ok(discovery) = plugins::find(global)
        && let Some(error) = discovery.errors.iter().find(|error| error.file.starts_with(&installed))
    {
        console.note(&format!("warning: it cannot be used: {}", console::plain(&error.to_string())));
    }
    let wanted = match &arguments.dest {
        Some(dest) => format!(" --plugins {}", dest.display()),
        None => String::new(),
    };
    console.note(&format!(
        "next:\n  clmbench plugin try {0}\n  clmbench plugin check {0}\n  clmbench plugin list{wanted}",
        installed.display()
    ));
    Ok(())
}

/// Reads `plugin.toml` and compares it with `Cargo.toml`.
fn read_card(dir: &Path) -> Result<Card, CliError> {
    let wrong = |message: String| CliError::NotAPluginCrate { path: dir.to_owned(), message };
    let read = |name: &str| {
        let path = dir.join(name);
        std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => wrong(format!("there is no {name} in it")),
            _ => CliError::file(&path, error),
        })
    };
    let facts = Card::parse(&read(Card::FILE)?).map_err(|reason| wrong(format!("plugin.toml: {reason}")))?;
    let manifest: toml::Table =
        read("Cargo.toml")?.parse().map_err(|error: toml::de::Error| wrong(format!("Cargo.toml: {error}")))?;
    let package = |key: &str| manifest.get("package")?.get(key)?.as_str();
    for (key, value) in [("name", &facts.name), ("version", &facts.version)] {
        if package(key).is_some_and(|other| other != value) {
            let other = package(key).unwrap_or_default();
            return Err(CliError::Usage {
                message: format!("plugin.toml says {key} `{value}` but Cargo.toml `{other}`"),
                hint: format!("make them equal in {}", dir.display()),
            });
        }
    }
    Ok(facts)
}

/// The checkout's target folder when the crate's sdk lies in a checkout that has one (libtorch's bindings are there
/// already); else one in the cache that all such plugins share.
fn target_folder(dir: &Path) -> Result<PathBuf, CliError> {
    let own = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    if let Some(own) = own.filter(|own| own.is_absolute()) {
        return Ok(own);
    }
    if let Some(sdk) = &sdk_of(dir)
        && let Some(shared) = places::checkout_of(sdk).map(|root| root.join("target"))
        && shared.is_dir()
    {
        return Ok(shared);
    }
    Ok(clmbench_fetch::cache_dir()?.join("plugin-target"))
}

/// Folder of the sdk that the crate depends on by path.
fn sdk_of(dir: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(dir.join("Cargo.toml")).ok()?;
    let manifest: toml::Table = text.parse().ok()?;
    let path = manifest.get("dependencies")?.get("clmbench-sdk")?.get("path")?.as_str()?;
    dir.join(path).canonicalize().ok()
}

/// A warning when the crate's sdk is not the one that this program and its worker were built with. Where the edge itself has
/// changed, loading refuses the plugin; this tells why, before the build.
fn other_sdk(dir: &Path) -> Option<String> {
    let sdk = sdk_of(dir)?;
    let theirs = crate::edge_sources::digest(sdk.parent()?).ok()?;
    differs(&sdk, &theirs, env!("CLMBENCH_EDGE_SOURCES"))
}

fn differs(sdk: &Path, theirs: &str, ours: &str) -> Option<String> {
    (theirs != ours && !ours.is_empty()).then(|| {
        format!(
            "the sdk in {} is another revision than this clmbench was built with ({theirs}, not {ours}); if the plugin is refused, \
             build both from one checkout (`cargo xtask build` there)",
            sdk.display()
        )
    })
}

/// Runs cargo and returns the library that it made of this crate.
fn cargo_build(dir: &Path, target: &Path, facts: &Card, console: Console) -> Result<PathBuf, CliError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(&cargo)
        .args(["build", "--release", "--message-format=json-render-diagnostics"])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| CliError::Tool { tool: "cargo".to_owned(), error })?;
    let talk = child.stderr.take();
    let listener = thread::spawn(move || talk.map(|stream| last_lines(stream, console)).unwrap_or_default());
    let library = child.stdout.take().and_then(|stream| artifact(stream, &dir.join("Cargo.toml")));
    let status = child.wait().map_err(|error| CliError::Tool { tool: "cargo".to_owned(), error })?;
    let said = listener.join().unwrap_or_default();
    if !status.success() {
        let lines = if console.quiet { said } else { Vec::new() }; // shown already
        return Err(CliError::Build { path: dir.to_owned(), lines });
    }
    let library = library.ok_or_else(|| CliError::Usage {
        message: format!("{} builds no dynamic library", dir.display()),
        hint: "write `crate-type = [\"cdylib\"]` under [lib] in Cargo.toml".to_owned(),
    })?;
    let made = library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if made == facts.library {
        Ok(library)
    } else {
        let message = format!("plugin.toml says library `{}` but the crate builds `{made}`", facts.library);
        Err(CliError::Usage { message, hint: format!("name that file in {}", dir.join(Card::FILE).display()) })
    }
}

/// Shows cargo's words as they come and keeps the last of them.
fn last_lines(stream: impl Read, console: Console) -> Vec<String> {
    let mut kept = VecDeque::with_capacity(LAST_LINES);
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = console::plain(&String::from_utf8_lossy(&line));
        console.note(&line);
        if kept.len() == LAST_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    kept.into()
}

/// A line of cargo's `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The dynamic library among the artifacts of the crate with this manifest.
fn artifact(stream: impl Read, manifest: &Path) -> Option<PathBuf> {
    let mut found = None;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if message.reason == "compiler-artifact" && message.manifest_path == manifest {
            let library = message.filenames.into_iter().find(|file| file.extension().is_some_and(|kind| kind == "so"));
            found = library.or(found);
        }
    }
    found
}

/// A warning when another library stands installed under the same release version.
fn frozen(library: &Path, facts: &Card, parent: &Path) -> Option<String> {
    let folder = parent.join(&facts.name);
    let before = Card::parse(&std::fs::read_to_string(folder.join(Card::FILE)).ok()?).ok()?;
    let release = !facts.version.contains('-') && before.version == facts.version;
    let same = std::fs::read(folder.join(&before.library)).ok()? == std::fs::read(library).ok()?;
    (release && !same).then(|| {
        format!(
            "{0} {1} was installed before as another file, and a release version freezes the values: stores that have results of it \
             refuse this one. Bump the version in Cargo.toml and plugin.toml, or write `{1}-dev` while you work on it",
            facts.name, facts.version
        )
    })
}

/// Puts library and `plugin.toml` into `parent/<name>/`: written beside, then renamed, so that no half file is ever seen.
fn install(dir: &Path, library: &Path, facts: &Card, parent: &Path) -> Result<PathBuf, CliError> {
    let folder = parent.join(&facts.name);
    std::fs::create_dir_all(&folder).map_err(|error| CliError::file(&folder, error))?;
    for (from, name) in [(library.to_owned(), facts.library.as_str()), (dir.join("plugin.toml"), "plugin.toml")] {
        let beside = folder.join(format!(".{name}.{}.partial", std::process::id()));
        let moved = std::fs::copy(&from, &beside)
            .and_then(|_| std::fs::File::open(&beside)?.sync_all())
            .and_then(|()| std::fs::rename(&beside, folder.join(name)));
        if let Err(error) = moved {
            let _ = std::fs::remove_file(&beside);
            return Err(CliError::file(&folder.join(name), error));
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn crate_with(plugin: &str, cargo: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("plugin.toml"), plugin).unwrap();
        std::fs::write(dir.path().join("Cargo.toml"), cargo).unwrap();
        dir
    }

    #[test]
    fn a_version_that_drifted_is_named() {
        let plugin = "name = \"p\"\nversion = \"0.1.0\"\nlibrary = \"libp.so\"\n";
        let same = crate_with(plugin, "[package]\nname = \"p\"\nversion = \"0.1.0\"\n");
        assert_eq!(read_card(same.path()).unwrap().library, "libp.so");
        let other = crate_with(plugin, "[package]\nname = \"p\"\nversion = \"0.2.0\"\n");
        let error = read_card(other.path()).unwrap_err();
        assert_eq!(error.to_string(), "plugin.toml says version `0.1.0` but Cargo.toml `0.2.0`");
        assert_eq!(error.hint(), Some(format!("make them equal in {}", other.path().display())));
        let escape = crate_with(&plugin.replace("libp.so", "../libp.so"), "[package]\nname = \"p\"\n");
        assert!(read_card(escape.path()).is_err());
    }

    #[test]
    fn another_sdk_is_told_and_the_own_one_is_not() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("sdk");
        let cargo = format!("[package]\nname = \"p\"\n[dependencies]\nclmbench-sdk = {{ path = {own:?} }}\n");
        let dir = crate_with("name = \"p\"\n", &cargo);
        assert_eq!(other_sdk(dir.path()), None);
        let text = differs(&own, "0123", "4567").unwrap();
        assert!(text.contains("(0123, not 4567)") && text.contains("cargo xtask build"), "{text}");
    }

    #[test]
    fn cargo_messages_name_the_library() {
        let lines = "{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/a/Cargo.toml\",\"filenames\":[\"/t/liba.so\"]}\n\
                     not json\n\
                     {\"reason\":\"compiler-artifact\",\"manifest_path\":\"/b/Cargo.toml\",\"filenames\":[\"/t/libb.so\"]}\n\
                     {\"reason\":\"build-finished\",\"success\":true}\n";
        let of = |manifest: &str| artifact(lines.as_bytes(), Path::new(manifest));
        assert_eq!(of("/a/Cargo.toml"), Some(PathBuf::from("/t/liba.so")));
        assert_eq!(of("/c/Cargo.toml"), None);
    }

    #[test]
    fn installing_twice_replaces_and_leaves_nothing_beside() {
        let source = crate_with("name = \"p\"\nversion = \"1.0.0\"\nlibrary = \"libp.so\"\n", "[package]\nname = \"p\"\n");
        let facts = read_card(source.path()).unwrap();
        let library = source.path().join("libp.so");
        let parent = source.path().join("plugins");
        for content in ["first", "second"] {
            std::fs::write(&library, content).unwrap();
            let folder = install(source.path(), &library, &facts, &parent).unwrap();
            assert_eq!(std::fs::read_to_string(folder.join("libp.so")).unwrap(), content);
        }
        let mut names: Vec<_> = std::fs::read_dir(parent.join("p")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["libp.so", "plugin.toml"]);
    }
}
