//! Named points at which the crash tests kill a process, so that the worst moments are hit on purpose, not by luck.
//!
//! `CLMBENCH_FAULT=<point>` makes the first process that reaches the point die by SIGKILL. Without the variable this
//! is one lookup of an environment variable.

/// The variable that names the point to die at.
pub const VARIABLE: &str = "CLMBENCH_FAULT";

/// The variable that gives every folder a type of file system (`0x6969` is NFS), for tests of what is refused there.
pub const STATFS: &str = "CLMBENCH_FAULT_STATFS";

/// All points of a run, in the order in which a run meets them.
pub const POINTS: [&str; 6] =
    ["during_migration", "at_spawn", "mid_checkpoint", "before_rename", "after_rename", "inside_commit"];

/// The points of a garbage collection, in order.
pub const GC_POINTS: [&str; 4] = ["gc_removed_one", "gc_before_rows", "gc_inside_rows", "gc_after_rows"];

/// Panics if `CLMBENCH_FAULT` is `panic`: how a fault of the tool itself is told, is tested too.
///
/// # Panics
/// Only then.
pub fn reach_panic() {
    assert!(std::env::var_os(VARIABLE).is_none_or(|wanted| wanted != "panic"), "asked for by {VARIABLE}");
}

/// Dies by SIGKILL here if `CLMBENCH_FAULT` names this point.
pub fn reach(point: &str) {
    if std::env::var_os(VARIABLE).is_some_and(|wanted| wanted == point) {
        // SAFETY: kill and getpid take no pointers; SIGKILL to ourselves does not return.
        unsafe {
            libc::kill(libc::getpid(), libc::SIGKILL);
        }
    }
}
