//! Finding plugins: `DIR/<name>/plugin.toml` beside a library, in the configured folders and nowhere else.

use std::{
    ffi::OsString,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{Card, Describer, Plugin, PluginLoadError, PluginSet};

/// Folders that are searched, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginFolders {
    /// Asked for by the user; a missing one is an error.
    pub asked: Vec<PathBuf>,
    /// Searched always; a missing one is passed over.
    pub usual: Vec<PathBuf>,
}

impl PluginFolders {
    /// Folders from `--plugins` and the environment: `flags`, then `CLMBENCH_PLUGINS` (colon-separated), then
    /// `<folder of the executable>/plugins`, then `$XDG_DATA_HOME/clmbench/plugins` (else `~/.local/share/...`).
    pub fn from_environment(flags: &[PathBuf]) -> Self {
        Self::resolve(flags, |name| std::env::var_os(name), std::env::current_exe().ok())
    }

    fn resolve(flags: &[PathBuf], variable: impl Fn(&str) -> Option<OsString>, executable: Option<PathBuf>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut asked = flags.to_vec();
        if let Some(list) = set("CLMBENCH_PLUGINS") {
            asked.extend(std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()));
        }
        let beside = executable.as_deref().and_then(Path::parent).map(|folder| folder.join("plugins"));
        let data = set("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/share")))
            .map(|data| data.join("clmbench/plugins"));
        Self { asked, usual: beside.into_iter().chain(data).collect() }
    }
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Discovery {
    /// The plugins that can be used.
    pub plugins: PluginSet,
    /// Those that cannot, each with file, reason and fix.
    pub errors: Vec<PluginLoadError>,
}

/// Searches the folders and asks a worker what each library offers.
///
/// The same library (by digest and name) in two folders counts once, the first.
pub fn discover(folders: &PluginFolders, describer: &Describer) -> Discovery {
    let mut errors = Vec::new();
    let mut plugins: Vec<Plugin> = Vec::new();
    let asked = folders.asked.iter().map(|folder| (folder, true));
    let mut seen: Vec<PathBuf> = Vec::new();
    for (folder, must_exist) in asked.chain(folders.usual.iter().map(|folder| (folder, false))) {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        for candidate in candidates(folder, must_exist, &mut errors) {
            match load(&candidate, describer) {
                Ok(plugin) => {
                    let again =
                        |earlier: &Plugin| earlier.digest == plugin.digest && earlier.manifest.name == plugin.manifest.name;
                    if !plugins.iter().any(again) {
                        plugins.push(plugin);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
    }
    let (plugins, clashes) = PluginSet::new(plugins);
    errors.extend(clashes);
    Discovery { plugins, errors }
}

/// Sub-folders that hold a `plugin.toml`, sorted by name.
fn candidates(folder: &Path, must_exist: bool, errors: &mut Vec<PluginLoadError>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => return Vec::new(),
        Err(error) => {
            let fix = "Check `--plugins` and CLMBENCH_PLUGINS; each names a folder of plugin folders.";
            errors.push(PluginLoadError::new(folder, format!("the plugin folder cannot be read ({error})"), fix));
            return Vec::new();
        }
    };
    if let Err(error) = refuse_world_writable(folder) {
        errors.push(error);
        return Vec::new();
    }
    if must_exist && folder.join(Card::FILE).is_file() {
        let fix = "Name the folder above it.";
        errors.push(PluginLoadError::new(folder, "this is a plugin itself, not a folder of plugins", fix));
        return Vec::new();
    }
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join(Card::FILE).symlink_metadata().is_ok())
        .collect();
    found.sort();
    found
}

/// Reads one plugin folder.
pub(super) fn load(folder: &Path, describer: &Describer) -> Result<Plugin, PluginLoadError> {
    refuse_world_writable(folder)?;
    let card_path = folder.join(Card::FILE);
    refuse_world_writable(&card_path)?;
    let example = "It holds three lines: `name = \"...\"`, `version = \"...\"` and `library = \"lib....so\"`; `clmbench plugin build` writes it.";
    let text = std::fs::read_to_string(&card_path)
        .map_err(|error| PluginLoadError::new(&card_path, format!("cannot be read ({error})"), "Allow reading it."))?;
    let card = Card::parse(&text).map_err(|reason| PluginLoadError::new(&card_path, reason, example))?;
    let library = folder.join(&card.library);
    let build = "Build the plugin again (`clmbench plugin build DIR`; for those of the workspace `cargo xtask build`).";
    if !library.is_file() {
        return Err(PluginLoadError::new(&library, "the library named by plugin.toml is not there", build));
    }
    refuse_world_writable(&library)?;
    let library =
        library.canonicalize().map_err(|error| PluginLoadError::new(&library, format!("cannot be resolved ({error})"), build))?;
    // A link may lead to a folder that anyone can write to, such as /tmp.
    if let Some(real_folder) = library.parent() {
        refuse_world_writable(real_folder)?;
    }
    let (manifest, digest) = describer.describe(&library)?;
    if manifest.name != card.name || manifest.version != card.version {
        let reason = format!(
            "plugin.toml says {} {}, but the library says {} {}",
            card.name, card.version, manifest.name, manifest.version
        );
        return Err(PluginLoadError::new(&card_path, reason, build));
    }
    Ok(Plugin { manifest, library, digest })
}

/// Code that anyone on the machine can change is not run.
fn refuse_world_writable(path: &Path) -> Result<(), PluginLoadError> {
    let mode = std::fs::metadata(path)
        .map_err(|error| PluginLoadError::new(path, format!("cannot be looked at ({error})"), "Allow reading it."))?
        .permissions()
        .mode();
    if mode & 0o002 == 0 {
        return Ok(());
    }
    let fix = format!("Run `chmod o-w {}`.", path.display());
    Err(PluginLoadError::new(path, "anyone on this machine can write to it, and a plugin is code that is run", fix))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_come_from_flags_then_variable_then_the_usual_places() {
        let variable = |name: &str| match name {
            "CLMBENCH_PLUGINS" => Some(OsString::from("/b::/c")),
            "HOME" => Some(OsString::from("/home/u")),
            _ => None,
        };
        let folders = PluginFolders::resolve(&["/a".into()], variable, Some("/opt/bin/clmbench".into()));
        assert_eq!(folders.asked, ["/a", "/b", "/c"].map(PathBuf::from));
        assert_eq!(folders.usual, ["/opt/bin/plugins", "/home/u/.local/share/clmbench/plugins"].map(PathBuf::from));
        let xdg = |name: &str| (name == "XDG_DATA_HOME").then(|| OsString::from("/data"));
        assert_eq!(PluginFolders::resolve(&[], xdg, None).usual, [PathBuf::from("/data/clmbench/plugins")]);
    }
}
