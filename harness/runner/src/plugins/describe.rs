//! Asking a worker, in a child process with a time limit, what a library offers; answers are kept by digest.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clmbench_protocol::{Failure, FailureKind, PluginManifest};
use serde::{Deserialize, Serialize};

use super::PluginLoadError;
use crate::{child, executor::process};

/// A library that has not described itself by then is given up.
pub const DESCRIBE_SECONDS: u64 = 20;

/// Asks workers and keeps their answers.
#[derive(Debug, Clone)]
pub struct Describer {
    worker: PathBuf,
    cache: Option<PathBuf>,
    limit: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Box<PluginManifest>),
    Error(Failure),
}

impl Describer {
    /// Asks the worker executable `worker`; answers are kept in `<cache>/describe/` when a cache is given.
    pub fn new(worker: impl Into<PathBuf>, cache: Option<&Path>) -> Self {
        Self {
            worker: worker.into(),
            cache: cache.map(|cache| cache.join("describe")),
            limit: Duration::from_secs(DESCRIBE_SECONDS),
        }
    }

    /// Another time limit than [`DESCRIBE_SECONDS`].
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Manifest and BLAKE3 of a library.
    ///
    /// # Errors
    /// The library's refusal, or what became of the child that opened it.
    pub fn describe(&self, library: &Path) -> Result<(PluginManifest, String), PluginLoadError> {
        let digest = blake3_file(library)
            .map_err(|error| PluginLoadError::new(library, format!("cannot be read ({error})"), "Allow reading it."))?;
        let kept = self.cache_file(&digest);
        if let Some(manifest) = kept.as_deref().and_then(read_kept) {
            return Ok((manifest, digest));
        }
        let manifest = self.ask(library)?;
        if let Some(file) = kept {
            keep(&file, &manifest);
        }
        Ok((manifest, digest))
    }

    /// An answer depends on the library and on the worker that gave it.
    fn cache_file(&self, library_digest: &str) -> Option<PathBuf> {
        let cache = self.cache.as_ref()?;
        let worker = blake3_file(&self.worker).ok()?;
        let both = blake3::hash(format!("{library_digest} {worker}").as_bytes()).to_hex().to_string();
        Some(cache.join(format!("{both}.json")))
    }

    fn ask(&self, library: &Path) -> Result<PluginManifest, PluginLoadError> {
        let mut command = Command::new(&self.worker);
        let said = child::answer(command.arg("--describe").arg(library), self.limit).map_err(|error| {
            let fix = "Build it (`cargo xtask build`), or name it with CLMBENCH_WORKER.";
            PluginLoadError::new(&self.worker, format!("the worker cannot be started ({error})"), fix)
        })?;
        let fix = "Rebuild the plugin against this version of clmbench: `clmbench plugin build DIR`.";
        let Some(status) = said.status else {
            let reason = format!("it did not describe itself within {} s and was stopped", self.limit.as_secs_f64());
            return Err(PluginLoadError::new(library, reason, fix));
        };
        match serde_json::from_str::<Answer>(&said.stdout) {
            Ok(Answer::Ok(manifest)) => Ok(*manifest),
            Ok(Answer::Error(failure)) => {
                let fix = match failure.kind {
                    FailureKind::ApiVersion | FailureKind::LibtorchVersion => {
                        "Rebuild it: `clmbench plugin build DIR`, or `cargo xtask build` for those of the workspace."
                    }
                    _ => fix,
                };
                // The error names the file already.
                let file = library.display().to_string();
                let reason = failure.message.replace(&format!("{file}: "), "");
                let reason = reason.strip_prefix(&file).map_or(reason.as_str(), str::trim_start);
                Err(PluginLoadError::new(library, reason, fix))
            }
            Err(_) => {
                let last = process::last_line(&said.stderr).map(|line| format!("; it last said: {line}")).unwrap_or_default();
                let ended = process::describe_status(status);
                let reason = format!("the worker that opened it {ended} without describing it{last}");
                Err(PluginLoadError::new(library, reason, fix))
            }
        }
    }
}

fn read_kept(file: &Path) -> Option<PluginManifest> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Keeping an answer only saves time; failing to is no error.
fn keep(file: &Path, manifest: &PluginManifest) {
    let beside = file.with_extension(format!("{}.tmp", std::process::id()));
    let written = file
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&beside, serde_json::to_vec(manifest)?))
        .and_then(|()| std::fs::rename(&beside, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
}

/// BLAKE3 of a file, lower-case hex.
pub(crate) fn blake3_file(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
