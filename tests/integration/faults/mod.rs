//! Faults of the machine and of files, each through the real binary. `tests/FAULTS.md` lists every one with what the user
//! sees; the tests hold it word for word. `CLMBENCH_WRITE_FAULTS=1` writes it anew.

mod checkpoints;
mod crash;
mod disk;
mod files;
mod place;
mod plugins;
mod store;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use crate::bench::{Answer, Bench, finish};

/// One suite with a checkpoint, embeddings, a metric and a score.
pub const SUITE: &str = r#"
schema = 1
[suite]
name = "small"
seed = 7
[[corpus]]
name = "moses"
sizes = [500]
heldout = 64
[[model]]
architecture = "fake"
presets = ["a"]
tokens = 1000
checkpoints = 1
[[dataset]]
source = "fake"
names = ["alpha"]
[[metric]]
id = "fake/loss"
[[protocol]]
kind = "probe"
"#;

const HEAD: &str = "# Faults, and what the user sees\n\nWritten and held by the tests in `integration/faults`. `DIR` is the test's folder; numbers of processes, times and digests are \
replaced.\nOnly what is said about the fault is shown.\n";

/// A part of `tests/FAULTS.md`.
pub struct Page {
    title: &'static str,
    text: String,
}

impl Page {
    pub fn new(title: &'static str) -> Self {
        Self { title, text: String::new() }
    }

    /// Asserts the exit status and notes what was said.
    #[track_caller]
    pub fn note(&mut self, fault: &str, bench: &Bench, arguments: &[&str], answer: Answer, code: i32) {
        let answer = answer.code(code);
        assert!(!answer.stderr.contains("panicked") && !answer.stderr.contains("a fault in clmbench"), "{}", answer.stderr);
        let said = said(&answer, bench);
        let said: String = said.iter().map(|line| format!("    {line}\n")).collect();
        let said = if said.is_empty() { "    (nothing)\n".to_owned() } else { said };
        self.text += &format!("\n**{fault}**: `clmbench {}` ends with {code}\n\n{said}", plain(&arguments.join(" "), bench));
    }

    /// Runs a command and notes it.
    #[track_caller]
    pub fn fault(&mut self, fault: &str, bench: &Bench, arguments: &[&str], variables: &[(&str, &str)], code: i32) {
        let answer = bench.with(arguments, variables);
        self.note(fault, bench, arguments, answer, code);
    }

    /// Compares with the file, or writes its part of it.
    #[track_caller]
    pub fn hold(self) {
        static FILE: Mutex<()> = Mutex::new(());
        let guard = FILE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("FAULTS.md");
        let found = fs::read_to_string(&path).unwrap_or_default();
        let mut parts: Vec<(String, String)> = found
            .split("\n## ")
            .skip(1)
            .map(|part| part.split_once('\n').map(|(title, text)| (title.to_owned(), text.trim_end().to_owned())).unwrap())
            .collect();
        let now = self.text.trim_end().to_owned();
        let at = parts.iter().position(|(title, _)| title == self.title);
        if std::env::var_os("CLMBENCH_WRITE_FAULTS").is_some() {
            match at {
                Some(at) => parts[at].1 = now,
                None => parts.push((self.title.to_owned(), now)),
            }
            parts.sort();
            let text: String = parts.iter().map(|(title, text)| format!("\n## {title}\n{text}\n")).collect();
            fs::write(&path, format!("{HEAD}{text}")).unwrap();
            return;
        }
        drop(guard);
        let held = at.map_or("", |at| parts[at].1.as_str());
        for (found, held) in now.lines().zip(held.lines()) {
            assert_eq!(found, held, "in `{}`; CLMBENCH_WRITE_FAULTS=1 writes it anew", self.title);
        }
        assert_eq!(now.lines().count(), held.lines().count(), "lines of `{}`", self.title);
    }
}

/// What is said of faults: warnings, cells that failed or are computed again, and everything from the error on.
fn said(answer: &Answer, bench: &Bench) -> Vec<String> {
    let mut error = false;
    let about = |line: &&str| {
        error |= line.starts_with("error:");
        error || ["warning:", "again "].iter().any(|word| line.starts_with(word)) || line.contains("] failed ")
    };
    let stderr = plain(&answer.stderr, bench);
    stderr.lines().filter(about).map(str::to_owned).collect()
}

/// Without what differs from run to run.
fn plain(text: &str, bench: &Bench) -> String {
    let folder = bench.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    let mut text = text.replace(folder, "DIR");
    for (name, path) in
        [("WORKER", PathBuf::from(env!("CARGO_BIN_EXE_fake-worker"))), ("CLMBENCH", crate::bench::executable().to_owned())]
    {
        text = text.replace(path.to_str().unwrap(), name);
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if !host.trim().is_empty() {
        text = text.replace(&format!(" on {} since", host.trim()), " on HOST since");
    }
    let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && !"-:.".contains(letter)).map(|word| {
        let bare = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let rest = &word[bare.len()..];
        let hex = bare.len() >= 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        let time = bare.len() > 15 && bare.starts_with("20") && bare.contains('T');
        match () {
            () if hex => format!("DIGEST{rest}"),
            () if time => format!("TIME{rest}"),
            () => word.to_owned(),
        }
    });
    let text: String = words.collect();
    ["process ", "schemas up to ", "(now "].iter().fold(text, |text, before| number_after(&text, before))
}

/// `process 1234` as `process N`.
fn number_after(text: &str, before: &str) -> String {
    let mut parts = text.split(before);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        out += before;
        out += if rest.len() < part.len() { "N" } else { "" };
        out += rest;
    }
    out
}

/// Whether this user may make mounts of its own (in a namespace that nobody else sees); says so if not.
pub fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).stderr(Stdio::null()).status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        println!("skipped: this user cannot make mounts of its own (unshare -rm)");
    }
    may
}

/// `clmbench` after `mounts` (commands of the shell) in a namespace of its own, with `$1`, `$2` ... the arguments.
pub fn mounted(bench: &Bench, mounts: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
    let script = format!("set -e; {mounts}\nexec \"$0\" \"$@\"");
    shell(bench, &["unshare", "-rm", "sh", "-c", &script], arguments, variables)
}

/// `clmbench` started by another program, which gets its path and the arguments.
pub fn shell(bench: &Bench, before: &[&str], arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
    let wanted = bench.command(arguments);
    let mut command = Command::new(before[0]);
    command.args(&before[1..]).arg(wanted.get_program()).args(wanted.get_args()).env_clear();
    for (name, value) in wanted.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.envs(variables.iter().copied()).current_dir(bench.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().unwrap())
}
