//! Downloads over HTTP: they go on where they stopped, give a silent server up, and take no web page for a file.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use ureq::{
    Agent, Body,
    http::{Response, StatusCode, header},
};

use crate::{FetchError, Phase, Progress, address, error::shown, hub::Token};

/// Connections in a row that may bring nothing before we give up.
const FRUITLESS: u32 = 4;
/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// How long a silent server is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer, or the next bytes of it.
    pub silence: Duration,
    /// Before another connection; twice as long each time.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(20), silence: Duration::from_secs(60), pause: Duration::from_millis(200) }
    }
}

/// What is downloaded, and where to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    /// Address.
    pub url: &'a str,
    /// File that takes the bytes; what it holds already is its beginning.
    pub partial: &'a Path,
    /// Size for progress, where no answer tells it; 0 if it is not known.
    pub bytes: u64,
    /// A larger answer is refused.
    pub most: Option<u64>,
    /// Whether a digest judges the whole afterwards. Else a beginning of an earlier process is thrown away, one of this download is gone on
    /// with only where the server says that it is still the same file, and the answer must say where it ends.
    pub judged: bool,
    /// Whether the file may begin with `<`, as web pages do. Then a digest must judge the whole.
    pub any_beginning: bool,
    /// Sent to the server of `url` alone, never to where it redirects.
    pub token: Option<&'a Token>,
    /// Once it is true, no more bytes are waited for.
    pub stop: Option<&'a AtomicBool>,
    /// How long to wait.
    pub patience: Patience,
}

/// Why nothing came of it.
#[derive(Debug)]
pub(crate) enum Undelivered {
    /// The server cannot be reached, or stays silent: another file of it need not be tried.
    Unreachable(String),
    /// It can, but did not give the file.
    Refused(String),
    /// It wants to know who asks (status 401 or 403).
    Denied(String),
    /// Our own disk failed.
    File(FetchError),
}

/// Downloads to `partial`, going on where an earlier attempt stopped; retries as long as more bytes come than ever before. Says whether the
/// whole is doubtful: put together from several answers, or from one that did not say where it ends.
pub(crate) fn download(order: Order<'_>, progress: &mut dyn FnMut(Progress)) -> Result<bool, Undelivered> {
    let length = || order.partial.metadata().map_or(0, |metadata| metadata.len());
    let (mut fruitless, mut most_had, mut tag) = (0, 0, None);
    loop {
        most_had = length().max(most_had);
        if !order.judged && tag.is_none() {
            let removed = fs::remove_file(order.partial).or_else(absent);
            removed.map_err(|error| Undelivered::File(FetchError::io("remove", order.partial)(error)))?;
        }
        let (detail, unreachable) = match attempt(&order, &mut tag, progress) {
            Ok(doubtful) => {
                if !order.any_beginning {
                    refuse_page(order.partial)?;
                }
                return Ok(doubtful);
            }
            Err(Stop::File(error)) => return Err(Undelivered::File(error)),
            Err(Stop::Final(detail)) => return Err(Undelivered::Refused(detail)),
            Err(Stop::Denied(detail)) => return Err(Undelivered::Denied(detail)),
            Err(Stop::Retry(detail)) => (detail, false),
            Err(Stop::Silent(detail) | Stop::Unreachable(detail)) => (detail, true),
        };
        let more = if unreachable { FRUITLESS / 2 } else { 1 };
        fruitless = if length() > most_had { 0 } else { fruitless + more };
        if fruitless >= FRUITLESS {
            return Err(if unreachable { Undelivered::Unreachable(detail) } else { Undelivered::Refused(detail) });
        }
        std::thread::sleep(order.patience.pause * (1 << fruitless));
    }
}

/// Why one connection ended without the whole file.
enum Stop {
    /// Another connection may bring more.
    Retry(String),
    /// It said nothing for too long.
    Silent(String),
    /// No connection at all.
    Unreachable(String),
    /// Another connection will not help.
    Final(String),
    /// Neither will it without another token.
    Denied(String),
    /// Our own disk failed.
    File(FetchError),
}

fn agent(url: &str, patience: Patience) -> Agent {
    let mut config = Agent::config_builder()
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.silence))
        .timeout_per_read(Some(patience.silence))
        .max_redirects(0)
        .http_status_as_error(false);
    if address::is_loopback(url) {
        config = config.proxy(None);
    }
    config.build().into()
}

/// The answer, after the redirects that may be followed: the rest of the file with this tag, or the whole of another.
fn ask(order: &Order<'_>, have: u64, tag: Option<&str>) -> Result<Response<Body>, Stop> {
    let mut url = order.url.to_owned();
    for _ in 0..=REDIRECTS {
        let mut request = agent(&url, order.patience).get(&url).header("accept-encoding", "identity");
        if let Some(token) = order.token.filter(|_| address::same_server(order.url, &url)) {
            request = request.header("authorization", token.bearer());
        }
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
            if let Some(tag) = tag {
                request = request.header("if-range", tag);
            }
        }
        let response = request.call().map_err(|error| broken(&error))?;
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        url = address::redirected(&url, text(&response, header::LOCATION)).map_err(Stop::Final)?;
    }
    Err(Stop::Final(format!("it redirects more than {REDIRECTS} times")))
}

fn broken(error: &ureq::Error) -> Stop {
    let text = match error {
        ureq::Error::Timeout(what) => format!("it was silent for too long ({what})"),
        error if no_such_host(error) => "there is no such host, or no network".to_owned(),
        other => other.to_string(),
    };
    let no_connection = match error {
        error if no_such_host(error) => true,
        ureq::Error::ConnectionFailed => true,
        ureq::Error::Timeout(what) => matches!(what, ureq::Timeout::Resolve | ureq::Timeout::Connect),
        ureq::Error::Io(error) => {
            use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
            matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
        }
        _ => false,
    };
    match error {
        _ if no_connection => Stop::Unreachable(shown(&text)),
        ureq::Error::Timeout(_) => Stop::Silent(shown(&text)),
        _ => Stop::Retry(shown(&text)),
    }
}

/// The system's resolver tells this by its words alone.
fn no_such_host(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound => true,
        ureq::Error::Io(error) => error.to_string().contains("lookup address"),
        _ => false,
    }
}

fn text(response: &Response<Body>, name: header::HeaderName) -> &str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The tag of the very bytes; a weak one may stay while bytes change (RFC 9110, 8.8.1).
fn strong_tag(response: &Response<Body>) -> Option<String> {
    Some(text(response, header::ETAG)).filter(|tag| tag.starts_with('"')).map(str::to_owned)
}

/// One connection. `tag` is that of the file whose beginning is there; says whether the whole is doubtful, see [`download`].
fn attempt(order: &Order<'_>, tag: &mut Option<String>, progress: &mut dyn FnMut(Progress)) -> Result<bool, Stop> {
    let partial = order.partial;
    let file_error = |error: io::Error| Stop::File(FetchError::io("write", partial)(error));
    let mut have = partial.metadata().map_or(0, |metadata| metadata.len());
    let response = ask(order, have, tag.as_deref())?;
    let status = response.status();
    let begun = std::mem::replace(tag, strong_tag(&response));
    let start_over = |why: String| {
        fs::remove_file(partial).or_else(absent).map_err(file_error)?;
        Err(Stop::Retry(why))
    };
    match status {
        StatusCode::PARTIAL_CONTENT => {
            let range = text(&response, header::CONTENT_RANGE);
            if !range.starts_with(&format!("bytes {have}-")) {
                return start_over(format!("asked for bytes from {have}, got `{}`", shown(range)));
            }
            if (begun.is_some() && begun != *tag) || (begun.is_none() && !order.judged) {
                return start_over(format!("the file changed after {have} bytes"));
            }
        }
        StatusCode::OK => have = 0,
        // Nothing is left to get: the hash decides.
        StatusCode::RANGE_NOT_SATISFIABLE
            if have > 0 && order.judged && text(&response, header::CONTENT_RANGE) == format!("bytes */{have}") =>
        {
            return Ok(true);
        }
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
            return start_over(format!("there is nothing after {have} bytes, but that is not its length"));
        }
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Stop::Retry(format!("status {status}")));
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Stop::Denied(format!("status {status}"))),
        _ => return Err(Stop::Final(format!("status {status}"))),
    }
    let kind = text(&response, header::CONTENT_TYPE).to_lowercase();
    if kind.starts_with("text/html") || kind.starts_with("application/xhtml") {
        return Err(Stop::Final(format!("it answers with a web page ({}) instead of the file", shown(&kind))));
    }
    let rest: Option<u64> = text(&response, header::CONTENT_LENGTH).parse().ok();
    let expected = rest.map(|rest| have.saturating_add(rest));
    let says_its_end = expected.is_some() || text(&response, header::TRANSFER_ENCODING).to_lowercase().ends_with("chunked");
    if !says_its_end && !order.judged {
        return Err(Stop::Final("it does not say how long the file is, so that a part cannot be told from the whole".to_owned()));
    }
    let doubtful = have > 0 || !says_its_end;
    let too_large =
        |bytes: u64, most: u64| Stop::Final(format!("it sends {bytes} bytes or more, but at most {most} are allowed"));
    if let (Some(bytes), Some(most)) = (expected, order.most)
        && bytes > most
    {
        return Err(too_large(bytes, most));
    }
    let mut file =
        File::options().create(true).write(true).append(have > 0).truncate(have == 0).open(partial).map_err(file_error)?;
    let name = shown(address::file_name(order.url));
    let total = expected.unwrap_or(order.bytes);
    let mut body = response.into_body().into_reader();
    let (mut buffer, mut told) = (vec![0; 1 << 17], Instant::now());
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if is_silence(&error) => {
                let seconds = order.patience.silence.as_secs_f64();
                return Err(Stop::Silent(format!("it stalled: no byte for {seconds} s after {have} bytes")));
            }
            Err(error) => return Err(Stop::Retry(format!("it broke off after {have} bytes: {}", shown(&error.to_string())))),
        };
        have += count as u64;
        if let Some(most) = order.most.filter(|most| have > *most) {
            drop(file);
            fs::remove_file(partial).or_else(absent).map_err(file_error)?;
            return Err(too_large(have, most));
        }
        file.write_all(&buffer[..count]).map_err(file_error)?;
        if order.stop.is_some_and(|stop| stop.load(Ordering::SeqCst)) {
            return Err(Stop::Final(format!("it was stopped after {have} bytes")));
        }
        if told.elapsed() > Duration::from_millis(200) {
            told = Instant::now();
            progress(Progress { phase: Phase::Downloading, name: name.clone(), done: have, total });
        }
    }
    match expected {
        Some(expected) if have < expected => Err(Stop::Retry(format!("the connection ended after {have} of {expected} bytes"))),
        _ => {
            progress(Progress { phase: Phase::Downloading, name, done: have, total: have });
            Ok(doubtful)
        }
    }
}

/// A small answer that is kept in memory, such as a listing.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// What the header `x-error-code` says, or nothing.
    pub code: String,
    /// What the header `link` says, or nothing.
    pub link: String,
    pub bytes: Vec<u8>,
}

/// Asks for a small answer of at most `most` bytes, whatever its status; tries again where the server is busy or silent.
pub(crate) fn small(url: &str, most: u64, token: Option<&Token>, patience: Patience) -> Result<Answer, Undelivered> {
    let order = Order {
        url,
        partial: Path::new(""),
        bytes: 0,
        most: Some(most),
        judged: false,
        any_beginning: true,
        token,
        stop: None,
        patience,
    };
    let mut fruitless = 0;
    loop {
        let (detail, unreachable) = match small_attempt(&order, most) {
            Ok(answer) => return Ok(answer),
            Err(Stop::File(error)) => return Err(Undelivered::File(error)),
            Err(Stop::Final(detail) | Stop::Denied(detail)) => return Err(Undelivered::Refused(detail)),
            Err(Stop::Retry(detail)) => (detail, false),
            Err(Stop::Silent(detail) | Stop::Unreachable(detail)) => (detail, true),
        };
        fruitless += if unreachable { FRUITLESS / 2 } else { 1 };
        if fruitless >= FRUITLESS {
            return Err(if unreachable { Undelivered::Unreachable(detail) } else { Undelivered::Refused(detail) });
        }
        std::thread::sleep(patience.pause * (1 << fruitless));
    }
}

fn small_attempt(order: &Order<'_>, most: u64) -> Result<Answer, Stop> {
    let started = Instant::now();
    let response = ask(order, 0, None)?;
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Stop::Retry(format!("status {status}")));
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (code, link) = (header("x-error-code"), header("link"));
    let mut body = response.into_body().into_reader();
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 1 << 14]);
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => return Ok(Answer { status: status.as_u16(), code, link, bytes }),
            Ok(count) => count,
            Err(error) if is_silence(&error) => {
                let seconds = order.patience.silence.as_secs_f64();
                return Err(Stop::Silent(format!("it stalled: no byte for {seconds} s after {} bytes", bytes.len())));
            }
            Err(error) => {
                return Err(Stop::Retry(format!("it broke off after {} bytes: {}", bytes.len(), shown(&error.to_string()))));
            }
        };
        bytes.extend_from_slice(&buffer[..count]);
        if bytes.len() as u64 > most {
            return Err(Stop::Final(format!("it sends {} bytes or more, but at most {most} are allowed", bytes.len())));
        }
        // One that sends a byte now and then is as bad as a silent one.
        if started.elapsed() > order.patience.silence * 5 {
            return Err(Stop::Silent(format!("its answer did not end within {} s", (order.patience.silence * 5).as_secs_f64())));
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// No table and no archive that is fetched begins with `<`; a web page that says "log in" or "not found" does.
fn refuse_page(partial: &Path) -> Result<(), Undelivered> {
    let mut first = Vec::new();
    let read = File::open(partial).and_then(|file| file.take(512).read_to_end(&mut first));
    read.map_err(|error| Undelivered::File(FetchError::io("read", partial)(error)))?;
    if !is_page(&first) {
        return Ok(());
    }
    fs::remove_file(partial).or_else(absent).map_err(|error| Undelivered::File(FetchError::io("remove", partial)(error)))?;
    let begin: String = String::from_utf8_lossy(&first).trim_start_matches('\u{feff}').trim_start().chars().take(40).collect();
    Err(Undelivered::Refused(format!("it answers with a web page instead of the file (it begins with `{}`)", shown(&begin))))
}

/// Whether bytes begin as a web page does.
pub(crate) fn is_page(first: &[u8]) -> bool {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    first.trim_ascii_start().first() == Some(&b'<')
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
#[path = "loopback.rs"]
pub(crate) mod loopback;
#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
