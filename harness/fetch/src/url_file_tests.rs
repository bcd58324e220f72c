//! The order of places, and what is accepted from each. The loopback server is that of the downloads' tests.

#![allow(clippy::unwrap_used)]
use std::{io::Write as _, time::Duration};

use clmbench_protocol::{DatasetInfo, OptIn, SourceFile, WheelEntry};

use super::*;
use crate::{
    AcceptedLicences, PlaceFailure,
    digest::sha256_file,
    http::loopback::{Behaviour, server},
};

const TABLE: &[u8] = b"smiles,y\nC,1\n";

struct Setting {
    dir: tempfile::TempDir,
    fetcher: Fetcher,
}

impl Setting {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let fetcher = Fetcher::new(dir.path().join("cache")).with_patience(Duration::from_millis(300));
        Self { dir, fetcher }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn folder(&self, name: &str) -> PathBuf {
        fs::create_dir_all(self.path(name)).unwrap();
        self.path(name)
    }

    /// The file's first three bytes too, if it can be had.
    fn get(&self, wanted: &Wanted) -> Result<Found, FetchError> {
        self.fetcher.get(wanted, &AcceptedLicences::default(), &mut |_| ())
    }
}

fn url(url: &str) -> UrlFile {
    UrlFile { url: url.into(), md5: None, sha256: None, bytes: 1_000_000 }
}

/// A file `a.csv` of the dataset `made/up`; `content` says whether its content is known.
fn wanted(wheel: Option<WheelEntry>, urls: Vec<UrlFile>, content: bool) -> Wanted {
    let info = DatasetInfo {
        source: "made".into(),
        name: "up".into(),
        files: vec![SourceFile { name: "a.csv".into(), wheel, urls }],
        sha256_csv: content.then(|| "0".repeat(64)),
        ..DatasetInfo::default()
    };
    Wanted::of_dataset(&info).remove(0)
}

/// A wheel in a folder that holds the table, and its pin.
fn wheel(folder: &Path) -> WheelEntry {
    let path = crate::archive::make(&folder.join("some_data-1.0-py3-none-any.whl"), &[("p/a.csv", TABLE)]);
    WheelEntry {
        package: "some-data".into(),
        version: "1.0".into(),
        wheel_sha256: sha256_file(&path).unwrap(),
        entry: "p/a.csv".into(),
        sha256: clmbench_sha256(TABLE),
        bytes: TABLE.len() as u64,
    }
}

fn clmbench_sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    crate::digest::hex(&Sha256::digest(bytes))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_address_is_asked_once_and_again_only_when_told_so() {
    let s = Setting::new();
    let (base, asked) = server(TABLE.to_vec(), vec![Behaviour::Whole]);
    let wanted = wanted(None, vec![url(&format!("{base}/d/b.csv"))], true);
    assert_eq!(s.fetcher.find(&wanted), None);
    let found = s.get(&wanted).unwrap();
    assert_eq!(fs::read(&found.path).unwrap(), TABLE);
    assert_eq!((found.place.to_string(), found.remark.as_deref()), (format!("{base}/d/b.csv"), None));
    assert_eq!(s.fetcher.find(&wanted).as_ref(), Some(&found));
    assert_eq!(s.get(&wanted).unwrap(), found);
    assert_eq!(asked.lock().unwrap().len(), 1);
    // Damage is seen although nothing is pinned.
    fs::write(&found.path, b"smiles,y\nC,2\n").unwrap();
    assert_eq!(s.fetcher.find(&wanted), None);
    assert_eq!(fs::read(s.get(&wanted).unwrap().path).unwrap(), TABLE);
    s.fetcher.forget(&wanted).unwrap();
    assert_eq!(s.fetcher.find(&wanted), None);
    s.get(&wanted).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[test]
fn the_places_come_in_their_order() {
    let s = Setting::new();
    let (mirror, data) = (s.folder("mirror"), s.folder("data"));
    let pin = wheel(&mirror);
    fs::write(mirror.join("b.csv"), b"smiles,y\nC,3\n").unwrap();
    let fetcher = s.fetcher.clone().with_mirror(mirror.to_str().unwrap());
    let both = wanted(Some(pin.clone()), vec![url("https://example.org/b.csv")], true);
    let get = |fetcher: &Fetcher| fetcher.get(&both, &AcceptedLicences::default(), &mut |_| ());
    assert_eq!(get(&fetcher).unwrap().place.to_string(), "wheel some-data 1.0");
    // The user's folder comes before what is in the cache: first the folder of the source, then ours by name.
    let with_data = fetcher.clone().with_data(&data);
    fs::write(data.join("b.csv.gz"), gzip(TABLE)).unwrap();
    let folder = |path: PathBuf| Place::Folder { path };
    assert_eq!(get(&with_data).unwrap().place, folder(data.join("b.csv.gz")));
    fs::create_dir(data.join("made")).unwrap();
    fs::write(data.join("made/a.csv"), TABLE).unwrap();
    assert_eq!(get(&with_data).unwrap().place, folder(data.join("made/a.csv")));
    // Without the wheel: the address, here from the mirror.
    s.fetcher.forget(&both).unwrap();
    fs::remove_dir_all(s.path("cache/wheels")).unwrap();
    fs::remove_file(mirror.join("some_data-1.0-py3-none-any.whl")).unwrap();
    let found = get(&fetcher).unwrap();
    assert_eq!(found.place, Place::Mirror { at: mirror.join("b.csv").display().to_string() });
    assert_eq!(fs::read(found.path).unwrap(), b"smiles,y\nC,3\n");
}

#[test]
fn another_sources_file_of_the_same_name_is_passed_over() {
    let s = Setting::new();
    let (mirror, data) = (s.folder("mirror"), s.folder("data"));
    let fetcher = s.fetcher.clone().with_mirror(mirror.to_str().unwrap()).with_data(&data);
    let wanted = Wanted { tasks: vec!["y".into()], ..wanted(Some(wheel(&mirror)), vec![], true) };
    let place = || fetcher.get(&wanted, &AcceptedLicences::default(), &mut |_| ()).unwrap();
    fs::write(data.join("a.csv"), "smiles,toxic\nC,1\n").unwrap();
    let found = place();
    assert!(matches!(found.place, Place::Wheel { .. }));
    assert_eq!(found.passed_over[0].reason, "it has no column for each task of made/up");
    // With the task it is taken, and in the source's own folder whatever it holds.
    fs::write(data.join("a.csv"), "smiles,x,y\nC,1,2\n").unwrap();
    assert!(matches!(place().place, Place::Folder { .. }));
    fs::create_dir(data.join("made")).unwrap();
    fs::write(data.join("made/a.csv"), "smiles,toxic\nC,1\n").unwrap();
    assert_eq!(place().place, Place::Folder { path: data.join("made/a.csv") });
}

#[test]
fn every_place_is_named_with_its_reason_when_none_has_the_file() {
    let s = Setting::new();
    let (base, _) = server(b"<html>not found</html>".to_vec(), vec![Behaviour::Status("404 Not Found"), Behaviour::Whole]);
    let (mirror, data) = (s.folder("mirror"), s.folder("data"));
    let mut pin = wheel(&mirror);
    pin.wheel_sha256 = "1".repeat(64);
    fs::write(data.join("a.csv"), "other").unwrap();
    let with_pin = UrlFile { md5: Some("9".repeat(32)), ..url(&format!("{base}/b.csv")) };
    let page = UrlFile { md5: Some("8".repeat(32)), ..url(&format!("{base}/c.csv")) };
    let wanted = wanted(Some(pin), vec![with_pin, page], false);
    // The wheel comes from pip, which is not asked in tests.
    s.fetcher.remember_silent("some_data-1.0-py3-none-any.whl", "no index answered");
    let fetcher = s.fetcher.clone().with_data(&data);
    let error = fetcher.get(&wanted, &AcceptedLicences::default(), &mut |_| ()).unwrap_err().to_string();
    let error = error.replace(&base, "SERVER").replace(data.to_str().unwrap(), "DATA");
    assert_eq!(
        error,
        format!(
            "`a.csv` of made/up could be had from no place:\n  DATA/a.csv: SHA-256 {}, but {} is pinned\n  wheel some-data 1.0: pip could \
             not download it: no index answered\n  SERVER/b.csv: status 404 Not Found\n  SERVER/c.csv: it answers with a web page \
             instead of the file (it begins with `<html>not found</html>`)\nCheck the network and run this again, or get the file \
             elsewhere, put it as a.csv or b.csv (also .gz) into DIR/made or DIR, and set CLMBENCH_DATA=DIR",
            clmbench_sha256(b"other"),
            clmbench_sha256(TABLE)
        )
    );
    let left: Vec<_> = fs::read_dir(s.path("cache/data/url"))
        .unwrap()
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .collect();
    assert!(left.iter().all(|file| file.as_ref().unwrap().path().extension().unwrap() == "lock"), "{left:?}");
}

#[test]
fn pins_judge_where_the_content_is_not_known() {
    let s = Setting::new();
    let (base, _) = server(TABLE.to_vec(), vec![Behaviour::Whole]);
    let address = format!("{base}/a.csv");
    let md5 = "b5ee0e3ac5a8ad0b6d9c32ba7a37f0fa";
    let pinned = |sha256: Option<String>, md5: Option<&str>, content| {
        let url = UrlFile { sha256, md5: md5.map(str::to_owned), ..url(&address) };
        let found = s.get(&wanted(None, vec![url], content));
        fs::remove_dir_all(s.path("cache/data")).unwrap();
        found.map(|found| found.remark).map_err(|error| error.to_string())
    };
    let right = clmbench_sha256(TABLE);
    assert_eq!(pinned(Some(right.clone()), None, false), Ok(None));
    assert_eq!(pinned(None, None, true), Ok(None));
    assert_eq!(pinned(None, None, false), Ok(Some("nothing is known of its bytes, so nothing could be checked".to_owned())));
    let why = pinned(Some("2".repeat(64)), None, false).unwrap_err();
    assert!(why.contains(&format!("a.csv: SHA-256 {right}, but {} is pinned", "2".repeat(64))), "{why}");
    let why = pinned(None, Some(md5), false).unwrap_err();
    assert!(why.contains(&format!(", but {md5} is pinned")), "{why}");
    let remark = pinned(None, Some(md5), true).unwrap().unwrap();
    assert!(
        remark.starts_with("its bytes are not the pinned ones (MD5 ") && remark.ends_with("; its content judges"),
        "{remark}"
    );
}

#[test]
fn what_is_cut_off_is_gone_on_with_or_thrown_away() {
    let s = Setting::new();
    let table: Vec<u8> = (0..40_000u32).flat_map(|i| format!("C{i}\n").into_bytes()).collect();
    let gz = gzip(&table);
    // A first run is stopped by silence and keeps the beginning; a second one gets the rest alone.
    let half = gz.len() / 2;
    let (base, asked) =
        server(gz.clone(), [vec![Behaviour::Stall(half)], vec![Behaviour::Stall(0); 2], vec![Behaviour::Whole]].concat());
    let pin = UrlFile { sha256: Some(clmbench_sha256(&gz)), ..url(&format!("{base}/a.csv.gz")) };
    let known = wanted(None, vec![pin], true);
    let why = s.get(&known).unwrap_err().to_string();
    assert!(why.contains("it was silent for too long") || why.contains("it stalled"), "{why}");
    assert_eq!(s.fetcher.find(&known), None, "a beginning is no file");
    // The server is not asked again by this process, but by the next.
    s.get(&known).unwrap_err();
    let next = Fetcher::new(s.path("cache"));
    assert_eq!(fs::read(next.get(&known, &AcceptedLicences::default(), &mut |_| ()).unwrap().path).unwrap(), gz);
    assert_eq!(asked.lock().unwrap().last(), Some(&Some(half)));
    // A gzip that ends early is never used.
    let (base, _) = server(gz[..half].to_vec(), vec![Behaviour::Whole]);
    let why = s.get(&wanted(None, vec![url(&format!("{base}/b.csv.gz"))], true)).unwrap_err().to_string();
    assert!(why.contains("b.csv.gz: its gzip ends early: it was cut off, and is discarded\n"), "{why}");
    // Of a file of which nothing is known, a beginning is not believed.
    let (base, asked) = server(table.clone(), vec![Behaviour::Whole]);
    for (name, content) in [("c.csv", false), ("d.csv", true)] {
        let unknown = wanted(None, vec![url(&format!("{base}/{name}"))], content);
        let path = s.fetcher.url_path(&unknown.file.urls[0]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(beside(&path, "partial"), "X0\nX1\n").unwrap();
        assert_eq!(fs::read(s.get(&unknown).unwrap().path).unwrap(), table);
    }
    assert_eq!(*asked.lock().unwrap(), [None, None]);
}

#[test]
fn a_beginning_of_another_file_is_thrown_away() {
    let s = Setting::new();
    let (base, asked) = server(TABLE.to_vec(), vec![Behaviour::Whole]);
    let url = UrlFile { sha256: Some(clmbench_sha256(TABLE)), ..url(&format!("{base}/a.csv")) };
    let path = s.fetcher.url_path(&url);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(beside(&path, "partial"), "other").unwrap();
    assert_eq!(fs::read(s.get(&wanted(None, vec![url], false)).unwrap().path).unwrap(), TABLE);
    assert_eq!(*asked.lock().unwrap(), [Some(5), None]);
}

#[test]
fn gzip_bombs_empty_files_and_switched_off_downloads_are_refused() {
    let s = Setting::new();
    let bomb = s.path("bomb.gz");
    fs::write(&bomb, gzip(&vec![0; 1 << 20])).unwrap();
    assert_eq!(whole_gzip(&bomb, 1000), Err("it unpacks to more than 1000 bytes".to_owned()));
    assert_eq!(whole_gzip(&bomb, 1 << 20), Ok(()));
    let mirror = s.folder("mirror");
    let fetcher = s.fetcher.clone().with_mirror(mirror.to_str().unwrap());
    let reason = |bytes: &[u8]| {
        fs::write(mirror.join("a.csv"), bytes).unwrap();
        let wanted = wanted(None, vec![url("https://example.org/a.csv")], true);
        match fetcher.get(&wanted, &AcceptedLicences::default(), &mut |_| ()) {
            Err(FetchError::Nowhere { places, .. }) => places,
            other => panic!("{other:?}"),
        }
    };
    let place = format!("mirror {}", mirror.join("a.csv").display());
    let at = |reason: &str| vec![PlaceFailure { place: place.clone(), reason: reason.into(), refused: false }];
    assert_eq!(reason(b""), at("the file is empty"));
    assert_eq!(reason(b"  <html>"), at("it is a web page, not the file"));
    assert_eq!(reason(&vec![b'C'; 1_000_001]), at("it has 1000001 bytes, but at most 1000000 are allowed"));
    let offline = s.fetcher.clone().offline(true);
    let wanted = wanted(None, vec![url("https://example.org/a.csv")], true);
    let error = offline.get(&wanted, &AcceptedLicences::default(), &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("\n  https://example.org/a.csv: not in the cache, and downloads are switched off\n"), "{error}");
}

#[test]
fn a_server_that_cannot_be_reached_is_asked_once() {
    let s = Setting::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let of = |name: &str| wanted(None, vec![url(&format!("http://{port}/{name}"))], true);
    s.get(&of("a.csv")).unwrap_err();
    assert!(s.fetcher.was_silent(&port.to_string()).is_some());
    // Now somebody listens, and nobody comes.
    let listener = std::net::TcpListener::bind(port).unwrap();
    listener.set_nonblocking(true).unwrap();
    s.get(&of("b.csv")).unwrap_err();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn terms_of_a_wheel_leave_the_addresses() {
    let s = Setting::new();
    let mirror = s.folder("mirror");
    let pin = wheel(&mirror);
    let fetcher = s.fetcher.clone().with_mirror(mirror.to_str().unwrap());
    let terms = OptIn { name: "some-terms".into(), terms: "Not for sale.".into() };
    let with_terms = |urls| Wanted { terms: Some(terms.clone()), ..wanted(Some(pin.clone()), urls, true) };
    let none = AcceptedLicences::default();
    let error = fetcher.get(&with_terms(vec![]), &none, &mut |_| ()).unwrap_err();
    assert!(matches!(error, FetchError::NotAccepted { .. }), "{error}");
    let both = with_terms(vec![url("https://example.org/b.csv")]);
    let error = fetcher.get(&both, &none, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains(
        "\n  wheel some-data 1.0: its terms `some-terms` are not accepted (--accept-licence some-terms accepts them)\n"
    ));
    fs::write(mirror.join("b.csv"), TABLE).unwrap();
    assert!(matches!(fetcher.get(&both, &none, &mut |_| ()).unwrap().place, Place::Mirror { .. }));
    fetcher.forget(&both).unwrap();
    let accepted = none.and(["some-terms"]);
    assert!(matches!(fetcher.get(&both, &accepted, &mut |_| ()).unwrap().place, Place::Wheel { .. }));
}

#[test]
fn what_must_not_be_used_is_told_from_what_is_not_there() {
    let s = Setting::new();
    let (base, _) = server(TABLE.to_vec(), vec![Behaviour::Whole, Behaviour::Status("404 Not Found")]);
    let wrong = UrlFile { md5: Some("9".repeat(32)), ..url(&format!("{base}/a.csv")) };
    let data = s.folder("data");
    fs::write(data.join("a.csv"), "another set's").unwrap();
    let fetcher = s.fetcher.clone().with_data(&data);
    let wanted = wanted(None, vec![wrong.clone(), UrlFile { url: format!("{base}/b.csv"), ..wrong }], false);
    let error = fetcher.get(&wanted, &AcceptedLicences::default(), &mut |_| ()).unwrap_err();
    let FetchError::Nowhere { places, .. } = &error else { panic!("{error:?}") };
    assert_eq!(places.iter().map(|place| place.refused).collect::<Vec<_>>(), [false, true, false], "{places:?}");
}

#[test]
fn other_bytes_than_the_pinned_ones_come_from_one_whole_answer() {
    let s = Setting::new();
    // The content judges, and a beginning of an older file is there: it is not put together with the rest of the new one.
    let fetched = |name: &str, beginning: Option<&[u8]>, behaviours: Vec<Behaviour>| {
        let (base, asked) = server(TABLE.to_vec(), behaviours);
        let url = UrlFile { md5: Some("9".repeat(32)), ..url(&format!("{base}/{name}")) };
        let path = s.fetcher.url_path(&url);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        beginning.into_iter().for_each(|bytes| fs::write(beside(&path, "partial"), bytes).unwrap());
        let found = s.get(&wanted(None, vec![url], true)).map_err(|error| error.to_string());
        let asked = asked.lock().unwrap().clone();
        (found.map(|found| (fs::read(found.path).unwrap(), found.remark.is_some())), asked)
    };
    let (found, asked) = fetched("a.csv", Some(b"older"), vec![Behaviour::Whole]);
    assert_eq!((found.unwrap(), asked), ((TABLE.to_vec(), true), vec![Some(5), None]));
    // An answer that does not say where it ends may be a part.
    let (found, asked) = fetched("b.csv", None, vec![Behaviour::NoLength(7)]);
    assert!(found.unwrap_err().contains("b.csv: it does not say how long the file is"), "{asked:?}");
}

#[test]
fn a_folder_of_data_that_is_called_as_a_source_is_not_the_sources_folder() {
    let s = Setting::new();
    let data = s.folder("made");
    fs::write(data.join("a.csv"), "smiles,toxic\nC,1\n").unwrap();
    let wanted = Wanted { tasks: vec!["y".into()], ..wanted(None, vec![url("https://example.org/b.csv")], true) };
    let find = || s.fetcher.clone().with_data(&data).find(&wanted);
    assert_eq!(find(), None);
    // Nor is another set's file taken because it has the publisher's name.
    fs::write(data.join("b.csv"), "smiles,toxic\nC,1\n").unwrap();
    assert_eq!(find(), None);
    fs::write(data.join("b.csv"), "mol,toxic,y\nC,1,2\n").unwrap();
    assert_eq!(find().unwrap().path, data.join("b.csv"));
    let error = s.fetcher.clone().offline(true).take_from_url(&wanted, &wanted.file.urls[0], &mut |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b.csv is not in the cache and downloads are switched off: run once without --offline (and without CLMBENCH_OFFLINE), or put \
         the file into a folder and set CLMBENCH_DATA to it"
    );
}

#[test]
fn what_is_fetched_anew_is_kept_until_it_is_replaced() {
    let s = Setting::new();
    let (base, _) = server(TABLE.to_vec(), vec![Behaviour::Whole, Behaviour::Status("404 Not Found"), Behaviour::Whole]);
    let wanted = wanted(None, vec![url(&format!("{base}/a.csv"))], true);
    let none = AcceptedLicences::default();
    let anew = s.fetcher.clone().anew();
    let first = s.fetcher.get(&wanted, &none, &mut |_| ()).unwrap();
    anew.get(&wanted, &none, &mut |_| ()).unwrap_err();
    assert_eq!(s.fetcher.find(&wanted).as_ref(), Some(&first), "the server is gone, the file is not");
    anew.clone().offline(true).get(&wanted, &none, &mut |_| ()).unwrap_err();
    assert_eq!(s.fetcher.find(&wanted).as_ref(), Some(&first));
    assert_eq!(anew.find(&wanted), None);
    assert_eq!(anew.get(&wanted, &none, &mut |_| ()).unwrap(), first);
}
