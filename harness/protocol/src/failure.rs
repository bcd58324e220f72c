//! Why a cell failed or was refused: a typed reason and a sentence.

use serde::{Deserialize, Serialize};

/// Typed reason of a failed cell. The word is stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The plugin or the engine panicked; caught.
    Panic,
    /// The worker aborted (SIGABRT).
    Abort,
    /// The worker was killed by a memory fault (SIGSEGV, SIGBUS) or an illegal instruction.
    Segfault,
    /// The worker ended in another way without a result.
    Died,
    /// Over the time limit; killed.
    TimeLimit,
    /// Over the memory limit; killed or out of memory.
    MemoryLimit,
    /// A value that must be finite was not.
    NonFinite,
    /// A tensor or table had the wrong shape.
    WrongShape,
    /// A metric changed the weights.
    WeightsChanged,
    /// The plugin's API version does not fit.
    ApiVersion,
    /// The plugin's libtorch version does not fit.
    LibtorchVersion,
    /// The plugin's library could not be loaded for another reason.
    PluginLoad,
    /// The plugin returned an error.
    PluginError,
    /// The call is not supported by this host, model or metric.
    Unsupported,
    /// Input data was refused.
    BadInput,
    /// A file's digest was not the expected one.
    CorruptFile,
    /// Reading or writing a file failed (disk full, permissions, ...).
    Io,
    /// The worker and the host did not understand each other.
    Protocol,
}

impl FailureKind {
    /// The stored word, such as `time_limit`.
    pub fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Words by which an allocation that failed is known in messages and logs: Rust's, C++'s and libtorch's.
const OUT_OF_MEMORY: [&str; 4] = ["memory allocation of", "std::bad_alloc", "can't allocate memory", "CUDA out of memory"];

/// Whether a message or log tells of an allocation that failed.
pub fn tells_of_exhausted_memory(text: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|words| text.contains(words))
}

/// Why a cell failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Typed reason.
    pub kind: FailureKind,
    /// One sentence: what was wrong, where, and the next step.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}
