//! Golden values of every stage at a tiny size: values that move need another `revision` of their stage, or finished
//! cells of earlier versions would be taken for the same.
//!
//! Digests are compared where no floating-point arithmetic is in them; numbers within 1e-4, since other processors round
//! in other ways. `CLMBENCH_WRITE_GOLDEN=1` adds the values of revisions that the fixture does not have yet.

use std::{fs, path::PathBuf};

use clmbench_protocol::revision;
use serde_json::{Map, Value, json};

use crate::real::{Real, checkout};

const SUITE: &str = r#"
schema = 1
[suite]
name = "golden"
seed = 7
[[corpus]]
name = "moses"
sizes = [500]
heldout = 256
[[model]]
architecture = "bert"
overrides = [{ layers = 2, width = 64 }]
tokens = 10_000
checkpoints = 2
batch = 16
lr = 1e-3
# Processors differ in whether bfloat16 is faster, which `auto` goes by.
precision = "float32"
[[dataset]]
source = "moleculenet"
names = ["freesolv"]
[[metric]]
id = "loss/mlm_loss"
[[metric]]
id = "hessian/trace_hutchinson"
params = { probes = 2, molecules = 16 }
[[metric]]
id = "sharpness/average_l2"
params = { draws = 2, molecules = 16 }
[[protocol]]
kind = "probe"
[[protocol]]
kind = "finetune"
epochs = 1
lr = 1e-3
"#;

/// Largest relative difference of two numbers.
const TOLERANCE: f64 = 1e-4;

fn fixture() -> PathBuf {
    checkout().join("tests/fixtures/golden.json")
}

/// Stages in their order, with the revisions that their values depend on: their own and those of the stages before.
fn stages() -> [(&'static str, String); 5] {
    let (tokenise, pretrain) = (revision::TOKENISE, revision::PRETRAIN);
    [
        ("tokenise", format!("{tokenise}")),
        ("pretrain", format!("{tokenise}.{pretrain}")),
        ("embed", format!("{tokenise}.{pretrain}.{}", revision::EMBED)),
        ("measure", format!("{tokenise}.{pretrain}.{}", revision::MEASURE)),
        ("transfer", format!("{tokenise}.{pretrain}.{}.{}", revision::EMBED, revision::TRANSFER)),
    ]
}

fn pick(from: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), from[*key].clone())).collect::<Map<_, _>>().into()
}

/// What is compared of each stage.
fn values(real: &Real) -> Value {
    let run = "bert-layers2-width64/moses-500/seed0";
    let dataset = real.output("tokenise/freesolv");
    let corpus = real.output("tokenise/moses-500");
    let pretrained = real.output(&format!("pretrain/{run}"));
    let checkpoints: Vec<Value> = pretrained["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| pick(row, &["step", "tokens", "learning_rate", "training_loss", "training_flops"]))
        .collect();
    let measured = ["loss.mlm_loss", "hessian.trace_hutchinson", "sharpness.average_l2"].map(|metric| {
        ["checkpoint-1", "checkpoint-2"].map(|folder| real.output(&format!("measure/{run}/{folder}/{metric}"))["values"].clone())
    });
    let transferred = real.output(&format!("transfer/{run}/checkpoint-2/freesolv/probe"))["tasks"][0].clone();
    let finetuned = real.output(&format!("transfer/{run}/checkpoint-2/freesolv/finetune/seed0"));
    let dataset_keys = ["rows", "counts", "duplicate_groups", "leaked", "sha256_csv", "data_digest", "split_digest"];
    let corpus_keys = ["tokens", "heldout_tokens", "excluded", "train_digest", "heldout_digest", "tokenizer_digest"];
    json!({
        "tokenise": {
            "dataset": pick(&dataset, &dataset_keys),
            "corpus": pick(&corpus, &corpus_keys),
            "baselines": pick(&corpus, &["unigram_cross_entropy", "bigram_cross_entropy", "two_neighbour_cross_entropy"]),
        },
        "pretrain": {
            "parameters": pick(&pretrained, &["non_embedding_parameters", "total_parameters", "epochs"]),
            "checkpoints": checkpoints,
        },
        "embed": embedding(real, &format!("embed/{run}/checkpoint-2/freesolv")),
        "measure": measured,
        "transfer": {
            "counts": transferred["counts"], "strength": transferred["strength"], "scores": scores(&transferred),
            "finetune": { "tried": finetuned["finetune"]["tried"], "scores": scores(&finetuned["tasks"][0]) },
        },
    })
}

/// Scores of a task without ranks, which may swap where predictions are nearly equal.
fn scores(task: &Value) -> Vec<Value> {
    task["scores"].as_array().unwrap().iter().filter(|score| score["name"] != "spearman").cloned().collect()
}

/// Root mean square of the embeddings and of their first row, from the file.
fn embedding(real: &Real, key: &str) -> Value {
    let identity = real.row(key).identity.unwrap();
    let bytes = fs::read(real.store().join("artifacts").join(identity).join("embeddings.safetensors")).unwrap();
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&rest[..length]).unwrap();
    let shape = header["embeddings"]["shape"].clone();
    let numbers: Vec<f64> =
        rest[length..].chunks_exact(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))).collect();
    let width = shape[1].as_u64().unwrap() as usize;
    let size = |numbers: &[f64]| (numbers.iter().map(|x| x * x).sum::<f64>() / numbers.len() as f64).sqrt();
    json!({ "shape": shape, "all": size(&numbers), "first_row": size(&numbers[..width]) })
}

/// Where two values differ, with both.
fn differences(path: &str, found: &Value, wanted: &Value) -> Vec<String> {
    match (found, wanted) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            b.iter().flat_map(|(key, wanted)| differences(&format!("{path}.{key}"), &found[key], wanted)).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.flat_map(|(index, (a, b))| differences(&format!("{path}[{index}]"), a, b)).collect()
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            let equal = a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
            if equal { Vec::new() } else { vec![format!("{path}: {a} is not {b}")] }
        }
        _ if found == wanted => Vec::new(),
        _ => vec![format!("{path}: {found} is not {wanted}")],
    }
}

#[test]
fn values_move_only_with_the_revision_of_their_stage() {
    let real = Real::new(&["clmbench-plugin-hessian", "clmbench-plugin-sharpness"]);
    real.write("golden.toml", SUITE);
    real.clmbench(&["run", "golden.toml", "--workers", "1"]).code(0);
    let found = values(&real);
    let mut golden: Value = fs::read_to_string(fixture()).map_or_else(|_| json!({}), |text| serde_json::from_str(&text).unwrap());
    let writing = std::env::var_os("CLMBENCH_WRITE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for (stage, revisions) in stages() {
        let known = &golden[stage][&revisions];
        if known.is_null() && writing {
            golden[stage][&revisions] = found[stage].clone();
        } else if known.is_null() {
            wrong.push(format!(
                "stage {stage} has no golden values for revision {revisions}: run this test once with CLMBENCH_WRITE_GOLDEN=1"
            ));
        } else {
            let moved = differences(stage, &found[stage], known);
            if !moved.is_empty() {
                wrong.push(format!(
                    "values of stage {stage}, revision {revisions}, moved: {}. If that is meant, bump the revision of the first stage that moved (harness/protocol/src/revision.rs), or the version of the plugin at fault, and run this test once with CLMBENCH_WRITE_GOLDEN=1",
                    moved.join("; ")
                ));
            }
        }
    }
    if writing {
        fs::create_dir_all(fixture().parent().unwrap()).unwrap();
        fs::write(fixture(), serde_json::to_string_pretty(&golden).unwrap() + "\n").unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_comparison_sees_what_it_must() {
    let golden = json!({ "a": [1.0, "x"], "b": { "c": 2 } });
    assert!(differences("s", &json!({ "a": [1.000_05, "x"], "b": { "c": 2 } }), &golden).is_empty());
    for other in [
        json!({ "a": [1.000_3, "x"], "b": { "c": 2 } }),
        json!({ "a": [1.0, "y"], "b": { "c": 2 } }),
        json!({ "a": [1.0], "b": { "c": 2 } }),
        json!({ "a": [1.0, "x"], "b": { "d": 2 } }),
        json!({ "a": [1.0, "x"], "b": null }),
        json!({ "a": [1.0, "x"] }),
    ] {
        assert_eq!(differences("s", &other, &golden).len(), 1, "{other}");
    }
}
