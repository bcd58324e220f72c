//! Plugin folders that cannot be used, each named with the next step.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use clmbench_tests::manifest::{PLUGIN, manifest};

use super::{Page, SUITE, may_mount, mounted};
use crate::bench::Bench;

const LIST: &[&str] = &["plugin", "list"];
const PLAN: &[&str] = &["plan", "suite.toml"];
const LIBRARY: &str = "libclmbench_plugin_fake.so";

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_anyone_can_write_is_not_opened() {
    let mut page = Page::new("Plugins: world-writable");
    let bench = Bench::new(SUITE);
    let (folders, folder) = (bench.path("plugins"), bench.path("plugins").join(PLUGIN));
    for (fault, path, bad, good) in [
        ("the folder of plugins", folders.clone(), 0o777, 0o755),
        ("the folder of plugins, as /tmp is", folders, 0o1777, 0o755),
        ("the plugin's folder", folder.clone(), 0o777, 0o755),
        ("plugin.toml", folder.join("plugin.toml"), 0o666, 0o644),
        ("the library", folder.join(LIBRARY), 0o666, 0o644),
    ] {
        mode(&path, bad);
        page.fault(fault, &bench, PLAN, &[], 4);
        assert!(!bench.path("cache/describe").exists(), "the library was not opened");
        mode(&path, good);
    }
    let elsewhere = bench.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    mode(&elsewhere, 0o1777);
    fs::rename(folder.join(LIBRARY), elsewhere.join(LIBRARY)).unwrap();
    symlink(elsewhere.join(LIBRARY), folder.join(LIBRARY)).unwrap();
    page.fault("a link to a library in a folder as /tmp is", &bench, PLAN, &[], 4);
    mode(&elsewhere, 0o755);
    page.fault("mended", &bench, PLAN, &[], 0);
    page.hold();
}

#[test]
fn what_is_missing_or_malformed_is_named_and_the_others_go_on() {
    let mut page = Page::new("Plugins: missing, malformed, twice");
    let bench = Bench::new(SUITE);
    let other = bench.path("plugins/other");
    fs::create_dir(&other).unwrap();
    let card = other.join("plugin.toml");
    let text = |name: &str, library: &str| format!("name = \"{name}\"\nversion = \"0.1.0\"\nlibrary = \"{library}\"\n");
    page.fault("a folder without plugin.toml is none", &bench, LIST, &[], 0);
    for (fault, bytes) in [
        ("plugin.toml is empty", Vec::new()),
        ("plugin.toml is no TOML", b"name = \n".to_vec()),
        ("plugin.toml is no text", vec![0xFF, 0xFE, 0x00]),
        ("plugin.toml lacks a key", b"name = \"other\"\nversion = \"0.1.0\"\n".to_vec()),
        ("plugin.toml has a key too many", format!("{}author = \"x\"\n", text("other", "lib.so")).into_bytes()),
        ("plugin.toml leads elsewhere", text("other", "../lib.so").into_bytes()),
        ("the library is not there", text("other", "libother.so").into_bytes()),
    ] {
        fs::write(&card, bytes).unwrap();
        page.fault(fault, &bench, LIST, &[], 4);
        bench.clmbench(PLAN).code(0);
    }
    fs::create_dir(other.join("libother.so")).unwrap();
    page.fault("the library is a folder", &bench, LIST, &[], 4);
    fs::remove_dir(other.join("libother.so")).unwrap();
    fs::write(other.join("libother.so"), "").unwrap();
    page.fault("the library is empty", &bench, LIST, &[], 4);
    fs::write(other.join("libother.so"), serde_json::to_string(&manifest("0.1.0")).unwrap()).unwrap();
    page.fault("plugin.toml and library differ", &bench, LIST, &[], 4);
    // The same plugin twice: the folder that comes first by name is used, and it is said.
    fs::write(&card, text(PLUGIN, "libother.so")).unwrap();
    page.fault("the same library in two folders", &bench, LIST, &[], 0);
    let mut second = manifest("0.2.0");
    fs::write(other.join("libother.so"), serde_json::to_string(&second).unwrap()).unwrap();
    fs::write(&card, text(PLUGIN, "libother.so").replace("0.1.0", "0.2.0")).unwrap();
    page.fault("two plugins of one name", &bench, LIST, &[], 4);
    second.name = "other".into();
    second.architectures.clear();
    second.datasets.clear();
    fs::write(other.join("libother.so"), serde_json::to_string(&second).unwrap()).unwrap();
    fs::write(&card, text("other", "libother.so").replace("0.1.0", "0.2.0")).unwrap();
    page.fault("two plugins with one metric", &bench, LIST, &[], 4);
    bench.clmbench(PLAN).code(0);
    fs::remove_file(&card).unwrap();
    symlink("nowhere", &card).unwrap();
    page.fault("plugin.toml is a link to nowhere", &bench, LIST, &[], 4);
    page.hold();
}

#[test]
fn folders_that_are_not_there_or_read_only() {
    let mut page = Page::new("Plugins: the folder");
    let bench = Bench::new(SUITE);
    let absent = bench.path("absent");
    page.fault("a folder that was asked for is not there", &bench, PLAN, &[("CLMBENCH_PLUGINS", absent.to_str().unwrap())], 4);
    let plugin = bench.path("plugins").join(PLUGIN);
    page.fault("a plugin instead of a folder of plugins", &bench, PLAN, &[("CLMBENCH_PLUGINS", plugin.to_str().unwrap())], 4);
    let file = bench.path("suite.toml");
    page.fault("a file instead of a folder", &bench, PLAN, &[("CLMBENCH_PLUGINS", file.to_str().unwrap())], 4);
    if may_mount() {
        let answer = mounted(&bench, "mount --bind plugins plugins && mount -o remount,bind,ro plugins", PLAN, &[]);
        page.note("read-only, which does no harm", &bench, PLAN, answer, 0);
        page.hold();
    }
}
