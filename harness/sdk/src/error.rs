//! Errors of plugins, and the guard that keeps panics on their own side of the edge.

use std::panic::{AssertUnwindSafe, catch_unwind};

use abi_stable::std_types::{RResult, RString};
use clmbench_api::{Fault, FaultKind};

/// Why a plugin could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// Anything that fits no other case.
    #[error("{0}")]
    Other(String),
    /// The call is not supported here.
    #[error("{0}")]
    Unsupported(String),
    /// A tensor had the wrong shape.
    #[error("{0}")]
    Shape(String),
    /// A value that must be finite was not.
    #[error("{0}")]
    NonFinite(String),
    /// Input data was refused.
    #[error("{0}")]
    Input(String),
    /// The other side panicked.
    #[error("{0}")]
    Panic(String),
    /// The host asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl PluginError {
    /// An error with a message of its own.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }
}

impl From<tch::TchError> for PluginError {
    fn from(error: tch::TchError) -> Self {
        Self::Other(format!("libtorch: {}", first_line(&error.to_string())))
    }
}

impl From<PluginError> for Fault {
    fn from(error: PluginError) -> Self {
        let kind = match &error {
            PluginError::Other(_) => FaultKind::Error,
            PluginError::Unsupported(_) => FaultKind::Unsupported,
            PluginError::Shape(_) => FaultKind::Shape,
            PluginError::NonFinite(_) => FaultKind::NonFinite,
            PluginError::Input(_) => FaultKind::Input,
            PluginError::Panic(_) => FaultKind::Panic,
            PluginError::Cancelled => FaultKind::Cancelled,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Fault> for PluginError {
    fn from(fault: Fault) -> Self {
        let message: String = RString::into(fault.message);
        match fault.kind {
            FaultKind::Error => Self::Other(message),
            FaultKind::Unsupported => Self::Unsupported(message),
            FaultKind::Shape => Self::Shape(message),
            FaultKind::NonFinite => Self::NonFinite(message),
            FaultKind::Input => Self::Input(message),
            FaultKind::Panic => Self::Panic(message),
            FaultKind::Cancelled => Self::Cancelled,
        }
    }
}

/// The first line of a message, without the C++ trace that libtorch puts behind it.
pub fn first_line(message: &str) -> String {
    let message = message.split("\\nException raised from").next().unwrap_or("");
    message.split("\nException raised from").next().unwrap_or("").lines().next().unwrap_or("").trim().to_owned()
}

/// Runs the body; errors and panics become a [`Fault`]. Every call across the edge goes through it, on both sides.
pub fn guard<T>(body: impl FnOnce() -> Result<T, PluginError>) -> RResult<T, Fault> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => RResult::ROk(value),
        Ok(Err(error)) => RResult::RErr(error.into()),
        Err(payload) => RResult::RErr(Fault::new(FaultKind::Panic, format!("panicked: {}", panic_text(&*payload)))),
    }
}

/// How the panic of a libtorch call begins when it is made without its `f_` form.
const UNWRAPPED: &str = "called `Result::unwrap()` on an `Err` value: Torch(\"";

/// The words of a panic, cut to one line.
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = first_line(&text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".into()));
    text.strip_prefix(UNWRAPPED).map(|words| format!("libtorch: {}", words.trim_end_matches("\")"))).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use abi_stable::std_types::RResult;
    use clmbench_api::FaultKind;

    use super::{PluginError, guard};

    #[test]
    fn a_panic_becomes_a_fault_with_its_words() {
        let fault = guard::<()>(|| panic!("wrong at {}", 3));
        assert!(
            matches!(fault, RResult::RErr(fault) if fault.kind == FaultKind::Panic && fault.message == "panicked: wrong at 3")
        );
    }

    #[test]
    fn a_panic_of_libtorch_is_shown_by_its_first_line() {
        let RResult::RErr(fault) = guard(|| Ok(tch::Tensor::zeros([2, 2], tch::kind::FLOAT_CPU).view([5]))) else {
            panic!("no fault")
        };
        let words = fault.message.as_str();
        assert!(words.starts_with("panicked: libtorch: ") && words.contains("[5]") && !words.contains("frame"), "{words}");
    }

    #[test]
    fn an_error_keeps_its_kind_both_ways() {
        for error in [PluginError::Shape("a".into()), PluginError::Unsupported("b".into()), PluginError::Cancelled] {
            let RResult::RErr(fault) = guard::<()>(|| Err(error.clone())) else { panic!("no fault") };
            assert_eq!(PluginError::from(fault), error);
        }
    }
}
