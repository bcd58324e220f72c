//! `clmbench-worker`: computes cells for `clmbench`, opens plugins, and is the only process that loads libtorch.
//!
//! Without arguments it speaks the protocol on standard input and output. `--describe FILE` prints a plugin's manifest as one
//! JSON value; `--check FILE ATTEMPT` makes the conformance checks, one JSON line each as they come (`CheckLine`); `--try FILE
//! ATTEMPT` runs what the plugin exports on the bundled checkpoints and prints the rows (`Tried`) as one JSON value.

use std::{path::Path, process::ExitCode};

use clmbench_engine::{
    attempt, check,
    device::Devices,
    loader,
    worker::{channel::Channel, limits, serve::serve},
};
use clmbench_protocol::{Attempt, CheckLine, Failure, FailureKind};

const USAGE: &str = "usage: clmbench-worker [--describe FILE | --check FILE ATTEMPT | --try FILE ATTEMPT]\n\
                     Started by clmbench; without arguments it waits for requests on standard input.";

fn main() -> ExitCode {
    clmbench_torch_ext::keep_memory();
    loader::repeatable_products();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => work(),
        ["--describe", file] => print(|| {
            let answer = check::describe(Path::new(file));
            match answer {
                Ok(manifest) => serde_json::json!({ "ok": manifest }),
                Err(failure) => serde_json::json!({ "error": failure }),
            }
        }),
        ["--check", file, with] => tell(with, |with, tell| check::run(Path::new(file), with, &mut check::Checks::new(tell))),
        ["--try", file, with] => print(|| match read(with).and_then(|with| attempt::run(Path::new(file), &with)) {
            Ok(rows) => serde_json::json!({ "ok": rows }),
            Err(failure) => serde_json::json!({ "error": failure }),
        }),
        _ => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("clmbench-worker: {error}"));
            ExitCode::from(4)
        }
    }
}

/// What is said to a person goes to standard error; standard output belongs to the protocol.
fn complain(text: &str) {
    use std::io::Write;
    // If even standard error is closed, the exit status still tells.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn work() -> std::io::Result<()> {
    limits::die_with_parent()?;
    let mut channel = Channel::take_over()?;
    // Before the limit, which counts from the memory that is used then.
    Devices::find();
    limits::limit_memory()?;
    let build = format!("{} {}", env!("CARGO_PKG_VERSION"), own_digest());
    serve(&mut channel, &build)
}

fn print(answer: impl FnOnce() -> serde_json::Value) -> std::io::Result<()> {
    limits::die_with_parent()?;
    let channel = Channel::take_over()?;
    limits::limit_memory()?;
    channel.sender().send_line(answer().to_string())
}

/// What is to be tried or checked, as the host wrote it.
fn read(with: &str) -> Result<Attempt, Failure> {
    serde_json::from_str(with).map_err(|error| Failure::new(FailureKind::Protocol, format!("the host's words: {error}")))
}

/// Says each line as it comes, the last one last.
fn tell(with: &str, body: impl FnOnce(&Attempt, &mut dyn FnMut(CheckLine))) -> std::io::Result<()> {
    limits::die_with_parent()?;
    let sender = Channel::take_over()?.sender();
    limits::limit_memory()?;
    let with = read(with).map_err(|failure| std::io::Error::other(failure.message))?;
    let mut sent = Ok(());
    let mut send = |line: &CheckLine| {
        if sent.is_ok() {
            sent = serde_json::to_string(line).map_err(std::io::Error::other).and_then(|line| sender.send_line(line));
        }
    };
    body(&with, &mut |line| send(&line));
    send(&CheckLine::End);
    sent
}

fn own_digest() -> String {
    let digest = std::env::current_exe().map_err(|error| error.to_string());
    let digest = digest.and_then(|path| clmbench_molecules::digest::blake3_file(&path).map_err(|error| error.to_string()));
    digest.map_or_else(|_| "unknown".into(), |digest| digest.chars().take(16).collect())
}
