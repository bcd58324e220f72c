//! Both protocols, several tasks, own corpora, and what is printed and exported of them.

use std::{collections::BTreeMap, fs};

use clmbench_store::CellStatus;
use serde_json::Value;

use crate::bench::Bench;

/// Two runs and two controls on a corpus of one's own, two datasets (four tasks, one of them refused), both protocols, two
/// transfer seeds. No file is fetched.
pub const BOTH: &str = r#"
schema = 1
[suite]
name = "both"
seed = 7
[[corpus]]
path = "own.smi"
sizes = [500]
heldout = 64
smiles = "random"
[[model]]
architecture = "fake"
presets = ["a", "b"]
tokens = 1000
[[dataset]]
source = "fake"
names = ["alpha", "beta"]
[[metric]]
id = "fake/loss"
[[metric]]
select = "family:trivial"
[[protocol]]
kind = "probe"
[[protocol]]
kind = "finetune"
epochs = 3
seeds = 2
lr = 5e-4
"#;

fn bench(suite: &str) -> Bench {
    let bench = Bench::new(suite);
    fs::write(bench.path("own.smi"), "CCO\nCCN\n").unwrap();
    bench
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {row}"))
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {row}"))
}

#[test]
fn every_protocol_has_its_cells() {
    let bench = bench(BOTH);
    bench.run();
    let cells = bench.cells();
    assert!(cells.values().all(|cell| cell.0 == CellStatus::Done), "{cells:?}");
    let transfers: Vec<&String> = cells.keys().filter(|key| key.starts_with("transfer/")).collect();
    // (2 runs + 2 controls) x 2 datasets x (1 probe + 2 seeds).
    assert_eq!(transfers.len(), 4 * 2 * 3, "{transfers:?}");
    for key in [
        "transfer/fake-a/own-500/seed0/checkpoint-1/beta/probe",
        "transfer/fake-a/own-500/seed0/checkpoint-1/beta/finetune/seed1",
        "transfer/control/fake-b/own-500/seed0/checkpoint-0/alpha/finetune/seed0",
    ] {
        assert!(cells.contains_key(key), "{key} is not among {transfers:?}");
    }
    let begun = bench.begun().len();
    bench.run();
    assert_eq!(bench.begun().len(), begun, "a second run computes nothing");
}

#[test]
fn models_show_components_and_the_difference_to_their_control() {
    let bench = bench(BOTH);
    bench.run();
    let rows = bench.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    let mut rankings: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for row in &rows {
        let key = ["dataset", "task", "protocol"].map(|key| text(row, key).to_owned());
        *rankings.entry(key.into()).or_default() += 1;
    }
    // Two runs, two controls and the constant predictor in each.
    assert_eq!(rankings.len(), 3 * 2, "three tasks have scores, under two protocols: {rankings:?}");
    assert!(rankings.values().all(|count| *count == 5), "{rankings:?}");
    let exported = bench.clmbench(&["export", "predictions", "--format", "json"]).code(0).rows();
    for row in rows.iter().filter(|row| row["kind"] == "run") {
        let tuned = text(row, "protocol") == "finetune";
        assert_eq!((row["transfer_seeds"].as_u64(), row["se_seed"].is_null()), (Some(if tuned { 2 } else { 1 }), !tuned));
        assert!(row["se_pretrain"].is_null() && row["pretraining_seeds"] == 1, "one pretraining seed: {row}");
        let flags: Vec<&str> = row["flags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(flags.contains(&"fixed_learning_rate"), tuned, "{row}");
        let higher = text(row, "task") != "affinity";
        assert_eq!(row["higher_is_better"], higher);
        assert_eq!(text(row, "unit"), if higher { "" } else { "kcal/mol" });
        let (low, high) = (number(row, "control_difference_low"), number(row, "control_difference_high"));
        let difference = number(row, "control_difference");
        assert!(low <= difference && difference <= high, "{low} {difference} {high}");

        // The same from the exported predictions.
        let label = text(row, "label");
        let own = score(&exported, row, label);
        let control = score(&exported, row, &format!("control/{label}"));
        let sign = if higher { 1.0 } else { -1.0 };
        assert!((own - number(row, "value")).abs() < 1e-9, "{own} {row}");
        assert!((sign * (own - control) - difference).abs() < 1e-9, "{own} {control} {difference}");
    }
    let of = |dataset, protocol| {
        bench.clmbench(&["leaderboard", "models", "--dataset", dataset, "--protocol", protocol]).code(0).stdout
    };
    assert!(of("alpha", "probe").contains("rmse in kcal/mol (smaller is better), probe"), "{}", of("alpha", "probe"));
    assert!(of("beta", "finetune").contains("roc_auc (larger is better), finetune"), "{}", of("beta", "finetune"));
    let page = bench.clmbench(&["leaderboard", "models"]).code(0).stdout;
    assert!(page.contains("score of beta one_class (finetune, 4 models): the test molecules are all of class 0"), "{page}");
}

/// Mean over seeds of the RMSE, or of the share of pairs in order, of a model's exported predictions.
fn score(exported: &[Value], row: &Value, run: &str) -> f64 {
    let same =
        |found: &&Value| text(found, "run") == run && ["dataset", "task", "protocol"].iter().all(|key| found[*key] == row[*key]);
    let mut seeds: BTreeMap<Option<u64>, Vec<(f64, f64)>> = BTreeMap::new();
    for found in exported.iter().filter(same) {
        seeds.entry(found["seed"].as_u64()).or_default().push((number(found, "label"), number(found, "prediction")));
    }
    let one = |pairs: &Vec<(f64, f64)>| {
        assert_eq!(pairs.len(), 10, "ten test molecules");
        if text(row, "score") == "rmse" {
            return (pairs.iter().map(|(label, value)| (label - value).powi(2)).sum::<f64>() / 10.0).sqrt();
        }
        let of = |class: f64| pairs.iter().filter(move |pair| pair.0 == class).map(|pair| pair.1);
        let won = |high: f64, low: f64| {
            if high > low {
                1.0
            } else if high == low {
                0.5
            } else {
                0.0
            }
        };
        let all: Vec<f64> = of(1.0).flat_map(|high| of(0.0).map(move |low| won(high, low))).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    seeds.values().map(one).sum::<f64>() / seeds.len() as f64
}

#[test]
fn fits_are_made_for_each_protocol() {
    let suite = BOTH.replace("presets = [\"a\", \"b\"]", "presets = [\"a\", \"b\", \"c\", \"d\"]");
    let bench = bench(&suite);
    bench.run();
    let rows = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    let losses: Vec<&Value> = rows.iter().filter(|row| row["metric"] == "fake/loss").collect();
    assert_eq!(losses.len(), 3 * 2);
    for row in &losses {
        assert_eq!(row["n"], 4, "{row}");
        assert!(text(row, "pool").ends_with(text(row, "protocol")), "{row}");
        let up = text(row, "task") != "affinity";
        assert_eq!(text(row, "score_orientation"), if up { "higher_is_better" } else { "lower_is_better" });
        let flags: Vec<&str> = row["flags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        // The fake presets share one rate, so probes are flagged too.
        assert!(flags.contains(&"fixed_learning_rate"), "{row}");
    }
    let seeds: Vec<&Value> = losses
        .iter()
        .filter(|row| row["protocol"] == "finetune")
        .map(|row| &row["details"]["points"][0]["transfer_seeds"])
        .collect();
    assert!(seeds.iter().all(|seeds| **seeds == 2), "{seeds:?}");
    let page = bench.clmbench(&["leaderboard", "predictors"]).code(0).stdout;
    assert!(page.contains("score of beta one_class"), "{page}");
}

#[test]
fn predictions_are_exported_as_rows() {
    let bench = bench(BOTH);
    bench.run();
    let csv = bench.clmbench(&["export", "predictions"]).code(0).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "run,checkpoint,dataset,task,protocol,seed,row,label,prediction");
    // (2 runs + 2 controls) x 3 tasks x (1 probe + 2 seeds) x 10 molecules.
    assert_eq!(lines.len(), 1 + 4 * 3 * 3 * 10);
    assert!(lines[1..].iter().all(|line| line.split(',').count() == 9));
    let json = bench.clmbench(&["export", "predictions", "--format", "json"]).code(0).rows();
    for (line, row) in lines[1..].iter().zip(&json) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[0], text(row, "run"));
        assert_eq!(cells[5], row["seed"].as_u64().map_or(String::new(), |seed| seed.to_string()));
        assert_eq!(cells[8].parse::<f64>().unwrap().to_bits(), number(row, "prediction").to_bits());
    }
    let seeds: std::collections::BTreeSet<Option<u64>> = json.iter().map(|row| row["seed"].as_u64()).collect();
    assert_eq!(seeds.into_iter().collect::<Vec<_>>(), [None, Some(7000), Some(7001)]);

    let some = ["export", "predictions", "--suite", "both", "--dataset", "beta", "--protocol", "probe", "--out", "beta.csv"];
    let answer = bench.clmbench(&some).code(0);
    assert!(answer.stdout.is_empty(), "{}", answer.stdout);
    let written = fs::read_to_string(bench.path("beta.csv")).unwrap();
    assert_eq!(written.lines().count(), 1 + 4 * 2 * 10, "two tasks of beta have predictions");
    assert!(written.lines().skip(1).all(|line| line.contains(",beta,") && line.contains(",probe,,")));
    let wrong = bench.clmbench(&["export", "predictions", "--dataset", "gamma"]).code(2);
    assert!(wrong.stderr.contains("beta (finetune)"), "{}", wrong.stderr);
    let nowhere = bench.clmbench(&["export", "predictions", "--out", "no/such/folder/x.csv"]);
    assert_ne!(nowhere.status.code(), Some(0));
    assert!(nowhere.stderr.contains("no/such/folder/x.csv"), "{}", nowhere.stderr);
}

#[test]
fn show_prints_what_was_tried_what_was_refused_and_the_baselines() {
    let bench = bench(BOTH);
    bench.run();
    let show = |key: &str| bench.clmbench(&["show", key]).code(0).stdout;
    let tuned = show("transfer/fake-a/own-500/seed0/checkpoint-1/beta/finetune/seed1");
    for words in [
        "task first: train 80, validation 10, test 10",
        "roc_auc",
        "no score: the test molecules are all of class 0",
        "learning rate 5.0e-4 kept of 1 tried, epoch 3",
        "5.0e-4: best validation loss 0.3000 at epoch 3 of 3",
    ] {
        assert!(tuned.contains(words), "`{words}` is not in:\n{tuned}");
    }
    let corpus = show("tokenise/own-500");
    for words in ["unigram         2.500 ± 0.010", "bigram          1.80", "two neighbours  1.40", "alpha  0.0 %, 5.0 %, 0.0 %"]
    {
        assert!(corpus.contains(words), "`{words}` is not in:\n{corpus}");
    }
    assert!(corpus.contains("\"form\": \"random\"") && corpus.contains("\"format\": \"lines\""), "{corpus}");
}

#[test]
fn a_run_ends_with_its_time_and_what_diverged() {
    let bench = bench(BOTH);
    let variables = [("FAKE_WORKER_MISBEHAVE", "diverge"), ("FAKE_WORKER_ON", "\"layers\":2")];
    let answer = bench.with(&["run", "suite.toml", "--json"], &variables).code(0);
    let rule = "the training loss is above that of the first steps at the end";
    let object: Value = serde_json::from_str(&answer.stdout).unwrap();
    let stages = object["run"]["stages"].as_array().unwrap();
    let named: Vec<(&str, Option<&str>)> = stages.iter().map(|row| (text(row, "stage"), row["protocol"].as_str())).collect();
    let expected = [
        ("tokenise", None),
        ("pretrain", None),
        ("embed", None),
        ("measure", None),
        ("transfer", Some("finetune")),
        ("transfer", Some("probe")),
    ];
    assert_eq!(named, expected);
    let cells: u64 = stages.iter().map(|row| row["cells"].as_u64().unwrap()).sum();
    assert_eq!(cells as usize, bench.count(CellStatus::Done) + bench.count(CellStatus::Diverged));
    let diverged = object["run"]["diverged"].as_array().unwrap();
    assert!(diverged.iter().all(|run| run["reason"] == rule), "{diverged:?}");
    assert_eq!(diverged.len(), 2, "the run and its control: {diverged:?}");
    assert!(answer.stderr.contains("transfer (finetune)"), "{}", answer.stderr);
    assert!(answer.stderr.contains(&format!("diverged: fake-b/own-500/seed0 ({rule})")), "{}", answer.stderr);
    let page = bench.clmbench(&["show", "pretrain/fake-b/own-500/seed0"]).code(0).stdout;
    assert!(page.contains("DIVERGED") && page.contains(rule), "{page}");
    let board = bench.clmbench(&["leaderboard", "models"]).code(0).stdout;
    assert!(board.contains("Without a score") && board.contains("diverged"), "{board}");
}

#[test]
fn a_corpus_file_that_is_not_there_is_named_with_its_line() {
    let bench = Bench::new(BOTH);
    for command in ["plan", "run"] {
        let answer = bench.clmbench(&[command, "suite.toml"]).code(2);
        assert!(answer.stderr.contains("suite.toml:6: the corpus file own.smi cannot be read"), "{}", answer.stderr);
    }
}

#[test]
fn the_device_is_the_first_gpu_that_the_worker_offers() {
    let devices = |bench: &Bench| -> std::collections::BTreeSet<String> {
        let rows = bench.clmbench(&["status", "--json"]).code(0).rows();
        rows.iter().filter_map(|row| row["device"].as_str().map(str::to_owned)).collect()
    };
    let gpu = bench(BOTH);
    let answer = gpu.with(&["run", "suite.toml"], &[("FAKE_WORKER_DEVICES", "cpu,cuda:0,cuda:1")]).code(0);
    assert!(answer.stderr.contains("device    cuda:0"), "{}", answer.stderr);
    assert_eq!(devices(&gpu), ["cuda:0".to_owned()].into());
    let none = bench(BOTH);
    none.run();
    assert_eq!(devices(&none), ["cpu".to_owned()].into());
    let absent = none.clmbench(&["run", "suite.toml", "--device", "cuda:1"]).code(4);
    assert!(absent.stderr.contains("the worker offers cpu"), "{}", absent.stderr);
}

#[test]
fn a_cosine_leaves_raw_checkpoints_that_are_measured_but_never_fitted() {
    let suite = BOTH.replace("tokens = 1000", "tokens = 1000\ncheckpoints = 3\nschedule = \"cosine\"");
    let bench = bench(&suite);
    bench.run();
    let cells = bench.cells();
    let of = |part: &str| cells.keys().filter(|key| key.contains(part)).count();
    assert_eq!(of("checkpoint-1/fake.loss"), 2, "raw checkpoints are measured");
    assert_eq!(of("embed/fake-a/own-500/seed0/checkpoint-1/"), 0, "and not transferred");
    assert_eq!(of("transfer/fake-a/own-500/seed0/checkpoint-3/"), 2 * 3);
    let rows = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    assert!(rows.iter().all(|row| row["n_checkpoints"] == row["n"]), "one annealed checkpoint a run");
}
