//! What surrounds a gate, on a fake worker: margins of suites, stored judgements, failed cells and how they are computed again, speed,
//! and the suites that gates leave.

use std::fs;

use serde_json::Value;

use crate::bench::{Bench, SMALL};

const MODEL: &str = "fake-a/moses-500/seed0";

/// A store with the small suite, and a folder of a candidate.
fn bench() -> Bench {
    let bench = Bench::new(SMALL);
    bench.run();
    let folder = bench.path("candidate");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), "{\"model_type\": \"fake\", \"layers\": 1, \"width\": 64}").unwrap();
    fs::write(folder.join("model.safetensors"), "weights of a candidate").unwrap();
    fs::write(folder.join("tokenizer.json"), "tokens").unwrap();
    bench
}

/// Identities and results of the cells of the newest suite.
fn cells(bench: &Bench) -> Vec<(String, Option<String>)> {
    bench.cells().into_iter().map(|(key, cell)| (key, cell.1)).collect()
}

#[test]
fn margins_of_a_suite_move_no_cell_and_are_frozen_with_their_source() {
    let bench = bench();
    let before = cells(&bench);
    let with = |margins: &str| format!("{SMALL}[gate.margins]\n{margins}\n");
    fs::write(bench.path("suite.toml"), with("rmse = 0.25\n\"alpha/affinity\" = 0.125")).unwrap();
    let plan = bench.clmbench(&["plan", "suite.toml"]).code(0).stdout;
    assert!(
        plan.contains("\nmargins alpha/affinity=0.125, rmse=0.25 (of the gate and of saturation; defaults for the rest)\n"),
        "{plan}"
    );
    let again = bench.run();
    assert!(again.stderr.contains("cells: 0 computed"), "{}", again.stderr);
    assert_eq!(cells(&bench), before, "the same cells in the suite's new form");

    let frozen = |arguments: &[&str]| {
        let save = [&["baseline", "save", "main", "--replace"], arguments].concat();
        bench.clmbench(&save).code(0);
        let row = bench.clmbench(&["baseline", "show", "main", "--json"]).code(0).rows().remove(0);
        (row["margin"].as_f64().unwrap(), row["margin_from"].clone(), row["margin_source"].clone())
    };
    assert_eq!(frozen(&[]), (0.125, "alpha/affinity=0.125".into(), "suite".into()));
    let shown = bench.clmbench(&["baseline", "show", "main"]).code(0).stdout;
    assert!(shown.contains(" suite ") && shown.contains("\nmargins   alpha/affinity=0.125\n"), "{shown}");
    assert_eq!(frozen(&["--margin", "rmse=0.5"]), (0.5, "rmse=0.5".into(), "option".into()));
    // The frozen one stays when the suite's is another, and what the gate says of it is where it came from.
    frozen(&[]);
    fs::write(bench.path("suite.toml"), SMALL).unwrap();
    bench.run();
    let answer = bench.clmbench(&["gate", "--baseline", "main", "--candidate", "candidate", "--json"]).code(11);
    let row = answer.rows().remove(0);
    assert_eq!((&row["margin"], &row["margin_source"]), (&0.125.into(), &"suite".into()), "{row}");
    let text = bench.clmbench(&["gate", "--baseline", "main", "--candidate", "candidate"]).code(11).stdout;
    assert!(text.contains("Margins: of the suite (alpha/affinity=0.125).\n"), "{text}");
    let (_, from, source) = frozen(&[]);
    assert_eq!((from, source), ("default".into(), "default".into()));

    for (margins, words) in [
        (
            "rsme = 0.1",
            "suite.toml:21: `rsme` in [gate.margins] is no score, dataset or task (`dataset/task`) of this suite. Did you mean `rmse`?",
        ),
        ("rmse = 0", "suite.toml:21: `rmse` in [gate.margins]: a margin is a number above 0"),
    ] {
        fs::write(bench.path("suite.toml"), with(margins)).unwrap();
        let answer = bench.clmbench(&["plan", "suite.toml"]).code(2);
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
    }
}

#[test]
fn judgements_are_listed_task_by_task() {
    let bench = bench();
    let none = bench.clmbench(&["baseline", "judgements"]).code(0);
    assert!(none.stdout.is_empty() && none.stderr.contains("the store has no judgements"), "{}", none.stderr);
    assert_eq!(bench.clmbench(&["baseline", "judgements", "--json"]).code(0).rows(), Vec::<Value>::new());
    bench.clmbench(&["baseline", "save", "main"]).code(0);
    bench.clmbench(&["baseline", "save", "other"]).code(0);
    bench.clmbench(&["gate", "--baseline", "main", "--candidate", MODEL, "--metric", "fake/noise=9"]).code(11);
    bench.clmbench(&["gate", "--baseline", "other", "--candidate", "candidate"]).code(11);
    let rows = bench.clmbench(&["baseline", "judgements", "--json"]).code(0).rows();
    let of = |row: &Value| {
        ["judgement", "gate_baseline", "candidate_name", "overall", "kind", "name", "verdict"]
            .map(|key| row[key].to_string().replace('"', ""))
    };
    assert_eq!(
        rows.iter().map(of).collect::<Vec<_>>(),
        [
            ["1", "main", MODEL, "cannot_tell", "score", "alpha", "cannot_tell"],
            ["1", "main", MODEL, "cannot_tell", "metric", "fake/noise", "not_worse"],
            ["2", "other", "candidate", "cannot_tell", "score", "alpha", "cannot_tell"],
        ]
    );
    assert!(rows.iter().all(|row| row["created"].as_str().unwrap().ends_with('Z') && row["refusal"] != "gone"), "{rows:?}");
    let text = bench.clmbench(&["baseline", "judgements"]).code(0).stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let (day, minute) = text.lines().find_map(|line| line.strip_prefix("  1  ")?.split_once(' ')).unwrap();
    let minute = &minute[..5];
    assert!(rows[0]["created"].as_str().unwrap().starts_with(&format!("{day}T{minute}")), "{text}");
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.starts_with('─'))
        .collect();
    let whole = format!("1 {day} {minute} {MODEL} against main cannot tell");
    let task = "alpha affinity (probe) too_few_molecules cannot tell";
    assert_eq!(lines[..3], ["no. when, of candidate, difference verdict", &whole, task]);
    assert!(lines[3].starts_with("fake/noise +0.000 [") && lines[3].ends_with("] not worse"), "{text}");
    assert!(lines[4].ends_with("candidate against other cannot tell"), "{text}");
    assert_eq!(lines[5..], [task]);
    // Judgements outlive their gate baseline, and are still found by its name.
    bench.clmbench(&["baseline", "remove", "main"]).code(0);
    assert_eq!(bench.clmbench(&["baseline", "judgements", "main", "--json"]).code(0).rows().len(), 2);
    let unknown = bench.clmbench(&["baseline", "judgements", "mian"]).code(2);
    assert!(unknown.stderr.contains("did you mean `main`?"), "{}", unknown.stderr);
}

/// The suite of a candidate is no file of the user's: what is said next must be a command that exists.
#[test]
fn failed_cells_of_a_candidate_are_computed_again_as_the_hint_says() {
    let bench = bench();
    bench.clmbench(&["baseline", "save", "main"]).code(0);
    let gate = ["gate", "--baseline", "main", "--candidate", "candidate"];
    let failed = bench.with(&gate, &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "\"pooling\"")]).code(3);
    assert!(!failed.stderr.contains("clmbench run"), "{}", failed.stderr);
    let hint = "hint: look at one with `clmbench show CELL` (--log prints what its worker said); the same `clmbench gate ...` with \
                --retry-failed computes them again, and nothing that is finished";
    assert!(failed.stderr.contains(hint), "{}", failed.stderr);
    // Both next steps are there.
    let cell = "embed/candidate/checkpoint-0/alpha";
    let shown = bench.clmbench(&["show", cell]).code(0).stdout;
    assert!(shown.contains("gate-main") && shown.contains("failed"), "{shown}");
    bench.clmbench(&gate).code(3);
    let again = bench.clmbench(&[&gate[..], &["--retry-failed"]].concat()).code(11);
    assert!(again.stderr.contains("cells: 2 computed"), "{}", again.stderr);
}

/// Both models in turn where the weights of both are in the store; nothing from seconds of two moments.
#[test]
fn speed_is_measured_in_turn_or_refused() {
    let bench = bench();
    bench.clmbench(&["baseline", "save", "main", "--out", "main.json"]).code(0);
    let speed = |bench: &Bench, baseline: &str| {
        let arguments = ["gate", "--baseline", baseline, "--candidate", "candidate", "--speed", "900%", "--json"];
        let answer = bench.clmbench(&arguments);
        (answer.rows().into_iter().find(|row| row["kind"] == "speed").unwrap(), answer.stderr)
    };
    let (row, said) = speed(&bench, "main");
    assert_eq!(row["refusal"], Value::Null, "{row}");
    assert!(
        row["contains"]
            .as_str()
            .unwrap()
            .starts_with("8 turns of both models, one after the other on the CPU of this machine (alpha;"),
        "{row}"
    );
    assert!(row["baseline"].as_f64().unwrap() > 0.0 && row["candidate"].as_f64().unwrap() > 0.0, "{row}");
    assert!(said.contains("speed   both models embed alpha in turn, 8 times and once before"), "{said}");
    // Elsewhere only the file of the gate baseline is there.
    let elsewhere = self::bench();
    fs::remove_dir_all(elsewhere.store()).unwrap();
    fs::copy(bench.path("main.json"), elsewhere.path("main.json")).unwrap();
    let (row, _) = speed(&elsewhere, "main.json");
    assert_eq!(
        (&row["refusal"], &row["verdict"], &row["low95"]),
        (&"not_measured".into(), &"cannot_tell".into(), &Value::Null),
        "{row}"
    );
    let contains = row["contains"].as_str().unwrap();
    assert!(contains.contains("the store has no weights of the gate baseline"), "{contains}");
    assert!(contains.ends_with("seconds of two moments are not compared"), "{contains}");
}

/// A suite for each candidate stays, is named by `gc`, and goes when it is told to, without what the user's suites have.
#[test]
fn gc_names_the_suites_of_gates() {
    let bench = bench();
    bench.clmbench(&["baseline", "save", "main"]).code(0);
    assert!(!bench.clmbench(&["gc", "--dry-run"]).code(0).stderr.contains("gate-"));
    bench.clmbench(&["gate", "--baseline", "main", "--candidate", "candidate"]).code(11);
    let own = cells(&bench);
    let kept = "kept    1 suite named `gate-main`, as `clmbench gate` names those of candidates; \
                `clmbench gc --forget-suite gate-main` removes what no other suite needs";
    for arguments in [&["gc", "--dry-run"][..], &["gc"]] {
        let answer = bench.clmbench(arguments).code(0);
        assert!(answer.stderr.contains(kept), "{}", answer.stderr);
    }
    let gone = bench.clmbench(&["gc", "--forget-suite", "gate-main", "--json"]).code(0);
    assert!(!gone.stderr.contains("kept"), "{}", gone.stderr);
    assert!(gone.rows().iter().any(|row| row["kind"] == "artifacts"), "the candidate's imported weights");
    assert_eq!(cells(&bench), own, "the user's suite is as it was");
    bench.check_artifacts();
    assert_eq!(bench.clmbench(&["baseline", "judgements", "--json"]).code(0).rows().len(), 1, "judgements stay");
}
