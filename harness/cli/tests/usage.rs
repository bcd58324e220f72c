//! The command line without a worker: usage, help, exit statuses, what needs no libtorch.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use assert_cmd::Command;

/// `clmbench` in an empty folder, with no variables of ours and no worker.
fn clmbench(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("clmbench").unwrap();
    for name in ["CLMBENCH_STORE", "CLMBENCH_PLUGINS", "CLMBENCH_SDK", "CLMBENCH_MIRROR", "CLMBENCH_DATA", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("share"))
        .env("CLMBENCH_CACHE", folder.join("cache"))
        .env("CLMBENCH_WORKER", folder.join("no-worker"))
        .env("COLUMNS", "100");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_help_page_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 31] = [
        &["gc"],
        &["db", "check"],
        &["db", "vacuum"],
        &["db", "merge"],
        &["doctor"],
        &["plan"],
        &["run"],
        &["status"],
        &["show"],
        &["leaderboard", "predictors"],
        &["leaderboard", "models"],
        &["data", "list"],
        &["data", "describe"],
        &["data", "fetch"],
        &["data", "check"],
        &["data", "split"],
        &["metric", "list"],
        &["metric", "describe"],
        &["model", "list"],
        &["model", "describe"],
        &["model", "import"],
        &["model", "export"],
        &["export"],
        &["report"],
        &["plugin", "list"],
        &["plugin", "check"],
        &["plugin", "new"],
        &["plugin", "build"],
        &["plugin", "try"],
        &["completions"],
        &[],
    ];
    for command in commands {
        let output = clmbench(folder.path()).args(command).arg("--help").assert().success().get_output().clone();
        let page = text(&output.stdout);
        assert!(page.contains(&format!("  clmbench {}", command.join(" "))), "{command:?}: {page}");
        assert!(page.lines().all(|line| line.chars().count() <= 120), "{command:?}");
    }
}

#[test]
fn wrong_arguments_end_with_status_2_and_say_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let wrong: [(&[&str], &str); 9] = [
        (&["statsu"], "status"),
        (&["run"], "SUITE"),
        (&["run", "s.toml", "--workers", "0"], "1..=1024"),
        (&["run", "s.toml", "--time-limit", "soon"], "30m"),
        (&["run", "s.toml", "--memory-limit", "much"], "GiB"),
        (&["run", "s.toml", "--device", "gpu"], "cuda:0"),
        (&["plugin", "new", "metric", "Bad Name", "--out", "x"], "hessian/top_eigenvalue"),
        (&["plugin", "new", "model", "name", "--out", "x"], "architecture"),
        (&["leaderboard"], "predictors"),
    ];
    for (arguments, expected) in wrong {
        let output = clmbench(folder.path()).args(arguments).assert().code(2).get_output().clone();
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert!(!folder.path().join("x").exists());
}

#[test]
fn a_missing_suite_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["plan", "run"] {
        let output = clmbench(folder.path()).args([command, "no.toml"]).assert().code(2).get_output().clone();
        let said = text(&output.stderr);
        assert!(said.starts_with("error: ") && said.contains("no.toml"), "{said}");
    }
    assert!(!folder.path().join(".clmbench").exists(), "nothing is made for a suite that is not there");
}

#[test]
fn without_a_store_reading_commands_end_with_status_5() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 7] = [
        &["status"],
        &["gc", "--dry-run"],
        &["show", "3f9c"],
        &["export"],
        &["report"],
        &["leaderboard", "predictors"],
        &["leaderboard", "models", "--json"],
    ];
    for command in commands {
        let output = clmbench(folder.path()).args(command).assert().code(5).get_output().clone();
        assert!(text(&output.stderr).contains("clmbench run SUITE"), "{command:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn without_a_worker_plugins_cannot_be_listed_and_the_hint_says_why() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["plugin", "list"][..], &["plugin", "check", "."]] {
        let output = clmbench(folder.path()).args(command).assert().code(4).get_output().clone();
        let said = text(&output.stderr);
        assert!(said.contains("no-worker") && said.contains("hint: ") && said.contains("CLMBENCH_WORKER"), "{said}");
    }
}

#[test]
fn a_gate_says_before_it_computes_that_a_file_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--junit", "--markdown"] {
        let arguments = ["gate", "--baseline", "main", "--candidate", "new", option, "reports/gate.out"];
        let output = clmbench(folder.path()).args(arguments).output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(4) && said.contains("reports/gate.out"), "{output:?}");
        // And where it can, nothing is left of the trial.
        let output = clmbench(folder.path()).args(&arguments[..6]).arg("gate.out").output().unwrap();
        assert!(!text(&output.stderr).contains("gate.out"), "{output:?}");
        assert!(
            !std::fs::read_dir(folder.path()).unwrap().any(|entry| entry.unwrap().path().to_string_lossy().contains("partial"))
        );
    }
}

#[test]
fn the_doctor_works_where_nothing_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = clmbench(folder.path());
    let output = command.env("PATH", folder.path()).args(["doctor", "--json"]).assert().code(4).get_output().clone();
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(page["schema"], "clmbench/doctor/1");
    assert!(page["generated_by"].as_str().unwrap().starts_with("clmbench "));
    let rows = page["rows"].as_array().unwrap();
    let state = |check: &str| rows.iter().find(|row| row["check"] == check).map(|row| row["state"].clone()).unwrap();
    for check in ["rust", "c++", "python3", "worker", "plugins"] {
        assert_eq!(state(check), "missing", "{check}: {page}");
    }
    assert_eq!(state("store"), "ok");
    for row in rows.iter().filter(|row| row["state"] != "ok" && row["needed"] == true) {
        assert!(row["next"].as_str().is_some_and(|next| !next.is_empty()), "{row}");
    }
}

#[test]
fn completions_are_written_for_every_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = clmbench(folder.path()).args(["completions", shell]).assert().success().get_output().clone();
        assert!(text(&output.stdout).contains("leaderboard"), "{shell}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = assert_cmd::cargo::cargo_bin("clmbench");
    let script = "\"$0\" completions bash | head -c 1 > /dev/null; echo ${PIPESTATUS[0]}";
    let output = std::process::Command::new("bash").args(["-c", script]).arg(program).current_dir(&folder).output().unwrap();
    assert_eq!(text(&output.stdout), "0\n");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn a_new_plugin_is_a_whole_crate_and_a_folder_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["plugin", "new", "metric", "hessian/top_eigenvalue", "--out", "mine"];
    clmbench(folder.path()).args(arguments).assert().success();
    let read = |path: &str| std::fs::read_to_string(folder.path().join("mine").join(path)).unwrap();
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    assert_eq!(manifest["package"]["name"].as_str(), Some("clmbench-plugin-hessian-top-eigenvalue"));
    let sdk = manifest["dependencies"]["clmbench-sdk"]["path"].as_str().unwrap();
    assert!(Path::new(sdk).join("Cargo.toml").is_file());
    let card: toml::Table = read("plugin.toml").parse().unwrap();
    assert_eq!(card["library"].as_str(), Some("libclmbench_plugin_hessian_top_eigenvalue.so"));
    assert!(read("src/lib.rs").contains("\"hessian/top_eigenvalue\""));
    assert!(read(".cargo/config.toml").contains("third_party/libtorch/torch"));
    assert!(read("Cargo.lock").contains("name = \"torch-sys\""));
    assert!(read("rust-toolchain.toml").contains("channel"));

    std::fs::write(folder.path().join("mine/src/lib.rs"), "mine").unwrap();
    let output = clmbench(folder.path()).args(arguments).assert().code(2).get_output().clone();
    assert!(text(&output.stderr).contains("is not empty"));
    assert_eq!(read("src/lib.rs"), "mine");
}

#[test]
fn an_sdk_that_is_gone_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = clmbench(folder.path())
        .args(["plugin", "new", "metric", "steepness", "--out", "mine", "--sdk", "gone"])
        .assert()
        .code(4)
        .get_output()
        .clone();
    let said = text(&output.stderr);
    assert!(said.contains("gone") && said.contains("--sdk DIR"), "{said}");
    assert!(!folder.path().join("mine").exists());
}

#[test]
fn building_what_is_no_plugin_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = clmbench(folder.path()).args(["plugin", "build", "."]).assert().code(2).get_output().clone();
    assert!(text(&output.stderr).contains("plugin.toml"));
}

/// Builds a crate that needs no sdk, so that installing is tested without libtorch.
#[test]
fn a_crate_is_built_and_installed_and_a_broken_one_shows_the_compiler() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("tiny");
    std::fs::create_dir_all(source.join("src")).unwrap();
    std::fs::write(
        source.join("Cargo.toml"),
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[lib]\ncrate-type = [\"cdylib\"]\n",
    )
    .unwrap();
    std::fs::write(source.join("plugin.toml"), "name = \"tiny\"\nversion = \"0.1.0\"\nlibrary = \"libtiny.so\"\n").unwrap();
    std::fs::write(source.join("src/lib.rs"), "#[unsafe(no_mangle)]\npub extern \"C\" fn tiny() {}\n").unwrap();
    // rustup needs the real home; the test's is empty.
    let build = || {
        let mut command = clmbench(folder.path());
        for name in ["RUSTUP_HOME", "CARGO_HOME", "HOME"] {
            match std::env::var_os(name) {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(["plugin", "build", "tiny"]);
        command
    };
    let output = build().assert().success().get_output().clone();
    let installed = folder.path().join("share/clmbench/plugins/tiny");
    assert!(text(&output.stdout).contains(&installed.display().to_string()), "{}", text(&output.stdout));
    assert!(installed.join("libtiny.so").is_file() && installed.join("plugin.toml").is_file());

    std::fs::write(source.join("src/lib.rs"), "pub fn wrong() -> u8 { \"text\" }\n").unwrap();
    let output = build().assert().code(4).get_output().clone();
    let said = text(&output.stderr);
    assert!(said.contains("does not build") && said.contains("mismatched types"), "{said}");
    assert!(installed.join("libtiny.so").is_file(), "the installed one stays");
}
