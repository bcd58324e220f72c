//! Child processes that answer and end: run with a time limit, output collected and bounded, nothing left behind.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::executor::process;

/// Most bytes kept of each stream.
const LONGEST: u64 = 16 << 20;
/// How long the end of a stream is waited for once the whole process group is dead. Only a process that has left the
/// group can still hold it open then.
const REST: Duration = Duration::from_millis(500);

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

/// Runs the command to its end, at most `limit`; then it and all that it started is killed.
///
/// # Errors
/// The system's, when the command cannot be started.
pub fn answer(command: &mut Command, limit: Duration) -> io::Result<Answer> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn()?;
    let (out, err) = (Collected::from(child.stdout.take()), Collected::from(child.stderr.take()));
    let status = end(&mut child, limit)?;
    Ok(Answer { status, stdout: out.text(), stderr: err.text() })
}

/// What a stream says, read on a thread of its own.
pub struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: mpsc::Receiver<()>,
}

impl Collected {
    /// Starts to read a stream, at most 16 MiB of it.
    pub fn from(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (ending, ended) = mpsc::channel::<()>();
        if let Some(stream) = stream {
            let into = Arc::clone(&bytes);
            thread::spawn(move || {
                let _ending = ending; // dropped at the end, which `text` sees
                let (mut stream, mut chunk) = (stream.take(LONGEST), vec![0; 1 << 16]);
                // A read error ends the output; what came before it is judged.
                while let Ok(count @ 1..) = stream.read(&mut chunk) {
                    into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..count]);
                }
            });
        }
        Self { bytes, ended }
    }

    /// All that was said, once the process has ended.
    pub fn text(self) -> String {
        let _ = self.ended.recv_timeout(REST);
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Waits for the child at most `limit`, then kills its process group, which it must lead: what it started ends with it,
/// whether it ended by itself or not. Returns its status; none if the limit was passed.
///
/// # Errors
/// The system's.
pub fn end(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    let in_time = loop {
        if process::has_ended(child.id()) {
            break true;
        }
        if start.elapsed() >= limit {
            break false;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    process::kill_group(child.id());
    let status = child.wait()?;
    Ok(in_time.then_some(status))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(script: &str, limit: Duration) -> Answer {
        answer(Command::new("sh").args(["-c", script]), limit).unwrap()
    }

    #[test]
    fn a_child_is_heard() {
        let said = shell("echo one; echo two >&2; exit 3", Duration::from_secs(20));
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("one\n", "two\n"));
        assert_eq!(said.status.unwrap().code(), Some(3));
        assert_eq!(said.last_words(), "two");
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let start = Instant::now();
        let said = shell("sleep 60; true", Duration::from_millis(100));
        assert!(said.status.is_none() && start.elapsed() < Duration::from_secs(10));
        assert_eq!(said.last_words(), "no answer in time");
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_holds_nothing_up() {
        for script in ["echo one; sleep 60 & exit 0", "echo one; setsid sleep 5 & exit 0"] {
            let start = Instant::now();
            let said = shell(script, Duration::from_secs(30));
            assert!(said.good() && said.stdout == "one\n", "{said:?}");
            assert!(start.elapsed() < Duration::from_secs(4), "{script}: {:?}", start.elapsed());
        }
    }
}
