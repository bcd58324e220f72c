//! A worker without libtorch: speaks the protocol, answers with [`clmbench_tests::answers`], and misbehaves on demand.
//!
//! | variable | effect |
//! |---|---|
//! | `FAKE_WORKER_MISBEHAVE` | one of the words of [`Misdeed`] |
//! | `FAKE_WORKER_ON` | only for cells whose definition (JSON) holds this text |
//! | `FAKE_WORKER_CHANCE` | `PERMILLE SEED`: cells fail by chance, as [`Way`] says |
//! | `FAKE_WORKER_DEVICES` | devices that the greeting names, with commas between them |
//! | `FAKE_WORKER_DELAY_MS` | computing a cell takes this long |
//! | `FAKE_WORKER_LOG_BYTES` | a cell writes this much to its log first |
//! | `FAKE_WORKER_COUNT` | file to which the identity of every cell that is begun is appended |

use std::{
    env, fs,
    io::{self, BufRead as _, Write as _},
    path::Path,
    process::{Command, ExitCode, exit},
    thread,
    time::{Duration, Instant},
};

use clmbench_protocol::{CellOutput, CellReport, Event, Failure, FailureKind, OutputFile, PROTOCOL_VERSION, Request, RunRequest};
use clmbench_tests::{answers, chance::Way};
use serde_json::json;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Misdeed {
    /// The greeting names another protocol version.
    Version,
    /// No greeting.
    Silent,
    /// Ends before the greeting.
    Absent,
    /// A cell never ends.
    Hang,
    /// Ends in the middle of a cell.
    Die,
    /// Aborts in the middle of a cell.
    Abort,
    /// Dies by a memory fault in the middle of a cell.
    Segfault,
    /// A line that is no message.
    Garbage,
    /// A line that does not end, 80 MiB of it.
    HugeLine,
    /// The cell fails in order.
    Fail,
    /// Takes 1 GiB of memory and keeps it.
    Memory,
    /// A pretraining run diverges.
    Diverge,
    /// Writes to its work folder until the disk is full, and says so.
    Fill,
}

impl Misdeed {
    fn from_environment() -> Option<Self> {
        Some(match env::var("FAKE_WORKER_MISBEHAVE").ok()?.as_str() {
            "version" => Self::Version,
            "silent" => Self::Silent,
            "absent" => Self::Absent,
            "hang" => Self::Hang,
            "die" => Self::Die,
            "abort" => Self::Abort,
            "segfault" => Self::Segfault,
            "garbage" => Self::Garbage,
            "huge_line" => Self::HugeLine,
            "fail" => Self::Fail,
            "memory" => Self::Memory,
            "diverge" => Self::Diverge,
            "fill" => Self::Fill,
            _ => exit(64),
        })
    }
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let result = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--describe"), Some(library)) => describe(Path::new(&library)),
        (None, _) => serve(),
        _ => return ExitCode::from(64),
    };
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The "library" is its own description: a manifest as JSON. Anything else is refused as a broken library would be.
fn describe(library: &Path) -> io::Result<()> {
    let text = fs::read_to_string(library).unwrap_or_default();
    let answer = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(manifest) => json!({ "ok": manifest }),
        Err(_) => json!({ "error": Failure::new(FailureKind::PluginLoad, format!("{}: not a library", library.display())) }),
    };
    write_line(&answer.to_string())
}

fn say(event: &Event) -> io::Result<()> {
    write_line(&serde_json::to_string(event)?)
}

fn serve() -> io::Result<()> {
    let misdeed = Misdeed::from_environment();
    // Requests are read on a thread of their own: the end of the input is the end of the parent, also in mid-cell.
    let (sender, requests) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        exit(0)
    });
    match misdeed {
        Some(Misdeed::Silent) => wait_forever(),
        Some(Misdeed::Absent) => exit(7),
        _ => {}
    }
    say(&Event::Hello {
        protocol: if misdeed == Some(Misdeed::Version) { PROTOCOL_VERSION + 1 } else { PROTOCOL_VERSION },
        build: "fake-worker".into(),
        libtorch: "2.11.0".into(),
        devices: env::var("FAKE_WORKER_DEVICES").unwrap_or_else(|_| "cpu".into()).split(',').map(str::to_owned).collect(),
    })?;
    for line in requests {
        match serde_json::from_str(&line)? {
            Request::Quit => break,
            Request::Run(request) => run(&request, misdeed)?,
        }
    }
    Ok(())
}

fn run(request: &RunRequest, misdeed: Option<Misdeed>) -> io::Result<()> {
    let start = Instant::now();
    if let Some(path) = env::var_os("FAKE_WORKER_COUNT") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(format!("{}\n", request.identity).as_bytes())?;
    }
    let flood = env::var("FAKE_WORKER_LOG_BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let lines = "one of many lines\n".repeat(flood / 18);
    fs::write(&request.log, lines + "a line of the fake worker's log\n")?;
    let stage = request.spec.stage();
    let step = |done: u64| Event::Progress { stage: stage.into(), done, total: 2, unit: "steps".into(), note: String::new() };
    say(&step(1))?;
    let delay = env::var("FAKE_WORKER_DELAY_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    thread::sleep(Duration::from_millis(delay));
    let meant = match env::var("FAKE_WORKER_ON") {
        Ok(text) => serde_json::to_string(&request.spec)?.contains(&text),
        Err(_) => true,
    };
    let misdeed = misdeed.filter(|_| meant);
    if let Some(misdeed) = misdeed {
        if misdeed == Misdeed::Fill {
            return say(&Event::Failed(Failure::new(FailureKind::Io, fill(Path::new(&request.work_dir)))));
        }
        misbehave(misdeed)?;
        if misdeed == Misdeed::Fail {
            return Ok(());
        }
    }
    let way = by_chance(&request.identity);
    if let Some(failure) = way.map(fail_by).transpose()?.flatten() {
        return say(&Event::Failed(failure));
    }
    let event = match answers::compute(&request.spec, &request.inputs, Path::new(&request.work_dir)) {
        Err(failure) => Event::Failed(failure),
        Ok((mut output, mut files)) => {
            if way == Some(Way::MissingFile) {
                files.push(OutputFile { path: "absent.bin".into(), blake3: answers::digest(""), bytes: 0 });
            }
            if way == Some(Way::WrongKind) {
                output = of_another_kind(&output);
            }
            if let (CellOutput::Pretrain(output), Some(Misdeed::Diverge)) = (&mut output, misdeed) {
                output.diverged = true;
                output.divergence = Some("the training loss is above that of the first steps at the end".into());
            }
            Event::Done(Box::new(CellReport {
                output,
                files,
                seconds: start.elapsed().as_secs_f64(),
                peak_rss_bytes: 1 << 20,
                device: request.device.clone(),
                libtorch: "2.11.0".into(),
                build: "fake-worker".into(),
            }))
        }
    };
    say(&step(2))?;
    say(&event)
}

/// How this cell fails by chance.
fn by_chance(identity: &str) -> Option<Way> {
    let text = env::var("FAKE_WORKER_CHANCE").ok()?;
    let (permille, seed) = text.split_once(' ')?;
    Way::of(identity, permille.parse().ok()?, seed.parse().ok()?)
}

/// Fails; gives a failure to report, or none if the answer is to be spoiled.
fn fail_by(way: Way) -> io::Result<Option<Failure>> {
    let failure = |words: &str| Ok(Some(Failure::new(way.kind(), words)));
    match way {
        Way::Error => failure("the fake plugin says no"),
        Way::Panic => failure("the fake plugin panicked: index out of bounds: the len is 3 but the index is 7"),
        Way::NonFinite => failure("value `value` of the fake plugin is NaN"),
        Way::WrongShape => failure("hidden states of shape [2, 3] where [2, 3, 64] was due"),
        Way::WrongKind | Way::MissingFile => Ok(None),
        Way::Abort => misbehave(Misdeed::Abort).map(|()| None),
        Way::Segfault => misbehave(Misdeed::Segfault).map(|()| None),
        Way::Die => misbehave(Misdeed::Die).map(|()| None),
        Way::Garbage => misbehave(Misdeed::Garbage).map(|()| None),
        Way::Memory => misbehave(Misdeed::Memory).map(|()| None),
        Way::Hang => misbehave(Misdeed::Hang).map(|()| None),
    }
}

/// A result that no cell of the output's kind can have.
fn of_another_kind(output: &CellOutput) -> CellOutput {
    match output {
        CellOutput::Transfer(_) => {
            CellOutput::Embed(clmbench_protocol::EmbedOutput { rows: 1, width: 1, embedding_digest: answers::digest("") })
        }
        _ => CellOutput::Transfer(clmbench_protocol::TransferOutput { tasks: Vec::new(), finetune: None }),
    }
}

fn misbehave(misdeed: Misdeed) -> io::Result<()> {
    match misdeed {
        Misdeed::Hang => wait_forever(),
        Misdeed::Die => exit(9),
        Misdeed::Abort => std::process::abort(),
        Misdeed::Segfault => {
            // Rust's own handler takes the first, and leaves the next to the system.
            let kill = format!("kill -SEGV {0}; sleep 0.1; kill -SEGV {0}", std::process::id());
            Command::new("sh").args(["-c", &kill]).status()?;
            wait_forever()
        }
        Misdeed::Garbage => write_line("This is no message of the protocol. \u{1b}[31m<b>"),
        Misdeed::HugeLine => {
            let mut out = io::stdout().lock();
            for _ in 0..80 {
                out.write_all(&vec![b'x'; 1 << 20])?;
            }
            out.flush()?;
            wait_forever()
        }
        Misdeed::Fail => say(&Event::Failed(Failure::new(FailureKind::PluginError, "the fake plugin says no: <no> \u{1b}[31m"))),
        Misdeed::Memory => {
            let hog = vec![1_u8; 1 << 30];
            std::hint::black_box(&hog);
            wait_forever()
        }
        Misdeed::Diverge | Misdeed::Fill | Misdeed::Version | Misdeed::Silent | Misdeed::Absent => Ok(()),
    }
}

/// Fills the disk; what the system says then.
fn fill(folder: &Path) -> String {
    let path = folder.join("weights.partial");
    let written = fs::File::create(&path).and_then(|mut file| {
        loop {
            file.write_all(&[7; 4096])?;
        }
    });
    written.map_or_else(|error: io::Error| format!("{}: {error}", path.display()), |()| "written".into())
}

fn wait_forever() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3_600));
    }
}
