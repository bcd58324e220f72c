//! The way of a plugin's author: the walk-through of plugins/README.md, command for command, and the templates of all kinds, with no
//! file of the checkout touched.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use clmbench_store::CellStatus;

use crate::real::{ECHO, HOSTILE, Real, checkout};

/// What `git status` says and the digest of every tracked file; none where this is no git checkout.
pub fn tracked() -> Option<BTreeMap<String, Option<blake3::Hash>>> {
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

/// The commands of plugins/README.md, in their order.
fn walk_through() -> String {
    let readme = fs::read_to_string(checkout().join("plugins/README.md")).unwrap();
    let blocks: Vec<&str> = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5, "{blocks:?}");
    format!("set -e\n{}", blocks.concat())
}

/// A shell with the test's home and plugins, and with the author's own cargo, which fetches nothing.
pub fn shell(real: &Real, script: &str) -> Output {
    let clmbench = real.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", script]).env_clear().current_dir(real.path(""));
    for (name, value) in clmbench.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let home = |name: &str, folder: &str| {
        std::env::var_os(name).unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(folder).into())
    };
    let mut path = Path::new(clmbench.get_program()).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    command.env("PATH", path).env("CARGO_HOME", home("CARGO_HOME", ".cargo")).env("RUSTUP_HOME", home("RUSTUP_HOME", ".rustup"));
    if let Some(toolchain) = std::env::var_os("RUSTUP_TOOLCHAIN") {
        command.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    // As long as it takes: it may wait for another build to end.
    command.env("CARGO_NET_OFFLINE", "true").stdin(Stdio::null()).output().unwrap()
}

/// What it printed: standard output, then standard error.
pub fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn the_walk_through_leads_from_nothing_to_a_row() {
    let before = tracked();
    let real = Real::new(&[]);
    let walked = shell(&real, &walk_through());
    let said = words(&walked);
    assert!(walked.status.success(), "{said}");
    for part in ["installed clmbench-plugin-steepness 0.1.0-dev", "it_is_the_mean_over_molecules ... ok", "mean_sequence_loss*"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(fs::read_to_string(real.path("steepness/Cargo.toml")).unwrap().contains("sources "), "the revision is recorded");

    let tried = real.clmbench(&["plugin", "try", "custom/steepness", "--json"]).code(0).rows();
    let value = |row: &serde_json::Value| row["outcome"]["measured"]["values"][0]["value"].as_f64().unwrap();
    assert_eq!(tried.len(), 4, "{tried:?}");
    for pair in tried.chunks(2) {
        assert_eq!((&pair[0]["trained"], &pair[1]["trained"]), (&true.into(), &false.into()));
        assert!(value(&pair[0]) < 0.6 * value(&pair[1]), "training lowers the loss: {pair:?}");
    }
    let seconds: f64 = tried.iter().map(|row| row["seconds"].as_f64().unwrap()).sum();
    assert!(seconds < 10.0, "{seconds} s");

    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done));
    let board = real.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    let row = board.iter().find(|row| row["metric"] == "custom/steepness").unwrap();
    assert_eq!((&row["n"], &row["dataset"]), (&4.into(), &"freesolv".into()), "{row}");
    assert!(board.iter().any(|row| row["metric"] == "trivial/parameters"));
    untouched(before);
}

#[test]
fn the_templates_of_datasets_and_architectures_build_and_keep_the_rules() {
    let real = Real::new(&[]);
    let script = "set -e
        clmbench plugin new dataset solubility --out solubility
        clmbench plugin new architecture bag --out bag
        (cd solubility && cargo test --release)
        (cd bag && cargo test --release)
        clmbench plugin build solubility
        clmbench plugin build bag
        P=.local/share/clmbench/plugins
        clmbench plugin try solubility --file solubility/example.txt --task value=regression
        clmbench plugin check $P/clmbench-plugin-solubility --file solubility/example.txt --task value=regression
        clmbench plugin try bag
        clmbench plugin check $P/clmbench-plugin-bag";
    let output = shell(&real, script);
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("8 rows; labelled: value 7"), "{said}");
    assert!(!said.contains("does not fall") && !said.contains("FAILED"), "{said}");
}

#[test]
fn a_name_that_nobody_offers_and_a_metric_that_fails_say_what_to_do() {
    let real = Real::new(&[ECHO, HOSTILE]);
    let wrong = real.clmbench(&["plugin", "try", "echo/sad"]).code(2);
    assert!(wrong.stderr.contains("error: no plugin offers `echo/sad`. Did you mean `echo/said`?"), "{}", wrong.stderr);
    let failed = real.clmbench(&["plugin", "try", "hostile/deed", "--params", "deed=panic"]).code(3);
    let line = "metric hostile/deed on the masked model, trained: panic: panicked: the metric panics on purpose";
    assert!(failed.stderr.contains(line), "{}", failed.stderr);
    let ended = real.clmbench(&["plugin", "try", "hostile/deed", "--params", "deed=abort"]).code(3);
    assert!(ended.stderr.contains("the worker ended with signal: 6"), "{}", ended.stderr);
}

/// Asserts that no file of the checkout was touched.
pub fn untouched(before: Option<BTreeMap<String, Option<blake3::Hash>>>) {
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
