#![allow(clippy::unwrap_used)]
use std::{fs, sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    loopback::{Loopback, Route},
    *,
};
use crate::digest::hex;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const API: &str = "/api/models/lab/small";

fn git_sha1(bytes: &[u8]) -> String {
    hex(&Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

fn weights() -> Vec<u8> {
    // Its first bytes are those of a header of 15,392 bytes, and look like a web page.
    let mut bytes = b" <\0\0\0\0\0\0".to_vec();
    bytes.extend((0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8));
    bytes
}

/// The listing's line of a small file, or of one with LFS.
fn small(name: &str, bytes: &[u8]) -> Value {
    json!({"type": "file", "path": name, "size": bytes.len(), "oid": git_sha1(bytes)})
}

fn large(name: &str, bytes: &[u8]) -> Value {
    let sha256 = hex(&Sha256::digest(bytes));
    json!({"type": "file", "path": name, "size": bytes.len(), "oid": "0".repeat(40),
        "lfs": {"oid": sha256, "size": bytes.len(), "pointerSize": 134}})
}

fn page(entries: Vec<Value>) -> Route {
    Route::Bytes(serde_json::to_vec(&entries).unwrap())
}

/// A hub with a model of a config, a vocabulary that begins like a web page, weights, and things that are not taken.
fn hub() -> Loopback {
    let hub = Loopback::new();
    let (config, vocab) = (b"{\"model_type\":\"bert\"}".to_vec(), b"<pad>\nC\n".to_vec());
    let model = || Route::Bytes(format!("{{\"id\":\"lab/small\",\"sha\":\"{COMMIT}\",\"siblings\":[]}}").into_bytes());
    hub.at(&format!("{API}/revision/main"), vec![model()]);
    hub.at(&format!("{API}/revision/refs%2Fpr%2F1"), vec![model()]);
    hub.at(&format!("{API}/revision/{COMMIT}"), vec![model()]);
    hub.at(
        &format!("{API}/tree/{COMMIT}"),
        vec![page(vec![
            json!({"type": "directory", "path": "onnx", "oid": "1".repeat(40), "size": 0}),
            small("README.md", b"# x"),
            small("modeling.py", b"import os"),
            small("config.json", &config),
            small("vocab.txt", &vocab),
            large("pytorch_model.bin", b"pickle"),
            large("model.safetensors", &weights()),
        ])],
    );
    for (name, bytes) in [("config.json", config), ("vocab.txt", vocab), ("model.safetensors", weights())] {
        hub.at(&format!("/lab/small/resolve/{COMMIT}/{name}"), vec![Route::Bytes(bytes)]);
    }
    hub
}

fn at_file(hub: &Loopback, name: &str, answers: Vec<Route>) {
    hub.at(&format!("/lab/small/resolve/{COMMIT}/{name}"), answers);
}

fn list(hub: &Loopback, entries: Vec<Value>) {
    hub.at(&format!("{API}/tree/{COMMIT}"), vec![page(entries)]);
}

struct Setting {
    dir: tempfile::TempDir,
    hub: Loopback,
}

impl Setting {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), hub: hub() }
    }

    fn client(&self, token: Option<&str>) -> Hub {
        let fetcher = Fetcher::new(self.dir.path().to_owned()).with_patience(Duration::from_millis(300));
        Hub::new(fetcher, &self.hub.url, token.map(|token| Token::new(token).unwrap())).unwrap()
    }

    fn fetch(&self, text: &str) -> Result<HubFolder, FetchError> {
        self.client(None).fetch(&HubPlace::parse(text).unwrap(), &mut |_| ())
    }

    /// Why the model is not had; nothing of it bears its name.
    #[track_caller]
    fn refusal(&self) -> String {
        self.refusal_with(None)
    }

    #[track_caller]
    fn refusal_with(&self, token: Option<&str>) -> String {
        let error = self.client(token).fetch(&HubPlace::parse("lab/small").unwrap(), &mut |_| ()).unwrap_err();
        assert!(!self.folder().exists() && cached("lab/small", COMMIT, self.dir.path()).is_none());
        error.to_string().replace(&self.hub.url, "HUB").replace(self.dir.path().to_str().unwrap(), "CACHE")
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("hub/lab--small").join(COMMIT)
    }
}

#[test]
fn a_model_is_fetched_once_and_told_before() {
    let s = Setting::new();
    let mut told = Vec::new();
    let place = HubPlace::parse("lab/small@main").unwrap();
    let found = s.client(None).fetch(&place, &mut |step| told.push(step)).unwrap();
    assert_eq!(found.folder, s.folder());
    assert_eq!((found.commit.as_str(), found.address.as_deref()), (COMMIT, Some(s.hub.url.as_str())));
    let names: Vec<&str> = found.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["vocab.txt", "config.json", "model.safetensors"], "no pickle, no code, no folder");
    assert_eq!(found.files[2].sha256, hex(&Sha256::digest(weights())));
    assert_eq!(fs::read(found.folder.join("model.safetensors")).unwrap(), weights());
    assert_eq!(fs::read(found.folder.join("vocab.txt")).unwrap(), b"<pad>\nC\n");
    let mut left: Vec<_> = fs::read_dir(&found.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["config.json", "hub.json", "model.safetensors", "vocab.txt"]);
    let first = Progress { phase: Phase::Fetching, name: "lab/small at 0123456789ab".into(), done: 0, total: found.bytes() };
    assert_eq!(told[0], first);
    // By its commit it needs no request; by a branch, one.
    s.hub.asked();
    let again = s.fetch(&format!("lab/small@{COMMIT}")).unwrap();
    assert_eq!((&again, s.hub.asked().len()), (&found, 0));
    assert_eq!(s.fetch("lab/small@refs/pr/1").unwrap(), found);
    let asked: Vec<String> = s.hub.asked().into_iter().map(|(path, ..)| path).collect();
    assert_eq!(asked, ["/api/models/lab/small/revision/refs%2Fpr%2F1"]);
    assert_eq!(cached("lab/small", COMMIT, s.dir.path()), Some(found.clone()));
    assert_eq!(cached("lab/other", COMMIT, s.dir.path()), None);
    assert_eq!(cached("lab/small", "main", s.dir.path()), None);
    // A damaged folder is not believed, and replaced.
    fs::write(found.folder.join("vocab.txt"), "x").unwrap();
    assert_eq!(cached("lab/small", COMMIT, s.dir.path()), None);
    assert_eq!(s.fetch(&format!("lab/small@{COMMIT}")).unwrap(), found);
}

#[test]
fn a_file_that_was_written_since_is_proved_again() {
    let s = Setting::new();
    let whole = || cached("lab/small", COMMIT, s.dir.path());
    let found = s.fetch(&format!("lab/small@{COMMIT}")).unwrap();
    let record = || fs::read_to_string(found.folder.join("hub.json")).unwrap();
    // The same bytes with another time, as after a copy: proved, and written down.
    let weights = found.folder.join("model.safetensors");
    let (bytes, before) = (fs::read(&weights).unwrap(), record());
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let touch = |time| fs::File::options().append(true).open(&weights).unwrap().set_modified(time).unwrap();
    touch(later);
    assert_eq!(whole(), Some(found.clone()));
    assert_ne!(record(), before);
    assert_eq!(whole(), Some(found.clone()));
    // A bit is another: not believed, and fetched anew.
    let mut damaged = bytes.clone();
    damaged[0] ^= 1;
    fs::write(&weights, damaged).unwrap();
    assert_eq!(whole(), None);
    assert_eq!(s.fetch(&format!("lab/small@{COMMIT}")).unwrap(), found);
    assert_eq!((fs::read(&weights).unwrap(), whole()), (bytes, Some(found)));
}

#[test]
fn files_too_large_to_be_read_are_refused_before_the_weights_come() {
    let s = Setting::new();
    let long = vec![b' '; (1 << 20) + 1];
    list(&s.hub, vec![small("config.json", &long), large("model.safetensors", b"x")]);
    assert_eq!(
        s.refusal(),
        "config.json of lab/small has 1048577 bytes, but at most 1048576 are taken: name another model or revision"
    );
    assert_eq!(s.hub.asked().iter().filter(|(path, ..)| path.contains("/resolve/")).count(), 0);
}

#[test]
fn a_fetch_goes_on_where_it_was_cut() {
    let s = Setting::new();
    let stalls = || Route::Stall(weights(), 50_000);
    at_file(&s.hub, "model.safetensors", vec![Route::Cut(weights(), 70_000), stalls(), Route::Status("404 Not Found", "")]);
    assert_eq!(
        s.refusal(),
        format!(
            "HUB/lab/small/resolve/{COMMIT}/model.safetensors did not deliver: status 404 Not Found. Run this again: it goes on where it \
                 stopped"
        )
    );
    s.hub.asked();
    at_file(&s.hub, "model.safetensors", vec![Route::Bytes(weights())]);
    s.fetch("lab/small").unwrap();
    let of_files: Vec<_> = s.hub.asked().into_iter().filter(|(path, ..)| path.contains("/resolve/")).collect();
    assert_eq!(of_files.len(), 1, "the small files are there already: {of_files:?}");
    assert_eq!(of_files[0].2, Some(120_000));
    assert_eq!(fs::read(s.folder().join("model.safetensors")).unwrap(), weights());
}

#[test]
fn a_fetch_ends_where_it_is_told_to() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let s = Setting::new();
    let place = HubPlace::parse("lab/small").unwrap();
    STOP.store(true, Ordering::SeqCst);
    let said = s.client(None).stopped_by(&STOP).fetch(&place, &mut |_| ()).unwrap_err().to_string();
    assert!(said.contains("did not deliver: it was stopped after ") && said.ends_with("it goes on where it stopped"), "{said}");
    STOP.store(false, Ordering::SeqCst);
    s.client(None).fetch(&place, &mut |_| ()).unwrap();
}

#[test]
fn a_foreign_beginning_is_found_by_the_digest_and_fetched_anew() {
    let s = Setting::new();
    let work = s.dir.path().join("hub/lab--small").join(format!("{COMMIT}.partial"));
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join("model.safetensors.part"), b"not its first bytes").unwrap();
    fs::write(work.join("config.json"), b"not the config").unwrap();
    s.fetch("lab/small").unwrap();
    assert_eq!(fs::read(s.folder().join("model.safetensors")).unwrap(), weights());
}

#[test]
fn other_bytes_than_the_listed_ones_are_refused() {
    let s = Setting::new();
    let other: Vec<u8> = weights().iter().map(|byte| !byte).collect();
    at_file(&s.hub, "model.safetensors", vec![Route::Bytes(other.clone())]);
    assert_eq!(
        s.refusal(),
        format!(
            "model.safetensors of lab/small has SHA-256 {}, but the hub lists {}; it was removed. Run this again; if it comes back, the \
             source is not to be trusted",
            hex(&Sha256::digest(&other)),
            hex(&Sha256::digest(weights()))
        )
    );
    let s = Setting::new();
    at_file(&s.hub, "config.json", vec![Route::Bytes(b"{\"model_type\":\"evil\"}".to_vec())]);
    assert!(s.refusal().starts_with("config.json of lab/small has git SHA-1 "), "{}", s.refusal());
}

#[test]
fn a_server_that_lies_about_length_or_stalls_is_bounded() {
    let s = Setting::new();
    let longer = [weights(), weights()].concat();
    at_file(&s.hub, "model.safetensors", vec![Route::Bytes(longer)]);
    let said = s.refusal();
    assert!(said.contains("it sends 400016 bytes or more, but at most 200008 are allowed"), "{said}");
    at_file(&s.hub, "model.safetensors", vec![Route::Endless]);
    let said = s.refusal();
    assert!(said.contains("bytes or more, but at most 200008 are allowed"), "{said}");
    at_file(&s.hub, "model.safetensors", vec![Route::Bytes(weights()[..100].to_vec())]);
    let said = s.refusal();
    assert!(said.starts_with("model.safetensors of lab/small has SHA-256 "), "{said}");
    at_file(&s.hub, "model.safetensors", vec![Route::Stall(weights(), 0)]);
    let said = s.refusal();
    assert!(said.contains("HUB cannot be asked (it stalled: no byte for 0.3 s after 0 bytes)"), "{said}");
    at_file(&s.hub, "model.safetensors", vec![Route::Html]);
    let said = s.refusal();
    assert!(said.contains("it answers with a web page (text/html) instead of the file"), "{said}");
    // So are the answers before the files.
    s.hub.at(&format!("{API}/tree/{COMMIT}"), vec![Route::Endless]);
    let said = s.refusal();
    assert!(said.contains("bytes or more, but at most 8388608 are allowed"), "{said}");
    s.hub.at(&format!("{API}/revision/main"), vec![Route::Stall(b"{\"sha\":".to_vec(), 3)]);
    let said = s.refusal();
    assert!(said.starts_with("lab/small@main is not in the cache and HUB cannot be asked (it stalled"), "{said}");
}

#[test]
fn hostile_listings_are_refused_by_name() {
    let s = Setting::new();
    let refused = |name: &str, kind: &str| {
        let entry = json!({"type": kind, "path": name, "size": 1, "oid": "0".repeat(40)});
        list(&s.hub, vec![small("config.json", b"{}"), large("model.safetensors", b"x"), entry]);
        s.refusal()
    };
    let end = "; nothing of it is taken. Do not use this model";
    assert_eq!(refused("../../.bashrc", "file"), format!("lab/small lists `../../.bashrc`, which leads out of its folder{end}"));
    assert_eq!(refused("/etc/passwd", "file"), format!("lab/small lists `/etc/passwd`, which is an absolute path{end}"));
    assert_eq!(refused("..\\x", "file"), format!("lab/small lists `..\\x`, which holds a backslash{end}"));
    assert_eq!(
        refused("a\u{1b}[2J", "file"),
        format!("lab/small lists `a\u{fffd}[2J`, which holds characters that cannot be shown{end}")
    );
    assert_eq!(refused("x", "symlink"), format!("lab/small lists `x`, which is neither a file nor a folder{end}"));
    assert_eq!(refused("config.json", "file"), format!("lab/small lists `config.json`, which is listed twice{end}"));
    assert_eq!(s.hub.asked().iter().filter(|(path, ..)| path.contains("/resolve/")).count(), 0, "nothing is downloaded");
    let wrong = |entry: Value| {
        list(&s.hub, vec![small("config.json", b"{}"), entry]);
        s.refusal()
    };
    let no_digest = json!({"type": "file", "path": "model.safetensors", "size": 1, "oid": "../x"});
    assert_eq!(wrong(no_digest), format!("lab/small lists `model.safetensors`, which has no digest{end}"));
    let mut two_sizes = large("model.safetensors", b"x");
    two_sizes["size"] = json!(2);
    assert_eq!(wrong(two_sizes), format!("lab/small lists `model.safetensors`, which is listed with two sizes{end}"));
    let mut huge = large("model.safetensors", b"x");
    huge["size"] = json!(u64::MAX);
    huge["lfs"]["size"] = json!(u64::MAX);
    assert_eq!(
        wrong(huge),
        "model.safetensors of lab/small has 18446744073709551615 bytes, but at most 20000000000 are taken: name another model or revision"
    );
    let mut negative = large("model.safetensors", b"x");
    negative["size"] = json!(-1);
    let said = wrong(negative);
    assert!(
        said.starts_with(&format!("HUB{API}/tree/{COMMIT} gives no listing of a model: invalid value: integer `-1`")),
        "{said}"
    );
    s.hub.at(&format!("{API}/tree/{COMMIT}"), vec![Route::Bytes(vec![b'['; 1 << 20])]);
    let said = s.refusal();
    assert!(said.contains("gives no listing of a model: "), "{said}");
    s.hub.at(&format!("{API}/revision/main"), vec![Route::Bytes(b"{\"sha\":\"../../x\"}".to_vec())]);
    assert_eq!(
        s.refusal(),
        format!("HUB{API}/revision/main gives no listing of a model: its commit is `../../x`; nothing of it is taken")
    );
    let other = format!("{{\"sha\":\"{}\"}}", "f".repeat(40));
    s.hub.at(&format!("{API}/revision/{COMMIT}"), vec![Route::Bytes(other.into_bytes())]);
    let said = s.fetch(&format!("lab/small@{COMMIT}")).unwrap_err().to_string();
    assert!(said.contains(&format!("asked for commit {COMMIT}, it tells ffff")), "{said}");
}

#[test]
fn pages_are_put_together_and_bounded() {
    let s = Setting::new();
    let tree = format!("{API}/tree/{COMMIT}");
    let first = serde_json::to_vec(&[small("config.json", b"{\"model_type\":\"bert\"}")]).unwrap();
    let link = |to: &str| format!("<{to}>; rel=\"next\"");
    let second = format!("{tree}?cursor=2");
    s.hub.at(&tree, vec![Route::Page(first.clone(), link(&format!("{}{second}", s.hub.url)))]);
    s.hub.at(&second, vec![page(vec![large("model.safetensors", &weights())])]);
    let names: Vec<String> = s.fetch("lab/small").unwrap().files.into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["config.json", "model.safetensors"]);
    let s = Setting::new();
    s.hub.at(&tree, vec![Route::Page(b"[]".to_vec(), link(&format!("{}{tree}", s.hub.url)))]);
    assert_eq!(s.refusal(), format!("HUB{tree} gives no listing of a model: it has more than 20 pages; nothing of it is taken"));
    s.hub.at(&tree, vec![Route::Page(first, link("https://elsewhere.org/x?token=1"))]);
    assert_eq!(
        s.refusal(),
        format!(
            "HUB{tree} gives no listing of a model: it goes on at `https://elsewhere.org/x`, which is another server; nothing of it is \
                 taken"
        )
    );
}

#[test]
fn weights_are_taken_whole_or_in_parts() {
    let s = Setting::new();
    let config = small("config.json", b"{\"model_type\":\"bert\"}");
    let parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let mut entries =
        vec![config, small("model.safetensors.index.json", b"{}"), large(parts[0], b"part 1"), large(parts[1], b"part 2")];
    at_file(&s.hub, "model.safetensors.index.json", vec![Route::Bytes(b"{}".to_vec())]);
    at_file(&s.hub, parts[0], vec![Route::Bytes(b"part 1".to_vec())]);
    at_file(&s.hub, parts[1], vec![Route::Bytes(b"part 2".to_vec())]);
    list(&s.hub, entries.clone());
    assert_eq!(s.fetch("lab/small").unwrap().files.len(), 4);
    let s = Setting::new();
    entries.push(large("model.safetensors", &weights()));
    list(&s.hub, entries);
    let names: Vec<String> = s.fetch("lab/small").unwrap().files.into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["config.json", "model.safetensors"]);
}

#[test]
fn pickle_is_refused_before_anything_is_downloaded() {
    let s = Setting::new();
    list(&s.hub, vec![small("config.json", b"{}"), large("pytorch_model.bin", b"x")]);
    assert_eq!(
        s.refusal(),
        format!(
            "lab/small@{COMMIT} has its weights only as pickle (`pytorch_model.bin`), which can run code when it is read, and is never read \
             here. A safetensors copy may wait as a proposal: look at HUB/lab/small/discussions, and write lab/small@refs/pr/N for number N. Or \
             convert it where you trust it: `python -c \"from transformers import AutoModelForMaskedLM as M, AutoTokenizer as T; \
             M.from_pretrained('lab/small').save_pretrained('DIR'); T.from_pretrained('lab/small').save_pretrained('DIR')\"`, and give DIR"
        )
    );
    assert_eq!(s.hub.asked().iter().filter(|(path, ..)| path.contains("/resolve/")).count(), 0);
    list(&s.hub, vec![small("config.json", b"{}"), large("tf_model.h5", b"x")]);
    assert_eq!(
        s.refusal(),
        format!(
            "lab/small@{COMMIT} has its weights only in the form of TensorFlow (`tf_model.h5`), which is not read here. Convert it once, with \
             version 4 of `transformers`: `python -c \"from transformers import AutoModelForMaskedLM as M, AutoTokenizer as T; \
             M.from_pretrained('lab/small', from_tf=True).save_pretrained('DIR'); T.from_pretrained('lab/small').save_pretrained('DIR')\"`, \
             and give DIR"
        )
    );
    let said = "so it is no checkpoint that can be read: name another model or revision";
    list(&s.hub, vec![small("config.json", b"{}"), large("x/pytorch_model.bin", b"x")]);
    assert_eq!(s.refusal(), format!("lab/small@{COMMIT} has no weights (model.safetensors), {said}"));
    list(&s.hub, vec![large("model.safetensors", b"x")]);
    assert_eq!(s.refusal(), format!("lab/small@{COMMIT} has no config.json, {said}"));
}

#[test]
fn who_may_not_read_is_told_what_to_do() {
    let s = Setting::new();
    let revision = format!("{API}/revision/main");
    s.hub.at(&revision, vec![Route::Status("401 Unauthorized", "RepoNotFound")]);
    let no_model =
        "there is no model lab/small at HUB, or it is private: correct the name, or set HF_TOKEN to a token that may read it";
    assert_eq!(s.refusal(), no_model);
    s.hub.at(&revision, vec![Route::Status("404 Not Found", "")]);
    assert_eq!(s.refusal(), no_model);
    s.hub.at(&revision, vec![Route::Status("404 Not Found", "RevisionNotFound")]);
    assert_eq!(
        s.refusal(),
        "lab/small has no revision `main`: write one of its branches, tags or commits (40 hex digits), which HUB/lab/small/commits/main lists"
    );
    let s = Setting::new();
    at_file(&s.hub, "config.json", vec![Route::Status("403 Forbidden", "GatedRepo")]);
    assert_eq!(
        s.refusal(),
        "lab/small is given only to those who may read it (status 403 Forbidden): open HUB/lab/small, accept its terms there, and set \
         HF_TOKEN to a token of yours"
    );
    let said = s.refusal_with(Some("hf_secret"));
    assert!(
        said.ends_with("set HF_TOKEN to a token that may read it (the one that is set may not)") && !said.contains("secret"),
        "{said}"
    );
}

#[test]
fn the_token_is_told_to_the_hub_alone() {
    let s = Setting::new();
    let elsewhere = Loopback::new();
    elsewhere.at("/store/abc", vec![Route::Cut(weights(), 70_000), Route::Bytes(weights())]);
    at_file(&s.hub, "model.safetensors", vec![Route::To(format!("{}/store/abc?signed=1", elsewhere.url))]);
    elsewhere.at("/store/abc?signed=1", vec![Route::Cut(weights(), 70_000), Route::Bytes(weights())]);
    at_file(&s.hub, "config.json", vec![Route::To("/cache/config".to_owned())]);
    s.hub.at("/cache/config", vec![Route::Bytes(b"{\"model_type\":\"bert\"}".to_vec())]);
    let place = HubPlace::parse("lab/small").unwrap();
    s.client(Some("hf_secret")).fetch(&place, &mut |_| ()).unwrap();
    let asked = s.hub.asked();
    assert!(asked.iter().all(|(_, told, _)| told.as_deref() == Some("Bearer hf_secret")), "{asked:?}");
    let asked = elsewhere.asked();
    assert!(asked.iter().all(|(_, told, _)| told.is_none()), "{asked:?}");
    assert_eq!(asked.iter().map(|(.., from)| *from).collect::<Vec<_>>(), [None, Some(70_000)]);
    let text = fs::read_to_string(s.folder().join("hub.json")).unwrap();
    assert!(!text.contains("secret") && !text.contains("signed"), "{text}");
    // Down to another server's http, it is not followed.
    let s = Setting::new();
    at_file(&s.hub, "config.json", vec![Route::To("http://example.org/x?token=1".to_owned())]);
    let said = s.refusal_with(Some("hf_secret"));
    assert!(
        said.contains("it redirects to `http://example.org/x`, which is not followed: only https is, and the same server"),
        "{said}"
    );
    at_file(&s.hub, "config.json", vec![Route::To(format!("/lab/small/resolve/{COMMIT}/config.json"))]);
    assert!(s.refusal().contains("it redirects more than 5 times"));
}

#[test]
fn out_of_reach_it_says_what_to_place_where() {
    let dir = tempfile::tempdir().unwrap();
    let fetcher = Fetcher::new(dir.path().to_owned()).with_patience(Duration::from_millis(200));
    let place = HubPlace::new("lab/small", COMMIT).unwrap();
    let offline = Hub::new(fetcher.clone().offline(true), "https://hub.invalid", None).unwrap();
    let said = offline.fetch(&place, &mut |_| ()).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "CACHE");
    let needed = "config.json, model.safetensors and tokenizer.json (or the vocabulary files)";
    let end = format!(
        "or put {needed} of it into CACHE/hub/lab--small/{COMMIT}; `[[checkpoint]] path = \"FOLDER\"` takes any folder of them"
    );
    assert_eq!(
        said,
        format!(
            "lab/small@{COMMIT} is not in the cache and downloads are switched off: run once without --offline (and without \
                 CLMBENCH_OFFLINE), {end}"
        )
    );
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = Hub::new(fetcher.clone(), &format!("http://{port}"), None).unwrap();
    let said = dead.fetch(&HubPlace::parse("lab/small").unwrap(), &mut |_| ()).unwrap_err().to_string();
    let begin = format!("lab/small@main is not in the cache and http://{port} cannot be asked (");
    let end = "): run this again with a network (HF_ENDPOINT names another hub), or put config.json";
    assert!(said.starts_with(&begin) && said.contains(end) && said.contains("/hub/lab--small/COMMIT; "), "{said}");
    // What is placed there is taken, though no hub vouches for it.
    let folder = dir.path().join("hub/lab--small").join(COMMIT);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    assert_eq!(cached("lab/small", COMMIT, dir.path()), None);
    fs::write(folder.join("model.safetensors"), weights()).unwrap();
    let found = offline.fetch(&place, &mut |_| ()).unwrap();
    assert_eq!((found.files.len(), &found.address, &found.date), (2, &None, &None));
    assert_eq!(found.files[1].sha256, hex(&Sha256::digest(weights())));
}
