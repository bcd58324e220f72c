//! The real files, against pins that a script independent of this code made.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use clmbench_fetch::{Fetcher, Wheel};
use clmbench_molecules::{RawTable, digest::sha256_hex};
use clmbench_plugin_b3db::{
    read,
    sets::{SETS, Set},
};

/// The package's files of a set, if the package is in the cache.
fn bytes(set: &Set) -> Option<Vec<Vec<u8>>> {
    let fetcher = Fetcher::from_environment().ok()?.offline(true);
    let read = |file: &clmbench_protocol::SourceFile| {
        let entry = file.wheel.as_ref().unwrap();
        if !fetcher.wheel_path(&Wheel::of(entry).unwrap()).exists() && fetcher.cached_source_file(file).is_none() {
            return None;
        }
        let bytes = std::fs::read(fetcher.source_file(file, &mut |_| ()).unwrap()).unwrap();
        assert_eq!((sha256_hex(&bytes), bytes.len() as u64), (entry.sha256.clone(), entry.bytes), "{}", file.name);
        Some(bytes)
    };
    let files: Option<Vec<_>> = set.info().files.iter().map(read).collect();
    if files.is_none() {
        eprintln!("skipped {0}: qc-b3db is not in the cache; `clmbench data fetch b3db/{0}` puts it there (78 MB)", set.name);
    }
    files
}

/// Molecules and labels by the SHA-256 of the normalised CSV, which a Python script (csv, hashlib) made from the package's files;
/// counts by the same script.
#[test]
fn the_tables_are_those_of_the_package() {
    let counts = [("classification", 7807, Some(4956)), ("external", 7807 + 175, Some(4956 + 171)), ("regression", 1058, None)];
    for (name, rows, positive) in counts {
        let set = Set::find(name).unwrap();
        let Some(files) = bytes(set) else { continue };
        let mut raw =
            RawTable { smiles: Vec::new(), labels: Vec::new(), tasks: set.info().tasks, subsets: Vec::new(), parts: Vec::new() };
        for (file, bytes) in set.files.iter().zip(&files) {
            let table = read::read(set, file, bytes).unwrap();
            raw.smiles.extend(table.smiles);
            raw.labels.extend(table.labels);
            raw.parts.extend(table.parts);
        }
        let checked = raw.check(name).unwrap();
        assert_eq!(raw.sha256_csv(&checked).unwrap(), set.sha256_csv, "{name}");
        assert_eq!(checked.smiles.len(), rows, "{name}");
        if let Some(positive) = positive {
            assert_eq!(checked.labels.iter().filter(|label| **label == 1.0).count(), positive, "{name}");
        }
        let test = raw.parts.iter().filter(|part| *part == "test").count();
        assert_eq!(test, if name == "external" { 175 } else { 0 }, "{name}");
    }
}

#[test]
fn only_the_set_of_two_files_has_a_split_of_its_own() {
    for set in &SETS {
        let given = set.info().recommended_split == "given";
        assert_eq!((given, set.files.len()), (set.name == "external", if given { 2 } else { 1 }), "{}", set.name);
        assert!(set.files.iter().all(|file| file.part.is_empty() != given));
    }
}
