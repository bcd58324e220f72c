//! Facts about child processes and their groups, from the kernel and from `/proc`.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::ExitStatus,
};

/// Longest part of a log line that is shown, in characters.
const SHOWN: usize = 300;

/// Kills a process group by SIGKILL. The leader must be a child that has not been waited for, so that its id, which
/// is the group's, cannot belong to anyone else.
pub(crate) fn kill_group(leader: u32) {
    let Ok(leader) = i32::try_from(leader) else { return };
    if leader > 1 {
        // SAFETY: kill takes no pointers. A group that is gone already gives ESRCH, which is what we want.
        unsafe {
            libc::kill(-leader, libc::SIGKILL);
        }
    }
}

/// Whether a child has ended; it stays to be waited for.
pub(crate) fn has_ended(child: u32) -> bool {
    // SAFETY: an all-zero siginfo_t is a valid value of that plain C struct.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is valid for writes during the call, and WNOWAIT leaves the child to its owner.
    let result = unsafe { libc::waitid(libc::P_PID, child, &mut info, options) };
    // SAFETY: waitid filled the fields of a child event, or left the zeros; si_pid is in both.
    result == -1 || unsafe { info.si_pid() } != 0
}

/// How a process ended, as a verb: `was killed by SIGSEGV`, `exited with status 1`.
pub(crate) fn describe_status(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by {}", signal_name(signal)),
        (None, Some(0)) => "ended".into(),
        (None, Some(code)) => format!("exited with status {code}"),
        (None, None) => "ended in an unknown way".into(),
    }
}

/// The name of a signal.
pub(super) fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGABRT => "SIGABRT".into(),
        libc::SIGSEGV => "SIGSEGV".into(),
        libc::SIGBUS => "SIGBUS".into(),
        libc::SIGILL => "SIGILL".into(),
        libc::SIGFPE => "SIGFPE".into(),
        libc::SIGKILL => "SIGKILL".into(),
        libc::SIGTERM => "SIGTERM".into(),
        libc::SIGINT => "SIGINT".into(),
        libc::SIGHUP => "SIGHUP".into(),
        other => format!("signal {other}"),
    }
}

/// Resident memory of one process in bytes; 0 when it is gone.
pub(crate) fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// All processes of a group.
pub(crate) fn group_members(leader: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return vec![leader] };
    let processes = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes.filter(|process| group_of(*process) == Some(leader)).collect()
}

/// Process group: the third field after the parenthesised name in `/proc/<pid>/stat`.
fn group_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(2)?.parse().ok()
}

/// Memory of the machine, or of the control group that we are confined to if that is less, in bytes.
pub fn total_memory() -> Option<u64> {
    let information = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = information.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)?;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(group.map_or(machine, |group: u64| group.min(machine)))
}

/// The end of a file, at most 64 KiB of it, from `start` on; bytes that are no UTF-8 are replaced.
pub(crate) fn tail(path: &Path, start: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(64 << 10))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// Empties a log that is longer than `longest` bytes and says so in it. Whoever writes to it must be appending.
pub(crate) fn keep_short(log: &Path, longest: u64) {
    if std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > longest) {
        let note = format!("[clmbench: this log was longer than {} MiB and starts over here]\n", longest >> 20);
        // A log that cannot be cut goes on growing until the cell's time limit.
        let _ = std::fs::write(log, note);
    }
}

/// Cuts a log that is longer than `longest` bytes to its end, from the start of a line on, and says so in it.
pub(crate) fn keep_end(log: &Path, longest: u64) {
    let cut = || -> std::io::Result<()> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        if length <= longest {
            return Ok(());
        }
        file.seek(SeekFrom::Start(length - longest))?;
        let mut bytes = Vec::new();
        file.take(longest).read_to_end(&mut bytes)?;
        let start = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut kept =
            format!("[clmbench: the first {} bytes of this log are left out]\n", length - longest + start as u64).into_bytes();
        kept.extend_from_slice(&bytes[start..]);
        let beside = log.with_extension("log.part");
        std::fs::write(&beside, kept)?;
        std::fs::rename(beside, log)
    };
    // A log that cannot be cut stays as it is.
    let _ = cut();
}

/// The last line that is not empty, without control characters, cut to 300 characters.
pub(crate) fn last_line(text: &str) -> Option<String> {
    let clean =
        |line: &str| -> String { line.trim().chars().filter(|letter| !clmbench_protocol::is_unsafe_to_show(*letter)).collect() };
    let line = text.lines().rev().map(clean).find(|line| !line.is_empty())?;
    if line.chars().count() <= SHOWN {
        return Some(line);
    }
    Some(line.chars().take(SHOWN).chain("...".chars()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_line_is_cut_and_cleaned() {
        assert_eq!(last_line("a\n b\u{1b}[31mc \n\n  \n"), Some("b[31mc".into()));
        assert_eq!(last_line("\n \n"), None);
        assert_eq!(last_line(&"x".repeat(400)).unwrap(), format!("{}...", "x".repeat(300)));
    }

    #[test]
    fn a_long_log_starts_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut writer = File::options().create(true).append(true).open(&path).unwrap();
        writer.write_all(b"0123456789").unwrap();
        keep_short(&path, 10);
        assert_eq!(tail(&path, 0), "0123456789");
        writer.write_all(b"x").unwrap();
        keep_short(&path, 10);
        writer.write_all(b"after\n").unwrap();
        assert!(tail(&path, 0).starts_with("[clmbench: ") && tail(&path, 0).ends_with("here]\nafter\n"), "{}", tail(&path, 0));
        keep_short(&folder.path().join("absent"), 10);
        assert!(!folder.path().join("absent").exists());
    }

    #[test]
    fn an_ended_log_is_cut_to_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cell.log");
        std::fs::write(&path, "first\nsecond\nthird\n").unwrap();
        keep_end(&path, 20);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nsecond\nthird\n");
        keep_end(&path, 10);
        let expected = "[clmbench: the first 13 bytes of this log are left out]\nthird\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        keep_end(&folder.path().join("absent"), 10);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn this_process_has_memory_and_is_in_its_group() {
        let own = std::process::id();
        assert!(resident_bytes(own) > 100 * 1024);
        assert!(group_members(group_of(own).unwrap()).contains(&own));
        assert_eq!(resident_bytes(u32::MAX), 0);
        assert!(total_memory().unwrap() > 1 << 26);
    }

    #[test]
    fn an_ended_child_is_seen_and_left_to_its_owner() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while !has_ended(child.id()) {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
    }
}
