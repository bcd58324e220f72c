//! Splits of the real files against reference data in `../shared/data` beside the checkout; each test says so when it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::Path;

use clmbench_molecules::{PreparedDataset, digest::sha256_hex, prepare_dataset};
use clmbench_plugin_moleculenet::{set::Set, sets::find};
use clmbench_protocol::{DatasetOutput, PluginRef, SplitSpec, TokeniseDataset, TokenizerSpec};
use common::{packaged, raw, records, reference, shared, unpacked};

/// The files of a set from its package, or else from the reference data.
fn files(set: &Set) -> Option<Vec<Vec<u8>>> {
    packaged(set).or_else(|| Some(vec![unpacked(&shared()?.join(reference(set)))?]))
}

fn prepared(set: &Set, files: &[Vec<u8>], folder: &Path) -> DatasetOutput {
    let spec = TokeniseDataset {
        revision: 2,
        plugin: PluginRef { name: "moleculenet".into(), version: "0.1.0".into(), digest: None },
        source: "moleculenet".into(),
        dataset: set.name.into(),
        files: Vec::new(),
        sha256_csv: set.sha256_csv.map(Into::into),
        tasks: Vec::new(),
        params: Default::default(),
        tokenizer: TokenizerSpec::default(),
        split: SplitSpec { algorithm: "scaffold".into(), seed: None, fractions: (0.8.into(), 0.1.into()), file: None },
    };
    prepare_dataset(&raw(set, files), &spec, folder).unwrap()
}

#[test]
fn scaffold_splits_are_those_of_deepchem_row_for_row() {
    let Some(shared) = shared() else { return };
    for name in ["esol", "freesolv", "bbbp", "bace", "clintox", "clintox_ct_tox"] {
        let set = find(name).unwrap();
        let Some(files) = files(set) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let output = prepared(set, &files, folder.path());
        assert_eq!(output.invalid, [], "{name}");
        let Some(bytes) = unpacked(&shared.join("scaffold").join(reference(set))) else { continue };
        let (_, rows) = records(&bytes);
        let dataset = PreparedDataset::open(folder.path()).unwrap();
        assert_eq!(dataset.len(), rows.len(), "{name}");
        for (place, wanted) in rows.iter().enumerate() {
            assert_eq!(dataset.rows[place].to_string(), wanted[0], "{name}");
            assert_eq!(dataset.parts[place].word(), wanted[1], "{name} {place}");
            assert_eq!(dataset.scaffolds[place], wanted[2], "{name} {place}");
            assert_eq!(dataset.canonical[place], wanted[3], "{name} {place}");
        }
        eprintln!("{name}: {} rows split as by DeepChem", rows.len());
    }
}

/// Sets without a reference file: SHA-256 of the lines `row,part` that RDKit 2026.09.1 gives under DeepChem's rule, and how many rows are invalid to it.
#[test]
fn other_splits_have_the_digest_of_those_made_with_rdkit() {
    let wanted = [
        ("lipo", "0c9e74fa6fdf860305ac488157a3f692103380d9912a56e23259d9ae519d694f", (3360, 420, 420), &[][..]),
        (
            "hiv",
            "22979fa8a52a09c213eb2dcdd4e7af8f52a607cf9eb3cf052112e9492c8f1ce0",
            (32_901, 4113, 4106),
            &[137, 987, 12_882, 18_293, 30_784, 30_785, 35_728],
        ),
    ];
    for (name, digest, counts, invalid) in wanted {
        let set = find(name).unwrap();
        let Some(files) = files(set) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let output = prepared(set, &files, folder.path());
        assert_eq!(output.invalid.iter().map(|(row, _)| *row).collect::<Vec<u64>>(), invalid, "{name}");
        assert_eq!(output.counts, counts, "{name}");
        let dataset = PreparedDataset::open(folder.path()).unwrap();
        let lines = dataset.rows.iter().zip(&dataset.parts).map(|(row, part)| format!("{row},{}\n", part.word()));
        assert_eq!(sha256_hex(lines.collect::<String>().as_bytes()), digest, "{name}");
    }
}
