//! Opens plugins: our handshake first, then abi_stable's layout check; and libtorch's CUDA library. Libraries are never
//! unloaded.

use std::{
    collections::BTreeMap,
    ffi::CStr,
    path::{Path, PathBuf},
};

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

/// Tells cuBLAS to take workspaces that make its products repeatable, which libtorch asks for when it is to be deterministic.
/// To be called first thing in `main`. A choice that the user made in the environment stays.
pub fn repeatable_products() {
    const VARIABLE: &str = "CUBLAS_WORKSPACE_CONFIG";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: called before the process has other threads, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var(VARIABLE, ":4096:8") };
    }
}

/// libtorch's CUDA library, as [`open_cuda`] found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CudaLibrary {
    /// Open: its kernels and hooks are registered.
    Open,
    /// Not there: a libtorch for the CPU.
    Missing,
    /// There, but it cannot be opened, for this reason.
    Refused(String),
}

/// Name of libtorch's CUDA library.
const CUDA: &str = "libtorch_cuda.so";

/// Opens libtorch's CUDA library, which programs that are linked against the CPU's do not name: beside `libtorch_cpu.so`, or
/// where the loader looks. To be called before libtorch is asked for devices.
pub fn open_cuda() -> CudaLibrary {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    let beside = beside_libtorch(&std::fs::read_to_string("/proc/self/maps").unwrap_or_default());
    let beside = beside.filter(|path| path.is_file());
    let certain = beside.is_some();
    let path = beside.unwrap_or_else(|| CUDA.into());
    // SAFETY: opening runs the initialisers of libtorch's own library, which register kernels and hooks.
    match unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            // Kept open for good: its kernels stay registered.
            std::mem::forget(library);
            CudaLibrary::Open
        }
        Err(error) => {
            let reason = one_line(&error.to_string());
            // The loader names the file that it did not find: this one, or one that this one needs.
            if !certain && reason.starts_with(&format!("{CUDA}: cannot open shared object file")) {
                CudaLibrary::Missing
            } else {
                log(&format!("{}: {reason}", path.display()));
                CudaLibrary::Refused(reason)
            }
        }
    }
}

/// Where the CUDA library lies if it is part of the libtorch in this memory map (`/proc/self/maps`).
fn beside_libtorch(maps: &str) -> Option<PathBuf> {
    let place =
        maps.lines().find_map(|line| line.find('/').map(|at| &line[at..]).filter(|path| path.ends_with("/libtorch_cpu.so")))?;
    Some(Path::new(place).with_file_name(CUDA))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::{CudaLibrary, beside_libtorch, open_cuda};

    #[test]
    fn the_cuda_library_is_looked_for_beside_libtorch() {
        let maps = "7f00-7f01 r-xp 0000 08:01 12   /usr/lib/libc.so.6\n\
                    7f02-7f03 r--p 0000 08:01 13   /a folder/torch/lib/libtorch_cpu.so\n7f04-7f05 rw-p 0 00:00 0";
        assert_eq!(beside_libtorch(maps).as_deref(), Some(Path::new("/a folder/torch/lib/libtorch_cuda.so")));
        assert_eq!(beside_libtorch("7f00-7f01 r-xp 0000 08:01 12   /usr/lib/libc.so.6"), None);
        assert_eq!(beside_libtorch(""), None);
    }

    #[test]
    fn a_libtorch_without_cuda_is_no_error() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        // Makes this test depend on libtorch, so that its library is mapped.
        assert_eq!(tch::Tensor::from_slice(&[1.0_f32]).size(), [1]);
        let expected = beside_libtorch(&maps).unwrap();
        if !expected.exists() {
            assert_eq!(open_cuda(), CudaLibrary::Missing);
        }
    }
}
