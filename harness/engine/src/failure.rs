//! How errors of the crates below become typed [`Failure`]s of a cell.

use clmbench_api::{Fault, FaultKind};
use clmbench_checkpoint::CheckpointError;
use clmbench_molecules::MoleculesError;
use clmbench_protocol::{Failure, FailureKind, tells_of_exhausted_memory};
use clmbench_sdk::{PluginError, error::first_line};
use clmbench_torch_ext::TorchError;
use tch::TchError;

/// Anything that can end a cell.
pub type Result<T> = std::result::Result<T, Failure>;

/// Turns an error of a crate below into a [`Failure`].
pub trait IntoFailure {
    /// The failure.
    fn into_failure(self) -> Failure;
}

impl IntoFailure for TchError {
    fn into_failure(self) -> Failure {
        let message = format!("libtorch: {}", first_line(&self.to_string()));
        let kind = if tells_of_exhausted_memory(&message) { FailureKind::MemoryLimit } else { FailureKind::PluginError };
        Failure::new(kind, message)
    }
}

impl IntoFailure for TorchError {
    fn into_failure(self) -> Failure {
        Failure::new(FailureKind::PluginError, self.to_string())
    }
}

impl IntoFailure for MoleculesError {
    fn into_failure(self) -> Failure {
        Failure::new(self.kind(), self.to_string())
    }
}

impl IntoFailure for CheckpointError {
    fn into_failure(self) -> Failure {
        let kind = match &self {
            CheckpointError::Io { .. } => FailureKind::Io,
            CheckpointError::Memory { .. } => FailureKind::MemoryLimit,
            _ => FailureKind::BadInput,
        };
        Failure::new(kind, self.to_string())
    }
}

impl IntoFailure for Fault {
    fn into_failure(self) -> Failure {
        let kind = match self.kind {
            FaultKind::Error | FaultKind::Panic if tells_of_exhausted_memory(&self.message) => FailureKind::MemoryLimit,
            FaultKind::Error | FaultKind::Cancelled => FailureKind::PluginError,
            FaultKind::Panic => FailureKind::Panic,
            FaultKind::Unsupported => FailureKind::Unsupported,
            FaultKind::Shape => FailureKind::WrongShape,
            FaultKind::NonFinite => FailureKind::NonFinite,
            FaultKind::Input => FailureKind::BadInput,
        };
        Failure::new(kind, self.message)
    }
}

/// What a failure says when it is handed to a plugin that called the host.
pub fn to_plugin_error(failure: Failure) -> PluginError {
    match failure.kind {
        FailureKind::Unsupported => PluginError::Unsupported(failure.message),
        FailureKind::WrongShape => PluginError::Shape(failure.message),
        FailureKind::NonFinite => PluginError::NonFinite(failure.message),
        FailureKind::BadInput => PluginError::Input(failure.message),
        FailureKind::Panic => PluginError::Panic(failure.message),
        _ => PluginError::Other(failure.message),
    }
}

/// `map_err` for every error with a [`Failure`] form.
pub trait OrFail<T> {
    /// The value, or the failure.
    ///
    /// # Errors
    /// The error as a [`Failure`].
    fn or_fail(self) -> Result<T>;
}

impl<T, E: IntoFailure> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self) -> Result<T> {
        self.map_err(IntoFailure::into_failure)
    }
}

impl<T> OrFail<T> for abi_stable::std_types::RResult<T, Fault> {
    fn or_fail(self) -> Result<T> {
        self.into_result().map_err(IntoFailure::into_failure)
    }
}

/// A failure of reading or writing this path.
pub fn io(path: &std::path::Path, doing: &str, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Io, format!("{doing} {}: {error}; check free space and permissions", path.display()))
}
