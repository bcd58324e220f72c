//! The worker's descriptors: the protocol keeps standard input and output to itself, and what plugins print goes to the log.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::fd::{AsRawFd, FromRawFd, RawFd},
    path::Path,
    sync::{Arc, Mutex},
};

use clmbench_protocol::Event;

/// Longest request line, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// The worker's end of the conversation.
#[derive(Debug)]
pub struct Channel {
    reader: BufReader<File>,
    writer: Sender,
}

/// Writes events, whole lines at a time.
#[derive(Debug, Clone)]
pub struct Sender(Arc<Mutex<File>>);

impl Sender {
    /// Sends an event.
    ///
    /// # Errors
    /// When the host is gone.
    pub fn send(&self, event: &Event) -> io::Result<()> {
        self.send_line(serde_json::to_string(event)?)
    }

    /// Sends one line of JSON.
    ///
    /// # Errors
    /// When the host is gone.
    pub fn send_line(&self, mut line: String) -> io::Result<()> {
        line.push('\n');
        let mut file = self.0.lock().map_err(|_| io::Error::other("the protocol's lock is poisoned"))?;
        file.write_all(line.as_bytes())
    }
}

impl Channel {
    /// Takes standard input and output away from everybody else: they become `/dev/null` and standard error.
    ///
    /// # Errors
    /// When descriptors cannot be duplicated.
    pub fn take_over() -> io::Result<Self> {
        let (input, output) = (duplicate(libc::STDIN_FILENO)?, duplicate(libc::STDOUT_FILENO)?);
        let nothing = File::open("/dev/null")?;
        replace(libc::STDIN_FILENO, nothing.as_raw_fd())?;
        replace(libc::STDOUT_FILENO, libc::STDERR_FILENO)?;
        Ok(Self { reader: BufReader::new(input), writer: Sender(Arc::new(Mutex::new(output))) })
    }

    /// A handle that sends.
    pub fn sender(&self) -> Sender {
        self.writer.clone()
    }

    /// The next line; none when the host has closed its end.
    ///
    /// # Errors
    /// When reading fails or the line is too long.
    pub fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let mut limited = io::Read::take(&mut self.reader, LONGEST_LINE);
        if limited.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.ends_with('\n') { Ok(Some(line)) } else { Err(io::Error::other("a request line is cut or too long")) }
    }
}

fn duplicate(descriptor: RawFd) -> io::Result<File> {
    // SAFETY: fcntl on a descriptor number; the new one, closed on exec, is owned by the File alone.
    unsafe {
        let copy = libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3);
        if copy < 0 { Err(io::Error::last_os_error()) } else { Ok(File::from_raw_fd(copy)) }
    }
}

fn replace(target: RawFd, source: RawFd) -> io::Result<()> {
    // SAFETY: dup2 on two descriptor numbers; nobody else holds a File over standard input, output or error.
    if unsafe { libc::dup2(source, target) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Points standard output and standard error at a log file, appending.
///
/// # Errors
/// When the log cannot be opened.
pub fn log_to(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let log = OpenOptions::new().create(true).append(true).open(path)?;
    replace(libc::STDOUT_FILENO, log.as_raw_fd())?;
    replace(libc::STDERR_FILENO, log.as_raw_fd())
}
