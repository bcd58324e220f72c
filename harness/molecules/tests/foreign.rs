//! Tokenising with a tokenizer that came with a checkpoint: against ours under other ids, and against `transformers`.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clmbench_checkpoint::Folder;
use clmbench_molecules::{
    Encoder, ForeignTokenizer, MoleculesError, PreparedDataset, SmilesTokenizer, TokenCache, digest, foreign,
    prepare_corpus_with, prepare_dataset_with,
};
use clmbench_protocol::{CorpusOutput, DatasetOutput, Special, TaskKind, TokenizerSpec};
use serde_json::{Value, json};

/// Our own tokenizer with the ids in the opposite order, as a file, and what a cell says of it.
fn reversed(folder: &Path, max_tokens: u32) -> (PathBuf, TokenizerSpec) {
    let ours = SmilesTokenizer::new(&TokenizerSpec::default()).unwrap();
    let path = folder.join("tokenizer.json");
    ours.write(&path).unwrap();
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let last = ours.vocabulary_size() as u64 - 1;
    let turned = |id: &Value| json!(last - id.as_u64().unwrap());
    for id in file["model"]["vocab"].as_object_mut().unwrap().values_mut() {
        *id = turned(id);
    }
    let tokens = file["added_tokens"].as_array_mut().unwrap();
    tokens.iter_mut().for_each(|token| token["id"] = turned(&token["id"]));
    tokens.reverse();
    for token in file["post_processor"]["special_tokens"].as_object_mut().unwrap().values_mut() {
        token["ids"][0] = turned(&token["ids"][0]);
    }
    std::fs::write(&path, file.to_string()).unwrap();
    let id = |id: u64| (last - id) as u16;
    let special =
        Special { pad: id(0), unknown: Some(id(1)), start: Some(id(2)), end: Some(id(3)), mask: Some(id(4)), others: Vec::new() };
    let digest = Some(digest::blake3_file(&path).unwrap());
    (path, TokenizerSpec { kind: foreign::KIND.into(), max_tokens, digest, special: Some(special) })
}

/// Rings with chains over three letters, and one that our vocabulary cannot spell.
fn molecules() -> Vec<String> {
    let chain = |mut number: usize| {
        let mut text = "c1ccccc1".to_owned();
        while number > 0 {
            text.push(['C', 'N', 'O'][number % 3]);
            number /= 3;
        }
        text + "C"
    };
    (0..300).map(chain).chain(["[CH3:7]CC[Na]".into(), "CC[238U]".into()]).collect()
}

fn corpus(tokenizer: &TokenizerSpec, file: Option<&Path>, folder: &Path) -> CorpusOutput {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.with_extension("csv");
    std::fs::write(&path, format!("smiles\n{}\n", molecules().join("\n"))).unwrap();
    // Both are told the same source, whatever it is named.
    let source = common::corpus_source(&path, "a", 1.0);
    let sources: BTreeMap<String, PathBuf> = [(source.file.name.clone(), path)].into_iter().collect();
    let mut spec = common::corpus_spec(vec![source], 200, 100);
    spec.tokenizer = tokenizer.clone();
    let encoder = Encoder::new(&spec.tokenizer, file).unwrap();
    prepare_corpus_with(&spec, &encoder, (&sources, &[]), folder, &mut |_, _| {}).unwrap()
}

#[test]
fn a_tokenizer_with_other_ids_gives_the_same_counts_and_baselines() {
    let folder = tempfile::tempdir().unwrap();
    let (file, spec) = reversed(folder.path(), 16);
    let ours = TokenizerSpec { max_tokens: 16, ..TokenizerSpec::default() };
    // One name, so that the molecules are drawn in one order.
    let (first, second) = (folder.path().join("ours/corpus"), folder.path().join("theirs/corpus"));
    let (one, other) = (corpus(&ours, None, &first), corpus(&spec, Some(&file), &second));
    assert_ne!(one.tokenizer_digest, other.tokenizer_digest);
    assert!(one.truncated > 0);
    let same = CorpusOutput {
        tokenizer_digest: one.tokenizer_digest.clone(),
        train_digest: one.train_digest.clone(),
        heldout_digest: one.heldout_digest.clone(),
        ..other
    };
    assert_eq!(same, one);
    let last = SmilesTokenizer::new(&ours).unwrap().vocabulary_size() as u16 - 1;
    for name in ["train.bin", "heldout.bin"] {
        let [ours, theirs] = [&first, &second].map(|folder| TokenCache::open(&folder.join(name)).unwrap());
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs.iter()) {
            assert_eq!(ours.iter().map(|id| last - id).collect::<Vec<_>>(), theirs);
        }
    }
}

#[test]
fn a_dataset_keeps_everything_but_its_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let (file, tokenizer) = reversed(folder.path(), 16);
    let rows: Vec<String> = molecules().iter().enumerate().map(|(row, text)| format!("{text},{row}")).collect();
    let table = common::table(format!("smiles,y\n{}\n", rows.join("\n")).as_bytes(), TaskKind::Regression);
    let prepared = |spec: TokenizerSpec, file: Option<&Path>, name: &str| -> DatasetOutput {
        let work = folder.path().join(name);
        std::fs::create_dir(&work).unwrap();
        let mut cell = common::dataset_spec("set");
        cell.tokenizer = spec;
        let encoder = Encoder::new(&cell.tokenizer, file).unwrap();
        let output = prepare_dataset_with(&table, &cell, &encoder, &work).unwrap();
        assert_eq!(PreparedDataset::open(&work).unwrap().output, output);
        output
    };
    let one = prepared(TokenizerSpec { max_tokens: 16, ..TokenizerSpec::default() }, None, "ours");
    let other = prepared(tokenizer, Some(&file), "theirs");
    assert_ne!(one.data_digest, other.data_digest);
    assert!(one.unknown_token_molecules > 0);
    let same = DatasetOutput { data_digest: one.data_digest.clone(), tokenizer_digest: one.tokenizer_digest.clone(), ..other };
    assert_eq!(same, one);
}

#[test]
fn without_its_file_a_cell_says_which_input_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (_, spec) = reversed(folder.path(), 16);
    let Err(error) = Encoder::new(&spec, None) else { panic!("no error") };
    assert!(matches!(&error, MoleculesError::MissingInput { what } if what == "input `tokenizer`"));
}

#[test]
fn tokens_of_every_family_are_those_of_transformers_and_are_cut_with_their_end() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/checkpoints");
    let table = std::fs::read_to_string(fixtures.join("molecules.csv")).unwrap();
    let molecules: Vec<&str> = table.lines().skip(1).map(|line| line.split_once(',').unwrap().0).collect();
    for family in ["bert", "gpt", "lstm", "modernbert", "molformer", "roberta"] {
        let place = fixtures.join(family);
        let expected: Value = serde_json::from_slice(&std::fs::read(place.join("expected.json")).unwrap()).unwrap();
        let expected: Vec<Vec<u16>> = serde_json::from_value(expected["tokens"].clone()).unwrap();
        let found = Folder::open(&place).unwrap().tokenizer().unwrap();
        let opened = |max_tokens| {
            let spec = TokenizerSpec {
                kind: foreign::KIND.into(),
                max_tokens,
                digest: Some(blake3::hash(&found.json).to_hex().to_string()),
                special: Some(found.special.clone()),
            };
            ForeignTokenizer::of(found.json.clone(), Path::new("tokenizer.json"), &spec).unwrap()
        };
        let (whole, cut) = (opened(64), opened(5));
        assert_eq!(whole.vocabulary_size() as u64, found.entries);
        for (smiles, expected) in molecules.iter().zip(&expected) {
            assert_eq!(whole.encode(smiles).unwrap().ids, *expected, "{family} {smiles}");
            let short = cut.encode(smiles).unwrap();
            assert_eq!(short.truncated, expected.len() > 5);
            if short.truncated {
                // The tokens from the left, and the same last one if the tokenizer's template puts an end there.
                let ends = expected.last().copied() == found.special.end;
                assert_eq!(short.ids[..4], expected[..4], "{family} {smiles}");
                assert_eq!(short.ids[4], if ends { expected[expected.len() - 1] } else { expected[4] }, "{family} {smiles}");
            }
        }
    }
}
