#![allow(clippy::unwrap_used)]
use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use super::*;
use crate::{Fetcher, Wheel, digest::sha256_file};

/// How the server on the loopback treats the n-th request.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Sends everything that was asked for.
    Whole,
    /// Closes the connection after so many bytes of the body.
    Cut(usize),
    /// Ignores the range and sends everything.
    NoRange,
    /// Answers with this status line.
    Status(&'static str),
}

/// A server that treats requests as told, in order, the last one for ever; returns its URL and the ranges it was asked for.
fn server(content: Vec<u8>, behaviours: Vec<Behaviour>) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
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
    let mut from = None;
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    record.lock().unwrap().push(from);
    let start = match behaviour {
        Behaviour::NoRange => 0,
        _ => from.unwrap_or(0),
    };
    if let Behaviour::Status(status) = behaviour {
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        return;
    }
    let rest = &content[start..];
    let head = match start {
        0 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => format!("HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {start}-{}/{}\r\n", content.len() - 1, content.len()),
    };
    let sent = match behaviour {
        Behaviour::Cut(count) => &rest[..count.min(rest.len())],
        _ => rest,
    };
    stream.write_all(format!("{head}content-length: {}\r\nconnection: close\r\n\r\n", rest.len()).as_bytes()).unwrap();
    stream.write_all(sent).unwrap();
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x.partial");
    let (url, asked) = server(content(), vec![Behaviour::Cut(100_000), Behaviour::Cut(50_000), Behaviour::Whole]);
    assert!(!download(&format!("{url}/x"), &partial, 0, &mut |_| ()).unwrap());
    assert_eq!(fs::read(&partial).unwrap(), content());
    assert_eq!(*asked.lock().unwrap(), [None, Some(100_000), Some(150_000)]);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x.partial");
    fs::write(&partial, b"an old beginning").unwrap();
    let (url, asked) = server(content(), vec![Behaviour::NoRange]);
    assert!(download(&format!("{url}/x"), &partial, 0, &mut |_| ()).unwrap());
    assert_eq!(fs::read(&partial).unwrap(), content());
    assert_eq!(*asked.lock().unwrap(), [Some(16)]);
}

#[test]
fn busy_is_retried_and_missing_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = server(content(), vec![Behaviour::Status("503 Service Unavailable"), Behaviour::Whole]);
    download(&format!("{url}/x"), &dir.path().join("a"), 0, &mut |_| ()).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 2);
    let (url, asked) = server(content(), vec![Behaviour::Status("404 Not Found")]);
    let error = download(&format!("{url}/x"), &dir.path().join("b"), 0, &mut |_| ()).unwrap_err();
    assert!(matches!(error, FetchError::Mirror { .. }) && error.to_string().contains("404"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn a_foreign_beginning_is_thrown_away_and_the_wheel_fetched_whole() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    fs::write(&whole, content()).unwrap();
    let mut wheel = Wheel::pinned("p", "1", "p-1-py3-none-any.whl", "", 300_000);
    wheel.sha256 = sha256_file(&whole).unwrap().into();
    let (url, asked) = server(content(), vec![Behaviour::Whole]);
    let fetcher = Fetcher::new(dir.path().join("cache")).with_mirror(&url);
    fs::create_dir_all(dir.path().join("cache/wheels")).unwrap();
    fs::write(crate::place::beside(&fetcher.wheel_path(&wheel), "partial"), b"not its first bytes").unwrap();
    let path = fetcher.wheel(&wheel, &mut |_| ()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(*asked.lock().unwrap(), [Some(19), None]);
}
