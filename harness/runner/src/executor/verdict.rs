//! From the way a worker ended to the typed reason in the cell's row.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use clmbench_protocol::{Failure, FailureKind, tells_of_exhausted_memory};

use super::process::{describe_status, last_line, signal_name};

/// Signals by which others end processes: operators, service managers, batch systems, a system that is out of memory.
const FOREIGN: [i32; 4] = [libc::SIGKILL, libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// Whether a failure is a worker's death by a signal that somebody else sent, which says nothing against the cell. Read
/// from the sentence that `judge` writes, so that it can also be told of a failure that was stored.
pub fn killed_from_outside(failure: &Failure) -> bool {
    let by = |signal: &i32| failure.message.starts_with(&format!("The worker was killed by {}", signal_name(*signal)));
    failure.kind == FailureKind::Died && FOREIGN.iter().any(by)
}

/// Why a worker that ended by itself in the middle of a cell failed it.
///
/// `stage` is the last progress it made, `log` what the cell wrote.
pub(super) fn judge(status: Option<ExitStatus>, stage: Option<&str>, log: &str, memory_limit: Option<u64>) -> Failure {
    let signal = status.and_then(|status| status.signal());
    let starved = tells_of_exhausted_memory(log);
    let kind = match signal {
        Some(libc::SIGABRT) | None if starved => FailureKind::MemoryLimit,
        Some(libc::SIGABRT) => FailureKind::Abort,
        Some(libc::SIGSEGV | libc::SIGBUS | libc::SIGILL) => FailureKind::Segfault,
        _ => FailureKind::Died,
    };
    let how = status.map_or_else(|| "ended in an unknown way".to_owned(), describe_status);
    let at = stage.map(|stage| format!(" during `{stage}`")).unwrap_or_default();
    let why = match (kind, signal) {
        (FailureKind::MemoryLimit, _) => format!(" for want of memory{}", limit_words(memory_limit)),
        (_, Some(libc::SIGKILL)) => ", not by clmbench (perhaps the system was out of memory)".into(),
        _ => String::new(),
    };
    let said = last_line(log).map(|line| format!(" Last line of its log: {line}")).unwrap_or_default();
    Failure::new(kind, format!("The worker {how}{at}{why}.{said}"))
}

/// The failure of a cell that was killed for its time.
pub(super) fn over_time(seconds: f64, stage: Option<&str>, log: &str) -> Failure {
    let at = stage.map(|stage| format!(" during `{stage}`")).unwrap_or_default();
    let said = last_line(log).map(|line| format!(" Last line of its log: {line}")).unwrap_or_default();
    let message = format!("Stopped{at} after {seconds:.1} s, the time limit of a cell; `--time-limit` raises it.{said}");
    Failure::new(FailureKind::TimeLimit, message)
}

/// The failure of a cell that was killed for its memory.
pub(super) fn over_memory(bytes: u64, limit: u64, stage: Option<&str>) -> Failure {
    let at = stage.map(|stage| format!(" during `{stage}`")).unwrap_or_default();
    let (used, allowed) = (mebibytes(bytes), mebibytes(limit));
    let message = format!("Stopped{at} at {used} MiB of memory; the limit is {allowed} MiB. `--memory-limit` raises it.");
    Failure::new(FailureKind::MemoryLimit, message)
}

fn limit_words(limit: Option<u64>) -> String {
    limit.map(|limit| format!(" (limit {} MiB; `--memory-limit` raises it)", mebibytes(limit))).unwrap_or_default()
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_end_has_its_kind() {
        let cases = [
            (libc::SIGABRT, "", FailureKind::Abort),
            (libc::SIGABRT, "memory allocation of 99 bytes failed", FailureKind::MemoryLimit),
            (libc::SIGSEGV, "", FailureKind::Segfault),
            (libc::SIGBUS, "", FailureKind::Segfault),
            (libc::SIGILL, "", FailureKind::Segfault),
            (libc::SIGKILL, "memory allocation of 1", FailureKind::Died),
            (libc::SIGTERM, "", FailureKind::Died),
            (1 << 8, "", FailureKind::Died),
            (1 << 8, "terminate called: std::bad_alloc", FailureKind::MemoryLimit),
        ];
        for (raw, log, kind) in cases {
            assert_eq!(judge(Some(ExitStatus::from_raw(raw)), None, log, None).kind, kind, "{raw} {log}");
        }
        for (raw, outside) in [
            (libc::SIGKILL, true),
            (libc::SIGTERM, true),
            (libc::SIGINT, true),
            (libc::SIGHUP, true),
            (libc::SIGSEGV, false),
            (libc::SIGFPE, false),
            (9 << 8, false),
        ] {
            assert_eq!(killed_from_outside(&judge(Some(ExitStatus::from_raw(raw)), None, "", None)), outside, "{raw}");
        }
        let failure = judge(Some(ExitStatus::from_raw(libc::SIGSEGV)), Some("measure"), "first\nlast\n", None);
        assert_eq!(failure.message, "The worker was killed by SIGSEGV during `measure`. Last line of its log: last");
    }
}
