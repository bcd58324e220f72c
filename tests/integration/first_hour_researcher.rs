//! The first hour of a researcher: the README's suite of one's own, its commands in their order, and usual mistakes on the way.

use std::{fs, process::Command};

use clmbench_store::CellStatus;
use serde_json::Value;

use crate::{
    bench::{Answer, finish, wait_until},
    real::{CSV, Real, checkout},
};

/// The README's section: its suite, and its commands without `clmbench` and comments.
fn section() -> (String, Vec<Vec<String>>) {
    let readme = fs::read_to_string(checkout().join("README.md")).unwrap();
    let (_, section) = readme.split_once("### A suite of your own\n").unwrap();
    let (_, rest) = section.split_once("```toml\n").unwrap();
    let (suite, rest) = rest.split_once("```\n").unwrap();
    let (commands, _) = rest.split_once("\nEdit it").unwrap();
    let words = |line: &str| {
        let line = line.split('#').next().unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let commands = commands.lines().filter(|line| line.starts_with("    clmbench ")).map(words).collect();
    (suite.to_owned(), commands)
}

/// 690 molecules, and a table of every third, whose label is their length.
fn files(real: &Real) {
    let heads = [
        "O", "N", "Cl", "F", "Br", "I", "S", "C#N", "C=O", "C=C", "C#C", "C(=O)O", "C(=O)N", "OC=O", "N=O", "S(=O)C", "c1ccccc1",
        "C1CCCCC1", "c1ccncc1", "C1CCNCC1", "c1ccsc1", "C1CC1", "c1ccoc1",
    ];
    let all: Vec<(String, usize)> =
        (3..33).flat_map(|length| heads.map(|head| (format!("{}{head}", "C".repeat(length)), length))).collect();
    fs::write(real.path("molecules.smi"), all.iter().map(|(smiles, _)| format!("{smiles}\n")).collect::<String>()).unwrap();
    let rows = all.iter().step_by(3).map(|(smiles, length)| format!("{smiles},{:.1}\n", -0.3 * *length as f64));
    fs::write(real.path("measured.csv"), std::iter::once("smiles,solubility\n".to_owned()).chain(rows).collect::<String>())
        .unwrap();
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(flat.contains(part), "{part}\nis not in\n{text}");
    }
}

fn run(real: &Real, command: &[String]) -> Answer {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    real.with(&words, &[("COLUMNS", "80")])
}

#[test]
fn the_suite_of_the_readme_goes_from_files_to_a_table_for_python() {
    let real = Real::new(&[CSV]);
    let (suite, commands) = section();
    files(&real);
    // The README's own, but for the tokens: it takes seconds then.
    let suite = suite.replace("100_000", "4_000");
    real.write("study.toml", &suite);
    let named = |start: &str| -> Vec<String> {
        let mut found = commands.iter().filter(|command| command.join(" ").starts_with(start));
        let command = found.next().unwrap_or_else(|| panic!("the README has no {start}")).clone();
        assert!(found.next().is_none(), "{start}");
        command
    };
    assert_eq!(commands.len(), 7, "{commands:?}");

    mistakes_before_the_store(&real, &suite);
    // 160 chains and seven rings of ten: two rings still fit below 184, two below 207.
    let split = run(&real, &named("data split")).code(0);
    says(&split.stdout, &["measured.csv: scaffold split, 0.8 / 0.1 / 0.1", "train 180 78.3 %", "test 30 13.0 %"]);
    let plan = run(&real, &named("plan")).code(0);
    says(&plan.stdout, &["runs 8 independent pretraining runs", "31 runs would detect the useful effect 0.5"]);

    interrupted(&real, &named("run"));
    let board = run(&real, &named("run")).code(0);
    says(&board.stdout, &["Predictors of transfer in suite study", "loss/mlm_loss", "trivial/corpus *", "cannot_tell"]);
    assert!(board.stdout.lines().all(|line| line.chars().count() <= 80), "{}", board.stdout);
    assert!(!board.stderr.contains("% of 100 %"), "{}", board.stderr);
    let status = run(&real, &named("status")).code(0);
    assert!(!status.stdout.contains("todo") && !status.stderr.contains("goes on"), "{}{}", status.stdout, status.stderr);

    let models = run(&real, &named("leaderboard models")).code(0);
    says(&models.stdout, &["Models of suite study: measured, solubility, rmse", "molecules-400/seed3", "mean predictor"]);
    assert!(models.stdout.lines().all(|line| line.chars().count() <= 80), "{}", models.stdout);
    says(&run(&real, &named("export")).stderr, &["results.csv written"]);
    python_reads(&real);
    says(&run(&real, &named("report")).code(0).stdout, &["clmbench-report-study.html"]);
    mistakes_after_it(&real);
}

/// A wrong path, a wrong column, no store: each names the next step and computes nothing.
fn mistakes_before_the_store(real: &Real, suite: &str) {
    let error = real.clmbench(&["plan", "stduy.toml"]).code(2).stderr;
    says(&error, &["stduy.toml: the suite cannot be read", "benchmarks/suites/demo.toml"]);
    let error = real.clmbench(&["data", "split", "mesured.csv"]).code(2).stderr;
    says(&error, &["there is no file `mesured.csv`, and no dataset or corpus of that name", "did you mean `measured.csv`?"]);
    let error = real.clmbench(&["data", "describe", "frosolv"]).code(2).stderr;
    says(&error, &["did you mean `moleculenet/freesolv`?"]);
    says(&real.clmbench(&["status"]).code(5).stderr, &["there is no store at", "`clmbench run SUITE` makes one"]);
    let error = real.clmbench(&["status", "study.toml"]).code(2).stderr;
    says(&error, &["tip: only `plan` and `run` take a file; name a suite that was run with --suite NAME"]);

    real.write("wrong.toml", &suite.replace("[\"solubility\"]", "[\"solubilty\"]").replace("\"study\"", "\"wrong\""));
    let error = real.clmbench(&["run", "wrong.toml"]).code(3).stderr;
    says(
        &error,
        &[
            "there is no column `solubilty` (did you mean `solubility`?); the columns are `smiles`, `solubility`",
            "hint: mend what the message names and run again",
        ],
    );
    assert!(real.rows().iter().all(|row| row.status != CellStatus::Done || row.stage == "tokenise"), "{:?}", real.rows());
}

/// Ctrl-C once a run is trained.
fn interrupted(real: &Real, command: &[String]) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let child = real.start(&words, &[]);
    let trained = |row: &clmbench_store::CellRow| row.stage == "pretrain" && row.status == CellStatus::Done;
    wait_until("a run is trained", || real.rows().iter().any(trained));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let answer = finish(child).code(130);
    says(&answer.stderr, &["stopped; finished cells are kept", "run the same command again to go on"]);
    let status = real.clmbench(&["status"]).code(0);
    says(&status.stdout, &["suite study", "todo"]);
    says(&status.stderr, &["`clmbench run SUITE` goes on"]);
}

/// Python's own reader finds as many columns in every row, and the scores as numbers.
fn python_reads(real: &Real) {
    let program = "import csv, json
rows = list(csv.DictReader(open('results.csv', newline='')))
assert all(None not in row and None not in row.values() for row in rows)
scores = [float(row['value']) for row in rows if row['kind'] == 'score' and row['primary'] == 'true']
print(json.dumps({'rows': len(rows), 'runs': len({row['run'] for row in rows if row['kind'] == 'score'}), 'scores': len(scores)}))";
    let output = match Command::new("python3").args(["-c", program]).current_dir(real.path("")).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: python3 cannot be started ({error})");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = real.clmbench(&["export", "--json"]).code(0).rows();
    assert_eq!(read["rows"], rows.len());
    assert_eq!(read["runs"], 8, "{read}");
    assert_eq!(read["scores"], 8, "{read}");
}

/// A cell by the name that a table shows, a folder that is not there, a suite that was edited.
fn mistakes_after_it(real: &Real) {
    let error = real.clmbench(&["show", "bert-0.06M/molecules-400/seed3"]).code(2).stderr;
    says(
        &error,
        &["no cell `bert-0.06M/molecules-400/seed3` in the store; cells of that word: `pretrain/bert-0.06M/molecules-400/seed3`"],
    );
    let error = real.clmbench(&["export", "--out", "tables/results.csv"]).code(4).stderr;
    says(&error, &["tables/results.csv: there is no folder tables; make it first (mkdir -p)"]);
    let error = real.clmbench(&["leaderboard", "models", "--suite", "stady"]).code(2).stderr;
    says(&error, &["no suite `stady` in the store", "`study`"]);
    let gone = real.clmbench(&["gc", "--forget-suite", "wrong"]).code(0).stdout;
    says(&gone, &["wrong to be forgotten"]);
    says(&real.clmbench(&["leaderboard", "models"]).code(0).stdout, &["Models of suite study"]);
}
