//! A small dataset from table to files and back.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::Path;

use clmbench_molecules::{MoleculesError, Part, PreparedDataset, RawTable, SmilesTokenizer, prepare_dataset};
use clmbench_protocol::{DatasetOutput, TaskKind};

/// Ten benzenes (two of them the same molecule in two spellings), three pyridines, three chains, one with a token outside the vocabulary, two invalid rows.
const CSV: &str = "smiles,\"y, first\",z
Cc1ccccc1,1.50,1
c1ccccc1C,2.5,
CCc1ccccc1,3,2
OCc1ccccc1,,3
C1=CC=CC=C1N,4,4
not a molecule,5,5
Clc1ccccc1,6,6
Brc1ccccc1,7,7
Ic1ccccc1,8,8
Oc1ccccc1,9,9
Cc1ccncc1,10,10
CCc1ccncc1,11,11
c1ccccc1F,12,12
C(C)(C)(C)(C)C,13,13
OCC,14,14
CCO,15,15
[238U]CC,16,16
Cc1ccncc1,17,17
";

fn prepared(folder: &Path) -> (RawTable, DatasetOutput) {
    let table = common::table(CSV.as_bytes(), TaskKind::Regression);
    let output = prepare_dataset(&table, &common::dataset_spec("small"), folder).unwrap();
    (table, output)
}

#[test]
fn what_is_found_is_what_a_hand_count_finds() {
    let folder = tempfile::tempdir().unwrap();
    let (_, output) = prepared(folder.path());
    assert_eq!(output.rows, 18);
    let rows: Vec<u64> = output.invalid.iter().map(|(row, _)| *row).collect();
    assert_eq!(rows, [5, 13]);
    // 18 rows: limits 14.4 and 16.2. Benzenes 10 to training, then (size 3) the pyridines and chains, later first row first: chains from
    // row 14 make 13 <= 14.4. Pyridines then to validation (16 <= 16.2).
    assert_eq!(output.counts, (13, 3, 0));
    assert_eq!((output.duplicate_groups, output.leaked), (3, 0));
    assert_eq!((output.truncated, output.unknown_token_molecules), (0, 1));
    let labels = [1.5, 2.5, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0, 12.0, 14.0, 15.0, 16.0];
    let mean = labels.iter().sum::<f64>() / 12.0;
    let wanted = (labels.iter().map(|label| (label - mean) * (label - mean)).sum::<f64>() / 11.0).sqrt();
    assert!((output.train_sd[0].0 - wanted).abs() < 1e-12);
}

#[test]
fn files_are_read_back_as_they_were_meant() {
    let folder = tempfile::tempdir().unwrap();
    let (table, output) = prepared(folder.path());
    let dataset = PreparedDataset::open(folder.path()).unwrap();
    assert_eq!(dataset.output.split_digest, output.split_digest);
    assert_eq!(dataset.len(), 16);
    assert_eq!(dataset.rows[5..7], [6, 7]);
    assert_eq!((dataset.canonical[0].as_str(), dataset.scaffolds[0].as_str()), ("Cc1ccccc1", "c1ccccc1"));
    assert_eq!(dataset.smiles[1], table.smiles[1]);
    assert_eq!(dataset.places(Part::Valid), [9, 10, 15]);
    let first = dataset.task("y, first").unwrap();
    assert_eq!((first[0], first[2], first[15]), (1.5, 3.0, 17.0));
    assert!(first[3].is_nan() && dataset.task("z").unwrap()[1].is_nan());
    assert!(dataset.task("none").is_none());
    let tokenizer = SmilesTokenizer::open(&folder.path().join("tokenizer.json"), 128).unwrap();
    assert_eq!(tokenizer.digest(), output.tokenizer_digest);
    for (place, ids) in dataset.tokens.iter().enumerate() {
        assert_eq!(ids, tokenizer.encode(&dataset.canonical[place]).unwrap().ids);
    }
}

/// Moves when values of the stage move: then bump `clmbench_protocol::revision::TOKENISE` and renew the constants.
#[test]
fn golden_digests() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (_, output) = prepared(folders[0].path());
    assert_eq!(prepared(folders[1].path()).1, output);
    for name in ["molecules.csv", "tokens.bin", "tokenizer.json", "dataset.json"] {
        let [one, two] = [0, 1].map(|place| std::fs::read(folders[place].path().join(name)).unwrap());
        assert_eq!(one, two, "{name}");
    }
    assert_eq!(output.tokenizer_digest, "33084f82ea62713d3ccaf9d0841eaf867f8188c8f71cf2e39683f2c40a93654c");
    assert_eq!(output.data_digest, "13c3c3fc03856c7ccf9a312ecc890c70aea07ad685fbcaa0625224ba662fb55d");
    assert_eq!(output.split_digest, "60cb8c77649609dd330f8c8989c85b878d265473a0fcfb336c07f4e3e72cc21b");
}

#[test]
fn the_data_digest_holds_labels_and_molecules_but_not_the_split() {
    let folder = tempfile::tempdir().unwrap();
    let (mut table, output) = prepared(folder.path());
    let mut spec = common::dataset_spec("small");
    spec.split.fractions.0.0 = 0.5;
    let other = prepare_dataset(&table, &spec, folder.path()).unwrap();
    assert_eq!(other.data_digest, output.data_digest);
    assert_ne!(other.split_digest, output.split_digest);
    table.labels[0][0] = "1.51".into();
    let other = prepare_dataset(&table, &common::dataset_spec("small"), folder.path()).unwrap();
    assert_ne!(other.data_digest, output.data_digest);
    assert_eq!(other.split_digest, output.split_digest);
}

#[test]
fn members_of_subsets_are_kept_beside_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    let (mut table, plain) = prepared(folder.path());
    table.subsets = vec!["cliff".into(), "large".into()];
    for (row, labels) in table.labels.iter_mut().enumerate() {
        labels.extend([if row % 3 == 0 { "1" } else { "" }.to_owned(), if row > 8 { "1.0" } else { "0" }.to_owned()]);
    }
    let output = prepare_dataset(&table, &common::dataset_spec("small"), folder.path()).unwrap();
    let dataset = PreparedDataset::open(folder.path()).unwrap();
    let wanted = |rule: &dyn Fn(u64) -> bool| dataset.rows.iter().map(|row| rule(*row)).collect::<Vec<_>>();
    assert_eq!(dataset.subset("cliff").unwrap(), wanted(&|row| row % 3 == 0));
    assert_eq!(dataset.subset("large").unwrap(), wanted(&|row| row > 8));
    assert_eq!(dataset.subset("none"), None);
    assert_eq!((output.tasks.len(), dataset.task("z").unwrap()[3]), (2, 3.0), "they are no tasks");
    assert_eq!((&output.split_digest, output.checks), (&plain.split_digest, plain.checks));
    assert_ne!(output.data_digest, plain.data_digest);
}

#[test]
fn without_a_training_part_there_is_no_deviation() {
    let folder = tempfile::tempdir().unwrap();
    let (table, _) = prepared(folder.path());
    let mut spec = common::dataset_spec("small");
    spec.split.fractions = (0.0.into(), 0.0.into());
    let output = prepare_dataset(&table, &spec, folder.path()).unwrap();
    assert_eq!((output.counts, output.leaked), ((0, 0, 16), 0));
    assert!(output.train_sd[0].0.is_nan());
}

#[test]
fn bad_tables_are_typed_errors() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = common::dataset_spec("small");
    spec.sha256_csv = Some("00".into());
    let table = common::table(CSV.as_bytes(), TaskKind::Regression);
    assert!(matches!(prepare_dataset(&table, &spec, folder.path()), Err(MoleculesError::WrongTable { .. })));
    let none = common::table(b"smiles,y\nfoo,1\nbar,2\n", TaskKind::Regression);
    let error = prepare_dataset(&none, &common::dataset_spec("small"), folder.path()).unwrap_err();
    assert!(matches!(error, MoleculesError::NoMolecules { rows: 2, .. }), "{error}");
    let label = common::table(b"smiles,y\nC,1\nCC,NA\n", TaskKind::Regression);
    let error = prepare_dataset(&label, &common::dataset_spec("small"), folder.path()).unwrap_err();
    assert!(error.to_string().contains("test/small, row 1, column `y`: `NA`"), "{error}");
    let missing = prepare_dataset(&table, &common::dataset_spec("small"), &folder.path().join("none"));
    assert!(matches!(missing, Err(MoleculesError::Io { .. })));
}

#[test]
fn damaged_folders_are_typed_errors() {
    let folder = tempfile::tempdir().unwrap();
    prepared(folder.path());
    for name in ["molecules.csv", "tokens.bin", "dataset.json"] {
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 1, whole.len() / 2, whole.len() - 9] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = PreparedDataset::open(folder.path()).unwrap_err();
            assert!(matches!(error, MoleculesError::Damaged { .. }), "{name} cut to {length}: {error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(PreparedDataset::open(folder.path()), Err(MoleculesError::Io { .. })), "{name}");
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(PreparedDataset::open(folder.path()).is_ok());
}
