//! Errors that cross the edge.

use abi_stable::{StableAbi, std_types::RString};

/// Why a call across the edge failed.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The callee returned an error of its own.
    Error,
    /// The callee panicked; the panic was caught on its side.
    Panic,
    /// The callee does not support the call.
    Unsupported,
    /// An argument or result had the wrong shape.
    Shape,
    /// A value that must be finite was not.
    NonFinite,
    /// Input data was refused.
    Input,
    /// The host asked to stop.
    Cancelled,
}

/// A typed error with one sentence.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct Fault {
    /// Typed reason.
    pub kind: FaultKind,
    /// What was wrong, where, and the next step.
    pub message: RString,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: RString::from(message.into()) }
    }
}
