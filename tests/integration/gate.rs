//! The gate with the real engine: a damaged checkpoint is worse, a reseeded one is not worse, one fine-tuning seed cannot tell; the
//! recipe of three seeds; what is wrong with baselines and candidates; what is printed, written and stored.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use clmbench_store::Store;
use serde_json::Value;

use crate::real::Real;

/// Six pretraining seeds of one small model, a closed-form probe on 420 test molecules.
const PROBE: &str = r#"
schema = 1
[suite]
name = "probe"
seed = 7
[[corpus]]
name = "moses"
sizes = [2000]
heldout = 64
[[model]]
architecture = "bert"
overrides = [{ layers = 1, width = 64 }]
tokens = 100_000
batch = 32
seeds = 6
[[dataset]]
source = "moleculenet"
names = ["lipo"]
[[metric]]
id = "loss/mlm_loss"
budget = "quick"
[[protocol]]
kind = "probe"
checkpoints = "final"
"#;

/// One fine-tuning seed.
const FINETUNE: &str = r#"
schema = 1
[suite]
name = "finetune"
seed = 7
[[corpus]]
name = "moses"
sizes = [500]
heldout = 64
[[model]]
architecture = "bert"
overrides = [{ layers = 1, width = 64 }]
tokens = 20_000
batch = 32
seeds = 2
[[dataset]]
source = "moleculenet"
names = ["freesolv"]
[[protocol]]
kind = "finetune"
epochs = 2
seeds = 1
lr = 1e-3
"#;

/// Label of a run of both suites.
fn run(corpus: &str, seed: u32) -> String {
    format!("bert-layers1-width64/{corpus}/seed{seed}")
}

/// The first suite, run once for all tests, with a gate baseline `one` of its first seed, the file of it, and another seed as a folder.
fn probed() -> &'static Real {
    static REAL: OnceLock<Real> = OnceLock::new();
    REAL.get_or_init(|| {
        let real = Real::new(&[]);
        real.write("suite.toml", PROBE);
        real.clmbench(&["run", "suite.toml"]).code(0);
        let (first, second) = (run("moses-2000", 0), run("moses-2000", 2));
        real.clmbench(&["baseline", "save", "one", "--model", &first, "--out", "one.json"]).code(0);
        real.clmbench(&["model", "export", &format!("pretrain/{second}"), "--out", "reseeded"]).code(0);
        real
    })
}

/// A store of its own with what [`probed`] made but its results: as on a CI machine that has the baseline's file alone.
fn elsewhere() -> Real {
    let real = Real::new(&[]);
    fs::copy(probed().path("one.json"), real.path("one.json")).unwrap();
    copy(&probed().path("reseeded"), &real.path("reseeded"));
    real
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Changes every number of the tensors whose name holds the word.
fn change(folder: &Path, word: &str, with: impl Fn(usize, f32) -> f32) {
    let path = folder.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut changed = 0;
    for (name, entry) in header.as_object().unwrap().iter().filter(|(name, _)| name.contains(word)) {
        assert_eq!(entry["dtype"], "F32", "{name}");
        let at = |side: usize| 8 + length + entry["data_offsets"][side].as_u64().unwrap() as usize;
        for (number, four) in bytes[at(0)..at(1)].as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *four = with(number, f32::from_le_bytes(*four)).to_le_bytes();
            changed += 1;
        }
    }
    assert!(changed > 0, "no tensor is called {word}");
    fs::write(path, bytes).unwrap();
}

fn overall(answer: &str) -> Value {
    serde_json::from_str::<Value>(answer).unwrap()["overall"].clone()
}

#[test]
fn a_damaged_checkpoint_is_worse() {
    let real = elsewhere();
    // All tokens look alike: what is left of a molecule is its length.
    change(&real.path("reseeded"), "embeddings.word", |_, _| 0.0);
    let answer = real.clmbench(&[
        "gate",
        "--baseline",
        "one.json",
        "--candidate",
        "reseeded",
        "--json",
        "--junit",
        "gate.xml",
        "--markdown",
        "gate.md",
    ]);
    let answer = answer.code(10);
    let rows = answer.rows();
    assert_eq!((rows.len(), &rows[0]["verdict"]), (1, &"worse".into()), "{rows:?}");
    assert!(rows[0]["high95"].as_f64().unwrap() < 0.0 && rows[0]["holm_p"].as_f64().unwrap() < 0.025, "{rows:?}");
    let found = overall(&answer.stdout);
    assert_eq!((&found["verdict"], &found["claim"]), (&"worse".into(), &"checkpoint".into()));
    assert!(answer.stderr.contains("error: the candidate is worse: worse on lipo"), "{}", answer.stderr);
    let junit = fs::read_to_string(real.path("gate.xml")).unwrap();
    assert!(junit.contains("<testsuites tests=\"2\" failures=\"2\" skipped=\"0\" errors=\"0\">"), "{junit}");
    let markdown = fs::read_to_string(real.path("gate.md")).unwrap();
    assert!(markdown.starts_with("### Gate: worse\n"), "{markdown}");
    // `--inconclusive` is about what cannot be told alone; and nothing is computed a second time.
    let again = real.clmbench(&["gate", "--baseline", "one.json", "--candidate", "reseeded", "--inconclusive", "pass"]).code(10);
    assert!(again.stderr.contains("cells: 0 computed, 4 finished before"), "{}", again.stderr);
    assert!(again.stdout.lines().all(|line| line.chars().count() <= 120), "{}", again.stdout);
    let store = Store::open_reader(&real.store()).unwrap();
    let judgements = store.gate_judgements().unwrap();
    let kept: Vec<(&str, &str)> = judgements.iter().map(|row| (row.baseline.as_str(), row.verdict.as_str())).collect();
    assert_eq!(kept, [("one", "worse"), ("one", "worse")]);
    let stored: Value = serde_json::from_str(&judgements[0].content_json).unwrap();
    assert_eq!(stored["overall"], found);
}

#[test]
fn a_reseeded_one_is_not_worse() {
    let real = elsewhere();
    let answer = real.clmbench(&["gate", "--baseline", "one.json", "--candidate", "reseeded", "--json"]).code(0);
    let found = overall(&answer.stdout);
    assert_eq!(found["verdict"], "not_worse", "{found}");
    assert!(found["claim_text"].as_str().unwrap().starts_with("about this checkpoint: another pretraining seed"), "{found}");
    let row = answer.rows().remove(0);
    assert!(row["low95"].as_f64().unwrap() > -row["margin"].as_f64().unwrap(), "{row}");
    // Only the candidate was computed: its embeddings and its probe, no untrained control.
    let keys: Vec<String> = real.rows().into_iter().filter(|row| row.identity.is_some()).map(|row| row.key).collect();
    assert!(keys.iter().all(|key| !key.contains("control")), "{keys:?}");
    // The same run of the store that it was exported from is judged alike, without computing anything.
    let at_home = probed();
    let label = run("moses-2000", 2);
    let answer = at_home.clmbench(&["gate", "--baseline", "one", "--candidate", &label, "--json"]).code(0);
    let same = answer.rows().remove(0);
    let close = |key: &str| (row[key].as_f64().unwrap() - same[key].as_f64().unwrap()).abs() < 1e-5;
    assert!(close("candidate") && close("difference") && close("low95"), "{row} {same}");
    assert!(!answer.stderr.contains("cells:"), "{}", answer.stderr);
    let newest = Store::open_reader(&at_home.store()).unwrap().suite(None).unwrap().name;
    assert_eq!(newest, "probe", "commands that mean the newest suite mean the user's");
}

#[test]
fn one_fine_tuning_seed_cannot_tell() {
    let real = Real::new(&[]);
    real.write("suite.toml", FINETUNE);
    real.clmbench(&["run", "suite.toml"]).code(0);
    let (first, second) = (run("moses-500", 0), run("moses-500", 1));
    real.clmbench(&["baseline", "save", "tuned", "--model", &first]).code(0);
    let gate = |more: &[&str]| {
        let mut arguments = vec!["gate", "--baseline", "tuned", "--candidate", second.as_str()];
        arguments.extend(more);
        real.clmbench(&arguments)
    };
    let answer = gate(&["--json"]).code(11);
    let row = answer.rows().remove(0);
    assert_eq!((&row["verdict"], &row["refusal"]), (&"cannot_tell".into(), &"one_seed".into()), "{row}");
    assert_eq!(row["settle"], "at least 3 seeds on each side show their spread");
    assert_eq!((&row["low95"], &row["holm_p"]), (&Value::Null, &Value::Null), "no number without its uncertainty");
    assert!(answer.stderr.contains("error: cannot tell whether the candidate is worse"), "{}", answer.stderr);
    let passed = gate(&["--inconclusive", "pass"]).code(0);
    assert!(passed.stdout.contains("Overall: cannot tell"), "the text says it still: {}", passed.stdout);
    gate(&["--inconclusive", "fail", "--junit", "gate.xml"]).code(10);
    assert!(fs::read_to_string(real.path("gate.xml")).unwrap().contains("<failure type=\"cannot tell\""));
    // More seeds of the candidate do not help a baseline with one.
    let answer = gate(&["--seeds", "2", "--json"]).code(11);
    let row = answer.rows().remove(0);
    assert_eq!((&row["refusal"], &row["candidate_seeds"][1]), (&"one_seed".into(), &2.into()), "{row}");
}

#[test]
fn three_seeds_on_each_side_are_a_claim_about_the_recipe() {
    let real = probed();
    let labels: Vec<String> = (0..6).map(|seed| run("moses-2000", seed)).collect();
    let mut save = vec!["baseline", "save", "three"];
    labels[..3].iter().for_each(|label| save.extend(["--model", label]));
    real.clmbench(&save).code(0);
    let mut gate = vec!["gate", "--baseline", "three", "--json", "--metric", "loss/mlm_loss=0.5", "--speed", "50%"];
    labels[3..].iter().for_each(|label| gate.extend(["--candidate", label]));
    let answer = real.clmbench(&gate);
    let rows = answer.rows();
    let kinds: Vec<&str> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["score", "metric", "speed"]);
    assert_eq!((&rows[0]["baseline_seeds"][0], &rows[0]["candidate_seeds"][0]), (&3.into(), &3.into()));
    assert!(rows[0]["se_seed"].as_f64().unwrap() > 0.0, "{}", rows[0]);
    assert_eq!(rows[0]["contains"], "test molecules and pretraining seeds");
    assert_eq!(rows[1]["verdict"], "not_worse", "{}", rows[1]);
    // What two models of one size take beside other tests is not for a test to judge; that it was measured in turn is.
    assert!(rows[2]["contains"].as_str().unwrap().starts_with("8 turns of both models"), "{}", rows[2]);
    assert!(rows[2]["low95"].as_f64().unwrap() < rows[2]["high95"].as_f64().unwrap(), "{}", rows[2]);
    let found = overall(&answer.stdout);
    assert_eq!(found["claim"], "recipe", "{found}");
    gate.truncate(gate.len() - 6);
    gate.retain(|word| !["--speed", "50%"].contains(word));
    labels[3..].iter().for_each(|label| gate.extend(["--candidate", label]));
    assert_eq!(overall(&real.clmbench(&gate).code(0).stdout)["verdict"], "not_worse");
}

#[test]
fn baselines_are_saved_listed_shown_and_removed() {
    let real = probed();
    let all = real.clmbench(&["baseline", "save", "all"]).code(0);
    assert_eq!(all.stdout, "gate baseline all: 1 task of 6 runs in suite probe, frozen\n");
    let taken = real.clmbench(&["baseline", "save", "all", "--model", &run("moses-2000", 0)]).code(2);
    assert!(taken.stderr.contains("a gate baseline `all` is stored already"), "{}", taken.stderr);
    real.clmbench(&[
        "baseline",
        "save",
        "all",
        "--model",
        "bert-layers1-width64/moses-2000",
        "--replace",
        "--margin",
        "rmse=10%",
    ])
    .code(0);
    let row = real.clmbench(&["baseline", "show", "all", "--json"]).code(0).rows().remove(0);
    assert_eq!((&row["margin_from"], &row["runs"], &row["n_test"]), (&"rmse=10%".into(), &6.into(), &420.into()), "{row}");
    let default = real.clmbench(&["baseline", "show", "one.json", "--json"]).code(0).rows().remove(0);
    let ratio = row["margin"].as_f64().unwrap() / default["margin"].as_f64().unwrap();
    assert!((ratio - 2.0).abs() < 1e-9, "5 % of the standard deviation is the default: {ratio}");
    // The standard deviation of lipo's training labels on this split is 1.2 (all of lipo: 1.203).
    assert!((default["margin"].as_f64().unwrap() - 0.06).abs() < 0.003, "{default}");
    let names: Vec<Value> =
        real.clmbench(&["baseline", "list", "--json"]).code(0).rows().into_iter().map(|row| row["name"].clone()).collect();
    assert!(names.contains(&"all".into()) && names.contains(&"one".into()), "{names:?}");
    real.clmbench(&["baseline", "remove", "all"]).code(0);
    let gone = real.clmbench(&["baseline", "remove", "all"]).code(2);
    assert!(gone.stderr.contains("no such gate baseline in the store: `all`"), "{}", gone.stderr);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let real = elsewhere();
    let refused = |arguments: &[&str], words: &str| {
        let answer = real.clmbench(arguments).code(2);
        assert!(answer.stderr.contains(words), "{words}: {}", answer.stderr);
    };
    refused(&["gate", "--baseline", "onne", "--candidate", "reseeded"], "no such gate baseline in the store: `onne`");
    let near = probed().clmbench(&["gate", "--baseline", "onne", "--candidate", "reseeded"]).code(2);
    assert!(near.stderr.contains("did you mean `one`?"), "{}", near.stderr);
    refused(&["gate", "--baseline", "one.json", "--candidate", "nowhere"], "no folder nowhere, no run of the store");
    refused(&["gate", "--baseline", "one.json", "--candidate", "one.json"], "is a file, not a checkpoint's folder");
    refused(
        &["gate", "--baseline", "one.json", "--candidate", "reseeded", "--metric", "loss/none=1"],
        "no value of metric loss/none",
    );
    fs::create_dir(real.path("empty")).unwrap();
    refused(&["gate", "--baseline", "one.json", "--candidate", "empty"], "has no `model.safetensors`");
    let text = fs::read_to_string(real.path("one.json")).unwrap();
    fs::write(real.path("changed.json"), text.replacen("\"rmse\"", "\"mae\"", 1)).unwrap();
    refused(&["gate", "--baseline", "changed.json", "--candidate", "reseeded"], "is not as it was saved");
    fs::write(real.path("other.json"), "{}").unwrap();
    refused(&["gate", "--baseline", "other.json", "--candidate", "reseeded"], "is no gate baseline");
    assert!(!real.store().join("store.sqlite").exists(), "nothing was begun");
}

/// Another split under the same names: a typed refusal in the row, and no verdict from other molecules.
#[test]
fn a_baseline_of_another_split_is_refused() {
    let real = elsewhere();
    let path = real.path("one.json");
    let mut file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    file["content"]["tasks"][0]["split_digest"] = "0123456789abcdef".into();
    save_again(&path, file);
    let answer = real.clmbench(&["gate", "--baseline", "one.json", "--candidate", "reseeded", "--json"]).code(11);
    let row = answer.rows().remove(0);
    assert_eq!((&row["refusal"], &row["verdict"]), (&"other_split".into(), &"cannot_tell".into()), "{row}");
    assert!(row["contains"].as_str().unwrap().starts_with("the splits differ: 0123456789ab in the gate baseline"), "{row}");
    let shown = real.clmbench(&["gate", "--baseline", "one.json", "--candidate", "reseeded"]).code(11);
    assert!(shown.stdout.contains("the splits differ"), "{}", shown.stdout);
}

/// Writes a changed file with the digest that fits, as its author would.
fn save_again(path: &PathBuf, mut file: Value) {
    // Digests are of the content with the fields in their order, which a map does not keep: the tool says what it should be.
    let content = file["content"].take();
    let known: clmbench_analysis::gate::GateBaseline = serde_json::from_value(content).unwrap();
    let text = serde_json::to_string(&known).unwrap();
    file["digest"] = blake3::hash(text.as_bytes()).to_hex().to_string().into();
    file["content"] = serde_json::from_str(&text).unwrap();
    fs::write(path, file.to_string()).unwrap();
}

#[test]
fn weights_that_are_no_numbers_end_as_failed_cells() {
    let real = elsewhere();
    change(&real.path("reseeded"), "embeddings.word", |number, old| if number == 0 { f32::NAN } else { old });
    let answer = real.clmbench(&["gate", "--baseline", "one.json", "--candidate", "reseeded", "--json"]).code(3);
    let found = overall(&answer.stdout);
    assert_eq!(found["verdict"], "cannot_tell", "{found}");
    let row = answer.rows().remove(0);
    assert_eq!(row["refusal"], "no_score", "{row}");
    assert!(row["contains"].as_str().unwrap().contains("failed"), "{row}");
}
