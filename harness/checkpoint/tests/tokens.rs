//! The tokenizers of small folders of every family, against the tokens that `transformers` gives (tests/fixtures/checkpoints).

#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, path::Path};

use clmbench_checkpoint::{Folder, Timed};
use serde_json::Value;

#[test]
fn tokens_are_those_of_transformers() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/checkpoints");
    let table = fs::read_to_string(fixtures.join("molecules.csv")).unwrap();
    let molecules: Vec<&str> = table.lines().skip(1).map(|line| line.split_once(',').unwrap().0).collect();
    for family in ["bert", "gpt", "lstm", "modernbert", "molformer", "roberta"] {
        let place = fixtures.join(family);
        let expected: Value = serde_json::from_slice(&fs::read(place.join("expected.json")).unwrap()).unwrap();
        let expected: Vec<Vec<u32>> = serde_json::from_value(expected["tokens"].clone()).unwrap();
        assert_eq!(expected.len(), molecules.len());
        let found = Folder::open(&place).unwrap().tokenizer().unwrap();
        let timed = Timed::new(&found.json).unwrap();
        for (smiles, expected) in molecules.iter().zip(&expected) {
            assert_eq!(timed.encode(smiles, true).unwrap().get_ids(), expected, "{family}, {smiles}, {:?}", found.notes);
        }
        // Padding is the config's, whatever the tokenizer is silent about.
        let config: Value = serde_json::from_slice(&fs::read(place.join("config.json")).unwrap()).unwrap();
        assert_eq!(Some(u64::from(found.special.pad)), config["pad_token_id"].as_u64(), "{family}");
    }
}
