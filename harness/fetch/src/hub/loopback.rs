//! A hub on the loopback that answers as tests tell it.

#![allow(clippy::unwrap_used)]
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What one address answers.
#[derive(Debug, Clone)]
pub enum Route {
    /// These bytes, or the rest of them that was asked for.
    Bytes(Vec<u8>),
    /// A page with this `Link`.
    Page(Vec<u8>, String),
    /// This status and `x-error-code`.
    Status(&'static str, &'static str),
    /// A redirect.
    To(String),
    /// So many of the bytes, then the end.
    Cut(Vec<u8>, usize),
    /// So many of the bytes, then nothing for long.
    Stall(Vec<u8>, usize),
    /// More bytes than anybody wants, without a length.
    Endless,
    /// A page for people.
    Html,
}

/// One request: path, `Authorization`, first byte of its range.
pub type Asked = (String, Option<String>, Option<usize>);

/// A server, and what it was asked.
#[derive(Debug, Clone)]
pub struct Loopback {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    routes: Arc<Mutex<BTreeMap<String, Vec<Route>>>>,
}

impl Loopback {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hub = Self { url, asked: Arc::default(), routes: Arc::default() };
        let serving = hub.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream.unwrap()));
            }
        });
        hub
    }

    /// Answers at a path: in order, the last one for ever.
    pub fn at(&self, path: &str, answers: Vec<Route>) {
        self.routes.lock().unwrap().insert(path.to_owned(), answers);
    }

    /// What was asked since it was looked at last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let Some(Ok(first)) = lines.next() else { return };
        let path = first.split(' ').nth(1).unwrap().to_owned();
        let (mut from, mut authorization) = (None, None);
        for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
            let lower = line.to_lowercase();
            if let Some(range) = lower.strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse().ok();
            }
            if lower.starts_with("authorization: ") {
                authorization = line.split_once(' ').map(|(_, value)| value.to_owned());
            }
        }
        self.asked.lock().unwrap().push((path.clone(), authorization, from));
        let route = {
            let mut routes = self.routes.lock().unwrap();
            match routes.get_mut(&path) {
                Some(answers) if answers.len() > 1 => answers.remove(0),
                Some(answers) => answers[0].clone(),
                None => Route::Status("404 Not Found", "EntryNotFound"),
            }
        };
        // Who refuses the answer closes the connection.
        let _ = respond(&mut stream, route, from.unwrap_or(0));
    }
}

fn respond(stream: &mut TcpStream, route: Route, from: usize) -> std::io::Result<()> {
    let head = |status: &str, more: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n")
    };
    match route {
        Route::Status(status, code) => stream.write_all(head(status, &format!("x-error-code: {code}\r\n"), 0).as_bytes()),
        Route::To(to) => stream.write_all(head("307 Temporary Redirect", &format!("location: {to}\r\n"), 0).as_bytes()),
        Route::Html => {
            let page = b"<html>log in</html>";
            stream.write_all(head("200 OK", "content-type: text/html\r\n", page.len()).as_bytes())?;
            stream.write_all(page)
        }
        Route::Page(bytes, link) => {
            stream.write_all(head("200 OK", &format!("link: {link}\r\n"), bytes.len()).as_bytes())?;
            stream.write_all(&bytes)
        }
        Route::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
        Route::Bytes(bytes) => send(stream, &bytes, from, bytes.len()),
        Route::Cut(bytes, count) => send(stream, &bytes, from, count),
        Route::Stall(bytes, count) => {
            send(stream, &bytes, from, count)?;
            std::thread::sleep(Duration::from_secs(5));
            Ok(())
        }
    }
}

/// The rest of the bytes by its head, and at most `count` of them in truth.
fn send(stream: &mut TcpStream, bytes: &[u8], from: usize, count: usize) -> std::io::Result<()> {
    let rest = &bytes[from.min(bytes.len())..];
    let status = match from {
        0 => "200 OK\r\n".to_owned(),
        _ => format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{}\r\n", bytes.len().max(1) - 1, bytes.len()),
    };
    stream.write_all(format!("HTTP/1.1 {status}content-length: {}\r\nconnection: close\r\n\r\n", rest.len()).as_bytes())?;
    stream.write_all(&rest[..count.min(rest.len())])
}
