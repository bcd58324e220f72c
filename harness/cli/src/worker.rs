//! The worker program: where it is, whether it answers, and what it says about a plugin file.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use clmbench_protocol::{Event, PROTOCOL_VERSION, Request};
use clmbench_runner::child::{self, Collected};
pub use clmbench_runner::executor::worker_path as path;

use crate::console;

/// Longest time for a worker to say hello: it maps 450 MB of libtorch.
const HELLO: Duration = Duration::from_secs(60);

/// First words of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Build of the engine.
    pub build: String,
    /// libtorch version.
    pub libtorch: String,
    /// Devices it can use.
    pub devices: Vec<String>,
}

/// Starts the worker, hears its first line and ends it.
///
/// # Errors
/// One line: why it does not answer.
pub fn hello(worker: &Path) -> Result<Hello, String> {
    let mut child = Command::new(worker)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
    }
    let words = Collected::from(child.stderr.take());
    let line = receiver.recv_timeout(HELLO);
    if let (Some(mut stdin), Ok(mut quit)) = (child.stdin.take(), serde_json::to_string(&Request::Quit)) {
        quit.push('\n');
        let _ = stdin.write_all(quit.as_bytes());
    }
    let ended = child::end(&mut child, Duration::from_secs(2));
    match line {
        Err(_) => Err(format!("said nothing for {} s", HELLO.as_secs())),
        Ok(line) if line.trim().is_empty() => {
            let words = words.text();
            let last = words.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
            let status = ended.ok().flatten().map(|status| status.to_string());
            Err(format!("ended without a word: {}", console::one_line(&last.or(status).unwrap_or_default(), 200)))
        }
        Ok(line) => parse_hello(&line),
    }
}

fn parse_hello(line: &str) -> Result<Hello, String> {
    match serde_json::from_str::<Event>(line) {
        Ok(Event::Hello { protocol, build, libtorch, devices }) if protocol == PROTOCOL_VERSION => {
            Ok(Hello { build, libtorch, devices })
        }
        Ok(Event::Hello { protocol, .. }) => {
            Err(format!("speaks protocol {protocol}, this clmbench speaks {PROTOCOL_VERSION}; build both together"))
        }
        _ => Err(format!("does not speak the protocol; it said: {}", console::one_line(line, 120))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_of_another_protocol_is_refused() {
        let line = |protocol: u32| {
            format!(
                "{{\"event\":\"hello\",\"protocol\":{protocol},\"build\":\"b\",\"libtorch\":\"2.11.0\",\"devices\":[\"cpu\"]}}"
            )
        };
        assert!(parse_hello(&line(PROTOCOL_VERSION)).is_ok_and(|hello| hello.devices == ["cpu"]));
        assert!(parse_hello(&line(PROTOCOL_VERSION + 1)).is_err_and(|error| error.contains("build both together")));
        assert!(parse_hello("Segmentation fault").is_err());
    }
}
