//! The parts of clmbench itself: libtorch, worker, device, data, plugins, store.

use std::path::{Path, PathBuf};

use clmbench_fetch::{
    Fetcher, catalogue,
    libtorch::{LibtorchState, inspect},
};
use clmbench_runner::plugins::{Describer, PluginFolders, discover};
use clmbench_store::{LeaseState, Store, StoreError};

use super::{Finding, State};
use crate::{
    console, places,
    units::{counted, show_bytes},
    worker,
};

const SETUP: &str = "cargo xtask setup  (in the checkout)";
const BUILD: &str = "cargo xtask build  (in the checkout), or set CLMBENCH_WORKER to a clmbench-worker";

/// The libtorch that the worker is linked to, looked for as its run path does; nothing is loaded.
pub fn libtorch() -> Finding {
    let worker = worker::path();
    let starts = [worker.canonicalize().ok(), std::env::current_exe().ok(), places::checkout()];
    let states: Vec<LibtorchState> = starts.iter().flatten().map(|start| inspect(start)).collect();
    let whole = states.iter().find(|state| state.is_usable()).or(states.first());
    let Some(found) = whole else {
        return Finding::new("libtorch", State::Missing, "no checkout to look for it in").then(SETUP);
    };
    let state = match found {
        LibtorchState::Present { .. } => State::Ok,
        LibtorchState::Missing { .. } => State::Missing,
        LibtorchState::WrongVersion { .. } => State::Wrong,
    };
    // One line with the next step behind a semicolon, which has a line of its own here.
    let text = found.to_string();
    match found.advice() {
        None => Finding::new("libtorch", state, text),
        Some(advice) => {
            let detail = text.strip_suffix(advice).map_or(text.as_str(), |rest| rest.trim_end_matches("; "));
            Finding::new("libtorch", state, detail).then(advice)
        }
    }
}

/// The worker, and the device it would compute on.
pub fn worker_and_device() -> (Finding, Finding) {
    let path = worker::path();
    let none = |detail: &str| Finding::new("device", State::Missing, detail).needed(false, "computing cells");
    if !path.is_file() {
        let found = Finding::new("worker", State::Missing, format!("no {}", path.display())).then(BUILD);
        return (found, none("known once the worker answers"));
    }
    match worker::hello(&path) {
        Ok(hello) => {
            let build = console::one_line(&hello.build, 60);
            let detail = format!("{} (build {build}, libtorch {})", path.display(), console::one_line(&hello.libtorch, 20));
            let device = match hello.devices.is_empty() {
                true => none("the worker names no device"),
                false => Finding::new("device", State::Ok, console::one_line(&hello.devices.join(", "), 120)),
            };
            (Finding::new("worker", State::Ok, detail), device)
        }
        Err(why) => {
            let detail = format!("{} {why}", path.display());
            let next = format!("run {} to see what it says; {BUILD}", path.display());
            (Finding::new("worker", State::Wrong, detail).then(next), none("known once the worker answers"))
        }
    }
}

/// The data files of the demo and the corpora, in the cache. Never blocks: `run` fetches what a suite needs.
pub fn data() -> Finding {
    let fetcher = match Fetcher::from_environment() {
        Ok(fetcher) => fetcher,
        Err(error) => {
            return Finding::new("data", State::Wrong, error.to_string())
                .then("CLMBENCH_CACHE is the folder of downloads, CLMBENCH_DATA one of your own");
        }
    };
    let files = catalogue::setup_files();
    let there: Vec<bool> = files.iter().map(|file| fetcher.cached_source_file(file).is_some()).collect();
    let count = there.iter().filter(|there| **there).count();
    let bytes: u64 = files.iter().zip(&there).filter(|(_, there)| **there).map(|(file, _)| file.bytes()).sum();
    let own = fetcher.data().map(|folder| format!(" and {}", folder.display())).unwrap_or_default();
    let detail = format!("{count} of {} files in {}{own}, {}", files.len(), fetcher.cache().display(), show_bytes(bytes));
    if count == files.len() {
        return Finding::new("data", State::Ok, detail);
    }
    let next = format!("{SETUP}; `clmbench run` also fetches what its suite needs");
    Finding::new("data", State::Missing, detail).then(next).needed(false, "suites that use them")
}

/// Plugins found, then one line for each that cannot be used.
pub fn plugins(flags: &[PathBuf], worker_answers: bool) -> Vec<Finding> {
    let folders = PluginFolders::from_environment(flags);
    let all: Vec<String> = folders.asked.iter().chain(&folders.usual).map(|folder| folder.display().to_string()).collect();
    let searched = format!("searched {}", all.join(", "));
    if !worker_answers {
        return vec![Finding::new("plugins", State::Missing, format!("a worker has to open them; {searched}")).then(BUILD)];
    }
    let cache = clmbench_fetch::cache_dir().ok();
    let discovery = discover(&folders, &Describer::new(worker::path(), cache.as_deref()));
    let set = discovery.plugins;
    let count = set.plugins().len();
    let mut findings = Vec::new();
    if count == 0 {
        let next = "cargo xtask build installs those of the checkout; --plugins DIR or CLMBENCH_PLUGINS names more";
        findings.push(Finding::new("plugins", State::Missing, searched).then(next));
    } else {
        let offers = [
            counted(set.architectures().count(), "architecture"),
            counted(set.datasets().count(), "dataset"),
            counted(set.metrics().count(), "metric"),
        ];
        let detail = format!("{count} with {}; {searched}", offers.join(", "));
        findings.push(Finding::new("plugins", State::Ok, detail));
    }
    for error in discovery.errors {
        let detail = format!("{}: {}", error.file.display(), error.reason);
        findings.push(Finding::new("plugin", State::Wrong, console::one_line(&detail, 400)).then(error.fix));
    }
    findings
}

/// The store that the next command would use.
pub fn store(folder: &Path) -> Finding {
    if let Some(kind) = clmbench_store::network_file_system(folder) {
        let detail = format!("{} is on a network file system ({kind}), on which the store cannot lock safely", folder.display());
        return Finding::new("store", State::Wrong, detail)
            .then("choose a folder on a local disk with --store or CLMBENCH_STORE");
    }
    match Store::open_reader(folder) {
        Ok(store) => match store.suites() {
            Ok(suites) => {
                let names: Vec<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
                let holds = if names.is_empty() { "no suites yet".to_owned() } else { names.join(", ") };
                let used = match store.lease_state() {
                    LeaseState::Held(holder) => format!("; process {} writes to it", holder.pid),
                    LeaseState::Abandoned(holder) => format!("; process {}, the last to write to it, was killed", holder.pid),
                    LeaseState::Free => String::new(),
                };
                let detail = format!("{} with {}{used}", folder.display(), console::one_line(&holds, 200));
                Finding::new("store", State::Ok, detail)
            }
            Err(error) => Finding::new("store", State::Wrong, error.to_string()),
        },
        Err(StoreError::Missing { .. }) => {
            Finding::new("store", State::Ok, format!("none at {} yet; `clmbench run` makes one", folder.display()))
        }
        Err(error @ StoreError::Older { .. }) => Finding::new("store", State::Ok, error.to_string()),
        Err(error) => Finding::new("store", State::Wrong, error.to_string()),
    }
}
