//! Opens plugins: our handshake first, then abi_stable's layout check. Libraries are never unloaded.

use std::{collections::BTreeMap, ffi::CStr, path::Path};

use abi_stable::library::lib_header_from_path;
use clmbench_api::{
    PluginModuleRef,
    handshake::{API_VERSION, HandshakeFn, MAGIC, SYMBOL},
};
use clmbench_protocol::{Failure, FailureKind, PluginFile, PluginManifest};
use clmbench_sdk::LIBTORCH_VERSION;

use crate::failure::{OrFail, Result};

/// An open plugin.
#[derive(Clone)]
pub struct Plugin {
    /// Its calls.
    pub module: PluginModuleRef,
    /// What it offers.
    pub manifest: PluginManifest,
}

/// The plugins of a worker, opened once each.
#[derive(Default)]
pub struct Plugins {
    open: BTreeMap<String, (PluginFile, Plugin)>,
}

impl Plugins {
    /// Opens what is not open yet. Another file under an open name needs another worker.
    ///
    /// # Errors
    /// What [`open`] refuses; [`FailureKind::CorruptFile`] when the library is not the one that was planned with.
    pub fn require(&mut self, files: &[PluginFile]) -> Result<()> {
        for file in files {
            if let Some((known, _)) = self.open.get(&file.name) {
                if known.digest == file.digest {
                    continue;
                }
                let text = format!("plugin `{}` changed while this worker had it open; run again", file.name);
                return Err(Failure::new(FailureKind::PluginLoad, text));
            }
            crate::files::expect_digest(Path::new(&file.path), &file.digest)?;
            let plugin = open(Path::new(&file.path))?;
            self.open.insert(file.name.clone(), (file.clone(), plugin));
        }
        Ok(())
    }

    /// An open plugin by its crate name.
    ///
    /// # Errors
    /// [`FailureKind::Protocol`] when the host did not name it.
    pub fn get(&mut self, name: &str) -> Result<&Plugin> {
        let found = self.open.get(name).map(|(_, plugin)| plugin);
        found.ok_or_else(|| {
            Failure::new(FailureKind::Protocol, format!("the cell needs plugin `{name}`, but the host named no file for it"))
        })
    }
}

/// Opens a plugin library.
///
/// # Errors
/// [`FailureKind::PluginLoad`], [`FailureKind::ApiVersion`] or [`FailureKind::LibtorchVersion`], naming the file, both
/// versions and the next step.
pub fn open(path: &Path) -> Result<Plugin> {
    let shown = path.display();
    greet(path)?;
    let header = lib_header_from_path(path)
        .map_err(|error| Failure::new(FailureKind::PluginLoad, format!("{shown}: {}", layout_words(&error.to_string()))))?;
    let module = header.init_root_module::<PluginModuleRef>().map_err(|error| {
        log(&format!("{shown}: {error}"));
        let text = format!(
            "{shown}: its types differ from the host's: {}; rebuild it against this version",
            layout_words(&error.to_string())
        );
        Failure::new(FailureKind::ApiVersion, text)
    })?;
    let json = module.manifest()().or_fail()?;
    let manifest = serde_json::from_str(&json).map_err(|error| {
        Failure::new(
            FailureKind::PluginLoad,
            format!("{shown}: its manifest cannot be read ({error}); rebuild it against this version"),
        )
    })?;
    Ok(Plugin { module, manifest })
}

/// Reads and compares the handshake; the library stays open for good.
fn greet(path: &Path) -> Result<()> {
    let shown = path.display();
    // SAFETY: opening a library runs its initialisers; a plugin is code that the user chose to run.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| {
        Failure::new(FailureKind::PluginLoad, format!("{shown} cannot be loaded: {}", one_line(&error.to_string())))
    })?;
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: the symbol has this type by the contract of the edge; a library without it is refused.
    let handshake = unsafe { library.get::<HandshakeFn>(SYMBOL) }.map_err(|_| {
        let name = CStr::from_bytes_with_nul(SYMBOL).map(CStr::to_string_lossy).unwrap_or_default();
        Failure::new(FailureKind::PluginLoad, format!("{shown} is not a clmbench plugin: it has no `{name}`; use export_plugin!"))
    })?;
    // SAFETY: it returns a pointer to a static of this fixed layout.
    let handshake = unsafe {
        let pointer = handshake();
        if pointer.is_null() {
            return Err(Failure::new(FailureKind::PluginLoad, format!("{shown}: its handshake is empty; rebuild it")));
        }
        *pointer
    };
    if handshake.magic != MAGIC {
        return Err(Failure::new(FailureKind::PluginLoad, format!("{shown}: its handshake is not a clmbench plugin's")));
    }
    let (major, minor) = API_VERSION;
    if handshake.api_major != major || handshake.api_minor > minor {
        let (theirs, ours) = (format!("{}.{}", handshake.api_major, handshake.api_minor), format!("{major}.{minor}"));
        let text =
            format!("{shown} needs plugin API {theirs}, this host has {ours}; rebuild the plugin against this version's sdk");
        return Err(Failure::new(FailureKind::ApiVersion, text));
    }
    let theirs = handshake.libtorch();
    if theirs != LIBTORCH_VERSION {
        let text =
            format!("{shown} was built against libtorch {theirs}, this host against {LIBTORCH_VERSION}; rebuild the plugin");
        return Err(Failure::new(FailureKind::LibtorchVersion, text));
    }
    Ok(())
}

/// The lines of an abi_stable error that a reader needs: Error, Expected, Found.
fn layout_words(message: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut lines = message.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line.starts_with("Error:") {
            words.push(line);
            words.extend(lines.by_ref().take_while(|line| !line.is_empty()).take(6));
            break;
        }
    }
    if words.is_empty() { one_line(message) } else { words.join(" ").chars().take(500).collect() }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

fn log(text: &str) {
    use std::io::Write;
    // Standard error is the cell's log here; a log that cannot be written must not fail the cell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
