//! A child's pipes as channels: bounded lines from its standard output, lines to its standard input.

use std::{
    io::{BufRead, BufReader, Read, Write},
    sync::mpsc::{self, Receiver, Sender, SyncSender},
};

/// Longest line that a worker may write, in bytes.
pub(super) const LONGEST_LINE: usize = 64 << 20;

/// What a pipe gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end.
    Text(String),
    /// A line that is too long or no UTF-8; nothing after it can be trusted.
    Garbage(String),
}

/// Reads lines on a thread of its own until the end of the pipe. A flood waits in the pipe, not in our memory.
pub(super) fn read_lines(pipe: impl Read + Send + 'static, longest: usize) -> Receiver<Line> {
    let (sender, receiver) = mpsc::sync_channel(64);
    std::thread::spawn(move || pump(BufReader::new(pipe), longest, &sender));
    receiver
}

fn pump(mut reader: impl BufRead, longest: usize, sender: &SyncSender<Line>) {
    loop {
        let mut bytes = Vec::new();
        // One byte more than allowed, and one for the line's end.
        match reader.by_ref().take(longest as u64 + 2).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let line = if bytes.len() > longest {
            Line::Garbage(format!("a line longer than {longest} bytes"))
        } else {
            String::from_utf8(bytes).map_or_else(|_| Line::Garbage("a line that is no UTF-8".into()), Line::Text)
        };
        let last = matches!(line, Line::Garbage(_));
        if sender.send(line).is_err() || last {
            return;
        }
    }
}

/// Writes lines on a thread of its own, so that a worker that does not read cannot hold us up.
pub(super) fn write_lines(mut pipe: impl Write + Send + 'static) -> Sender<String> {
    let (sender, receiver) = mpsc::channel::<String>();
    std::thread::spawn(move || {
        for line in receiver {
            // A closed pipe means that the worker is gone, which its standard output tells as well.
            if pipe.write_all(line.as_bytes()).and_then(|()| pipe.write_all(b"\n")).and_then(|()| pipe.flush()).is_err() {
                return;
            }
        }
    });
    sender
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_too_long_ones_end_the_reading() {
        let lines: Vec<Line> = read_lines(&b"one\n\ntwo"[..], 10).iter().collect();
        assert_eq!(lines, ["one", "", "two"].map(|text| Line::Text(text.into())));
        assert_eq!(read_lines(&b"0123456789\nx\n"[..], 10).iter().count(), 2);
        let lines: Vec<Line> = read_lines(&b"ok\n01234567890\nx\n"[..], 10).iter().collect();
        assert_eq!(lines, [Line::Text("ok".into()), Line::Garbage("a line longer than 10 bytes".into())]);
        let lines: Vec<Line> = read_lines(&b"\xff\nx\n"[..], 10).iter().collect();
        assert_eq!(lines, [Line::Garbage("a line that is no UTF-8".into())]);
    }
}
