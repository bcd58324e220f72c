//! A folder of its own for every test of the real tool: `clmbench` with `clmbench-worker`, libtorch and built plugins.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use clmbench_store::{CellRow, CellStatus, Store};
use serde_json::Value;
use tempfile::TempDir;

use crate::bench::{Answer, built_executable, finish};

/// The crate names of the tool's own plugins.
pub const PLUGINS: [&str; 4] =
    ["clmbench-plugin-bert", "clmbench-plugin-loss", "clmbench-plugin-moleculenet", "clmbench-plugin-trivial"];
/// The plugin that reads the user's own tables.
pub const CSV: &str = "clmbench-plugin-csv";
/// The plugin that keeps every rule.
pub const ECHO: &str = "clmbench-test-plugin-echo";
/// The plugin that keeps none.
pub const HOSTILE: &str = "clmbench-test-plugin-hostile";

/// What a cell came to: status, identity, result as JSON, and its files with their digests.
pub type Snapshot = BTreeMap<String, (CellStatus, Option<String>, Option<String>, Vec<(String, String)>)>;

/// A test's folder.
pub struct Real {
    folder: TempDir,
}

/// The root of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file in `target/<profile>`.
fn built(name: &str) -> PathBuf {
    let path = built_executable().with_file_name(name);
    assert!(path.is_file(), "{} is not built: run `cargo xtask build` first", path.display());
    path
}

/// `clmbench`, linked into a folder without plugins beside it, so that only the test's own are found.
fn executable() -> &'static Path {
    static LINK: OnceLock<PathBuf> = OnceLock::new();
    LINK.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clmbench-real");
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join("clmbench");
        let _ = fs::remove_file(&link);
        link_or_copy(&built_executable(), &link);
        link
    })
}

/// A cache that all tests share, with the user's data files: what a plugin offers is asked once.
fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        for source in clmbench_fetch::catalogue::setup_files() {
            let there = clmbench_fetch::cached_source_file(&source);
            assert!(there.is_some(), "{} is not in the cache: run `cargo xtask setup` first", source.name);
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clmbench-real/cache");
        fs::create_dir_all(&folder).unwrap();
        let data = folder.join("data");
        let _ = fs::remove_file(&data);
        std::os::unix::fs::symlink(clmbench_fetch::cache_dir().unwrap().join("data"), data).unwrap();
        folder
    })
}

fn link_or_copy(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

/// File name of a plugin crate's library.
pub fn library_of(plugin: &str) -> String {
    format!("lib{}.so", plugin.replace('-', "_"))
}

impl Real {
    /// A folder with the tool's plugins and these.
    pub fn new(more: &[&str]) -> Self {
        let real = Self { folder: tempfile::tempdir().unwrap() };
        PLUGINS.iter().chain(more).for_each(|plugin| real.install(plugin));
        real
    }

    /// Installs a built plugin.
    pub fn install(&self, plugin: &str) {
        let library = library_of(plugin);
        let folder = self.plugin_folder(plugin, &library);
        link_or_copy(&built(&library), &folder.join(library));
    }

    /// A plugin folder with a `plugin.toml` that names this library, which is not there yet.
    pub fn plugin_folder(&self, plugin: &str, library: &str) -> PathBuf {
        let folder = self.path("plugins").join(plugin);
        fs::create_dir_all(&folder).unwrap();
        let card = format!("name = \"{plugin}\"\nversion = \"0.1.0\"\nlibrary = \"{library}\"\n");
        fs::write(folder.join("plugin.toml"), card).unwrap();
        folder
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Writes a suite file.
    pub fn write(&self, name: &str, suite: &str) {
        fs::write(self.path(name), suite).unwrap();
    }

    /// `clmbench` with these arguments, on the test's own store, cache and plugins.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("CLMBENCH_STORE", self.store())
            .env("CLMBENCH_CACHE", cache())
            .env("CLMBENCH_OFFLINE", "1")
            .env("CLMBENCH_PLUGINS", self.path("plugins"))
            .env("CLMBENCH_WORKER", built("clmbench-worker"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn clmbench(&self, arguments: &[&str]) -> Answer {
        self.with(arguments, &[])
    }

    /// Runs it to its end with more variables.
    pub fn with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
        finish(self.start(arguments, variables))
    }

    /// Starts it.
    pub fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        self.command(arguments).envs(variables.iter().copied()).spawn().unwrap()
    }

    /// The cells of the newest suite; none if there is no suite yet.
    pub fn rows(&self) -> Vec<CellRow> {
        let Ok(store) = Store::open_reader(&self.store()) else { return Vec::new() };
        let Ok(suite) = store.suite(None) else { return Vec::new() };
        store.cells(suite.id).unwrap()
    }

    /// The one row of the newest suite whose key ends so.
    #[track_caller]
    pub fn row(&self, end: &str) -> CellRow {
        let mut rows = self.rows();
        rows.retain(|row| row.key.ends_with(end));
        assert_eq!(rows.len(), 1, "{end}: {rows:?}");
        rows.remove(0)
    }

    /// Cells, results and files of the newest suite.
    pub fn snapshot(&self) -> Snapshot {
        let store = Store::open_reader(&self.store()).unwrap();
        let of = |row: &CellRow| {
            let report = row.identity.as_ref().and_then(|identity| store.report(identity).unwrap());
            let output = report.as_ref().map(|report| serde_json::to_string(&report.output).unwrap());
            let mut files: Vec<(String, String)> =
                report.iter().flat_map(|report| &report.files).map(|file| (file.path.clone(), file.blake3.clone())).collect();
            files.sort();
            (row.status, row.identity.clone(), output, files)
        };
        self.rows().iter().map(|row| (row.key.clone(), of(row))).collect()
    }

    /// The result of the one cell whose key ends so, as JSON.
    #[track_caller]
    pub fn output(&self, end: &str) -> Value {
        let key = self.row(end).key;
        let row = self.clmbench(&["show", &key, "--json"]).code(0).rows().remove(0);
        assert!(row["output"].is_object(), "{row}");
        row["output"].clone()
    }

    /// A value of the one measurement whose key ends so.
    #[track_caller]
    pub fn value(&self, end: &str, name: &str) -> f64 {
        let output = self.output(end);
        let values = output["values"].as_array().unwrap();
        let value = values.iter().find(|value| value["name"] == name).unwrap_or_else(|| panic!("no {name}: {output}"));
        value["value"].as_f64().unwrap()
    }

    /// Asserts that every finished cell has its files, whole.
    #[track_caller]
    pub fn check_artifacts(&self) {
        let store = Store::open_reader(&self.store()).unwrap();
        for row in self.rows() {
            let Some(identity) = &row.identity else { continue };
            let Some(report) = store.report(identity).unwrap() else { continue };
            for file in report.files {
                let path = store.artifact_dir(identity).join(&file.path);
                let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert_eq!(blake3::hash(&bytes).to_hex().as_str(), file.blake3, "{}", path.display());
            }
        }
    }
}
