#![allow(clippy::unwrap_used)]
use std::net::TcpListener;

use super::{
    loopback::{Behaviour, server},
    *,
};
use crate::{Fetcher, Wheel, digest::sha256_file};

/// Half a second for a silent server.
fn quick() -> Patience {
    Patience { connect: Duration::from_secs(5), silence: Duration::from_millis(500), pause: Duration::from_millis(5) }
}

/// Downloads the file `x` of a server.
fn get(url: &str, partial: &Path, most: Option<u64>) -> Result<bool, Undelivered> {
    let url = format!("{url}/x");
    download(
        Order {
            url: &url,
            partial,
            bytes: 0,
            most,
            judged: true,
            any_beginning: false,
            token: None,
            stop: None,
            patience: quick(),
        },
        &mut |_| (),
    )
}

/// [`get`], where no digest judges afterwards.
fn get_unjudged(url: &str, partial: &Path) -> Result<bool, Undelivered> {
    let url = format!("{url}/x");
    download(
        Order {
            url: &url,
            partial,
            bytes: 0,
            most: None,
            judged: false,
            any_beginning: false,
            token: None,
            stop: None,
            patience: quick(),
        },
        &mut |_| (),
    )
}

/// Why a server that behaves so did not deliver; nothing of it is left but what may be a beginning.
fn refusal(content: &[u8], behaviours: Vec<Behaviour>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (url, _) = server(content.to_vec(), behaviours);
    match get(&url, &dir.path().join("x"), Some(400_000)).unwrap_err() {
        Undelivered::Refused(why) => why.replace(&url, "SERVER"),
        other => panic!("{other:?}"),
    }
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x.partial");
    let (url, asked) = server(content(), vec![Behaviour::Cut(100_000), Behaviour::Cut(50_000), Behaviour::Whole]);
    assert!(get(&url, &partial, None).unwrap(), "put together");
    assert_eq!(fs::read(&partial).unwrap(), content());
    assert_eq!(*asked.lock().unwrap(), [None, Some(100_000), Some(150_000)]);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x.partial");
    fs::write(&partial, b"an old beginning").unwrap();
    let (url, asked) = server(content(), vec![Behaviour::NoRange]);
    assert!(!get(&url, &partial, None).unwrap());
    assert_eq!(fs::read(&partial).unwrap(), content());
    assert_eq!(*asked.lock().unwrap(), [Some(16)]);
}

#[test]
fn busy_is_retried_and_missing_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = server(content(), vec![Behaviour::Status("503 Service Unavailable"), Behaviour::Whole]);
    get(&url, &dir.path().join("a"), None).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 2);
    let (url, asked) = server(content(), vec![Behaviour::Status("404 Not Found")]);
    let error = get(&url, &dir.path().join("b"), None).unwrap_err();
    assert!(matches!(&error, Undelivered::Refused(why) if why == "status 404 Not Found"), "{error:?}");
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

#[test]
fn a_stalled_download_goes_on_by_another_connection() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x.partial");
    let (url, asked) = server(content(), vec![Behaviour::Stall(70_000), Behaviour::Whole]);
    get(&url, &partial, None).unwrap();
    assert_eq!(fs::read(&partial).unwrap(), content());
    assert_eq!(*asked.lock().unwrap(), [None, Some(70_000)]);
}

#[test]
fn a_server_that_stays_silent_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = server(content(), vec![Behaviour::Stall(10), Behaviour::Stall(0)]);
    let error = get(&url, &dir.path().join("x"), None).unwrap_err();
    let said = "it stalled: no byte for 0.5 s after 10 bytes";
    assert!(matches!(&error, Undelivered::Unreachable(why) if why == said), "{error:?}");
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[test]
fn a_web_page_is_no_file_whatever_its_status() {
    let why = refusal(b"smiles,y\nC,1\n", vec![Behaviour::As("text/html; charset=utf-8")]);
    assert_eq!(why, "it answers with a web page (text/html; charset=utf-8) instead of the file");
    let why = refusal(b"\xef\xbb\xbf\n <!DOCTYPE html><title>Log in</title>", vec![Behaviour::As("text/csv")]);
    assert_eq!(why, "it answers with a web page instead of the file (it begins with `<!DOCTYPE html><title>Log in</title>`)");
}

#[test]
fn redirects_are_followed_where_they_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = server(content(), vec![Behaviour::To("/y"), Behaviour::To("z"), Behaviour::Whole]);
    get(&url, &dir.path().join("x"), None).unwrap();
    assert_eq!((fs::read(dir.path().join("x")).unwrap(), asked.lock().unwrap().len()), (content(), 3));
    assert_eq!(refusal(b"", vec![Behaviour::To("/again")]), "it redirects more than 5 times");
    assert_eq!(
        refusal(b"", vec![Behaviour::To("http://example.org/x?token=1")]),
        "it redirects to `http://example.org/x`, which is not followed: only https is, and the same server"
    );
    assert_eq!(
        refusal(b"", vec![Behaviour::To("file:///etc/passwd")]),
        "it redirects to `file:///etc/passwd`, which is not followed: it is no address"
    );
}

#[test]
fn lengths_are_not_believed() {
    // More is stated than comes: it was cut off.
    let why = refusal(&content(), vec![Behaviour::Length(350_000)]);
    assert!(why.contains("after 300000"), "{why}");
    // More than is allowed is stated, or comes without being stated.
    let why = refusal(&content(), vec![Behaviour::Length(500_000)]);
    assert_eq!(why, "it sends 500000 bytes or more, but at most 400000 are allowed");
    let twice = [content(), content()].concat();
    let why = refusal(&twice, vec![Behaviour::NoLength(600_000)]);
    assert!(why.starts_with("it sends ") && why.ends_with("bytes or more, but at most 400000 are allowed"), "{why}");
}

#[test]
fn a_server_that_is_not_there_is_told_from_one_that_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(&format!("http://{port}"), &dir.path().join("x"), None).unwrap_err();
    assert!(matches!(error, Undelivered::Unreachable(_)), "{error:?}");
}

#[test]
fn nothing_left_is_believed_of_the_whole_length_alone() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x");
    let asked_with = |status: &'static str, held: &[u8]| {
        fs::write(&partial, held).unwrap();
        let (url, asked) = server(content(), vec![Behaviour::Status(status), Behaviour::Whole]);
        get(&url, &partial, None).unwrap();
        assert_eq!(fs::read(&partial).unwrap(), content());
        asked.lock().unwrap().clone()
    };
    let whole = "416 Range Not Satisfiable\r\ncontent-range: bytes */300000";
    assert_eq!(asked_with(whole, &content()), [Some(300_000)]);
    assert_eq!(asked_with(whole, &[content(), content()].concat()), [Some(600_000), None]);
    assert_eq!(asked_with("416 Range Not Satisfiable", b"a page of something else"), [Some(24), None]);
}

#[test]
fn without_a_digest_a_part_is_never_taken_for_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x");
    let (url, _) = server(content(), vec![Behaviour::NoLength(1000)]);
    let why = get_unjudged(&url, &partial).unwrap_err();
    let said = "it does not say how long the file is, so that a part cannot be told from the whole";
    assert!(matches!(&why, Undelivered::Refused(why) if why == said), "{why:?}");
    let (url, _) = server(content(), vec![Behaviour::Unended]);
    assert!(
        matches!(get_unjudged(&url, &partial).unwrap_err(), Undelivered::Refused(why) if why.starts_with("it broke off after"))
    );
    // With a digest it is for this to say.
    let (url, _) = server(content(), vec![Behaviour::NoLength(1000)]);
    assert!(get(&url, &dir.path().join("y"), None).unwrap(), "doubtful");
}

#[test]
fn without_a_digest_only_the_same_file_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let partial = dir.path().join("x");
    let asked = |behaviours: Vec<Behaviour>| {
        fs::write(&partial, b"of an earlier process").unwrap();
        let (url, asked) = server(content(), behaviours);
        get_unjudged(&url, &partial).unwrap();
        assert_eq!(fs::read(&partial).unwrap(), content());
        asked.lock().unwrap().clone()
    };
    assert_eq!(asked(vec![Behaviour::Cut(1000), Behaviour::Whole]), [None, None]);
    assert_eq!(asked(vec![Behaviour::Tagged("\"a\"", 1000), Behaviour::Tagged("\"a\"", 300_000)]), [None, Some(1000)]);
    assert_eq!(asked(vec![Behaviour::Tagged("w/\"a\"", 1000), Behaviour::Tagged("w/\"a\"", 300_000)]), [None, None]);
    // The file changed: the whole comes, or, from a server that cares for no tags, the rest of another.
    assert_eq!(asked(vec![Behaviour::Tagged("\"a\"", 1000), Behaviour::Tagged("\"b\"", 300_000)]), [None, Some(1000)]);
    assert_eq!(asked(vec![Behaviour::Tagged("\"a\"", 1000), Behaviour::Whole]), [None, Some(1000), None]);
    // One that always stops at the same byte is given up.
    let (url, asked) = server(content(), vec![Behaviour::Cut(1000)]);
    get_unjudged(&url, &partial).unwrap_err();
    assert!(asked.lock().unwrap().len() < 8);
}
