//! Files that are damaged: found by their digests, made again, with the results of a run in which nothing was.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clmbench_fetch::{Fetcher, Wheel};
use clmbench_protocol::fault;

use super::{Page, SUITE};
use crate::bench::Bench;

const RUN: &[&str] = &["run", "suite.toml", "--workers", "1"];

/// A way to damage a file: its name and what it does.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 4] = [("a flipped byte", flip), ("truncated", cut), ("of no length", empty), ("removed", remove)];

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn empty(path: &Path) {
    fs::write(path, "").unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// The same suite with another size and another metric: it reads the corpus and the checkpoint again.
fn grown() -> String {
    SUITE
        .replace("[\"a\"]", "[\"a\", \"b\"]")
        .replace("id = \"fake/loss\"\n", "id = \"fake/loss\"\n[[metric]]\nid = \"fake/noise\"\n")
}

/// The file of this name of a cell whose key starts so.
fn artifact(bench: &Bench, key: &str, name: &str) -> PathBuf {
    let cells = bench.cells();
    let (_, cell) = cells.iter().find(|(found, _)| found.starts_with(key)).unwrap_or_else(|| panic!("{key}: {cells:?}"));
    let path = bench.store().join("artifacts").join(cell.1.as_ref().unwrap()).join(name);
    assert!(path.is_file(), "{}", path.display());
    path
}

/// Computes all but the transfer, so that the embeddings are still to be read.
fn without_transfer() -> Bench {
    let bench = Bench::new(SUITE);
    bench.with(RUN, &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "\"kind\":\"transfer\"")]).code(3);
    bench
}

/// Every file that a later cell reads.
fn read_later(bench: &Bench) -> [PathBuf; 3] {
    [
        artifact(bench, "tokenise/moses", "train.bin"),
        artifact(bench, "pretrain/", "checkpoint-1/model.safetensors"),
        artifact(bench, "embed/", "embeddings.safetensors"),
    ]
}

#[test]
fn damaged_results_are_found_and_made_again() {
    let mut page = Page::new("Files: results of finished cells");
    let undisturbed = Bench::new(&grown());
    undisturbed.run();
    let again = ["run", "suite.toml", "--workers", "1", "--retry-failed"];
    for (damage, spoil) in DAMAGES {
        let bench = without_transfer();
        read_later(&bench).iter().for_each(|path| spoil(path));
        fs::write(bench.path("suite.toml"), grown()).unwrap();
        page.fault(&format!("token cache, checkpoint and embeddings {damage}"), &bench, &again, &[], 0);
        assert!(bench.cells() == undisturbed.cells());
        assert_eq!(bench.board(), undisturbed.board());
        bench.check_artifacts();
    }
    // A byte that flips on the disk leaves no time of change, nor does a clock that goes backwards: --verify hashes.
    let bench = without_transfer();
    for path in read_later(&bench) {
        flip(&path);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    }
    fs::write(bench.path("suite.toml"), grown()).unwrap();
    let thorough = ["run", "suite.toml", "--workers", "1", "--retry-failed", "--verify"];
    page.fault("a flipped byte of old date, with --verify", &bench, &thorough, &[], 0);
    assert!(bench.cells() == undisturbed.cells());
    assert_eq!(bench.board(), undisturbed.board());
    bench.check_artifacts();
    page.hold();
}

#[test]
fn a_damaged_report_is_computed_again_or_does_no_harm() {
    let mut page = Page::new("Files: cell.json");
    let undisturbed = Bench::new(SUITE);
    undisturbed.run();
    let not_json: fn(&Path) = |path| fs::write(path, "{\"output\": <>").unwrap();
    for (damage, spoil) in DAMAGES.into_iter().chain([("no JSON", not_json)]) {
        // Of a cell that a crash left complete but unrecorded: it is not adopted.
        let bench = Bench::new(SUITE);
        bench.with(RUN, &[(fault::VARIABLE, "after_rename")]).killed();
        let folders: Vec<_> = fs::read_dir(bench.store().join("artifacts")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(folders.len(), 1);
        spoil(&folders[0].join("cell.json"));
        page.fault(&format!("{damage}, of a cell that a crash left unrecorded"), &bench, RUN, &[], 0);
        // A flipped byte may still be a report, but then not of these files.
        assert!(bench.cells() == undisturbed.cells(), "{damage}");
        bench.check_artifacts();
        // Of a recorded cell: the record is the store's.
        let bench = without_transfer();
        for key in ["tokenise/", "pretrain/", "embed/"] {
            spoil(&artifact(&bench, key, "cell.json"));
        }
        page.fault(&format!("{damage}, of recorded cells"), &bench, &["run", "suite.toml", "--retry-failed"], &[], 0);
        assert!(bench.cells() == undisturbed.cells(), "{damage}");
    }
    page.hold();
}

#[test]
fn damaged_downloads_are_fetched_again_or_named() {
    let mut page = Page::new("Files: downloads");
    let source = clmbench_fetch::catalogue::moses_train();
    let wheel = Wheel::of(source.wheel.as_ref().unwrap()).unwrap();
    let theirs = Fetcher::new(clmbench_fetch::cache_dir().unwrap());
    let (data, kept) = (theirs.cached_source_file(&source).unwrap(), theirs.wheel_path(&wheel));
    if !kept.is_file() {
        println!("skipped: {} is not there", kept.display());
        return;
    }
    let bench = Bench::new(SUITE);
    fs::remove_file(bench.path("cache/data")).unwrap(); // the link to the user's own
    let ours = Fetcher::new(bench.path("cache"));
    let here = bench.path("cache/data").join(data.strip_prefix(theirs.cache().join("data")).unwrap());
    fs::create_dir_all(here.parent().unwrap()).unwrap();
    fs::create_dir_all(bench.path("cache/wheels")).unwrap();
    let again = || fs::remove_dir_all(bench.store()).unwrap();
    for (damage, spoil) in DAMAGES {
        fs::copy(&data, &here).unwrap();
        spoil(&here);
        page.fault(&format!("data file {damage}, wheel not there, no network"), &bench, RUN, &[], 4);
        fs::copy(&kept, ours.wheel_path(&wheel)).unwrap();
        page.fault(&format!("data file {damage}, wheel there"), &bench, RUN, &[], 0);
        assert_eq!(fs::read(&here).unwrap(), fs::read(&data).unwrap());
        again();
        fs::remove_file(&here).unwrap();
        spoil(&ours.wheel_path(&wheel));
        page.fault(&format!("wheel {damage}, no network"), &bench, RUN, &[], 4);
        assert!(!ours.wheel_path(&wheel).exists(), "it is removed");
    }
    let mirror = bench.path("mirror");
    fs::create_dir(&mirror).unwrap();
    let variables = [("CLMBENCH_MIRROR", mirror.to_str().unwrap())];
    page.fault("the mirror has no such wheel", &bench, RUN, &variables, 4);
    fs::write(mirror.join(&*wheel.file_name), "another wheel").unwrap();
    page.fault("the mirror has another wheel", &bench, RUN, &variables, 4);
    fs::copy(&kept, mirror.join(&*wheel.file_name)).unwrap();
    page.fault("the mirror is mended", &bench, RUN, &variables, 0);
    page.hold();
}

#[test]
fn a_damaged_description_is_asked_for_again() {
    let bench = Bench::new(SUITE);
    bench.clmbench(&["plan", "suite.toml"]).code(0);
    let folder = bench.path("cache/describe");
    let kept: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    let whole = fs::read(&kept[0]).unwrap();
    let without_file: [fn(&Path); 3] = [cut, empty, remove];
    for spoil in without_file {
        spoil(&kept[0]);
        bench.clmbench(&["plan", "suite.toml"]).code(0);
        assert_eq!(fs::read(&kept[0]).unwrap(), whole);
    }
}
