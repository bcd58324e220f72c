//! Identities: pinned, blind to writing, sensitive to everything else.

use std::collections::HashSet;

use clmbench_protocol::{CellSpec, CheckpointRef, Embed, Objective, PluginRef, Precision, Special};
use clmbench_runner::identity::{canonical, identity};
use serde_json::{Value, json};

use super::support::{fake_worker::transfer, offers};

#[test]
fn the_canonical_form_is_as_documented() {
    let value =
        json!({ "b": [1, -2, 18446744073709551615u64, true, null], "a": { "y": 0.1, "x": "é\n\"" }, "B": 2.0, "c": -0.0 });
    // 0.1 = 0x3fb999999999999a, 2.0 = 0x4000000000000000, -0.0 = sign bit alone (IEEE 754).
    let expected = "{\"B\":0x4000000000000000,\"a\":{\"x\":\"é\\n\\\"\",\"y\":0x3fb999999999999a},\
                    \"b\":[1,-2,18446744073709551615,true,null],\"c\":0x8000000000000000}";
    assert_eq!(canonical(&value), expected);
}

#[test]
fn golden_identities_stay() {
    let text = "{\"identity_version\":1,\"spec\":{\"bootstrap\":1000,\"data_digest\":\"d\",\"dataset\":\"freesolv\",\
                \"kind\":\"transfer\",\"protocol\":{\"embedding_digest\":\"e\",\"kind\":\"probe\",\
                \"strengths\":[0x3fb999999999999a,0x4024000000000000]},\"revision\":1,\"seed\":7,\"split_digest\":\"s\",\
                \"tasks\":[{\"kind\":\"regression\",\"name\":\"expt\",\"score\":\"rmse\"}],\"weights_digest\":\"w\"}}";
    let found = identity(&CellSpec::Transfer(transfer("freesolv"))).unwrap();
    assert_eq!(found, blake3::hash(text.as_bytes()).to_hex().to_string());
    assert_eq!(found, "7dfd57326d5c412baf756938267c0bb4d16367d3b60cf1683eb22a9b2905b0f6");
}

/// One definition of every kind, from a plan whose upstream outputs are made up by the fake worker's rules.
fn specs() -> Vec<CellSpec> {
    super::plan::bound(&offers::small(""))
}

#[test]
fn key_order_and_number_formatting_do_not_matter() {
    let one: Value = serde_json::from_str(r#"{"a":{"x":1e-3,"y":10.0},"b":2}"#).unwrap();
    let other: Value = serde_json::from_str(r#"{ "b" : 2, "a" : { "y":1.0E1, "x":0.00100 } }"#).unwrap();
    assert_eq!(canonical(&one), canonical(&other));
    for spec in specs() {
        let value = serde_json::to_value(&spec).unwrap();
        let reversed = reverse(&value);
        assert_eq!(canonical(&value), canonical(&serde_json::from_str(&reversed).unwrap()));
        let back: CellSpec = serde_json::from_str(&reversed).unwrap();
        assert_eq!(identity(&back).unwrap(), identity(&spec).unwrap());
    }
}

/// JSON text with every object's keys in reverse order.
fn reverse(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().rev().map(|(key, value)| format!("{key:?} : {}", reverse(value))).collect();
            format!("{{ {} }}", entries.join(" , "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(reverse).collect::<Vec<_>>().join(",\n")),
        plain => plain.to_string(),
    }
}

#[test]
fn every_change_of_a_field_changes_the_identity() {
    let mut kinds = HashSet::new();
    for spec in specs() {
        let value = serde_json::to_value(&spec).unwrap();
        if !kinds.insert(value["kind"].as_str().unwrap().to_owned()) {
            continue;
        }
        let mut paths = Vec::new();
        leaves(&value, String::new(), &mut paths);
        assert!(paths.len() > 8, "{value}");
        let mut seen = HashSet::from([canonical(&value)]);
        for path in paths {
            for changed in changes(&value, &path) {
                assert!(seen.insert(canonical(&changed)), "{path} does not matter in {value}");
            }
        }
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

fn leaves(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(value, format!("{path}/{key}"), paths)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| leaves(value, format!("{path}/{index}"), paths));
        }
        _ => paths.push(path),
    }
}

/// The value with the leaf at `path` changed as little as possible, and with it removed.
fn changes(value: &Value, path: &str) -> Vec<Value> {
    let mut changed = value.clone();
    let leaf = changed.pointer_mut(path).unwrap();
    *leaf = match leaf {
        Value::String(text) => json!(format!("{text}x")),
        Value::Bool(truth) => json!(!*truth),
        Value::Number(number) if number.is_f64() => json!(f64::from_bits(number.as_f64().unwrap().to_bits() + 1)),
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        _ => json!("something"),
    };
    vec![changed]
}

/// The definition of a checkpoint as it was before special ids and random heads were part of it.
fn checkpoint() -> CheckpointRef {
    CheckpointRef {
        weights_digest: "w".into(),
        plugin: PluginRef { name: "p".into(), version: "1.0.0".into(), digest: None },
        architecture: "bert".into(),
        config: serde_json::Map::new(),
        objective: Objective::MaskedLm,
        special: None,
        head_is_random: false,
    }
}

fn embedded(checkpoint: CheckpointRef) -> CellSpec {
    CellSpec::Embed(Embed {
        revision: 1,
        checkpoint,
        data_digest: "d".into(),
        tokenizer_digest: "t".into(),
        pooling: "mean".into(),
        precision: Precision::Float32,
        threads: 1,
    })
}

#[test]
fn special_ids_and_a_random_head_make_another_checkpoint_and_their_absence_the_old_one() {
    let text = "{\"identity_version\":1,\"spec\":{\"checkpoint\":{\"architecture\":\"bert\",\"config\":{},\"objective\":\"masked_lm\",\
                \"plugin\":{\"name\":\"p\",\"version\":\"1.0.0\"},\"weights_digest\":\"w\"},\"data_digest\":\"d\",\"kind\":\"embed\",\
                \"pooling\":\"mean\",\"precision\":\"float32\",\"revision\":1,\"threads\":1,\"tokenizer_digest\":\"t\"}}";
    let own = identity(&embedded(checkpoint())).unwrap();
    assert_eq!(own, blake3::hash(text.as_bytes()).to_hex().to_string());
    let special = |mask| Some(Special { mask: Some(mask), ..Special::default() });
    let others = [
        CheckpointRef { special: special(7), ..checkpoint() },
        CheckpointRef { special: special(8), ..checkpoint() },
        CheckpointRef { head_is_random: true, ..checkpoint() },
        CheckpointRef { special: special(7), head_is_random: true, ..checkpoint() },
    ];
    let mut seen = HashSet::from([own]);
    for other in others {
        assert!(seen.insert(identity(&embedded(other.clone())).unwrap()), "{other:?}");
    }
}
