//! Checkpoints of others through the import cell: what they become, and how every spoilt one is refused.

#![allow(clippy::unwrap_used)]

mod measured;
mod toy;

use clmbench_engine::{checkpoint, weights};
use clmbench_molecules::{Encoder, foreign};
use clmbench_protocol::{CheckpointRef, FailureKind, ImportOutput, Objective, Special, TokenizerSpec};
use serde_json::{Value, json};
use tch::{Kind, Tensor};
use toy::{ENTRIES, Files, ROWS};

fn reference(output: &ImportOutput) -> CheckpointRef {
    CheckpointRef {
        weights_digest: output.checkpoint.weights_digest.clone(),
        plugin: toy::spec(Vec::new(), 0, None).plugin,
        architecture: output.architecture.clone(),
        config: output.config.clone(),
        objective: Objective::MaskedLm,
        special: Some(output.special.clone()).filter(|special| *special != Special::default()),
        head_is_random: output.head_is_random,
    }
}

/// The weights of a folder by name.
fn saved(folder: &std::path::Path) -> Vec<(String, Tensor)> {
    weights::read(&folder.join("checkpoint-0/model.safetensors")).unwrap()
}

#[test]
fn an_old_file_becomes_a_checkpoint_of_ours_with_the_same_values() {
    let (files, work) = (Files::whole(), tempfile::tempdir().unwrap());
    let output = files.import(128, None, work.path()).unwrap();
    assert_eq!(output.config, json!({ "layers": 2 }).as_object().unwrap().clone());
    assert_eq!((output.vocabulary, output.tokenizer_entries), (ROWS, ENTRIES));
    // The model's own limit goes before what was asked for.
    assert_eq!((output.max_tokens, output.max_positions), (20, 20));
    // Two layers and the pooler and the gain; fixed tensors are no parameters.
    assert_eq!(output.non_embedding_parameters, 3 * 64 + 8);
    assert_eq!(output.total_parameters, 3 * 64 + 8 + 16 * 8 + 20 * 8 + 16);
    assert!(!output.head_is_random);
    let special = Special { pad: 1, unknown: Some(3), start: Some(0), end: Some(2), mask: Some(11), others: Vec::new() };
    assert_eq!(output.special, special);
    assert!(output.notes.iter().any(|note| note.contains("`embeddings.position_ids`")), "{:?}", output.notes);
    // Every value, under the architecture's own names.
    let rows = saved(work.path());
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "head.bias",
            "toy.layer.0.weight",
            "toy.layer.1.weight",
            "toy.norm.weight",
            "toy.pooler.weight",
            "toy.positions.weight",
            "toy.shifts",
            "toy.words.weight"
        ]
    );
    for (name, tensor) in &rows {
        let theirs = name.trim_start_matches("toy.").replace("norm.weight", "norm.gamma");
        let theirs = files.tensors.get(&theirs).or_else(|| files.tensors.get(name)).unwrap();
        assert!(tensor.equal(theirs), "{name}");
    }
    // It opens like one of our own, with its special ids.
    let model = checkpoint::open_with(&work.path().join("checkpoint-0"), &reference(&output), toy::plugin().module).unwrap();
    assert_eq!((model.vocabulary.entries(), model.vocabulary.special.clone()), (ENTRIES, special.clone()));
    assert_eq!(model.fixed.len(), 1);
    // And its tokenizer is the one that datasets are tokenised with.
    let digest = Some(output.tokenizer_digest.clone());
    let spec = TokenizerSpec { kind: foreign::KIND.into(), max_tokens: output.max_tokens, digest, special: Some(special) };
    let encoder = Encoder::new(&spec, Some(&work.path().join("checkpoint-0/tokenizer.json"))).unwrap();
    assert_eq!(encoder.encode("CC(=O)F").unwrap().ids, [0, 4, 4, 7, 9, 6, 8, 3, 2]);
    let config = std::fs::read(work.path().join("checkpoint-0/tokenizer_config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    let named = json!({ "pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "bos_token": "<s>", "sep_token": "</s>",
        "eos_token": "</s>", "mask_token": "<mask>", "model_max_length": 20, "tokenizer_class": "PreTrainedTokenizerFast" });
    assert_eq!(config, named);
}

#[test]
fn the_same_files_give_the_same_checkpoint_and_a_control_is_random() {
    let [first, second, control, again, other] = [(); 5].map(|()| tempfile::tempdir().unwrap());
    let digest =
        |control, work: &tempfile::TempDir| Files::whole().import(16, control, work.path()).unwrap().checkpoint.weights_digest;
    assert_eq!(digest(None, &first), digest(None, &second));
    let random = digest(Some(1), &control);
    assert_eq!(random, digest(Some(1), &again));
    assert_ne!(random, digest(Some(2), &other));
    assert!(saved(control.path()).iter().zip(saved(first.path())).all(|((_, random), (_, read))| !random.equal(&read)));
}

#[test]
fn other_number_formats_are_converted_and_said() {
    for (kind, words) in [
        (Kind::Half, "8 of 8 tensors are F16 and were converted to F32, exactly"),
        (Kind::BFloat16, "8 of 8 tensors are BF16 and were converted to F32, exactly"),
        (Kind::Double, "8 of 8 tensors are F64 and were converted to F32, rounded"),
    ] {
        let (files, work) = (Files { dtype: kind, ..Files::whole() }, tempfile::tempdir().unwrap());
        let output = files.import(16, None, work.path()).unwrap();
        assert!(output.notes.iter().any(|note| note == words), "{:?}", output.notes);
        let words = &saved(work.path()).into_iter().find(|(name, _)| name == "toy.words.weight").unwrap().1;
        assert!(words.equal(&files.tensors["words.weight"].to_kind(kind).to_kind(Kind::Float)));
    }
}

#[test]
fn a_file_without_its_head_is_imported_and_says_so() {
    let (mut files, work) = (Files::whole(), tempfile::tempdir().unwrap());
    for name in ["head.bias", "decoder.weight", "toy.pooler.weight"] {
        drop(files.tensors.remove(name).unwrap());
    }
    let output = files.import(16, None, work.path()).unwrap();
    assert!(output.head_is_random);
    assert!(output.notes.iter().any(|note| note.contains("`toy.pooler.weight`, `head.bias`")), "{:?}", output.notes);
    // Of what the files lack, the head counts and the pooler does not.
    assert_eq!(output.non_embedding_parameters, 2 * 64 + 8);
    assert_eq!(output.total_parameters, 2 * 64 + 8 + 16 * 8 + 20 * 8 + 16);
    let model = checkpoint::open_with(&work.path().join("checkpoint-0"), &reference(&output), toy::plugin().module).unwrap();
    assert!(model.head_is_random);
}

/// How spoilt files are refused: kind, and part of the message.
fn refused(spoil: impl FnOnce(&mut Files)) -> (FailureKind, String) {
    let (mut files, work) = (Files::whole(), tempfile::tempdir().unwrap());
    spoil(&mut files);
    let failure = files.import(16, None, work.path()).unwrap_err();
    assert!(!work.path().join("checkpoint-0").exists(), "{failure}");
    (failure.kind, failure.message)
}

fn expect(spoil: impl FnOnce(&mut Files), kind: FailureKind, parts: &[&str]) {
    let (found, message) = refused(spoil);
    assert_eq!(found, kind, "{message}");
    for part in parts {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn configurations_that_make_no_sense_are_refused_by_their_field() {
    use FailureKind::BadInput;
    let set = |field: &'static str, value: Value| move |files: &mut Files| files.config[field] = value;
    expect(set("model_type", json!("t5")), BadInput, &["`model_type` is `t5`; architecture `toy` reads `toy`"]);
    expect(set("model_type", json!(7)), BadInput, &["model_type"]);
    expect(set("num_hidden_layers", Value::Null), BadInput, &["config.json has no `num_hidden_layers`"]);
    expect(set("num_hidden_layers", json!("two")), BadInput, &["`num_hidden_layers` is \"two\""]);
    // Nothing is built for it, not even without storage.
    expect(set("num_hidden_layers", json!(2_147_483_647)), BadInput, &["`layers` = 2147483647", "from 1 to 4"]);
    expect(set("num_hidden_layers", json!(9_223_372_036_854_775_808_u64)), BadInput, &["9223372036854775808"]);
    expect(set("vocab_size", json!(2_000_000_000)), BadInput, &["`vocab_size` = 2000000000"]);
    expect(set("vocab_size", json!(17)), BadInput, &["words.weight has [16, 8], needs [17, 8]"]);
    expect(set("vocab_size", json!(-1)), BadInput, &["`vocab_size` is -1"]);
    expect(|files| drop(files.instead.insert("config.json", None)), BadInput, &["no `config.json`"]);
    expect(|files| drop(files.instead.insert("config.json", Some(b"[1]".to_vec()))), BadInput, &["config.json"]);
    expect(|files| drop(files.instead.insert("config.json", Some(vec![b'['; 100_000]))), BadInput, &["config.json"]);
}

#[test]
fn weights_that_do_not_fit_are_refused_by_their_names() {
    use FailureKind::{BadInput, NonFinite};
    let without = |name: &'static str| move |files: &mut Files| drop(files.tensors.remove(name).unwrap());
    expect(without("layer.1.weight"), BadInput, &["the files lack (1):", "toy.layer.1.weight [8, 8]"]);
    let add = |name: &'static str| {
        move |files: &mut Files| drop(files.tensors.insert(name.into(), Tensor::zeros([2], tch::kind::FLOAT_CPU)))
    };
    expect(add("lora.weight"), BadInput, &["the model has no use for (1):", "lora.weight"]);
    expect(add("layer.0.weight"), BadInput, &["layer.0.weight has [2], needs [8, 8]"]);
    expect(
        |files| {
            let mut gain = files.tensors["norm.gamma"].copy();
            let _ = gain.get(3).fill_(f64::NAN);
            files.tensors.insert("norm.gamma".into(), std::mem::replace(&mut gain, Tensor::new()));
        },
        NonFinite,
        &["tensor `norm.gamma`: 1 of its 8 values are NaN or infinite"],
    );
    expect(
        |files| drop(files.tensors.insert("decoder.weight".into(), &files.tensors["words.weight"] + 1e-3)),
        BadInput,
        &["tensor `decoder.weight` should repeat `toy.words.weight`"],
    );
    // Every weight is a number, and what comes of them is none.
    let large = |files: &mut Files| {
        for name in ["words.weight", "decoder.weight", "norm.gamma"] {
            files.tensors.insert(name.into(), files.tensors[name].full_like(3e38));
        }
    };
    expect(large, NonFinite, &["of the imported model are not all finite"]);
    // A header that lies: its length is beyond the file.
    let lie = |files: &mut Files| drop(files.instead.insert("model.safetensors", Some(u64::MAX.to_le_bytes().to_vec())));
    expect(lie, BadInput, &["model.safetensors"]);
    let none = |files: &mut Files| drop(files.instead.insert("model.safetensors", None));
    expect(none, BadInput, &["safetensors"]);
    // 2^62 numbers in an empty file.
    let header = r#"{"words.weight":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    expect(|files| drop(files.instead.insert("model.safetensors", Some(bytes))), BadInput, &["words.weight"]);
}

#[test]
fn tokenizers_that_do_not_fit_are_refused() {
    use FailureKind::BadInput;
    let larger = |files: &mut Files| files.tokenizer["model"]["vocab"]["Cl"] = json!(16);
    expect(larger, BadInput, &["the tokenizer has ids up to 16, the embedding 16 rows"]);
    expect(|files| drop(files.instead.insert("tokenizer.json", None)), BadInput, &["tokenizer"]);
    expect(|files| drop(files.instead.insert("tokenizer.json", Some(b"{}".to_vec()))), BadInput, &["tokenizer.json"]);
    let catastrophic = |files: &mut Files| files.tokenizer["pre_tokenizer"]["pattern"]["Regex"] = json!("(C|C)*(?=x)\\1");
    expect(catastrophic, BadInput, &["regular expression"]);
}

#[test]
fn files_are_accepted_by_their_hash() {
    use std::collections::BTreeMap;

    use clmbench_engine::{import, report::Reporter};
    use clmbench_protocol::FileRef;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, "{}").unwrap();
    let refs = [FileRef { name: "config.json".into(), sha256: "0".repeat(64) }];
    let mut inputs = BTreeMap::new();
    let failure = import::files(&refs, &inputs, &Reporter::silent()).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Protocol, "the host gave no input `file:config.json`"));
    inputs.insert("file:config.json".to_owned(), path.to_string_lossy().into_owned());
    let failure = import::files(&refs, &inputs, &Reporter::silent()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::CorruptFile);
    assert!(
        failure.message.starts_with("`config.json` has SHA-256 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
    );
}
