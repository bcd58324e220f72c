//! Folders of others and places of the hub that a suite names and cannot use, and files that change under it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
};

use super::Page;
use crate::bench::Bench;

/// A suite of one checkpoint; `table` is what its table says.
fn suite(table: &str) -> String {
    format!(
        "schema = 1\n[suite]\nname = \"others\"\n[[checkpoint]]\n{table}\n[[dataset]]\nsource = \"fake\"\nnames = [\"alpha\"]\n"
    )
}

const RUN: &[&str] = &["run", "suite.toml"];

fn save(bench: &Bench) -> PathBuf {
    let folder = bench.path("model");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), "{\"model_type\": \"fake\", \"layers\": 1, \"width\": 64}").unwrap();
    fs::write(folder.join("model.safetensors"), "weights").unwrap();
    fs::write(folder.join("tokenizer.json"), "tokens").unwrap();
    folder
}

#[test]
fn folders_are_refused_before_anything_is_computed() {
    let mut page = Page::new("Checkpoints: folders");
    let bench = Bench::new(&suite("path = \"model\""));
    page.fault("not there", &bench, RUN, &[], 2);
    fs::write(bench.path("model"), "no folder").unwrap();
    page.fault("a file", &bench, RUN, &[], 2);
    fs::remove_file(bench.path("model")).unwrap();
    let folder = save(&bench);
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    page.fault("without weights", &bench, RUN, &[], 2);
    fs::write(folder.join("pytorch_model.bin"), "pickle").unwrap();
    page.fault("weights in pickle alone", &bench, RUN, &[], 2);
    save(&bench);
    for (fault, config) in [
        ("config.json is no JSON", "{\"model_type\": \"fake\""),
        ("config.json is a list", "[1, 2]"),
        ("config.json lacks model_type", "{}"),
        ("config.json has a number as model_type", "{\"model_type\": 3}"),
        ("another model_type", "{\"model_type\": \"fakes\"}"),
    ] {
        fs::write(folder.join("config.json"), config).unwrap();
        page.fault(fault, &bench, RUN, &[], 2);
    }
    fs::remove_file(folder.join("config.json")).unwrap();
    page.fault("without config.json", &bench, RUN, &[], 2);
    save(&bench);
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    symlink("nowhere", folder.join("tokenizer.json")).unwrap();
    page.fault("a link that leads nowhere", &bench, RUN, &[], 2);
    save(&bench);
    fs::write(bench.path("suite.toml"), suite("path = \"model\"\narchitecture = \"fakes\"")).unwrap();
    page.fault("an architecture that nobody has", &bench, RUN, &[], 2);
    assert!(bench.begun().is_empty(), "nothing was computed");
    fs::write(bench.path("suite.toml"), suite("path = \"model\"")).unwrap();
    page.fault("mended", &bench, RUN, &[], 0);
    let weights = folder.join("model.safetensors");
    fs::set_permissions(&weights, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&weights).is_err() {
        bench.clmbench(RUN).code(2);
    } else {
        println!("skipped: this user reads what nobody may read");
    }
    page.hold();
}

#[test]
fn the_hub_is_pinned_and_out_of_reach_offline() {
    let mut page = Page::new("Checkpoints: the hub");
    let bench = Bench::new("");
    for (fault, table, code) in [
        ("no revision", "hub = \"lab/model\"", 2),
        ("a branch", "hub = \"lab/model\"\nrevision = \"main\"", 2),
        ("a name that no hub has", "hub = \"../model\"\nrevision = \"main\"", 2),
        ("not in the cache, offline", "hub = \"lab/model\"\nrevision = \"0123456789abcdef0123456789abcdef01234567\"", 4),
        ("not pinned, offline", "hub = \"lab/model\"\nrevision = \"unpinned\"\narchitecture = \"fake\"", 2),
    ] {
        fs::write(bench.path("suite.toml"), suite(table)).unwrap();
        page.fault(fault, &bench, RUN, &[], code);
    }
    assert!(bench.begun().is_empty(), "nothing was computed");
    page.hold();
}
