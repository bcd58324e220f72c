//! Some ten thousand mutations of sound files, the same in every run: no panic, bounded messages, and what is taken is sound. `cargo xtask
//! verify fuzz` does the same for minutes, led by coverage, from the seeds that this test makes.

#![allow(clippy::unwrap_used, clippy::print_stdout)]
mod exercise;

use std::{collections::HashMap, fs, path::PathBuf};

use exercise::{BETWEEN, FILES, folder_of, header_of};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView, serialize};

fn file(tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
    let data = [0x3c_u8; 256];
    let views = tensors.iter().map(|(name, dtype, shape)| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (*name, TensorView::new(*dtype, shape.to_vec(), &data[..bytes]).unwrap())
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize(views.collect::<HashMap<_, _>>(), Some(metadata)).unwrap()
}

/// A folder's files by name as one text.
fn joined(files: &[(&str, &[u8])]) -> Vec<u8> {
    let parts = FILES.map(|name| files.iter().find(|(given, _)| *given == name).map_or(&[][..], |(_, bytes)| bytes));
    parts.join(&BETWEEN)
}

fn headers() -> Vec<Vec<u8>> {
    vec![
        file(&[("a", Dtype::F32, &[2, 3]), ("b.weight", Dtype::F16, &[4]), ("c", Dtype::I64, &[])]),
        file(&[("none", Dtype::BF16, &[0, 7]), ("x", Dtype::F64, &[1, 1, 2]), ("y", Dtype::U8, &[5])]),
        file(&[]),
    ]
}

fn weights() -> (Vec<u8>, Vec<u8>, String) {
    let first = file(&[("embeddings.weight", Dtype::F32, &[2, 2]), ("norm.gamma", Dtype::F32, &[2, 2])]);
    let second = file(&[
        ("bert.norm.beta", Dtype::BF16, &[2, 2]),
        ("decoder.weight", Dtype::F32, &[2, 2]),
        ("position_ids", Dtype::I64, &[2]),
    ]);
    let names = [("embeddings.weight", 1), ("norm.gamma", 1), ("bert.norm.beta", 2), ("decoder.weight", 2), ("position_ids", 2)];
    let map = names.map(|(name, shard)| format!(r#""{name}": "model-0000{shard}-of-00002.safetensors""#)).join(", ");
    (first, second, format!(r#"{{"metadata": {{"total_size": 80}}, "weight_map": {{{map}}}}}"#))
}

/// Folders without a tokenizer.
fn folders() -> Vec<Vec<u8>> {
    let (first, second, index) = weights();
    let config = r#"{"model_type": "bert", "hidden_size": 2, "auto_map": {"AutoModel": "m.M"}, "nested": [[1, 2.5e3, null]]}"#;
    let [a, b, c, d] = [FILES[0], FILES[1], FILES[2], FILES[3]];
    vec![joined(&[(a, config.as_bytes()), (b, index.as_bytes()), (c, &first), (d, &second)]), joined(&[(a, b"{}"), (c, &first)])]
}

/// Folders with each kind of tokenizer.
fn tokenizers() -> Vec<Vec<u8>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers");
    let read = |path: &str| fs::read(here.join(path)).unwrap();
    let (first, _, index) = weights();
    let base: [(&str, &[u8]); 2] = [(FILES[1], index.as_bytes()), (FILES[2], &first)];
    let with = |files: &[(&str, &[u8])]| joined(&[&base[..], files].concat());
    let json = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":0,"content":"[PAD]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
        "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"x+"},"content":"C"}]},
        "pre_tokenizer":{"type":"Split","pattern":{"Regex":"Cl|[a-zA-Z]|(?=.).|[0-9]{2}"},"behavior":"Isolated","invert":false},
        "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
        "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"[CLS]":{"id":"[CLS]","ids":[2],"tokens":["[CLS]"]}}},
        "decoder":null,"model":{"type":"WordLevel","vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"C":3,"c":4,"Cl":5},"unk_token":"[UNK]"}}"#;
    let unigram = r#"{"added_tokens":[],"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true},
        "model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["C",-1.5],["_C",-2.0],["CC",-2.5]],"byte_fallback":false}}"#;
    let settings = r#"{"tokenizer_class":"RobertaTokenizer","pad_token":{"content":"<pad>"},"additional_special_tokens":["C"]}"#;
    let (bert, roberta, gpt) = (r#"{"model_type":"bert"}"#, r#"{"model_type":"roberta"}"#, r#"{"model_type":"gpt2"}"#);
    let smiles = r#"{"<bos>":0,"<eos>":1,"<pad>":2,"<mask>":3,"<unk>":4,"C":5,"Cl":6,"[nH]":7,"c":8}"#;
    vec![
        with(&[(FILES[0], bert.as_bytes()), (FILES[4], json.as_bytes()), (FILES[6], br#"{"mask_token":"c"}"#)]),
        with(&[(FILES[0], bert.as_bytes()), (FILES[4], unigram.as_bytes())]),
        with(&[(FILES[0], bert.as_bytes()), (FILES[7], &read("bert/vocab.txt")), (FILES[10], br#"{"<x>":34}"#)]),
        with(&[
            (FILES[0], roberta.as_bytes()),
            (FILES[5], settings.as_bytes()),
            (FILES[8], &read("roberta/vocab.json")),
            (FILES[9], &read("roberta/merges.txt")),
        ]),
        with(&[(FILES[0], gpt.as_bytes()), (FILES[8], &read("gpt2/vocab.json")), (FILES[9], &read("gpt2/merges.txt"))]),
        with(&[(FILES[0], br#"{"model_type":"molformer"}"#), (FILES[8], smiles.as_bytes())]),
    ]
}

/// Changes some bytes as fuzzers do.
fn mutated(seeds: &[Vec<u8>], random: &mut ChaCha8Rng) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b"18446744073709551615",
        b"9223372036854775808",
        b"-1",
        b"0",
        b"null",
        b"{}",
        b"[",
        b"\"",
        b"\xff",
        b"1e999",
        b"\"F32\"",
        b"\\u0000",
    ];
    let mut bytes = seeds.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..9)).min(bytes.len());
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = random.random(),
            2 => bytes.truncate(at.max(8)),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => drop(bytes.splice(at..at, WORDS.choose(random).unwrap().iter().copied())),
            _ => drop(bytes.splice(at..end, WORDS.choose(random).unwrap().iter().copied())),
        }
    }
    bytes
}

#[test]
fn headers_of_any_bytes() {
    headers().iter().for_each(|seed| header_of(seed));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..20_000).for_each(|_| header_of(&mutated(&headers(), &mut random)));
}

#[test]
fn folders_of_any_bytes() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    (0..10_000).for_each(|_| folder_of(&mutated(&folders(), &mut random), false));
}

#[test]
fn tokenizers_of_any_bytes() {
    tokenizers().iter().for_each(|seed| folder_of(seed, true));
    let mut random = ChaCha8Rng::seed_from_u64(3);
    (0..200).for_each(|_| folder_of(&mutated(&tokenizers(), &mut random), true));
}

/// Writes the seeds of `cargo xtask verify fuzz` where that asks for them.
#[test]
fn seeds() {
    let Some(folder) = std::env::var_os("CLMBENCH_FUZZ_SEEDS").map(PathBuf::from) else {
        return println!("seeds are written only where CLMBENCH_FUZZ_SEEDS says");
    };
    for (target, seeds) in [("header", headers()), ("folder", folders()), ("tokenizer", tokenizers())] {
        fs::create_dir_all(folder.join(target)).unwrap();
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(target).join(format!("seed-{index}")), seed).unwrap();
        }
    }
}
