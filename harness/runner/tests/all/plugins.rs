//! Discovery on fake libraries: what is taken, what is refused and how that is said.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clmbench_protocol::{CostClass, PluginManifest};
use clmbench_runner::plugins::{Describer, Discovery, PluginFolders, discover, is_pre_release};
use serde_json::json;

use super::support::{fake_worker, offers};

/// A plugin folder whose fake library holds this text.
fn install(folder: &Path, name: &str, library: &str) -> PathBuf {
    let plugin = folder.join(name);
    fs::create_dir_all(&plugin).unwrap();
    fs::write(plugin.join("plugin.toml"), format!("name = \"{name}\"\nversion = \"0.1.0\"\nlibrary = \"lib.so\"\n")).unwrap();
    fs::write(plugin.join("lib.so"), library).unwrap();
    plugin
}

fn manifest(name: &str, metric: &str) -> String {
    let mut plugin = offers::plugin(name, "0.1.0");
    plugin.manifest.metrics = vec![offers::metric(metric, CostClass::Cheap)];
    json!({ "ok": plugin.manifest }).to_string()
}

fn find(folder: &Path, cache: Option<&Path>) -> Discovery {
    let describer = Describer::new(fake_worker::path(), cache).with_limit(Duration::from_secs(3));
    discover(&PluginFolders { asked: vec![folder.to_owned()], usual: vec!["/no/such/folder".into()] }, &describer)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn good_ones_are_taken_and_every_bad_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    install(root, "good", &manifest("good", "loss/one"));
    install(root, "same-metric", &manifest("same-metric", "loss/one"));
    install(root, "version", &json!({ "error": { "kind": "api_version", "message": "built for 2.0, this is 1.0" } }).to_string());
    install(root, "hang", "hang");
    install(root, "abort", "abort");
    install(root, "nonsense", "nonsense");
    install(root, "liar", &manifest("another", "loss/two"));
    let absent = install(root, "absent", "");
    fs::remove_file(absent.join("lib.so")).unwrap();
    let outside = install(root, "outside", "");
    fs::write(outside.join("plugin.toml"), "name = \"outside\"\nversion = \"1.0.0\"\nlibrary = \"../lib.so\"\n").unwrap();
    let typo = install(root, "typo", "");
    fs::write(typo.join("plugin.toml"), "nam = \"typo\"\n").unwrap();
    mode(&install(root, "open-folder", ""), 0o777);
    mode(&install(root, "open-library", "").join("lib.so"), 0o666);
    fs::create_dir(root.join("no-plugin")).unwrap();

    let start = Instant::now();
    let found = find(root, None);
    assert!(start.elapsed() < Duration::from_secs(12), "the hanging one is stopped");
    let names: Vec<&str> = found.plugins.plugins().iter().map(|plugin| plugin.manifest.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    let expected = [
        ("abort", "was killed by SIGABRT without describing it; it last said: library says goodbye"),
        ("absent", "is not there"),
        ("hang", "within 3 s"),
        ("liar", "plugin.toml says liar 0.1.0, but the library says another 0.1.0"),
        ("nonsense", "ended without describing it"),
        ("open-folder", "anyone on this machine can write to it"),
        ("open-library", "Run `chmod o-w "),
        ("outside", "`library` must be a file name"),
        ("same-metric", "metric `loss/one` of same-metric 0.1.0 is already offered by good 0.1.0 in "),
        ("typo", "unknown field `nam`"),
        ("version", "built for 2.0, this is 1.0. Rebuild it: `clmbench plugin build DIR`"),
    ];
    for (name, words) in expected {
        let error = found.errors.iter().find(|error| error.file.strip_prefix(root).unwrap().starts_with(name));
        let message = error.unwrap_or_else(|| panic!("no error for {name}")).to_string();
        assert!(message.contains(words), "`{words}` is not in: {message}");
    }
    assert_eq!(found.errors.len(), expected.len(), "{:#?}", found.errors);
}

#[test]
fn a_world_writable_folder_of_plugins_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), "good", &manifest("good", "loss/one"));
    mode(folder.path(), 0o777);
    let found = find(folder.path(), None);
    assert!(found.plugins.plugins().is_empty());
    assert_eq!(found.errors.len(), 1, "{:?}", found.errors);
    let missing = find(Path::new("/no/such/plugins"), None);
    assert!(missing.errors[0].to_string().contains("/no/such/plugins: the plugin folder cannot be read"));
}

#[test]
fn answers_are_kept_by_digest() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plugin = install(folder.path(), "good", &manifest("good", "loss/one"));
    assert_eq!(find(folder.path(), Some(cache.path())).errors, []);
    let kept: Vec<PathBuf> = fs::read_dir(cache.path().join("describe")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &kept[..] else { panic!("{kept:?}") };
    // Proof that the kept answer is read: another answer in its place comes back.
    let mut other: PluginManifest = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    other.metrics[0].id = "loss/kept".into();
    fs::write(file, serde_json::to_vec(&other).unwrap()).unwrap();
    let id = |found: &Discovery| found.plugins.plugins()[0].manifest.metrics[0].id.clone();
    assert_eq!(id(&find(folder.path(), Some(cache.path()))), "loss/kept");
    // A changed library is asked again; a damaged answer as well.
    fs::write(plugin.join("lib.so"), manifest("good", "loss/new")).unwrap();
    assert_eq!(id(&find(folder.path(), Some(cache.path()))), "loss/new");
    for entry in fs::read_dir(cache.path().join("describe")).unwrap() {
        fs::write(entry.unwrap().path(), b"{").unwrap();
    }
    assert_eq!(id(&find(folder.path(), Some(cache.path()))), "loss/new");
}

#[test]
fn a_missing_worker_is_said_once_for_each_plugin() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), "good", "x");
    let describer = Describer::new("/no/such/worker", None);
    let found = discover(&PluginFolders { asked: vec![folder.path().into()], usual: Vec::new() }, &describer);
    assert!(found.errors[0].to_string().contains("CLMBENCH_WORKER"), "{:?}", found.errors);
}

#[test]
fn the_same_plugin_in_two_folders_counts_once() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    install(one.path(), "good", &manifest("good", "loss/one"));
    install(two.path(), "good", &manifest("good", "loss/one"));
    let describer = Describer::new(fake_worker::path(), None);
    let folders = PluginFolders { asked: vec![one.path().into()], usual: vec![two.path().into()] };
    let found = discover(&folders, &describer);
    assert_eq!((found.plugins.plugins().len(), found.errors.len()), (1, 0), "{:?}", found.errors);
    fs::write(two.path().join("good/lib.so"), manifest("good", "loss/two")).unwrap();
    let found = discover(&folders, &describer);
    assert!(found.errors[0].to_string().contains("plugin `good` of good 0.1.0 is already offered by good 0.1.0 in"));
}

#[test]
fn lookups_suggest_the_nearest_name() {
    let set = offers::plugins();
    assert_eq!(set.architecture("bert").unwrap().plugin.manifest.name, "models");
    assert!(set.metric("trivial/flop").unwrap_err().to_string().contains("Did you mean `trivial/flops`?"));
    assert!(set.dataset("moleculenet", "lipop").unwrap_err().to_string().contains("`moleculenet/lipo`"));
    let loss = set.metric("loss/mlm_loss").unwrap().plugin;
    assert_eq!(loss.reference().digest.as_deref(), Some(loss.digest.as_str()));
    assert_eq!(set.metric("trivial/flops").unwrap().plugin.reference().digest, None);
    for (version, pre_release) in [("0.1.0", false), ("0.1.0-dev", true), ("1.0.0+a-b", false), ("1.0.0-rc.1+x", true)] {
        assert_eq!(is_pre_release(version), pre_release, "{version}");
    }
}
