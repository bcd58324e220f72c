//! All commands alike: one JSON object, no colour, exit statuses as documented, estimates that come out right.

use std::{fs, process::Command};

use serde_json::Value;

use crate::bench::{Answer, Bench, SMALL, SUITE};

/// Every command that prints rows, on a bench whose small suite is computed.
fn printing(cell: &str) -> Vec<Vec<&str>> {
    [
        "doctor",
        "plan suite.toml",
        "run suite.toml",
        "run suite.toml --only tokenise",
        "status",
        "status --suite small",
        "status --cells",
        "show CELL",
        "show CELL --log",
        "show CELL --verify",
        "leaderboard predictors",
        "leaderboard models",
        "plugin list",
        "metric list",
        "metric describe fake/loss",
        "model list",
        "model describe fake",
        "data list",
        "data describe moses",
        "export results",
        "export fits",
        "export models",
        "export cells",
        "export predictions",
        "gc --dry-run",
        "gc",
    ]
    .map(|line| line.split(' ').map(|word| if word == "CELL" { cell } else { word }).collect())
    .into()
}

fn object(answer: &Answer) -> Value {
    serde_json::from_str(&answer.stdout).unwrap_or_else(|error| panic!("{error}: {}", answer.stdout))
}

#[test]
fn json_is_one_object_of_schema_generator_and_rows() {
    let bench = Bench::new(SMALL);
    bench.run();
    let cell = bench.cells().into_keys().find(|key| key.starts_with("measure/")).unwrap();
    for command in printing(&cell) {
        let mut arguments = command.clone();
        arguments.push("--json");
        let answer = bench.clmbench(&arguments);
        assert!(matches!(answer.status.code(), Some(0)) || command[0] == "doctor", "{command:?}: {}", answer.stderr);
        let object = object(&answer);
        let keys: Vec<&String> = object.as_object().unwrap().keys().filter(|key| *key != "run").collect();
        assert_eq!(keys, ["generated_by", "rows", "schema"], "{command:?}");
        assert_eq!(object["generated_by"], concat!("clmbench ", env!("CARGO_PKG_VERSION")), "{command:?}");
        assert!(object["schema"].as_str().is_some_and(|schema| schema.starts_with("clmbench/")), "{command:?}");
        assert!(object["rows"].is_array(), "{command:?}");
        assert!(answer.stdout.ends_with("}\n"), "{command:?}");
    }
}

#[test]
fn no_escape_sequence_reaches_a_pipe() {
    let bench = Bench::new(SMALL);
    bench.run();
    let cell = bench.cells().into_keys().find(|key| key.starts_with("measure/")).unwrap();
    let mut commands = printing(&cell);
    commands.extend([
        vec!["--help"],
        vec!["run", "--help"],
        vec!["statsu"],
        vec!["run"],
        vec!["run", "no.toml"],
        vec!["show", "no"],
    ]);
    for variables in [&[][..], &[("NO_COLOR", "1"), ("TERM", "xterm-256color")], &[("CLICOLOR", "0"), ("TERM", "dumb")]] {
        for command in &commands {
            let answer = bench.with(command, variables);
            for text in [&answer.stdout, &answer.stderr] {
                assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{command:?} {variables:?}: {text:?}");
            }
        }
    }
    // A run that has something to show while it goes: lines, not bars.
    fs::remove_dir_all(bench.store()).unwrap();
    let answer = bench.run();
    assert!(!answer.stderr.contains('\u{1b}') && answer.stderr.contains("] done     tokenise/alpha  "), "{}", answer.stderr);
}

#[test]
fn a_terminal_without_colour_gets_none() {
    let bench = Bench::new(SMALL);
    // `script` gives the command a terminal; colours are sequences that end in `m`.
    let run = |variables: &[(&str, &str)], command: &str| {
        let mut script = Command::new("script");
        let plain = bench.command(&[]);
        script.args(["-qec", &format!("{} {command}", plain.get_program().display()), "/dev/null"]);
        script.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.envs(variables.iter().copied()).current_dir(bench.path(""));
        script.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let coloured = |text: &str| {
        text.split('\u{1b}').skip(1).any(|rest| {
            let end = rest.trim_start_matches(['[', ';']).find(|letter: char| letter.is_ascii_alphabetic());
            rest.starts_with('[')
                && rest.trim_start_matches(['[', ';']).get(end.unwrap_or(0)..).is_some_and(|end| end.starts_with('m'))
        })
    };
    let Ok(said) = run(&[("NO_COLOR", "1"), ("TERM", "xterm-256color")], "run suite.toml") else {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    };
    assert!(said.contains("tokenise/alpha") || said.contains("small"), "{said}");
    assert!(!coloured(&said), "{said:?}");
    for command in ["--help", "statsu", "status", "leaderboard models"] {
        let said = run(&[("NO_COLOR", "1"), ("TERM", "xterm-256color")], command).unwrap();
        assert!(!coloured(&said), "{command}: {said:?}");
    }
}

#[test]
fn each_exit_status_arises_as_documented() {
    let bench = Bench::new(SMALL);
    bench.clmbench(&["plan", "suite.toml"]).code(0);
    bench.clmbench(&["plan", "absent.toml"]).code(2);
    bench.clmbench(&["plan"]).code(2);
    bench.clmbench(&["status"]).code(5);
    let absent = bench.path("absent");
    bench.with(&["plan", "suite.toml"], &[("CLMBENCH_WORKER", absent.to_str().unwrap())]).code(4);
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "fake/noise")]).code(3);
    // 130 and 5 beside a run: `kill.rs` and `store_errors.rs`. 70 takes a fault of ours, made on purpose.
    let answer = bench.with(&["status"], &[("CLMBENCH_FAULT", "panic")]).code(70);
    assert!(answer.stderr.starts_with("error: a fault in clmbench ") && answer.stderr.lines().count() == 2, "{}", answer.stderr);
    let documented = bench.clmbench(&["--help"]).code(0).stdout;
    for status in ["0 done", "2 usage", "3 finished", "4 environment", "5 store", "70 a fault", "130 interrupted"] {
        assert!(documented.contains(status), "{status}");
    }
}

#[test]
fn a_plan_says_what_is_not_known_and_then_what_past_cells_teach() {
    let bench = Bench::new(SUITE);
    let first = bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows().remove(0);
    assert_eq!((&first["seconds"], &first["disk_bytes"]), (&Value::Null, &Value::Null));
    assert_eq!(first["training_tokens"], 800_000);
    // 6 x 12 layers width^2 x tokens of four sizes, on two corpora each.
    let parameters = 12.0 * (64.0 * 64.0 + 2.0 * 96.0 * 96.0 + 3.0 * 128.0 * 128.0 + 4.0 * 192.0 * 192.0);
    assert_eq!(first["training_flops"].as_f64().unwrap(), 2.0 * 6.0 * parameters * 100_000.0);
    for stage in first["by_stage"].as_array().unwrap() {
        assert_eq!((&stage["unknown"], &stage["done"]), (&stage["cells"], &0.into()), "{stage}");
    }
    let text = bench.with(&["plan", "suite.toml"], &[("COLUMNS", "80")]).code(0).stdout;
    assert!(text.contains("unknown time and disk of all cells to do: nothing like them"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    // The small half first; then a run of every size is known, and the plan of the rest is the past scaled by its work.
    bench.clmbench(&["run", "suite.toml", "--only", "*moses-500*", "--workers", "1"]).code(0);
    let cells = bench.clmbench(&["status", "--json"]).code(0).rows();
    let plan = bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows().remove(0);
    let done: Vec<&Value> = cells.iter().filter(|cell| cell["status"] == "done").collect();
    assert_eq!(plan["done"], done.len());
    assert_eq!(plan["todo"], cells.len() - done.len());
    let of = |stage: &str| plan["by_stage"].as_array().unwrap().iter().find(|row| row["stage"] == stage).unwrap().clone();
    // Runs of both halves have the same sizes and tokens, so what is left of them takes what the others took (the controls,
    // which took a hundredth of the work each, are among them).
    assert_eq!((&of("pretrain")["todo"], &of("pretrain")["unknown"]), (&4.into(), &0.into()));
    let files = |cell: &&Value| {
        let shown = bench.clmbench(&["show", cell["identity"].as_str().unwrap(), "--json"]).code(0).rows().remove(0);
        let artifacts = shown["artifacts"].as_array().unwrap().clone();
        artifacts.iter().map(|file| file["bytes"].as_u64().unwrap()).sum::<u64>()
    };
    let runs: Vec<&Value> = done.iter().filter(|cell| cell["stage"] == "pretrain").copied().collect();
    let mean = runs.iter().map(files).sum::<u64>() as f64 / runs.len() as f64;
    assert_eq!(of("pretrain")["known_bytes"].as_u64().unwrap(), (4.0 * mean).round() as u64);
    // Times: 800,000 tokens' worth of work were split in halves; only the stores' past (and the number of workers) enters.
    let size = |layers: f64, width: f64| 12.0 * layers * width * width + 200_000.0;
    let sizes = [size(1.0, 64.0), size(2.0, 96.0), size(3.0, 128.0), size(4.0, 192.0)];
    let (run, control): (f64, f64) = (sizes.iter().map(|s| s * 110_000.0).sum(), sizes.iter().map(|s| s * 10_000.0).sum());
    let took: f64 = runs.iter().map(|cell| cell["seconds"].as_f64().unwrap()).sum();
    let wide = 4.0 * 192.0 * 192.0 * 12.0 >= 3_000_000.0;
    assert!(!wide, "all sizes take one thread");
    let workers = of("pretrain")["known_seconds"].as_f64().unwrap() / (took * run / (run + control));
    let inverse = 1.0 / workers;
    assert!((inverse - inverse.round()).abs() < 1e-6 && inverse >= 1.0, "a whole number of workers share the time: {inverse}");
}

#[test]
fn a_cell_is_shown_whole() {
    let bench = Bench::new(SMALL);
    bench.run();
    let cells = bench.cells();
    let (key, (_, identity, _)) = cells.iter().find(|(key, _)| key.starts_with("pretrain/")).unwrap();
    let identity = identity.as_ref().unwrap();
    let row = bench.clmbench(&["show", key, "--json"]).code(0).rows().remove(0);
    assert_eq!(row["dependencies"], serde_json::json!(["tokenise/moses-500"]));
    let needed: Vec<&str> = row["needed_by"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert!(
        needed.iter().any(|key| key.starts_with("embed/")) && needed.iter().any(|key| key.starts_with("measure/")),
        "{needed:?}"
    );
    assert_eq!(row["spec"]["plugin"]["version"], "0.1.0");
    let artifact = &row["artifacts"][0];
    let path = bench.store().join("artifacts").join(identity).join(artifact["path"].as_str().unwrap());
    assert_eq!(artifact["blake3"], blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string());
    assert_eq!(artifact["state"], "present");
    let state = |options: &[&str]| {
        let rows = bench.clmbench(&[&["show", key, "--json"], options].concat()).code(0).rows();
        rows[0]["artifacts"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&["--verify"]), "intact");
    let page = bench.clmbench(&["show", key]).code(0).stdout;
    for part in
        ["plugin        clmbench-plugin-fake 0.1.0", "computed by   revision ", "seed 7000", "needed by", "definition", "build"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    fs::write(&path, "other").unwrap();
    assert_eq!(state(&[]), "damaged");
    fs::remove_file(&path).unwrap();
    assert_eq!(state(&[]), "missing");
    assert!(bench.clmbench(&["show", key]).code(0).stdout.contains("is computed again before it is read"));

    assert_eq!(bench.clmbench(&["show", key, "--log"]).code(0).stdout, "a line of the fake worker's log\n");
    let log = bench.store().join("logs").join(format!("{identity}.log"));
    fs::write(&log, "one\u{1b}[31m\ntwo\u{7}\n").unwrap();
    assert_eq!(bench.clmbench(&["show", key, "--log"]).code(0).stdout, "one\u{fffd}[31m\ntwo\u{fffd}\n");
    let row = bench.clmbench(&["show", key, "--log", "--json"]).code(0).rows().remove(0);
    assert_eq!(row["log_text"], "one\u{1b}[31m\ntwo\u{7}\n", "JSON escapes it");
    fs::remove_file(&log).unwrap();
    let answer = bench.clmbench(&["show", key, "--log"]).code(2);
    assert!(answer.stderr.contains("has no log"), "{}", answer.stderr);
}

#[test]
fn the_log_of_a_failed_cell_is_kept_and_bounded() {
    let bench = Bench::new(SMALL);
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_LOG_BYTES", "3000000")]).code(3);
    let key = bench.cells().into_keys().find(|key| key.starts_with("tokenise/")).unwrap();
    let text = bench.clmbench(&["show", &key, "--log"]).code(0).stdout;
    assert!(text.len() <= (1 << 20) + 100 && text.len() > 1_000_000, "{}", text.len());
    assert!(text.starts_with("[clmbench: the first ") && text.ends_with("a line of the fake worker's log\n"), "{}", &text[..80]);
}
