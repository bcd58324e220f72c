//! A folder of its own for every test: suite, store, cache, plugins and the commands that use them.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use clmbench_store::{CellStatus, Store, StoreError};
use clmbench_tests::manifest::{PLUGIN, manifest};
use serde_json::Value;
use tempfile::TempDir;

/// No command of a test takes longer, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(180);

/// Eight runs: four sizes on two corpus sizes.
pub const SUITE: &str = r#"
schema = 1
[suite]
name = "fake"
seed = 7
expect = "cannot_tell"
[[corpus]]
name = "moses"
sizes = [500, 2000]
heldout = 64
[[model]]
architecture = "fake"
presets = ["a", "b", "c", "d"]
tokens = 100000
checkpoints = 2
[[dataset]]
source = "fake"
names = ["alpha"]
[[metric]]
id = "fake/loss"
[[metric]]
id = "fake/noise"
[[metric]]
select = "family:trivial"
[[protocol]]
kind = "probe"
checkpoints = "final"
"#;

/// One run and one metric.
pub const SMALL: &str = r#"
schema = 1
[suite]
name = "small"
seed = 7
[[corpus]]
name = "moses"
sizes = [500]
heldout = 64
[[model]]
architecture = "fake"
presets = ["a"]
tokens = 1000
checkpoints = 1
[[dataset]]
source = "fake"
names = ["alpha"]
[[metric]]
id = "fake/noise"
"#;

/// `clmbench`, linked into a folder without plugins beside it, so that only the fake plugin is found.
pub fn executable() -> &'static Path {
    static LINK: OnceLock<PathBuf> = OnceLock::new();
    LINK.get_or_init(|| {
        let built = built_executable();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clmbench-tests");
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join("clmbench");
        let _ = fs::remove_file(&link);
        if fs::hard_link(&built, &link).is_err() {
            fs::copy(&built, &link).unwrap();
        }
        link
    })
}

/// `target/<profile>/clmbench`, found from this test, `target/<profile>/deps/integration-...`.
pub fn built_executable() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder.join("clmbench");
    let profile = if folder.ends_with("release") { " --release" } else { "" };
    assert!(path.is_file(), "{} is not built: run `cargo build{profile} -p clmbench` first", path.display());
    path
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Answer {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Asserts the exit status.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(self.status.code(), Some(expected), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it died by SIGKILL.
    #[track_caller]
    pub fn killed(self) -> Self {
        assert_eq!(self.status.signal(), Some(9), "{:?}\n{}\n{}", self.status, self.stdout, self.stderr);
        self
    }

    /// The rows of `--json`, after checking that it is one object of the right form.
    #[track_caller]
    pub fn rows(&self) -> Vec<Value> {
        let object: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout));
        // `run --json` also says how the run ended, `gate --json` what it came to.
        let beside = ["run", "overall"];
        let keys: Vec<&String> = object.as_object().unwrap().keys().filter(|key| !beside.contains(&key.as_str())).collect();
        assert_eq!(keys, ["generated_by", "rows", "schema"]);
        assert!(object["generated_by"].as_str().unwrap().starts_with("clmbench"), "{}", object["generated_by"]);
        assert!(!object["schema"].is_null());
        object["rows"].as_array().unwrap().clone()
    }
}

/// What a cell came to: status, identity, result as JSON.
pub type Cells = BTreeMap<String, (CellStatus, Option<String>, Option<String>)>;

/// A test's folder.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    /// A folder with this suite and the fake plugin.
    pub fn new(suite: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(bench.path("suite.toml"), suite).unwrap();
        bench.install_plugin("0.1.0");
        fs::create_dir(bench.path("cache")).unwrap();
        std::os::unix::fs::symlink(data_folder(), bench.path("cache/data")).unwrap();
        bench
    }

    /// Installs the fake plugin with this version number.
    pub fn install_plugin(&self, version: &str) {
        let folder = self.path("plugins").join(PLUGIN);
        fs::create_dir_all(&folder).unwrap();
        let library = "libclmbench_plugin_fake.so";
        fs::write(folder.join(library), serde_json::to_string(&manifest(version)).unwrap()).unwrap();
        let card = format!("name = \"{PLUGIN}\"\nversion = \"{version}\"\nlibrary = \"{library}\"\n");
        fs::write(folder.join("plugin.toml"), card).unwrap();
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// `clmbench` with these arguments, in an environment that holds nothing of the user's.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("CLMBENCH_STORE", self.store())
            .env("CLMBENCH_CACHE", self.path("cache"))
            .env("CLMBENCH_OFFLINE", "1")
            .env("CLMBENCH_PLUGINS", self.path("plugins"))
            .env("CLMBENCH_WORKER", env!("CARGO_BIN_EXE_fake-worker"))
            .env("FAKE_WORKER_COUNT", self.path("count"))
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
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        finish(command.spawn().unwrap())
    }

    /// Starts it.
    pub fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied()).spawn().unwrap()
    }

    /// `clmbench run suite.toml`, which must end well.
    pub fn run(&self) -> Answer {
        self.clmbench(&["run", "suite.toml"]).code(0)
    }

    /// Identities of the cells that workers began, one for each time.
    pub fn begun(&self) -> Vec<String> {
        fs::read_to_string(self.path("count")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The cells of the newest suite; none if there is no suite yet.
    pub fn cells(&self) -> Cells {
        let store = match Store::open_reader(&self.store()) {
            Ok(store) => store,
            Err(StoreError::Missing { .. }) => return Cells::new(),
            Err(error) => panic!("{error}"),
        };
        let Ok(suite) = store.suite(None) else { return Cells::new() };
        let cells = store.cells(suite.id).unwrap();
        let output = |identity: &Option<String>| {
            let report = store.report(identity.as_ref()?).unwrap()?;
            Some(serde_json::to_string(&report.output).unwrap())
        };
        cells.into_iter().map(|cell| (cell.key.clone(), (cell.status, cell.identity.clone(), output(&cell.identity)))).collect()
    }

    /// Cells in this state.
    pub fn count(&self, status: CellStatus) -> usize {
        self.cells().values().filter(|cell| cell.0 == status).count()
    }

    /// The predictors' leaderboard without what depends on time.
    pub fn board(&self) -> Vec<Value> {
        let mut rows = self.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
        for row in &mut rows {
            let row = row.as_object_mut().unwrap();
            row.remove("cost_seconds");
            row.remove("details_json");
        }
        rows
    }

    /// Asserts that every finished cell has its files, whole.
    #[track_caller]
    pub fn check_artifacts(&self) {
        let Ok(store) = Store::open_reader(&self.store()) else { return };
        let Ok(suite) = store.suite(None) else { return };
        for cell in store.cells(suite.id).unwrap() {
            let Some(identity) = &cell.identity else { continue };
            let Some(report) = store.report(identity).unwrap() else { continue };
            for file in report.files {
                let path = store.artifact_dir(identity).join(&file.path);
                let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert_eq!(blake3::hash(&bytes).to_hex().as_str(), file.blake3, "{}", path.display());
            }
        }
    }
}

/// Waits for the end of a process, which is killed if it takes too long.
#[track_caller]
pub fn finish(mut child: Child) -> Answer {
    let read = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("no end within {LIMIT:?}: {}\n{}", stdout.join().unwrap(), stderr.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    Answer { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The user's folder of checked data files, which set-up fills.
fn data_folder() -> PathBuf {
    let source = clmbench_fetch::catalogue::moses_train();
    let there = clmbench_fetch::cached_source_file(&source);
    let folder = clmbench_fetch::cache_dir().unwrap().join("data");
    assert!(there.is_some(), "{} of the corpus is not in {}: run `cargo xtask setup` first", source.name, folder.display());
    folder
}
