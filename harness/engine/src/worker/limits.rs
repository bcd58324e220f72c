//! Limits of the worker's own process.

use std::io;

use clmbench_protocol::MEMORY_VARIABLE;

/// Asks the kernel to kill this process when its parent thread dies (a parent that is gone already shows as the end of
/// standard input), and leaves signals to the terminal's process group to the host, which ends its workers in order.
///
/// # Errors
/// When the kernel refuses.
pub fn die_with_parent() -> io::Result<()> {
    // SAFETY: the calls take plain integers.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
    }
    Ok(())
}

/// Limits private writable memory to what is used now plus the budget of [`MEMORY_VARIABLE`]; no variable, no limit.
///
/// RLIMIT_DATA, not RLIMIT_AS: libtorch maps gigabytes that it never touches.
///
/// # Errors
/// When the variable is no number or the kernel refuses.
pub fn limit_memory() -> io::Result<()> {
    let Some(text) = std::env::var_os(MEMORY_VARIABLE) else { return Ok(()) };
    let budget: u64 = text
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other(format!("{MEMORY_VARIABLE} must be a number of bytes")))?;
    let (_, hard) = rlimit::getrlimit(rlimit::Resource::DATA)?;
    let soft = status("VmData:").saturating_add(budget).min(hard);
    rlimit::setrlimit(rlimit::Resource::DATA, soft, hard)
}

/// Hands freed memory back and starts the count of [`peak_rss`] anew, so that a cell is charged for itself alone.
pub fn begin_cell() {
    // SAFETY: malloc_trim takes a plain integer and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
    // Where the kernel has no such file, the peak is that of the whole worker.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Highest resident memory since [`begin_cell`], in bytes; 0 where the system does not tell.
pub fn peak_rss() -> u64 {
    status("VmHWM:")
}

fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
