//! Suites with checkpoints of others, by the real command line with a fake worker: what is planned, computed, stored and shown, and what
//! is said of folders and revisions that cannot be used.

use std::fs;

use clmbench_store::{CellStatus, Store};
use serde_json::Value;

use crate::{
    bench::Bench,
    real::{Real, checkout},
};

/// Two folders of one tokenizer, one of another.
const OTHERS: &str = r#"
schema = 1
[suite]
name = "others"
seed = 7
expect = "cannot_tell"
[[corpus]]
name = "moses"
sizes = [2000, 500]
heldout = 64
[[checkpoint]]
path = "models/small"
[[checkpoint]]
path = "models/large"
tokens = 1_000_000
molecules = 20_000
[[checkpoint]]
path = "models/foreign"
[[dataset]]
source = "fake"
names = ["alpha"]
[[metric]]
id = "fake/loss"
[[metric]]
select = "family:trivial"
[[baseline]]
model = "linear"
"#;

/// A folder as `transformers` saves one, for the fake worker: it reads layers and width of `config.json`.
fn save(bench: &Bench, name: &str, layers: u64, tokenizer: &str) {
    let folder = bench.path("models").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), format!("{{\"model_type\": \"fake\", \"layers\": {layers}, \"width\": 64}}")).unwrap();
    fs::write(folder.join("model.safetensors"), format!("weights of {name}")).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
}

fn others(suite: &str) -> Bench {
    let bench = Bench::new(suite);
    save(&bench, "small", 1, "tokens");
    save(&bench, "large", 4, "tokens");
    save(&bench, "foreign", 2, "other tokens");
    bench
}

/// What `clmbench` says on standard error, with the test's folder as `DIR`.
fn said(bench: &Bench, arguments: &[&str], code: i32) -> String {
    let answer = bench.clmbench(arguments).code(code);
    answer.stderr.replace(&bench.path("").display().to_string(), "DIR/").trim().to_owned()
}

#[test]
fn checkpoints_are_tokenised_once_a_tokenizer_and_each_has_a_control() {
    let bench = others(OTHERS);
    bench.run();
    let cells = bench.cells();
    let keys: Vec<&str> = cells.keys().map(String::as_str).filter(|key| !key.starts_with("measure/")).collect();
    let expected = [
        "control/foreign",
        "control/large",
        "control/small",
        "embed/control/foreign/checkpoint-0/alpha",
        "embed/control/large/checkpoint-0/alpha",
        "embed/control/small/checkpoint-0/alpha",
        "embed/foreign/checkpoint-0/alpha",
        "embed/large/checkpoint-0/alpha",
        "embed/small/checkpoint-0/alpha",
        "import/foreign",
        "import/large",
        "import/small",
        "tokenise/alpha",
        "tokenise/alpha@foreign",
        "tokenise/alpha@small",
        "tokenise/moses-500@foreign",
        "tokenise/moses-500@small",
        "transfer/baseline/linear-ecfp4_2048/alpha",
        "transfer/control/foreign/checkpoint-0/alpha/probe",
        "transfer/control/large/checkpoint-0/alpha/probe",
        "transfer/control/small/checkpoint-0/alpha/probe",
        "transfer/foreign/checkpoint-0/alpha/probe",
        "transfer/large/checkpoint-0/alpha/probe",
        "transfer/small/checkpoint-0/alpha/probe",
    ];
    assert_eq!(keys, expected);
    let of = |key: &str| cells[key].0;
    assert_eq!(of("measure/large/checkpoint-0/trivial.tokens"), CellStatus::Done, "the suite says how many");
    for key in ["measure/small/checkpoint-0/trivial.tokens", "measure/small/checkpoint-0/trivial.corpus"] {
        assert_eq!(of(key), CellStatus::Refused, "{key}");
    }
    assert!(cells.values().all(|cell| matches!(cell.0, CellStatus::Done | CellStatus::Refused)));
    // Nothing is computed twice, and what was refused is not asked again.
    let begun = bench.begun().len();
    let again = bench.run();
    assert_eq!(bench.begun().len(), begun);
    assert!(again.stderr.contains("6 refused, since a run or checkpoint lacks what they need"), "{}", again.stderr);
    bench.check_artifacts();
}

#[test]
fn what_is_not_known_of_a_checkpoint_is_null() {
    let bench = others(OTHERS);
    bench.run();
    let store = Store::open_reader(&bench.store()).unwrap();
    let runs = store.runs(store.suite(None).unwrap().id).unwrap();
    let of = |label: &str| runs.iter().find(|run| run.label == label).unwrap();
    let (small, large, control) = (of("small"), of("large"), of("control/small"));
    assert_eq!((small.tokens, small.corpus_molecules, small.training_flops, small.seed), (None, None, None, None));
    assert_eq!((large.tokens, large.corpus_molecules), (Some(1_000_000), Some(20_000)));
    assert_eq!(large.training_flops, Some(6.0 * large.non_embedding_parameters as f64 * 1e6));
    assert_eq!(
        (small.source.as_deref(), small.imported, small.control),
        (Some("folder:small"), true, false),
        "not where it lies"
    );
    assert_eq!((control.control, control.tokens, control.seed), (true, Some(0), Some(7_000)));
    assert_eq!(small.config_json, control.config_json);
    let rows = bench.clmbench(&["export", "results", "--json"]).code(0).rows();
    let score = rows.iter().find(|row| row["kind"] == "score" && row["run"] == "small").unwrap();
    for key in
        ["tokens", "corpus_molecules", "corpus", "seed", "learning_rate", "training_loss", "checkpoint_tokens", "precision"]
    {
        assert_eq!(score[key], Value::Null, "{key} of {score}");
    }
    assert_eq!(score["source"], "folder:small");
    assert!(!bench.clmbench(&["export", "results"]).code(0).stdout.contains(&bench.path("").display().to_string()));
}

#[test]
fn boards_rank_unlike_tokenizers_together_and_fit_them_apart() {
    let more = "[[model]]\narchitecture = \"fake\"\npresets = [\"a\"]\ntokens = 1000\n[[dataset]]";
    let bench = others(&OTHERS.replacen("[[dataset]]", more, 1));
    bench.run();
    let rows = bench.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    let mut kinds: Vec<(String, u64)> =
        rows.iter().map(|row| (row["kind"].as_str().unwrap().to_owned(), row["rank"].as_u64().unwrap())).collect();
    let ranks: Vec<u64> = kinds.iter().map(|(_, rank)| *rank).collect();
    assert_eq!(ranks, (1..=rows.len() as u64).collect::<Vec<_>>(), "one ranking");
    kinds.sort();
    let count = |kind: &str| kinds.iter().filter(|(word, _)| word == kind).count();
    // Three checkpoints and two runs on two corpus sizes; a control of each model.
    assert_eq!((count("run"), count("control"), count("baseline"), count("mean_predictor")), (5, 4, 1, 1));
    let of = |label: &str| rows.iter().find(|row| row["label"] == label).unwrap();
    assert_eq!(of("small")["flags"], serde_json::json!(["imported"]));
    for label in ["small", "foreign"] {
        let row = of(label);
        for end in ["control_difference_low", "baseline_difference_low"] {
            assert!(row[end].is_f64(), "{end} of {row}");
        }
    }
    let fits = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    let mut n: Vec<u64> = fits.iter().filter(|row| row["metric"] == "fake/loss").map(|row| row["n"].as_u64().unwrap()).collect();
    n.sort_unstable();
    assert_eq!(n, [1, 2, 2], "one pool a tokenizer: foreign, small with large, and our own");
    let page = bench.clmbench(&["report", "--out", "report.html"]).code(0);
    assert!(page.stderr.is_empty() || !page.stderr.contains("error"), "{}", page.stderr);
    let html = fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(html.contains("folder:small") && html.contains("An imported run is a checkpoint of others."));
}

#[test]
fn the_plan_counts_them_and_says_what_it_could_detect() {
    let bench = others(OTHERS);
    let page = bench.clmbench(&["plan", "suite.toml"]).code(0).stdout;
    assert!(page.contains("3 import + 3 controls"), "{page}");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let at_most = "3 independent pretraining runs (of others) in pools of at most";
    assert!(page.contains(&format!("{at_most} 3, if their tokenizers are equal: only runs")), "{page}");
    assert!(page.contains("or they are of checkpoints of others, whose sizes are known once they are read"), "{page}");
    let row = &bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows()[0];
    assert_eq!((row["runs"].as_u64(), row["imports"].as_u64(), row["pool"].as_u64()), (Some(3), Some(3), Some(3)));
    assert_eq!((&row["pool_is_conditional"], &row["seconds"]), (&true.into(), &Value::Null));
    bench.run();
    let row = &bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows()[0];
    assert_eq!((row["pool"].as_u64(), &row["pool_is_conditional"]), (Some(2), &false.into()));
    // Without a corpus they are transferred, and not measured.
    let start = OTHERS.find("[[corpus]]").unwrap();
    let end = OTHERS.find("[[checkpoint]]").unwrap();
    fs::write(bench.path("suite.toml"), format!("{}{}", &OTHERS[..start], &OTHERS[end..])).unwrap();
    bench.run();
    assert_eq!(bench.count(CellStatus::NotApplicable), 3 * 5);
    let page = bench.clmbench(&["plan", "suite.toml"]).code(0).stdout;
    assert!(page.contains("`fake/loss` is measured with held-out molecules at hand, and the suite has none: add"), "{page}");
    assert!(bench.cells().keys().any(|key| key == "transfer/small/checkpoint-0/alpha/probe"));
}

#[test]
fn a_changed_file_is_another_checkpoint_and_the_same_one_is_no_second_run() {
    let bench = others(OTHERS);
    bench.run();
    let before = bench.cells();
    save(&bench, "large", 3, "tokens");
    bench.run();
    let after = bench.cells();
    assert_ne!(before["import/large"].1, after["import/large"].1);
    assert_eq!(before["import/small"], after["import/small"]);
    fs::copy(bench.path("models/small/model.safetensors"), bench.path("models/large/model.safetensors")).unwrap();
    assert_eq!(
        said(&bench, &["plan", "suite.toml"], 2),
        "error: suite.toml:13: `large` is the same as `small`; counting it twice would count one run as two. Remove one."
    );
}

#[test]
fn a_copy_of_the_weights_is_shown_and_counted_once() {
    let bench = others(&OTHERS.replacen("models/foreign", "models/copy", 1));
    save(&bench, "copy", 1, "tokens");
    fs::write(bench.path("models/copy/model.safetensors"), "weights of small        ").unwrap();
    bench.run();
    let fits = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    for row in &fits {
        assert_eq!(
            row["n"],
            if row["metric"] == "trivial/tokens" || row["metric"] == "trivial/corpus" || row["metric"] == "trivial/flops" {
                1
            } else {
                2
            },
            "{row}"
        );
        assert!(row["flags"].as_array().unwrap().contains(&"same_weights".into()), "{row}");
        let excluded = row["details"]["excluded"].as_array().unwrap();
        assert!(excluded.iter().any(|run| run["label"] == "copy" && run["reason"] == "has the same weights as small"), "{row}");
    }
    assert!(!fits.is_empty());
    let rows = bench.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    let of = |label: &str| rows.iter().find(|row| row["label"] == label).unwrap();
    assert_eq!((&of("copy")["same_weights_as"], &of("small")["same_weights_as"]), (&"small".into(), &Value::Null));
    let page = bench.clmbench(&["leaderboard", "models"]).code(0).stdout;
    assert!(page.contains("same_weights: copy has those of small, which counts in the fits"), "{page}");
    let page = bench.clmbench(&["leaderboard", "predictors"]).code(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("Refused: trivial/corpus of 2 checkpoints ("), "{page}");
}

#[test]
fn what_else_is_wrong_is_said_before_the_hub_is_asked() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let bench = Bench::new(&hub(COMMIT, "architecture = \"fake\""));
    let typo = said(&bench, &["run", "suite.toml", "--only", "tranfer"], 2);
    assert!(typo.contains("no cell of the suite is named by `tranfer`") && typo.contains("transfer"), "{typo}");
    let held = Store::open_writer(&bench.store()).unwrap();
    let busy = said(&bench, &["run", "suite.toml"], 5);
    assert!(busy.starts_with("error: the store is in use by process"), "{busy}");
    drop(held);
    let offline = said(&bench, &["run", "suite.toml"], 4);
    assert!(offline.contains("lab--model"), "{offline}");
    // What needs no model of the hub is computed without it, pinned or not.
    let more = "architecture = \"fake\"\n[[baseline]]\nmodel = \"linear\"";
    for revision in [COMMIT, "unpinned"] {
        fs::write(bench.path("suite.toml"), hub(revision, more)).unwrap();
        bench.clmbench(&["run", "suite.toml", "--only", "transfer/baseline/*"]).code(0);
        assert_eq!(bench.cells()["tokenise/alpha"].0, CellStatus::Done);
    }
}

#[test]
fn bad_folders_are_refused_by_name() {
    let bench = others(OTHERS);
    let small = bench.path("models/small");
    fs::write(small.join("config.json"), "{\"model_type\": \"fakes\"}").unwrap();
    assert_eq!(
        said(&bench, &["run", "suite.toml"], 2),
        "error: suite.toml:11: no architecture reads folders with `model_type` `fakes`. Did you mean `fake`? `clmbench plugin list` shows all."
    );
    let named = OTHERS.replacen("path = \"models/small\"", "path = \"models/small\"\narchitecture = \"fake\"", 1);
    fs::write(bench.path("suite.toml"), named).unwrap();
    assert_eq!(
        said(&bench, &["run", "suite.toml"], 2),
        "error: suite.toml:11: architecture `fake` reads folders with `model_type` `fake`, and this one has `fakes`. Remove \
         `architecture`, or write the one that reads it."
    );
    fs::write(bench.path("suite.toml"), OTHERS).unwrap();
    fs::remove_file(small.join("model.safetensors")).unwrap();
    fs::write(small.join("pytorch_model.bin"), "pickle").unwrap();
    let pickle = said(&bench, &["run", "suite.toml"], 2);
    assert!(pickle.starts_with("error: suite.toml:11: the checkpoint models/small cannot be read: "), "{pickle}");
    assert!(pickle.contains("pytorch_model.bin") && pickle.contains("safe_serialization=True"), "{pickle}");
    fs::remove_dir_all(&small).unwrap();
    let absent = said(&bench, &["run", "suite.toml"], 2);
    assert!(absent.starts_with("error: suite.toml:11: the checkpoint models/small cannot be read: "), "{absent}");
    assert!(bench.begun().is_empty(), "nothing was computed");
}

/// A suite of one checkpoint of the hub.
fn hub(revision: &str, more: &str) -> String {
    format!(
        "schema = 1\n[suite]\nname = \"hub\"\n[[corpus]]\nname = \"moses\"\nsizes = [500]\nheldout = 64\n[[checkpoint]]\n\
         hub = \"lab/model\"\nrevision = \"{revision}\"\n{more}\n[[dataset]]\nsource = \"fake\"\nnames = [\"alpha\"]\n\
         [[metric]]\nid = \"fake/loss\"\n"
    )
}

#[test]
fn the_hub_is_pinned_and_read_from_the_cache() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let bench = Bench::new(&hub(COMMIT, ""));
    assert_eq!(
        said(&bench, &["plan", "suite.toml"], 2),
        format!(
            "error: suite.toml:8: hub:lab/model@{COMMIT} is not in the cache, so that its architecture is not known. Write it \
             (`architecture = \"bert\"`), or fetch it: `clmbench model import lab/model@{COMMIT}`."
        )
    );
    fs::write(bench.path("suite.toml"), hub(COMMIT, "architecture = \"fake\"")).unwrap();
    let page = bench.clmbench(&["plan", "suite.toml"]).code(0).stdout;
    assert!(page.contains("1 checkpoint is not in the cache (`clmbench run` fetches what is missing)"), "{page}");
    let row = &bench.clmbench(&["plan", "suite.toml", "--json"]).code(0).rows()[0];
    assert_eq!(row["not_fetched"], serde_json::json!([format!("lab/model@{COMMIT}")]));
    // Downloads are switched off: what to put where is said, and nothing is computed.
    let offline = said(&bench, &["run", "suite.toml"], 4);
    assert!(offline.contains(&format!("DIR/cache/hub/lab--model/{COMMIT}")), "{offline}");
    save(&bench, "x", 2, "tokens");
    let place = bench.path("cache/hub/lab--model").join(COMMIT);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::rename(bench.path("models/x"), &place).unwrap();
    bench.run();
    let store = Store::open_reader(&bench.store()).unwrap();
    let run = store.runs(store.suite(None).unwrap().id).unwrap().remove(0);
    assert_eq!((run.label.as_str(), run.source), ("model", Some(format!("hub:lab/model@{COMMIT}"))));
}

#[test]
fn an_unpinned_suite_plans_and_does_not_run() {
    let bench = Bench::new(&hub("unpinned", "architecture = \"fake\""));
    let page = bench.clmbench(&["plan", "suite.toml"]).code(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("1 of them not pinned to a commit: `clmbench run` says which lines to write"), "{page}");
    let refused = said(&bench, &["run", "suite.toml"], 2);
    let start = "error: suite.toml:8: 1 checkpoint is not pinned to a commit:\n  line 8, lab/model:  clmbench model import lab/model@main\n";
    assert!(refused.starts_with(start), "{refused}");
    assert!(refused.contains("downloads are switched off"), "{refused}");
    assert!(bench.begun().is_empty());
}

#[test]
fn a_failed_import_costs_what_needs_it() {
    let bench = others(OTHERS);
    let weights = clmbench_fetch::sha256_file(&bench.path("models/large/model.safetensors")).unwrap();
    let fails = [("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", weights.as_str())];
    let answer = bench.with(&["run", "suite.toml"], &fails).code(3);
    for key in ["import/large", "control/large"] {
        assert!(answer.stderr.contains(&format!("{key}  plugin_error: the fake plugin says no")), "{}", answer.stderr);
    }
    let cells = bench.cells();
    assert_eq!(cells["transfer/large/checkpoint-0/alpha/probe"].0, CellStatus::Refused);
    assert_eq!(cells["transfer/small/checkpoint-0/alpha/probe"].0, CellStatus::Done);
    let board = bench.clmbench(&["leaderboard", "models"]).code(0);
    let text = format!("{}{}", board.stdout, board.stderr);
    assert!(text.contains("large") && text.contains("failed: plugin_error"), "{text}");
    bench.clmbench(&["run", "suite.toml", "--retry-failed"]).code(0);
    assert_eq!(bench.count(CellStatus::Failed), 0);
    let shown = bench.clmbench(&["show", "import/small"]).code(0).stdout;
    assert!(shown.contains("the pooler is absent") && shown.contains("WordPiece"), "{shown}");
}

/// The tool's own plugins that the suites of the paper need.
fn real() -> Real {
    Real::new(&["clmbench-plugin-hessian", "clmbench-plugin-sharpness", "clmbench-plugin-landscape"])
}

fn of_the_checkout(name: &str) -> String {
    checkout().join("benchmarks/suites").join(name).display().to_string()
}

#[test]
fn the_paper_is_one_suite_file_and_says_that_six_runs_cannot_tell() {
    let real = real();
    let path = of_the_checkout("paper.toml");
    let plan = real.clmbench(&["plan", &path, "--json"]).code(0).rows().remove(0);
    assert_eq!((plan["runs"].as_u64(), plan["imports"].as_u64(), plan["pool"].as_u64()), (Some(6), Some(6), Some(6)));
    assert!((plan["mde"].as_f64().unwrap() - 0.93).abs() < 0.005, "{}", plan["mde"]);
    let missing = plan["not_fetched"].as_array().unwrap();
    assert_eq!(missing.len(), 6);
    assert!(missing.iter().all(|place| place.as_str().unwrap().starts_with("sagawa/molscaletransfer-chemlm-")), "{missing:?}");
    let families: std::collections::BTreeSet<&str> = plan["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["metric"].as_str().unwrap().split('/').next().unwrap())
        .collect();
    assert_eq!(families.into_iter().collect::<Vec<_>>(), ["hessian", "landscape", "loss", "sharpness", "trivial"]);
    assert_eq!(plan["not_applicable"], 0);
    let page = real.clmbench(&["plan", &path]).code(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("|r| >= 0.93 (80 % power), but below 8 runs every verdict is \"cannot tell\""), "{page}");
    // Not recorded: neither a board nor a run without the commits.
    let none = real.clmbench(&["leaderboard", "predictors", "--suite", "paper"]);
    assert_ne!(none.status.code(), Some(0), "{}", none.stdout);
    let refused = real.clmbench(&["run", &path]).code(2).stderr;
    assert!(
        refused.contains("6 checkpoints are not pinned to a commit:") && refused.matches("\n  line ").count() == 6,
        "{refused}"
    );
    let recorded = fs::read_dir(checkout().join("results"))
        .map(|entries| entries.filter_map(Result::ok).any(|entry| entry.file_name().to_string_lossy().contains("paper")));
    assert!(!recorded.unwrap_or(false), "a result is there: paper.toml says that none is recorded");
}

#[test]
fn the_same_question_with_runs_of_our_own_has_24() {
    let real = real();
    let plan = real.clmbench(&["plan", &of_the_checkout("paper-scaling.toml"), "--json"]).code(0).rows().remove(0);
    assert_eq!((plan["runs"].as_u64(), plan["imports"].as_u64(), plan["pool"].as_u64()), (Some(24), Some(0), Some(24)));
    assert!((plan["mde"].as_f64().unwrap() - 0.56).abs() < 0.005, "{}", plan["mde"]);
    assert_eq!(plan["not_applicable"], 0);
}
