//! Ctrl-C: the first asks for a clean stop, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// Exit status of an interrupted command.
const INTERRUPTED: libc::c_int = 130;

/// Becomes true at the first SIGINT or SIGTERM.
pub fn flag() -> &'static AtomicBool {
    &STOP
}

/// Whether a stop was asked for.
pub fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}

extern "C" fn on_signal(_signal: libc::c_int) {
    // Only async-signal-safe calls: an atomic swap and _exit. Workers die with their parent.
    if STOP.swap(true, Ordering::SeqCst) {
        // SAFETY: _exit takes no pointers and does not return.
        unsafe { libc::_exit(INTERRUPTED) }
    }
}

/// Sends SIGINT and SIGTERM to the flag from now on.
pub fn listen() {
    // SAFETY: an all-zero sigaction is a valid value (no flags, empty mask, default handler); the pointers live for
    // the calls, and the handler is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        for signal in [libc::SIGINT, libc::SIGTERM] {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}
