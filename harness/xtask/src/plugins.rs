//! Installs the workspace's plugins: `<target>/release/plugins/<crate>/` with the library and a `plugin.toml`. Files
//! are written beside and renamed, so a worker that has the old library open keeps it whole.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cargo::{Metadata, Package},
    error::XtaskError,
};

/// Where plugins come from, and the folder of `<target>/release` that they are installed in.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    source: &'static str,
    folder: &'static str,
}

/// The plugins of the tool.
pub const PLUGINS: Kind = Kind { source: "plugins", folder: "plugins" };
/// The plugins that the tests break on purpose.
pub const TEST_PLUGINS: Kind = Kind { source: "tests/plugins", folder: "test-plugins" };

/// First line of our `plugin.toml`: a folder with it may be removed when its crate is gone.
const MARK: &str = "# Written by `cargo xtask`.";

/// Installs the plugins that have been built; folders of ours whose crate is gone are removed.
pub fn install(checkout: &Path, metadata: &Metadata, kinds: &[Kind]) -> Result<(), XtaskError> {
    let release = metadata.target_directory.join("release");
    for kind in kinds {
        let folder = release.join(kind.folder);
        let source = checkout.join(kind.source);
        let packages: Vec<(&Package, String)> = metadata
            .packages
            .iter()
            .filter(|package| package.manifest_path.starts_with(&source))
            .filter_map(|package| Some((package, library_name(package)?)))
            .collect();
        let mut changed = 0;
        for (package, library) in &packages {
            let built = release.join(library);
            if !built.is_file() {
                return Err(XtaskError::Missing { path: built, advice: "build it with `cargo xtask build`" });
            }
            changed += usize::from(install_one(&folder.join(&package.name), package, library, &built)?);
        }
        remove_others(&folder, &packages.iter().map(|(package, _)| package.name.as_str()).collect::<Vec<_>>())?;
        println!("xtask: {} plugins in {} ({changed} new or changed)", packages.len(), folder.display());
    }
    Ok(())
}

/// The installed libraries, in the order of their paths.
pub fn installed(release: &Path, kind: Kind) -> Result<Vec<PathBuf>, XtaskError> {
    let folder = release.join(kind.folder);
    let failed = |path: &Path, source| XtaskError::Io { action: "read", path: path.to_owned(), source };
    let mut libraries = Vec::new();
    for plugin in fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
        let plugin = plugin.map_err(|error| failed(&folder, error))?.path();
        for file in fs::read_dir(&plugin).map_err(|error| failed(&plugin, error))? {
            let file = file.map_err(|error| failed(&plugin, error))?.path();
            libraries.extend(file.extension().is_some_and(|end| end == std::env::consts::DLL_EXTENSION).then_some(file));
        }
    }
    libraries.sort();
    Ok(libraries)
}

/// File name of the package's cdylib.
fn library_name(package: &Package) -> Option<String> {
    let target = package.targets.iter().find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))?;
    let name = target.name.replace('-', "_");
    Some(format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
}

/// Whether anything had to be written.
fn install_one(folder: &Path, package: &Package, library: &str, built: &Path) -> Result<bool, XtaskError> {
    fs::create_dir_all(folder).map_err(XtaskError::io("create", folder))?;
    let bytes = fs::read(built).map_err(XtaskError::io("read", built))?;
    let manifest = format!("{MARK}\nname = {:?}\nversion = {:?}\nlibrary = {library:?}\n", package.name, package.version);
    // The library first: a manifest never names a file that is not there.
    let library_changed = write_if_changed(&folder.join(library), &bytes)?;
    let manifest_changed = write_if_changed(&folder.join("plugin.toml"), manifest.as_bytes())?;
    Ok(library_changed || manifest_changed)
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, XtaskError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, bytes).map_err(XtaskError::io("write", &temporary))?;
    fs::rename(&temporary, path).map_err(XtaskError::io("rename to", path))?;
    Ok(true)
}

/// Removes the folders that carry our mark and whose crate is not in `kept`; never a user's own.
fn remove_others(folder: &Path, kept: &[&str]) -> Result<(), XtaskError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let ours = fs::read_to_string(path.join("plugin.toml")).is_ok_and(|text| text.starts_with(MARK));
        if ours && path.file_name().is_some_and(|name| !kept.iter().any(|kept| name == *kept)) {
            fs::remove_dir_all(&path).map_err(XtaskError::io("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cargo::Target;

    fn metadata(checkout: &Path, names: &[&str]) -> Metadata {
        let package = |name: &&str| Package {
            id: (*name).to_owned(),
            name: (*name).to_owned(),
            version: "0.1.0".into(),
            manifest_path: checkout.join("plugins/metrics").join(name).join("Cargo.toml"),
            targets: vec![Target { name: name.replace('-', "_"), crate_types: vec!["cdylib".into(), "rlib".into()] }],
        };
        let packages = names.iter().map(package).collect();
        Metadata { packages, workspace_members: Vec::new(), target_directory: checkout.join("target"), resolve: None }
    }

    #[test]
    fn installed_replaced_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let release = dir.path().join("target/release");
        fs::create_dir_all(&release).unwrap();
        fs::write(release.join("libx_one.so"), "1").unwrap();
        let error = install(dir.path(), &metadata(dir.path(), &["x-one", "x-two"]), &[PLUGINS]).unwrap_err();
        assert!(matches!(error, XtaskError::Missing { .. }), "{error}");
        fs::write(release.join("libx_two.so"), "2").unwrap();
        install(dir.path(), &metadata(dir.path(), &["x-one", "x-two"]), &[PLUGINS]).unwrap();

        let one = release.join("plugins/x-one");
        let manifest: toml::Table = fs::read_to_string(one.join("plugin.toml")).unwrap().parse().unwrap();
        assert_eq!(manifest["name"].as_str(), Some("x-one"));
        assert_eq!(manifest["version"].as_str(), Some("0.1.0"));
        assert_eq!(manifest["library"].as_str(), Some("libx_one.so"));
        assert_eq!(manifest.len(), 3);

        // A worker that has the library open keeps the old bytes.
        let mut open = fs::File::open(one.join("libx_one.so")).unwrap();
        fs::write(release.join("libx_one.so"), "new").unwrap();
        let own = release.join("plugins/own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("plugin.toml"), "name = \"own\"\n").unwrap();
        install(dir.path(), &metadata(dir.path(), &["x-one"]), &[PLUGINS]).unwrap();
        assert_eq!(std::io::read_to_string(&mut open).unwrap(), "1");
        assert_eq!(fs::read(one.join("libx_one.so")).unwrap(), b"new");
        assert!(own.exists() && !release.join("plugins/x-two").exists());
        assert_eq!(fs::read_dir(&one).unwrap().count(), 2, "no leftovers");
    }
}
