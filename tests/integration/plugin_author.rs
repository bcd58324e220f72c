//! The way of a metric's author: a crate outside the checkout, built, installed, checked, listed, run and ranked, with no
//! file of the checkout touched.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use clmbench_store::CellStatus;

use crate::real::{ECHO, Real, checkout};

const SUITE: &str = r#"
schema = 1
[suite]
name = "author"
seed = 7
[[corpus]]
name = "moses"
sizes = [500]
heldout = 256
[[model]]
architecture = "echo"
presets = ["tiny", "small"]
tokens = 5000
checkpoints = 1
seeds = 2
[[dataset]]
source = "echo"
names = ["sixty"]
[[metric]]
id = "custom/steepness"
[[metric]]
select = "family:trivial"
"#;

/// What `git status` says and the digest of every tracked file; none where this is no git checkout.
fn tracked() -> Option<BTreeMap<String, Option<blake3::Hash>>> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(checkout()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let files = git(&["ls-files", "-z"])?;
    let digest = |file: &str| fs::read(checkout().join(file)).ok().map(|bytes| blake3::hash(&bytes));
    let files = files.split('\0').filter(|file| !file.is_empty()).map(|file| (file.to_owned(), digest(file)));
    let status = git(&["status", "--porcelain", "-z"])?;
    Some(files.chain(status.split('\0').map(|line| (format!("git status: {line}"), None))).collect())
}

#[test]
fn a_metric_written_outside_the_checkout_gets_its_row() {
    let before = tracked();
    let real = Real::new(&[ECHO]);
    let source = real.path("steepness");
    let installed = real.path("plugins/clmbench-plugin-steepness");
    real.clmbench(&["plugin", "new", "metric", "steepness", "--out", "steepness"]).code(0);
    assert!(fs::read_to_string(source.join("src/lib.rs")).unwrap().contains("custom/steepness"));

    // Cargo needs the author's own home and toolchain; it fetches nothing that the checkout has not.
    let mut build = real.command(&["plugin", "build", "steepness", "--dest", "plugins"]);
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["HOME", "CARGO", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&name.as_str()) {
            build.env(name, value);
        }
    }
    // As long as it takes: it may wait for another build to end.
    let built = build.env("CARGO_NET_OFFLINE", "true").output().unwrap();
    let [stdout, stderr] = [&built.stdout, &built.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(built.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("installed clmbench-plugin-steepness 0.1.0-dev"), "{stdout}");
    assert!(Path::new(&installed).join("plugin.toml").is_file());

    let checks = real.clmbench(&["plugin", "check", installed.to_str().unwrap(), "--json"]).code(0).rows();
    assert!(checks.iter().any(|check| check["ok"] == true && check["check"].as_str().unwrap().contains("custom/steepness")));
    let listed = real.clmbench(&["plugin", "list", "--json"]).code(0).rows();
    let row = listed.iter().find(|row| row["name"] == "custom/steepness").unwrap();
    assert_eq!((&row["kind"], &row["version"]), (&"metric".into(), &"0.1.0-dev".into()), "{row}");

    real.write("suite.toml", SUITE);
    real.clmbench(&["run", "suite.toml", "--workers", "2"]).code(0);
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done));
    let board = real.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    let row = board.iter().find(|row| row["metric"] == "custom/steepness").unwrap();
    assert_eq!((&row["n"], &row["dataset"]), (&4.into(), &"sixty".into()), "{row}");
    assert!(board.iter().any(|row| row["metric"] == "trivial/parameters"));

    match before {
        Some(before) => {
            let after = tracked().unwrap();
            let touched: Vec<&String> =
                before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).collect();
            assert!(touched.is_empty(), "touched by the commands, or edited while this test was running: {touched:?}");
        }
        None => println!("skipped: this is no git checkout, so whether its files were touched is not known"),
    }
}
