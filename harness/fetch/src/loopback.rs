//! A server on the loopback that behaves as tests tell it.

#![allow(clippy::unwrap_used)]
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// How the server on the loopback treats the n-th request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    /// Sends everything that was asked for.
    Whole,
    /// Closes the connection after so many bytes of the body.
    Cut(usize),
    /// Ignores the range and sends everything.
    NoRange,
    /// Answers with this status line.
    Status(&'static str),
    /// Redirects to this address.
    To(&'static str),
    /// Sends everything as this content type.
    As(&'static str),
    /// Sends so many bytes, then nothing, and leaves the connection open.
    Stall(usize),
    /// States this length, ignores the range and sends everything.
    Length(usize),
    /// States no length, and closes after so many bytes.
    NoLength(usize),
    /// Sends at most so many bytes of the file with this tag; the whole to who began with another one.
    Tagged(&'static str, usize),
    /// Sends one chunk, and no end.
    Unended,
}

/// A server that treats requests as told, in order, the last one for ever; returns its URL and the ranges it was asked for.
pub(crate) fn server(content: Vec<u8>, behaviours: Vec<Behaviour>) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = asked.clone();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let behaviour = behaviours[index.min(behaviours.len() - 1)];
            answer(stream.unwrap(), &content, behaviour, &record);
        }
    });
    (url, asked)
}

fn answer(mut stream: TcpStream, content: &[u8], behaviour: Behaviour, record: &Mutex<Vec<Option<usize>>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let (mut from, mut tag) = (None, None);
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
        tag = line.to_lowercase().strip_prefix("if-range: ").map(str::to_owned).or(tag);
    }
    record.lock().unwrap().push(from);
    let start = match behaviour {
        Behaviour::NoRange | Behaviour::Length(_) | Behaviour::Unended => 0,
        Behaviour::Tagged(own, _) if tag.as_ref().is_some_and(|tag| tag != own) => 0,
        _ => from.unwrap_or(0),
    };
    if let Behaviour::Status(status) = behaviour {
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        return;
    }
    if let Behaviour::To(to) = behaviour {
        let page = "<html>moved</html>";
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", page.len());
        stream.write_all((head + page).as_bytes()).unwrap();
        return;
    }
    let rest = &content[start..];
    let head = match start {
        0 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => format!("HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {start}-{}/{}\r\n", content.len() - 1, content.len()),
    };
    let sent = match behaviour {
        Behaviour::Cut(count) | Behaviour::Stall(count) | Behaviour::NoLength(count) | Behaviour::Tagged(_, count) => {
            &rest[..count.min(rest.len())]
        }
        _ => rest,
    };
    let kind = match behaviour {
        Behaviour::As(kind) => format!("content-type: {kind}\r\n"),
        Behaviour::Tagged(tag, _) => format!("etag: {tag}\r\n"),
        _ => String::new(),
    };
    let length = match behaviour {
        Behaviour::NoLength(_) => String::new(),
        Behaviour::Unended => format!("transfer-encoding: chunked\r\n\r\n{:x}", rest.len()),
        Behaviour::Length(length) => format!("content-length: {length}\r\n"),
        _ => format!("content-length: {}\r\n", rest.len()),
    };
    let end = if matches!(behaviour, Behaviour::Unended) { "\r\n" } else { "connection: close\r\n\r\n" };
    stream.write_all(format!("{head}{kind}{length}{end}").as_bytes()).unwrap();
    // Who refuses the answer closes the connection.
    let _ = stream.write_all(sent);
    if matches!(behaviour, Behaviour::Stall(_)) {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(5));
            drop(stream);
        });
    }
}
