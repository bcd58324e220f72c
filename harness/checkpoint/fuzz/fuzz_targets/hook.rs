//! Which panics are findings.

use std::panic;

/// Panics of the tokenizers library are caught by the crate and become errors, so they are no findings; those of the crate itself are. libFuzzer's own hook
/// ends the process at every panic, caught or not; this one asks first where it comes from. A panic that nobody catches ends it in any case.
pub fn ours_only() {
    let end = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let foreign = panic.location().is_some_and(|at| at.file().contains("/registry/") || at.file().starts_with("/rustc/"));
        if !foreign {
            end(panic);
        }
    }));
}
