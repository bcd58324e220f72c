//! Child processes that answer and end: run with a time limit, output collected and bounded.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Most bytes kept of each stream.
const LONGEST: u64 = 16 << 20;

/// How a child ended, and what it said.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status; none when the time limit was passed and it was killed.
    pub status: Option<ExitStatus>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Answer {
    /// Whether it ended by itself and well.
    pub fn good(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The last line that is not empty of standard error, else of standard output, else how it ended.
    pub fn last_words(&self) -> String {
        let last = |text: &str| text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
        last(&self.stderr).or_else(|| last(&self.stdout)).unwrap_or_else(|| match self.status {
            Some(status) => status.to_string(),
            None => "no answer in time".to_owned(),
        })
    }
}

/// Runs the command to its end, at most `limit`; then it is killed.
///
/// # Errors
/// The system's, when the command cannot be started.
pub fn answer(command: &mut Command, limit: Duration) -> io::Result<Answer> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn()?;
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait(&mut child, limit)?;
    let text = |reader: thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned();
    Ok(Answer { status, stdout: text(out), stderr: text(err) })
}

/// Reads a stream to its end on a thread of its own.
pub fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let _ = stream.take(LONGEST).read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Waits for the child; kills it and its process group when the limit is passed. The child must lead a group of its own.
///
/// # Errors
/// The system's.
pub fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            // SAFETY: kill takes no pointers; the child was made the leader of a group of its own and is not yet waited for.
            unsafe {
                libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL);
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_child_is_heard() {
        let said = answer(Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"]), Duration::from_secs(20)).unwrap();
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("one\n", "two\n"));
        assert_eq!(said.status.unwrap().code(), Some(3));
        assert_eq!(said.last_words(), "two");
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let start = Instant::now();
        let said = answer(Command::new("sh").args(["-c", "sleep 60; true"]), Duration::from_millis(100)).unwrap();
        assert!(said.status.is_none() && start.elapsed() < Duration::from_secs(10));
        assert_eq!(said.last_words(), "no answer in time");
    }
}
