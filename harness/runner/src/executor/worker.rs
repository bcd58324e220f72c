//! One worker process: started, greeted, asked, watched, killed.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use clmbench_protocol::{CellReport, Event, Failure, FailureKind, MEMORY_VARIABLE, PROTOCOL_VERSION, Request, fault};

use super::{
    ExecutorError, Job, Update,
    lines::{LONGEST_LINE, Line, read_lines, write_lines},
    process, verdict,
};

/// How often limits are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often the members of the process group are listed again.
const LIST: Duration = Duration::from_secs(1);
/// Growth that is not worth a restart.
const SLACK: u64 = 64 << 20;
/// A cell's log that is longer than this starts over, so that endless output fills no disk.
const LONGEST_LOG: u64 = 64 << 20;
/// Progress closer together than this is not passed on.
const PROGRESS: Duration = Duration::from_millis(100);

/// Most lines that are looked through for an end when a job is stopped; a worker may go on writing.
const MOST_WAITING: usize = 1000;

/// What became of a job.
pub(super) enum Outcome {
    /// It ended; the worker can take another.
    Ended(Result<Box<CellReport>, Failure>),
    /// It failed and the worker is of no more use.
    Lost(Failure),
    /// We were told to stop.
    Stopped,
}

/// Why a worker is not ready.
pub(super) enum NotReady {
    /// This would happen every time.
    Always(ExecutorError),
    /// It may have been bad luck.
    Perhaps(String),
    /// We were told to stop.
    Stopped,
}

/// A running worker. Dropping it kills its process group.
pub(super) struct Worker {
    child: Child,
    lines: Receiver<Line>,
    requests: Option<Sender<String>>,
    log: PathBuf,
    first_idle: Option<u64>,
    /// Waited for: its id may belong to another process by now.
    ended: bool,
}

impl Worker {
    /// Starts a worker and waits for its greeting.
    pub fn start(
        program: &Path,
        log: &Path,
        memory_bytes: Option<u64>,
        ready_within: Duration,
        stop: &AtomicBool,
    ) -> Result<Self, NotReady> {
        let broken_log =
            |error: std::io::Error| NotReady::Always(ExecutorError::Log { log: log.to_owned(), reason: error.to_string() });
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder).map_err(broken_log)?;
        }
        let log_file = File::create(log).map_err(broken_log)?;
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_file).process_group(0);
        if let Some(bytes) = memory_bytes {
            command.env(MEMORY_VARIABLE, bytes.to_string());
        }
        let mut child = command
            .spawn()
            .map_err(|error| NotReady::Always(ExecutorError::Spawn { worker: program.to_owned(), reason: error.to_string() }))?;
        fault::reach("at_spawn");
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            process::kill_group(child.id());
            let _ = child.wait();
            return Err(NotReady::Perhaps("it has no pipes".into()));
        };
        let lines = read_lines(stdout, LONGEST_LINE);
        let mut worker =
            Self { child, lines, requests: Some(write_lines(stdin)), log: log.to_owned(), first_idle: None, ended: false };
        worker.greet(program, ready_within, stop)?;
        Ok(worker)
    }

    fn greet(&mut self, program: &Path, within: Duration, stop: &AtomicBool) -> Result<(), NotReady> {
        let deadline = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(LOOK) {
                Ok(Line::Text(text)) => {
                    return match serde_json::from_str(&text) {
                        Ok(Event::Hello { protocol: PROTOCOL_VERSION, .. }) => Ok(()),
                        Ok(Event::Hello { protocol, build, .. }) => Err(NotReady::Always(ExecutorError::ProtocolVersion {
                            worker: program.to_owned(),
                            found: protocol,
                            wanted: PROTOCOL_VERSION,
                            build,
                        })),
                        _ => Err(NotReady::Perhaps(format!("its first line is no greeting but {}", shown(&text)))),
                    };
                }
                Ok(Line::Garbage(what)) => return Err(NotReady::Perhaps(format!("it wrote {what}"))),
                Err(RecvTimeoutError::Disconnected) => {
                    let how = self.end().map_or_else(|| "ended".to_owned(), process::describe_status);
                    let said = process::last_line(&process::tail(&self.log, 0));
                    let said = said.map(|line| format!("; it last said: {line}")).unwrap_or_default();
                    return Err(NotReady::Perhaps(format!("it {how}{said}")));
                }
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => return Err(NotReady::Stopped),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => {
                    return Err(NotReady::Perhaps(format!("it was silent for {} s", within.as_secs_f64())));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Has one cell computed. Every way to fail costs this cell only.
    pub fn compute(&mut self, job: &Job, updates: &Sender<Update>, stop: &AtomicBool) -> Outcome {
        let cell_log = PathBuf::from(&job.request.log);
        let own_log_start = std::fs::metadata(&self.log).map_or(0, |metadata| metadata.len());
        let asked = serde_json::to_string(&Request::Run(Box::new(job.request.clone())))
            .map_err(|error| error.to_string())
            .and_then(|line| {
                self.requests
                    .as_ref()
                    .map(|requests| requests.send(line))
                    .map_or(Ok(()), |sent| sent.map_err(|error| error.to_string()))
            });
        if let Err(reason) = asked {
            return Outcome::Lost(Failure::new(
                FailureKind::Protocol,
                format!("The cell could not be sent to the worker: {reason}."),
            ));
        }
        let own_log = self.log.clone();
        let said = || {
            let cell = process::tail(&cell_log, 0);
            if cell.trim().is_empty() { process::tail(&own_log, own_log_start) } else { cell }
        };
        let mut watch = Watch::new(self.child.id());
        let mut stage: Option<String> = None;
        let mut last_progress: Option<Instant> = None;
        loop {
            match self.lines.recv_timeout(LOOK) {
                Ok(Line::Text(text)) => match serde_json::from_str::<Event>(&text) {
                    Ok(Event::Progress { stage: now, done, total, unit, note }) => {
                        let due = last_progress.is_none_or(|last| last.elapsed() >= PROGRESS) || stage.as_deref() != Some(&now);
                        stage = Some(now.clone());
                        if due {
                            last_progress = Some(Instant::now());
                            // The receiver is gone only when nobody wants to know.
                            let _ = updates.send(Update::Progress { ticket: job.ticket, stage: now, done, total, unit, note });
                        }
                    }
                    Ok(Event::Done(report)) => return Outcome::Ended(Ok(report)),
                    Ok(Event::Failed(failure)) => return Outcome::Ended(Err(failure)),
                    Ok(Event::Hello { .. }) => return Outcome::Lost(garbage("a second greeting")),
                    Err(_) => return Outcome::Lost(garbage(&shown(&text))),
                },
                Ok(Line::Garbage(what)) => return Outcome::Lost(garbage(&what)),
                Err(RecvTimeoutError::Disconnected) if stop.load(Ordering::SeqCst) => return Outcome::Stopped,
                Err(RecvTimeoutError::Disconnected) => {
                    // Its last words may come after it has closed its end.
                    let status = self.end();
                    return Outcome::Lost(verdict::judge(status, stage.as_deref(), &said(), job.limits.memory_bytes));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if stop.load(Ordering::SeqCst) {
                // What the worker has said by now counts: a cell that is done stays done.
                return self.last_word().unwrap_or(Outcome::Stopped);
            }
            process::keep_short(&cell_log, LONGEST_LOG);
            let seconds = watch.started.elapsed();
            if job.limits.time.is_some_and(|limit| seconds >= limit) {
                return Outcome::Lost(verdict::over_time(seconds.as_secs_f64(), stage.as_deref(), &said()));
            }
            if let (Some(limit), Some(bytes)) = (job.limits.memory_bytes, watch.look())
                && bytes > limit
            {
                return Outcome::Lost(verdict::over_memory(bytes, limit, stage.as_deref()));
            }
        }
    }

    /// The end of the cell, if it is among the lines that wait to be read.
    fn last_word(&self) -> Option<Outcome> {
        self.lines.try_iter().take(MOST_WAITING).find_map(|line| match line {
            Line::Text(text) => match serde_json::from_str(&text) {
                Ok(Event::Done(report)) => Some(Outcome::Ended(Ok(report))),
                Ok(Event::Failed(failure)) => Some(Outcome::Ended(Err(failure))),
                _ => None,
            },
            Line::Garbage(_) => None,
        })
    }

    /// Whether the process is still there.
    pub fn is_alive(&self) -> bool {
        !self.ended && !process::has_ended(self.child.id())
    }

    /// Whether the idle worker has grown by half since it was first idle after a cell, and should be replaced.
    pub fn has_grown(&mut self) -> bool {
        let now = process::resident_bytes(self.child.id());
        let first = *self.first_idle.get_or_insert(now);
        now > first + (first / 2).max(SLACK)
    }

    /// Asks the worker to end, and kills it if it does not within two seconds.
    pub fn quit(mut self) {
        if let (Some(requests), Ok(line)) = (self.requests.take(), serde_json::to_string(&Request::Quit)) {
            // If the worker is gone there is nobody to ask.
            let _ = requests.send(line);
        }
        self.end();
    }

    /// Gives the worker two seconds to end by itself, then ends its whole group.
    fn end(&mut self) -> Option<ExitStatus> {
        if self.ended {
            return None;
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        while !process::has_ended(self.child.id()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        process::kill_group(self.child.id());
        self.ended = true;
        self.child.wait().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.ended {
            process::kill_group(self.child.id());
            // It was killed: waiting ends at once, and a failure to wait leaves nothing to do.
            let _ = self.child.wait();
        }
    }
}

fn garbage(what: &str) -> Failure {
    let message = format!(
        "The worker wrote {what} where a message of the protocol was due. A plugin must not write to file descriptors that it did not open."
    );
    Failure::new(FailureKind::Protocol, message)
}

/// Foreign text in a message: quoted, control characters escaped, cut to 120 characters.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(120).collect();
    format!("{cut:?}{}", if cut.len() < text.len() { "..." } else { "" })
}

/// Memory and time of a cell.
struct Watch {
    leader: u32,
    started: Instant,
    members: Vec<u32>,
    listed: Instant,
    looked: Option<Instant>,
}

impl Watch {
    fn new(leader: u32) -> Self {
        let now = Instant::now();
        Self { leader, started: now, members: process::group_members(leader), listed: now, looked: None }
    }

    /// Resident memory of the whole group in bytes, if it is time to look again.
    fn look(&mut self) -> Option<u64> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return None;
        }
        self.looked = Some(Instant::now());
        if self.listed.elapsed() >= LIST {
            self.members = process::group_members(self.leader);
            self.listed = Instant::now();
        }
        Some(self.members.iter().map(|member| process::resident_bytes(*member)).sum())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use clmbench_protocol::{CellSpec, Number, PluginRef, RunRequest, SplitSpec, TokeniseDataset, TokenizerSpec};

    use super::*;

    fn job() -> Job {
        let spec = CellSpec::TokeniseDataset(TokeniseDataset {
            revision: 1,
            plugin: PluginRef { name: "p".into(), version: "0.1.0".into(), digest: None },
            source: "s".into(),
            dataset: "d".into(),
            files: Vec::new(),
            sha256_csv: None,
            tasks: Vec::new(),
            params: Default::default(),
            tokenizer: TokenizerSpec::default(),
            split: SplitSpec { algorithm: "scaffold".into(), seed: None, fractions: (Number(0.8), Number(0.1)), file: None },
        });
        let request = RunRequest {
            identity: "i".into(),
            spec,
            plugins: Vec::new(),
            inputs: Default::default(),
            work_dir: String::new(),
            log: "/dev/null".into(),
            device: "cpu".into(),
        };
        Job { ticket: 1, request, limits: Default::default() }
    }

    /// What becomes of a job of which the worker has said `events` when it is stopped.
    fn stopped_after(events: &[Event]) -> Outcome {
        let child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        events.iter().for_each(|event| sender.send(Line::Text(serde_json::to_string(event).unwrap())).unwrap());
        let (requests, _asked) = mpsc::channel();
        let mut worker =
            Worker { child, lines, requests: Some(requests), log: "/dev/null".into(), first_idle: None, ended: false };
        worker.compute(&job(), &mpsc::channel().0, &AtomicBool::new(true))
    }

    #[test]
    fn what_came_before_the_stop_counts() {
        let progress = Event::Progress { stage: "s".into(), done: 1, total: 2, unit: "steps".into(), note: String::new() };
        let failed = Event::Failed(Failure::new(FailureKind::NonFinite, "NaN"));
        for events in [&[failed.clone()][..], &[progress.clone(), progress.clone(), failed]] {
            assert!(matches!(stopped_after(events), Outcome::Ended(Err(failure)) if failure.kind == FailureKind::NonFinite));
        }
        assert!(matches!(stopped_after(&[progress]), Outcome::Stopped));
        assert!(matches!(stopped_after(&[]), Outcome::Stopped));
    }
}
